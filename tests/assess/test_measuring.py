"""Areas of a drawn site, counted by eye."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cvpipe.assess import measure
from cvpipe.domain import ChangeKind, Reason, Registration, Surface, VegetationIndex
from tests.assess.drawn import SIDE, DrawnPair


@pytest.fixture
def shed_gone() -> DrawnPair:
    """A shed of 10 × 5 m stood; now there is bare ground, and a bed of 4 × 5 m is green."""
    pair = DrawnPair()
    pair.before[:10, :5] = Surface.STRUCTURE
    pair.after[:4, 10:15] = Surface.VEGETATION
    return pair


def test_areas_are_pixels_times_their_size(shed_gone: DrawnPair) -> None:
    m = shed_gone.measured(pixel_area_m2=0.25)
    assert m.site_area_m2 == 100
    assert m.surface_before_m2[Surface.STRUCTURE] == 12.5
    assert m.change_m2[ChangeKind.STRUCTURE_REMOVED] == 12.5
    assert m.change_m2[ChangeKind.GREEN_ADDED] == 5
    assert sum(m.surface_after_m2.values()) == 100


def test_only_pixels_inside_the_outline_count(shed_gone: DrawnPair) -> None:
    shed_gone.inside[:] = False
    shed_gone.inside[:5] = True
    m = shed_gone.measured()
    assert m.site_area_m2 == 100
    assert m.change_m2[ChangeKind.STRUCTURE_REMOVED] == 25
    assert m.valid_share == 1


@pytest.mark.parametrize("hide", ["usable", "no data"])
def test_unseen_pixels_lower_the_valid_share_and_count_nowhere(shed_gone: DrawnPair, hide: str) -> None:
    if hide == "usable":
        shed_gone.usable[:5] = False
    else:
        shed_gone.after[:5] = Surface.NO_DATA
    m = shed_gone.measured()
    assert m.valid_share == 0.75
    assert m.surface_before_m2[Surface.STRUCTURE] == 25
    assert sum(m.surface_after_m2.values()) == 300


def test_retained_structure_is_counted_apart() -> None:
    pair = DrawnPair(retained=np.zeros((SIDE, SIDE), bool))
    assert pair.retained is not None
    pair.retained[:5, :5] = True
    pair.before[:5, :10] = pair.after[:5, :10] = Surface.STRUCTURE
    m = pair.measured()
    assert m.retained_m2 == 25
    assert m.surface_before_m2[Surface.STRUCTURE] == m.surface_after_m2[Surface.STRUCTURE] == 25


def test_a_net_is_no_green_even_where_the_change_says_so() -> None:
    all_over = np.ones((SIDE, SIDE), np.uint8)
    m = measure(
        surface_before=all_over * Surface.BARE,
        surface_after=all_over * Surface.NET,
        change={kind: all_over * (kind is ChangeKind.GREEN_ADDED) for kind in ChangeKind},
        usable=all_over > 0,
        inside=all_over > 0,
        retained=None,
        pixel_area_m2=1.0,
        registration=Registration(),
        reasons=(),
    )
    assert m.change_m2[ChangeKind.GREEN_ADDED] == 0
    assert m.surface_after_m2[Surface.NET] == SIDE * SIDE


def index_of(value: float) -> NDArray[np.float32]:
    return np.full((SIDE, SIDE), value, np.float32)


def measured_by(before: NDArray[np.float32] | None, after: NDArray[np.float32] | None) -> VegetationIndex | None:
    all_over = np.ones((SIDE, SIDE), np.uint8)
    inside = all_over > 0
    inside[:, :10] = False
    return measure(
        surface_before=all_over * Surface.BARE,
        surface_after=all_over * Surface.VEGETATION,
        change={kind: all_over * (kind is ChangeKind.GREEN_ADDED) for kind in ChangeKind},
        usable=all_over > 0,
        inside=inside,
        retained=None,
        pixel_area_m2=0.25,
        registration=Registration(),
        reasons=(),
        index=(before, after),
    ).index


def test_green_by_near_infrared() -> None:
    """Of 200 pixels on the site 40 were green, 20 of them at both; 100 more became so; 20 rose, but by little."""
    before, after = index_of(0.05), index_of(0.05)
    before[:2, :], after[1, :] = 0.5, 0.5
    after[4:14, :] = 0.45
    before[16:18, :], after[16:18, :] = 0.28, 0.33
    found = measured_by(before, after)
    assert found is not None
    assert found.share_before == pytest.approx(20 / 200)
    assert found.share_after == pytest.approx((10 + 100 + 20) / 200)
    assert found.gained_m2 == pytest.approx(100 * 0.25)


def test_without_near_infrared_at_both_epochs_there_is_no_index() -> None:
    assert measured_by(None, index_of(0.4)) is None
    assert measured_by(index_of(0.4), None) is None
    assert measured_by(index_of(np.nan), index_of(0.4)) is None


def test_ground_where_a_change_is_unknown_counts_nowhere() -> None:
    all_over = np.ones((SIDE, SIDE), np.uint8)
    m = measure(
        surface_before=all_over,
        surface_after=all_over,
        change={kind: all_over * np.uint8(255) for kind in ChangeKind},
        usable=all_over > 0,
        inside=all_over > 0,
        retained=None,
        pixel_area_m2=1.0,
        registration=Registration(),
        reasons=(),
    )
    assert (m.valid_share, sum(m.surface_before_m2.values())) == (0, 0)


def test_an_empty_outline_has_no_share() -> None:
    pair = DrawnPair(inside=np.zeros((SIDE, SIDE), bool))
    m = pair.measured(reasons=(Reason.NO_DATA,))
    assert (m.site_area_m2, m.valid_share, m.reasons) == (0, 0, (Reason.NO_DATA,))
