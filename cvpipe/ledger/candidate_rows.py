"""Candidates: changes outside every site. The sweep keeps what it saw; people keep what they made of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, select

from cvpipe.domain import Candidate, CandidateState, ChangeKind
from cvpipe.errors import LedgerError
from cvpipe.geo import Bounds
from cvpipe.ledger import entries, geopackage, site_rows
from cvpipe.ledger.columns import now
from cvpipe.ledger.records import Entry
from cvpipe.ledger.schema import Row, candidates


def add(connection: Connection, found: Sequence[Candidate]) -> list[Entry[Candidate]]:
    """Enter candidates that the sweep found."""
    if not found:
        return []
    rows = [{**_columns(candidate), "at": now()} for candidate in found]
    ids = entries.enter_all(connection, "candidate", rows, ["found"] * len(rows), [_seen(row) for row in rows])
    geopackage.grow_extent(connection, "candidates", [candidate.geometry for candidate in found])
    return [Entry(i, row["at"], candidate) for i, row, candidate in zip(ids, rows, found, strict=True)]


def see_again(connection: Connection, candidate_id: int, *, on: date, probability: float) -> None:
    """Note that a later epoch shows it too; an earlier one than the last changes nothing."""
    row = entries.row_of(connection, "candidate", candidate_id)
    if on > row["last_seen"]:
        news = {"last_seen": on, "probability": float(probability)}
        entries.change(connection, "candidate", row, news, action="seen", details=_seen({**row, **news}))


def settle(
    connection: Connection,
    candidate_id: int,
    state: CandidateState,
    *,
    who: str,
    note: str,
    site_code: str | None,
) -> Entry[Candidate]:
    """Say what became of a candidate.

    Raises LedgerError where nobody is named, and where an adopted one names no site or another one names one.
    """
    entries.refuse_blank("who settles the candidate", who)
    row = entries.row_of(connection, "candidate", candidate_id)
    if (state is CandidateState.ADOPTED) != (site_code is not None):
        remedy = "Name the site that an adopted candidate became, and none for any other."
        raise LedgerError(f"a candidate that is {state} goes with {site_code or 'no site'}", remedy=remedy)
    if site_code is not None:
        site_rows.row_of(connection, site_code)
    news = {"state": state.value, "who": who, "note": note, "site_code": site_code}
    details = {name: value for name, value in news.items() if value}
    entries.change(connection, "candidate", row, news, action=state.value, details=details)
    return _entry({**row, **news})


def all_candidates(
    connection: Connection, state: CandidateState | None, bounds: Bounds | None
) -> list[Entry[Candidate]]:
    """Candidates, those of one state, or those whose bounding box touches a window (degrees), as they came."""
    query, c = select(candidates).order_by(candidates.c.id), candidates.c
    if state is not None:
        query = query.where(c.state == state.value)
    if bounds is not None:
        left, bottom, right, top = bounds
        query = query.where(c.min_x <= right, c.max_x >= left, c.min_y <= top, c.max_y >= bottom)
    return [_entry(row) for row in connection.execute(query).mappings()]


def _seen(row: Row) -> dict[str, Any]:
    told = {"kind": row["kind"], "area_m2": row["area_m2"], "probability": row["probability"]}
    return {**told, "first_seen": row["first_seen"].isoformat(), "last_seen": row["last_seen"].isoformat()}


def _columns(candidate: Candidate) -> dict[str, Any]:
    return {
        "geom": candidate.geometry,
        "kind": candidate.kind.value,
        "area_m2": float(candidate.area_m2),
        "probability": float(candidate.probability),
        "first_seen": candidate.first_seen,
        "last_seen": candidate.last_seen,
        "state": candidate.state.value,
        "site_code": candidate.site_code,
        "who": candidate.who,
        "note": candidate.note,
        **geopackage.bounds_columns(candidate.geometry),
    }


def _entry(row: Row) -> Entry[Candidate]:
    alike = ("area_m2", "probability", "first_seen", "last_seen", "site_code", "who", "note")
    value = Candidate(
        geometry=row["geom"],
        kind=ChangeKind(row["kind"]),
        state=CandidateState(row["state"]),
        **{name: row[name] for name in alike},
    )
    return Entry(row["id"], row["at"], value)
