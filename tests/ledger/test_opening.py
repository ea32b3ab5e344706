"""Making, opening and migrating the ledger's file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pyogrio
import pytest
from sqlalchemy import create_engine

from cvpipe.errors import LedgerError
from cvpipe.ledger import Ledger
from cvpipe.ledger.schema import metadata
from tests.ledger import samples


def set_revision(path: Path, *revisions: str) -> None:
    """Make a file say which migration it is at; with none, an empty file that is at its first one's door."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("DELETE FROM alembic_version")
        connection.executemany("INSERT INTO alembic_version VALUES (?)", [(name,) for name in revisions])


def tables_of(path: Path) -> set[str]:
    """Names of the tables in a file."""
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_create_refuses_to_overwrite(filled_file: Ledger) -> None:
    before = samples.file_hash(filled_file.path)
    with pytest.raises(LedgerError, match="there is a file already"):
        Ledger.create(filled_file.path)
    assert samples.file_hash(filled_file.path) == before


def test_create_in_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="cannot be written"):
        Ledger.create(tmp_path / "nowhere" / "ledger.gpkg")


def test_open_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="cvpipe init"):
        Ledger.open(tmp_path / "ledger.gpkg")
    assert list(tmp_path.iterdir()) == []


def test_open_a_text_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger.gpkg"
    path.write_text("not a ledger")
    with pytest.raises(LedgerError, match="no ledger"):
        Ledger.open(path)


def test_open_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger.gpkg"
    path.write_bytes(b"SQLite format 3\x00" + b"x" * 4096)
    for attempt in (Ledger.open, Ledger.migrate):
        with pytest.raises(LedgerError, match=r"cannot be read \(.*go back to a copy"):
            attempt(path)


def test_open_someone_elses_geopackage(tmp_path: Path) -> None:
    path = tmp_path / "other.gpkg"
    pyogrio.raw.write(path, geometry=[], field_data=[], fields=[], geometry_type="Point", crs="EPSG:4326", layer="x")
    before = samples.file_hash(path)
    with pytest.raises(LedgerError, match="no ledger"):
        Ledger.open(path)
    assert samples.file_hash(path) == before


def test_a_newer_ledger_is_refused(filled_file: Ledger) -> None:
    set_revision(filled_file.path, "0999_from_the_future")
    for attempt in (Ledger.open, Ledger.migrate):
        with pytest.raises(LedgerError, match=r"newer version.*Update cvpipe"):
            attempt(filled_file.path)


def test_an_older_ledger_waits_for_migrate(tmp_path: Path) -> None:
    path = tmp_path / "ledger.gpkg"
    set_revision(path)
    with pytest.raises(LedgerError, match=r"lacks the migrations 0001_first_ledger.*cvpipe ledger migrate"):
        Ledger.open(path)
    assert Ledger.migrate(path)[0] == "0001_first_ledger"
    assert Ledger.migrate(path) == ()
    with Ledger.open(path) as ledger:
        samples.fill(ledger)
        assert ledger.verify().problems == ()


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.gpkg"
    set_revision(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE audit (in_the_way INTEGER)")
    with pytest.raises(LedgerError, match="table audit already exists"):
        Ledger.migrate(path)
    assert tables_of(path) == {"alembic_version", "audit"}


def test_migrations_build_the_model(ledger_file: Ledger, tmp_path: Path) -> None:
    drawn = tmp_path / "model.sqlite"
    engine = create_engine(f"sqlite:///{drawn}")
    metadata.create_all(engine)
    engine.dispose()
    assert tables_of(drawn) <= tables_of(ledger_file.path)
    for table in metadata.tables:
        assert _layout(ledger_file.path, table) == _layout(drawn, table)


def test_the_connection_is_set_up(ledger_file: Ledger) -> None:
    from cvpipe.ledger import store

    with store.reading(ledger_file._engine) as connection:
        values = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "foreign_keys")]
        assert values == ["wal", 1]
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == store.BUSY_TIMEOUT_MS


def test_a_locked_ledger_says_so(filled_file: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cvpipe.ledger.store.BUSY_TIMEOUT_MS", 1)
    with (
        closing(sqlite3.connect(filled_file.path, isolation_level=None)) as other,
        Ledger.open(filled_file.path) as own,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match=r"database is locked.*Close other programs"):
            samples.begin_run(own)
        assert len(own.sites()) == 2, "reading goes on"


def _layout(path: Path, table: str) -> dict[str, object]:
    """Columns, indexes, keys and whether ids are never used twice, as SQLite sees them."""
    with closing(sqlite3.connect(path)) as connection:
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
        indexes = {
            (name, unique, tuple(row[2] for row in connection.execute(f"PRAGMA index_info({name})")))
            for _, name, unique, *_ in connection.execute(f"PRAGMA index_list({table})").fetchall()
            if not name.startswith("sqlite_autoindex")
        }
        keys = {row[2:5] for row in connection.execute(f"PRAGMA foreign_key_list({table})")}
        sql = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
    return {"columns": columns, "indexes": indexes, "keys": keys, "autoincrement": "AUTOINCREMENT" in sql}
