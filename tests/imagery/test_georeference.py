"""An object of a real picture is where it was, however the picture is laid out and whatever grid it is read on.

A bright square is painted on real pixels, the raster laid in each CRS, and the square looked for on a metric grid: its
centre and area by the difference to the same read without it. Real rasters are also taken to another CRS and back.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pyproj
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry import Polygon, shape

from cvpipe.geo import WGS84, Grid, area_m2, metric_crs, reproject, transformer
from cvpipe.imagery import SceneReader, describe
from cvpipe.imagery.pairing import common_grid

from .conftest import BEIJING, BURGUNDY, JAVA, WriteRaster

DEGREE_M = 111_320.0
#: Where each CRS is at home, and a pixel of about half a metre in it.
LAYOUTS: dict[str, tuple[str, tuple[float, float], Affine]] = {
    "EPSG:2154": ("EPSG:2154", BURGUNDY, Affine.scale(0.5, -0.5)),
    "EPSG:3857": ("EPSG:3857", BEIJING, Affine.scale(0.65, -0.65)),
    "EPSG:4326": ("EPSG:4326", BEIJING, Affine.scale(0.5 / DEGREE_M / math.cos(math.radians(39.9)), -0.5 / DEGREE_M)),
    "EPSG:4490": ("EPSG:4490", BEIJING, Affine.scale(0.5 / DEGREE_M / math.cos(math.radians(39.9)), -0.5 / DEGREE_M)),
    "EPSG:4547": ("EPSG:4547", BEIJING, Affine.scale(0.5, -0.5)),
    "EPSG:32650": ("EPSG:32650", BEIJING, Affine.scale(0.5, -0.5)),
    "EPSG:32750": ("EPSG:32750", JAVA, Affine.scale(0.5, -0.5)),
    "rotated": ("EPSG:32650", BEIJING, Affine.rotation(23) * Affine.scale(0.5, -0.5)),
    "south up": ("EPSG:32650", BEIJING, Affine.scale(0.5, 0.5)),
    "rotated degrees": ("EPSG:4326", BEIJING, Affine.rotation(-40) * Affine.scale(0.5 / DEGREE_M, -0.5 / DEGREE_M)),
}
#: Columns and rows of the painted square, in pixels of the raster.
SQUARE = 110, 90, 190, 170
PLACES = {
    "fotbcd": "eval/fotbcd_public/geotiff/binary_train_4572_after.tif",
    "kampala": "georef/kampala/OAM-309606-261636-19.tif",
}


def painted(plain: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture (3, H, W), a quarter as bright, with a square on it that is lighter by 180."""
    left, top, right, bottom = SQUARE
    dark = plain // 4
    dark[:, top:bottom, left:right] += 180
    return dark


def share_of_square(with_it: NDArray[np.uint8], without: NDArray[np.uint8]) -> NDArray[np.float64]:
    return (with_it.astype(float) - without)[:, :, 1] / 180


@pytest.mark.parametrize("picture", PLACES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("pixel_m", [0.3, 0.5, 0.8, 1.5])
def test_an_object_on_real_ground(
    shared_pictures: Path, write_raster: WriteRaster, picture: str, layout: str, pixel_m: float
) -> None:
    crs, lon_lat, pixel = LAYOUTS[layout]
    with rasterio.open(shared_pictures.parent / PLACES[picture]) as dataset:
        plain = dataset.read([1, 2, 3])[:, :256, :256]
    x, y = transformer(WGS84, pyproj.CRS(crs)).transform(*lon_lat)
    place = Affine.translation(x, y) * pixel
    with_it = write_raster(painted(plain), "with.tif", crs=crs, transform=place)
    without = write_raster(plain // 4, "without.tif", crs=crs, transform=place)
    with SceneReader(with_it) as reader, SceneReader(without) as other:
        grid = common_grid(reader, reader, pixel_m)
        share = share_of_square(reader.read(grid).pixels, other.read(grid).pixels)
        left, top, right, bottom = SQUARE
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        outline = Polygon([reader.grid.transform * corner for corner in corners])
    on_earth = reproject(outline, pyproj.CRS(crs), WGS84)
    assert grid.crs is not None
    true = ~grid.transform * reproject(on_earth, WGS84, grid.crs).centroid.coords[0]
    rows, cols = np.indices(share.shape) + 0.5
    centre = (cols * share).sum() / share.sum(), (rows * share).sum() / share.sum()
    assert math.dist(centre, true) < 0.5
    assert share.sum() * grid.pixel_area_m2() == pytest.approx(area_m2(on_earth), rel=0.005)


def real_rasters(shared: Path) -> Iterator[Path]:
    georef = shared.parent / "georef"
    yield from sorted((georef / "kampala").glob("*.tif"))[::4]
    yield from sorted((georef / "naip_nd").glob("*.tif"))
    yield from sorted((georef / "misc").glob("*.tif"))


def test_there_and_back(shared_pictures: Path, write_raster: WriteRaster) -> None:
    """Read onto a metric grid half as fine again, written, and read back on its own grid: the same place and look."""
    looked_at = 0
    for path in real_rasters(shared_pictures):
        with SceneReader(path) as reader:
            original = reader.read(reader.grid)
            assert reader.grid.crs is not None
            crs = metric_crs(reader.grid.crs, reader.grid.bounds)
            there = reader.read(grid_over(reader.grid, crs, reader.grid.ground_pixel_m() / 1.5))
        written = write_raster(
            np.moveaxis(np.where(there.valid[:, :, None], np.maximum(there.pixels, 1), 0), 2, 0),
            "there.tif",
            crs=crs.to_wkt(),
            transform=there.grid.transform,
            nodata=0,
        )
        with SceneReader(written) as reader:
            back = reader.read(original.grid)
        both = original.valid & back.valid
        assert both.mean() > 0.9 * original.valid.mean()
        dx, dy = shift_between(original.pixels[:, :, 1], back.pixels[:, :, 1], both)
        assert math.hypot(dx, dy) < 0.1, path.name
        looked_at += 1
    assert looked_at >= 10


def grid_over(grid: Grid, crs: pyproj.CRS, pixel_m: float) -> Grid:
    assert grid.crs is not None
    return Grid.from_bounds(
        crs, reproject(grid.outline.segmentize(grid.pixel_size * 64), grid.crs, crs).bounds, pixel_m
    )


def shift_between(one: NDArray[np.uint8], other: NDArray[np.uint8], valid: NDArray[np.bool_]) -> tuple[float, float]:
    """The shift in pixels that explains the difference of two pictures best (least squares on the gradient)."""
    picture = one.astype(float)
    gy, gx = np.gradient(picture)
    inner = valid.copy()
    inner[:3], inner[-3:], inner[:, :3], inner[:, -3:] = False, False, False, False
    slope = np.column_stack([gx[inner], gy[inner]])
    (dx, dy), *_ = np.linalg.lstsq(slope, (picture - other)[inner], rcond=None)
    return float(dx), float(dy)


def test_footprints_of_real_tiles_lie_on_their_pixels(shared_pictures: Path) -> None:
    """Outlines of structures that came with a tile lie inside the tile's own footprint, and their areas agree."""
    checked = 0
    for path in sorted((shared_pictures.parent / "georef" / "kampala").glob("*.tif"))[::3]:
        scene = describe(path, date(2020, 1, 1))
        with SceneReader(path) as reader:
            grid = common_grid(reader, reader, 0.2)
            native = reader.grid
        assert grid.crs is not None
        for feature in json.loads(path.with_suffix(".geojson").read_text())["features"]:
            outline = shape(feature["geometry"]).buffer(0)
            if outline.geom_type != "Polygon" or area_m2(outline) < 1.0:
                continue  # a sliver that a tile's edge cut off
            assert outline.within(scene.footprint.buffer(1e-7))
            on_grid = Polygon([~grid.transform * p for p in reproject(outline, WGS84, grid.crs).exterior.coords])
            on_native = Polygon([~native.transform * p for p in outline.exterior.coords])
            measured = on_grid.area * grid.pixel_area_m2()
            assert measured == pytest.approx(area_m2(Polygon(outline.exterior)), rel=0.005)
            assert measured == pytest.approx(on_native.area * native.pixel_area_m2(), rel=0.005)
            checked += 1
    assert checked > 50
