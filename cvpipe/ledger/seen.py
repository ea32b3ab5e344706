"""What epochs were seen to show of sites, kept between runs in an SQLite file: many sites are asked about at once.

All of it can be found out again, so that nothing here fails: what cannot be kept in the file, because the disk is full
or the folder may not be written, is kept for this run only, and a file that is damaged is as good as none.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

LOG = logging.getLogger(__name__)

#: How long one waits for another process that notes what it saw, s.
BUSY_TIMEOUT_S = 5.0

Row = tuple[Any, ...]


class SeenFile:
    """Measures, of the names and in the order given, by the digest of a site and by what was shown of it."""

    def __init__(self, path: Path, measures: Sequence[str]) -> None:
        self._path, self._measures = path, ", ".join(measures)
        self._marks = ", ".join("?" for _ in ("site", "shown", *measures))
        self._unkept = dict[tuple[bytes, str], Row]()

    def of(self, site: bytes, shown: str) -> Row | None:
        """The measures of a site; None where there are none."""
        if (site, shown) in self._unkept:
            return self._unkept[site, shown]
        return self.kept(site, self.number(shown))

    def kept(self, site: bytes, number: int) -> Row | None:
        """The same, by the number of what was shown."""
        query = f"SELECT {self._measures} FROM looks WHERE site = ? AND shown = ?"
        return next(iter(self._rows(query, (site, number))), None)

    def ask_of(self, sites: Sequence[bytes]) -> None:
        """Name the sites that `asked` tells of."""
        self._rows("DELETE FROM wanted")
        try:
            self._connection.executemany("INSERT INTO wanted VALUES (?, ?)", enumerate(sites))
        except sqlite3.Error as error:
            self._tell(error)

    def asked(self, measures: Sequence[str], where: str = "TRUE") -> list[Row]:
        """What the file has of these sites and fulfils a condition: the place of the site among them, the number of
        what was shown, and some measures."""
        columns = ", ".join(("number", "shown", *measures))
        return self._rows(f"SELECT {columns} FROM wanted CROSS JOIN looks USING (site) WHERE {where}")

    def number(self, shown: str) -> int:
        """The number by which the file knows what is shown; -1 for what nobody has looked at."""
        return self._numbers.get(shown, -1)

    def put(self, site: bytes, shown: str, row: Row) -> None:
        """Keep the measures of a site."""
        try:
            self._connection.execute("INSERT OR IGNORE INTO shown (name) VALUES (?)", (shown,))
            if shown not in self._numbers:
                self._numbers |= self._numbers_kept()
            values = site, self._numbers[shown], *row
            self._connection.execute(f"INSERT OR REPLACE INTO looks VALUES ({self._marks})", values)
        except (sqlite3.Error, KeyError) as error:
            self._tell(error)
            self._unkept[site, shown] = row

    def close(self) -> None:
        """Give the file back."""
        if "_connection" in self.__dict__:
            self._connection.close()

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return self._numbers_kept()

    def _numbers_kept(self) -> dict[str, int]:
        return {name: number for number, name in self._rows("SELECT id, name FROM shown")}

    def _rows(self, query: str, values: Row = ()) -> list[Row]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            self._tell(error)
            return []

    @cached_property
    def _connection(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return self._opened(self._path)
        except (OSError, sqlite3.Error) as error:
            self._tell(error)
            if type(error) is sqlite3.DatabaseError:  # damaged; its heirs mean that it is held or may not be written
                with suppress(OSError, sqlite3.Error):
                    self._path.unlink()
                    return self._opened(self._path)
            return self._opened(":memory:")

    def _opened(self, path: Path | str) -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")  # a power cut may take the last looks with it, no more
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.executescript(
                f"""
                CREATE TABLE IF NOT EXISTS shown (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
                CREATE TABLE IF NOT EXISTS looks (
                    site BLOB NOT NULL, shown INTEGER NOT NULL, {self._measures}, PRIMARY KEY (site, shown)
                ) WITHOUT ROWID;
                CREATE TEMP TABLE wanted (number INTEGER PRIMARY KEY, site BLOB NOT NULL);
                """
            )
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _tell(self, error: Exception) -> None:
        LOG.debug("%s: what was seen of sites is not at hand, or not kept: %s", self._path, error)


__all__ = ["SeenFile"]
