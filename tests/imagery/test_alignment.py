"""A known shift is found to a fraction of a pixel, and where it cannot be found that is said."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray

from cvpipe.domain import Registration
from cvpipe.geo import Grid, Window
from cvpipe.imagery.alignment import MIN_CONFIDENCE, estimate_registration, later_grid, seen_from
from cvpipe.imagery.reading import Patch, SceneReader

from .conftest import WriteRaster, metric_grid, patch_of

RGB = NDArray[np.uint8]


@dataclass(frozen=True)
class Light:
    """What differs between two epochs besides the ground: gamma, gain, blur (px) and noise (grey levels)."""

    gamma: float = 1.0
    gain: float = 1.0
    blur_px: float = 0.0
    noise: float = 0.0

    def on(self, pixels: RGB) -> RGB:
        lit = 255 * (pixels / 255.0) ** self.gamma * self.gain
        if self.blur_px:
            lit = np.asarray(cv2.GaussianBlur(lit, (0, 0), self.blur_px), np.float64)
        lit = lit + np.random.default_rng(5).normal(0, self.noise, lit.shape)
        return np.clip(np.rint(lit), 0, 255).astype(np.uint8)


def town(size: int, seed: int = 3) -> RGB:
    """Ground of soft spots with roofs of many sizes, colours and directions on it."""
    rng = np.random.default_rng(seed)
    ground = cv2.GaussianBlur(rng.normal(100, 160, (size, size, 3)), (0, 0), 6)
    for _ in range(size * size // 2500):
        centre, sides = rng.uniform(0, size, 2), rng.uniform(8, 40, 2)
        corners = cv2.boxPoints((tuple(centre), tuple(sides), rng.uniform(0, 90)))
        cv2.fillPoly(ground, [np.asarray(corners, np.int32)], rng.uniform(30, 240, 3).tolist(), cv2.LINE_AA)
    return np.clip(ground, 0, 255).astype(np.uint8)


def moved(pixels: RGB, dx: float, dy: float) -> RGB:
    """The picture with its content moved by dx to the right and dy down."""
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float64)
    size = pixels.shape[1], pixels.shape[0]
    return np.asarray(
        cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT), np.uint8
    )


LIGHTS = {
    "same light": Light(),
    "darker, blurred, noisy": Light(gamma=1.7, gain=0.8, blur_px=1.2, noise=8),
    "brighter, saturated": Light(gamma=0.6, gain=1.3, noise=4),
}


@pytest.mark.parametrize("light", LIGHTS.values(), ids=LIGHTS)
@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.5, -0.25), (3.3, 2.6), (-7.7, 8.0)], ids=str)
def test_known_shift(shift: tuple[float, float], light: Light) -> None:
    picture = town(300)
    found = estimate_registration(patch_of(picture), patch_of(light.on(moved(picture, *shift))))
    assert math.dist(found.shift_px, shift) < 0.15
    assert found.confidence > 0.7
    assert found.residual_px < 0.3


def test_real_change_does_not_decide() -> None:
    """A third of the patch is new, and the new block itself lies elsewhere."""
    before = town(300)
    after = moved(before, 2.4, -1.6)
    after[:, 200:] = moved(town(300, seed=8), -5, 5)[:, 200:]
    found = estimate_registration(patch_of(before), patch_of(after))
    assert math.dist(found.shift_px, (2.4, -1.6)) < 0.3
    assert found.confidence >= MIN_CONFIDENCE


def test_reversed_contrast_does_not_matter() -> None:
    """Dark crops on light soil at one date, light stubble on dark soil at the other."""
    before = town(300)
    found = estimate_registration(patch_of(before), patch_of(255 - moved(before, 3.0, 1.0)))
    assert math.dist(found.shift_px, (3.0, 1.0)) < 0.5
    assert found.confidence >= MIN_CONFIDENCE


def turned(pixels: RGB, degrees: float, shift: tuple[float, float]) -> RGB:
    """The picture turned about its centre, then moved."""
    height, width = pixels.shape[:2]
    matrix = np.asarray(cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0), np.float64)
    matrix = matrix + np.array([[0, 0, shift[0]], [0, 0, shift[1]]])
    return np.asarray(cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=2), np.uint8)


@pytest.mark.parametrize("degrees", [0.6, -1.5])
def test_a_turned_scene_is_turned_back(write_raster: WriteRaster, degrees: float) -> None:
    """Read where the registration says, every part of the later scene lies on the earlier one."""
    before, after = (
        write_raster(np.moveaxis(p, 2, 0), name)
        for p, name in ((town(480), "one.tif"), (turned(town(480), degrees, (3.4, -2.2)), "other.tif"))
    )
    with SceneReader(before) as one, SceneReader(after) as other:
        earlier, later = one.read(one.grid), other.read(other.grid)
        found = estimate_registration(earlier, later)
        assert math.dist(found.shift_px, (3.4, -2.2)) < 0.2
        assert found.drift[2] == pytest.approx(-math.radians(degrees), abs=0.0015)
        corner = one.grid.window(Window(30, 40, 120, 100))
        back = other.read(later_grid(corner, found, one.grid))
    true = earlier.pixels[40:140, 30:150].astype(float)
    off_before = np.abs(later.pixels[40:140, 30:150] - true).mean()
    assert np.abs(back.pixels - true).mean() < off_before / 4


@pytest.mark.parametrize("degrees", [-1.0, 1.5])
def test_a_small_picture_shows_its_turn(degrees: float) -> None:
    """A site of 230 px, a third of it new, in another light: its corners, 160 px from the centre, come back too."""
    before = town(230, seed=4)
    after = turned(before, degrees, (1.5, -2.5))
    after[:, 160:] = town(230, seed=8)[:, 160:]
    light = Light(gamma=1.4, gain=0.9, blur_px=1.0, noise=6)
    found = estimate_registration(patch_of(before), patch_of(light.on(after)))
    turn = math.radians(degrees)
    true = np.array([[math.cos(turn) - 1, math.sin(turn)], [-math.sin(turn), math.cos(turn) - 1]])
    off = np.reshape(found.drift, (2, 2)) - true
    corners = np.array([[x, y] for x in (-115, 115) for y in (-115, 115)])
    errors = corners @ off.T + np.array(found.shift_px) - (1.5, -2.5)
    assert np.hypot(*errors.T).max() < 0.5
    assert np.sqrt(np.mean(errors**2)) <= found.residual_px <= 1


def test_an_even_shift_has_no_drift() -> None:
    """A turn is answered only where the blocks ask for one: reading a turned grid costs a resampling."""
    found = estimate_registration(patch_of(town(480)), patch_of(Light(noise=8).on(moved(town(480), 2.7, 1.2))))
    assert found.drift == (0.0, 0.0, 0.0, 0.0)


def test_a_registration_as_seen_from_a_part() -> None:
    """100 px to the right of the centre a drift of 0.01 in x has grown by 1 px; pixels twice as large count half."""
    whole, told = metric_grid(400, 400), Registration((2.0, -1.0), 0.4, 0.9, (0.01, 0.0, 0.0, 0.0))
    part = whole.window(Window(250, 150, 100, 100))
    assert seen_from(part, told, whole).shift_px == pytest.approx((3.0, -1.0))
    coarse = Grid(part.crs, part.transform * Affine.scale(2), 50, 50)
    assert seen_from(coarse, told, whole).shift_px == pytest.approx((1.5, -0.5))
    assert seen_from(coarse, told, whole).residual_px == pytest.approx(0.2)
    straight = later_grid(part, told, whole).transform * (50, 50)
    assert straight == pytest.approx(part.transform * (53, 49))


def test_the_same_pictures_give_the_very_same_shift() -> None:
    """Wherever in memory they happen to lie: a run that is killed and goes on ends with the same ledger."""
    pixels, rng = town(601), np.random.default_rng(0)
    before, after = patch_of(pixels), patch_of(moved(pixels, 2.3, -1.1))
    found = set()
    for _ in range(12):
        between = [np.empty(int(size), np.uint8) for size in rng.integers(1, 30_000, 60)]
        found.add(estimate_registration(before, after))
        del between
    assert len(found) == 1


def test_odd_sides_do_not_matter() -> None:
    before = town(301)[:, :217]
    found = estimate_registration(patch_of(before), patch_of(moved(before, 5.3, -3.7)))
    assert math.dist(found.shift_px, (5.3, -3.7)) < 0.1


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (40, 9)], ids=str)
def test_a_patch_narrower_than_the_search_tells_no_shift(shape: tuple[int, int]) -> None:
    picture = town(64)[: shape[0], : shape[1]]
    found = estimate_registration(patch_of(picture), patch_of(picture))
    assert (found.shift_px, found.confidence) == ((0.0, 0.0), 0.0)


def test_a_large_patch_needs_no_more_blocks() -> None:
    before = town(1100)
    found = estimate_registration(patch_of(before), patch_of(moved(before, -4.2, 6.4)))
    assert math.dist(found.shift_px, (-4.2, 6.4)) < 0.1


def test_invalid_ground_is_left_out() -> None:
    """The empty corner stays where it is; only the ground moves."""
    before = town(300)
    after = moved(before, 4.0, 3.0)
    valid = np.ones((300, 300), bool)
    valid[:120, :120] = False
    before, after = (np.where(valid[:, :, None], p, 0).astype(np.uint8) for p in (before, after))
    found = estimate_registration(patch_of(before, valid=valid), patch_of(after, valid=valid))
    assert math.dist(found.shift_px, (4.0, 3.0)) < 0.15


@pytest.mark.parametrize(
    "after",
    [town(300, seed=9), np.full((300, 300, 3), 90, np.uint8), moved(town(300), 40, 0)],
    ids=["another town", "nothing to see", "far off"],
)
def test_no_shift_is_better_than_a_wild_one(after: RGB) -> None:
    found = estimate_registration(patch_of(town(300)), patch_of(after))
    assert found.shift_px == (0.0, 0.0)
    assert found.confidence < MIN_CONFIDENCE
    assert math.isinf(found.residual_px)


def test_no_common_ground() -> None:
    picture, nowhere = town(100), np.zeros((100, 100), bool)
    found = estimate_registration(patch_of(picture), patch_of(picture, valid=nowhere))
    assert (found.shift_px, found.confidence) == ((0.0, 0.0), 0.0)


REAL = (("levir_public", "val_27_0000_0256.png", 0.5), ("fotbcd_public", "instances_train_895.png", 0.2))


@pytest.mark.parametrize(("folder", "name", "gsd_m"), REAL, ids=[name for _, name, _ in REAL])
def test_known_shift_on_real_epochs(shared_pictures: Path, folder: str, name: str, gsd_m: float) -> None:
    """Years lie between the two epochs; a shift added to the later one adds to the one that is there."""
    paths = [shared_pictures / folder / epoch / name for epoch in "AB"]
    with SceneReader(paths[0], gsd_m=gsd_m) as before, SceneReader(paths[1], gsd_m=gsd_m) as after:
        inner = before.grid.transform * Affine.translation(10, 10)
        grid = Grid(None, inner, before.grid.width - 20, before.grid.height - 20)
        earlier, later = before.read(grid), after.read(grid)
        known = estimate_registration(earlier, later)
        assert known.confidence >= MIN_CONFIDENCE
        relit = after.read(grid.shifted(-4.3, -2.6))
        found = estimate_registration(earlier, Patch(Light(1.3, 0.9, 0.8, 5).on(relit.pixels), relit.valid, grid))
    added = found.shift_px[0] - known.shift_px[0], found.shift_px[1] - known.shift_px[1]
    assert math.dist(added, (4.3, 2.6)) < 0.3
