"""Which sites, epochs and decisions a report counts."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from cvpipe.domain import Decision, Move, Outcome, Question, ReviewReason, SiteStatus, StatusMove
from cvpipe.errors import UsageError
from cvpipe.ledger import Entry, Ledger, standing
from cvpipe.report import Campaign, Content, Scope
from cvpipe.report.writing import read_content
from tests.report.neighbourhood import sites

MAY = datetime(2017, 5, 1, tzinfo=UTC)


def content(ledger: Ledger, scope: Scope) -> Content:
    return read_content(ledger, Campaign("Hills", 6), scope, date(2017, 6, 30))


def decision(number: int, reason: str = "", supersedes: int | None = None) -> Entry[Decision]:
    said = Decision("L-001", "reviewer", Question.CLEARANCE, Outcome.MET, None, reason, supersedes=supersedes)
    return Entry(number, MAY, said)


def test_narrowed_to_one_owner_system_and_one_sub_district(ledger: Ledger) -> None:
    told = content(ledger, Scope(owner_system="Collective economy system", sub_district="Laoshan"))
    assert [page.site.code for page in told.sites] == ["L-004"]
    assert told.totals.sites == 1


def test_until_a_day_later_epochs_are_not_known(ledger: Ledger) -> None:
    told = content(ledger, Scope(until=date(2016, 12, 31)))
    assert told.epochs[-1] == date(2016, 9, 12)
    assert told.as_of == date(2016, 12, 31)
    assert told.totals.rebounds == 0
    assert told.rebounds == ()


def test_since_a_day_only_later_epochs_count(ledger: Ledger) -> None:
    told = content(ledger, Scope(since=date(2017, 1, 1)))
    days = {record.after_date for page in told.sites for record in page.records}
    assert days == {date(2017, 5, 20)}


def test_a_name_that_there_is_not_is_refused(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="First batch"):
        content(ledger, Scope(batch="Fist batch"))


def test_the_status_is_that_of_the_day() -> None:
    site = sites()[0]
    move = StatusMove(site.code, SiteStatus.CLEARED, SiteStatus.CLOSED, Move.CLOSE, "clerk", effective=date(2017, 4, 1))
    moves = [Entry(1, MAY, move)]
    before, after = (Scope(until=day).sites([site], [], moves) for day in (date(2017, 3, 31), date(2017, 4, 1)))
    assert (before[0].status, after[0].status) == (SiteStatus.CLEARED, SiteStatus.CLOSED)


def test_what_was_replaced_or_taken_back_stands_no_more() -> None:
    entered = [decision(1), decision(2, supersedes=1), decision(3), decision(4, ReviewReason.WITHDRAWN, supersedes=3)]
    assert [entry.id for entry in standing(entered)] == [2]
