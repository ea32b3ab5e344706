"""Durations from imagery: what the dates of epochs can say of a limit, and no more."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from shapely import Point

from cvpipe.assess.clocks import Clock, ClockKind, ClockState, clocks, clocks_of
from cvpipe.assess.rules import ClockRules
from cvpipe.domain import Plan, Rung, Sighting, Site, SiteStatus, Stage
from cvpipe.ledger.records import Entry, SiteState

RULES = ClockRules(rubble_days=30, new_structure_days=7)
SITE = Site("A", Point(116.2, 39.9), owner_system="state", sub_district="north")
START = date(2017, 1, 1)


def on(days: int) -> date:
    """A day, counted from the first of January."""
    return START + timedelta(days=days)


def seen(stage: Stage, first: int, not_yet: int | None = None, told: int | None = None) -> Entry[Sighting]:
    """A stage between two days; `told` is the day on which the ledger first said so."""
    at = datetime.combine(on(first if told is None else told), datetime.min.time(), UTC)
    earlier = None if not_yet is None else on(not_yet)
    return Entry(1, at, Sighting("A", stage, Rung.SCENE, on(first), earlier))


def clock(
    kind: ClockKind, *sightings: Entry[Sighting], due: int | None = None, last_seen: int | None = None, today: int = 400
) -> Clock:
    """The only clock of a kind."""
    state = SiteState("A", last_seen=None if last_seen is None else on(last_seen))
    found = clocks_of(SITE, None if due is None else on(due), state, sightings, on(today), RULES)
    (one,) = [c for c in found if c.kind is kind]
    return one


@pytest.mark.parametrize(
    ("demolished", "cleared", "state", "days"),
    [
        ((100, 95), (120, 110), ClockState.HELD, (10, 25)),
        ((100, 60), (120, 110), ClockState.PERHAPS_EXCEEDED, (10, 60)),
        ((100, 95), (200, 140), ClockState.EXCEEDED, (40, 105)),
        ((100, None), (120, 110), ClockState.PERHAPS_EXCEEDED, (10, None)),
        ((100, 95), (120, 98), ClockState.HELD, (0, 25)),
    ],
)
def test_rubble_is_gone_within_an_interval(
    demolished: tuple[int, int | None],
    cleared: tuple[int, int],
    state: ClockState,
    days: tuple[int, int | None],
) -> None:
    found = clock(ClockKind.RUBBLE_GONE, seen(Stage.DEMOLISHED, *demolished), seen(Stage.CLEARED, *cleared))
    assert (found.state, (found.least, found.most), found.limit) == (state, days, 30)
    assert (found.not_yet_on, found.done_by) == (on(cleared[1]), on(cleared[0]))


@pytest.mark.parametrize(
    ("last_seen", "today", "state"),
    [
        (110, 115, ClockState.RUNNING),
        (110, 131, ClockState.PERHAPS_EXCEEDED),
        (135, 140, ClockState.EXCEEDED),
    ],
)
def test_rubble_that_still_lies(last_seen: int, today: int, state: ClockState) -> None:
    found = clock(ClockKind.RUBBLE_GONE, seen(Stage.DEMOLISHED, 100, 95), last_seen=last_seen, today=today)
    assert (found.state, found.least, found.most, found.done_by) == (state, last_seen - 100, None, None)


def test_rubble_is_not_timed_where_something_was_built_instead() -> None:
    sightings = [seen(Stage.DEMOLISHED, 100, 95), seen(Stage.REBOUND, 150, 140)]
    found = clocks_of(SITE, None, SiteState("A"), sightings, on(400), RULES)
    assert [c.kind for c in found] == [ClockKind.NEW_STRUCTURE_FOUND]


@pytest.mark.parametrize(
    ("cleared", "state"),
    [
        ((100, 90), ClockState.HELD),
        ((101, 90), ClockState.PERHAPS_EXCEEDED),
        ((120, 100), ClockState.EXCEEDED),
        ((101, None), ClockState.PERHAPS_EXCEEDED),
    ],
)
def test_clear_by_the_due_date(cleared: tuple[int, int | None], state: ClockState) -> None:
    assert clock(ClockKind.CLEARED_BY_DUE_DATE, seen(Stage.CLEARED, *cleared), due=100).state is state


@pytest.mark.parametrize(
    ("last_seen", "today", "state"),
    [
        (None, 99, ClockState.RUNNING),
        (90, 100, ClockState.RUNNING),
        (90, 101, ClockState.PERHAPS_EXCEEDED),
        (None, 101, ClockState.PERHAPS_EXCEEDED),
        (100, 101, ClockState.EXCEEDED),
    ],
)
def test_not_clear_yet(last_seen: int | None, today: int, state: ClockState) -> None:
    assert clock(ClockKind.CLEARED_BY_DUE_DATE, due=100, last_seen=last_seen, today=today).state is state


@pytest.mark.parametrize(
    ("not_yet", "told", "state"),
    [(98, 103, ClockState.HELD), (90, 103, ClockState.PERHAPS_EXCEEDED), (98, 120, ClockState.EXCEEDED)],
)
def test_a_new_structure_is_found_when_the_ledger_first_tells_of_it(not_yet: int, told: int, state: ClockState) -> None:
    found = clock(ClockKind.NEW_STRUCTURE_FOUND, seen(Stage.REBOUND, 100, not_yet, told))
    assert (found.state, found.least, found.most) == (state, told - 100, told - not_yet)


def test_exempt_sites_have_no_due_date_and_batches_lend_theirs() -> None:
    exempt = Site("B", SITE.geometry, status=SiteStatus.EXEMPT, plan=Plan(due_date=on(10)))
    batch = Site("C", SITE.geometry, batch="first")
    found = clocks([exempt, batch, SITE], {"first": on(100)}, {}, [], on(200), RULES)
    assert [(c.site_code, c.state) for c in found] == [("C", ClockState.PERHAPS_EXCEEDED)]


def test_the_most_pressing_comes_first() -> None:
    sites = [Site(code, SITE.geometry, plan=Plan(due_date=on(100))) for code in "ABC"]
    states = {
        "A": SiteState("A", last_seen=on(90)),
        "B": SiteState("B", last_seen=on(110)),
        "C": SiteState("C", last_seen=on(150)),
    }
    found = clocks(sites, {}, states, [], on(200), RULES)
    assert [c.site_code for c in found] == ["C", "B", "A"]
