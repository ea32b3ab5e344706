"""GeoJSON, KML and CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from cvpipe.errors import SitesError
from cvpipe.ledger.exchange.cells import is_blank
from cvpipe.ledger.exchange.delimited import guarded
from cvpipe.ledger.exchange.tables import Column, Kind, Table, cell_text

_KML = "http://www.opengis.net/kml/2.2"
#: What XML 1.0 has no way to write; a ledger's own texts hold none of it.
_NO_XML = dict.fromkeys([*range(9), 11, 12, *range(14, 32), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF], "\ufffd")


def write_geojson(table: Table, path: Path, _: str) -> tuple[str, ...]:
    """A FeatureCollection (RFC 7946) with one feature a line; nothing is lost."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f'{{"type": "FeatureCollection", "name": "{table.name}", "features": [\n')
        for number, (row, geometry) in enumerate(zip(table.values, table.geometries, strict=True)):
            feature = {
                "type": "Feature",
                "properties": {c.heading: _plain(value) for c, value in _filled(table.columns, row)},
                "geometry": mapping(geometry),
            }
            file.write((",\n" if number else "") + json.dumps(feature, ensure_ascii=False, allow_nan=False))
        file.write("\n]}\n")
    return ()


def write_csv(table: Table, path: Path, encoding: str) -> tuple[str, ...]:
    """With a mark by which spreadsheets know UTF-8, and an apostrophe before what they would take for a formula."""
    with path.open("w", encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="") as file:
        writer = csv.writer(file)
        try:
            writer.writerow([guarded(column.heading) for column in table.columns])
            for row in table.values:
                writer.writerow([_cell(c, value) for c, value in zip(table.columns, row, strict=True)])
        except UnicodeEncodeError as error:
            raise not_encodable(error.object[error.start], encoding, path) from None
    return ()


def write_kml(table: Table, path: Path, _: str) -> tuple[str, ...]:
    """Placemarks with extended data; all of it is text."""
    root = Element("kml", xmlns=_KML)
    document = SubElement(root, "Document")
    SubElement(document, "name").text = table.name
    for row, geometry in zip(table.values, table.geometries, strict=True):
        placemark = SubElement(document, "Placemark")
        SubElement(placemark, "name").text = next(
            (_xml(cell_text(c.kind, v)) for c, v in _filled(table.columns, row)), ""
        )
        data = SubElement(placemark, "ExtendedData")
        for column, value in zip(table.columns, row, strict=True):
            # A blank name says that the placemark's own, which is the code, is none of the site.
            if not is_blank(value) or column.name == "name":
                written = "" if is_blank(value) else _xml(cell_text(column.kind, value))
                SubElement(SubElement(data, "Data", name=_xml(column.heading)), "value").text = written
        placemark.append(_kml_geometry(geometry))
    indent(root)
    ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    return ()


def not_encodable(character: str, encoding: str, path: Path) -> SitesError:
    """What to say where an encoding has no place for a character."""
    return SitesError(
        f"{encoding.upper()} has no sign for {character!r} (U+{ord(character):04X})",
        where=path.name,
        remedy="Write the file in UTF-8.",
    )


def _filled(columns: tuple[Column, ...], row: Any) -> Iterator[tuple[Column, Any]]:
    return ((column, value) for column, value in zip(columns, row, strict=True) if not is_blank(value))


def _plain(value: Any) -> Any:
    if isinstance(value, BaseGeometry):
        return mapping(value)
    return value.isoformat() if isinstance(value, date) else value


def _cell(column: Column, value: Any) -> str:
    if is_blank(value):
        return ""
    written = cell_text(column.kind, value)
    return guarded(written) if column.kind is Kind.TEXT else written


def _xml(text: str) -> str:
    return text.translate(_NO_XML)


def _kml_geometry(geometry: BaseGeometry) -> Element:
    if hasattr(geometry, "geoms"):
        many = Element("MultiGeometry")
        many.extend(_kml_geometry(part) for part in geometry.geoms)
        return many
    element = Element(geometry.geom_type)
    if geometry.geom_type != "Polygon":
        element.append(_coordinates(geometry))
        return element
    for side, ring in (("outer", geometry.exterior), *(("inner", ring) for ring in geometry.interiors)):
        boundary = SubElement(SubElement(element, f"{side}BoundaryIs"), "LinearRing")
        boundary.append(_coordinates(ring))
    return element


def _coordinates(geometry: BaseGeometry) -> Element:
    element = Element("coordinates")
    element.text = " ".join(f"{x!r},{y!r}" for x, y in (corner[:2] for corner in geometry.coords))
    return element
