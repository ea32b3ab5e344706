"""A file of sites as raw rows, before their cells mean anything; and what a caller may say about the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyproj
from pyproj.exceptions import CRSError

from cvpipe.errors import SitesError
from cvpipe.geo import WGS84
from cvpipe.ledger.exchange.headings import Headings, shipped_headings

#: Longest cell that is read, in characters: a WKT outline of some 100,000 corners.
LONGEST_CELL = 4_000_000


@dataclass(frozen=True)
class Question:
    """What the caller says of a file: which layer or sheet of it, its CRS where it states none, and the headings."""

    layer: str | None = None
    crs: pyproj.CRS | None = None
    headings: Headings = field(default_factory=shipped_headings)


@dataclass(frozen=True)
class RawRow:
    """One row: where it stands in the file, its cells by heading, and what keeps it from being read ("" if nothing).

    `geometry` is that of a feature: a GeoJSON object or a shapely geometry.
    """

    where: str
    cells: dict[str, Any]
    geometry: Any = None
    fault: str = ""


@dataclass(frozen=True)
class RawFile:
    """All rows of a file.

    `crs` is that of its geometries, x before y; `has_geometries` where rows carry their own. `names_are_cut` where
    headings hold 10 bytes at most (DBF). Headings in `yielding` stand back where another one means the same field.
    `notices` are sentences on the file as a whole.
    """

    path: Path
    headings: tuple[str, ...]
    rows: list[RawRow] = field(default_factory=list)
    has_geometries: bool = False
    crs: pyproj.CRS = WGS84
    names_are_cut: bool = False
    yielding: frozenset[str] = frozenset()
    notices: tuple[str, ...] = ()


def headings_of(rows: list[RawRow]) -> tuple[str, ...]:
    """The headings that any row has, in the order of their first appearance."""
    return tuple(dict.fromkeys(heading for row in rows for heading in row.cells))


def known_crs(written: str, where: object) -> pyproj.CRS:
    """A coordinate system by how people write it: EPSG:4490, 4490, WKT. Raises SitesError."""
    name = written.strip()
    try:
        return pyproj.CRS.from_user_input(int(name) if name.isdecimal() else name)
    except CRSError:
        raise SitesError(
            f"the coordinate system {_short(name)!r} is not known",
            where=where,
            remedy="Give it as EPSG:<number>, such as EPSG:4490; --crs says it for a file that does not.",
        ) from None


def _short(name: str) -> str:
    return name if len(name) <= 80 else f"{name[:80]}…"
