"""Runs in and out of the ledger: begun, finished, never rewritten."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update

from cvpipe.errors import LedgerError
from cvpipe.ledger import audit
from cvpipe.ledger.columns import now
from cvpipe.ledger.records import RunRecord
from cvpipe.ledger.schema import Row, runs
from cvpipe.ledger.schema import audit as audit_rows


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


#: The audit trail's word for the first use of a version of the rules.
RULES_FIRST_USED = "first used rules"


def note_rules(connection: Connection, run_id: int, version: str, values: dict[str, Any]) -> bool:
    """Note all values of a version of the rules with the first run that uses it; returns whether it is new."""
    noted = rules_noted(connection)
    if version in noted:
        return False
    was = next(reversed(noted), None)
    changed = _changed(noted[was], values) if was else {}
    row = row_of(connection, run_id)
    details = {"rules_version": version, "was": was, "changed": changed, "values": values}
    event = audit.Event(RULES_FIRST_USED, "run", str(run_id), audit.digest(runs, row), details=details)
    audit.append(connection, [event])
    return True


def rules_noted(connection: Connection) -> dict[str, dict[str, Any]]:
    """The values of each version of the rules that a run has used, in order of first use."""
    query = select(audit_rows.c.details).where(audit_rows.c.action == RULES_FIRST_USED).order_by(audit_rows.c.id)
    return {details["rules_version"]: details["values"] for details in connection.scalars(query)}


def _changed(was: Any, becomes: Any, name: str = "") -> dict[str, list[Any]]:
    """What differs, as {"section.key": [was, becomes]}; a key that is not there is null."""
    if not (isinstance(was, dict) and isinstance(becomes, dict)):
        return {} if was == becomes else {name: [was, becomes]}
    found: dict[str, list[Any]] = {}
    for key in was | becomes:
        found |= _changed(was.get(key), becomes.get(key), f"{name}.{key}".lstrip("."))
    return found


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
