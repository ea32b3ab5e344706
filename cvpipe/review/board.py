"""What follows from all sites together: the queue, narrowed or whole, and the figures of lists and of the overview.

Each is brought up to date by the sites that changed since it was last asked for, whoever changed them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import date
from threading import Lock
from typing import Generic, TypeVar

from cvpipe.review import queue
from cvpipe.review.district import SiteRecord
from cvpipe.review.options import ReviewOptions
from cvpipe.review.queue import Filter, Queue, Waiting
from cvpipe.review.tallies import Put, Tallies, put_by

Value = TypeVar("Value")
Part = TypeVar("Part")

#: Narrowed queues that are kept: as many as reviewers who work at once have filters.
FILTERS_KEPT = 64


class Followed(Generic[Value, Part]):
    """A value that is the sum of what each site adds to it. Safe to share between threads.

    `part` is what a site adds on a day, `changed` the value without some parts and with others.
    """

    def __init__(
        self,
        empty: Value,
        part: Callable[[SiteRecord, date], list[Part]],
        changed: Callable[[Value, list[Part], list[Part]], Value],
    ) -> None:
        self._empty, self._part, self._changed = empty, part, changed
        self._lock = Lock()
        self._begin(None)

    def of(self, sites: Mapping[str, SiteRecord], on: date) -> Value:
        """The value for these sites on a day."""
        with self._lock:
            if on != self._on:
                self._begin(on)
            if sites is not self._sites:
                self._follow(sites, on)
            return self._value

    def _begin(self, on: date | None) -> None:
        self._on, self._value = on, self._empty
        self._sites: Mapping[str, SiteRecord] = {}
        self._parts: dict[str, list[Part]] = {}

    def _follow(self, sites: Mapping[str, SiteRecord], on: date) -> None:
        changed = [code for code, site in sites.items() if self._sites.get(code) is not site]
        left = [code for code in self._sites if code not in sites] if len(self._sites) != len(sites) else []
        gone = [part for code in (*changed, *left) for part in self._parts.pop(code, ())]
        self._parts |= {code: self._part(sites[code], on) for code in changed}
        come = [part for code in changed for part in self._parts[code]]
        self._value, self._sites = self._changed(self._value, gone, come), sites


class Board:
    """The queue and the figures. Safe to share between threads."""

    def __init__(self, options: ReviewOptions) -> None:
        self._options = options
        self._items: dict[str, tuple[SiteRecord, date, list[Waiting]]] = {}
        self._figures = Followed(Tallies(), self._puts, Tallies.changed)
        self._queues: OrderedDict[Filter, Followed[Queue, Waiting]] = OrderedDict()
        self._lock = Lock()

    def queue(self, sites: Mapping[str, SiteRecord], on: date, wanted: Filter | None = None) -> Queue:
        """All items that wait on a day, or those that a filter lets through."""
        wanted = wanted or Filter()
        with self._lock:
            followed = self._queues.get(wanted)
            if followed is None:
                followed = Followed(Queue(), self._narrowed_by(wanted), Queue.changed)
                self._queues[wanted] = followed
            self._queues.move_to_end(wanted)
            while len(self._queues) > FILTERS_KEPT:
                self._queues.popitem(last=False)
        return followed.of(sites, on)

    def figures(self, sites: Mapping[str, SiteRecord], on: date) -> Tallies:
        """What is counted over all sites on a day."""
        return self._figures.of(sites, on)

    def items_of(self, site: SiteRecord, on: date) -> list[Waiting]:
        """The items of a site, found anew only where something happened to it."""
        kept = self._items.get(site.line.code)
        if kept is None or kept[0] is not site or kept[1] != on:
            share, seed = self._options.audit_share, self._options.audit_seed
            kept = self._items[site.line.code] = site, on, queue.of_site(site, on, share=share, seed=seed)
        return kept[2]

    def _narrowed_by(self, wanted: Filter) -> Callable[[SiteRecord, date], list[Waiting]]:
        return lambda site, on: [item for item in self.items_of(site, on) if wanted.lets(item)]

    def _puts(self, site: SiteRecord, on: date) -> list[Put]:
        return put_by(site, self.items_of(site, on), on, self._options.zone)


__all__ = ["Board"]
