"""Which verdict holds now, out of all that were ever given for a site."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from cvpipe.domain import Outcome, Question, Verdict
from cvpipe.ledger.records import AssessmentRecord


@dataclass(frozen=True)
class Standing:
    """The verdict that holds for one question, and the assessment it comes from.

    `unseen_since` is the date of a newer epoch that could not answer the question; None where there is none.
    """

    verdict: Verdict
    record: AssessmentRecord
    unseen_since: date | None = None


def current_verdicts(records: Iterable[AssessmentRecord]) -> dict[Question, Standing]:
    """The verdict of each question that holds now, for the assessments of one site.

    The newest later epoch answers, of equal dates the assessment written last. A newer epoch that could not be
    assessed takes nothing back: the last answer stands, and `unseen_since` tells of it.
    """
    newest_first = sorted(records, key=_recency, reverse=True)
    return {
        question: _standing(given)
        for question in Question
        if (given := [(v, r) for r in newest_first for v in r.assessment.verdicts if v.question is question])
    }


def _standing(given: list[tuple[Verdict, AssessmentRecord]]) -> Standing:
    """`given` holds the verdicts of one question, newest first."""
    newest, newest_record = given[0]
    answered = next(((v, r) for v, r in given if v.outcome is not Outcome.NOT_ASSESSABLE), None)
    if answered is None or answered[0] is newest:
        return Standing(newest, newest_record)
    return Standing(*answered, unseen_since=newest_record.after_date)


def _recency(record: AssessmentRecord) -> tuple[date, int]:
    return record.after_date or date.min, record.id


__all__ = ["Standing", "current_verdicts"]
