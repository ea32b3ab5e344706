"""Files of sites as raw rows: GeoJSON features, or lines of a CSV file, before their cells mean anything."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyproj
from pyproj.exceptions import CRSError

from cvpipe.errors import SitesError
from cvpipe.geo import WGS84

#: UTF-8 first (its faults are certain), then the encoding of Chinese spreadsheets, of which GBK is a part.
_ENCODINGS = ("utf-8-sig", "gb18030")
_DELIMITERS = ",;\t"
#: Longest cell that is read, in characters: a WKT outline of some 100,000 corners.
_LONGEST_CELL = 4_000_000


@dataclass(frozen=True)
class RawRow:
    """One row: where it stands in the file, its cells by heading, and what keeps it from being read ("" if nothing).

    `geometry` is the GeoJSON geometry of a feature.
    """

    where: str
    cells: dict[str, Any]
    geometry: Any = None
    fault: str = ""


@dataclass(frozen=True)
class RawFile:
    """All rows of a file. `crs` is that of its geometries, x before y; `has_geometries` where rows carry their own."""

    path: Path
    headings: tuple[str, ...]
    rows: list[RawRow] = field(default_factory=list)
    has_geometries: bool = False
    crs: pyproj.CRS = WGS84


def read_raw(path: Path) -> RawFile:
    """Read a file by its suffix. Raises SitesError that says what is wrong with the file as a whole."""
    if not path.is_file():
        raise SitesError("no such file", where=path, remedy="Check the path.")
    suffix = path.suffix.lower()
    if suffix in (".geojson", ".json"):
        return _read_geojson(path)
    if suffix == ".csv":
        return _read_csv(path)
    raise SitesError(
        f"a {suffix or 'nameless'} file is not read", where=path, remedy="Save it as GeoJSON (.geojson) or CSV (.csv)."
    )


def _read_text(path: Path) -> str:
    raw = path.read_bytes()
    for encoding in _ENCODINGS:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise SitesError("the text is neither UTF-8 nor GBK", where=path, remedy="Save the file as UTF-8.")


def _read_geojson(path: Path) -> RawFile:
    document = _parse_json(path)
    if not isinstance(document, dict) or document.get("type") != "FeatureCollection":
        raise SitesError(
            "the file is no GeoJSON FeatureCollection", where=path, remedy="Export the layer as GeoJSON again."
        )
    features = document.get("features")
    if not isinstance(features, list):
        raise SitesError("the FeatureCollection has no list of features", where=path, remedy="Export it again.")
    rows = [_feature_row(number, feature) for number, feature in enumerate(features, start=1)]
    headings = dict.fromkeys(heading for row in rows for heading in row.cells)
    return RawFile(path, tuple(headings), rows, True, _stated_crs(document, path))


def _parse_json(path: Path) -> Any:
    try:
        return json.loads(_read_text(path), parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        found = f"broken JSON at line {error.lineno}, column {error.colno} ({error.msg})"
    except (ValueError, RecursionError) as error:
        found = f"JSON that cannot be read ({error})"
    raise SitesError(found, where=path, remedy="Mend the file, or export it again.")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _feature_row(number: int, feature: Any) -> RawRow:
    where = f"feature {number}"
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        return RawRow(where, {}, fault="it is no GeoJSON Feature")
    properties = feature.get("properties") or {}
    if not isinstance(properties, dict):
        return RawRow(where, {}, fault="its properties are no object")
    return RawRow(where, properties, feature.get("geometry"))


def _stated_crs(document: dict[str, Any], path: Path) -> pyproj.CRS:
    """CRS of the `crs` member that GeoJSON had before RFC 7946; WGS 84 without one."""
    member = document.get("crs")
    if member is None:
        return WGS84
    try:
        crs = pyproj.CRS.from_user_input(member["properties"]["name"])
    except (CRSError, KeyError, TypeError):
        raise SitesError(
            f"the coordinate system {member!r} is not known", where=path, remedy="Export the layer in WGS 84."
        ) from None
    # GeoJSON is always x, y: the CRS84 that exporters write is WGS 84 in that order.
    return WGS84 if crs.to_authority() in (("OGC", "CRS84"), ("EPSG", "4326")) else crs


def _read_csv(path: Path) -> RawFile:
    written = _read_text(path)
    first_line = written.lstrip("\r\n").split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=first_line.count)
    csv.field_size_limit(_LONGEST_CELL)
    try:
        lines = list(csv.reader(io.StringIO(written, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise SitesError(f"broken CSV ({error})", where=path, remedy="Save the table as CSV again.") from error
    if not lines or not any(lines[0]):
        raise SitesError("the file has no row of headings", where=path, remedy="Put the headings into the first row.")
    headings = _headings(lines[0], path)
    return RawFile(path, tuple(name for name in headings if name), list(_line_rows(headings, lines[1:])))


def _headings(line: list[str], path: Path) -> list[str]:
    headings = [heading.strip() for heading in line]
    twice = [heading for heading, count in Counter(headings).items() if heading and count > 1]
    if twice:
        raise SitesError(
            f"the heading {twice[0]!r} stands twice", where=path, remedy="Rename or remove one of the columns."
        )
    return headings


def _line_rows(headings: list[str], lines: list[list[str]]) -> Iterator[RawRow]:
    for number, line in enumerate(lines, start=2):  # as spreadsheets count: the headings are row 1
        if not any(cell.strip() for cell in line):
            continue
        where = f"row {number}"
        cells = dict(zip(headings, line, strict=False))
        beyond = [*line[len(headings) :], cells.pop("", "")]
        fault = "it has cells under no heading" if any(cell.strip() for cell in beyond) else ""
        yield RawRow(where, cells, fault=fault)
