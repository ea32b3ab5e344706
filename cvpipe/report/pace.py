"""How fast people review, and how often they agree with the machine. No names: a report is no record of persons."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from cvpipe.domain import Decision
from cvpipe.ledger.records import AssessmentRecord, Entry

#: Days over which the present pace is reckoned: four working weeks smooth holidays and field days.
PACE_DAYS = 28


@dataclass(frozen=True)
class Pace:
    """What people have decided: `per_month` numbers by month (its first day), `waiting` sites in the queue.

    `median_s` is the time spent on one decision, `agreement` the share of decisions that say what the machine said;
    both None where nothing tells. `weeks_left` is how long the queue lasts at the pace of the last four weeks, None
    where nobody decided in them.
    """

    decided: int
    people: int
    per_month: tuple[tuple[date, int], ...]
    median_s: float | None
    agreement: float | None
    per_week: float
    waiting: int

    @property
    def weeks_left(self) -> float | None:
        """Weeks until nothing waits any more."""
        return self.waiting / self.per_week if self.per_week else None


def pace_of(
    decisions: Sequence[Entry[Decision]], records: Iterable[AssessmentRecord], waiting: int, on: date
) -> Pace | None:
    """The pace of standing decisions, as of a day; None where nobody decided and nothing waits."""
    if not decisions and not waiting:
        return None
    said = {(r.assessment.key, v.question): v.outcome for r in records for v in r.assessment.verdicts}
    agreed = [
        said[item] is entry.value.verdict
        for entry in decisions
        if (item := (entry.value.assessment_key or "", entry.value.question)) in said
    ]
    seconds = [entry.value.seconds for entry in decisions if entry.value.seconds is not None]
    recent = sum((on - entry.at.date()).days < PACE_DAYS for entry in decisions)
    months = Counter(entry.at.date().replace(day=1) for entry in decisions)
    return Pace(
        decided=len(decisions),
        people=len({entry.value.who for entry in decisions}),
        per_month=tuple(sorted(months.items())),
        median_s=statistics.median(seconds) if seconds else None,
        agreement=statistics.mean(agreed) if agreed else None,
        per_week=recent * 7 / PACE_DAYS,
        waiting=waiting,
    )


__all__ = ["Pace", "pace_of"]
