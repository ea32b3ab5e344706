"""The audit trail: what happened, in a chain of SHA-256 hashes that no row can leave or enter unseen.

A row's hash covers its own columns and the hash of the row before it. Its `content_hash` is the digest of what its
subject held after the event, so a subject that was altered behind the ledger's back no longer fits its last row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import shapely
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection, Double, Table, insert, select, update

from cvpipe.errors import LedgerError
from cvpipe.ledger.columns import canonical_json, iso_utc, now
from cvpipe.ledger.records import AuditRecord
from cvpipe.ledger.schema import Row, audit, audit_head

#: `prev_hash` of the first row.
GENESIS = "0" * 64

#: Options of a query whose rows pass by a thousand at a time, so that memory stays bounded.
STREAMED = {"yield_per": 1000}


@dataclass(frozen=True)
class Event:
    """What is to be noted: an action on a subject, and the digest of what the subject holds now."""

    action: str
    kind: str
    subject: str
    content_hash: str
    site_code: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Head:
    """The end of the chain: how many rows it has, and the hash of the last one. Whoever notes it down elsewhere can
    tell later that nothing before it was rewritten or cut off."""

    rows: int
    hash: str

    def __str__(self) -> str:
        return f"{self.rows}:{self.hash}"


def head_of(noted: str) -> Head:
    """A head as it was printed. Raises LedgerError for anything that is no ROW:HASH."""
    rows, _, last_hash = noted.strip().partition(":")
    if not rows.isdecimal() or len(last_hash) != len(GENESIS):
        remedy = "Give the end of the trail as an earlier `cvpipe ledger verify` printed it, ROW:HASH."
        raise LedgerError(f"{noted!r} is no end of an audit trail", remedy=remedy)
    return Head(int(rows), last_hash)


def append(connection: Connection, events: Sequence[Event]) -> None:
    """Add rows to the chain; the caller's transaction must be a writing one."""
    if not events:
        return
    head, at = _head(connection), now()
    prev_hash, rows = head.hash, []
    for number, event in enumerate(events, start=head.rows + 1):
        row = {"id": number, "at": at, **vars(event), "prev_hash": prev_hash}
        prev_hash = row["hash"] = _row_hash(row)
        rows.append(row)
    connection.execute(insert(audit), rows)
    noted = update(audit_head).where(audit_head.c.id == 1)
    connection.execute(noted.values(rows=head.rows + len(rows), hash=prev_hash))


def stated_head(connection: Connection) -> Head | None:
    """The end of the chain as it was noted with the last row that was appended; None where that note was removed."""
    row = connection.execute(select(audit_head.c.rows, audit_head.c.hash).where(audit_head.c.id == 1)).first()
    return None if row is None else Head(*row)


def records(connection: Connection, site_code: str | None, limit: int | None) -> Iterator[AuditRecord]:
    """Rows in the order they were written; of one site only, or the last `limit`, where that is asked."""
    query = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if site_code is not None:
        query = query.where(audit.c.site_code == site_code)
    for row in reversed(connection.execute(query).all()):
        yield AuditRecord(**row._mapping)


def broken_links(connection: Connection) -> Iterator[str]:
    """One sentence for each row at which the chain does not hold, and for rows that are missing at its end."""
    last = Head(0, GENESIS)
    for row in connection.execute(select(audit).order_by(audit.c.id), execution_options=STREAMED).mappings():
        if row["id"] != last.rows + 1:
            yield f"audit rows {last.rows + 1} to {row['id'] - 1} are missing"
        if row["prev_hash"] != last.hash:
            yield f"audit row {row['id']} does not follow from the row before it"
        if row["hash"] != _row_hash(row):
            yield f"audit row {row['id']} was altered"
        last = Head(row["id"], row["hash"])
    yield from _cut_off(last, stated_head(connection))


def refuted(connection: Connection, noted: Head) -> Iterator[str]:
    """A sentence when the chain does not run through a head that was noted down earlier."""
    found = GENESIS if noted.rows == 0 else connection.scalar(select(audit.c.hash).where(audit.c.id == noted.rows))
    if found is None:
        yield f"audit row {noted.rows}, whose hash was noted down, is missing"
    elif found != noted.hash:
        yield f"audit row {noted.rows} is not the one whose hash was noted down"


def digest(table: Table, values: Row, *, without: Collection[str] = ()) -> str:
    """SHA-256 over a row's columns in canonical JSON; the same before it is written and after it is read.

    A column that came later (`LATER`) and is null is left out: rows from before it keep their digest.
    """
    wanted = (c for c in table.columns if c.name not in {"id", *without})
    told = ((c, values.get(c.name)) for c in wanted)
    return sha256({c.name: as_plain(value, c.type) for c, value in told if not (value is None and "later" in c.info)})


def sha256(plain: Any) -> str:
    """Hex digest of plain data in canonical JSON."""
    return hashlib.sha256(canonical_json(plain).encode("utf-8")).hexdigest()


def as_plain(value: Any, column_type: object = None) -> Any:
    """A column's value as JSON can carry it: dates and times in ISO 8601, geometries as GeoJSON."""
    if value is None:
        return None
    if isinstance(value, BaseGeometry):
        return mapping(value) if not value.is_empty else shapely.to_wkt(value)
    if isinstance(value, datetime):
        return iso_utc(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(column_type, Double):
        return float(value) + 0.0  # SQLite gives a whole number back as 5.0, and -0.0 as 0.0
    return value


def _head(connection: Connection) -> Head:
    head = stated_head(connection)
    if head is None:
        remedy = "Nothing was written; go back to a copy that `cvpipe ledger verify` finds whole."
        raise LedgerError("the end of the audit trail is not noted any more", remedy=remedy)
    return head


def _cut_off(last: Head, stated: Head | None) -> Iterator[str]:
    if stated is None:
        yield "the note of where the audit trail ends is missing"
    elif last.rows < stated.rows:
        yield f"audit rows {last.rows + 1} to {stated.rows} are missing"
    elif last != stated:
        yield f"the audit trail ends with row {last.rows}, but row {stated.rows} was noted as its end"


def _row_hash(row: Row) -> str:
    return sha256({c.name: as_plain(row[c.name]) for c in audit.columns if c.name != "hash"})
