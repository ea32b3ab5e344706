"""How far the campaign was at each epoch: running totals over all sites.

Sites are counted where they were seen to stand (their sightings), areas as measured; so the last point says what the
totals of the report say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from cvpipe.domain import ChangeKind, Outcome, Question, Rung, Stage
from cvpipe.ledger.records import AssessmentRecord, SiteState

Row = NDArray[np.float64]
"""(4,): the four figures of a `TrendPoint`."""

#: How a site that was seen at a stage counts as demolished, and as clear.
_COUNTS = {Stage.DEMOLISHED: (1.0, 0.0), Stage.CLEARED: (1.0, 1.0)}


@dataclass(frozen=True)
class TrendPoint:
    """What the pictures had shown by an epoch: sites demolished and clear, m² of structure gone and of green added."""

    on: date
    demolished: int
    clear: int
    removed_m2: float
    green_added_m2: float


def trend_of(sites: Iterable[tuple[SiteState, Sequence[AssessmentRecord]]]) -> tuple[TrendPoint, ...]:
    """A point for each epoch; `sites` gives each site's state and assessments, oldest epoch first.

    An epoch that cannot answer takes nothing back: the site counts as it did before.
    """
    steps: dict[date, Row] = defaultdict(lambda: np.zeros(4))
    for state, records in sites:
        for counted in (_stages(state), _areas(records)):
            for on, step in _steps(counted):
                steps[on] += step
    total, points = np.zeros(4), list[TrendPoint]()
    for on in sorted(steps):
        total = total + steps[on]
        points.append(TrendPoint(on, round(total[0]), round(total[1]), float(total[2]), float(total[3])))
    return tuple(points)


def _steps(counted: Iterable[tuple[date, Row]]) -> Iterator[tuple[date, Row]]:
    """By how much one site changes the totals at each of its days."""
    held = np.zeros(4)
    for on, now in counted:
        yield on, now - held
        held = now


def _stages(state: SiteState) -> Iterator[tuple[date, Row]]:
    """What a site counts with from each stage on; a provisional one counts where the site shows it."""
    for seen in state.sightings:
        shows = (seen.stage, seen.first_seen) == (state.stage, state.since)
        if seen.stage is not Stage.GREEN and (shows or seen.rung is not Rung.PROVISIONAL):
            yield seen.first_seen, np.array([*_COUNTS.get(seen.stage, (0.0, 0.0)), 0.0, 0.0])


def _areas(records: Sequence[AssessmentRecord]) -> Iterator[tuple[date, Row]]:
    """What was measured by each epoch; the baseline counts with nothing."""
    first = min((r.before_date for r in records if r.before_date), default=None)
    if first is not None:
        yield first, np.zeros(4)
    for record in records:
        now = _measured(record)
        if record.after_date is not None and now is not None:
            yield record.after_date, now


def _measured(record: AssessmentRecord) -> Row | None:
    """What changed by one assessment, m²; None where it was not asked about demolition, or could not tell."""
    answers = {verdict.question: verdict.outcome for verdict in record.assessment.verdicts}
    measured = record.assessment.measurements
    if measured is None or answers.get(Question.DEMOLITION, Outcome.NOT_ASSESSABLE) is Outcome.NOT_ASSESSABLE:
        return None
    removed, green = (measured.change_m2[kind] for kind in (ChangeKind.STRUCTURE_REMOVED, ChangeKind.GREEN_ADDED))
    return np.array([0.0, 0.0, removed, green])


__all__ = ["TrendPoint", "trend_of"]
