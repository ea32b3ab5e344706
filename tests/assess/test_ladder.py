"""One scene, a later scene, a person: what is told of a site's life, and what is shown of it meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from cvpipe.assess.rules import LadderRules, Rules
from cvpipe.assess.standing import FlagReason, state_of
from cvpipe.domain import (
    ChangeKind,
    Decision,
    Inspection,
    InspectionResult,
    Outcome,
    Question,
    ReviewReason,
    Rung,
    SiteStatus,
    Stage,
)
from cvpipe.ledger.records import AssessmentRecord, Entry, SiteState
from tests.assess.lives import BASELINE, CODE, RULES, clouded, day, doubtful, ground, life, move, remediation, watch

AT = datetime(2020, 1, 1, tzinfo=UTC)
STANDS, CLEAR, LITTERED = ground(structure=600), ground(), ground(rubble=300)


def told(state: SiteState) -> list[tuple[Stage, Rung, date, date | None]]:
    """Stage, rung and the two dates between which each stage came about."""
    return [(s.stage, s.rung, s.first_seen, s.not_yet_on) for s in state.sightings]


def decided(record: AssessmentRecord, question: Question, verdict: Outcome) -> Entry[Decision]:
    """A reviewer's word on an assessment."""
    return Entry(1, AT, Decision(CODE, "reviewer", question, verdict, record.assessment.key))


def agreed(record: AssessmentRecord, question: Question, verdict: Outcome) -> list[Entry[Decision]]:
    """The same word of two reviewers."""
    first = decided(record, question, verdict)
    return [first, replace(first, id=2, value=replace(first.value, who="another"))]


def test_nothing_seen_tells_nothing() -> None:
    assert state_of(life([]), RULES) == SiteState(CODE)
    assert state_of(life([clouded(1, BASELINE, day(3))]), RULES) == SiteState(CODE)


def test_one_scene_is_provisional_and_shown() -> None:
    state = state_of(life([remediation(1, day(3), CLEAR)]), RULES)
    assert told(state) == [(Stage.CLEARED, Rung.PROVISIONAL, day(3), BASELINE)]
    assert (state.stage, state.rung, state.last_seen) == (Stage.CLEARED, Rung.PROVISIONAL, day(3))


def test_a_later_scene_confirms() -> None:
    state = state_of(life([remediation(1, day(3), CLEAR), remediation(2, day(6), CLEAR)]), RULES)
    assert told(state) == [(Stage.CLEARED, Rung.SCENE, day(3), BASELINE)]
    assert state.sightings[0].confirmed_on == day(6)
    assert state.sightings[0].area_m2 == 600
    assert (state.stage, state.rung, state.last_seen) == (Stage.CLEARED, Rung.SCENE, day(6))


def test_what_lies_beyond_a_stage_confirms_it() -> None:
    epochs = [remediation(1, day(3), STANDS), remediation(2, day(4), LITTERED), remediation(3, day(5), CLEAR)]
    assert told(state_of(life(epochs), RULES)) == [
        (Stage.DEMOLISHED, Rung.SCENE, day(4), day(3)),
        (Stage.CLEARED, Rung.PROVISIONAL, day(5), day(4)),
    ]


def test_what_a_later_scene_takes_back_is_confirmed_as_far_as_both_agree() -> None:
    epochs = [remediation(1, day(3), CLEAR), remediation(2, day(4), LITTERED)]
    assert told(state_of(life(epochs), RULES)) == [(Stage.DEMOLISHED, Rung.SCENE, day(3), BASELINE)]


def test_one_wrong_epoch_is_forgotten() -> None:
    shown = [CLEAR, CLEAR, STANDS, CLEAR]
    epochs = [remediation(i, day(3 + i), m) for i, m in enumerate(shown)]
    held, wrong, right = (state_of(life(epochs[:n]), RULES) for n in (2, 3, 4))
    assert (wrong.stage, wrong.last_seen) == (Stage.CLEARED, day(4))
    assert [s.rung for s in wrong.sightings] == [Rung.SCENE, Rung.PROVISIONAL]
    assert wrong.flag is not None
    assert wrong.flag.reason == FlagReason.CONTRADICTORY
    assert right.sightings == held.sightings
    assert right.flag is None


def test_two_epochs_in_a_row_take_a_stage_back() -> None:
    shown = [CLEAR, CLEAR, LITTERED, LITTERED]
    state = state_of(life([remediation(i, day(3 + i), m) for i, m in enumerate(shown)]), RULES)
    assert state.stage is Stage.DEMOLISHED
    assert told(state)[1:] == [(Stage.DEMOLISHED, Rung.SCENE, day(5), day(4))]


def test_clouds_between_change_nothing() -> None:
    clear = [remediation(1, day(3), CLEAR), remediation(3, day(5), CLEAR)]
    assert state_of(life([*clear, clouded(2, BASELINE, day(4))]), RULES) == state_of(life(clear), RULES)


def test_demolished_ground_that_is_half_hidden_speaks_neither_for_clear_nor_against() -> None:
    half = remediation(3, day(5), CLEAR)
    gone = tuple(v for v in half.assessment.verdicts if v.question is Question.DEMOLITION)
    hidden = clouded(4, BASELINE, day(5), [Question.CLEARANCE, Question.GREENING])
    partly = replace(half, assessment=replace(half.assessment, verdicts=gone))
    once = [remediation(1, day(3), CLEAR)]
    assert told(state_of(life([*once, partly, hidden]), RULES)) == [
        (Stage.DEMOLISHED, Rung.SCENE, day(3), BASELINE),
        (Stage.CLEARED, Rung.PROVISIONAL, day(3), BASELINE),
    ]


def test_a_flagged_scene_is_not_shown_until_another_agrees() -> None:
    asked = (Question.DEMOLITION, Question.CLEARANCE)
    epochs = [doubtful(remediation(i, day(3 + i), CLEAR), *asked) for i in range(2)]
    once, twice = (state_of(life(epochs[:n]), RULES) for n in (1, 2))
    assert (once.stage, once.sightings[0].rung) == (None, Rung.PROVISIONAL)
    assert (twice.stage, twice.rung) == (Stage.CLEARED, Rung.SCENE)
    assert twice.flag is not None
    assert (twice.flag.reason, twice.flag.assessment_id) == (FlagReason.UNCERTAIN, 1)
    assert set(asked) <= set(twice.flag.questions)


def test_flagged_scenes_take_nothing_back() -> None:
    """Perhaps there is rubble, on two days: what was confirmed as clear stays so, and a person looks."""
    clear = [remediation(i, day(3 + i), CLEAR) for i in range(2)]
    perhaps = [doubtful(remediation(i, day(3 + i), LITTERED), Question.CLEARANCE) for i in range(2, 4)]
    state = state_of(life([*clear, *perhaps]), RULES)
    assert (state.stage, state.last_seen) == (Stage.CLEARED, day(4))
    assert state.flag is not None
    assert (state.flag.reason, state.flag.questions[0]) == (FlagReason.CONTRADICTORY, Question.CLEARANCE)


def test_a_flagged_scene_does_not_refute_what_speaks_against_a_confirmed_clearing() -> None:
    shown = [CLEAR, CLEAR, LITTERED, CLEAR, LITTERED]
    epochs = [remediation(i, day(3 + i), m) for i, m in enumerate(shown)]
    perhaps = doubtful(epochs[3], Question.CLEARANCE)
    assert state_of(life(epochs), RULES).stage is Stage.CLEARED
    state = state_of(life([*epochs[:3], perhaps, epochs[4]]), RULES)
    assert told(state)[1:] == [(Stage.DEMOLISHED, Rung.SCENE, day(5), day(4))]


@pytest.mark.parametrize(("doubts", "lasts"), [([False], False), ([True], True), ([True, True], False)])
def test_a_suspicion_ends_with_one_quiet_scene_or_with_two_doubtful_ones(doubts: list[bool], lasts: bool) -> None:
    clear = [remediation(1, day(3), CLEAR), remediation(2, day(4), CLEAR)]
    rebuilt = [remediation(3, day(5), ground(added=80)), watch(4, day(3), day(5), 80)]
    later = [remediation(10 + i, day(6 + i), CLEAR) for i in range(len(doubts))]
    quiet = [watch(20 + i, day(3), day(6 + i), 0) for i in range(len(doubts))]
    watched = [doubtful(one, Question.REBOUND) if doubt else one for one, doubt in zip(quiet, doubts, strict=True)]
    state = state_of(life([*clear, *rebuilt, *later, *watched]), RULES)
    assert (state.stage is Stage.REBOUND) is lasts
    assert (state.rebound_since is not None) is lasts


def test_people_confirm_at_once_and_settle_the_flag() -> None:
    near = doubtful(remediation(1, day(3), CLEAR), Question.DEMOLITION, Question.CLEARANCE)
    said = *agreed(near, Question.CLEARANCE, Outcome.MET), decided(near, Question.DEMOLITION, Outcome.COMPLETE)
    state = state_of(life([near], decisions=said), RULES)
    assert told(state) == [(Stage.CLEARED, Rung.PERSON, day(3), BASELINE)]
    assert (state.stage, state.flag) == (Stage.CLEARED, None)


def test_people_overrule_the_machine() -> None:
    clear = [remediation(1, day(3), CLEAR), remediation(2, day(4), CLEAR)]
    said = agreed(clear[1], Question.CLEARANCE, Outcome.NOT_MET)
    state = state_of(life(clear, decisions=said), RULES)
    assert told(state) == [(Stage.DEMOLISHED, Rung.PERSON, day(3), BASELINE)]


def test_a_decision_that_was_superseded_says_nothing() -> None:
    seen = remediation(1, day(3), CLEAR)
    first = decided(seen, Question.CLEARANCE, Outcome.NOT_MET)
    second = Entry(2, AT, Decision(CODE, "r", Question.CLEARANCE, Outcome.MET, seen.assessment.key, supersedes=1))
    assert state_of(life([seen], decisions=(first, second)), RULES).stage is Stage.CLEARED


def test_a_decision_that_was_taken_back_says_nothing() -> None:
    seen = remediation(1, day(3), CLEAR)
    first = decided(seen, Question.CLEARANCE, Outcome.NOT_MET)
    back = replace(first.value, reason=ReviewReason.WITHDRAWN.value, supersedes=1)
    assert state_of(life([seen], decisions=(first, Entry(2, AT, back))), RULES) == state_of(life([seen]), RULES)


@pytest.mark.parametrize(
    ("result", "stage"),
    [
        (InspectionResult.CLEAR, Stage.CLEARED),
        (InspectionResult.NOT_CLEAR, Stage.DEMOLISHED),
        (InspectionResult.REBOUND, Stage.REBOUND),
        (InspectionResult.NO_ACCESS, Stage.DEMOLISHED),
    ],
)
def test_a_visit_counts_as_a_persons_word(result: InspectionResult, stage: Stage) -> None:
    epochs = [remediation(1, day(3), LITTERED), remediation(2, day(4), LITTERED)]
    visit = Entry(1, AT, Inspection(CODE, day(5), result, "inspector"))
    assert state_of(life(epochs, inspections=[visit]), RULES).stage is stage


def test_ground_that_is_not_clear_does_not_say_that_structures_stand() -> None:
    visit = Entry(1, AT, Inspection(CODE, day(5), InspectionResult.NOT_CLEAR, "inspector"))
    state = state_of(life([], inspections=[visit], status=SiteStatus.CLEARED), RULES)
    assert (state.stage, state.last_seen, state.flag) == (None, None, None)


def test_an_epoch_that_does_not_tell_whether_ground_is_clear_does_not_show_it_littered() -> None:
    epochs = [remediation(i, day(3 + i), LITTERED) for i in range(3)]
    said = [decided(epochs[2], Question.CLEARANCE, Outcome.NOT_ASSESSABLE)]
    assert state_of(life(epochs), RULES).last_seen == day(5)
    assert state_of(life(epochs, decisions=said), RULES).last_seen == day(4)


@pytest.mark.parametrize(("later", "stage"), [(timedelta(1), Stage.CLEARED), (timedelta(-1), Stage.DEMOLISHED)])
def test_what_a_person_said_last_of_a_day_holds(later: timedelta, stage: Stage) -> None:
    seen = remediation(1, day(3), LITTERED)
    said = [replace(word, at=AT + later) for word in agreed(seen, Question.CLEARANCE, Outcome.MET)]
    visit = Entry(1, AT, Inspection(CODE, day(3), InspectionResult.NOT_CLEAR, "inspector"))
    state = state_of(life([seen], decisions=said, inspections=[visit]), RULES)
    assert state.stage is stage


def test_rebound_is_suspected_then_confirmed_by_a_second_scene() -> None:
    clear = [remediation(1, day(3), CLEAR), remediation(2, day(4), CLEAR)]
    rebuilt = [remediation(3, day(5), ground(added=80)), watch(4, day(3), day(5), 80)]
    again = [remediation(5, day(6), ground(added=110)), watch(6, day(3), day(6), 110)]
    suspected, confirmed = (state_of(life([*clear, *more]), RULES) for more in (rebuilt, rebuilt + again))
    assert (suspected.stage, suspected.rung, suspected.rebounds) == (Stage.REBOUND, Rung.PROVISIONAL, 0)
    assert (suspected.rebound_since, suspected.rebound_m2) == (day(5), 80)
    assert (confirmed.stage, confirmed.rung, confirmed.rebounds) == (Stage.REBOUND, Rung.SCENE, 1)
    assert (confirmed.rebound_since, confirmed.not_yet_on, confirmed.rebound_m2) == (day(5), day(4), 110)
    for state in (suspected, confirmed):
        assert state.flag is not None
        assert (state.flag.reason, state.flag.questions[0]) == (FlagReason.REBOUND, Question.REBOUND)


def test_a_rebound_lasts_until_something_else_may_be_shown() -> None:
    clear = [remediation(1, day(3), CLEAR), remediation(2, day(4), CLEAR)]
    rebuilt = [watch(3 + i, day(3), day(5 + i), 80) for i in range(2)]
    gone = [remediation(9, day(7), CLEAR), watch(10, day(3), day(7), 0)]
    asked = (Question.DEMOLITION, Question.CLEARANCE, Question.REBOUND)
    perhaps = state_of(life([*clear, *rebuilt, *(doubtful(record, *asked) for record in gone)]), RULES)
    surely = state_of(life([*clear, *rebuilt, *gone]), RULES)
    assert (perhaps.stage, perhaps.rebound_since) == (Stage.REBOUND, day(5))
    assert (surely.stage, surely.rebound_since, surely.rebounds) == (Stage.CLEARED, None, 1)


def test_two_reviewers_confirm_a_rebound_or_put_it_aside() -> None:
    clear = [remediation(1, day(3), CLEAR), remediation(2, day(4), CLEAR)]
    seen = watch(4, day(3), day(5), 80)
    rebuilt = [*clear, remediation(3, day(5), ground(added=80)), seen]
    yes = state_of(life(rebuilt, decisions=agreed(seen, Question.REBOUND, Outcome.SUSPECTED)), RULES)
    assert (yes.stage, yes.rung, yes.rebounds, yes.flag) == (Stage.REBOUND, Rung.PERSON, 1, None)
    no = state_of(life(rebuilt, decisions=agreed(seen, Question.REBOUND, Outcome.NONE)), RULES)
    assert no.rebounds == 0
    assert Stage.REBOUND not in {s.stage for s in no.sightings}


def test_confirming_a_rebound_as_a_move_counts_as_a_persons_word() -> None:
    moves = [
        move(1, SiteStatus.CLEARED, SiteStatus.CLOSED, day(4)),
        move(2, SiteStatus.CLOSED, SiteStatus.REBOUND, day(6)),
    ]
    clear = [remediation(1, day(3), CLEAR), remediation(2, day(4), CLEAR)]
    state = state_of(life(clear, moves, SiteStatus.REBOUND), RULES)
    assert (state.stage, state.rung, state.rebound_since) == (Stage.REBOUND, Rung.PERSON, day(6))


def test_a_winter_takes_no_green_back() -> None:
    leaf = [150.0, 160.0, 0.0, 170.0]
    states = [
        state_of(life([remediation(i, day(3 + i), ground(green=m2)) for i, m2 in enumerate(leaf[:n])]), RULES)
        for n in (1, 2, 3, 4)
    ]
    assert [state.greening for state in states] == [Outcome.GAINED] * 4
    green = [[s.rung for s in state.sightings if s.stage is Stage.GREEN] for state in states]
    assert green == [[Rung.PROVISIONAL], [Rung.SCENE], [Rung.SCENE], [Rung.SCENE]]


def test_a_large_clearing_seen_once_is_high_stakes() -> None:
    rules = Rules(ladder=LadderRules(high_stakes_m2=500))
    once = state_of(life([remediation(1, day(3), CLEAR)]), rules)
    assert once.flag is not None
    assert once.flag.reason == FlagReason.HIGH_STAKES
    assert state_of(life([remediation(1, day(3), CLEAR), remediation(2, day(4), CLEAR)]), rules).flag is None


def test_a_claim_that_the_pictures_contradict_is_flagged() -> None:
    epochs = [remediation(1, day(3), STANDS), remediation(2, day(4), STANDS)]
    state = state_of(life(epochs, status=SiteStatus.CLEARED), RULES)
    assert state.flag is not None
    assert (state.flag.reason, state.flag.questions) == (FlagReason.CLAIM, (Question.DEMOLITION,))
    assert state_of(life(epochs), RULES).flag is None


def test_more_scenes_may_be_asked_for() -> None:
    rules = Rules(ladder=LadderRules(scenes_to_confirm=3))
    epochs = [remediation(i, day(3 + i), CLEAR) for i in range(3)]
    assert [state_of(life(epochs[:n]), rules).rung for n in (1, 2, 3)] == [Rung.PROVISIONAL] * 2 + [Rung.SCENE]


def test_where_there_was_nothing_to_demolish_only_the_watch_tells() -> None:
    bare = replace(CLEAR, surface_before_m2=CLEAR.surface_after_m2, change_m2=dict.fromkeys(ChangeKind, 0.0))
    epochs = [remediation(1, day(3), bare), remediation(2, day(4), bare)]
    assert state_of(life(epochs, status=SiteStatus.CLOSED), RULES).stage is None
    watched = [*epochs, watch(3, day(3), day(4), 90), watch(4, day(3), day(5), 95)]
    assert state_of(life(watched, status=SiteStatus.CLOSED), RULES).stage is Stage.REBOUND
