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
from sqlalchemy import Connection, Double, Table, insert, select

from cvpipe.ledger.columns import canonical_json, iso_utc, now
from cvpipe.ledger.records import AuditRecord
from cvpipe.ledger.schema import Row, audit

#: `prev_hash` of the first row.
GENESIS = "0" * 64


@dataclass(frozen=True)
class Event:
    """What is to be noted: an action on a subject, and the digest of what the subject holds now."""

    action: str
    kind: str
    subject: str
    content_hash: str
    site_code: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


def append(connection: Connection, events: Sequence[Event]) -> None:
    """Add rows to the chain; the caller's transaction must be a writing one."""
    if not events:
        return
    last = connection.execute(select(audit.c.id, audit.c.hash).order_by(audit.c.id.desc()).limit(1)).first()
    first, prev_hash = (last.id + 1, last.hash) if last else (1, GENESIS)
    at = now()
    rows = []
    for number, event in enumerate(events, start=first):
        row = {"id": number, "at": at, **vars(event), "prev_hash": prev_hash}
        prev_hash = row["hash"] = _row_hash(row)
        rows.append(row)
    connection.execute(insert(audit), rows)


def records(connection: Connection, site_code: str | None, limit: int | None) -> Iterator[AuditRecord]:
    """Rows in the order they were written; of one site only, or the last `limit`, where that is asked."""
    query = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if site_code is not None:
        query = query.where(audit.c.site_code == site_code)
    for row in reversed(connection.execute(query).all()):
        yield AuditRecord(**row._mapping)


def broken_links(connection: Connection) -> Iterator[str]:
    """One sentence for each row at which the chain does not hold."""
    number, prev_hash = 0, GENESIS
    for row in connection.execute(select(audit).order_by(audit.c.id)).mappings():
        if row["id"] != number + 1:
            yield f"audit rows {number + 1} to {row['id'] - 1} are missing"
        if row["prev_hash"] != prev_hash:
            yield f"audit row {row['id']} does not follow from the row before it"
        if row["hash"] != _row_hash(row):
            yield f"audit row {row['id']} was altered"
        number, prev_hash = row["id"], row["hash"]


def digest(table: Table, values: Row, *, without: Collection[str] = ()) -> str:
    """SHA-256 over a row's columns in canonical JSON; the same before it is written and after it is read."""
    plain = {c.name: as_plain(values.get(c.name), c.type) for c in table.columns if c.name not in {"id", *without}}
    return sha256(plain)


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


def _row_hash(row: Row) -> str:
    return sha256({c.name: as_plain(row[c.name]) for c in audit.columns if c.name != "hash"})
