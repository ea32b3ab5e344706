"""What is true of a site for a pair of epochs: areas counted in the masks, and the outcomes that follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cvpipe.domain import SURFACES, Outcome, Plan, Question, Surface
from cvpipe.world.canvas import I32, U8, Bool

#: Shares of removed structure below and above which nobody would argue; the drawn cases keep well away from them.
_BEGUN_SHARE, _COMPLETE_SHARE = 0.1, 0.9
#: Structure or rubble of this size (m²) is no longer a clean site.
_CLEAN_M2 = 20.0
#: Green gained on a site whose plan is silent about it: share of the site and m².
_GAINED_SHARE, _GAINED_M2 = 0.05, 50.0
#: A new structure of this size (m²) is a rebound.
_REBOUND_M2 = 30.0


@dataclass(frozen=True)
class SiteView:
    """The masks of one epoch in the window of a site."""

    surface: U8
    structure_id: I32


@dataclass(frozen=True)
class SitePlace:
    """Where a site lies in its window: pixels inside it, those inside a retained outline, m² of a pixel."""

    inside: Bool
    retained: Bool
    pixel_m2: float


@dataclass(frozen=True)
class PairAreas:
    """True areas of a site for a pair of epochs, m² on the ground; retained structures count in `retained_m2` only."""

    site_m2: float
    structure_before_m2: float
    structure_after_m2: float
    structure_removed_m2: float
    structure_added_m2: float
    green_added_m2: float
    green_removed_m2: float
    retained_m2: float
    surface_before_m2: dict[str, float]
    surface_after_m2: dict[str, float]


def removed(before: I32, after: I32) -> Bool:
    """Where a structure of the earlier epoch is gone, or has given way to another one."""
    return np.asarray((before > 0) & (after != before), np.bool_)


def pair_areas(before: SiteView, after: SiteView, place: SitePlace) -> PairAreas:
    """Count the masks of two epochs inside a site."""

    def area(where: Bool) -> float:
        return round(float(np.count_nonzero(where & place.inside)) * place.pixel_m2, 2)

    free = ~place.retained
    green_before, green_after = before.surface == Surface.VEGETATION, after.surface == Surface.VEGETATION
    return PairAreas(
        site_m2=area(np.ones_like(free)),
        structure_before_m2=area(free & (before.structure_id > 0)),
        structure_after_m2=area(free & (after.structure_id > 0)),
        structure_removed_m2=area(free & removed(before.structure_id, after.structure_id)),
        structure_added_m2=area(free & removed(after.structure_id, before.structure_id)),
        green_added_m2=area(green_after & ~green_before),
        green_removed_m2=area(green_before & ~green_after),
        retained_m2=area(place.retained & (after.structure_id > 0)),
        surface_before_m2={s.name.lower(): area(before.surface == s) for s in SURFACES},
        surface_after_m2={s.name.lower(): area(after.surface == s) for s in SURFACES},
    )


def expected(areas: PairAreas, plan: Plan) -> dict[Question, Outcome]:
    """The right answers for the pair (baseline, later epoch)."""
    return {
        Question.DEMOLITION: _demolition(areas),
        Question.CLEARANCE: _clearance(areas),
        Question.GREENING: _greening(areas, plan),
    }


def rebound(areas: PairAreas) -> Outcome:
    """The right answer for a pair whose earlier epoch shows the site demolished."""
    return Outcome.SUSPECTED if areas.structure_added_m2 >= _REBOUND_M2 else Outcome.NONE


def _demolition(areas: PairAreas) -> Outcome:
    share = areas.structure_removed_m2 / max(areas.structure_before_m2, 1e-9)
    if share < _BEGUN_SHARE:
        return Outcome.NONE
    return Outcome.COMPLETE if share >= _COMPLETE_SHARE else Outcome.PARTIAL


def _clearance(areas: PairAreas) -> Outcome:
    left = areas.structure_after_m2 + areas.surface_after_m2["rubble"]
    return Outcome.MET if left < _CLEAN_M2 else Outcome.NOT_MET


def _greening(areas: PairAreas, plan: Plan) -> Outcome:
    if plan.green_area_m2:
        return Outcome.MET if areas.green_added_m2 >= plan.green_area_m2 else Outcome.NOT_MET
    if plan.green_ratio:
        share = areas.surface_after_m2["vegetation"] / areas.site_m2
        return Outcome.MET if share >= plan.green_ratio else Outcome.NOT_MET
    enough = max(_GAINED_SHARE * areas.site_m2, _GAINED_M2)
    return Outcome.GAINED if areas.green_added_m2 >= enough else Outcome.NONE
