"""Where the ledger is: a GeoPackage or a PostgreSQL database; opening it, bringing it to the present tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, DataError, IntegrityError, StatementError

from cvpipe.errors import CvpipeError, LedgerError, LedgerUnavailableError
from cvpipe.ledger import postgis
from cvpipe.ledger.schema import metadata

#: A ledger's place: the path of a GeoPackage, or the URL of a PostgreSQL database.
Place: TypeAlias = Path | str

#: How long a writer waits for another one before it gives up, ms. A write takes milliseconds, an import of 100,000
#: sites half a minute (`scripts/benchmark_ledger.py`), and more on a busy machine.
BUSY_TIMEOUT_MS = 120_000

_MIGRATIONS = Path(__file__).parent / "migrations"
_SQLITE_MAGIC = b"SQLite format 3\x00"
_URL_BEGINNINGS = ("postgresql://", "postgres://")

#: What of a URL's query no message may show.
_SECRETS = ("password", "sslpassword")

_UNFIT = "the ledger cannot hold a value"


def is_url(place: Place) -> bool:
    """Whether a place is the URL of a database; everything else is a path."""
    return isinstance(place, str) and place.startswith(_URL_BEGINNINGS)


def connect(place: Place) -> Engine:
    """An engine on the ledger; `reading` and `writing` give its transactions.

    A URL without a password takes it from the environment (PGPASSWORD) or from ~/.pgpass, as all PostgreSQL programs
    do. Raises LedgerError for a URL that cannot be understood, or when the driver is not installed.
    """
    if is_url(place):
        return _connect_to_database(str(place))
    engine = create_engine(URL.create("sqlite", database=str(place)))
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    event.listen(engine, "before_cursor_execute", _refuse_nul)
    return engine


def name_of(engine: Engine) -> str:
    """The ledger's place as messages may show it: never with a password."""
    if engine.dialect.name == "sqlite":
        return str(engine.url.database)
    shown = engine.url.set(drivername="postgresql").difference_update_query(_SECRETS)
    return shown.render_as_string(hide_password=True)


def has_password(url: str) -> bool:
    """Whether a database's URL tells its password."""
    parsed = _parsed(url)
    return parsed.password is not None or not parsed.query.keys().isdisjoint(_SECRETS)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent view of the ledger."""
    with _told_plainly(engine), engine.begin() as connection:
        yield connection


@contextmanager
def writing(engine: Engine, *, may_be_lost: bool = False) -> Iterator[Connection]:
    """One transaction that is alone in writing, so that the audit chain never forks: all of it lands, or nothing.

    `may_be_lost` spares the wait for the disk where a power cut may take the transaction back: what is told anew from
    what the ledger holds, and what passes within the hour. A killed process loses nothing either way.
    """
    options = {"writes": True, "may_be_lost": may_be_lost}
    with _told_plainly(engine), engine.execution_options(**options).begin() as connection:
        yield connection


def migrate(engine: Engine) -> tuple[str, ...]:
    """Run the migrations that the ledger lacks, each in one transaction; returns their names in order."""
    missing = missing_revisions(engine)
    # No `with engine.begin()`: each step opens and commits a transaction of its own.
    with _told_plainly(engine), engine.execution_options(writes=True).connect() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return missing


def missing_revisions(engine: Engine) -> tuple[str, ...]:
    """Names of the migrations that the ledger lacks, oldest first.

    Raises LedgerError when it was written by a newer version.
    """
    with reading(engine) as connection:
        present = MigrationContext.configure(connection).get_current_revision()
    names = [step.revision for step in ScriptDirectory.from_config(_config()).walk_revisions()][::-1]
    if present is None:
        return tuple(names)
    if present not in names:
        raise LedgerError(
            f"the ledger was written by a newer version (revision {present})",
            where=name_of(engine),
            remedy="Update cvpipe and try again.",
        )
    return tuple(names[names.index(present) + 1 :])


def tables_there(engine: Engine) -> set[str]:
    """Those of the ledger's tables that a database already has, with the one that notes its migrations."""
    with reading(engine) as connection:
        return {*metadata.tables, "alembic_version"} & set(inspect(connection).get_table_names())


def is_ledger(path: Path) -> bool:
    """Whether a file is an SQLite file with our migrations in it; looks without touching it.

    Raises LedgerError when it cannot be read, or is damaged.
    """
    with path.open("rb") as file:
        if file.read(len(_SQLITE_MAGIC)) != _SQLITE_MAGIC:
            return False
    query = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchone() is not None
    except sqlite3.Error as error:
        remedy = "See whether you may read it and its folder; where it is damaged, go back to a copy."
        raise LedgerError(f"the file cannot be read ({error})", where=path, remedy=remedy) from error


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _connect_to_database(url: str) -> Engine:
    try:
        engine = create_engine(_parsed(url).set(drivername="postgresql+psycopg"))
    except ImportError:
        raise LedgerError(
            "a ledger in PostgreSQL needs the driver psycopg, which is not installed",
            remedy="Install it: pip install 'cvpipe[postgres]'.",
        ) from None
    event.listen(engine, "connect", _prepare_postgres)
    event.listen(engine, "begin", _begin_postgres)
    event.listen(engine, "before_cursor_execute", _refuse_nul)
    return engine


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        # Not a word of the URL: where it cannot be parsed, a password in it cannot be told from the rest.
        raise LedgerError(
            "the URL of the ledger's database cannot be understood",
            remedy="Write it as postgresql://USER@HOST:PORT/DATABASE.",
        ) from None


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # Python's own transaction handling would commit before DDL; SQLAlchemy begins and commits instead.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA recursive_triggers = ON")  # else REPLACE would delete past the append-only triggers


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE takes the write lock at once: two writers queue up instead of failing half-way.
    if not _writes(connection):
        connection.exec_driver_sql("BEGIN")
        return
    # In a write-ahead log NORMAL leaves the disk to the next FULL commit (https://www.sqlite.org/pragma.html).
    connection.exec_driver_sql(f"PRAGMA synchronous = {'NORMAL' if _may_be_lost(connection) else 'FULL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _prepare_postgres(connection: Any, _record: object) -> None:
    connection.execute("SET TIME ZONE 'UTC'")
    connection.execute("SET client_encoding TO 'UTF8'")
    # Whatever the server's default is: a writer must see what was committed while it waited for its turn.
    connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED")
    connection.execute(f"SET lock_timeout TO {BUSY_TIMEOUT_MS}")
    connection.commit()


def _begin_postgres(connection: Connection) -> None:
    # One writer at a time, as in SQLite: what it looked up still holds when it writes, and nobody deadlocks.
    if _writes(connection):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({postgis.WRITERS_LOCK})")
        if _may_be_lost(connection):
            connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def _writes(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("writes", False))


def _may_be_lost(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("may_be_lost", False))


def _refuse_nul(
    _connection: Connection, _cursor: object, _statement: str, parameters: Any, _context: object, executemany: bool
) -> None:
    """PostgreSQL has no text with a NUL in it, so that SQLite shall have none either."""
    for row in parameters if executemany else (parameters or (),):
        for value in _values_of(row):
            if isinstance(value, str) and "\0" in value:
                found = f"a text holds the character NUL: {value[:60]!r}"
                raise LedgerError(found, remedy="Nothing was written; take the character out.")


def _values_of(row: Any) -> Iterable[Any]:
    """The values of a row of parameters; an insertion of many rows gives them one by one."""
    if isinstance(row, Mapping):
        return row.values()
    return row if isinstance(row, tuple | list) else (row,)


@contextmanager
def _told_plainly(engine: Engine) -> Iterator[None]:
    """Turn what the database says into an error of our tree."""
    try:
        yield
    except StatementError as error:
        if isinstance(error.orig, CvpipeError):  # a column type refused a value
            raise error.orig from None
        if not isinstance(error, IntegrityError | DataError):
            found = f"the ledger could not be read or written ({error.orig})"
            raise LedgerUnavailableError(found, where=name_of(engine), remedy=_remedy(engine)) from error
        found = "the ledger forbids what was to be written" if isinstance(error, IntegrityError) else _UNFIT
        remedy = "Nothing was written; correct the values."
        raise LedgerError(f"{found} ({error.orig})", where=name_of(engine), remedy=remedy) from error
    except (UnicodeEncodeError, OverflowError) as error:  # the driver refused a value before the database saw it
        remedy = "Nothing was written; give text in UTF-8 and whole numbers below 2^63."
        raise LedgerError(f"{_UNFIT} ({error})", where=name_of(engine), remedy=remedy) from error


def _remedy(engine: Engine) -> str:
    if engine.dialect.name == "sqlite":
        return "Close other programs that hold it, look at disk space and permissions, then try again."
    return "See whether the server runs, whether you may use the database (PGPASSWORD, ~/.pgpass), and who holds it."
