"""Whether a candidate may take a released bundle's place: both on the same pictures, with paired intervals over places.

The rule is made before the figures are seen. The candidate is refused where it is worse on the whole (the mean over all
sets of the difference in score lies below zero), or clearly worse anywhere (a whole interval lies below zero). The
score of a set is the mean of pixel F1 and object F1 of its main target; where nothing is labelled to be found, fewer
false alarms are better.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cvpipe.errors import UsageError
from cvpipe.network.bundle import load_bundle
from cvpipe.train.metrics import LEVEL, Figures, Interval, Tally, figures, paired_draws, paired_intervals
from cvpipe.train.scores import Evaluation, MethodScore, main_target

#: What the name of the bundle that was replaced ends in.
PREVIOUS = "-previous"

#: Differences below this are rounding: half a point in a thousand pictures.
NOTHING = 0.0005


@dataclass(frozen=True)
class Difference:
    """Candidate − current on one set: score, its paired interval, and that of each figure that makes it up."""

    dataset: str
    target: str
    places: int
    candidate: Figures
    current: Figures
    score: float
    interval: Interval | None
    figures: dict[str, Interval | None]

    @property
    def clearly_worse(self) -> bool:
        """The whole interval lies below zero."""
        return self.interval is not None and self.interval[1] < -NOTHING

    @property
    def clearly_better(self) -> bool:
        """The whole interval lies above zero."""
        return self.interval is not None and self.interval[0] > NOTHING

    def row(self) -> tuple[str, ...]:
        """`COLUMNS` as text."""
        word = "clearly worse" if self.clearly_worse else "clearly better" if self.clearly_better else "within chance"
        return (
            self.dataset,
            self.target,
            str(self.places),
            *(_both(self.candidate, self.current, name) for name in ("f1", "object_f1", "false_alarms_per_10000_m2")),
            f"{100 * self.score:+.1f}",
            "–" if self.interval is None else f"{100 * self.interval[0]:+.1f} … {100 * self.interval[1]:+.1f}",
            word,
        )


COLUMNS = ("set", "target", "places", "F1", "object F1", "false alarms", "points", f"{LEVEL:.0%}", "")


@dataclass(frozen=True)
class Comparison:
    """A candidate against the current bundle on every set."""

    candidate: str
    current: str
    differences: tuple[Difference, ...]

    @property
    def mean(self) -> float:
        """Mean over the sets of the difference in score."""
        return float(np.mean([d.score for d in self.differences]))

    @property
    def reasons(self) -> list[str]:
        """Why the candidate is refused; nothing where it is not."""
        worse = [
            f"clearly worse on {d.dataset} ({100 * d.score:+.1f} points)" for d in self.differences if d.clearly_worse
        ]
        if self.mean < -NOTHING:
            worse.append(
                f"worse on the whole ({100 * self.mean:+.2f} points in the mean of {len(self.differences)} sets)"
            )
        return worse

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "candidate": self.candidate,
            "current": self.current,
            "mean": self.mean,
            "refused": self.reasons,
            "sets": [
                {"set": d.dataset, "target": d.target, "places": d.places, "score": d.score, "interval": d.interval,
                 "intervals": d.figures}
                for d in self.differences
            ],
        }  # fmt: skip


def compare_bundles(evaluations: Sequence[Evaluation]) -> Comparison:
    """From evaluations of two methods each: candidate first, current second.

    Raises UsageError where no set has a target that both answer.
    """
    differences = [d for d in (_difference(e) for e in evaluations) if d is not None]
    if not differences:
        raise UsageError(
            "no set that both bundles answer", remedy="Give labelled pictures, or set CVPIPE_SHARED to where they lie."
        )
    first, second = evaluations[0].scores[:2]
    return Comparison(first.method, second.method, tuple(differences))


def install(candidate: Path, current: Path) -> Path | None:
    """Put a copy of the bundle in `candidate` where `current` lies; the one there is kept beside it. Its new folder.

    The copy is loaded and its golden tile asked before anything moves. Renames on one file system: at no time does a
    half-written bundle stand under the name. Raises BundleError where the copy is no sound bundle, UsageError where
    both are one folder.
    """
    if current.exists() and candidate.resolve() == current.resolve():
        raise UsageError("is the current bundle itself", where=candidate, remedy="Name another candidate.")
    stage = current.with_name(f".{current.name}.{uuid.uuid4().hex[:8]}")
    previous = current.with_name(current.name + PREVIOUS)
    try:
        shutil.copytree(candidate, stage)
        load_bundle(stage, device="cpu")
        return _swap(stage, current, previous)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _swap(stage: Path, current: Path, previous: Path) -> Path | None:
    if not current.exists():
        stage.rename(current)
        return None
    older = stage.with_name(stage.name + ".older")
    if previous.exists():
        previous.rename(older)
    current.rename(previous)
    try:
        stage.rename(current)
    except OSError:
        previous.rename(current)
        if older.exists():
            older.rename(previous)
        raise
    shutil.rmtree(older, ignore_errors=True)
    return previous


def _difference(evaluation: Evaluation) -> Difference | None:
    candidate, current = evaluation.scores[:2]
    target = main_target(evaluation)
    if target is None or not current.pictures_with(target.name):
        return None
    ours, theirs = (_by_place(score, target.name) for score in (candidate, current))
    places = sorted(ours)
    mine, yours = [ours[p] for p in places], [theirs[p] for p in places]
    sums = figures(sum(mine, Tally())), figures(sum(yours, Tally()))
    drawn = [_score(a) - _score(b) for a, b in paired_draws(mine, yours)]
    edges = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    low_high = tuple(float(v) for v in np.quantile(drawn, edges)) if drawn else None
    return Difference(
        dataset=evaluation.dataset.name,
        target=target.name,
        places=len(places),
        candidate=sums[0],
        current=sums[1],
        score=_score(sums[0]) - _score(sums[1]),
        interval=None if low_high is None else (low_high[0], low_high[1]),
        figures=paired_intervals(mine, yours),
    )


def _score(found: Figures) -> float:
    if found.f1 is None or found.object_f1 is None:
        return -(found.false_alarms_per_10000_m2 or 0.0) / 100  # one alarm more per 10,000 m² is a point
    return (found.f1 + found.object_f1) / 2


def _by_place(score: MethodScore, target: str) -> dict[str, Tally]:
    places: dict[str, Tally] = {}
    for picture in score.pictures:
        if target in picture.tallies:
            places[picture.place] = places.get(picture.place, Tally()) + picture.tallies[target]
    return places


def _both(candidate: Figures, current: Figures, name: str) -> str:
    values = [getattr(found, name) for found in (current, candidate)]
    return " → ".join("–" if v is None else f"{v:.2f}" for v in values)


__all__ = ["COLUMNS", "PREVIOUS", "Comparison", "Difference", "compare_bundles", "install"]
