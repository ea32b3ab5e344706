"""Which item is next, who gets it, and when it is settled."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from cvpipe.assess.standing import uncertainty
from cvpipe.domain import Batch, Campaign, Criterion, Outcome, Question, SiteStatus
from cvpipe.errors import LedgerUnavailableError
from cvpipe.ledger import GivenVerdict, ItemKey, Ledger
from cvpipe.review import queue
from cvpipe.review.district import standing_verdicts
from cvpipe.review.queue import Why
from tests.review.conftest import LogIn

TODAY = date(2017, 8, 1)


def test_rebound_comes_first_then_what_is_to_be_closed_then_what_is_uncertain(log_in: LogIn, ledger: Ledger) -> None:
    anna = log_in("anna")
    seen = []
    while items := anna.next()["items"]:
        seen.append((items[0]["why_code"], items[0]["site"]["code"], items[0]["key"]["question"]))
        assert anna.decide(items[0]).status_code == 200
    assert [why for why, _, _ in seen[:3]] == ["rebound"] * 3
    order = [why.value for why in Why]
    ranks = [order.index(why) for why, _, _ in seen]
    assert ranks == sorted(ranks)
    assert {"rebound", "closing", "uncertain"} <= {why for why, _, _ in seen}
    assert len(ledger.decisions()) == len(seen) == len(set(seen))


def test_overdue_sites_come_before_others(log_in: LogIn, ledger: Ledger) -> None:
    late = ledger.sites(["S-13"])[0]
    ledger.put_sites([replace(late, plan=replace(late.plan, due_date=date(2016, 1, 1)))], source="test")
    found = log_in("anna").next(why="overdue")
    assert [item["site"]["code"] for item in found["items"]] == ["S-13", "S-13"]
    assert [item["key"]["question"] for item in found["items"]] == ["demolition", "clearance"]
    assert found["items"][0]["site"]["overdue"]


def test_a_site_without_a_day_of_its_own_is_due_with_its_batch(log_in: LogIn, ledger: Ledger) -> None:
    anna, site = log_in("anna"), ledger.sites(["S-13"])[0]
    ledger.put_campaign(Campaign("c"))
    ledger.put_batch(Batch("late", "c"))
    ledger.put_sites([replace(site, batch="late", plan=replace(site.plan, due_date=None))], source="test")
    assert anna.next(why="overdue")["items"] == []
    ledger.put_batch(Batch("late", "c", date(2016, 1, 1)))
    assert [item["site"]["code"] for item in anna.next(why="overdue")["items"]] == ["S-13", "S-13"]


def test_two_people_never_get_the_same_item(log_in: LogIn) -> None:
    people = [log_in(name) for name in ("anna", "bo", "cleo")]
    given = [str(item["key"]) for person in people for item in person.next()["items"]]
    assert len(given) == len(set(given)) == 6


def test_a_lease_that_ran_out_goes_to_others(log_in: LogIn, ledger: Ledger) -> None:
    item = log_in("anna").next()["items"][0]
    key = ItemKey(item["key"]["assessment_key"], Question(item["key"]["question"]))
    held = next(lease for lease in ledger.leases() if lease.item == key)
    ledger.put_lease(replace(held, until=held.until - timedelta(hours=1)))
    assert log_in("bo").next()["items"][0]["key"] == item["key"]


def test_a_second_opinion_is_blind_and_agreement_settles(log_in: LogIn, ledger: Ledger) -> None:
    anna, bo, cleo = (log_in(name) for name in ("anna", "bo", "cleo"))
    item = anna.next(why="rebound")["items"][0]
    drawn = {"code": item["site"]["code"], "assessment_key": item["key"]["assessment_key"], "changes": []}
    assert anna.post("/api/labels", drawn).status_code == 200
    assert anna.decide(item, note="a secret word").json()["settled"] is False
    again = next(i for i in bo.next(why="rebound")["items"] if i["key"] == item["key"])
    assert (again["opinion"], "secret" in str(again)) == (2, False)
    assert (again["pictures"]["by_hand"], len(again["pictures"]["changes"])) == (False, 1)
    code = item["site"]["code"]
    assert "secret" not in bo.get(f"/api/history?code={code}").text
    assert "secret" not in bo.page(f"/site?code={code}").text
    assert "secret" in anna.get(f"/api/history?code={code}").text
    assert bo.decide(again).json()["settled"] is True
    assert all(i["key"] != item["key"] for i in cleo.next(why="rebound")["items"])
    assert [e.value.second_reviewer for e in ledger.decisions(code)] == ["", "anna"]
    assert "secret" in cleo.get(f"/api/history?code={code}").text


def test_a_third_person_decides_where_two_disagree(log_in: LogIn) -> None:
    anna, bo, cleo = (log_in(name) for name in ("anna", "bo", "cleo"))
    item = anna.next(why="rebound")["items"][0]
    anna.decide(item, "suspected")
    again = next(i for i in bo.next(why="rebound")["items"] if i["key"] == item["key"])
    assert bo.decide(again, "none", reason="vehicle").json()["settled"] is False
    third = next(i for i in cleo.next(why="rebound")["items"] if i["key"] == item["key"])
    assert third["opinion"] == 3
    assert cleo.decide(third, "none").json()["settled"] is True


def test_a_settled_item_is_refused_to_latecomers(log_in: LogIn, ledger: Ledger) -> None:
    anna, bo = log_in("anna"), log_in("bo")
    item = anna.next(outcome="demolition.complete", why="uncertain")["items"][0]
    assert anna.decide(item).status_code == 200
    late = bo.decide(item, "partial")
    assert (late.status_code, "settled" in late.json()["error"]) == (409, True)
    assert len(ledger.decisions()) == 1


def test_an_item_that_somebody_else_has_is_refused(log_in: LogIn, ledger: Ledger) -> None:
    item = log_in("anna").next()["items"][0]
    assert log_in("bo").decide(item).status_code == 409
    assert ledger.decisions() == []


def test_the_same_decision_sent_twice_is_entered_once(log_in: LogIn, ledger: Ledger) -> None:
    anna = log_in("anna")
    item = anna.next()["items"][0]
    first, second = anna.decide(item).json(), anna.decide(item).json()
    assert first["decision"] == second["decision"]
    assert len(ledger.decisions()) == 1


def test_undo_appends_a_row_and_brings_the_item_back(log_in: LogIn, ledger: Ledger) -> None:
    anna = log_in("anna")
    item = anna.next()["items"][0]
    number = anna.decide(item).json()["decision"]
    answer = anna.post("/api/undo", {}).json()
    assert (answer["undone"], answer["items"][0]["key"]) == (number, item["key"])
    first, second = ledger.decisions()
    assert (second.value.supersedes, second.value.reason) == (first.id, "withdrawn")
    assert anna.decide(item, "none", reason="shadow").status_code == 200
    assert anna.post("/api/undo", {}).json()["undone"] is not None
    assert anna.post("/api/undo", {}).json()["undone"] is None
    assert ledger.verify().problems == ()


def test_an_answer_on_which_a_site_was_closed_is_not_undone(log_in: LogIn, ledger: Ledger) -> None:
    anna, bo = log_in("anna"), log_in("bo")
    item = anna.next(why="rebound")["items"][0]
    code = item["site"]["code"]
    for person in (anna, bo):
        person.next(why="rebound")
        assert person.decide(item).status_code == 200
    was = ledger.sites([code])[0].status
    if was is not SiteStatus.CLOSED:
        for status in (SiteStatus.CLEARED, SiteStatus.CLOSED):
            ledger.move_site(code, status, who="leader")
    assert bo.post("/api/moves", {"code": code, "becomes": "rebound", "reason": "it is back"}).status_code == 200
    refused = anna.post("/api/undo", {})
    assert (refused.status_code, "became rebound" in refused.json()["error"]) == (409, True)
    assert len(ledger.decisions(code)) == 2


def test_what_was_changed_or_taken_back_stays_hidden_too(log_in: LogIn) -> None:
    anna, bo = log_in("anna"), log_in("bo")
    item = anna.next(why="rebound")["items"][0]
    anna.decide(item, note="a secret word")
    anna.decide(item, "none", note="another word")
    history = f"/api/history?code={item['site']['code']}"
    assert "word" not in bo.get(history).text
    anna.post("/api/undo", {})
    assert "word" not in bo.get(history).text


def test_a_ledger_that_is_busy_refuses_nothing_for_good(log_in: LogIn, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = log_in("anna")
    item = anna.next()["items"][0]

    def busy(*_: object) -> None:
        raise LedgerUnavailableError("the ledger could not be written", remedy="Try again.")

    monkeypatch.setattr(Ledger, "decide", busy)
    assert anna.decide(item).status_code == 503, "the page keeps what is answered so, and sends it again"


def test_what_is_put_off_or_sent_back_goes_to_others_and_can_be_brought_back(log_in: LogIn) -> None:
    anna, bo = log_in("anna"), log_in("bo")
    item = anna.next()["items"][0]
    told = {"key": item["key"], "state": "sent_back", "note": "<b>look at the fence</b>"}
    left = anna.post("/api/put-off", told).json()
    assert all(i["key"] != item["key"] for i in left["items"])
    given = bo.next()["items"][0]
    assert given["key"] == item["key"]
    assert given["handed_on"] == "Handed on by anna: <b>look at the fence</b>"
    bo.post("/api/put-off", {"key": item["key"], "state": "skipped"})
    assert anna.post("/api/bring-back", {}).json()["items"][0]["key"] == item["key"]


def test_filters_narrow_the_queue(log_in: LogIn) -> None:
    anna = log_in("anna")
    everything = anna.next()["queue"]["waiting"]
    west = anna.next(sub_district="West")["queue"]["waiting"]
    assert 0 < west < everything
    assert anna.next(campaign="clean-up")["queue"]["waiting"] == everything
    assert anna.next(campaign="another")["queue"]["waiting"] == 0
    assert anna.next(batch="second")["items"] == []


def test_pace_counts_what_stands(log_in: LogIn) -> None:
    anna = log_in("anna")
    for _ in range(3):
        state = anna.decide(anna.next()["items"][0]).json()["queue"]
    assert (state["today"], state["median_s"]) == (3, 2.5)
    assert anna.post("/api/undo", {}).json()["queue"]["today"] == 2


def test_closing_needs_two_people_and_a_legal_move(log_in: LogIn, ledger: Ledger) -> None:
    anna, bo = log_in("anna"), log_in("bo")
    leap = anna.post("/api/moves", {"code": "S-10", "becomes": "closed"})
    assert (leap.status_code, "cannot become closed" in leap.json()["error"]) == (409, True)
    assert anna.post("/api/moves", {"code": "S-10", "becomes": "cleared"}).status_code == 200
    alone = anna.post("/api/moves", {"code": "S-10", "becomes": "closed"})
    assert "2 persons" in alone.json()["error"]
    key = {"assessment_key": "remediation-10", "question": "clearance"}
    for person in (anna, bo):
        answer = person.post("/api/decisions", {"key": key, "verdict": "met"})
        assert answer.status_code == 200, answer.text
    assert anna.post("/api/moves", {"code": "S-10", "becomes": "closed"}).status_code == 200
    assert ledger.sites(["S-10"])[0].status is SiteStatus.CLOSED
    back = anna.post("/api/moves", {"code": "S-10", "becomes": "cleared"})
    assert (back.status_code, "reason" in back.json()["error"]) == (409, True)


def test_uncertainty_is_how_near_a_limit_is() -> None:
    on, off = Criterion("a", 0.95, "share", 0.95, True), Criterion("b", 300.0, "m²", 100.0, True)
    assert uncertainty([on, off]) == 1.0
    assert uncertainty([off]) == 0.0
    assert uncertainty([Criterion("c", 90.0, "m²", 100.0, False)]) == 0.9
    assert uncertainty([]) == 0.0


def test_the_random_slice_is_the_same_again_and_of_the_stated_size() -> None:
    keys = [ItemKey(f"key-{i}", Question.GREENING) for i in range(4000)]
    drawn = [key for key in keys if queue.drawn(key, 0.05, seed=1)]
    assert drawn == [key for key in keys if queue.drawn(key, 0.05, seed=1)]
    assert 150 < len(drawn) < 250
    assert drawn != [key for key in keys if queue.drawn(key, 0.05, seed=2)]


def test_a_verdict_that_cannot_tell_takes_nothing_back(ledger: Ledger) -> None:
    given = ledger.given_verdicts(["S-05"])
    blind = [replace(g, assessment_id=99, verdict=replace(g.verdict, outcome=Outcome.NOT_ASSESSABLE)) for g in given]
    standing = standing_verdicts([*given, *blind])
    assert isinstance(standing[Question.DEMOLITION], GivenVerdict)
    assert standing[Question.DEMOLITION].assessment_id != 99
