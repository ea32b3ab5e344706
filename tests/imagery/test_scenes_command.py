"""`cvpipe scenes add | list | check` as a user calls them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cvpipe.cli import main
from cvpipe.ledger import Workspace

from .conftest import WriteRaster

Command = Callable[..., int]

RGB = np.random.default_rng(0).integers(0, 255, (3, 60, 60), dtype=np.uint8)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "campaign"
    Workspace.create(folder)
    return folder


@pytest.fixture
def cvpipe(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run `cvpipe scenes …` in the workspace; returns the exit code."""

    def run(*arguments: object) -> int:
        monkeypatch.setattr("sys.argv", ["cvpipe", "scenes", *map(str, arguments), "--workspace", str(workspace)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    return run


def names_in(workspace: Path) -> list[str]:
    with Workspace.open(workspace).ledger() as ledger:
        return [Path(scene.uri).name for scene in ledger.scenes()]


def test_good_files_are_added_and_bad_ones_named(
    cvpipe: Command, workspace: Path, write_raster: WriteRaster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = write_raster(RGB, "a_20230510.tif")
    bad = tmp_path / "notes.tif"
    bad.write_text("no picture")
    assert cvpipe("add", good, bad, tmp_path / "absent.tif") == 1
    told = capsys.readouterr()
    assert "1 scenes added, 0 known already, 2 refused" in told.out
    assert "notes.tif: no raster that GDAL can read" in told.err
    assert "absent.tif: no such file" in told.err
    assert names_in(workspace) == ["a_20230510.tif"]


def test_none_good_is_a_wrong_call(cvpipe: Command, workspace: Path, write_raster: WriteRaster) -> None:
    assert cvpipe("add", write_raster(RGB, "undated.tif")) == 2
    assert names_in(workspace) == []


def test_folder_pattern_and_date(
    cvpipe: Command, workspace: Path, write_raster: WriteRaster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for number, name in enumerate(("deep/a.tif", "deep/er/b.tif", "c1.tif", "c2.tif")):
        write_raster(RGB + np.uint8(number), name)
    (tmp_path / "deep" / "readme.txt").write_text("not a raster, and not taken for one")
    assert cvpipe("add", tmp_path / "deep", tmp_path / "c?.tif", "--acquired", "2022-03-04") == 0
    assert sorted(names_in(workspace)) == ["a.tif", "b.tif", "c1.tif", "c2.tif"]
    assert cvpipe("add", tmp_path / "c1.tif", "--acquired", "2022-03-04") == 0
    assert "0 scenes added, 1 known already" in capsys.readouterr().out
    assert cvpipe("add", tmp_path / "d?.tif") == 2
    assert "no raster there" in capsys.readouterr().err


def test_hidden_files_are_passed_over(
    cvpipe: Command, workspace: Path, write_raster: WriteRaster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The forks that macOS leaves on foreign drives, and the folders of its bin."""
    (tmp_path / "drive" / ".Trashes").mkdir(parents=True)
    for number, name in enumerate(("a.tif", "b.tif", ".Trashes/old.tif")):
        write_raster(RGB + np.uint8(number), f"drive/{name}")
    (tmp_path / "drive" / "._a.tif").write_bytes(b"\x00\x05\x16\x07")
    assert cvpipe("add", tmp_path / "drive", "--acquired", "2022-03-04") == 0
    assert "2 scenes added, 0 known already, 0 refused, 2 hidden passed over" in capsys.readouterr().out
    assert cvpipe("add", tmp_path / "drive" / "*.tif", "--acquired", "2022-03-04") == 0
    assert "0 scenes added, 2 known already, 0 refused, 1 hidden passed over" in capsys.readouterr().out
    assert sorted(names_in(workspace)) == ["a.tif", "b.tif"]
    assert cvpipe("add", tmp_path / "drive" / ".T*" / "*.tif", "--acquired", "2022-03-04") == 0
    assert sorted(names_in(workspace)) == ["a.tif", "b.tif", "old.tif"]


def test_a_folder_of_hidden_files_only_is_told_so(
    cvpipe: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "drive").mkdir()
    (tmp_path / "drive" / "._a.tif").write_bytes(b"\x00\x05\x16\x07")
    assert cvpipe("add", tmp_path / "drive") == 2
    assert "no raster there; 1 hidden ones were passed over" in capsys.readouterr().err.replace("\n", " ")


def test_list(cvpipe: Command, write_raster: WriteRaster, capsys: pytest.CaptureFixture[str]) -> None:
    cvpipe("add", write_raster(RGB, "a_20230510.tif"))
    capsys.readouterr()
    assert cvpipe("list", "--json") == 0
    (scene,) = json.loads(capsys.readouterr().out)
    assert (scene["acquired"], scene["crs"], scene["width"]) == ("2023-05-10", "EPSG:32650", 60)
    assert scene["footprint"]["type"] == "Polygon"
    assert cvpipe("list") == 0
    assert "2023-05-10" in capsys.readouterr().out


def test_check_says_what_became_of_each_scene(
    cvpipe: Command, write_raster: WriteRaster, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = np.zeros_like(RGB)
    files = {
        "fine": write_raster(RGB, "fine_20230101.tif"),
        "gone": write_raster(RGB + np.uint8(1), "gone_20230102.tif"),
        "edited": write_raster(RGB + np.uint8(2), "edited_20230103.tif"),
        "empty": write_raster(empty, "empty_20230104.tif", nodata=0),
    }
    assert cvpipe("add", *files.values()) == 0
    files["gone"].unlink()
    write_raster(RGB + np.uint8(9), "edited_20230103.tif")
    capsys.readouterr()
    assert cvpipe("check", "--json") == 1
    checks = {Path(c["uri"]).name.split("_")[0]: c for c in json.loads(capsys.readouterr().out)}
    assert checks["fine"] | {"uri": ""} == {
        "uri": "",
        "acquired": "2023-01-01",
        "usable": True,
        "valid_share": 1.0,
        "reason": "",
    }
    assert checks["gone"]["reason"] == "no such file"
    assert checks["edited"]["reason"] == "its content is not what was added"
    assert checks["empty"]["reason"] == "holds hardly any valid pixel"
    assert cvpipe("check") == 1
    assert "usable" in capsys.readouterr().out
