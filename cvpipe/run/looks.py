"""What epochs were seen to show of sites, kept between runs in an SQLite file: many sites are asked about at once.

All of it can be found out again, so that nothing here fails: what cannot be kept in the file, because the disk is full
or the folder may not be written, is kept for this run only, and a file that is damaged is as good as none.
"""

from __future__ import annotations

import logging
import math
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvpipe.domain import Reason
from cvpipe.imagery import Quality

LOG = logging.getLogger(__name__)

#: How long a look waits for another process that notes one, s.
BUSY_TIMEOUT_S = 5.0

_MEASURES = tuple(one.name for one in fields(Quality) if one.name != "reasons")
_COLUMNS = ", ".join(("score", "reasons", *_MEASURES))
_TABLES = f"""
    CREATE TABLE IF NOT EXISTS shown (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE IF NOT EXISTS looks (
        site BLOB NOT NULL, shown INTEGER NOT NULL, score REAL NOT NULL, reasons TEXT NOT NULL,
        {", ".join(f"{name} REAL" for name in _MEASURES)},
        PRIMARY KEY (site, shown)) WITHOUT ROWID;
    CREATE TEMP TABLE wanted (number INTEGER PRIMARY KEY, site BLOB NOT NULL);
"""


@dataclass(frozen=True)
class Recalled:
    """What is known of some sites: the number of each look's site, that of what was shown, and its score, all (N,)."""

    site: NDArray[np.int64]
    shown: NDArray[np.int64]
    score: NDArray[np.float64]
    _rows: Sequence[tuple[Any, ...]]

    @classmethod
    def of(cls, rows: Sequence[tuple[Any, ...]]) -> Recalled:
        """Rows of site, shown and `_COLUMNS`."""
        site, shown, score = (np.fromiter((row[i] for row in rows), np.float64, len(rows)) for i in range(3))
        return cls(site.astype(np.int64), shown.astype(np.int64), score, rows)

    @cached_property
    def is_unusable(self) -> NDArray[np.bool_]:
        """Whether something speaks against it (N,)."""
        return np.fromiter((row[3] != "" for row in self._rows), bool, len(self._rows))

    def quality(self, number: int) -> Quality:
        """All of one look."""
        return _quality(self._rows[number][2:])


class Looks:
    """Qualities by the digest of a site and by what was shown of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unkept = dict[tuple[bytes, str], Quality]()

    def of(self, site: bytes, shown: str) -> Quality | None:
        """What is known of a site; None where nothing is."""
        if (site, shown) in self._unkept:
            return self._unkept[site, shown]
        query = f"SELECT {_COLUMNS} FROM looks WHERE site = ? AND shown = ?"
        rows = self._rows(query, (site, self.number(shown)))
        return _quality(rows[0]) if rows else None

    def of_sites(self, sites: Sequence[bytes]) -> Recalled:
        """All that the file knows of some sites."""
        self._rows("DELETE FROM wanted")
        try:
            self._connection.executemany("INSERT INTO wanted VALUES (?, ?)", enumerate(sites))
        except sqlite3.Error as error:
            self._tell(error)
        query = f"SELECT number, shown, {_COLUMNS} FROM wanted CROSS JOIN looks USING (site)"
        return Recalled.of(self._rows(query))

    def number(self, shown: str) -> int:
        """The number by which the file knows what is shown; -1 for what nobody has looked at."""
        return self._numbers.get(shown, -1)

    def put(self, site: bytes, shown: str, seen: Quality) -> Quality:
        """Keep what was seen; returns it rounded, as it is kept, so that later runs choose by the very same figures."""
        kept = replace(seen, **{name: round(getattr(seen, name), 4) for name in _MEASURES})
        measures = (getattr(kept, name) for name in _MEASURES)
        row = site, kept.score, ",".join(kept.reasons), *(None if math.isnan(one) else one for one in measures)
        try:
            self._connection.execute("INSERT OR IGNORE INTO shown (name) VALUES (?)", (shown,))
            if shown not in self._numbers:
                self._numbers |= self._numbers_kept()
            marks = ", ".join("?" * len(row))
            self._connection.execute(
                f"INSERT OR REPLACE INTO looks (shown, site, {_COLUMNS}) VALUES (?, {marks})",
                (self._numbers[shown], *row),
            )
        except (sqlite3.Error, KeyError) as error:
            self._tell(error)
            self._unkept[site, shown] = kept
        return kept

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return self._numbers_kept()

    def _numbers_kept(self) -> dict[str, int]:
        return {name: number for number, name in self._rows("SELECT id, name FROM shown")}

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            self._tell(error)
            return []

    @cached_property
    def _connection(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return _opened(self._path)
        except (OSError, sqlite3.Error) as error:
            self._tell(error)
            if type(error) is sqlite3.DatabaseError:  # damaged; its heirs mean that it is held or may not be written
                with suppress(OSError, sqlite3.Error):
                    self._path.unlink()
                    return _opened(self._path)
            return _opened(":memory:")

    def close(self) -> None:
        """Give the file back."""
        if "_connection" in self.__dict__:
            self._connection.close()

    def _tell(self, error: Exception) -> None:
        LOG.debug("%s: what was seen of sites is not at hand, or not kept: %s", self._path, error)


def _opened(path: Path | str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")  # a power cut may take the last looks with it, no more
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.executescript(_TABLES)
    return connection


def _quality(row: Sequence[Any]) -> Quality:
    """A row of `_COLUMNS`; an even field has no blur."""
    measures = (math.nan if one is None else one for one in row[2:])
    reasons = tuple(Reason(reason) for reason in row[1].split(",")) if row[1] else ()
    return Quality(**dict(zip(_MEASURES, measures, strict=True)), reasons=reasons)


__all__ = ["Looks", "Recalled"]
