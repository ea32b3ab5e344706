"""A smooth local field is found where two pictures are bent against each other, and nowhere else."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray

from cvpipe.domain import Registration
from cvpipe.geo import Grid, Window
from cvpipe.imagery.alignment import controls_of, estimate_registration, seen_from
from cvpipe.imagery.bending import CONTROLS, basis, bend_at, bend_over, fitted
from cvpipe.imagery.later import read_later
from cvpipe.imagery.reading import SceneReader

from .conftest import WriteRaster, metric_grid, patch_of

RGB = NDArray[np.uint8]
Field = NDArray[np.float32]
"""(2, H, W): x and y, pixels."""

#: Real pictures of which one is bent: an aerial one of 0.2 m with a hall, one of fields and roads, a satellite one.
PICTURES = (
    "fotbcd_public/A/instances_train_895.png",
    "fotbcd_public/A/instances_train_952.png",
    "xbd_public/A/hurricane-harvey_00000002.webp",
)
SIDE = 480

#: The largest local shift of a drawn bend, pixels, and what may be left of it (RMS over the picture).
LARGEST_PX = 3.0
LEFT_PX = 0.5


def smooth_bend(side: int) -> Field:
    """At most 3 px long: x grows towards both sides, y towards opposite corners."""
    u, v = np.meshgrid(*[(np.arange(side) + 0.5) / side - 0.5] * 2)
    field = np.stack([2.4 * (4 * u**2 - 1 / 3), 2.4 * 4 * u * v])
    return np.asarray(field * (LARGEST_PX / np.hypot(*field).max()), np.float32)


def shoved(pixels: RGB, field: Field) -> RGB:
    """The picture with its content moved by the field."""
    rows, cols = np.indices(pixels.shape[:2], dtype=np.float32)
    back = field
    for _ in range(5):  # the field is that of the content, whose place one only knows after it was moved
        back = np.stack([cv2.remap(f, cols - back[0], rows - back[1], cv2.INTER_LINEAR, borderMode=1) for f in field])
    moved = cv2.remap(pixels, cols - back[0], rows - back[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.uint8)


def relit(pixels: RGB) -> RGB:
    """Darker, with noise."""
    lit = 255 * (pixels / 255.0) ** 1.4 * 0.9 + np.random.default_rng(4).normal(0, 5, pixels.shape)
    return np.clip(np.rint(lit), 0, 255).astype(np.uint8)


def field_of(found: Registration, side: int) -> Field:
    """All that a registration says of a square picture."""
    line = np.arange(side) + 0.5
    right, below = np.meshgrid(line - side / 2, line - side / 2)
    across_x, down_x, across_y, down_y = found.drift
    even = np.stack(
        [
            found.shift_px[0] + across_x * right + down_x * below,
            found.shift_px[1] + across_y * right + down_y * below,
        ]
    )
    return np.asarray(even + bend_over(controls_of(found), line / side, line / side), np.float32)


def rms(field: Field) -> float:
    return float(np.sqrt(np.mean(np.sum(field.astype(np.float64) ** 2, axis=0))))


@pytest.fixture(params=PICTURES)
def picture(request: pytest.FixtureRequest, shared_pictures: Path) -> RGB:
    read = cv2.imread(str(shared_pictures / request.param), cv2.IMREAD_COLOR)
    return np.ascontiguousarray(np.asarray(read, np.uint8)[:SIDE, :SIDE, ::-1])


def test_a_bend_on_a_real_picture_is_found(picture: RGB) -> None:
    field = smooth_bend(SIDE)
    found = estimate_registration(patch_of(picture), patch_of(relit(shoved(picture, field))))
    assert found.bend
    assert rms(field_of(found, SIDE) - field) <= LEFT_PX < rms(field) / 2
    assert found.residual_px < 0.5


@pytest.mark.parametrize("shift", [(0.0, 0.0), (4.4, -2.7)], ids=str)
def test_an_even_shift_of_a_real_picture_has_no_bend(picture: RGB, shift: tuple[float, float]) -> None:
    field = np.broadcast_to(np.array(shift, np.float32)[:, None, None], (2, SIDE, SIDE))
    found = estimate_registration(patch_of(picture), patch_of(relit(shoved(picture, field))))
    assert found.bend == ()
    assert math.dist(found.shift_px, shift) < 0.2


def test_what_was_bent_is_read_straight(write_raster: WriteRaster, picture: RGB) -> None:
    """Of a part that lies off the middle; near infrared and what is valid are moved along."""
    bent = shoved(picture, smooth_bend(SIDE))
    paths = [write_raster(np.moveaxis(p, 2, 0), name) for p, name in ((picture, "one.tif"), (bent, "other.tif"))]
    with SceneReader(paths[0]) as one, SceneReader(paths[1]) as other:
        before = one.read(one.grid)
        found = estimate_registration(before, other.read(one.grid))
        part = one.grid.window(Window(300, 250, 120, 150))
        straight, crooked = read_later(other, part, found, one.grid), other.read(part)
    true = picture[250:400, 300:420].astype(float)
    assert straight.grid == part
    assert straight.valid.all()
    assert np.abs(straight.pixels - true).mean() < np.abs(crooked.pixels - true).mean() / 2


def test_a_bend_seen_from_a_part_and_in_other_pixels() -> None:
    whole = metric_grid(400, 400)
    rng = np.random.default_rng(1)
    told = Registration((2.0, -1.0), 0.4, 0.9, (0.01, 0.0, 0.0, 0.002), tuple(rng.normal(0, 1, 2 * CONTROLS**2)))
    part = Grid(whole.crs, whole.transform * Affine.translation(200, 100) * Affine.scale(2), 50, 60)
    seen = seen_from(part, told, whole)
    for col, row in ((5.0, 6.0), (25.0, 30.0), (44.0, 51.0)):
        there = shift_at(told, whole, 200 + 2 * col, 100 + 2 * row)
        assert shift_at(seen, part, col, row) * 2 == pytest.approx(there, abs=0.02)


def shift_at(told: Registration, grid: Grid, col: float, row: float) -> NDArray[np.float64]:
    right, below = col - grid.width / 2, row - grid.height / 2
    growth = np.reshape(told.drift, (2, 2)) @ (right, below)
    place = np.array([[col / grid.width, row / grid.height]])
    return np.asarray(told.shift_px + growth + bend_at(controls_of(told), place)[0])


def test_the_controls_weigh_one_everywhere() -> None:
    assert basis(np.linspace(-0.5, 1.5, 21)).sum(axis=1) == pytest.approx(1)


def test_an_even_growth_is_no_bend_for_the_fit() -> None:
    """What is fitted to a plane is that plane, outliers left out."""
    places = np.random.default_rng(2).uniform(0, 1, (64, 2))
    plane = np.column_stack([1 + 2 * places[:, 0], 3 * places[:, 1] - places[:, 0]])
    shifts = plane.copy()
    shifts[::9] += 4
    controls = fitted(places, shifts, np.ones(64))
    assert np.abs(bend_at(controls, places) - plane).max() < 0.3
