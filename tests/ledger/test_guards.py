"""Verification misses the guards of append-only tables, and tells of rows that cannot be read any more."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from cvpipe.errors import LedgerError
from cvpipe.ledger import Ledger, store
from cvpipe.ledger.schema import APPEND_ONLY
from tests.ledger import samples
from tests.ledger.test_audit_chain import tamper


def execute(ledger: Ledger, statement: str) -> None:
    """Run a statement past the ledger."""
    with store.writing(ledger._engine) as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize("table", sorted(table.name for table in APPEND_ONLY))
def test_a_trigger_that_is_gone_is_missed(filled: Ledger, table: str) -> None:
    on_postgres = filled._engine.dialect.name == "postgresql"
    execute(filled, f"DROP TRIGGER {table}_forbid_update" + (f" ON {table}" if on_postgres else ""))
    assert filled.verify().problems == (f"the trigger that refuses UPDATE of {table} is missing or switched off",)


def test_a_trigger_that_does_nothing_is_none(filled_file: Ledger) -> None:
    execute(filled_file, "DROP TRIGGER audit_forbid_delete")
    execute(filled_file, "CREATE TRIGGER audit_forbid_delete BEFORE DELETE ON audit BEGIN SELECT 1; END")
    assert filled_file.verify().problems == ("the trigger that refuses DELETE of audit is missing or switched off",)


def test_the_note_of_the_end_is_missed(filled: Ledger) -> None:
    tamper(filled, "DELETE FROM audit_head")
    assert filled.verify().problems == ("the note of where the audit trail ends is missing",)
    with pytest.raises(LedgerError, match="end of the audit trail is not noted any more"):
        samples.begin_run(filled)


def test_a_second_note_of_the_end_changes_nothing(filled: Ledger) -> None:
    tamper(filled, "INSERT INTO audit_head (id, rows, hash) VALUES (2, 1, 'forged')")
    samples.begin_run(filled)
    assert filled.verify().problems == ()


def test_json_that_is_none_is_told(filled: Ledger) -> None:
    tamper(filled, "UPDATE sites SET attributes = '{' WHERE code = 'SJS-001'")
    (problem,) = filled.verify().problems
    assert problem.startswith("a row holds what the ledger never wrote")


@pytest.mark.parametrize(
    "change", ["due_date = 'someday'", "land_area_m2 = 9e999", "geom = x'00'", "geom = x'475000030000000001'"]
)
def test_a_column_that_cannot_be_read_is_told(filled_file: Ledger, change: str) -> None:
    tamper(filled_file, f"UPDATE sites SET {change} WHERE code = 'SJS-001'")
    (problem,) = filled_file.verify().problems
    assert problem.startswith("a row holds what the ledger never wrote")


def test_a_version_that_is_not_the_last_is_told(filled: Ledger) -> None:
    tamper(filled, "UPDATE sites SET version = 7 WHERE code = 'SJS-002'")
    assert filled.verify().problems == ("site SJS-002 states version 7, but its last one is 1",)
