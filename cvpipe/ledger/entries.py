"""Rows that stand in the audit trail one for one: entered or changed together with their audit row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update

from cvpipe.errors import LedgerError
from cvpipe.ledger import audit
from cvpipe.ledger.schema import AUDITED, Row


def enter(
    connection: Connection, kind: str, row: Row, *, action: str = "entered", details: Mapping[str, Any] | None = None
) -> int:
    """Append a row to the table of that kind; returns its id."""
    return enter_all(connection, kind, [row], [action], None if details is None else [details])[0]


def enter_all(
    connection: Connection,
    kind: str,
    rows: Sequence[Row],
    actions: Sequence[str],
    details: Sequence[Mapping[str, Any]] | None = None,
) -> list[int]:
    """Append rows, each with its action and what the audit trail tells of it; returns their ids in the same order."""
    table, _ = AUDITED[kind]
    query = insert(table).returning(table.c.id, sort_by_parameter_order=True)
    ids = list(connection.execute(query, list(rows)).scalars())
    told: Sequence[Mapping[str, Any] | None] = [None] * len(rows) if details is None else details
    numbered = zip(ids, rows, actions, told, strict=True)
    audit.append(connection, [_event(kind, {**row, "id": i}, action, more) for i, row, action, more in numbered])
    return ids


def change(
    connection: Connection, kind: str, row: Row, news: Row, *, action: str, details: Mapping[str, Any] | None = None
) -> None:
    """Give columns of a row that is there other values."""
    table, _ = AUDITED[kind]
    connection.execute(update(table).where(table.c.id == row["id"]).values(**news))
    audit.append(connection, [_event(kind, {**row, **news}, action, details)])


def row_of(connection: Connection, kind: str, row_id: int) -> RowMapping:
    """A row by its id. Raises LedgerError when there is none."""
    table, _ = AUDITED[kind]
    row = connection.execute(select(table).where(table.c.id == row_id)).mappings().first()
    if row is None:
        raise LedgerError(f"there is no {kind} {row_id}", remedy=f"Name the id of a {kind} that there is.")
    return row


def refuse_blank(what: str, value: str) -> None:
    """Raises LedgerError where a text that must say something does not."""
    if not value.strip():
        raise LedgerError(f"{what} is missing", remedy=f"State {what}.")


def as_details(row: Row) -> dict[str, Any]:
    """The columns of a row that say something, as an audit row's details."""
    told = {name: audit.as_plain(value) for name, value in row.items() if name not in {"id", "site_code", "at"}}
    return {name: value for name, value in told.items() if value not in (None, "")}


def _event(kind: str, row: Row, action: str, details: Mapping[str, Any] | None) -> audit.Event:
    table, subject = AUDITED[kind]
    told = as_details(row) if details is None else dict(details)
    digest = audit.digest(table, row)
    return audit.Event(action, kind, str(row[subject]), digest, site_code=row.get("site_code"), details=told)
