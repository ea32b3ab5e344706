"""Each way in which a raster can be unusable has its own clear sentence."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cvpipe.errors import SceneError
from cvpipe.imagery.reading import SceneReader
from cvpipe.imagery.scenes import describe
from cvpipe.ledger import Workspace
from tests.ledger.commands import run_command

from .bad_rasters import BAD, BAD_SCENES, RGB, USELESS, Make, no_permission
from .conftest import WriteRaster


def made(make: Make, folder: Path, write: WriteRaster) -> Path:
    if make is no_permission and os.geteuid() == 0:
        pytest.skip("the superuser may read everything")
    return make(folder, write)


@pytest.mark.parametrize(("make", "sentence"), BAD, ids=[make.__name__ for make, _ in BAD])
@pytest.mark.parametrize("use", [describe, SceneReader])
def test_reason_is_told(
    tmp_path: Path, write_raster: WriteRaster, make: Make, sentence: str, use: Callable[[Path], object]
) -> None:
    path = made(make, tmp_path, write_raster)
    with pytest.raises(SceneError, match=sentence) as caught:
        use(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("make", "sentence"), BAD_SCENES, ids=[make.__name__ for make, _ in BAD_SCENES])
def test_reason_is_told_by_the_catalogue(tmp_path: Path, write_raster: WriteRaster, make: Make, sentence: str) -> None:
    path = made(make, tmp_path, write_raster)
    with pytest.raises(SceneError, match=sentence) as caught:
        describe(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_useless_scenes_are_told_by_check(
    tmp_path: Path, write_raster: WriteRaster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {make(tmp_path, write_raster).name: sentence for make, sentence in USELESS}
    workspace = tmp_path / "campaign"
    Workspace.create(workspace)
    added = run_command(monkeypatch, capsys, "scenes", "add", *(tmp_path / n for n in said), "--workspace", workspace)
    assert (added.code, added.stderr.count("cvpipe:")) == (0, 0)
    told = run_command(monkeypatch, capsys, "scenes", "check", "--json", "--workspace", workspace)
    checks = {Path(check["uri"]).name: check["reason"] for check in json.loads(told.stdout)}
    assert told.code == 1
    assert checks.keys() == said.keys()
    assert [name for name, sentence in said.items() if sentence not in checks[name]] == []


def test_no_permission_is_told_to_whoever_lacks_it(
    tmp_path: Path, write_raster: WriteRaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the tests run as the superuser, whom no mode keeps out."""
    path = no_permission(tmp_path, write_raster)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(SceneError, match=r"must not be read \(no permission\)"):
        describe(path)


def test_there_are_enough_of_them() -> None:
    assert len({make for make, _ in (*BAD, *BAD_SCENES, *USELESS)}) >= 40


def test_truncated_pixels_are_told_when_read(tmp_path: Path, write_raster: WriteRaster) -> None:
    whole = write_raster(RGB, compress="deflate", tiled=True, blockxsize=64, blockysize=64)
    path = tmp_path / "cut.tif"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with SceneReader(path) as reader, pytest.raises(SceneError, match="its pixels cannot be read"):
        reader.read(reader.grid)
