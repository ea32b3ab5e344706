"""Accounts, sessions, leases, labels and lines: what the reviewers' page keeps and asks for, in each store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cvpipe.domain import Batch, Campaign, LogInOutcome, Question, Role
from cvpipe.errors import LedgerError
from cvpipe.ledger import ItemKey, Lease, LeaseState, Ledger, Session, SiteState, Touched, store
from tests.ledger import samples

NOW = datetime.now(UTC).replace(microsecond=0)
SOON, PAST = NOW + timedelta(minutes=10), NOW - timedelta(minutes=10)
CODE = samples.FULL_SITE.code
FIRST, SECOND, THIRD = (ItemKey("key-1", question) for question in list(Question)[:3])


def test_an_account_is_kept_and_its_hash_is_told_to_nobody(filled: Ledger) -> None:
    assert filled.put_account(samples.ACCOUNT)
    assert not filled.put_account(samples.ACCOUNT)
    assert filled.put_account(replace(samples.ACCOUNT, role=Role.ADMIN, password_hash="another"))
    account = filled.account(samples.ACCOUNT.name)
    assert (account and account.role, filled.account("nobody")) == (Role.ADMIN, None)
    assert filled.accounts() == [account]
    rows = [row for row in filled.audit() if row.kind == "account"]
    assert [row.action for row in rows] == ["entered", "changed"]
    assert "argon2" not in str(rows)
    assert "another" not in str(rows)
    assert filled.verify().problems == ()


def test_log_ins_are_read_newest_first(filled: Ledger) -> None:
    for outcome in (LogInOutcome.WRONG, LogInOutcome.ACCEPTED):
        filled.note_log_in("a", outcome)
    filled.note_log_in("", LogInOutcome.WRONG)
    assert [outcome for _, _, outcome in filled.log_ins("a")] == [LogInOutcome.ACCEPTED, LogInOutcome.WRONG]
    assert len(filled.log_ins(limit=1)) == 1
    assert filled.log_ins(since=SOON) == []


def test_a_session_lives_until_it_is_closed_or_its_account_is(filled: Ledger) -> None:
    filled.put_account(samples.ACCOUNT)
    name = samples.ACCOUNT.name
    opened = Session("hash", name, "csrf", NOW, NOW)
    filled.open_session(opened, expired_before=PAST)
    assert filled.session("hash") == (opened, samples.ACCOUNT)
    filled.see_session("hash", SOON)
    found = filled.session("hash")
    assert found is not None
    assert found[0].seen_at == SOON
    filled.open_session(replace(opened, token_hash="new"), expired_before=SOON + timedelta(1))
    assert filled.session("hash") is None, "it was not seen for too long"
    filled.put_account(replace(samples.ACCOUNT, active=False))
    assert filled.session("new") is None
    filled.close_session("was never there")


def test_an_item_is_before_one_person_at_a_time(filled: Ledger) -> None:
    items = [FIRST, SECOND, THIRD]
    assert filled.take_items(items, who="a", until=SOON, count=2) == [FIRST, SECOND]
    assert filled.take_items(items, who="b", until=SOON, count=2) == [THIRD]
    assert filled.take_items([SECOND, FIRST], who="a", until=SOON, count=1) == [SECOND]
    assert filled.take_items(items, who="b", until=SOON, count=3) == [FIRST, THIRD]
    filled.release_items([SECOND, FIRST], who="a")
    assert filled.take_items([SECOND], who="b", until=SOON, count=1) == [SECOND]
    assert {lease.item for lease in filled.leases()} == {SECOND}


def test_a_lease_passes_with_time(filled: Ledger) -> None:
    filled.put_lease(Lease(FIRST, "a", LeaseState.HELD, PAST))
    assert filled.leases() == []
    assert filled.take_items([FIRST], who="b", until=SOON, count=1) == [FIRST]
    filled.put_lease(Lease(FIRST, "a", LeaseState.SKIPPED, SOON, "later"))
    assert [(x.who, x.state, x.note) for x in filled.leases()] == [("b", "held", ""), ("a", "skipped", "later")]


def test_a_label_comes_back_as_it_was_drawn(filled: Ledger) -> None:
    entry = filled.label(samples.LABEL)
    assert [e.value for e in filled.labels(CODE)] == [samples.LABEL]
    assert filled.labels("SJS-002") == []
    assert filled.label(replace(samples.LABEL, changes=())).id == entry.id + 1
    for wrong in (replace(samples.LABEL, assessment_key="none"), replace(samples.LABEL, who=" ")):
        with pytest.raises(LedgerError):
            filled.label(wrong)
    assert filled.verify().problems == ()


def test_lines_say_what_lists_show(filled: Ledger) -> None:
    line = filled.site_lines([CODE, "nowhere"])[0]
    site = samples.FULL_SITE
    assert (line.code, line.name, line.status, line.due_date) == (CODE, site.name, site.status, site.plan.due_date)
    assert (line.lon, line.lat) == pytest.approx((116.15, 39.95))
    assert [one.code for one in filled.site_lines()] == [CODE, "SJS-002"]
    given = filled.given_verdicts([CODE])
    assert [(g.assessment_key, g.verdict.question) for g in given] == [("key-1", "demolition"), ("key-1", "clearance")]
    assert filled.given_verdicts() == given
    assert filled.site_of_assessment(given[0].assessment_id) == {given[0].assessment_id: CODE}
    assert filled.site_of_assessment(999) == {}


def test_what_was_touched_is_known_by_the_trail(filled: Ledger) -> None:
    rows = filled.touched_since(0).rows
    assert filled.touched_since(rows) == Touched(rows, 0, {})
    filled.decide(samples.DECISION)
    assert filled.touched_since(rows).sites == {CODE: frozenset({"decision"})}
    assert filled.touched_since(rows + 99).sites is None
    filled.put_campaign(Campaign("c"))
    assert filled.touched_since(rows).other == {"campaign"}
    filled.put_batch(Batch("first", "c"))
    assert filled.touched_since(rows).sites is None, "the due date of a batch is that of its sites"


def test_a_site_that_was_settled_was_touched_though_the_trail_says_nothing(filled: Ledger) -> None:
    was = filled.touched_since(0)
    filled.settle(CODE, lambda life: SiteState(life.site.code), "rules-1")
    now = filled.touched_since(was.rows, was.settled)
    assert (now.rows, now.sites) == (was.rows, {CODE: frozenset({Touched.SETTLED})})
    assert filled.touched_since(now.rows, now.settled).sites == {}
    assert filled.touched_since(now.rows, now.settled + 1).sites is None


def test_what_may_be_lost_spares_the_disk_and_what_people_say_does_not(filled: Ledger) -> None:
    is_postgres = filled.name.startswith("postgresql")
    asked = "SHOW synchronous_commit" if is_postgres else "PRAGMA synchronous"
    with store.reading(filled._engine) as connection:
        own = connection.exec_driver_sql(asked).scalar()  # of the server's settings; our own on SQLite
    found = []
    for may_be_lost in (True, False, True, False):
        with store.writing(filled._engine, may_be_lost=may_be_lost) as connection:
            found.append(str(connection.exec_driver_sql(asked).scalar()))
    assert found == (["off", own, "off", own] if is_postgres else ["1", "2", "1", "2"])


def test_an_assessment_that_was_read_is_not_read_again_and_a_new_one_is_seen(filled: Ledger) -> None:
    first = filled.assessments(CODE)
    with Ledger.open(filled.place) as other:
        other.record(1, samples.assessment(CODE, "key-2"))
    again = filled.assessments(CODE)
    assert {r.assessment.key for r in again} == {r.assessment.key for r in first} | {"key-2"}
    assert again == [r for r in filled.assessments() if r.assessment.site_code == CODE]
    assert all(x is y for x, y in zip(again, filled.assessments(CODE), strict=True))
