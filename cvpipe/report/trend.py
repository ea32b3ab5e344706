"""How far the campaign was at each epoch, as the pictures tell: running totals over all sites."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from cvpipe.domain import ChangeKind, Outcome, Question
from cvpipe.ledger.records import AssessmentRecord

Row = NDArray[np.float64]
"""(4,): the four figures of a `TrendPoint`."""


@dataclass(frozen=True)
class TrendPoint:
    """What the pictures had shown by an epoch: sites demolished and clear, m² of structure gone and of green added."""

    on: date
    demolished: int
    clear: int
    removed_m2: float
    green_added_m2: float


def trend_of(sites: Iterable[Sequence[AssessmentRecord]]) -> tuple[TrendPoint, ...]:
    """A point for each epoch; `sites` gives the assessments of each site, oldest epoch first.

    An epoch that cannot answer takes nothing back: the site counts as it did before.
    """
    steps: dict[date, Row] = defaultdict(lambda: np.zeros(4))
    for records in sites:
        for on, step in _steps(records):
            steps[on] += step
    total, points = np.zeros(4), list[TrendPoint]()
    for on in sorted(steps):
        total = total + steps[on]
        points.append(TrendPoint(on, round(total[0]), round(total[1]), float(total[2]), float(total[3])))
    return tuple(points)


def _steps(records: Sequence[AssessmentRecord]) -> Iterator[tuple[date, Row]]:
    """By how much one site changes the totals at each of its epochs; the baseline counts with nothing."""
    held = np.zeros(4)
    first = min((r.before_date for r in records if r.before_date), default=None)
    if first is not None:
        yield first, np.zeros(4)
    for record in records:
        now = _counted(record)
        if record.after_date is not None and now is not None:
            yield record.after_date, now - held
            held = now


def _counted(record: AssessmentRecord) -> Row | None:
    """What a site counts with by one assessment; None where it was not asked about demolition, or could not tell."""
    answers = {verdict.question: verdict.outcome for verdict in record.assessment.verdicts}
    measured = record.assessment.measurements
    if measured is None or answers.get(Question.DEMOLITION, Outcome.NOT_ASSESSABLE) is Outcome.NOT_ASSESSABLE:
        return None
    return np.array(
        [
            answers[Question.DEMOLITION] is Outcome.COMPLETE,
            answers.get(Question.CLEARANCE) is Outcome.MET,
            measured.change_m2[ChangeKind.STRUCTURE_REMOVED],
            measured.change_m2[ChangeKind.GREEN_ADDED],
        ],
        dtype=np.float64,
    )


__all__ = ["TrendPoint", "trend_of"]
