"""Nothing that was appended can be changed, and whoever changes it all the same is found out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import pytest
from sqlalchemy import Connection

from cvpipe.errors import LedgerError
from cvpipe.ledger import Ledger, audit, store
from cvpipe.ledger.schema import APPEND_ONLY
from tests.ledger import samples


def tamper(ledger: Ledger, *statements: str) -> None:
    """Change the ledger behind its back, its triggers switched off."""
    with tampering(ledger) as connection:
        for statement in statements:
            assert connection.exec_driver_sql(statement).rowcount > 0, f"changed nothing: {statement}"


@contextmanager
def tampering(ledger: Ledger) -> Iterator[Connection]:
    """A transaction in which neither triggers nor foreign keys hold."""
    engine = ledger._engine
    with engine.connect().execution_options(writes=True) as connection:
        if engine.dialect.name == "sqlite":
            connection.connection.cursor().execute("PRAGMA foreign_keys = OFF")
        triggers = _without_triggers(connection)
        yield connection
        for statement in triggers:
            connection.exec_driver_sql(statement)
        connection.commit()
    engine.dispose()


def _without_triggers(connection: Connection) -> list[str]:
    """Take the triggers away, until the transaction ends or the statements that are returned put them back."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        return []
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE '%\\_forbid\\_%' ESCAPE '\\'"
    triggers = connection.exec_driver_sql(query).all()
    for name, _ in triggers:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    return [statement for _, statement in triggers]


def test_an_untouched_ledger_verifies(filled: Ledger) -> None:
    found = filled.verify()
    assert found.problems == ()
    # two sites, two scenes, run begun, assessment, run finished; the run is one entry, each site has a version
    assert (found.audit_rows, found.contents) == (7, 8)


@pytest.mark.parametrize("table", [table.name for table in APPEND_ONLY])
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id + 100", "DELETE FROM {}"])
def test_append_only_tables_refuse(filled: Ledger, table: str, statement: str) -> None:
    samples.live(filled)
    samples.see(filled)
    with (
        pytest.raises(LedgerError, match=f"{table} is append-only"),
        store.writing(filled._engine) as connection,
    ):
        connection.exec_driver_sql(statement.format(table))


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE audit SET details = '{}' WHERE id = 2", "audit row 2 was altered"),
        ("UPDATE audit SET at = '2020-01-01T00:00:00.000Z' WHERE id = 7", "audit row 7 was altered"),
        ("DELETE FROM audit WHERE id IN (3, 4)", "audit rows 3 to 4 are missing"),
        ("DELETE FROM audit WHERE id = 6", "assessment key-1 has no audit row"),
        ("DELETE FROM audit WHERE id = 7", "audit rows 7 to 7 are missing"),
        ("UPDATE audit_head SET rows = 9", "audit rows 8 to 9 are missing"),
        ("UPDATE audit_head SET hash = prev_hash FROM audit WHERE audit.id = 7", "the audit trail ends with row 7"),
        ("UPDATE changes SET assessment_id = 99 WHERE kind = 'green_added'", "change 2 belongs to no assessment"),
        ("UPDATE site_versions SET buffer_m = 99 WHERE site_code = 'SJS-001'", "version 1 of site SJS-001 was altered"),
        (
            "DELETE FROM site_versions WHERE site_code = 'SJS-002'",
            "version 1 of site SJS-002 is in the audit trail but",
        ),
        ("UPDATE assessments SET demolition = 'none'", "assessment key-1 was altered"),
        (
            "UPDATE assessments SET geom = (SELECT geom FROM sites WHERE code = 'SJS-002')",
            "assessment key-1 was altered",
        ),
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
    second = asdict(filled.audit()[1])
    details = {**second["details"], "source": "forged"}
    forged = audit._row_hash({**second, "details": details})
    tamper(filled, f"UPDATE audit SET details = '{json.dumps(details)}', hash = '{forged}' WHERE id = 2")
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


def test_a_tail_that_was_cut_off_with_its_subject_is_missed(filled: Ledger) -> None:
    """Without a trace in the other tables, only the head of the chain knows; later rows do not cover it up."""
    filled.put_sites([samples.site("SJS-003")], source="test")
    tamper(filled, "DELETE FROM audit WHERE id = 8", "DELETE FROM site_versions WHERE site_code = 'SJS-003'")
    tamper(filled, "DELETE FROM sites WHERE code = 'SJS-003'")
    assert filled.verify().problems == ("audit rows 8 to 8 are missing",)
    filled.put_sites([samples.site("SJS-004")], source="test")
    assert "audit rows 8 to 8 are missing" in filled.verify().problems


def test_a_head_noted_elsewhere_finds_a_trail_that_was_written_anew(filled: Ledger, ledger: Ledger) -> None:
    noted = filled.verify().head
    samples.fill(ledger)
    assert ledger.verify().problems == (), "whole in itself"
    assert ledger.verify(noted).problems == ("audit row 7 is not the one whose hash was noted down",)
    filled.put_sites([samples.site("SJS-003")], source="test")
    assert filled.verify(noted).problems == (), "the chain went on from there"


@pytest.mark.parametrize("noted", ["", "7", "7:ab", "x:" + "0" * 64])
def test_what_is_no_head_is_refused(filled: Ledger, noted: str) -> None:
    with pytest.raises(LedgerError, match="no end of an audit trail"):
        filled.verify(noted)
