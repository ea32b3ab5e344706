"""The fast way from grid to grid says what GDAL's warper says."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pyproj
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from cvpipe.geo import WGS84, Grid, transformer
from cvpipe.imagery.reading import SceneReader

from .conftest import BEIJING, BURGUNDY, WriteRaster

SIZE = 400

#: Pairs of CRS that scenes of one place come in, and the size of a target pixel as a multiple of the source's.
WAYS = [
    ("EPSG:4547", "EPSG:32650", BEIJING, 1.0),
    ("EPSG:32650", "EPSG:4547", BEIJING, 0.8),
    ("EPSG:2154", "EPSG:32631", BURGUNDY, 1.0),
    ("EPSG:3857", "EPSG:32650", BEIJING, 1.0),
    ("EPSG:4326", "EPSG:32650", BEIJING, 0.9),
]


def roofs() -> NDArray[np.uint8]:
    """Roofs with edges as soft as a camera leaves them."""
    rng = np.random.default_rng(11)
    picture = np.full((SIZE, SIZE, 3), 100, np.uint8)
    for _ in range(60):
        box = cv2.boxPoints((rng.uniform(0, SIZE, 2).tolist(), rng.uniform(8, 40, 2).tolist(), rng.uniform(0, 90)))
        cv2.fillPoly(picture, [np.asarray(box, np.int32)], rng.uniform(30, 230, 3).tolist(), cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.7), np.uint8)


def placed(crs: str, lon_lat: tuple[float, float], pixel_m: float) -> Affine:
    """North-up pixels of about so many metres on the ground, in the units of the CRS."""
    local = pyproj.CRS(crs)
    x, y = transformer(WGS84, local).transform(*lon_lat)
    if local.is_geographic:
        return Affine(pixel_m / 85_400, 0, x, 0, -pixel_m / 111_000, y)
    return Affine(pixel_m, 0, x, 0, -pixel_m, y)


@pytest.mark.parametrize(("source", "target", "lon_lat", "scale"), WAYS)
def test_a_warped_read_is_that_of_gdal(
    write_raster: WriteRaster, source: str, target: str, lon_lat: tuple[float, float], scale: float
) -> None:
    path = write_raster(np.moveaxis(roofs(), 2, 0), crs=source, transform=placed(source, lon_lat, 0.5))
    grid = inner_grid(path, target, scale)
    with SceneReader(path) as reader:
        ours = reader.read(grid)
    theirs = by_gdal(path, grid)
    assert ours.valid.all()
    assert np.sqrt(np.mean((ours.pixels.astype(float) - theirs) ** 2)) < 1.0


def inner_grid(path: Path, target: str, scale: float) -> Grid:
    """A grid in another CRS well inside the raster; its pixels `scale` times as large on the ground."""
    crs = pyproj.CRS(target)
    with SceneReader(path) as reader:
        assert reader.grid.crs is not None
        x, y = transformer(reader.grid.crs, crs).transform(*(reader.grid.transform * (SIZE / 2, SIZE / 2)))
        pixel = reader.grid.ground_pixel_m() * scale
    side = round(0.6 * SIZE / scale)
    return Grid(crs, Affine(pixel, 0, x - side * pixel / 2, 0, -pixel, y + side * pixel / 2), side, side)


def by_gdal(path: Path, grid: Grid) -> NDArray[np.float64]:
    with (
        rasterio.open(path) as dataset,
        WarpedVRT(
            dataset,
            crs=grid.crs,
            transform=grid.transform,
            width=grid.width,
            height=grid.height,
            resampling=Resampling.cubic,
            tolerance=0.01,
        ) as vrt,
    ):
        return np.asarray(np.moveaxis(vrt.read(), 0, 2), np.float64)
