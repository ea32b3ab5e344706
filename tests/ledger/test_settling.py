"""Where sites stand, as told from outside: sightings once each, the reviewers' queue, what is unsettled."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from cvpipe.domain import (
    Batch,
    Campaign,
    Decision,
    Outcome,
    Plan,
    Question,
    ReviewReason,
    Rung,
    Sighting,
    SiteStatus,
    Stage,
)
from cvpipe.errors import UnknownSiteError
from cvpipe.ledger import AuditRecord, Flag, Ledger, SiteLife, SiteState, audit, sighting_rows
from tests.ledger import samples
from tests.ledger.conftest import Store

CODE, OTHER = samples.FULL_SITE.code, "SJS-002"
TODAY = date(2017, 8, 1)
SEEN = samples.SIGHTING
CONFIRMED = replace(SEEN, rung=Rung.SCENE, confirmed_on=date(2017, 9, 1))
FLAG = Flag("uncertain", (Question.CLEARANCE, Question.DEMOLITION), 120.5, 1)


def settle(ledger: Ledger, *sightings: Sighting, code: str = CODE, **fields: object) -> SiteState:
    """Settle a site where a test says it stands."""
    state = SiteState(code, sightings=sightings, **fields)  # type: ignore[arg-type]
    return ledger.settle(code, lambda _: state, "rules-1")


def told(ledger: Ledger) -> list[tuple[str, str]]:
    """What the history says of sightings."""
    return [(h.action, h.sentence) for h in ledger.history(CODE) if h.kind == "sighting"]


def test_a_judge_is_given_all_that_is_known(filled: Ledger) -> None:
    samples.live(filled)
    lives: list[SiteLife] = []

    def judge(life: SiteLife) -> SiteState:
        lives.append(life)
        return SiteState(life.site.code)

    filled.settle(CODE, judge, "rules-1")
    (life,) = lives
    assert [len(part) for part in (life.records, life.decisions, life.inspections, life.moves)] == [1, 1, 1, 1]
    assert life == filled.life(CODE)
    assert life.since == filled.versions(CODE)[0].valid_from.date()
    with pytest.raises(UnknownSiteError):
        filled.settle("nobody", judge, "rules-1")


def test_a_state_comes_back_as_it_was_settled(filled: Ledger) -> None:
    given = SiteState(
        CODE,
        Stage.REBOUND,
        Rung.SCENE,
        date(2017, 7, 1),
        date(2017, 5, 1),
        date(2017, 9, 1),
        Outcome.NOT_MET,
        date(2017, 9, 1),
        2,
        date(2017, 7, 1),
        81.5,
        date(2018, 1, 1),
        FLAG,
        (SEEN,),
    )
    filled.settle(CODE, lambda _: given, "rules-1")
    assert filled.states([CODE]) == {CODE: replace(given, sightings=())}
    assert filled.observed()[CODE].status is SiteStatus.REBOUND
    assert set(filled.states()) == {CODE, OTHER}
    settle(filled)
    assert filled.states([CODE]) == {CODE: SiteState(CODE)}
    assert filled.verify().problems == ()


def test_a_stage_is_told_once_and_confirmed_once(filled: Ledger) -> None:
    for seen in (SEEN, SEEN, CONFIRMED, CONFIRMED):
        settle(filled, seen)
    assert told(filled) == [
        ("seen", "demolished, between 2015-10-01 and 2017-07-01, 400 m²; one scene so far"),
        ("confirmed", "demolished, between 2015-10-01 and 2017-07-01, 400 m²; the scene of 2017-09-01 shows it too"),
    ]
    (entry,) = filled.sightings(CODE)
    assert entry.value == CONFIRMED
    assert entry.at <= filled.audit()[-1].at
    assert filled.verify().problems == ()


def test_what_was_told_too_early_is_withdrawn_and_may_come_back(filled: Ledger) -> None:
    for seen in ((SEEN,), (), (SEEN,)):
        settle(filled, *seen)
    assert [action for action, _ in told(filled)] == ["seen", "withdrawn", "seen"]
    assert [entry.value for entry in filled.sightings()] == [SEEN]
    settle(filled, replace(SEEN, not_yet_on=date(2016, 1, 1)))
    assert told(filled)[-1][0] == "corrected"


def test_several_at_once_are_as_one_after_the_other(stores: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (audit, sighting_rows):
        monkeypatch.setattr(module, "now", lambda: datetime(2026, 11, 29, tzinfo=UTC))
    states = {
        CODE: SiteState(CODE, Stage.DEMOLISHED, Rung.SCENE, sightings=(CONFIRMED,), flag=FLAG),
        OTHER: SiteState(OTHER, rebounds=2, sightings=(replace(SEEN, site_code=OTHER),)),
    }
    trails, lives = list[list[AuditRecord]](), list[dict[str, SiteState]]()
    for together in (True, False):
        with Ledger.open(stores.copy("filled")) as ledger:
            if together:
                assert ledger.settle_all([CODE, OTHER], lambda life: states[life.site.code], "rules-1") == states
            else:
                for code in states:
                    ledger.settle(code, lambda life: states[life.site.code], "rules-1")
            assert ledger.unsettled("rules-1") == []
            assert ledger.touched_since(0).settled == len(states), "each settling has a number of its own"
            trails.append(ledger.audit())
            lives.append(ledger.states())
    assert [(row.action, row.kind) for row in trails[0][-2:]] == [("confirmed", "sighting"), ("seen", "sighting")]
    assert trails[0] == trails[1]
    assert lives[0] == lives[1]


def test_a_site_that_cannot_be_judged_stays_as_it_was(filled: Ledger) -> None:
    state = SiteState(OTHER, sightings=(replace(SEEN, site_code=OTHER),))
    told = filled.settle_all([CODE, OTHER], lambda life: state if life.site.code == OTHER else None, "rules-1")
    assert told == {CODE: None, OTHER: state}
    assert filled.unsettled("rules-1") == [CODE]
    assert [entry.value for entry in filled.sightings()] == list(state.sightings)


def test_a_site_is_unsettled_until_it_is_settled_and_after_all_that_bears_on_it(filled: Ledger) -> None:
    assert filled.unsettled("rules-1") == [CODE, OTHER]
    settle(filled, SEEN)
    settle(filled, code=OTHER)
    assert filled.unsettled("rules-1") == []
    assert filled.unsettled("rules-2", [OTHER]) == [OTHER]
    filled.decide(samples.DECISION)
    assert filled.unsettled("rules-1") == [CODE]
    settle(filled, SEEN)
    filled.move_site(OTHER, SiteStatus.CLEARED, who="leader", effective=date(2017, 1, 2))
    assert filled.unsettled("rules-1", [OTHER, CODE]) == [OTHER]
    assert filled.moves(OTHER)[0].value.effective == date(2017, 1, 2)
    assert "registered → cleared (from 2017-01-02 on)" in [h.sentence for h in filled.history(OTHER)]


def test_the_queue_holds_what_is_flagged_the_urgent_first(filled: Ledger) -> None:
    filled.put_sites([samples.site("SJS-003"), samples.site("SJS-004")], source="more.csv")
    filled.put_campaign(Campaign("c"))
    filled.put_batch(Batch("late", "c", date(2017, 6, 30)))
    for number, code in enumerate((OTHER, "SJS-003", "SJS-004"), start=2):
        filled.record(1, samples.assessment(code, f"key-{number}"))
    filled.put_sites([samples.site("SJS-004", batch="late", plan=Plan())], source="more.csv")
    settle(filled, flag=FLAG)
    settle(filled, code=OTHER, flag=Flag("uncertain", (Question.DEMOLITION,), 130.0, 2))
    settle(filled, code="SJS-003", flag=Flag("rebound", (Question.REBOUND,), 500.0, 3))
    settle(filled, code="SJS-004", flag=Flag("uncertain", (Question.CLEARANCE,), 100.0, 4))
    in_time = filled.review_queue(date(2017, 6, 30))
    assert [item.site_code for item in in_time] == ["SJS-003", OTHER, CODE, "SJS-004"]
    late = filled.review_queue(TODAY)
    assert [(item.site_code, item.overdue) for item in late] == [
        ("SJS-003", False),
        (CODE, True),
        ("SJS-004", True),
        (OTHER, False),
    ]
    assert [item.priority for item in late] == [1500, 1120.5, 1100, 130]
    assert (late[1].assessment_id, late[1].questions, late[1].reason) == (1, FLAG.questions, "uncertain")
    assert filled.review_queue(TODAY, 1) == late[:1]


def test_a_question_leaves_the_queue_as_it_is_decided(filled: Ledger) -> None:
    settle(filled, flag=FLAG)
    assert filled.review_queue(TODAY)[0].questions == FLAG.questions
    filled.decide(samples.DECISION)
    assert filled.review_queue(TODAY)[0].questions == (Question.DEMOLITION,)
    filled.decide(Decision(CODE, "reviewer", Question.DEMOLITION, Outcome.COMPLETE, "key-1"))
    assert filled.review_queue(TODAY) == []


def test_a_question_that_is_decided_and_still_flagged_stays_in_the_queue(filled: Ledger) -> None:
    """As where one person has spoken and the rules ask for two."""
    filled.decide(samples.DECISION)
    settle(filled, flag=FLAG)
    assert filled.review_queue(TODAY)[0].questions == FLAG.questions


def test_a_question_comes_back_as_its_answer_is_taken_back(filled: Ledger) -> None:
    settle(filled, flag=FLAG)
    made = filled.decide(samples.DECISION)
    filled.decide(replace(made.value, reason=ReviewReason.WITHDRAWN.value, supersedes=made.id))
    assert filled.review_queue(TODAY)[0].questions == FLAG.questions
