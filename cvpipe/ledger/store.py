"""The ledger's file: opening it, and bringing an older one to the present tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import IntegrityError, StatementError

from cvpipe.errors import CvpipeError, LedgerError

#: How long a writer waits for another one before it gives up, ms. A write takes milliseconds, an import of 100,000
#: sites some seconds.
BUSY_TIMEOUT_MS = 30_000

_MIGRATIONS = Path(__file__).parent / "migrations"
_SQLITE_MAGIC = b"SQLite format 3\x00"


def connect(path: Path) -> Engine:
    """An engine on the file; `reading` and `writing` give its transactions."""
    engine = create_engine(URL.create("sqlite", database=str(path)))
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent view of the ledger."""
    with _told_plainly(engine), engine.begin() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that is alone in writing, so that the audit chain never forks: all of it lands, or nothing."""
    with _told_plainly(engine), engine.execution_options(writes=True).begin() as connection:
        yield connection


def migrate(engine: Engine) -> tuple[str, ...]:
    """Run the migrations that the file lacks, each in one transaction; returns their names in order."""
    missing = missing_revisions(engine)
    # No `with engine.begin()`: each step opens and commits a transaction of its own.
    with _told_plainly(engine), engine.execution_options(writes=True).connect() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return missing


def missing_revisions(engine: Engine) -> tuple[str, ...]:
    """Names of the migrations that the file lacks, oldest first.

    Raises LedgerError when the file was written by a newer version.
    """
    with reading(engine) as connection:
        present = MigrationContext.configure(connection).get_current_revision()
    names = [step.revision for step in ScriptDirectory.from_config(_config()).walk_revisions()][::-1]
    if present is None:
        return tuple(names)
    if present not in names:
        raise LedgerError(
            f"the ledger was written by a newer version (revision {present})",
            where=engine.url.database,
            remedy="Update cvpipe and try again.",
        )
    return tuple(names[names.index(present) + 1 :])


def is_ledger(path: Path) -> bool:
    """Whether a file is an SQLite file with our migrations in it; looks without touching it."""
    with path.open("rb") as file:
        if file.read(len(_SQLITE_MAGIC)) != _SQLITE_MAGIC:
            return False
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        query = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
        return connection.execute(query).fetchone() is not None


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _prepare(connection: Any, _record: object) -> None:
    # Python's own transaction handling would commit before DDL; SQLAlchemy begins and commits instead.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Connection) -> None:
    # IMMEDIATE takes the write lock at once: two writers queue up instead of failing half-way.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _told_plainly(engine: Engine) -> Iterator[None]:
    """Turn what the database says into an error of our tree."""
    try:
        yield
    except StatementError as error:
        if isinstance(error.orig, CvpipeError):  # a column type refused a value
            raise error.orig from None
        if isinstance(error, IntegrityError):
            found, remedy = "the ledger forbids what was to be written", "Nothing was written; correct the values."
        else:
            found = "the ledger could not be read or written"
            remedy = "Close other programs that hold it, look at disk space and permissions, then try again."
        raise LedgerError(f"{found} ({error.orig})", where=engine.url.database, remedy=remedy) from error
