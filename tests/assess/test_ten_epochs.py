"""Ten epochs of one site, cloud and winter among them: cleared, closed, rebuilt, cleared again, closed again, green."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvpipe.assess.ladder import day_of
from cvpipe.assess.standing import state_of
from cvpipe.assess.watching import closings, watch_start
from cvpipe.domain import Outcome, Question, Rung, SiteStatus, Stage, StatusMove
from cvpipe.ledger.records import AssessmentRecord, Entry, SiteState
from tests.assess.lives import (
    BASELINE,
    RULES,
    clouded,
    day,
    doubtful,
    ground,
    life,
    move,
    remediation,
    watch,
)

CLOUD = None
S = SiteStatus


@dataclass(frozen=True)
class Epoch:
    """What stands, lies and grows on the site: m² of old structure, rubble, green, new structure; None under cloud."""

    on: date
    stands: float = 0.0
    rubble: float = 0.0
    green: float = 0.0
    rebuilt: float = 0.0
    cloud: bool = False
    winter: bool = False


EPOCHS = (
    Epoch(day(1), stands=600),
    Epoch(day(4), rubble=220),
    Epoch(day(6), cloud=True),
    Epoch(day(7)),
    Epoch(day(12), winter=True),  # a person closes the site on the 15th
    Epoch(day(16), rebuilt=140),
    Epoch(day(18), rebuilt=160),
    Epoch(day(24), winter=True),
    Epoch(day(29), green=300),
    Epoch(day(36), winter=True),
    Epoch(day(42), green=320),
)

MOVES = (
    move(1, S.REGISTERED, S.CLEARED, day(8)),
    move(2, S.CLEARED, S.CLOSED, date(2016, 12, 15)),
    move(3, S.CLOSED, S.REBOUND, date(2017, 6, 20)),
    move(4, S.REBOUND, S.CLEARED, day(25)),
    move(5, S.CLEARED, S.CLOSED, day(26)),
)

STORY = [
    (Stage.DEMOLISHED, day(4), day(1)),
    (Stage.CLEARED, day(7), day(4)),
    (Stage.REBOUND, day(16), day(12)),
    (Stage.CLEARED, day(24), date(2017, 6, 20)),
    (Stage.GREEN, day(29), day(24)),
]


def pairs(epochs: Sequence[Epoch], moves: Sequence[Entry[StatusMove]]) -> list[AssessmentRecord]:
    """The assessments that a run would make of these epochs, in order."""
    records, usable, complete = list[AssessmentRecord](), [BASELINE], None
    closed = closings(S.REGISTERED, BASELINE, moves)
    for epoch in epochs:
        number = len(records) + 1
        measured = ground(structure=epoch.stands, rubble=epoch.rubble, green=epoch.green, added=epoch.rebuilt)
        seen = remediation(number, epoch.on, measured)
        whole = clouded(number, BASELINE, epoch.on) if epoch.cloud else seen
        if epoch.winter:  # leaf off: a person should look before anybody misses the green
            whole = doubtful(whole, Question.GREENING)
        records.append(whole)
        since = watch_start(epoch.on, usable=usable, complete=complete, closed=closed)
        if since is not None and epoch.cloud:
            records.append(clouded(number + 1, since, epoch.on, [Question.REBOUND]))
        elif since is not None:
            records.append(watch(number + 1, since, epoch.on, epoch.rebuilt))
        if not epoch.cloud:
            usable.append(epoch.on)
            outcomes = {v.question: v.outcome for v in whole.assessment.verdicts}
            complete = complete or (epoch.on if outcomes[Question.DEMOLITION] is Outcome.COMPLETE else None)
    return records


def at_the_end_of(epoch: date, records: Sequence[AssessmentRecord]) -> SiteState:
    """What is told once an epoch was assessed, with the moves made by then."""
    known = [record for record in records if record.after_date and record.after_date <= epoch]
    moves = [entry for entry in MOVES if day_of(entry) <= epoch]
    return state_of(life(known, moves, moves[-1].value.becomes if moves else S.REGISTERED), RULES)


def test_the_story_is_told_once_each() -> None:
    state = state_of(life(pairs(EPOCHS, MOVES), MOVES, S.CLOSED), RULES)
    assert [(s.stage, s.first_seen, s.not_yet_on) for s in state.sightings] == STORY
    assert [s.rung for s in state.sightings] == [Rung.SCENE, Rung.SCENE, Rung.PERSON, Rung.SCENE, Rung.SCENE]
    assert (state.stage, state.greening, state.rebounds) == (Stage.CLEARED, Outcome.GAINED, 1)
    assert (state.rebound_since, state.flag) == (None, None)
    assert state.recheck_due == date(2019, 8, 30)  # 90 days after the last look, for it has a rebound behind it


def test_nothing_flickers_on_the_way() -> None:
    records = pairs(EPOCHS, MOVES)
    shown = [at_the_end_of(epoch.on, records).stage for epoch in EPOCHS]
    assert shown == [
        *(Stage.STANDING, Stage.DEMOLISHED, Stage.DEMOLISHED, Stage.CLEARED, Stage.CLEARED),
        *(Stage.REBOUND, Stage.REBOUND, Stage.CLEARED, Stage.CLEARED, Stage.CLEARED, Stage.CLEARED),
    ]


def test_what_was_told_is_never_taken_back() -> None:
    records = pairs(EPOCHS, MOVES)
    told: list[tuple[Stage, date]] = []
    for epoch in EPOCHS:
        now = [(s.stage, s.first_seen) for s in at_the_end_of(epoch.on, records).sightings]
        assert now[: len(told)] == told
        told = now


def test_each_closing_begins_a_watch_of_its_own() -> None:
    started = {r.after_date: r.before_date for r in pairs(EPOCHS, MOVES) if len(r.assessment.verdicts) == 1}
    assert started[day(12)] == day(4)  # before anybody closed: since it was seen demolished
    assert started[day(16)] == started[day(24)] == day(12)
    assert started[day(29)] == started[day(42)] == day(24)


def test_what_stood_when_a_person_closed_the_site_is_no_rebound() -> None:
    """Never seen complete, closed all the same: the watch begins with what was there."""
    closed = [date(2016, 12, 15)]
    assert watch_start(day(16), usable=[day(4), day(12)], complete=None, closed=closed) == day(12)
    assert watch_start(day(12), usable=[day(4)], complete=None, closed=closed) is None


def test_a_site_that_came_in_closed_is_watched_from_then_on() -> None:
    assert closings(S.CLOSED, day(6), []) == (day(6),)
    assert closings(S.CLOSED, day(6), MOVES[1:2]) == (date(2016, 12, 15),)
    assert closings(S.REGISTERED, day(6), []) == ()
    assert watch_start(day(9), usable=[day(7)], complete=None, closed=[day(6)]) == day(7)
    assert watch_start(day(7), usable=[day(7)], complete=None, closed=[day(6)]) is None


@pytest.mark.parametrize(
    ("quiet", "rebounds", "days"), [(0, False, 90), (1, False, 180), (2, False, 365), (5, False, 365), (2, True, 90)]
)
def test_the_quieter_a_site_the_longer_until_somebody_looks_again(quiet: int, rebounds: bool, days: int) -> None:
    closing = MOVES[1]
    before = [watch(1, day(4), day(5), 80), watch(2, day(4), day(6), 80)] if rebounds else []
    looks = [watch(10 + i, day(12), day(14 + i), 0) for i in range(quiet)]
    state = state_of(life([*before, *looks], [closing], S.CLOSED), RULES)
    last = looks[-1].after_date if looks else day_of(closing)
    assert state.recheck_due is not None
    assert last is not None
    assert (state.recheck_due - last).days == days


def test_an_open_site_needs_no_recheck() -> None:
    assert state_of(life(pairs(EPOCHS, ())), RULES).recheck_due is None


grounds = st.tuples(
    *(st.sampled_from(values) for values in ([0.0, 19.0, 300.0, 600.0], [0.0, 22.0, 300.0], [0.0, 45.0, 400.0]))
)
lives = st.lists(st.tuples(grounds, st.sampled_from([0.0, 0.0, 28.0, 120.0]), st.booleans()), max_size=8)


def as_records(drawn: list[tuple[tuple[float, float, float], float, bool]]) -> list[AssessmentRecord]:
    """One epoch a month."""
    epochs = []
    for i, ((stands, rubble, green), rebuilt, cloud) in enumerate(drawn):
        stood = 0.0 if stands + rebuilt > 600 else stands
        epochs.append(Epoch(day(1 + i), stood, rubble, green, rebuilt, cloud))
    return pairs(epochs, ())


@settings(max_examples=150, deadline=None)
@given(drawn=lives, data=st.data())
def test_the_order_in_which_epochs_are_recorded_does_not_matter(
    drawn: list[tuple[tuple[float, float, float], float, bool]], data: st.DataObject
) -> None:
    records = as_records(drawn)
    shuffled = data.draw(st.permutations(records))
    assert state_of(life(shuffled), RULES) == state_of(life(records), RULES)


@settings(max_examples=150, deadline=None)
@given(drawn=lives, data=st.data())
def test_an_epoch_that_is_recorded_again_changes_nothing(
    drawn: list[tuple[tuple[float, float, float], float, bool]], data: st.DataObject
) -> None:
    records = as_records(drawn)
    again = data.draw(st.lists(st.sampled_from(records), max_size=4)) if records else []
    assert state_of(life([*records, *again]), RULES) == state_of(life(records), RULES)


@settings(max_examples=150, deadline=None)
@given(drawn=lives)
def test_no_two_sightings_in_a_row_tell_the_same_stage(
    drawn: list[tuple[tuple[float, float, float], float, bool]],
) -> None:
    told = [s for s in state_of(life(as_records(drawn)), RULES).sightings if s.stage is not Stage.GREEN]
    assert all(one.stage is not other.stage for one, other in pairwise(told))
    assert all(s.not_yet_on is None or s.not_yet_on < s.first_seen for s in told)
    assert all(s.rung is not Rung.PROVISIONAL for s in told[:-1])
