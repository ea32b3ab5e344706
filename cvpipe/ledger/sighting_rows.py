"""Sightings: what the pictures tell of each site's life. Appended; a later row of one stage and epoch replaces it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select

from cvpipe.domain import Rung, Sighting, Stage
from cvpipe.ledger import entries
from cvpipe.ledger.columns import now
from cvpipe.ledger.records import Entry
from cvpipe.ledger.schema import Row, sightings

_Told = dict[tuple[Any, ...], Entry[Sighting]]


def told(connection: Connection, codes: Collection[str] | None) -> list[Entry[Sighting]]:
    """What holds now, of all sites or of one: by site and first epoch. An entry's time is that of its first telling."""
    query = select(sightings).order_by(sightings.c.id)
    if codes is not None:
        query = query.where(sightings.c.site_code.in_(codes))
    standing: _Told = {}
    for row in connection.execute(query).mappings():
        value = _sighting_of(row)
        if row["withdrawn"]:
            del standing[_name(value)]
            continue
        first = standing.get(_name(value))
        standing[_name(value)] = Entry(row["id"], first.at if first else row["at"], value)
    return sorted(standing.values(), key=lambda entry: (entry.value.site_code, entry.value.first_seen, entry.id))


def settle(connection: Connection, seen: Mapping[str, Sequence[Sighting]]) -> int:
    """Make `seen` what is told of some sites, by code; returns the number of rows that took. What is told already
    takes none."""
    before = defaultdict[str, dict[tuple[Any, ...], Sighting]](dict)
    for entry in told(connection, seen.keys()):
        before[entry.value.site_code][_name(entry.value)] = entry.value
    differing = [pair for code, now_seen in seen.items() for pair in _differing(before[code], now_seen)]
    _append(connection, differing)
    return len(differing)


def _differing(before: Mapping[tuple[Any, ...], Sighting], seen: Sequence[Sighting]) -> Iterator[tuple[Sighting, str]]:
    """What has to be told of a site, each with its action: what is withdrawn first."""
    after = {_name(one): one for one in seen}
    assert len(after) == len(seen), "a stage begins once on one day"
    yield from ((old, "withdrawn") for name, old in before.items() if name not in after)
    yield from ((new, _action(before.get(name), new)) for name, new in after.items() if before.get(name) != new)


def _action(was: Sighting | None, becomes: Sighting) -> str:
    if was is None:
        return "seen" if becomes.rung is Rung.PROVISIONAL else "confirmed"
    risen = replace(was, rung=becomes.rung, confirmed_on=becomes.confirmed_on)
    return "confirmed" if risen == becomes and becomes.rung is not Rung.PROVISIONAL else "corrected"


def _append(connection: Connection, pairs: Sequence[tuple[Sighting, str]]) -> None:
    if not pairs:
        return
    at = now()
    rows = [{**_columns(one), "withdrawn": action == "withdrawn", "at": at} for one, action in pairs]
    entries.enter_all(connection, "sighting", rows, [action for _, action in pairs])


def _name(sighting: Sighting) -> tuple[Any, ...]:
    return sighting.site_code, sighting.stage, sighting.first_seen


def _columns(sighting: Sighting) -> dict[str, Any]:
    return {**vars(sighting), "stage": sighting.stage.value, "rung": sighting.rung.value}


def _sighting_of(row: Row) -> Sighting:
    dates = {name: row[name] for name in ("first_seen", "not_yet_on", "confirmed_on")}
    return Sighting(row["site_code"], Stage(row["stage"]), Rung(row["rung"]), area_m2=row["area_m2"], **dates)
