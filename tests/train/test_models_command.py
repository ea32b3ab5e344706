"""`cvpipe models promote | check | export` as people call them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cvpipe.cli import main
from cvpipe.domain import ChangeKind
from cvpipe.network.architecture import Design, SiameseNetwork
from cvpipe.network.bundle import FORMAT, BundleSettings, checked_settings, design_settings, write_bundle
from tests.detect.networks import PaintedNetwork
from tests.network.damage import edit_item
from tests.train.test_evaluation import HALL, SHED, save_mask, save_picture

Run = Callable[..., int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Calls `cvpipe models …` and returns its exit code."""

    def call(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["cvpipe", "models", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        return int(stopped.value.code or 0)

    return call


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of models with the bundle `tiny`; not to be altered."""
    torch.manual_seed(3)
    design = Design(encoder="tu-mobilenetv2_035", decoder_channels=(16, 12, 8, 8), change_channels=8)
    settings = BundleSettings(
        format=FORMAT,
        name="tiny",
        design=design_settings(design),
        gsd_m=0.5,
        tile_px=64,
        surface_bias=(0.0,) * 8,
        surface_temperature=1.0,
        change_temperature=1.0,
        thresholds=dict.fromkeys(ChangeKind, 0.5),
        min_area_m2=dict.fromkeys(ChangeKind, 6.0),
    )
    tiles = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8).numpy()
    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    write_bundle(folder, SiameseNetwork(design), settings, (tiles[0], tiles[1]), {"license": "Apache-2.0"}, "# tiny\n")
    return folder


@pytest.fixture
def models(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models of one's own, with `tiny` in it."""
    shutil.copytree(tiny, tmp_path / "models" / "tiny")
    monkeypatch.setenv("CVPIPE_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


class TestCheck:
    def test_a_sound_bundle_says_its_pixel_size_and_digest(
        self, run: Run, models: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run("check") == 0
        told = capsys.readouterr().out
        assert "tiny is sound" in told
        assert "0.5 m a pixel" in told
        assert checked_settings(models / "tiny")[1][:12] in told

    def test_what_differs_is_named(self, run: Run, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
        folder = (models / "tiny").rename(models / "large")
        edit_item(folder, lambda item: item["properties"].update({"cvpipe:version": "9.9"}))
        (folder / "weights.pt").touch()
        assert run("check", "large") == 0
        told = capsys.readouterr().out
        assert "released with cvpipe 9.9" in told
        assert "lies in a folder named large, calls itself tiny" in told
        assert "weights.pt" in told

    def test_one_bad_bundle_does_not_hide_the_good_ones(
        self, run: Run, models: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shutil.copytree(models / "tiny", models / "bad")
        edit_item(models / "bad", lambda item: item["properties"].update(gsd=0.3))
        (models / "worse").mkdir()
        (models / "worse" / "item.json").write_text("{}")
        assert run("check") == 1
        said = capsys.readouterr()
        assert "mislabelled: gsd is 0.3, its settings say 0.5" in said.err
        assert "no usable description" in said.err
        assert "tiny is sound" in said.out


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """Four pairs at 0.5 m with a shed or a hall gone."""
    for stem, box in {"a": SHED, "b": HALL, "c": SHED, "d": HALL}.items():
        save_picture(tmp_path / "town" / "A" / f"{stem}.png", [box])
        save_picture(tmp_path / "town" / "B" / f"{stem}.png", [])
        save_mask(tmp_path / "town" / "label" / f"{stem}.png", [box])
    (tmp_path / "town" / "dataset.yaml").write_text(
        "name: town\nkind: pairs\ngsd_m: 0.5\nlabels: [{folder: label, changes: [structure_removed]}]\n"
    )
    return tmp_path / "town"


class TestPromote:
    """The candidate's folder decides how it answers: `blind` finds nothing, any other one all."""

    @pytest.fixture(autouse=True)
    def painted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seeing = PaintedNetwork()

        def load(folder: Path, **_: object) -> PaintedNetwork:
            blind = replace(seeing, thresholds=dict.fromkeys(ChangeKind, 1.0))
            return blind if Path(folder).name == "blind" else seeing

        monkeypatch.setattr("cvpipe.network.bundle.load_bundle", load)
        monkeypatch.setattr("cvpipe.train.promotion.load_bundle", load)

    def test_a_worse_candidate_is_refused_with_the_reason(
        self, run: Run, models: Path, town: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shutil.copytree(models / "tiny", tmp_path / "blind")
        assert run("promote", tmp_path / "blind", "--current", "tiny", "--dataset", town) == 1
        assert "clearly worse on town" in capsys.readouterr().err
        assert [p.name for p in models.iterdir()] == ["tiny"]

    def test_another_one_is_installed_and_the_previous_one_kept(
        self, run: Run, models: Path, town: Path, tmp_path: Path
    ) -> None:
        (models / "tiny").rename(models / "blind")
        candidate = Path(shutil.copytree(models / "blind", tmp_path / "candidate"))
        (candidate / "CARD.md").write_text("# better\n")
        assert run("promote", candidate, "--current", "blind", "--dataset", town, "--dry-run") == 0
        assert [p.name for p in models.iterdir()] == ["blind"]
        assert run("promote", candidate, "--current", "blind", "--dataset", town) == 0
        assert sorted(p.name for p in models.iterdir()) == ["blind", "blind-previous"]
        assert (models / "blind" / "CARD.md").read_text() == "# better\n"


class TestExport:
    def test_onnx_beside_the_bundle_which_stays_sound(
        self, run: Run, models: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
        assert run("export", "tiny", "--format", "onnx") == 0
        assert "off torch by at most" in capsys.readouterr().out
        assert (models / "tiny" / "network.onnx").stat().st_size > 1e5
        assert run("check", "tiny") == 0
        assert "no bundle has" not in capsys.readouterr().out

    @pytest.mark.usefixtures("models")
    def test_openvino_tells_its_distance_and_speed(
        self, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        pytest.importorskip("openvino", reason="the extra `openvino` is not installed")
        assert run("export", "tiny", "--format", "openvino", "--out", tmp_path / "graph") == 0
        told = capsys.readouterr().out
        assert "other surfaces" in told
        assert "OpenVINO" in told
        assert {p.name for p in (tmp_path / "graph").iterdir()} == {"openvino.xml", "openvino.bin", "openvino.json"}

    def test_int8_is_not_for_onnx(self, run: Run, models: Path) -> None:
        assert run("export", "tiny", "--format", "onnx", "--int8") == 2
        assert not (models / "tiny" / "network.onnx").exists()
