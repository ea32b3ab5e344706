"""Changed pixels as runs: windows put together, areas, outlines; held against a rasteriser and OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import rasterio.features
import shapely
from shapely.geometry import Polygon, shape

from cvpipe.detect import collecting
from cvpipe.detect.collecting import Collected
from cvpipe.detect.maps import NO_DATA
from cvpipe.detect.outlines import outlines
from cvpipe.detect.polygons import Patches
from cvpipe.detect.runs import Runs, areas_of, runs_of, together
from cvpipe.domain import ChangeKind
from cvpipe.geo import Window
from tests.detect.conftest import Pixels
from tests.detect.networks import PaintedNetwork


def ragged(spread: float = 2.0, side: tuple[int, int] = (90, 70)) -> Pixels:
    """Areas of all shapes, with holes and with corners that touch."""
    noise = np.random.default_rng(3).random(side).astype(np.float32)
    return (cv2.GaussianBlur(noise, (0, 0), spread) > 0.5).astype(np.uint8)


def runs(mask: Pixels) -> Runs:
    return runs_of(mask == 1, np.full(mask.shape, 200, np.uint8))


def test_runs_are_what_one_sees() -> None:
    mask = np.array([[1, 1, 0, 1], [0, 0, 0, 0], [0, 1, 1, 1]], np.bool_)
    found = runs_of(mask, np.arange(12, dtype=np.uint8).reshape(3, 4), row=10, col=100)
    assert found.rows.tolist() == [10, 10, 12]
    assert found.starts.tolist() == [100, 103, 101]
    assert found.ends.tolist() == [102, 104, 104]
    assert found.totals.tolist() == [0 + 1, 3, 9 + 10 + 11]


@pytest.mark.parametrize("mask", [np.zeros((0, 5)), np.zeros((4, 0)), np.zeros((3, 3))])
def test_nothing_has_no_runs(mask: Pixels) -> None:
    found = runs(mask.astype(np.uint8))
    assert len(found) == len(areas_of(found)) == len(outlines(found, areas_of(found))) == 0


def test_windows_put_together_are_the_whole() -> None:
    mask = ragged()
    probability = np.random.default_rng(1).integers(0, 255, mask.shape, dtype=np.uint8)
    parts = [
        runs_of(mask[r : r + 37, c : c + 23] == 1, probability[r : r + 37, c : c + 23], r, c)
        for r in range(0, 90, 37)
        for c in range(0, 70, 23)
    ]
    whole, found = runs_of(mask == 1, probability), together(parts)
    assert [v.tolist() for v in vars(found).values()] == [v.tolist() for v in vars(whole).values()]


def test_drawn_again_they_are_the_mask() -> None:
    mask = ragged()
    again = np.zeros_like(mask)
    for row in range(0, 90, 32):
        part = again[row : row + 32]
        runs(mask).within(row, row + len(part)).paint(part, row)
    assert np.array_equal(again, mask)


@pytest.mark.parametrize("spread", [0.3, 2.0])
def test_areas_are_those_of_opencv(spread: float) -> None:
    mask = ragged(spread)
    found = Patches.of(runs(mask))
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    assert sorted(found.pixels.tolist()) == sorted(stats[1:, cv2.CC_STAT_AREA].tolist())
    assert np.allclose(found.probability, 200 / 254)


def test_a_spiral_is_one_area() -> None:
    """One area whose rows are joined at their ends only, so that its parts are far apart along it."""
    mask = np.zeros((41, 41), np.uint8)
    mask[::2] = 1
    mask[1::4, -1] = mask[3::4, 0] = 1
    assert len(Patches.of(runs(mask))) == 1


@pytest.mark.parametrize("spread", [0.3, 2.0])
def test_outlines_are_those_of_gdal(spread: float) -> None:
    mask = ragged(spread)
    found = runs(mask)
    mine = outlines(found, areas_of(found))
    assert shapely.is_valid(mine).all()
    assert any(polygon.interiors for polygon in mine)
    theirs = [shape(g) for g, _ in rasterio.features.shapes(mask, mask, 4)]
    assert sorted(map(placed, mine)) == sorted(map(placed, theirs))
    assert np.array_equal(rasterio.features.rasterize(list(mine), mask.shape), mask)


def placed(polygon: Polygon) -> tuple[str, float, int]:
    return polygon.normalize().simplify(0).wkt, polygon.area, len(polygon.interiors)


def test_what_touches_at_corners_stays_apart_and_encloses() -> None:
    """A ring of eight pixels less one corner: closed over its corner it would touch itself; here it stays open."""
    mask = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1]], np.uint8)
    found = runs(mask)
    areas = areas_of(found)
    assert [polygon.area for polygon in outlines(found, areas)] == [3, 3]
    closed = np.array([[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 1], [0, 1, 1, 1]], np.uint8)
    found = runs(closed)
    (polygon,) = outlines(found, areas_of(found))
    assert polygon.is_valid
    assert (polygon.area, len(polygon.interiors)) == (11, 2)


@pytest.mark.parametrize("most_runs", [0, 2_000_000])
def test_specks_and_doubtful_patches_are_dropped_on_the_way(most_runs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar over both rows of cells stays, a speck goes, and so does a faint square; forgotten early or not."""
    monkeypatch.setattr(collecting, "MOST_RUNS", most_runs)
    probability = np.zeros((4, 40, 30), np.uint8)
    probability[:, 10:35, 4:6] = 240
    probability[:, 2, 2] = 240
    probability[:, 3:10, 20:27] = 150
    probability[:, :, 29] = NO_DATA
    kinds = dict.fromkeys(ChangeKind, 4.0), dict.fromkeys(ChangeKind, 0.7)
    collected = Collected(PaintedNetwork(min_area_m2=kinds[0], min_probability=kinds[1]), pixel_m2=1.0)
    for row in (0, 20):
        for col in (0, 15):
            window = Window(col, row, 15, 20)
            collected.add(probability[:, *window.slices], window)
    assert collected.seen == 40 * 29
    assert [found.pixels.tolist() for found in collected.patches().values()] == [[50]] * len(ChangeKind)
