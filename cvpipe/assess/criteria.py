"""Every criterion a verdict can rest on: its name, its sense and its words in both languages."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from cvpipe.domain import Criterion

Language = Literal["en", "zh"]


class Sense(StrEnum):
    """On which side of its limit a value passes."""

    AT_LEAST = "≥"
    AT_MOST = "≤"
    BELOW = "<"


@dataclass(frozen=True)
class CriterionKind:
    """What a criterion of one name means; `unit` is "m²", "px", "epochs" or "share" (0..1)."""

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
OF_REGISTERED = CriterionKind(
    "removed_of_registered", "share", _AT_LEAST, "Removed, of the registered area", "已拆除占登记面积"
)
REGISTERED = CriterionKind(
    "of_registered", "share", _AT_LEAST, "Structure seen, of the registered", "可见建筑占登记面积"
)
OVER_REGISTERED = CriterionKind(
    "over_registered", "share", _AT_MOST, "Structure seen, of the registered", "可见建筑占登记面积"
)
STANDING_BY_CHANGES = CriterionKind(
    "standing_by_changes",
    "m²",
    _AT_MOST,
    "Baseline structure still standing, by the changes",
    "原有建筑残留面积（按图斑推算）",
)
BY_CHANGES = CriterionKind(
    "structure_by_changes", "m²", _AT_MOST, "Structure on the site, by the changes", "场内建筑面积（按图斑推算）"
)
STRUCTURE_LEFT = CriterionKind("structure_left", "m²", _AT_MOST, "Structure on the site", "场内建筑面积")
RUBBLE_LEFT = CriterionKind("rubble_left", "m²", _AT_MOST, "Rubble on the site", "渣土堆料面积")
LEFT = CriterionKind("left_together", "m²", _AT_MOST, "Structure and rubble together", "建筑与渣土合计")
CLEAR_GROUND = CriterionKind("clear_ground", "share", _AT_LEAST, "Share of clear ground", "场地清净比例")
LEVELLED_SHARE = CriterionKind("levelled_share", "share", _AT_MOST, "Levelled or bare", "平整裸土比例")
NETTED_SHARE = CriterionKind("netted_share", "share", _AT_MOST, "Under dust net", "防尘网覆盖比例")
PAVED_SHARE = CriterionKind("paved_share", "share", _AT_MOST, "Paved (vehicles too)", "硬化比例（含停放车辆）")
NETTED = CriterionKind("netted_ground", "m²", _AT_LEAST, "Under dust net (no green cover)", "防尘网（不计绿化）")
GREEN_GAINED = CriterionKind("green_gained", "m²", _AT_LEAST, "Green cover gained", "新增绿化面积")
GREEN_PLANNED = CriterionKind("green_planned", "m²", _AT_LEAST, "Green gained, for the plan", "新增绿化（对照方案）")
GREEN_SHARE = CriterionKind("green_share", "share", _AT_LEAST, "Green share of the site", "场地绿化率")
INDEX_GAINED = CriterionKind("index_gained", "m²", _AT_LEAST, "Turned green by near infrared", "近红外判定新增绿化")
LEAF_OFF = CriterionKind("leaf_off", "epochs", _AT_MOST, "Epochs without leaves", "落叶期影像")
GAIN = CriterionKind("structure_gain", "m²", _BELOW, "More structure than before", "建筑面积净增")
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
        OF_REGISTERED,
        REGISTERED,
        OVER_REGISTERED,
        STRUCTURE_LEFT,
        STANDING_BY_CHANGES,
        BY_CHANGES,
        RUBBLE_LEFT,
        LEFT,
        CLEAR_GROUND,
        LEVELLED_SHARE,
        NETTED_SHARE,
        PAVED_SHARE,
        NETTED,
        GREEN_GAINED,
        GREEN_PLANNED,
        GREEN_SHARE,
        INDEX_GAINED,
        LEAF_OFF,
        GAIN,
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


Interval = tuple[float, float]
"""(low, high): the true value lies between, with 90 % confidence."""


def held(kind: CriterionKind, value: float, limit: float, interval: Interval | None = None) -> Criterion:
    """`value` held against `limit` in the kind's sense."""
    return Criterion(kind.name, value, kind.unit, limit, passes(kind, value, limit), interval)


def told(kind: CriterionKind, value: float, interval: Interval | None = None) -> Criterion:
    """A value that is shown and decides nothing."""
    return Criterion(kind.name, value, kind.unit, interval=interval)


def within(kind: CriterionKind, value: float, limit: float | None, interval: Interval | None = None) -> Criterion:
    """A value with a limit that the rules may leave open."""
    return told(kind, value, interval) if limit is None else held(kind, value, limit, interval)


def passes(kind: CriterionKind, value: float, limit: float) -> bool:
    """Whether a value lies on the good side of a limit."""
    return bool(_PASSES[kind.sense](value, limit))


def is_near(criterion: Criterion) -> bool:
    """Whether the true value could be on the other side of the limit: its interval reaches there.

    A value without an interval is exact.
    """
    if criterion.limit is None or criterion.interval is None:
        return False
    kind = KINDS[criterion.name]
    return any(passes(kind, end, criterion.limit) is not criterion.passed for end in criterion.interval)


def could_turn(criteria: tuple[Criterion, ...]) -> bool:
    """Whether "all of these pass" could be otherwise within the intervals.

    Where all pass, one near its limit is enough; where some fail, all that fail must be near.
    """
    deciding = [c for c in criteria if c.passed is not None]
    failing = [c for c in deciding if not c.passed]
    return all(is_near(c) for c in failing) if failing else any(is_near(c) for c in deciding)


__all__ = [
    "KINDS",
    "CriterionKind",
    "Interval",
    "Language",
    "Sense",
    "could_turn",
    "held",
    "is_near",
    "passes",
    "told",
    "within",
]
