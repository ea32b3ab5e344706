"""What is written into a file: columns with their kinds and headings, rows, and a geometry for each row."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal

import shapely
from shapely.geometry.base import BaseGeometry

from cvpipe.geo import array_of
from cvpipe.ledger.exchange.cells import MOST_EXACT, is_blank
from cvpipe.ledger.exchange.raw import LONGEST_CELL
from cvpipe.ledger.styles import Style

Language = Literal["en", "zh"]

#: Decimals with which GEOS writes every double so that it reads back the same; it leaves needless ones out.
_ALL_DECIMALS = 350
#: What neither a line of a text file nor XML holds as it is; JSON can write it as \\uXXXX.
_DELICATE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


class Kind(StrEnum):
    """What a column's cells are. A PLACE is a geometry beside the row's own, PLAIN is anything that JSON carries."""

    TEXT = "text"
    REAL = "real"
    WHOLE = "whole"
    TRUTH = "truth"
    DAY = "day"
    PLACE = "place"
    PLAIN = "plain"


@dataclass(frozen=True)
class Column:
    """A column of a table: its name in cvpipe, what it is called in the file, and what a reader should know of it."""

    name: str
    heading: str
    kind: Kind
    unit: str = ""
    explained: str = ""


@dataclass(frozen=True)
class Table:
    """Rows to be written; `values` go with `columns`, `geometries` are in WGS 84, `styles` are those of a GIS."""

    name: str
    columns: tuple[Column, ...]
    values: Sequence[Sequence[Any]]
    geometries: Sequence[BaseGeometry]
    legend: tuple[str, str, str] = ("heading", "unit", "meaning")
    notices: tuple[str, ...] = field(default=())
    styles: tuple[Style, ...] = field(default=())

    def with_place_columns(self, geometry: Column, lon: Column, lat: Column) -> Table:
        """The table for a format that knows no geometries: they become columns."""
        outlines = array_of(self.geometries)
        spots = shapely.get_coordinates(shapely.point_on_surface(outlines)).round(7).tolist()
        values = [(*row, *spot, place) for row, spot, place in zip(self.values, spots, self.geometries, strict=True)]
        return replace(self, columns=(*self.columns, lon, lat, geometry), values=values)


def wkt(geometry: BaseGeometry) -> str:
    """Well-known text that reads back as the same geometry, to the last bit."""
    return str(shapely.to_wkt(geometry, rounding_precision=_ALL_DECIMALS))


def json_text(value: Any) -> str:
    """JSON for a cell: Unicode as it is, but for what some formats cannot hold."""
    return _DELICATE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def cell_text(kind: Kind, value: Any) -> str:
    """A cell that is not blank as text; numbers with all their digits."""
    if kind is Kind.PLACE:
        return wkt(value)
    if kind is Kind.PLAIN:
        return json_text(value)
    return repr(float(value)) if kind is Kind.REAL else str(value)


def own_columns(
    rows: Iterable[dict[str, Any]], kinds: Collection[Kind], taken: Callable[[str], bool]
) -> dict[str, Kind]:
    """The attributes that a format keeps in columns of their own, so that they come back as they were.

    All values of such a one are of one kind; `taken` says of a name whether an import would read something else
    from it. The others go into one column as JSON.
    """
    found: dict[str, Kind | None] = {}
    for attributes in rows:
        for name, value in attributes.items():
            kind = _kind(value, kinds)
            found[name] = kind if found.get(name, kind) == kind else None
    names = [name for name, kind in found.items() if kind is not None and _is_heading(name) and not taken(name)]
    times = Counter(name.casefold() for name in names)
    once = [name for name in names if times[name.casefold()] == 1]
    return {name: kind for name in once[:MOST_OWN_COLUMNS] if (kind := found[name]) is not None}


#: Attributes that get columns of their own; a DBF table holds 255 columns in all.
MOST_OWN_COLUMNS = 200


def _kind(value: Any, kinds: Collection[Kind]) -> Kind | None:
    if is_blank(value):
        return None
    if Kind.PLAIN in kinds:
        return Kind.PLAIN
    kind = _plain_kind(value)
    return kind if kind in kinds else None


def _plain_kind(value: Any) -> Kind | None:
    if isinstance(value, str):
        return Kind.TEXT if len(value) <= LONGEST_CELL and not _DELICATE.search(value) else None
    if isinstance(value, bool):
        return Kind.TRUTH
    if isinstance(value, int):
        return Kind.WHOLE if abs(value) <= MOST_EXACT else None
    return Kind.REAL if isinstance(value, float) and math.isfinite(value) else None


def _is_heading(name: str) -> bool:
    return (
        bool(name.strip())
        and name == name.strip()
        and not re.search(r"[\n\t]|__\d+$", name)
        and not _DELICATE.search(name)
    )
