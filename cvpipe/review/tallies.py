"""Sums over all sites that are kept up to date by the sites that changed, so that no page counts ten thousand of them.

A site puts things into groups: ("progress", "batch", "first") holds how many of its sites are overdue, ("pace", who,
day) the seconds of that person's decisions on that day. `Tallies` counts each thing in each group over all sites.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, tzinfo
from itertools import compress
from typing import Any, TypeAlias

from cvpipe.domain import Outcome, Question, ReviewReason, SiteStatus
from cvpipe.ledger import ItemKey, standing
from cvpipe.review import queue
from cvpipe.review.district import SiteRecord
from cvpipe.review.queue import DONE, Waiting

Group: TypeAlias = tuple[Any, ...]
Put: TypeAlias = tuple[Group, Any]
"""A thing that a site puts into a group."""

#: What lists can be narrowed to.
NARROWED_BY = ("batch", "owner_system", "sub_district")

#: By what progress is told.
GROUPED_BY = ("batch", "owner_system")

#: What is counted of the progress of a group of sites.
COUNTED = ("sites", "completed", "waiting", "overdue", "contradicted", "rebound")

_REJECTED = {reason.value for reason in ReviewReason} - {ReviewReason.SITE_VISIT, ReviewReason.WITHDRAWN}


class Tallies:
    """How often each thing is in each group. Never changes; `changed` makes another."""

    def __init__(self, counts: Mapping[Group, Counter[Any]] | None = None) -> None:
        self._counts: Mapping[Group, Counter[Any]] = counts or {}

    def of(self, *group: Any) -> Counter[Any]:
        """What is in a group, and how often."""
        return self._counts.get(group, Counter())

    def within(self, *beginning: Any) -> dict[Any, Counter[Any]]:
        """All groups that begin so, each by what its name ends with."""
        size = len(beginning)
        return {group[size]: n for group, n in self._counts.items() if group[:size] == beginning and len(group) > size}

    def changed(self, gone: Iterable[Put], come: Iterable[Put]) -> Tallies:
        """What is counted once some things are gone and others have come."""
        counts, own = dict(self._counts), set[Group]()
        for puts, sign in ((gone, -1), (come, 1)):
            for group, thing in puts:
                if group not in own:
                    own.add(group)
                    counts[group] = Counter(counts.get(group, ()))
                counts[group][thing] += sign
        for group in own:
            counts[group] = +counts[group]
            if not counts[group]:
                del counts[group]
        return Tallies(counts)


def put_by(site: SiteRecord, waits: Sequence[Waiting], on: date, zone: tzinfo) -> list[Put]:
    """All that one site puts into groups on a day; `waits` are its items of the queue."""
    return [*_narrowing(site), *_progress(site, waits, on), *_decisions(site, zone), *_agreement(site)]


def _narrowing(site: SiteRecord) -> Iterator[Put]:
    for name in NARROWED_BY:
        value = getattr(site.line, name)
        if value:
            yield ("narrow", name), value
    for question, given in site.standing.items():
        yield ("verdicts",), (question, given.verdict.outcome)


def _progress(site: SiteRecord, waits: Sequence[Waiting], on: date) -> Iterator[Put]:
    rebound = site.standing.get(Question.REBOUND)
    holds = (
        True,
        site.line.status in DONE - {SiteStatus.EXEMPT},
        bool(waits),
        queue.is_overdue(site.line, on),
        queue.contradicts(site.line),
        rebound is not None and rebound.verdict.outcome is Outcome.SUSPECTED,
    )
    for name in GROUPED_BY:
        for what in compress(COUNTED, holds):
            yield ("progress", name, getattr(site.line, name)), what


def _decisions(site: SiteRecord, zone: tzinfo) -> Iterator[Put]:
    for entry in standing(site.decisions):
        said = entry.value
        yield ("pace", said.who, entry.at.astimezone(zone).date()), said.seconds
        if said.assessment_key:
            yield ("answered", said.who), (entry.id, site.line.code)
        if said.reason in _REJECTED:
            yield ("reasons",), said.reason


def _agreement(site: SiteRecord) -> Iterator[Put]:
    """Pace, and who says the same as the machine and as others, over all that was said of the site's assessments."""
    said = [entry for entry in standing(site.decisions) if entry.value.assessment_key is not None]
    for entry in said:
        one, who = entry.value, entry.value.who
        yield ("decided", who), one.seconds
        given = site.standing.get(one.question)
        if given is not None and given.assessment_key == one.assessment_key:
            yield ("with machine", who), one.verdict is given.verdict.outcome
        key = ItemKey(one.assessment_key or "", one.question)
        for other in (e.value for e in said if e.value.who != who):
            if ItemKey(other.assessment_key or "", other.question) == key:
                yield ("with others", who), one.verdict is other.verdict


__all__ = ["COUNTED", "GROUPED_BY", "NARROWED_BY", "Put", "Tallies", "put_by"]
