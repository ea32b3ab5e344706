"""Clocks from imagery: how long things took, as far as the epochs tell, held against the limits.

A picture says by when a thing had happened, and the one before it says when it had not; so every duration is an
interval. A limit is exceeded for certain where even the shortest duration goes beyond it, and held for certain where
even the longest stays within.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, tzinfo
from enum import StrEnum

from cvpipe.assess.rules import ClockRules
from cvpipe.domain import Sighting, Site, SiteStatus, Stage
from cvpipe.ledger.records import Entry, SiteState


class ClockKind(StrEnum):
    """What is timed."""

    CLEARED_BY_DUE_DATE = "cleared_by_due_date"
    RUBBLE_GONE = "rubble_gone"
    NEW_STRUCTURE_FOUND = "new_structure_found"


class ClockState(StrEnum):
    """How a duration lies to its limit; the most pressing first."""

    EXCEEDED = "exceeded"
    PERHAPS_EXCEEDED = "perhaps_exceeded"
    RUNNING = "running"
    HELD = "held"


@dataclass(frozen=True)
class Clock:
    """One duration of one site, days: at least `least`, at most `most`; None where no epoch tells.

    For a due date the days are those after it, below 0 before it, and the limit is 0. What was timed ended after
    `not_yet_on`, by `done_by`; None where it goes on.
    """

    site_code: str
    owner_system: str
    sub_district: str
    kind: ClockKind
    state: ClockState
    least: int | None
    most: int | None
    limit: int
    not_yet_on: date | None
    done_by: date | None


def clocks_of(
    site: Site,
    due: date | None,
    state: SiteState,
    sightings: Sequence[Entry[Sighting]],
    on: date,
    rules: ClockRules,
    zone: tzinfo = UTC,
) -> Iterator[Clock]:
    """What can be timed on a site, as of a day. `due` is its own due date or its batch's, `zone` that of the days."""
    seen = [entry.value for entry in sightings]
    if due is not None and site.status is not SiteStatus.EXEMPT:
        yield _due_clock(site, due, state, seen, on)
    for number, sighting in enumerate(seen):
        if sighting.stage is Stage.DEMOLISHED:
            yield from _rubble_clock(site, sighting, seen[number + 1 :], state, on, rules.rubble_days)
    for entry in sightings:
        if entry.value.stage is Stage.REBOUND:
            yield _finding_clock(site, entry, rules.new_structure_days, zone)


def clocks(
    sites: Iterable[Site],
    due_dates: Mapping[str, date],
    states: Mapping[str, SiteState],
    sightings: Iterable[Entry[Sighting]],
    on: date,
    rules: ClockRules,
    zone: tzinfo = UTC,
) -> list[Clock]:
    """The clocks of all sites, the most pressing first. `due_dates` are those of the batches, by name.

    Days are those of `zone`.
    """
    by_site: dict[str, list[Entry[Sighting]]] = {}
    for entry in sightings:
        by_site.setdefault(entry.value.site_code, []).append(entry)
    found = [
        clock
        for site in sites
        for clock in clocks_of(
            site,
            site.plan.due_date or due_dates.get(site.batch),
            states.get(site.code, SiteState(site.code)),
            by_site.get(site.code, []),
            on,
            rules,
            zone,
        )
    ]
    order = list(ClockState)
    return sorted(found, key=lambda clock: (order.index(clock.state), -(clock.least or 0), clock.site_code, clock.kind))


def _due_clock(site: Site, due: date, state: SiteState, seen: Sequence[Sighting], on: date) -> Clock:
    """Clear by the due date? The first clearing counts: a rebound is another matter."""
    cleared = next((sighting for sighting in seen if sighting.stage is Stage.CLEARED), None)
    kind = ClockKind.CLEARED_BY_DUE_DATE
    if cleared is not None:
        least, most = _days(due, cleared.not_yet_on), _days(due, cleared.first_seen)
        late = least is not None and least >= 0  # on its due date it was not clear yet
        told = ClockState.EXCEEDED if late else _state(None, most, 0)
        return _clock(site, kind, told, (least, most), 0, cleared)
    least = _days(due, state.last_seen)
    if least is not None and least >= 0:
        return _clock(site, kind, ClockState.EXCEEDED, (least, None), 0, None, state.last_seen)
    told = ClockState.PERHAPS_EXCEEDED if on > due else ClockState.RUNNING
    return _clock(site, kind, told, (least, None), 0, None, state.last_seen)


def _rubble_clock(
    site: Site, demolished: Sighting, later: Sequence[Sighting], state: SiteState, on: date, limit: int
) -> Iterator[Clock]:
    """From structures gone to ground clear; not timed where something else came between."""
    after = next((sighting for sighting in later if sighting.stage is not Stage.GREEN), None)
    if after is not None and after.stage is Stage.CLEARED:
        shortest, longest = (
            _days(demolished.first_seen, after.not_yet_on),
            _days(demolished.not_yet_on, after.first_seen),
        )
        span = (max(shortest or 0, 0), longest)
        yield _clock(site, ClockKind.RUBBLE_GONE, _state(*span, limit), span, limit, after)
    elif after is None:
        least = _days(demolished.first_seen, state.last_seen) or 0
        passed = (on - demolished.first_seen).days > limit
        waiting = ClockState.PERHAPS_EXCEEDED if passed else ClockState.RUNNING
        told = ClockState.EXCEEDED if least > limit else waiting
        yield _clock(site, ClockKind.RUBBLE_GONE, told, (least, None), limit, None, state.last_seen)


def _finding_clock(site: Site, rebound: Entry[Sighting], limit: int, zone: tzinfo) -> Clock:
    """From a new structure to the day on which the ledger first told of it."""
    found, sighting = rebound.at.astimezone(zone).date(), rebound.value
    span = (_days(sighting.first_seen, found), _days(sighting.not_yet_on, found))
    return _clock(site, ClockKind.NEW_STRUCTURE_FOUND, _state(*span, limit), span, limit, sighting)


def _state(least: int | None, most: int | None, limit: int) -> ClockState:
    if least is not None and least > limit:
        return ClockState.EXCEEDED
    return ClockState.HELD if most is not None and most <= limit else ClockState.PERHAPS_EXCEEDED


def _days(begin: date | None, end: date | None) -> int | None:
    return None if begin is None or end is None else (end - begin).days


def _clock(
    site: Site,
    kind: ClockKind,
    state: ClockState,
    days: tuple[int | None, int | None],
    limit: int,
    ended: Sighting | None,
    last_seen: date | None = None,
) -> Clock:
    not_yet_on, done_by = (ended.not_yet_on, ended.first_seen) if ended else (last_seen, None)
    place = (site.code, site.owner_system, site.sub_district)
    return Clock(*place, kind, state, *days, limit, not_yet_on, done_by)


__all__ = ["Clock", "ClockKind", "ClockState", "clocks", "clocks_of"]
