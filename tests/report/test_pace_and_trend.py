"""How fast people review, how far the campaign was at each epoch, and what a sum's interval is."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from cvpipe.assess.criteria import REMOVED
from cvpipe.domain import ChangeKind, Criterion, Decision, Outcome, Question, Verdict
from cvpipe.ledger import Entry, Ledger, SiteState
from cvpipe.report import Campaign, Scope
from cvpipe.report.charts import Series, chart
from cvpipe.report.content import SiteContent, total_of
from cvpipe.report.current import Standing
from cvpipe.report.pace import pace_of
from cvpipe.report.trend import trend_of
from cvpipe.report.writing import read_content
from tests.report.neighbourhood import DATES, sites


def decided(number: int, day: int, seconds: float | None = None) -> Entry[Decision]:
    said = Decision("L-001", f"reviewer-{number % 2}", Question.CLEARANCE, Outcome.MET, None, seconds=seconds)
    return Entry(number, datetime(2017, 6, day, tzinfo=UTC), said)


def test_pace_of_the_last_four_weeks() -> None:
    pace = pace_of([decided(1, 1, 10), decided(2, 20, 30), decided(3, 21)], [], 10, date(2017, 6, 30))
    assert pace is not None
    assert (pace.decided, pace.people, pace.per_month) == (3, 2, ((date(2017, 6, 1), 3),))
    assert (pace.per_week, pace.weeks_left, pace.median_s, pace.agreement) == (0.5, 20, 20, None)


def test_nobody_decided_and_nothing_waits() -> None:
    assert pace_of([], [], 0, date(2017, 6, 30)) is None


def test_running_totals_of_the_neighbourhood(ledger: Ledger) -> None:
    told = read_content(ledger, Campaign("Hills"), Scope(), date(2017, 6, 30))
    # L-004 was seen clear once before it was built on again: what nothing bore out is not told.
    points = trend_of([(page.state, page.records) for page in told.sites])
    assert [(p.on, p.demolished, p.clear) for p in points] == list(zip(DATES, (0, 2, 2), (0, 1, 1), strict=True))
    assert [p.green_added_m2 for p in points] == [0, 504, 504]


def test_intervals_of_a_sum_add_up_as_independent_errors(ledger: Ledger) -> None:
    """3 and 4 to each side make 5."""
    record = ledger.assessments("L-001")[-2]
    pages = [
        SiteContent(
            number,
            sites()[0],
            {Question.DEMOLITION: Standing(Verdict(Question.DEMOLITION, Outcome.COMPLETE, (_removed(reach),)), record)},
            (record,),
            SiteState("L-001"),
        )
        for number, reach in enumerate((3.0, 4.0))
    ]
    totals = total_of(None, pages, date(2017, 6, 30))
    each = pages[0].change_m2(ChangeKind.STRUCTURE_REMOVED)
    assert totals.removed_between == pytest.approx((2 * each - 5, 2 * each + 5))
    assert totals.green_between is None


def _removed(reach: float) -> Criterion:
    return Criterion(REMOVED.name, 100.0, "m²", interval=(100 - reach, 100 + reach))


def test_a_chart_steps_at_its_dates_and_is_empty_for_one() -> None:
    days = [date(2016, 1, 1), date(2016, 1, 11), date(2016, 1, 21)]
    drawn = chart("Sites <1>", days, [Series("gone", "#b4532a", (0, 2, 4))])
    assert 'aria-label="Sites &lt;1&gt;"' in drawn
    assert drawn.count("<path") == 6
    assert chart("Sites", days[:1], [Series("gone", "#b4532a", (0,))]) == ""
