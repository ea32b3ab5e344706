"""Where an area's error comes from, on patches whose answer one sees by eye."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from cvpipe.assess import default_rules, measure
from cvpipe.assess.intervals import area_interval, half_width, spread_m2
from cvpipe.assess.spreads import UNKNOWN_SHIFT_PX, Chances, chance_sd_px, edge_px
from cvpipe.domain import SURFACES, ChangeKind, Figure, Measurements, Registration, Spread, Surface
from tests.assess.drawn import SIDE, DrawnPair, areas

RULES = default_rules().intervals
STRUCTURE = SURFACES.index(Surface.STRUCTURE)


def chances(pair: DrawnPair, *, sure: int = 254) -> Chances:
    """The network is `sure` (of 254) of the surfaces that the pair shows, and of the changes that follow."""
    before, after = (
        np.stack([np.where(of == s, sure, 254 - sure).astype(np.uint8) for s in SURFACES])
        for of in (pair.before, pair.after)
    )
    change = {k: np.where(band == 1, sure, 254 - sure).astype(np.uint8) for k, band in pair.change.items()}
    return Chances(before, after, change, 254)


def measured(
    pair: DrawnPair, seen: Chances, registration: Registration | None = None, native_gsd_m: float | None = None
) -> Measurements:
    return measure(
        surface_before=pair.before,
        surface_after=pair.after,
        change=pair.change,
        usable=pair.usable,
        inside=pair.inside,
        retained=pair.retained,
        pixel_area_m2=0.25,
        registration=registration or Registration(),
        reasons=(),
        chances=seen,
        native_gsd_m=native_gsd_m,
    )


@pytest.fixture
def shed_gone() -> DrawnPair:
    """A shed of 8 × 6 pixels of half a metre is gone."""
    pair = DrawnPair()
    pair.before[4:12, 5:11] = Surface.STRUCTURE
    return pair


def test_a_network_that_is_sure_leaves_only_the_edges_in_doubt(shed_gone: DrawnPair) -> None:
    spread = measured(shed_gone, chances(shed_gone)).spreads[Figure.STRUCTURE_REMOVED]
    assert (spread.expected_m2, spread.chance_m2, spread.shift_m2) == (12, 0, 0)
    assert spread.edge_m == pytest.approx(28 * 0.5 * math.pi / 4)


def test_what_is_not_there_and_surely_not_has_no_spread(shed_gone: DrawnPair) -> None:
    spread = measured(shed_gone, chances(shed_gone)).spreads[Figure.RUBBLE]
    assert spread == Spread(0, 0, 0, 0)


def test_independent_pixels_add_their_variances() -> None:
    probability = np.full((9, 9), 0.5, np.float32)
    assert chance_sd_px(probability, 0.0) == pytest.approx(math.sqrt(81 * 0.25))


def test_pixels_that_err_together_add_their_deviations() -> None:
    """A patch far smaller than the distance over which errors are alike is right or wrong as a whole."""
    probability = np.zeros((161, 161), np.float32)
    probability[78:82, 78:82] = 0.5
    assert chance_sd_px(probability, 20.0) == pytest.approx(16 * 0.5, rel=0.01)
    assert chance_sd_px(probability, 0.0) < chance_sd_px(probability, 2.0) < chance_sd_px(probability, 20.0)


def test_two_patches_far_apart_err_for_themselves() -> None:
    probability = np.zeros((200, 200), np.float32)
    probability[20:24, 20:24] = 0.5
    one = chance_sd_px(probability, 5.0)
    probability[170:174, 170:174] = 0.5
    assert chance_sd_px(probability, 5.0) == pytest.approx(one * math.sqrt(2), rel=1e-3)


def test_the_outline_of_the_site_is_no_edge() -> None:
    covered = np.ones((6, 8), bool)
    assert edge_px(covered, covered) == 0
    covered = covered.copy()
    covered[:, 4:] = False
    assert edge_px(covered, np.ones((6, 8), bool)) == 6


def test_a_shift_left_makes_slivers_along_the_outline(shed_gone: DrawnPair) -> None:
    seen = chances(shed_gone)
    shifted, unknown = (
        measured(shed_gone, seen, Registration(residual_px=px)).spreads[Figure.STRUCTURE_REMOVED]
        for px in (0.5, math.inf)
    )
    assert shifted.shift_m2 == pytest.approx(0.5 * 0.5 * shifted.edge_m / math.pi)
    assert unknown.shift_m2 == pytest.approx(UNKNOWN_SHIFT_PX * 0.5 * unknown.edge_m / math.pi)


def test_coarse_pictures_widen_the_spread_and_fine_ones_do_not_narrow_it(shed_gone: DrawnPair) -> None:
    seen = chances(shed_gone, sure=200)
    usual, fine, coarse = (
        measured(shed_gone, seen, native_gsd_m=gsd).spreads[Figure.STRUCTURE_REMOVED] for gsd in (None, 0.1, 1.0)
    )
    assert fine == usual
    assert (coarse.chance_m2, coarse.edge_m) == pytest.approx((2 * usual.chance_m2, 2 * usual.edge_m))
    assert coarse.expected_m2 == usual.expected_m2


def test_nothing_outside_the_site_widens_an_interval(shed_gone: DrawnPair) -> None:
    shed_gone.inside[:] = False
    shed_gone.inside[2:14, 2:14] = True
    seen = chances(shed_gone, sure=200)
    here = measured(shed_gone, seen)
    for stored in (seen.before, seen.after, *seen.change.values()):
        stored[..., ~shed_gone.inside] = 127
    assert measured(shed_gone, seen).spreads == here.spreads


def test_retained_structure_has_no_part_in_it(shed_gone: DrawnPair) -> None:
    shed_gone.retained = np.zeros((SIDE, SIDE), bool)
    shed_gone.retained[4:12, 5:11] = True
    assert measured(shed_gone, chances(shed_gone)).spreads[Figure.STRUCTURE_BEFORE] == Spread(0, 0, 0, 0)


def test_without_probabilities_areas_are_exact(shed_gone: DrawnPair) -> None:
    m = shed_gone.measured()
    assert m.spreads == {}
    assert area_interval(m, Figure.LEFT, 5, RULES) is None


def test_no_answer_in_a_stored_probability_counts_as_none(shed_gone: DrawnPair) -> None:
    seen = chances(shed_gone)
    shed_gone.usable[:, 15:] = False
    seen.after[:, :, 15:] = 255
    assert measured(shed_gone, seen).spreads[Figure.LEFT].expected_m2 == 0


def test_an_interval_is_the_scaled_spread_within_the_site() -> None:
    m = replace(areas(site_area_m2=1000), spreads={Figure.RUBBLE: Spread(0.0, 3.0, 40.0, 0.0)})
    rules = RULES.model_copy(update={"scale": RULES.scale.model_copy(update={"rubble": 2.0, "absent": 1.0})})
    half = 2 * math.sqrt(3**2 + 4**2 + 1)
    assert spread_m2(m.spreads[Figure.RUBBLE], rules) == pytest.approx(half / 2)
    assert area_interval(m, Figure.RUBBLE, 50, rules) == pytest.approx((50 - half, 50 + half))
    assert area_interval(m, Figure.RUBBLE, 995, rules) == pytest.approx((995 - half, 1000))
    assert area_interval(m, Figure.RUBBLE, 2, rules) == pytest.approx((0, 2 + half / 2))
    assert half_width(m, Figure.GREEN, 2, rules) is None


@pytest.mark.parametrize("kind", list(ChangeKind))
def test_doubt_about_a_change_widens_its_own_interval_only(shed_gone: DrawnPair, kind: ChangeKind) -> None:
    seen = chances(shed_gone)
    sure = measured(shed_gone, seen).spreads
    seen.change[kind][:] = 127
    changed = {figure for figure, spread in measured(shed_gone, seen).spreads.items() if spread != sure[figure]}
    assert (
        changed
        <= {
            ChangeKind.STRUCTURE_REMOVED: {Figure.STRUCTURE_REMOVED, Figure.STRUCTURE_UNREMOVED},
            ChangeKind.STRUCTURE_ADDED: {Figure.STRUCTURE_ADDED, Figure.STRUCTURE_STANDING},
            ChangeKind.GREEN_ADDED: {Figure.GREEN_ADDED},
            ChangeKind.GREEN_REMOVED: set(),
        }[kind]
    )
    assert (kind is ChangeKind.GREEN_REMOVED) is (changed == set())
