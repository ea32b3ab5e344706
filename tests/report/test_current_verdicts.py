"""Which verdict holds now."""

from __future__ import annotations

from datetime import UTC, date, datetime

from cvpipe.domain import Assessment, Outcome, Question, Reason, Verdict
from cvpipe.ledger import AssessmentRecord
from cvpipe.report import current_verdicts

SPRING, SUMMER = date(2017, 3, 1), date(2017, 7, 1)


def record(number: int, after: date | None, *verdicts: Verdict) -> AssessmentRecord:
    assessment = Assessment("A-1", f"key {number}", "before", "after", "bundle", "rules", None, verdicts)
    return AssessmentRecord(number, 1, date(2015, 1, 1) if after else None, after, datetime.now(UTC), assessment)


def demolition(outcome: Outcome) -> Verdict:
    reason = Reason.CLOUD if outcome is Outcome.NOT_ASSESSABLE else None
    return Verdict(Question.DEMOLITION, outcome, reason=reason)


def test_newest_epoch_holds_whatever_the_order() -> None:
    old, new = record(2, SPRING, demolition(Outcome.PARTIAL)), record(1, SUMMER, demolition(Outcome.COMPLETE))
    for given in ([old, new], [new, old]):
        assert current_verdicts(given)[Question.DEMOLITION].record is new


def test_of_one_epoch_the_last_written_holds() -> None:
    first, second = record(1, SPRING, demolition(Outcome.PARTIAL)), record(2, SPRING, demolition(Outcome.COMPLETE))
    assert current_verdicts([second, first])[Question.DEMOLITION].record is second


def test_each_question_has_its_own_newest_epoch() -> None:
    remediation = record(1, SPRING, demolition(Outcome.COMPLETE))
    watch = record(2, SUMMER, Verdict(Question.REBOUND, Outcome.NONE))
    held = current_verdicts([remediation, watch])
    assert held[Question.DEMOLITION].record is remediation
    assert held[Question.REBOUND].record is watch
    assert Question.GREENING not in held


def test_a_cloudy_epoch_takes_no_answer_back() -> None:
    seen, cloudy = (
        record(1, SPRING, demolition(Outcome.COMPLETE)),
        record(2, SUMMER, demolition(Outcome.NOT_ASSESSABLE)),
    )
    held = current_verdicts([seen, cloudy])[Question.DEMOLITION]
    assert (held.verdict.outcome, held.record, held.unseen_since) == (Outcome.COMPLETE, seen, SUMMER)


def test_without_any_answer_the_reason_holds() -> None:
    without_scene, cloudy = (
        record(1, None, demolition(Outcome.NOT_ASSESSABLE)),
        record(2, SPRING, demolition(Outcome.NOT_ASSESSABLE)),
    )
    held = current_verdicts([without_scene, cloudy])[Question.DEMOLITION]
    assert (held.verdict.reason, held.record, held.unseen_since) == (Reason.CLOUD, cloudy, None)
