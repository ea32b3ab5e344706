"""Structures that lean another way and cast other shadows: what moves, what stays, and what the labels say of it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cvpipe.domain import Surface
from cvpipe.network.losses import IGNORE
from cvpipe.train.heights import STOREYS, another_sun, leaned
from tests.train.drawing import Pixels

S, G = int(Surface.STRUCTURE), int(Surface.BARE)
ROOF, SOIL = 240, 120


@pytest.fixture(scope="module")
def village() -> tuple[Pixels, Pixels]:
    """Nine bright roofs, far apart, on grey soil (210, 210, 3), and the surface codes of that."""
    codes = np.full((210, 210), G, np.uint8)
    for top in (27, 97, 167):
        for left in (25, 95, 165):
            codes[top : top + 16, left : left + 20] = S
    grey = np.where(codes == S, ROOF, SOIL).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2), codes


def lean(village: tuple[Pixels, Pixels], seed: int, reach_px: float = 6.0) -> tuple[Pixels, Pixels, Pixels]:
    pixels, codes = village
    nothing = np.zeros_like(codes)
    return leaned(pixels, codes, nothing, codes == S, reach_px, np.random.default_rng(seed))


def centres(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Centre (x, y) of what is marked in each ninth of the picture."""
    side = mask.shape[0] // 3
    out = []
    for row in range(3):
        for col in range(3):
            y, x = np.nonzero(mask[row * side : (row + 1) * side, col * side : (col + 1) * side])
            out.append((x.mean(), y.mean()))
    return np.array(out)


class TestLeaned:
    @pytest.mark.parametrize("seed", range(6))
    def test_all_structures_lean_one_way_each_by_its_height(self, village: tuple[Pixels, Pixels], seed: int) -> None:
        _, surface, _ = lean(village, seed)
        moves = centres(surface == S) - centres(village[1] == S)
        lengths = np.hypot(*moves.T)
        assert lengths.max() <= 6.8, "no further than told, but for the rounding of labels"
        ways = moves[lengths > 1] / lengths[lengths > 1, None]
        assert (ways @ ways[0] > 0.8).all()
        expected = np.array(STOREYS) * 6
        assert (np.abs(lengths[:, None] - expected).min(axis=1) < 0.9).all()

    @pytest.mark.parametrize("seed", range(6))
    def test_labels_go_where_the_roofs_go(self, village: tuple[Pixels, Pixels], seed: int) -> None:
        pixels, surface, _ = lean(village, seed)
        bright = pixels[..., 0] > (ROOF + SOIL) / 2
        known = surface != IGNORE
        assert (bright == (surface == S))[known].mean() > 0.99

    def test_what_a_roof_uncovers_is_unknown_ground_and_no_change(self, village: tuple[Pixels, Pixels]) -> None:
        codes = village[1]
        pixels, surface, added = lean(village, 1)
        uncovered = (codes == S) & (surface != S)
        assert uncovered.sum() > 50
        assert (surface[uncovered] == IGNORE).all()
        assert not added.any()
        assert (pixels[uncovered] != ROOF).all(), "the roof is not left standing there"

    def test_a_structure_that_was_added_takes_its_label_along(self, village: tuple[Pixels, Pixels]) -> None:
        pixels, codes = village
        new = (codes == S).astype(np.uint8)
        _, surface, added = leaned(pixels, codes, new, codes == S, 5.0, np.random.default_rng(3))
        assert np.array_equal(added == 1, surface == S)

    def test_ground_far_from_structures_stays_as_it_is(self, village: tuple[Pixels, Pixels]) -> None:
        pixels, surface, _ = lean(village, 4)
        near = np.zeros(surface.shape, bool)
        rows, cols = np.nonzero(village[1] == S)
        for dy in range(-8, 9):
            for dx in range(-8, 9):
                near[rows + dy, cols + dx] = True
        assert np.array_equal(pixels[~near], village[0][~near])
        assert (surface[~near] == G).all()

    def test_without_structures_nothing_happens(self) -> None:
        pixels = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
        codes = np.full((40, 40), G, np.uint8)
        out, surface, added = lean((pixels, codes), 0)
        assert np.array_equal(out, pixels)
        assert np.array_equal(surface, codes)
        assert not added.any()


class TestAnotherSun:
    @pytest.mark.parametrize("seed", range(6))
    def test_shade_falls_beside_structures_never_on_them(self, village: tuple[Pixels, Pixels], seed: int) -> None:
        pixels, codes = village
        out = another_sun(pixels, codes == S, np.random.default_rng(seed))
        darker = out[..., 0].astype(int) < pixels[..., 0].astype(int) - 10
        assert darker[codes != S].sum() > 100
        inner = np.abs(out[codes == S].astype(int) - ROOF).max(axis=1) > 10
        assert inner.mean() < 0.25, "only their very edge, where shade is soft"
        assert (out <= pixels).all()

    def test_all_shadows_fall_one_way(self, village: tuple[Pixels, Pixels]) -> None:
        pixels, codes = village
        out = another_sun(pixels, codes == S, np.random.default_rng(5))
        shade = (out[..., 0] < SOIL - 10) & (codes != S)
        ways = centres(shade) - centres(codes == S)
        ways /= np.hypot(*ways.T)[:, None]
        assert (ways @ ways.mean(axis=0) > 0.9).all()
