"""What is put onto a scene on purpose: by the level that is asked for, and the same each time."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from affine import Affine

from cvpipe.geo import Grid
from cvpipe.train.disturbance import Disturbance, shift_of

GSD = 0.5
GRID = Grid(None, Affine.scale(GSD), 64, 48)


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """Noise with a white square, 48 × 64 px of half a metre."""
    pixels = np.random.default_rng(1).integers(40, 120, (48, 64, 3), dtype=np.uint8)
    pixels[20:28, 30:40] = 255
    path = tmp_path / "scene.png"
    assert cv2.imwrite(str(path), pixels)
    return path


def seen(scene: Path, disturbance: Disturbance, stem: str = "a") -> np.ndarray:
    with disturbance.open(scene, GSD, stem) as reader:
        return reader.read(GRID).pixels


def plain(scene: Path) -> np.ndarray:
    return np.asarray(cv2.imread(str(scene)))[..., ::-1]


def middle(pixels: np.ndarray) -> np.ndarray:
    """Centre (x, y) of the white square, px."""
    return np.asarray(np.argwhere(pixels.mean(axis=2) > 200).mean(axis=0)[::-1])


@pytest.mark.parametrize("length_m", [0.5, 2.0, 4.0])
def test_a_shift_moves_the_content_by_its_length(scene: Path, length_m: float) -> None:
    moved = middle(seen(scene, Disturbance("shift", length_m))) - middle(plain(scene))
    np.testing.assert_allclose(moved * GSD, shift_of("a", length_m), atol=0.15)
    assert np.hypot(*shift_of("a", length_m)) == pytest.approx(length_m)


def test_each_picture_has_a_direction_of_its_own_that_stays() -> None:
    assert shift_of("a", 2.0) == shift_of("a", 2.0)
    assert shift_of("a", 2.0) != shift_of("b", 2.0)


def test_ground_that_a_shift_brings_in_is_not_valid(scene: Path) -> None:
    with Disturbance("shift", 4.0).open(scene, GSD, "a") as reader:
        patch = reader.read(GRID)
    assert 0 < (~patch.valid).sum() < 0.4 * patch.valid.size


def test_blur_takes_contrast_and_gamma_takes_light(scene: Path) -> None:
    assert seen(scene, Disturbance("blur", 3.0)).std() < 0.8 * plain(scene).std()
    assert seen(scene, Disturbance("gamma", 2.0)).mean() < plain(scene).mean() - 10
    assert seen(scene, Disturbance("gamma", 0.5)).mean() > plain(scene).mean() + 10


def test_haze_brightens_the_dark_by_its_density(scene: Path) -> None:
    thin, thick = (seen(scene, Disturbance("haze", density)).min() for density in (0.1, 0.4))
    assert plain(scene).min() < thin < thick


def test_jpeg_loses_more_at_a_lower_quality(scene: Path) -> None:
    losses = [np.abs(seen(scene, Disturbance("JPEG", q)).astype(int) - plain(scene)).mean() for q in (90, 25)]
    assert 0 < losses[0] < losses[1]


def test_chance_comes_from_the_picture_alone(scene: Path) -> None:
    haze = Disturbance("haze", 0.3)
    assert np.array_equal(seen(scene, haze), seen(scene, haze))
    assert not np.array_equal(seen(scene, haze), seen(scene, haze, stem="b"))
