"""Every criterion a verdict can rest on: its name, its sense and its words in both languages."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from cvpipe.assess.rules import ReviewRules
from cvpipe.domain import Criterion

Language = Literal["en", "zh"]


class Sense(StrEnum):
    """On which side of its limit a value passes."""

    AT_LEAST = "≥"
    AT_MOST = "≤"
    BELOW = "<"


@dataclass(frozen=True)
class CriterionKind:
    """What a criterion of one name means; `unit` is "m²", "px" or "share" (0..1)."""

    name: str
    unit: str
    sense: Sense
    en: str
    zh: str

    def label(self, lang: Language) -> str:
        """The criterion's name for people."""
        return self.zh if lang == "zh" else self.en


_AT_LEAST, _AT_MOST, _BELOW = Sense.AT_LEAST, Sense.AT_MOST, Sense.BELOW

VALID_SHARE = CriterionKind("valid_share", "share", _AT_LEAST, "Share seen at both epochs", "两期均可见比例")
BASELINE = CriterionKind("baseline_structure", "m²", _AT_LEAST, "Structure at the baseline", "基期建筑面积")
REMOVED = CriterionKind("removed_structure", "m²", _AT_LEAST, "Structure removed", "已拆除面积")
BEGUN_SHARE = CriterionKind("begun_share", "share", _AT_LEAST, "Share removed, begun", "拆除比例（已动工）")
REMOVED_SHARE = CriterionKind("removed_share", "share", _AT_LEAST, "Share removed, complete", "拆除比例（已完成）")
STANDING = CriterionKind("standing_structure", "m²", _AT_MOST, "Baseline structure still standing", "原有建筑残留面积")
PLANNED = CriterionKind("planned_removal", "m²", _AT_LEAST, "Removed, against the plan", "已拆除面积（对照方案）")
RETAINED = CriterionKind("retained_structure", "m²", _AT_MOST, "Retained by plan (not counted)", "按方案保留（不计）")
STRUCTURE_LEFT = CriterionKind("structure_left", "m²", _AT_MOST, "Structure on the site", "场内建筑面积")
RUBBLE_LEFT = CriterionKind("rubble_left", "m²", _AT_MOST, "Rubble on the site", "渣土堆料面积")
CLEAR_GROUND = CriterionKind("clear_ground", "share", _AT_LEAST, "Share of clear ground", "场地清净比例")
NETTED = CriterionKind("netted_ground", "m²", _AT_LEAST, "Under dust net (no green cover)", "防尘网（不计绿化）")
GREEN_GAINED = CriterionKind("green_gained", "m²", _AT_LEAST, "Green cover gained", "新增绿化面积")
GREEN_PLANNED = CriterionKind("green_planned", "m²", _AT_LEAST, "Green gained, for the plan", "新增绿化（对照方案）")
GREEN_SHARE = CriterionKind("green_share", "share", _AT_LEAST, "Green share of the site", "场地绿化率")
RESIDUAL = CriterionKind("shift_left", "px", _AT_MOST, "Shift left between the epochs", "两期影像配准残差")
ALIGNMENT = CriterionKind("alignment", "share", _AT_LEAST, "Confidence of the alignment", "配准可信度")
ADDED = CriterionKind("structure_added", "m²", _BELOW, "New structure", "新增建筑面积")

#: All kinds by name, for pages and exports.
KINDS: dict[str, CriterionKind] = {
    kind.name: kind
    for kind in (
        VALID_SHARE,
        BASELINE,
        REMOVED,
        BEGUN_SHARE,
        REMOVED_SHARE,
        STANDING,
        PLANNED,
        RETAINED,
        STRUCTURE_LEFT,
        RUBBLE_LEFT,
        CLEAR_GROUND,
        NETTED,
        GREEN_GAINED,
        GREEN_PLANNED,
        GREEN_SHARE,
        RESIDUAL,
        ALIGNMENT,
        ADDED,
    )
}

_PASSES = {
    Sense.AT_LEAST: lambda value, limit: value >= limit,
    Sense.AT_MOST: lambda value, limit: value <= limit,
    Sense.BELOW: lambda value, limit: value < limit,
}


def held(kind: CriterionKind, value: float, limit: float) -> Criterion:
    """`value` held against `limit` in the kind's sense."""
    return Criterion(kind.name, value, kind.unit, limit, bool(_PASSES[kind.sense](value, limit)))


def told(kind: CriterionKind, value: float) -> Criterion:
    """A value that is shown and decides nothing."""
    return Criterion(kind.name, value, kind.unit)


def is_near(criterion: Criterion, review: ReviewRules) -> bool:
    """Whether the value lies so near its limit that it could be on the other side."""
    if criterion.limit is None:
        return False
    band = review.band_share if criterion.unit == "share" else review.band_area * criterion.limit
    return abs(criterion.value - criterion.limit) <= band


def could_turn(criteria: tuple[Criterion, ...], review: ReviewRules) -> bool:
    """Whether "all of these pass" could be otherwise within the bands.

    Where all pass, one near its limit is enough; where some fail, all that fail must be near.
    """
    failing = [c for c in criteria if not c.passed]
    return all(is_near(c, review) for c in failing) if failing else any(is_near(c, review) for c in criteria)


__all__ = ["KINDS", "CriterionKind", "Language", "Sense", "could_turn", "held", "is_near", "told"]
