"""An object is where it was painted, whatever the raster's CRS, direction and pixel size."""

from __future__ import annotations

import math

import numpy as np
import pyproj
import pytest
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry import Polygon, box

from cvpipe.errors import SceneError
from cvpipe.geo import WGS84, Grid, Window, area_m2, metric_crs, reproject, transformer
from cvpipe.imagery.pairing import common_grid, site_grid
from cvpipe.imagery.reading import Patch, SceneReader

from .conftest import BEIJING, BURGUNDY, JAVA, WriteRaster

SIZE = 300
#: The painted object: columns and rows of a white rectangle on grey, in pixels of the raster.
LEFT, TOP, RIGHT, BOTTOM = 120, 90, 170, 150


def painted(size: int = SIZE) -> NDArray[np.uint8]:
    values = np.full((3, size, size), 60, np.uint8)
    values[:, TOP:BOTTOM, LEFT:RIGHT] = 220
    return values


def placed(crs: str, lon_lat: tuple[float, float], pixel: Affine) -> Affine:
    x, y = transformer(WGS84, pyproj.CRS(crs)).transform(*lon_lat)
    return Affine.translation(x, y) * pixel


def centre_and_area(patch: Patch) -> tuple[tuple[float, float], float]:
    """Centre (x, y) and area of the painted object in pixels, each pixel counted by its share of white.

    A cubic kernel swings below 0 and above 1 beside an edge; cut off, the centre would no longer be its own.
    """
    share = (patch.pixels[:, :, 0].astype(float) - 60) / 160 * patch.valid
    rows, cols = np.indices(share.shape) + 0.5
    return ((cols * share).sum() / share.sum(), (rows * share).sum() / share.sum()), float(share.sum())


DEGREE = 111_320.0
PLACES = {
    "utm": ("EPSG:32650", BEIJING, Affine.scale(0.5, -0.5)),
    "french national": ("EPSG:2154", BURGUNDY, Affine.scale(0.2, -0.2)),
    "degrees": ("EPSG:4326", BEIJING, Affine.scale(0.5 / DEGREE / math.cos(math.radians(39.9)), -0.5 / DEGREE)),
    "web mercator": ("EPSG:3857", BEIJING, Affine.scale(0.6, -0.6)),
    "chinese zone": ("EPSG:4547", BEIJING, Affine.scale(0.5, -0.5)),
    "chinese degrees": ("EPSG:4490", BEIJING, Affine.scale(0.5 / DEGREE / math.cos(math.radians(39.9)), -0.5 / DEGREE)),
    "southern": ("EPSG:32750", JAVA, Affine.scale(0.5, -0.5)),
    "rotated": ("EPSG:32650", BEIJING, Affine.rotation(30) * Affine.scale(0.5, -0.5)),
    "south up": ("EPSG:32650", BEIJING, Affine.scale(0.5, 0.5)),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("pixel_m", [0.3, 0.5, 1.2])
def test_object_keeps_place_and_size(write_raster: WriteRaster, place: str, pixel_m: float) -> None:
    crs, lon_lat, pixel = PLACES[place]
    path = write_raster(painted(), crs=crs, transform=placed(crs, lon_lat, pixel))
    with SceneReader(path) as reader:
        grid = common_grid(reader, reader, pixel_m)
        patch = reader.read(grid)
        outline = Polygon(
            [reader.grid.transform * p for p in ((LEFT, TOP), (RIGHT, TOP), (RIGHT, BOTTOM), (LEFT, BOTTOM))]
        )
        assert reader.grid.crs is not None
        on_earth = reproject(outline, reader.grid.crs, WGS84)
    assert grid.crs is not None
    true = ~grid.transform * reproject(on_earth, WGS84, grid.crs).centroid.coords[0]
    centre, area = centre_and_area(patch)
    assert math.dist(centre, true) < 0.5
    assert area * grid.pixel_area_m2() == pytest.approx(area_m2(on_earth), rel=0.005)


def test_same_lattice_is_copied_bit_by_bit(write_raster: WriteRaster) -> None:
    values = np.random.default_rng(1).integers(0, 255, (3, 80, 90), dtype=np.uint8)
    with SceneReader(write_raster(values)) as reader:
        patch = reader.read(reader.grid.window(Window(20, 10, 40, 30)))
        assert common_grid(reader, reader, 0.5) == reader.grid
    assert np.array_equal(patch.pixels, np.moveaxis(values[:, 10:40, 20:60], 0, 2))
    assert patch.valid.all()


def test_coarser_pixels_are_means(write_raster: WriteRaster) -> None:
    stripes = np.zeros((3, 64, 64), np.uint8)
    stripes[:, :, ::2] = 200
    with SceneReader(write_raster(stripes)) as reader:
        patch = reader.read(Grid(reader.grid.crs, reader.grid.transform * Affine.scale(2), 32, 32))
    assert patch.valid.all()
    assert (patch.pixels == 100).all()


def test_shifted_grid_brings_content_back(write_raster: WriteRaster) -> None:
    """Content that lies 2.5 px right and 1.25 px below is back in place on the grid shifted by just that."""
    with SceneReader(write_raster(painted())) as reader:
        (x, y), _ = centre_and_area(reader.read(reader.grid))
        (moved_x, moved_y), _ = centre_and_area(reader.read(reader.grid.shifted(2.5, 1.25)))
    assert (x - moved_x, y - moved_y) == pytest.approx((2.5, 1.25), abs=0.05)


def test_outside_the_raster_is_not_valid(write_raster: WriteRaster) -> None:
    with SceneReader(write_raster(painted())) as reader:
        patch = reader.read(reader.grid.window(Window(-10, -20, 30, 50)))
        warped = reader.read(reader.grid.window(Window(-10, -20, 30, 50)).shifted(0.25, 0.25))
        beyond = reader.read(reader.grid.window(Window(5000, 5000, 30, 50)).shifted(0.25, 0.25))
    expected = np.zeros((50, 30), bool)
    expected[20:, 10:] = True
    assert np.array_equal(patch.valid, expected)
    assert np.array_equal(warped.valid, expected)
    assert (patch.pixels[~expected] == 0).all()
    assert not beyond.valid.any()


def test_large_warped_read_has_no_seams(write_raster: WriteRaster) -> None:
    """A warped read goes block by block; a plain slope shows every step between blocks."""
    slope = np.broadcast_to(np.linspace(0, 250, 2300).astype(np.uint8), (3, 20, 2300))
    with SceneReader(write_raster(np.ascontiguousarray(slope))) as reader:
        patch = reader.read(reader.grid.shifted(0.5, 0))
    assert np.abs(np.diff(patch.pixels[10, :2298, 0].astype(int))).max() <= 1
    assert patch.valid[:, :2299].all()


def test_plain_picture_takes_its_pixel_size_from_the_caller(write_raster: WriteRaster) -> None:
    picture = write_raster(painted(), "plain.tif", crs=None, transform=None)
    with SceneReader(picture, gsd_m=0.5) as reader:
        grid = common_grid(reader, reader, 1.0)
        assert (grid.crs, grid.shape, grid.pixel_area_m2()) == (None, (150, 150), 1.0)
        centre, _ = centre_and_area(reader.read(grid))
    assert centre == pytest.approx(((LEFT + RIGHT) / 4, (TOP + BOTTOM) / 4), abs=0.01)
    with pytest.raises(SceneError, match=r"has no georeference.*--gsd METRES"):
        SceneReader(picture)


def test_scenes_without_common_ground_are_refused(write_raster: WriteRaster) -> None:
    here = write_raster(painted(), "here.tif")
    there = write_raster(painted(), "there.tif", transform=Affine(0.5, 0, 440000, 0, -0.5, 4417000))
    with SceneReader(here) as one, SceneReader(there) as other, pytest.raises(SceneError, match="shares no area"):
        common_grid(one, other, 0.5)


def test_plain_and_placed_pictures_do_not_pair(write_raster: WriteRaster) -> None:
    placed_one = write_raster(painted(), "here.tif")
    plain = write_raster(painted(), "plain.tif", crs=None, transform=None)
    smaller = write_raster(painted(200), "smaller.tif", crs=None, transform=None)
    with (
        SceneReader(placed_one) as one,
        SceneReader(plain, gsd_m=0.5) as other,
        SceneReader(smaller, gsd_m=0.5) as third,
    ):
        with pytest.raises(SceneError, match="its partner has one"):
            common_grid(one, other, 0.5)
        with pytest.raises(SceneError, match=r"covers 100 x 100 m, its partner .* 150 x 150 m"):
            common_grid(other, third, 0.5)
        with pytest.raises(SceneError, match="only one of scene and grid"):
            one.read(other.grid)


def test_common_grid_is_the_area_of_both(write_raster: WriteRaster) -> None:
    one = write_raster(painted(), "one.tif", transform=Affine(0.5, 0, 430000, 0, -0.5, 4417000))
    other = write_raster(painted(), "other.tif", transform=Affine(0.4, 0, 430100, 0, -0.4, 4416950))
    with SceneReader(one) as before, SceneReader(other) as after:
        assert common_grid(before, after, 0.5).bounds == pytest.approx((430100, 4416850, 430150, 4416950))


def test_site_grid_holds_the_outline_and_its_margin() -> None:
    crs = metric_crs(WGS84, (*BEIJING, *BEIJING))
    outline = box(430000.3, 4417000.3, 430040.1, 4417030.1)
    grid = site_grid(reproject(outline, crs, WGS84), 20.0, crs, 0.5)
    assert grid.bounds == pytest.approx((429980.0, 4416980.0, 430060.5, 4417050.5))
