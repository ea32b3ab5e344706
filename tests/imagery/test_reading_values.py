"""Any bands and types become red, green, blue in 8 bits, and what is not valid is told."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

from cvpipe.errors import SceneError
from cvpipe.geo import Grid, Window
from cvpipe.imagery.reading import Patch, SceneReader

from .conftest import WriteRaster


def whole(path: object) -> Patch:
    with SceneReader(str(path)) as reader:
        return reader.read(reader.grid)


def flat(*levels: int, size: int = 40, dtype: str = "uint8") -> NDArray[np.generic]:
    """Bands of one level each."""
    return np.stack([np.full((size, size), level, dtype) for level in levels])


def test_grey_is_repeated(write_raster: WriteRaster) -> None:
    assert (whole(write_raster(flat(90))).pixels == 90).all()


def test_first_three_of_four_bands(write_raster: WriteRaster) -> None:
    patch = whole(write_raster(flat(10, 20, 30, 200), photometric="RGB", alpha="unspecified"))
    assert tuple(patch.pixels[0, 0]) == (10, 20, 30)
    assert patch.valid.all()


def test_colour_interpretation_decides(write_raster: WriteRaster) -> None:
    path = write_raster(flat(200, 30, 20, 10))
    import rasterio

    with rasterio.open(path, "r+") as dataset:
        dataset.colorinterp = (ColorInterp.undefined, ColorInterp.blue, ColorInterp.green, ColorInterp.red)
    assert tuple(whole(path).pixels[0, 0]) == (10, 20, 30)


def test_alpha_tells_what_is_valid(write_raster: WriteRaster) -> None:
    values = flat(10, 20, 30, 255)
    values[3, :, :10] = 0
    patch = whole(write_raster(values, photometric="RGB", alpha="yes"))
    assert np.array_equal(patch.valid[0], np.arange(40) >= 10)
    assert (patch.pixels[:, :10] == 0).all()


def test_palette_is_looked_up(write_raster: WriteRaster) -> None:
    import rasterio

    path = write_raster(flat(3))
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {3: (200, 100, 50, 255)})
    assert tuple(whole(path).pixels[0, 0]) == (200, 100, 50)


@pytest.mark.parametrize("step", [Affine.identity(), Affine.scale(2), Affine.scale(0.5), Affine.translation(0.5, 0.5)])
def test_nodata_on_every_way_of_reading(write_raster: WriteRaster, step: Affine) -> None:
    """The left half is nodata; the right half is valid and none of the nodata value bleeds into it."""
    values = flat(100, 100, 100)
    values[:, :, :20] = 7
    with SceneReader(write_raster(values, nodata=7)) as reader:
        size = int(40 / step.a)
        patch = reader.read(Grid(reader.grid.crs, reader.grid.transform * step, size, size))
    middle = size // 2
    assert not patch.valid[:, : middle - 2].any()
    assert patch.valid[2:-2, middle + 3 : -2].all()
    assert (patch.pixels[patch.valid] == 100).all()


def test_black_is_valid_unless_declared(write_raster: WriteRaster) -> None:
    values = flat(100, 100, 100)
    values[:, 10:30, 10:30] = 0
    assert whole(write_raster(values, "black.tif")).valid.all()
    assert not whole(write_raster(values, "declared.tif", nodata=0)).valid[20, 20]


def test_black_collar_is_not_valid(write_raster: WriteRaster) -> None:
    """A black triangle at the edge is a collar; the black square inside is a dark roof."""
    values = flat(120, 110, 100, size=200)
    rows, cols = np.indices((200, 200))
    values[:, rows + cols < 80] = 0
    values[:, 120:150, 120:150] = 0
    with SceneReader(write_raster(values)) as reader:
        patch = reader.read(reader.grid)
        inside_collar = reader.read(reader.grid.window(Window(0, 0, 20, 20)))
        moved = reader.read(reader.grid.shifted(0.5, 0.5))
    assert not patch.valid[rows + cols < 80].any()
    assert patch.valid[rows + cols > 84].all()
    assert not inside_collar.valid.any()
    assert moved.pixels[moved.valid & (rows + cols < 120)].min() >= 95


def test_16_bit_is_scaled_by_the_whole_scene(write_raster: WriteRaster) -> None:
    """A slope of 1000..3000: its 2 % and 98 % become black and white, the same in a part as in the whole."""
    slope = np.broadcast_to(np.linspace(1000, 3000, 200).astype(np.uint16), (3, 200, 200))
    with SceneReader(write_raster(np.ascontiguousarray(slope))) as reader:
        patch = reader.read(reader.grid)
        part = reader.read(reader.grid.window(Window(100, 0, 20, 20)))
    assert (patch.pixels[0, 2, 0], patch.pixels[0, -3, 0]) == (0, 255)
    assert patch.pixels[0, 100, 0] == pytest.approx(128, abs=2)
    assert np.array_equal(part.pixels, patch.pixels[:20, 100:120])


def test_not_a_number_is_not_valid(write_raster: WriteRaster) -> None:
    values = np.random.default_rng(0).random((3, 50, 50)).astype(np.float32)
    values[:, 5, 7] = np.nan
    values[:, 6, 7] = np.inf
    patch = whole(write_raster(values))
    assert sorted(zip(*np.nonzero(~patch.valid), strict=True)) == [(5, 7), (6, 7)]


def test_two_colour_bands_are_refused(write_raster: WriteRaster) -> None:
    with pytest.raises(SceneError, match="neither grey nor red, green, blue"):
        SceneReader(write_raster(flat(10, 20)))


def test_overview_shows_the_whole(write_raster: WriteRaster) -> None:
    values = flat(50, 50, 50, size=300)
    values[:, :, 150:] = 150
    with SceneReader(write_raster(values)) as reader:
        overview = reader.overview(30)
    assert overview.pixels.shape == (30, 30, 3)
    assert (overview.pixels[:, :15] == 50).all()
    assert (overview.pixels[:, 15:] == 150).all()
