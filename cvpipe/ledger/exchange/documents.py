"""GeoJSON (RFC 7946), whole or one feature a line (RFC 8142), as raw rows."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import pyproj

from cvpipe.errors import SitesError
from cvpipe.geo import WGS84
from cvpipe.ledger.exchange.raw import Question, RawFile, RawRow, headings_of, known_crs

#: UTF-8 first (its faults are certain), then the encoding of Chinese spreadsheets, of which GBK is a part.
_ENCODINGS = ("utf-8-sig", "gb18030")


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, GBK, or UTF-16 with a mark at its beginning. Raises SitesError."""
    raw = path.read_bytes()
    marked = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # "Unicode text" of spreadsheets
    for encoding in ("utf-16",) if marked else _ENCODINGS:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise SitesError("the text is neither UTF-8 nor GBK", where=path, remedy="Save the file as UTF-8.")


def read_geojson(path: Path, question: Question) -> RawFile:
    """A FeatureCollection; `crs` counts where it is not stated, x before y."""
    document = _parse(read_text(path), path)
    if not isinstance(document, dict) or document.get("type") != "FeatureCollection":
        raise SitesError(
            "the file is no GeoJSON FeatureCollection", where=path, remedy="Export the layer as GeoJSON again."
        )
    features = document.get("features")
    if not isinstance(features, list):
        raise SitesError("the FeatureCollection has no list of features", where=path, remedy="Export it again.")
    stated = _stated_crs(document, path)
    rows = [_feature_row(f"feature {number}", feature) for number, feature in enumerate(features, start=1)]
    return RawFile(path, headings_of(rows), rows, True, question.crs or stated)


def read_geojson_lines(path: Path, question: Question) -> RawFile:
    """One Feature on each line."""
    rows = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        written = line.strip().lstrip("\x1e")
        if written:
            rows.append(_feature_row(f"line {number}", _parse(written, path, first_line=number)))
    return RawFile(path, headings_of(rows), rows, True, question.crs or WGS84)


def _parse(written: str, path: Path, first_line: int = 1) -> Any:
    try:
        return json.loads(written, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        found = f"broken JSON at line {error.lineno + first_line - 1}, column {error.colno} ({error.msg})"
    except (ValueError, RecursionError) as error:
        found = f"JSON that cannot be read ({error})"
    raise SitesError(found, where=path, remedy="Mend the file, or export it again.")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _feature_row(where: str, feature: Any) -> RawRow:
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        return RawRow(where, {}, fault="it is no GeoJSON Feature")
    properties = feature.get("properties") or {}
    if not isinstance(properties, dict):
        return RawRow(where, {}, fault="its properties are no object")
    fault = "it names a coordinate system of its own" if "crs" in feature else ""
    return RawRow(where, properties, feature.get("geometry"), fault)


def _stated_crs(document: dict[str, Any], path: Path) -> pyproj.CRS:
    """CRS of the `crs` member that GeoJSON had before RFC 7946; WGS 84 without one."""
    member = document.get("crs")
    if member is None:
        return WGS84
    try:
        name = member["properties"]["name"]
    except (KeyError, TypeError):
        name = json.dumps(member, ensure_ascii=False)
    crs = known_crs(str(name), path)
    # GeoJSON is always x, y: the CRS84 that exporters write is WGS 84 in that order.
    return WGS84 if crs.to_authority() in (("OGC", "CRS84"), ("EPSG", "4326")) else crs
