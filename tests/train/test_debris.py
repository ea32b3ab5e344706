"""Rubble made of broken structures: where it lies, what it is made of, how often it is taken."""

from __future__ import annotations

import numpy as np
import pytest

from cvpipe.domain import Surface
from cvpipe.train.debris import strewn
from cvpipe.train.simulate import Banks, Cutout, Epoch, lay_ground

GRASS, ROOF = (60, 120, 50), (40, 60, 200)


def field(side: int = 96) -> np.ndarray:
    return np.full((side, side, 3), GRASS, np.uint8)


def area(side: int = 96) -> np.ndarray:
    inside = np.zeros((side, side), bool)
    inside[30:70, 20:80] = True
    return inside


def roof() -> np.ndarray:
    return np.full((50, 3), ROOF, np.uint8)


@pytest.mark.parametrize("seed", range(8))
def test_it_is_rough_where_it_lies_and_of_many_colours(seed: int) -> None:
    out = strewn(field(), area(), roof(), np.random.default_rng(seed))
    inside = out[35:65, 25:75].astype(float)
    assert out.dtype == np.uint8
    assert inside.std(axis=(0, 1)).min() > 8, "shards, not a tone"
    assert len(np.unique(inside.reshape(-1, 3), axis=0)) > 300
    beyond = out[:20].astype(float)
    assert beyond.std(axis=(0, 1)).max() < 1.5, "dust may lie further, shards do not"


def blueness(roof_pixels: np.ndarray, seed: int) -> float:
    out = strewn(field(), area(), roof_pixels, np.random.default_rng(seed))
    return float(out[40:60, 30:70, 2].mean())


@pytest.mark.parametrize("seed", range(6))
def test_the_roof_that_came_down_is_seen_in_it(seed: int) -> None:
    assert blueness(roof(), seed) > blueness(roof()[:, ::-1], seed) + 5


def test_no_ground_no_debris() -> None:
    assert np.array_equal(strewn(field(), np.zeros((96, 96), bool), roof(), np.random.default_rng(0)), field())


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (1.0, 40), (0.5, 20)])
def test_as_often_as_asked_for(share: float, expected: int) -> None:
    soil = np.full((100, 100, 3), 130, np.uint8)
    banks = Banks({Surface.RUBBLE: [soil]}, [Cutout(roof()[None], np.ones((1, 50), bool), 0.3)], share)
    rough = 0
    for seed in range(40):
        epoch = Epoch.untouched(field(), np.full((96, 96), int(Surface.VEGETATION), np.uint8))
        lay_ground(epoch, area(), Surface.RUBBLE, banks, np.random.default_rng(seed))
        assert (epoch.surface[area()] == Surface.RUBBLE).all()
        assert (epoch.surface[~area()] == Surface.VEGETATION).all()
        rough += int(epoch.pixels[40:60, 30:70].std() > 8)
    assert abs(rough - expected) <= 10 * (0 < share < 1)
