"""STAC APIs that are watched: what they offer on the sites, and from which day on they have to be asked again.

An API is asked by the day of acquisition, and an item may appear long after it. So each look asks from the last one
less `late_days`, and from the first day again where the sites, or what is asked, have changed since; a raster that
could not be read is asked for until it can. How far a look came is remembered only once it has come to its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pystac

from cvpipe.errors import SceneError
from cvpipe.geo import Bounds
from cvpipe.imagery import stac
from cvpipe.imagery.places import Found
from cvpipe.imagery.remote import shown
from cvpipe.run.journal import Journal
from cvpipe.settings import StacSettings


@dataclass(frozen=True)
class BadItem:
    """An item that is none, or has no raster to be seen: by what it is remembered, and why."""

    name: str
    error: SceneError


@dataclass(frozen=True)
class Cloudy:
    """An item with more cloud than is wanted."""


@dataclass(frozen=True)
class Catalogue:
    """A STAC API, what is asked of it, and the box of the sites (degrees), if there are any."""

    asked: StacSettings
    bounds: Bounds | None

    @property
    def name(self) -> str:
        """By what it is remembered: without a query, which may hold a key."""
        return " ".join([shown(self.asked.stac), *self.asked.collections])

    def offers(self, since: date | None) -> Iterator[Found | BadItem | Cloudy]:
        """What there is from a day of acquisition on.

        Raises SceneError where the API does not answer, and where there are no sites to ask for.
        """
        if self.bounds is None:
            raise SceneError("is not asked: the ledger has no sites", where=self.name, remedy="Import the sites first.")
        query = stac.Query(self.asked.collections, self.bounds, since)
        for item in stac.items_at(self.asked.stac, query):
            if isinstance(item, SceneError):
                yield BadItem(str(item.where), item)
            elif _is_elsewhere(item, self.bounds):
                continue
            elif stac.cloud_percent(item.properties) > self.asked.max_cloud:
                yield Cloudy()
            else:
                yield self._offer(item)

    def _offer(self, item: pystac.Item) -> Found | BadItem:
        name = " ".join(filter(None, (shown(self.asked.stac), item.collection_id, item.id)))
        try:
            address = stac.asset_address(item, self.asked.asset)
        except SceneError as error:
            return BadItem(name, error)
        stamp = [str(item.properties.get("updated", "")), shown(address)]
        return Found(address, list(stamp), is_whole=True, item=item, item_name=name)

    def first_day(self, journal: Journal) -> date | None:
        """The day of acquisition from which on to ask; None for all there is."""
        note = journal.get(self._note)
        if not note or note["question"] != self._question:
            return self.asked.since
        return None if note["from"] is None else date.fromisoformat(note["from"])

    def looked_through(self, journal: Journal, on: date, refused: Iterable[date | None]) -> None:
        """Remember a look that came to its end on a day (UTC); `refused` are the days of what is to be asked again."""
        days = [on - timedelta(days=self.asked.late_days), *refused]
        begin = None if None in days else min(day for day in days if day)
        if self.asked.since and (begin is None or begin < self.asked.since):
            begin = self.asked.since
        note = {"question": self._question, "from": begin and begin.isoformat()}
        if journal.get(self._note) != note:
            journal.put(self._note, note)

    @property
    def _note(self) -> str:
        return f"asked {self.name}"

    @property
    def _question(self) -> dict[str, Any]:
        return {**self.asked.model_dump(mode="json", exclude={"stac"}), "bounds": self.bounds and list(self.bounds)}


def today() -> date:
    """The present day as acquisition days count: UTC."""
    return datetime.now(UTC).date()


def _is_elsewhere(item: pystac.Item, bounds: Bounds) -> bool:
    """Whether an item tells a box that does not touch the bounds: catalogues in files are not asked for a place."""
    try:
        box = [float(side) for side in item.bbox or ()]
    except (TypeError, ValueError):
        return False
    if len(box) not in (4, 6):  # with heights there are six
        return False
    (left, bottom), (right, top) = box[:2], box[len(box) // 2 :][:2]
    return right < bounds[0] or left > bounds[2] or top < bounds[1] or bottom > bounds[3]
