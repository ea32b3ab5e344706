"""A later epoch is shown on the earlier one's ground as it was compared: moved, and unbent where the two are bent."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pyproj
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry import box

from cvpipe.domain import Registration
from cvpipe.geo import WGS84, reproject
from cvpipe.imagery import Patch, SceneReader
from cvpipe.imagery.bending import CONTROLS, bend_over
from cvpipe.review.frames import Compared, Epoch, Frame

CRS = pyproj.CRS.from_epsg(32650)
LEFT, TOP = 445000.0, 4420000.0
PIXEL_M, SIDE = 0.5, 512

#: The site fills the middle 136 m of a raster of 256 m; with 60 m around it the epochs were compared on all of it.
OUTLINE = reproject(box(LEFT + 60, TOP - 196, LEFT + 196, TOP - 60), CRS, WGS84)
COMPARED = Compared(OUTLINE, PIXEL_M, 60.0)


def spots() -> NDArray[np.uint8]:
    """Soft spots of many greys."""
    noise = np.random.default_rng(2).normal(120, 300, (SIDE, SIDE, 3))
    return np.clip(cv2.GaussianBlur(noise, (0, 0), 2), 0, 255).astype(np.uint8)


def bent_by(bend: NDArray[np.float64], pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture as it must be for `bend` to bring it back, to first order: its content moved along."""
    line = (np.arange(SIDE) + 0.5) / SIDE
    field = bend_over(bend, line, line)
    rows, cols = np.indices((SIDE, SIDE), dtype=np.float32)
    back = field
    for _ in range(5):
        back = np.stack([cv2.remap(f, cols - back[0], rows - back[1], cv2.INTER_LINEAR, borderMode=1) for f in field])
    return np.asarray(cv2.remap(pixels, cols - back[0], rows - back[1], cv2.INTER_CUBIC, borderMode=2), np.uint8)


def written(path: Path, pixels: NDArray[np.uint8]) -> Path:
    profile = {"driver": "GTiff", "count": 3, "height": SIDE, "width": SIDE, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile, crs=CRS, transform=Affine(PIXEL_M, 0, LEFT, 0, -PIXEL_M, TOP)) as out:
        out.write(np.moveaxis(pixels, 2, 0))
    return path


def shown(path: Path, registration: Registration) -> Patch:
    """The middle of the site as a reviewer sees it."""
    frame = Frame(CRS, LEFT + 64, TOP - 192, 128.0, PIXEL_M)
    epoch = Epoch((), date(2024, 5, 1), "after", registration, COMPARED)
    with SceneReader(path) as reader:
        return frame.read(reader, frame.picture, epoch)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (2.5, -1.5)], ids=str)
def test_a_bent_epoch_is_shown_straight(tmp_path: Path, shift: tuple[float, float]) -> None:
    u = np.broadcast_to(np.linspace(-1, 1, CONTROLS), (CONTROLS, CONTROLS))
    bend = np.stack([5 * (1 - u**2), 4 * (u**2 - 1)])
    before = spots()
    moved = np.asarray(
        cv2.warpAffine(
            bent_by(bend, before),
            np.array([[1, 0, shift[0]], [0, 1, shift[1]]]),
            (SIDE, SIDE),
            flags=cv2.INTER_CUBIC,
            borderMode=2,
        ),
        np.uint8,
    )
    one, other = written(tmp_path / "one.tif", before), written(tmp_path / "other.tif", moved)
    told = Registration(shift, 0.2, 0.9, bend=tuple(bend.ravel().tolist()))
    true = shown(one, Registration()).pixels.astype(float)
    even = shown(other, Registration(shift, 0.2, 0.9)).pixels
    straight = shown(other, told)
    assert straight.valid.all()
    assert straight.pixels.shape == true.shape
    assert np.abs(straight.pixels - true).mean() < np.abs(even - true).mean() / 4
