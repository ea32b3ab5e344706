"""A ledger in PostgreSQL: found by its URL, guarded like a file, and silent about passwords."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from cvpipe.errors import LedgerError, WorkspaceError
from cvpipe.ledger import Ledger, Workspace, store
from tests.ledger import samples
from tests.ledger.commands import Command
from tests.ledger.conftest import Databases

pytestmark = pytest.mark.postgres

NOBODY = "postgresql://somebody:s3cret@127.0.0.1:1/nothing?connect_timeout=2"


@pytest.fixture
def empty_database(databases: Databases) -> str:
    """The URL of a database without tables."""
    return databases.bare()


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    """Run a statement past the ledger; returns its rows."""
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_an_empty_database_gets_its_tables_once(empty_database: str) -> None:
    with pytest.raises(LedgerError, match=r"holds no ledger.*cvpipe init DIR --ledger URL"):
        Ledger.open(empty_database)
    with Ledger.create(empty_database) as ledger:
        samples.fill(ledger)
    with pytest.raises(LedgerError, match="already holds accounts, alembic_version, assessments"):
        Ledger.create(empty_database)
    with Ledger.open(empty_database) as again:
        assert len(again.sites()) == 2
        assert again.verify().problems == ()


def test_tables_of_others_are_left_alone(empty_database: str) -> None:
    execute(empty_database, "CREATE TABLE sites (own text)")
    with pytest.raises(LedgerError, match="already holds sites"):
        Ledger.create(empty_database)
    assert execute(empty_database, "SELECT own FROM sites") == []


def test_a_migration_that_fails_leaves_nothing(empty_database: str) -> None:
    execute(empty_database, "CREATE TABLE audit_head (in_the_way text)")
    execute(empty_database, "CREATE TABLE alembic_version (version_num varchar(32))")
    execute(empty_database, "CREATE TABLE audit (in_the_way text)")
    with pytest.raises(LedgerError, match='relation "audit" already exists'):
        Ledger.migrate(empty_database)
    assert execute(empty_database, "SELECT to_regclass('sites')") == [(None,)]


def test_a_gis_sees_layers_in_wgs84(databases: Databases) -> None:
    url = databases.copy("filled")
    layers = execute(url, "SELECT f_table_name, srid FROM geometry_columns WHERE f_geometry_column = 'geom'")
    assert {("sites", 4326), ("changes", 4326), ("assessments", 4326), ("scenes", 4326)} <= set(layers)
    with pytest.raises(psycopg.errors.CheckViolation):
        execute(url, "UPDATE sites SET geom = ST_SetSRID(geom, 4490)")


def test_truncate_is_refused(databases: Databases) -> None:
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="audit is append-only: TRUNCATE"):
        execute(databases.copy("filled"), "TRUNCATE audit")


def test_a_locked_ledger_says_so(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cvpipe.ledger.store.BUSY_TIMEOUT_MS", 50)
    url = databases.copy("filled")
    with Ledger.open(url) as one, Ledger.open(url) as other, store.writing(one._engine):
        with pytest.raises(LedgerError, match=r"lock timeout.*who holds it"):
            samples.begin_run(other)
        assert len(other.sites()) == 2, "reading goes on"


def test_writers_see_what_was_committed_while_they_waited(databases: Databases) -> None:
    """Whatever the database's default is: a view from before the wait would fork the chain."""
    url = databases.copy("filled")
    execute(url, f"ALTER DATABASE {url.rpartition('/')[2]} SET default_transaction_isolation = 'serializable'")
    with Ledger.open(url) as ledger:
        for transaction, expected in ((store.writing, "read committed"), (store.reading, "repeatable read")):
            with transaction(ledger._engine) as connection:
                assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == expected


def test_no_secret_of_the_query_is_shown() -> None:
    with Ledger("postgresql://somebody@127.0.0.1/x?password=s3cret&sslpassword=s3cret") as ledger:
        assert ledger.name == "postgresql://somebody@127.0.0.1/x"


def test_a_server_that_does_not_answer() -> None:
    with pytest.raises(LedgerError, match="See whether the server runs") as caught:
        Ledger.open(NOBODY)
    assert "s3cret" not in str(caught.value)
    assert "somebody:***@127.0.0.1" in str(caught.value)


@pytest.mark.parametrize("url", ["postgresql://a:s3cret@h:port/x", "postgresql://s3cret@[::1/x"])
def test_a_url_that_cannot_be_understood(url: str) -> None:
    with pytest.raises(LedgerError, match="cannot be understood") as caught:
        Ledger.open(url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [NOBODY, "postgresql://127.0.0.1/x?user=a&password=s3cret", "postgresql://127.0.0.1/x?sslpassword=s3cret"],
)
def test_a_password_is_not_kept_in_settings(tmp_path: Path, url: str) -> None:
    with pytest.raises(WorkspaceError, match="PGPASSWORD") as caught:
        Workspace.create(tmp_path / "district", ledger=url)
    assert "s3cret" not in str(caught.value)
    assert not (tmp_path / "district").exists()


def test_a_workspace_through_the_command_line(command: Command, tmp_path: Path, empty_database: str) -> None:
    folder, file = tmp_path / "district", tmp_path / "sites.csv"
    file.write_text("编号,名称,经度,纬度\nSJS-1,北院,116.2,39.9\n", encoding="utf-8")
    made = command("init", folder, "--ledger", empty_database)
    assert made.code == 0, made.stderr
    assert {path.name for path in folder.iterdir()} == {"cvpipe.yaml", "runs"}
    there = ("--workspace", folder)
    assert command("sites", "import", file, *there).code == 0
    assert "SJS-1" in command("sites", "list", *there).stdout
    assert "the ledger is whole" in command("ledger", "verify", *there).stdout
    assert "nothing to do" in command("ledger", "migrate", *there).stdout


def test_workspaces_share_a_database(tmp_path: Path, databases: Databases) -> None:
    url = databases.copy("filled")
    for name in ("one", "other"):
        with Workspace.create(tmp_path / name, ledger=url).ledger() as ledger:
            assert len(ledger.sites()) == 2
    with pytest.raises(WorkspaceError, match="the ledger is in a database"):
        _ = Workspace.open(tmp_path / "one").ledger_path
