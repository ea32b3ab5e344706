"""What is kept in memory follows what others write to the ledger, and is the same as what would be found anew."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest
from fastapi import FastAPI

from cvpipe.assess.rules import Rules
from cvpipe.assess.settling import settle_sites
from cvpipe.domain import Batch, Change, ChangeKind, Label, Outcome, Question, SiteStatus
from cvpipe.ledger import ItemKey, Ledger, Workspace
from cvpipe.review.board import Board
from cvpipe.review.desk import Desk
from cvpipe.review.district import District
from cvpipe.review.queue import Filter
from tests.review.conftest import LogIn

TODAY = date(2017, 8, 1)

#: Run in another process, on the ledger whose folder is named: what a run, a colleague's server and an import do.
ELSEWHERE = """
import sys
from dataclasses import replace
from pathlib import Path
from cvpipe.assess.rules import Rules
from cvpipe.assess.settling import settle_sites
from cvpipe.domain import Decision, Outcome, Question, SiteStatus
from cvpipe.ledger import Workspace

with Workspace.open(Path(sys.argv[1])).ledger() as ledger:
    {statement}
"""


@pytest.fixture
def other(ledger: Ledger) -> Iterator[Ledger]:
    """The same ledger by connections of its own."""
    with Ledger.open(ledger.place) as opened:
        yield opened


@pytest.fixture
def desk(app: FastAPI) -> Desk:
    """The desk of the application."""
    found: Desk = app.state.desk
    return found


def elsewhere(workspace: Workspace, statement: str) -> None:
    """Have another process write to the ledger."""
    call = [sys.executable, "-c", ELSEWHERE.format(statement=statement), str(workspace.folder)]
    subprocess.run(call, check=True, timeout=120)


def test_the_queue_sees_what_another_process_decides(desk: Desk, workspace: Workspace) -> None:
    before = len(desk.board.queue(desk.district.sites, TODAY))
    key = ItemKey("remediation-4", Question.DEMOLITION)
    assert key in desk.board.queue(desk.district.sites, TODAY).items_by_key
    said = 'Decision("S-04", "bo", Question.DEMOLITION, Outcome.COMPLETE, "remediation-4", seconds=3.0)'
    elsewhere(workspace, f'ledger.decide({said}); settle_sites(ledger, Rules(), ["S-04"])')
    assert key not in desk.board.queue(desk.district.sites, TODAY).items_by_key
    assert len(desk.board.queue(desk.district.sites, TODAY)) == before - 1
    assert desk.figures(TODAY).of("decided", "bo") == {3.0: 1}


def test_files_and_pictures_see_what_a_run_elsewhere_records(desk: Desk, workspace: Workspace) -> None:
    was = desk.file("S-10")
    assert desk.file("S-10") is was, "nothing happened"
    statement = 'one = ledger.assessments("S-10")[0].assessment; ledger.record(1, replace(one, key="again"))'
    elsewhere(workspace, statement)
    keys = [record.assessment.key for record in desk.file("S-10").assessments]
    assert keys == ["remediation-10", "again"]
    assert desk.file("S-11").assessments == desk.file("S-11").assessments


def test_a_decision_leaves_the_pictures_as_they_are(desk: Desk) -> None:
    file = desk.file("S-04")
    record = file.assessments[0]
    look = desk.look(file, record)
    key = ItemKey("remediation-4", Question.DEMOLITION)
    desk.decide(key, "anna", Outcome.COMPLETE, reason="", note="", seconds=1.0)
    again = desk.file("S-04")
    assert again is not file
    assert again.assessments is file.assessments
    assert desk.look(again, record) is look


def test_pictures_see_a_scene_that_came(desk: Desk, other: Ledger) -> None:
    file = desk.file("S-04")
    first = desk.look(file, file.assessments[0])
    assert first is not None
    scene = other.scenes()[-1]
    other.add_scene(replace(scene, content_hash="f" * 64, uri="later.tif", acquired=date(2018, 1, 1)))
    file = desk.file("S-04")
    now = desk.look(file, file.assessments[0])
    assert now is not None
    assert len(now.epochs) == len(first.epochs) + 1


def test_an_import_changes_a_site_and_what_is_drawn_of_it(desk: Desk, other: Ledger) -> None:
    was = desk.file("S-05").site
    other.put_sites([replace(was, land_area_m2=77.0)], source="test")
    assert desk.file("S-05").site.land_area_m2 == 77.0


def test_labels_that_others_draw_are_shown(desk: Desk, other: Ledger) -> None:
    file = desk.file("S-04")
    assert desk.labels(file) == []
    outline = file.assessments[0].assessment.changes[0].geometry
    change = Change(ChangeKind.STRUCTURE_REMOVED, outline, 10.0, 1.0)
    other.label(Label("S-04", "remediation-4", "bo", outline, (change,)))
    assert [entry.value.who for entry in desk.labels(desk.file("S-04"))] == ["bo"]


def test_a_site_is_read_again_once_it_is_settled(other: Ledger, ledger: Ledger) -> None:
    district = District(ledger)
    other.move_site("S-03", SiteStatus.DEMOLISHED, who="leader")
    other.move_site("S-03", SiteStatus.CLEARED, who="leader")
    one = replace(other.assessments("S-03")[0].assessment, key="worse")
    stands = tuple(replace(v, outcome=Outcome.NONE) if v.question == "demolition" else v for v in one.verdicts)
    other.record(1, replace(one, verdicts=stands))
    unsettled = district.sites["S-03"].line.state
    settle_sites(other, Rules(), ["S-03"])
    assert district.sites["S-03"].line.state != unsettled
    assert district.sites["S-03"].line.state == ledger.states(["S-03"])["S-03"]


def test_a_due_date_of_a_batch_is_seen(desk: Desk, other: Ledger) -> None:
    assert desk.figures(TODAY).of("progress", "batch", "first")["overdue"] == 0
    other.put_batch(Batch("first", "clean-up", date(2016, 1, 1)))
    assert desk.figures(TODAY).of("progress", "batch", "first")["overdue"] > 0


def test_what_is_followed_is_what_would_be_counted_anew(log_in: LogIn, desk: Desk, other: Ledger) -> None:
    west = Filter(sub_district="West")
    people = [log_in(name) for name in ("anna", "bo", "cleo")]
    for turn in range(12):
        person = people[turn % 3]
        items = person.next(**({"sub_district": "West"} if turn % 4 == 0 else {}))["items"]
        person.decide(items[0], reason="shadow" if turn % 5 == 0 else "")
        if turn % 4 == 3:
            person.post("/api/undo", {})
        if turn == 6:
            other.move_site("S-10", SiteStatus.CLEARED, who="leader")
        sites, fresh = desk.district.sites, Board(desk.options)
        anew = District(ledger=other, confirmation=desk.options.confirmation).sites
        for wanted in (Filter(), west):
            kept, made = desk.board.queue(sites, TODAY, wanted), fresh.queue(anew, TODAY, wanted)
            assert [item.key for item in kept.items] == [item.key for item in made.items]
            leases = other.leases()
            for who in ("anna", "bo"):
                assert kept.counts(who, leases) == made.counts(who, leases)
                assert sum(kept.counts(who, leases).values()) == len(list(made.for_person(who, leases)))
        for group in (("pace", "anna", desk.today()), ("decided", "bo"), ("reasons",), ("progress", "batch", "first")):
            assert desk.board.figures(sites, TODAY).of(*group) == fresh.figures(anew, TODAY).of(*group), group


def test_another_day_is_another_queue(desk: Desk, other: Ledger) -> None:
    other.put_batch(Batch("first", "clean-up", date(2017, 9, 1)))
    sites = desk.district.sites
    early, late = (desk.board.queue(sites, on) for on in (TODAY, date(2017, 10, 1)))
    assert not any(item.why == "overdue" for item in early.items)
    assert any(item.why == "overdue" for item in late.items)
    assert [i.key for i in desk.board.queue(sites, TODAY).items] == [i.key for i in early.items]


def test_the_queue_of_the_page_and_that_of_the_ledger_give_one_reason(desk: Desk, ledger: Ledger) -> None:
    told = {"rebound": "rebound", "claim": "contradicts", "uncertain": "uncertain"}
    waiting = desk.board.queue(desk.district.sites, TODAY).items_by_key
    flagged = ledger.review_queue(TODAY)
    assert {item.reason for item in flagged} >= {"rebound", "uncertain"}
    keys = {record.id: record.assessment.key for record in ledger.assessments()}
    for item in flagged:
        for question in item.questions:
            assert waiting[ItemKey(keys[item.assessment_id], question)].why.value == told[item.reason]
    others = {key for key, item in waiting.items() if item.why not in {"closing", "audit", "overdue"}}
    assert others == {ItemKey(keys[item.assessment_id], question) for item in flagged for question in item.questions}
