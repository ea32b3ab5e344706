"""Sightings: what the pictures tell of each site's life. Appended; a later row of one stage and epoch replaces it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select

from cvpipe.domain import Rung, Sighting, Stage
from cvpipe.ledger import entries
from cvpipe.ledger.columns import now
from cvpipe.ledger.records import Entry
from cvpipe.ledger.schema import Row, sightings

_Told = dict[tuple[Any, ...], Entry[Sighting]]


def told(connection: Connection, code: str | None) -> list[Entry[Sighting]]:
    """What holds now, of all sites or of one: by site and first epoch. An entry's time is that of its first telling."""
    query = select(sightings).order_by(sightings.c.id)
    if code is not None:
        query = query.where(sightings.c.site_code == code)
    standing: _Told = {}
    for row in connection.execute(query).mappings():
        value = _sighting_of(row)
        if row["withdrawn"]:
            del standing[_name(value)]
            continue
        first = standing.get(_name(value))
        standing[_name(value)] = Entry(row["id"], first.at if first else row["at"], value)
    return sorted(standing.values(), key=lambda entry: (entry.value.site_code, entry.value.first_seen, entry.id))


def settle(connection: Connection, code: str, seen: Sequence[Sighting]) -> int:
    """Make `seen` what is told of a site; returns the number of rows that took. What is told already takes none."""
    before = {_name(entry.value): entry.value for entry in told(connection, code)}
    after = {_name(one): one for one in seen}
    assert len(after) == len(seen), "a stage begins once on one day"
    gone = [(old, "withdrawn") for name, old in before.items() if name not in after]
    news = [(new, _action(before.get(name), new)) for name, new in after.items() if before.get(name) != new]
    _append(connection, [*gone, *news])
    return len(gone) + len(news)


def _action(was: Sighting | None, becomes: Sighting) -> str:
    if was is None:
        return "seen" if becomes.rung is Rung.PROVISIONAL else "confirmed"
    risen = replace(was, rung=becomes.rung, confirmed_on=becomes.confirmed_on)
    return "confirmed" if risen == becomes and becomes.rung is not Rung.PROVISIONAL else "corrected"


def _append(connection: Connection, told: Iterable[tuple[Sighting, str]]) -> None:
    pairs, at = list(told), now()
    if not pairs:
        return
    rows = [{**_columns(one), "withdrawn": action == "withdrawn", "at": at} for one, action in pairs]
    entries.enter_all(connection, "sighting", rows, [action for _, action in pairs])


def _name(sighting: Sighting) -> tuple[Any, ...]:
    return sighting.site_code, sighting.stage, sighting.first_seen


def _columns(sighting: Sighting) -> dict[str, Any]:
    return {**vars(sighting), "stage": sighting.stage.value, "rung": sighting.rung.value}


def _sighting_of(row: Row) -> Sighting:
    dates = {name: row[name] for name in ("first_seen", "not_yet_on", "confirmed_on")}
    return Sighting(row["site_code"], Stage(row["stage"]), Rung(row["rung"]), area_m2=row["area_m2"], **dates)
