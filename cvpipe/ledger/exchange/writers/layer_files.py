"""GeoPackage and Shapefile, through GDAL (pyogrio)."""

from __future__ import annotations

import sqlite3
import warnings
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio.raw
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataSourceError, FieldError

from cvpipe.errors import SitesError
from cvpipe.ledger.exchange.cells import is_blank
from cvpipe.ledger.exchange.headings import DBF_NAME_BYTES, shipped_headings
from cvpipe.ledger.exchange.tables import Column, Kind, Table, cell_text
from cvpipe.ledger.exchange.writers.text_files import not_encodable
from cvpipe.ledger.styles import write_beside

#: A shapefile holds one of these; its name ends so where the table needs several.
_SHAPES = {
    "Point": "points",
    "MultiPoint": "multipoints",
    "LineString": "lines",
    "MultiLineString": "lines",
    "Polygon": "polygons",
    "MultiPolygon": "polygons",
}
_OGR_KINDS = {"points": "Point", "multipoints": "MultiPoint", "lines": "LineString", "polygons": "Polygon"}
#: Shapes that the styles fill.
_AREAS = ("Polygon", "MultiPolygon")
#: What GDAL calls the geometry of a layer in a GeoPackage.
_GEOMETRY_COLUMN = "geom"
#: Most bytes of a text in a DBF table.
_DBF_TEXT_BYTES = 254
_EMPTY: dict[Kind, Any] = {Kind.REAL: np.nan, Kind.WHOLE: 0, Kind.TRUTH: False, Kind.DAY: np.datetime64("NaT", "D")}
_DTYPES: dict[Kind, Any] = {Kind.REAL: "float64", Kind.WHOLE: "int64", Kind.TRUTH: "bool", Kind.DAY: "datetime64[D]"}


def write_geopackage(table: Table, path: Path, _: str) -> tuple[str, ...]:
    """One layer of any geometries; nothing is lost. Where all are areas, QGIS finds how to draw them."""
    names = [column.heading for column in table.columns]
    shapes = {geometry.geom_type for geometry in table.geometries}
    shape = shapes.pop() if len(shapes) == 1 else "Unknown"
    _write(table, path, names, table.values, driver="GPKG", layer=table.name, geometry_type=shape)
    if table.styles and all(geometry.geom_type in _AREAS for geometry in table.geometries):
        _add_styles(table, path)
    return ()


def _add_styles(table: Table, path: Path) -> None:
    try:
        write_beside(path, table.styles, _GEOMETRY_COLUMN)
    except sqlite3.Error as error:
        raise SitesError(f"the styles cannot be written ({error})", where=path.name, remedy="Look there.") from error


def write_shapefiles(table: Table, path: Path, encoding: str) -> tuple[str, ...]:
    """One shapefile, or one for each shape that occurs; names have 10 bytes, texts 254. Tells what was lost."""
    names = _short_names(table.columns, encoding)
    values, cut = _cut_texts(table, encoding, path)
    rows = defaultdict[str, list[int]](list)
    for index, geometry in enumerate(table.geometries):
        rows[_SHAPES[geometry.geom_type]].append(index)
    for shape, indices in rows.items() or [("polygons", [])]:
        own = path if len(rows) < 2 else path.with_name(f"{path.stem}_{shape}{path.suffix}")
        part = Table(table.name, table.columns, [], [table.geometries[i] for i in indices])
        _write(
            part, own, names, [values[i] for i in indices],
            driver="ESRI Shapefile", geometry_type=_OGR_KINDS[shape], encoding=encoding.upper(),
        )  # fmt: skip
    renamed = [f"{c.heading} as {name}" for c, name in zip(table.columns, names, strict=True) if c.heading != name]
    several = f"one shapefile for each shape: {', '.join(rows)}" if len(rows) > 1 else ""
    short = f"columns with shorter names: {', '.join(renamed)}" if renamed else ""
    lost = "a shapefile keeps no order of rings, no difference between one part and several, and 15 decimals"
    return tuple(notice for notice in (several, short, *cut, lost) if notice)


def _write(table: Table, path: Path, names: Sequence[str], values: Sequence[Sequence[Any]], **options: Any) -> None:
    columns = list(zip(*values, strict=True)) if values else [()] * len(names)
    prepared = [_prepared(column.kind, cells) for column, cells in zip(table.columns, columns, strict=True)]
    # GDAL would otherwise warn of each text that it makes the column wider for.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            pyogrio.raw.write(
                path,
                geometry=np.array([*map(shapely.to_wkb, table.geometries), None], dtype=object)[:-1],
                field_data=[data for data, _ in prepared],
                field_mask=[mask for _, mask in prepared],
                fields=list(names),
                crs="EPSG:4326",
                **options,
            )
        except (DataSourceError, FieldError) as error:
            raise SitesError(
                f"GDAL cannot write it ({error})", where=path.name, remedy="Take another format."
            ) from error


def _prepared(kind: Kind, cells: Sequence[Any]) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """A column as GDAL takes it, and which of its cells are blank."""
    blank = np.array([is_blank(cell) for cell in cells], dtype=bool)
    if kind in _DTYPES:
        filled = [_EMPTY[kind] if empty else cell for cell, empty in zip(cells, blank, strict=True)]
        mask = blank if kind in (Kind.WHOLE, Kind.TRUTH) else None
        return np.array(filled, dtype=_DTYPES[kind]), mask
    texts = [None if empty else cell_text(kind, cell) for cell, empty in zip(cells, blank, strict=True)]
    return np.array([*texts, None], dtype=object)[:-1], None


def _short_names(columns: Sequence[Column], encoding: str) -> list[str]:
    """English names of 10 bytes for all that cvpipe names, the first 10 bytes of the others, each one once."""
    short = shipped_headings().short
    names: list[str] = []
    for column in columns:
        wanted = short.get(column.name, column.name)
        name, number = _first_bytes(wanted, DBF_NAME_BYTES, encoding), 0
        while name.casefold() in (taken.casefold() for taken in names):
            number += 1
            name = f"{_first_bytes(wanted, DBF_NAME_BYTES - 1 - len(str(number)), encoding)}_{number}"
        names.append(name)
    return names


def _first_bytes(text: str, most: int, encoding: str) -> str:
    return text.encode(encoding, "replace")[:most].decode(encoding, "ignore")


def _cut_texts(table: Table, encoding: str, path: Path) -> tuple[list[list[Any]], list[str]]:
    """Values whose texts a DBF table holds: long ones are cut, long outlines and JSON left out; and what to say."""
    cut: dict[tuple[str, str], int] = {}
    rows = []
    for row in table.values:
        kept = list(row)
        for index, (column, value) in enumerate(zip(table.columns, row, strict=True)):
            if is_blank(value) or column.kind in _DTYPES:
                continue
            kept[index] = _fitting(column, value, encoding, path)
            became = column.heading, "left out" if kept[index] is None else "cut off"
            cut[became] = cut.get(became, 0) + (kept[index] != value)
        rows.append(kept)
    return rows, [f"{h}: {n} cells are longer than 254 bytes and were {how}" for (h, how), n in cut.items() if n]


def _fitting(column: Column, value: Any, encoding: str, path: Path) -> Any:
    text = cell_text(column.kind, value)
    try:
        length = len(text.encode(encoding))
    except UnicodeEncodeError as error:
        raise not_encodable(text[error.start], encoding, path) from None
    if length <= _DBF_TEXT_BYTES:
        return value
    return _first_bytes(text, _DBF_TEXT_BYTES, encoding) if column.kind is Kind.TEXT else None
