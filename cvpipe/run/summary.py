"""What a run did, counted as it goes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date

from cvpipe.domain import Assessment, Outcome, Question, Reason


@dataclass(frozen=True)
class Failure:
    """A unit that could not be assessed, and why. `rests_until` (UTC) is set for one that this run did not try."""

    site_code: str
    epoch: date | None
    reason: str
    rests_until: str | None = None


@dataclass
class RunSummary:
    """What a run did. `run_id` is None where nothing was pending; `outcomes` counts new verdicts.

    `candidates` are new ones, `seen_again` earlier ones that a later epoch shows too (`cvpipe.run.sweep`).
    `tried_again` counts attempts after a failure. `stopped` says why a run ended before all was done: what it had
    written by then is kept, and the next run goes on.
    """

    run_id: int | None = None
    sites: int = 0
    assessed: int = 0
    known: int = 0
    not_assessable: Counter[Reason] = field(default_factory=Counter)
    outcomes: Counter[tuple[Question, Outcome]] = field(default_factory=Counter)
    changes: int = 0
    candidates: int = 0
    seen_again: int = 0
    failures: list[Failure] = field(default_factory=list)
    tried_again: int = 0
    stopped: str | None = None
    megapixels: float = 0.0
    seconds: float = 0.0
    rules: set[str] = field(default_factory=set)

    def take(self, assessment: Assessment) -> None:
        """Count an assessment that was written."""
        self.assessed += 1
        self.changes += len(assessment.changes)
        self.outcomes.update((v.question, v.outcome) for v in assessment.verdicts)
        self.not_assessable.update({v.reason for v in assessment.verdicts if v.reason is not None})

    @property
    def set_aside(self) -> int:
        """Units that were not tried, as they failed before."""
        return sum(failure.rests_until is not None for failure in self.failures)

    def counts(self) -> dict[str, int]:
        """The figures that the ledger keeps of the run."""
        return {
            "sites": self.sites,
            "assessed": self.assessed,
            "known": self.known,
            "not_assessable": sum(self.not_assessable.values()),
            "changes": self.changes,
            "candidates": self.candidates,
            "failed": len(self.failures),
            "set_aside": self.set_aside,
            "kilopixels": round(self.megapixels * 1000),
            "milliseconds": round(self.seconds * 1000),
        }
