"""What a network loses where two looks at the same ground differ: by a shift, blur, light, haze, compression.

Shifts are told twice: as in real use, where alignment takes them off, and without alignment. A third row of shifts is
of ground that cannot have changed: the earlier picture against itself, in a direction that each picture's name decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cvpipe.train.answers import Method
from cvpipe.train.disturbance import Disturbance
from cvpipe.train.evaluation import evaluate
from cvpipe.train.folders import Dataset, Provenance
from cvpipe.train.metrics import Tally, figures
from cvpipe.train.scores import Evaluation, main_target

#: Levels of each disturbance. Shifts in pixels of the method, blur too (standard deviation); gamma: exponent; haze:
#: share of air light; JPEG: quality.
SHIFTS_PX = (1.0, 2.0, 4.0, 8.0)
LEVELS: dict[str, tuple[float, ...]] = {
    "blur": (0.7, 1.5, 3.0),
    "gamma": (0.5, 0.7, 1.4, 2.0),
    "haze": (0.1, 0.25, 0.4),
    "JPEG": (80, 50, 25),
}
UNITS = {"shift": "px", "blur": "px", "gamma": "", "haze": "", "JPEG": ""}
#: Six shifts of a picture against itself, pixels of the method.
STILL_PX = (0.5, 1.0, 2.0, 3.0, 4.0, 8.0)

#: What is promised: points of object F1 that a shift of 4 px may cost, and how many more false alarms 8 px may raise.
SHIFT_COST_PX, MOST_POINTS = 4.0, 3.0
ALARM_SHIFT_PX, MOST_ALARMS = 8.0, 1.5


@dataclass(frozen=True)
class Trial:
    """One disturbance at one level, as it is called in tables. `level` None: nothing is disturbed."""

    kind: str
    level: float | None
    align: bool = True
    still: bool = False

    @property
    def row(self) -> str:
        """The curve that it is a point of."""
        if self.still:
            return "unchanged ground, shifted" + ("" if self.align else ", not aligned")
        return self.kind + (" (aligned)" if self.align else " (not aligned)") * (self.kind == "shift")


@dataclass(frozen=True)
class Point:
    """What a trial gave, summed over the pictures of all targets of change (of structure, for single pictures)."""

    trial: Trial
    tally: Tally

    @property
    def object_f1(self) -> float | None:
        """None where nothing is labelled."""
        return figures(self.tally).object_f1

    @property
    def alarms(self) -> float | None:
        """False-alarm objects per 10,000 m² labelled unchanged."""
        return figures(self.tally).false_alarms_per_10000_m2


@dataclass(frozen=True)
class Robustness:
    """All points of one method on one data set, by row, the undisturbed level first."""

    dataset: str
    provenance: Provenance
    method: str
    target: str
    pictures: int
    points: tuple[Point, ...]

    def rows(self) -> dict[str, list[Point]]:
        """The points of each curve."""
        found: dict[str, list[Point]] = {}
        for point in self.points:
            found.setdefault(point.trial.row, []).append(point)
        return found

    def proofs(self) -> list[str]:
        """Whether shifts cost what is promised at most: one sentence for each way of looking."""
        told = []
        for row, points in self.rows().items():
            if points[0].trial.kind == "shift" and not points[0].trial.still:
                told += [_cost(self.dataset, row, points), _alarms(self.dataset, row, points)]
        return [sentence for sentence in told if sentence]

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "dataset": self.dataset,
            "method": self.method,
            "target": self.target,
            "pictures": self.pictures,
            "points": [
                {"row": p.trial.row, "level": p.trial.level, "object_f1": p.object_f1, "false_alarms": p.alarms}
                for p in self.points
            ],
            "proofs": self.proofs(),
        }


def robustness(
    dataset: Dataset, method: Method, *, limit: int | None = None, step: Callable[[str], None] = lambda _: None
) -> Robustness | None:
    """Try every disturbance on `dataset`, at most `limit` pictures of it; `step(trial)` is called after each trial.

    None where the data set has nothing that the method answers. Ground nearer to an edge than the largest shift is
    never scored.
    """
    gsd = method.gsd_m or 0.3
    tried: dict[tuple[Disturbance | None, bool], Evaluation] = {}
    target = None
    points: list[Point] = []
    for trial in trials_of(dataset):
        key = _disturbance(trial, gsd), trial.align
        if key not in tried:
            tried[key] = evaluate(
                dataset,
                [method],
                align=trial.align,
                limit=limit,
                disturbance=key[0],
                margin_m=max(SHIFTS_PX) * gsd,
            )
            step(f"{dataset.name}: {trial.row} {trial.level or ''}".rstrip())
        target = target or main_target(tried[key])
        if target is None:
            return None
        points.append(Point(trial, tried[key].scores[0].total(target.name)))
    assert target is not None, "every data set has trials"
    return Robustness(
        dataset.name, dataset.provenance, method.name, target.name, len(dataset.limited(limit)), tuple(points)
    )


def pooled(found: Sequence[Robustness]) -> list[Robustness]:
    """The counts of several data sets added up: those of one provenance and target, where there is more than one."""
    groups: dict[tuple[Provenance, str], list[Robustness]] = {}
    for one in found:
        groups.setdefault((one.provenance, one.target), []).append(one)
    return [_pooled(members) for members in groups.values() if len(members) > 1]


def _pooled(members: Sequence[Robustness]) -> Robustness:
    tallies: dict[Trial, Tally] = {}
    for point in (point for one in members for point in one.points):
        tallies[point.trial] = tallies.get(point.trial, Tally()) + point.tally
    points = tuple(Point(trial, tally) for trial, tally in tallies.items())
    first = members[0]
    name = f"all {first.provenance.value}: {', '.join(one.dataset for one in members)}"
    return Robustness(name, first.provenance, first.method, first.target, sum(m.pictures for m in members), points)


def trials_of(dataset: Dataset) -> list[Trial]:
    """Every trial of a data set, in the order of the tables: pairs are shifted, single pictures are not."""
    shifted = list(_shifts()) if any(p.after is not None for p in dataset.pictures) else []
    plain = [Trial(kind, level) for kind, levels in LEVELS.items() for level in (None, *levels)]
    return shifted + plain


def _shifts() -> Iterator[Trial]:
    for align in (True, False):
        yield from (Trial("shift", level, align=align) for level in (None, *SHIFTS_PX))
    for align in (True, False):
        yield from (Trial("shift", level, align=align, still=True) for level in STILL_PX)


def _disturbance(trial: Trial, gsd_m: float) -> Disturbance | None:
    if trial.level is None:
        return None
    return Disturbance(trial.kind, trial.level * gsd_m if trial.kind == "shift" else trial.level, still=trial.still)


def _at(points: Sequence[Point], level: float | None) -> Point | None:
    return next((p for p in points if p.trial.level == level), None)


def _cost(dataset: str, row: str, points: Sequence[Point]) -> str:
    still, moved = _at(points, None), _at(points, SHIFT_COST_PX)
    if still is None or moved is None or still.object_f1 is None or moved.object_f1 is None:
        return ""
    cost = 100 * (still.object_f1 - moved.object_f1)
    return (
        f"{dataset}, {row}: {SHIFT_COST_PX:g} px cost {cost:.1f} points of object F1 "
        f"({100 * still.object_f1:.1f} → {100 * moved.object_f1:.1f}); at most {MOST_POINTS:g}: "
        f"{_held(cost <= MOST_POINTS)}"
    )


def _alarms(dataset: str, row: str, points: Sequence[Point]) -> str:
    still, moved = _at(points, None), _at(points, ALARM_SHIFT_PX)
    if still is None or moved is None or still.alarms is None or moved.alarms is None:
        return ""
    ratio = moved.alarms / still.alarms if still.alarms else (math.inf if moved.alarms else 1.0)
    return (
        f"{dataset}, {row}: {ALARM_SHIFT_PX:g} px take false alarms per 10,000 m² from {still.alarms:.2f} to "
        f"{moved.alarms:.2f}; at most half as many more: {_held(ratio <= MOST_ALARMS)}"
    )


def _held(holds: bool) -> str:
    return "holds" if holds else "DOES NOT HOLD"


__all__ = [
    "LEVELS",
    "SHIFTS_PX",
    "UNITS",
    "Point",
    "Robustness",
    "Trial",
    "pooled",
    "robustness",
    "trials_of",
]
