"""When people's answers count, on the page and on the ladder alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cvpipe.assess.opinions import settled
from cvpipe.assess.rules import ConfirmationRules, OpinionsNeeded, Rules, rules_of
from cvpipe.assess.standing import FlagReason, state_of
from cvpipe.domain import Decision, Outcome, Plan, Question, ReviewReason, Rung, Stage
from cvpipe.errors import SettingsError
from cvpipe.ledger.records import AssessmentRecord, Entry
from cvpipe.settings import parse_settings
from tests.assess.lives import CODE, RULES, day, doubtful, ground, life, remediation, site, watch

AT = datetime(2020, 1, 1, tzinfo=UTC)
NO, YES, CANNOT = Outcome.NONE, Outcome.SUSPECTED, Outcome.NOT_ASSESSABLE


def opinions(question: Question, *answers: Outcome, key: str | None = "key", reason: str = "") -> list[Entry[Decision]]:
    """One answer of each of several persons."""
    return [
        Entry(number, AT + timedelta(hours=number), Decision(CODE, f"reviewer-{number}", question, answer, key, reason))
        for number, answer in enumerate(answers, start=1)
    ]


@pytest.mark.parametrize(
    ("answers", "stands"),
    [
        ((), None),
        ((YES,), None),
        ((YES, NO), None),
        ((YES, YES), YES),
        ((YES, NO, NO), NO),
        ((YES, NO, YES), YES),
        ((YES, NO, CANNOT), CANNOT),
    ],
)
def test_rebound_needs_two_who_agree_and_a_third_where_they_do_not(
    answers: Sequence[Outcome], stands: Outcome | None
) -> None:
    said = opinions(Question.REBOUND, *answers)
    assert settled(Question.REBOUND, YES, said, RULES.confirmation) is stands


def test_one_is_enough_for_demolition_and_two_who_differ_are_none() -> None:
    one, two = (opinions(Question.DEMOLITION, *a) for a in ((Outcome.PARTIAL,), (Outcome.PARTIAL, Outcome.NONE)))
    assert settled(Question.DEMOLITION, Outcome.COMPLETE, one, RULES.confirmation) is Outcome.PARTIAL
    assert settled(Question.DEMOLITION, Outcome.COMPLETE, two, RULES.confirmation) is None


@pytest.mark.parametrize(
    ("machine", "answer", "stands"),
    [
        (Outcome.NOT_MET, Outcome.NOT_MET, Outcome.NOT_MET),
        (Outcome.NOT_MET, Outcome.MET, None),
        (Outcome.MET, Outcome.NOT_MET, None),
        (None, Outcome.MET, None),
    ],
)
def test_ground_that_anybody_calls_clear_needs_two(
    machine: Outcome | None, answer: Outcome, stands: Outcome | None
) -> None:
    assert settled(Question.CLEARANCE, machine, opinions(Question.CLEARANCE, answer), RULES.confirmation) is stands


def test_the_rules_say_how_many() -> None:
    alone = ConfirmationRules(opinions_needed=OpinionsNeeded(rebound=1))
    assert settled(Question.REBOUND, YES, opinions(Question.REBOUND, NO), alone) is NO
    with pytest.raises(SettingsError, match="last_word_at must be more than the 3"):
        parse_settings({"opinions_needed": {"rebound": 3}}, ConfirmationRules, where="rules.yaml")
    own = replace(site(), plan=Plan(rules={"confirmation": {"last_word_at": 9}}))
    with pytest.raises(SettingsError, match="'confirmation' holds for the whole ledger"):
        rules_of(own, Rules())


def rebuilt() -> tuple[list[AssessmentRecord], AssessmentRecord]:
    """Clear ground on two epochs and a suspected rebound on a third, with the watch that shows it."""
    clear = [remediation(1, day(3), ground()), remediation(2, day(4), ground())]
    seen = watch(4, day(3), day(5), 80)
    return [*clear, remediation(3, day(5), ground(added=80)), seen], seen


@pytest.mark.parametrize("answers", [(YES,), (YES, NO), (NO,)])
def test_what_is_not_settled_changes_nothing_on_the_ladder(answers: Sequence[Outcome]) -> None:
    records, seen = rebuilt()
    said = opinions(Question.REBOUND, *answers, key=seen.assessment.key)
    assert state_of(life(records, decisions=said), RULES) == state_of(life(records), RULES)


def test_two_who_agree_confirm_a_rebound_or_put_it_aside() -> None:
    records, seen = rebuilt()
    yes, no = (
        state_of(life(records, decisions=opinions(Question.REBOUND, a, a, key=seen.assessment.key)), RULES)
        for a in (YES, NO)
    )
    assert (yes.stage, yes.rung, yes.rebounds, yes.flag) == (Stage.REBOUND, Rung.PERSON, 1, None)
    assert (no.stage, no.rebounds, no.rebound_since) == (Stage.CLEARED, 0, None)


def test_who_asks_for_a_visit_leaves_the_alarm_and_ends_the_looking() -> None:
    records, seen = rebuilt()
    asked = opinions(Question.REBOUND, CANNOT, key=seen.assessment.key, reason=ReviewReason.SITE_VISIT.value)
    before, after = state_of(life(records), RULES), state_of(life(records, decisions=asked), RULES)
    assert before.flag is not None
    assert before.flag.reason == FlagReason.REBOUND
    assert (after.stage, after.rung, after.rebound_since) == (Stage.REBOUND, Rung.PROVISIONAL, day(5))
    assert after.flag is None


def test_words_on_no_assessment_are_held_together_until_the_next_epoch() -> None:
    """Two persons who answer before a new picture answer the same thing; one before and one after do not."""
    first, later = (
        replace(entry, at=datetime(year, 1, 1, tzinfo=UTC))
        for entry, year in zip(
            opinions(Question.CLEARANCE, Outcome.MET, Outcome.MET, key=None), (2018, 2019), strict=True
        )
    )
    littered = doubtful(remediation(1, day(3), ground(rubble=300)), Question.CLEARANCE)
    between = doubtful(remediation(2, day(7, 2018), ground(rubble=300)), Question.CLEARANCE)
    together = state_of(life([littered], decisions=[first, later]), RULES)
    apart = state_of(life([littered, between], decisions=[first, later]), RULES)
    assert (together.stage, together.rung) == (Stage.CLEARED, Rung.PERSON)
    assert apart.stage is not Stage.CLEARED
