"""KML (OGC 12-007r2) and KMZ as raw rows: placemarks with their folders, names and extended data.

Read with defusedxml and not with GDAL's driver: declarations of entities are refused before anything unfolds, texts
stay texts ("007" is no number), and folders keep their names however deep they lie.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import IO, Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse
from shapely.errors import ShapelyError
from shapely.geometry import GeometryCollection, LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

from cvpipe.errors import SitesError
from cvpipe.geo import WGS84
from cvpipe.ledger.exchange.archives import opened_archive
from cvpipe.ledger.exchange.raw import Question, RawFile, RawRow, headings_of

_GEOMETRIES = ("Point", "LineString", "LinearRing", "Polygon", "MultiGeometry", "Track", "MultiTrack", "Model")
_MULTI = {"Point": MultiPoint, "LineString": MultiLineString, "Polygon": MultiPolygon}
#: What every placemark may say of itself; extended data of the same meaning goes first.
_OWN = ("name", "description", "folder")


def read_kml(path: Path, _: Question) -> RawFile:
    """All placemarks; a KML file is always in WGS 84."""
    with path.open("rb") as file:
        return _read(file, path)


def read_kmz(path: Path, _: Question) -> RawFile:
    """The placemarks of the first KML file in the archive, as the standard has it."""
    with opened_archive(path) as archive:
        inside = [name for name in archive.namelist() if name.lower().endswith(".kml")]
        if not inside:
            raise SitesError("the archive holds no KML file", where=path, remedy="Export it as KMZ again.")
        with archive.open(inside[0]) as file:
            return _read(file, path)


def _read(file: IO[bytes], path: Path) -> RawFile:
    try:
        rows = list(_placemarks(file, path))
    except DefusedXmlException:
        raise SitesError(
            "the file declares a document type or entities, which a map never needs and an attack may",
            where=path,
            remedy="Export the places as KML again.",
        ) from None
    except (ParseError, ValueError, LookupError) as error:
        raise SitesError(f"broken KML ({error})", where=path, remedy="Export the places as KML again.") from error
    return RawFile(path, headings_of(rows), rows, True, WGS84, yielding=frozenset(_OWN))


def _placemarks(file: IO[bytes], path: Path) -> Iterator[RawRow]:
    folders: list[Element] = []
    number = 0
    root: Element | None = None
    for event, element in iterparse(file, ("start", "end"), forbid_dtd=True):
        if root is None:
            root = element
            _refuse_other_roots(root, path)
        if _tag(element) == "Folder":
            folders.append(element) if event == "start" else folders.pop()
        if event == "end" and _tag(element) == "Placemark":
            number += 1
            yield _row(number, element, [_text(folder, "name") for folder in folders])
            element.clear()


def _refuse_other_roots(root: Element, path: Path) -> None:
    if _tag(root) != "kml":
        raise SitesError(f"XML, but no KML (it begins with <{_tag(root)}>)", where=path, remedy="Export it again.")


def _row(number: int, placemark: Element, folders: list[str]) -> RawRow:
    own = {
        "name": _text(placemark, "name"),
        "description": _text(placemark, "description"),
        "folder": "/".join(filter(None, folders)),
    }
    cells = {heading: text for heading, text in own.items() if text} | dict(_extended(placemark))
    where = f"placemark {number}"
    try:
        return RawRow(where, cells, _geometry(placemark))
    except (ValueError, ShapelyError, RecursionError) as error:
        return RawRow(where, cells, fault=f"the geometry cannot be read ({error})")


def _extended(placemark: Element) -> Iterator[tuple[str, str]]:
    for element in placemark.iter():
        name = element.get("name", "")
        if name and _tag(element) == "Data":
            yield name, next((child.text or "" for child in element if _tag(child) == "value"), "")
        elif name and _tag(element) == "SimpleData":
            yield name, element.text or ""


def _geometry(parent: Element) -> BaseGeometry | None:
    found = [child for child in parent if _tag(child) in _GEOMETRIES]
    return _shape(found[0]) if found else None


def _shape(element: Element) -> BaseGeometry:
    kind = _tag(element)
    if kind == "Point":
        return Point(_coordinates(element)[0])
    if kind in ("LineString", "LinearRing"):
        return LineString(_coordinates(element))
    if kind == "Polygon":
        shells, holes = ([_coordinates(b) for b in element if _tag(b) == f"{side}BoundaryIs"] for side in _SIDES)
        if len(shells) != 1:
            raise ValueError("a polygon needs one outer boundary")
        return Polygon(shells[0], holes)
    if kind == "MultiGeometry":
        return _gathered([_shape(child) for child in element if _tag(child) in _GEOMETRIES])
    raise ValueError(f"a {kind} is neither point, line nor polygon")


_SIDES = ("outer", "inner")


def _gathered(parts: list[BaseGeometry]) -> BaseGeometry:
    kinds = {part.geom_type for part in parts}
    if len(kinds) == 1 and (multi := _MULTI.get(kinds.pop())):
        return multi(parts)
    return GeometryCollection(parts)


def _coordinates(element: Element) -> list[tuple[float, float]]:
    """Longitude and latitude of each corner; heights are left out."""
    written = next((e.text or "" for e in element.iter() if _tag(e) == "coordinates"), "")
    corners = [corner.split(",") for corner in re.sub(r"\s*,\s*", ",", written.strip()).split()]
    if not corners or any(len(corner) not in (2, 3) for corner in corners):
        raise ValueError(f"{written.strip()[:60]!r} is no list of longitude,latitude")
    places = [(float(corner[0]), float(corner[1])) for corner in corners]
    if not all(map(math.isfinite, chain.from_iterable(places))):
        raise ValueError("a coordinate is no finite number")
    return places


def _text(element: Element, name: str) -> str:
    return next(((child.text or "").strip() for child in element if _tag(child) == name), "")


def _tag(element: Element) -> str:
    """A tag without its namespace: files of all versions, and those without one, are read alike."""
    tag: Any = element.tag
    return str(tag).rpartition("}")[2]


__all__ = ["read_kml", "read_kmz"]
