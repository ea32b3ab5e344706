"""Nothing that was appended can be changed, and whoever changes it all the same is found out."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import asdict

import pytest

from cvpipe.ledger import Ledger, audit
from cvpipe.ledger.schema import APPEND_ONLY
from tests.ledger import samples


def tamper(ledger: Ledger, *statements: str) -> None:
    """Change the file behind the ledger's back, its triggers switched off."""
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            assert connection.execute(statement).rowcount > 0, f"changed nothing: {statement}"


def test_an_untouched_ledger_verifies(filled: Ledger) -> None:
    found = filled.verify()
    assert found.problems == ()
    # two sites, two scenes, run begun, assessment, run finished; the run is one entry
    assert (found.audit_rows, found.contents) == (7, 6)


@pytest.mark.parametrize("table", [table.name for table in APPEND_ONLY])
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id + 100", "DELETE FROM {}"])
def test_append_only_tables_refuse(filled: Ledger, table: str, statement: str) -> None:
    with (
        closing(sqlite3.connect(filled.path)) as connection,
        pytest.raises(sqlite3.IntegrityError, match=f"{table} is append-only"),
    ):
        connection.execute(statement.format(table))


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE audit SET details = '{}' WHERE id = 2", "audit row 2 was altered"),
        ("UPDATE audit SET at = '2020-01-01T00:00:00.000Z' WHERE id = 7", "audit row 7 was altered"),
        ("DELETE FROM audit WHERE id IN (3, 4)", "audit rows 3 to 4 are missing"),
        ("DELETE FROM audit WHERE id = 6", "assessment key-1 has no audit row"),
        ("UPDATE assessments SET demolition = 'none'", "assessment key-1 was altered"),
        ("UPDATE assessments SET geom = (SELECT geom FROM sites LIMIT 1 OFFSET 1)", "assessment key-1 was altered"),
        ("UPDATE changes SET area_m2 = 1 WHERE kind = 'green_added'", "assessment key-1 was altered"),
        ("DELETE FROM changes WHERE kind = 'green_added'", "assessment key-1 was altered"),
        ("DELETE FROM assessments", "assessment key-1 is in the audit trail but missing"),
        ("UPDATE sites SET status = 'closed' WHERE code = 'SJS-001'", "site SJS-001 was altered"),
        ("DELETE FROM sites WHERE code = 'SJS-002'", "site SJS-002 is in the audit trail but missing"),
        ("UPDATE scenes SET acquired = '2016-01-01' WHERE uri = 'before.tif'", "scene h2015 was altered"),
        ("UPDATE runs SET bundle_digest = 'other'", "run 1 was altered"),
    ],
)
def test_tampering_is_found(filled: Ledger, statement: str, problem: str) -> None:
    tamper(filled, statement)
    assert any(found.startswith(problem) for found in filled.verify().problems)


def test_a_rewritten_row_breaks_the_chain_behind_it(filled: Ledger) -> None:
    """Whoever recomputes one row's own hash still disagrees with the row after it."""
    forged = audit._row_hash({**asdict(filled.audit()[1]), "details": {"source": "forged"}})
    tamper(filled, f"UPDATE audit SET details = '{{\"source\":\"forged\"}}', hash = '{forged}' WHERE id = 2")
    assert filled.verify().problems == ("audit row 3 does not follow from the row before it",)


def test_what_the_machine_observes_is_no_tampering(filled: Ledger) -> None:
    tamper(filled, "UPDATE sites SET observed_status = 'cleared'")
    assert filled.verify().problems == ()


def test_the_last_rows_and_one_sites_rows(filled: Ledger) -> None:
    assert [record.id for record in filled.audit(limit=2)] == [6, 7]
    assert [(record.kind, record.action) for record in filled.audit(samples.FULL_SITE.code)] == [
        ("site", "added"),
        ("assessment", "recorded"),
    ]
