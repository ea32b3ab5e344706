"""Runs in and out of the ledger: begun, finished, never rewritten."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update

from cvpipe.errors import LedgerError
from cvpipe.ledger import audit
from cvpipe.ledger.columns import now
from cvpipe.ledger.records import RunRecord
from cvpipe.ledger.schema import Row, runs


def begin(connection: Connection, **columns: Any) -> int:
    """Note that a run begins; returns its id."""
    row = {**columns, "started_at": now(), "finished_at": None, "counts": {}}
    result = connection.execute(insert(runs).returning(runs.c.id), row)
    run_id: int = result.scalar_one()
    _note(connection, "began", run_id, row, {"bundle": row["bundle"], "rules_version": row["rules_version"]})
    return run_id


def finish(connection: Connection, run_id: int, counts: dict[str, int]) -> None:
    """Note that a run came to its end, and what it counted."""
    row = row_of(connection, run_id)
    if row["finished_at"] is not None:
        raise LedgerError(f"run {run_id} is finished already", remedy="Begin a new run.")
    ending = {"finished_at": now(), "counts": counts}
    connection.execute(update(runs).where(runs.c.id == run_id).values(**ending))
    _note(connection, "finished", run_id, {**row, **ending}, {"counts": counts})


def all_runs(connection: Connection) -> list[RunRecord]:
    """Every run, the first one first."""
    return [RunRecord(**row._mapping) for row in connection.execute(select(runs).order_by(runs.c.id))]


def row_of(connection: Connection, run_id: int) -> RowMapping:
    """The row of one run."""
    row = connection.execute(select(runs).where(runs.c.id == run_id)).mappings().first()
    if row is None:
        raise LedgerError(f"there is no run {run_id}", remedy="Begin a run first.")
    return row


def _note(connection: Connection, action: str, run_id: int, row: Row, details: dict[str, Any]) -> None:
    event = audit.Event(action, "run", str(run_id), audit.digest(runs, row), details=details)
    audit.append(connection, [event])
