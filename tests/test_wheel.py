"""An installed cvpipe needs no checkout: the wheel carries what the first steps ask for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from cvpipe.shipped import config_file, shipped

ROOT = Path(__file__).parent.parent
Cvpipe = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree, built without the network."""
    out = tmp_path_factory.mktemp("dist")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "wheel"]
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--wheel-dir", str(out), str(ROOT)], check=True)
    (built,) = out.glob("cvpipe-*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`cvpipe` of an environment that has the wheel, and the libraries of the present environment."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    (place,) = folder.glob("lib/python*/site-packages")
    # Directories that a .pth names are searched, their own .pth files are not read: no checkout comes along.
    (place / "libraries.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--python", str(folder)]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True)
    return folder / "bin" / "cvpipe"


@pytest.fixture
def cvpipe(program: Path, tmp_path: Path) -> Cvpipe:
    """The installed command, in an empty folder."""
    environment = {k: v for k, v in os.environ.items() if k not in {"CVPIPE_MODELS", "PYTHONPATH"}}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program, *words], cwd=tmp_path, env=environment, capture_output=True, text=True)

    return run


@pytest.mark.slow
class TestContent:
    def test_the_default_network_and_every_commented_setting(self, names: set[str]) -> None:
        network = {path.name for path in (ROOT / "models" / "cvpipe-s").iterdir()}
        configs = {path.relative_to(ROOT).as_posix() for path in (ROOT / "configs").rglob("*.yaml")}
        assert {"item.json", "weights.safetensors", "golden.safetensors", "CARD.md"} <= network
        assert {f"cvpipe/_shipped/models/cvpipe-s/{name}" for name in network} <= names
        assert len(configs) > 10
        assert {f"cvpipe/_shipped/{name}" for name in configs} <= names

    def test_what_the_package_reads_beside_its_code(self, names: set[str]) -> None:
        kinds = {".html", ".css", ".js", ".qml", ".svg", ".yaml"}
        beside = [p for p in (ROOT / "cvpipe").rglob("*") if p.suffix in kinds]
        wanted = {p.relative_to(ROOT).as_posix() for p in beside if "web" not in p.relative_to(ROOT).parts}
        assert {"cvpipe/ledger/styles/layer.qml", "cvpipe/cli/zh.yaml"} <= wanted
        assert wanted <= names, "the reviewers' map too, where it has been made"
        assert "cvpipe/ledger/exchange/headings.yaml" in names

    def test_nothing_that_only_building_needs(self, names: set[str]) -> None:
        assert [name for name in names if name.startswith("cvpipe/review/web/") or "node_modules" in name] == []
        assert {name.split("/")[0].split("-")[0] for name in names} == {"cvpipe"}


@pytest.mark.slow
class TestInstalled:
    def test_it_finds_the_network_that_came_along(self, cvpipe: Cvpipe, program: Path) -> None:
        listed = cvpipe("models", "list", "--json")
        assert listed.returncode == 0, listed.stderr
        (row,) = json.loads(listed.stdout)
        assert row["name"] == "cvpipe-s"
        assert Path(row["folder"]).is_relative_to(program.parents[1])

    def test_doctor_loads_it(self, cvpipe: Cvpipe) -> None:
        told = cvpipe("doctor", "--json")
        checks = {check["name"]: check for check in json.loads(told.stdout)}
        assert checks["bundle"]["health"] == "good", checks["bundle"]
        assert "_shipped" in checks["bundle"]["found"]

    def test_two_pictures(self, cvpipe: Cvpipe, tmp_path: Path) -> None:
        ground = np.random.default_rng(1).integers(90, 110, (160, 160, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / "before.png"), ground)
        cv2.imwrite(str(tmp_path / "after.png"), ground)
        done = cvpipe("detect", "before.png", "after.png", "--gsd", "0.5", "--out", "found", "--device", "cpu")
        assert done.returncode == 0, done.stderr
        assert json.loads((tmp_path / "found" / "summary.json").read_text(encoding="utf-8"))["bundle"]

    def test_a_workspace_and_a_chinese_sheet_with_headings_that_ship(self, cvpipe: Cvpipe, tmp_path: Path) -> None:
        (tmp_path / "sites.csv").write_text("编号,名称,经度,纬度\nA-1,东院,116.2,39.9\n", encoding="utf-8")
        assert cvpipe("init", "district").returncode == 0
        words = ("sites", "import", "sites.csv", "--headings", "configs/headings.yaml", "--workspace", "district")
        taken = cvpipe(*words)
        assert taken.returncode == 0, taken.stderr
        listed = cvpipe("sites", "list", "--json", "--workspace", "district")
        assert [site["code"] for site in json.loads(listed.stdout)] == ["A-1"]

    def test_a_bundle_of_the_workspace_goes_before_it(self, cvpipe: Cvpipe, tmp_path: Path) -> None:
        cvpipe("init", "district")
        own = tmp_path / "district" / "models" / "cvpipe-s"
        own.mkdir(parents=True)
        (own / "item.json").write_text("{}", encoding="utf-8")
        told = cvpipe("doctor", "--workspace", "district", "--json")
        bundle = next(check for check in json.loads(told.stdout) if check["name"] == "bundle")
        assert bundle["health"] == "problem"
        assert str(own) in bundle["found"]


class TestLookingUp:
    def test_a_file_of_ones_own_goes_first(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        named = Path("configs/rules.yaml")
        assert config_file(named) == shipped("configs") / "rules.yaml"
        named.parent.mkdir()
        named.write_text("{}", encoding="utf-8")
        assert config_file(named) == named

    @pytest.mark.parametrize("name", ["rules.yaml", "configs/no-such.yaml", "/configs/rules.yaml"])
    def test_other_names_stay_as_they_are(self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert config_file(Path(name)) == Path(name)
