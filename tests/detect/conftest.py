"""Scenes of plain colours on grey ground, and networks that know them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pyproj
import pytest
import rasterio
from affine import Affine

from cvpipe.geo import Grid
from cvpipe.imagery.reading import Patch
from tests.detect.networks import PaintedNetwork

Pixels = npt.NDArray[np.uint8]
Paint = Callable[..., Pixels]

RED, GREEN = (255, 0, 0), (0, 255, 0)

#: Where the georeferenced scenes lie: UTM zone 50 N, near Beijing, half a metre a pixel.
UTM = pyproj.CRS.from_epsg(32650)
ORIGIN = Affine(0.5, 0, 440_000, 0, -0.5, 4_420_000)


@pytest.fixture
def network() -> PaintedNetwork:
    return PaintedNetwork()


@pytest.fixture
def patch() -> Callable[[Pixels], Patch]:
    """A patch of all valid pixels, half a metre each."""

    def make(pixels: Pixels) -> Patch:
        height, width = pixels.shape[:2]
        return Patch(pixels, np.ones((height, width), bool), Grid(UTM, ORIGIN, width, height))

    return make


def chequers() -> Pixels:
    """Grey chequers in no regular order (240 × 300): edges to align by, and nothing to be found."""
    blocks = np.random.default_rng(5).integers(1, 4, (30, 38), dtype=np.uint8) * 30
    return np.repeat(cv2.resize(blocks, None, fx=8, fy=8, interpolation=cv2.INTER_NEAREST)[:240, :300, None], 3, axis=2)


def write_geotiff(path: Path, pixels: Pixels, transform: Affine = ORIGIN, crs: pyproj.CRS = UTM) -> Path:
    """Write pixels (H, W, 3) as a GeoTIFF; by default at `ORIGIN` in UTM."""
    height, width = pixels.shape[:2]
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 3, "width": width, "height": height}
    with rasterio.open(path, "w", **profile, crs=crs.to_wkt(), transform=transform) as dataset:
        dataset.write(np.moveaxis(pixels, 2, 0))
    return path


@pytest.fixture
def ground() -> Pixels:
    return chequers()


@pytest.fixture
def geotiff(tmp_path: Path) -> Callable[..., Path]:
    """Writes pixels (H, W, 3) as a GeoTIFF of the given name."""

    def write(name: str, pixels: Pixels, *, transform: Affine = ORIGIN, crs: pyproj.CRS = UTM) -> Path:
        return write_geotiff(tmp_path / name, pixels, transform, crs)

    return write


@pytest.fixture
def png(tmp_path: Path) -> Callable[[str, Pixels], Path]:
    """Writes pixels (H, W, 3) as a PNG, which has no place on the ground."""

    def write(name: str, pixels: Pixels) -> Path:
        path = tmp_path / name
        assert cv2.imwrite(str(path), pixels[..., ::-1])
        return path

    return write
