"""Maps of surfaces: kept on the grid of a site, read on any other, refused where they are damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyproj
import pytest
from affine import Affine

from cvpipe.domain import Surface
from cvpipe.errors import SceneError
from cvpipe.geo import Grid
from cvpipe.imagery import keep_surfaces, read_surfaces, surface_path

UTM = pyproj.CRS.from_epsg(32650)
GRID = Grid(UTM, Affine(0.5, 0, 440_000, 0, -0.5, 4_420_000), 40, 20)


def kept(folder: Path) -> Path:
    """Structures on the left half before, bare ground everywhere after."""
    path = surface_path(folder, "a" * 64)
    assert path is not None
    before = np.full(GRID.shape, Surface.VEGETATION, np.uint8)
    before[:, :20] = Surface.STRUCTURE
    keep_surfaces(path, before, np.full(GRID.shape, Surface.BARE, np.uint8), GRID)
    return path


def test_a_map_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    path = kept(tmp_path)
    before = read_surfaces(path, "before", GRID)
    assert (before[:, :20] == Surface.STRUCTURE).all()
    assert (before[:, 20:] == Surface.VEGETATION).all()
    assert (read_surfaces(path, "after", GRID) == Surface.BARE).all()
    assert [file.name for file in path.parent.iterdir()] == [path.name], "nothing unfinished stays"


def test_a_finer_and_wider_grid_has_codes_only_and_nothing_around(tmp_path: Path) -> None:
    wider = Grid(UTM, Affine(0.25, 0, 439_995, 0, -0.25, 4_420_005), 120, 80)
    codes = read_surfaces(kept(tmp_path), "before", wider)
    assert set(np.unique(codes)) == {Surface.STRUCTURE, Surface.VEGETATION, Surface.NO_DATA}
    assert (codes == Surface.STRUCTURE).sum() == 40 * 40
    assert (codes[:20] == Surface.NO_DATA).all()


def test_another_coordinate_system_shows_the_same_ground(tmp_path: Path) -> None:
    x, y = pyproj.Transformer.from_crs(UTM, 4490, always_xy=True).transform(440_002, 4_419_995)
    degrees = Grid(pyproj.CRS.from_epsg(4490), Affine(1e-5, 0, x, 0, -1e-5, y), 2, 2)
    assert (read_surfaces(kept(tmp_path), "before", degrees) == Surface.STRUCTURE).all()


def test_a_damaged_or_missing_map_is_told(tmp_path: Path) -> None:
    path = kept(tmp_path)
    path.write_bytes(b"II*\0 and nothing more")
    for broken in (path, path.with_name("none.tif")):
        with pytest.raises(SceneError, match="cannot be read"):
            read_surfaces(broken, "before", GRID)


@pytest.mark.parametrize("key", ["", "../ledger", "a/b", "a.tif", "x" * 129])
def test_a_key_that_is_no_digest_names_no_file(tmp_path: Path, key: str) -> None:
    assert surface_path(tmp_path, key) is None
