"""What the report of the drawn neighbourhood says."""

from __future__ import annotations

from datetime import date

import pytest

from cvpipe.domain import Outcome, Question, Reason
from cvpipe.ledger import Ledger
from cvpipe.report import Campaign, Content, Scope, build_content
from cvpipe.report.content import Concern, reasons_of
from cvpipe.report.writing import read_content
from tests.report.neighbourhood import DATES


@pytest.fixture
def content(ledger: Ledger, today: date) -> Content:
    return read_content(ledger, Campaign("Hills", target=6), Scope(), today)


def test_totals(content: Content) -> None:
    totals = content.totals
    assert (totals.sites, totals.assessed, totals.completed) == (7, 5, 3)
    assert totals.demolition == {Outcome.COMPLETE: 2, Outcome.PARTIAL: 1, Outcome.NONE: 1}
    assert totals.rebuilt == 1, "what was built on again counts under no other stage"
    assert (totals.clear, totals.not_assessable, totals.rebounds) == (1, 1, 1)
    assert totals.green_added_m2 == 504
    assert content.completion == 0.5
    assert content.epochs == DATES


def test_groups_add_up_to_the_totals(content: Content) -> None:
    for groups in (content.by_owner_system, content.by_sub_district):
        assert sum(group.sites for group in groups) == content.totals.sites
        assert sum(group.land_m2 for group in groups) == content.totals.land_m2
        assert sum(group.removed_m2 for group in groups) == content.totals.removed_m2
        assert [g.sites for g in groups] == sorted((g.sites for g in groups), reverse=True)


def test_contradictions_and_rebound_come_first(content: Content) -> None:
    concerns = {page.site.code: page.concerns for page in content.look_first}
    assert list(concerns) == ["L-004", "L-006"]
    assert concerns["L-004"][0] is Concern.REBOUND
    assert concerns["L-006"] == (Concern.STANDS,)


def test_unanswered_sites_have_their_reason(content: Content) -> None:
    assert [(page.site.code, reasons_of(page)) for page in content.not_assessable] == [("L-005", (Reason.CLOUD,))]


def test_a_site_that_was_never_assessed_counts_as_neither(content: Content) -> None:
    kiosk = content.sites[-1]
    assert (kiosk.assessed, kiosk.outcome(Question.DEMOLITION), kiosk.concerns) == (False, None, ())


def test_an_empty_ledger_makes_an_empty_report(today: date) -> None:
    content = build_content(Campaign(""), [], [], [], [], made_on=today)
    assert (content.totals.sites, content.completion, content.epochs) == (0, None, ())
