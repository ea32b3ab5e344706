"""Polygons: shape, place, area, probability."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from shapely.geometry import Polygon

from cvpipe.detect import polygons
from cvpipe.detect.polygons import patches
from cvpipe.domain import Change, ChangeKind
from cvpipe.geo import WGS84, Grid, area_m2, reproject
from tests.detect.conftest import ORIGIN, UTM, Pixels

KIND = ChangeKind.STRUCTURE_ADDED


@pytest.fixture
def mask() -> Pixels:
    """A ring of 10 × 10 pixels with a hole of 4 × 4, a single pixel, and two squares that touch at a corner."""
    mask = np.zeros((40, 60), np.uint8)
    mask[5:15, 20:30] = 1
    mask[8:12, 23:27] = 0
    mask[30, 5] = 1
    mask[20:25, 40:45] = mask[25:30, 45:50] = 1
    mask[0, :] = 255
    return mask


@pytest.fixture
def grid() -> Grid:
    return Grid(UTM, ORIGIN, 60, 40)


def traced(mask: Pixels, grid: Grid, *, min_area_m2: float = 0.0, probability: Pixels | None = None) -> list[Change]:
    full = np.full(mask.shape, 254, np.uint8) if probability is None else probability
    return polygons(mask, full, grid, KIND, min_area_m2)


def on_grid(change: Change) -> Polygon:
    found = reproject(change.geometry, WGS84, UTM)
    assert isinstance(found, Polygon)
    return found


def test_largest_first_and_corners_do_not_join(mask: Pixels, grid: Grid) -> None:
    areas = [round(change.area_m2, 1) for change in traced(mask, grid)]
    assert areas == [21.0, 6.3, 6.3, 0.3]  # 84, 25, 25 and 1 pixels of a quarter square metre


def test_small_ones_are_left_out(mask: Pixels, grid: Grid) -> None:
    assert len(traced(mask, grid, min_area_m2=1.0)) == 3


def test_a_hole_stays_and_the_place_is_right(mask: Pixels, grid: Grid) -> None:
    ring = on_grid(traced(mask, grid)[0])
    left, bottom, right, top = ring.bounds
    assert (left, top) == pytest.approx(ORIGIN * (20, 5), abs=0.01)
    assert (right, bottom) == pytest.approx(ORIGIN * (30, 15), abs=0.01)
    assert len(ring.interiors) == 1


def test_the_outline_is_anticlockwise(mask: Pixels, grid: Grid) -> None:
    geometry = traced(mask, grid)[0].geometry
    assert isinstance(geometry, Polygon)
    assert geometry.exterior.is_ccw
    assert not geometry.interiors[0].is_ccw


def test_the_area_is_that_on_the_ground(grid: Grid) -> None:
    """UTM lengths are up to 0.04 % short in the middle of a zone; the ellipsoid is the judge."""
    big = np.ones((40, 60), np.uint8)
    change = traced(big, grid)[0]
    assert change.area_m2 == pytest.approx(area_m2(change.geometry), rel=1e-3)


def test_slanted_edges_are_straight_and_stay_within_half_a_pixel(grid: Grid) -> None:
    rows, cols = np.mgrid[0:40, 0:60]
    staircase = ((rows > 3) & (rows < 36) & (cols > 3) & (cols <= rows)).astype(np.uint8)
    outline = on_grid(traced(staircase, grid)[0])
    exact = Polygon([ORIGIN * point for point in ((4, 4), (4, 36), (36, 36), (36, 35), (5, 4))])
    assert len(outline.exterior.coords) < 12
    assert outline.hausdorff_distance(exact) <= 0.5 * 0.5 + 0.01


def test_the_probability_is_the_mean_inside(mask: Pixels, grid: Grid) -> None:
    probability = np.zeros(mask.shape, np.uint8)
    probability[5:15, 20:30] = 127
    probability[5:15, 20:25] = 254
    assert traced(mask, grid, probability=probability)[0].probability == pytest.approx(0.75)


def test_without_a_crs_outlines_stay_in_metres(mask: Pixels) -> None:
    plain = Grid(None, Affine.scale(0.5), 60, 40)
    assert traced(mask, plain)[0].geometry.bounds == (10, 2.5, 15, 7.5)


def test_nothing_changed(grid: Grid) -> None:
    assert traced(np.zeros((40, 60), np.uint8), grid) == []


def test_patches_are_the_same_outlines_without_a_change(mask: Pixels, grid: Grid) -> None:
    changes = traced(mask, grid, min_area_m2=1.0)
    assert patches(mask, grid, 1.0) == [(change.geometry, change.area_m2) for change in changes]
    assert patches(np.zeros_like(mask), grid, 0.0) == []
