"""Files of sites as other programs make them: workbooks, layers, archives."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyogrio.raw
import shapely
from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry

PLACE = Point(116.2, 39.9)


def workbook(path: Path, *rows: Sequence[Any], title: str = "sites", merged: Iterable[str] = ()) -> Path:
    """A workbook of one sheet."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = title
    for row in rows:
        sheet.append(list(row))
    for ref in merged:
        sheet.merge_cells(ref)
    book.save(path)
    return path


def layer(
    path: Path,
    columns: Mapping[str, Sequence[Any]],
    geometries: Sequence[BaseGeometry | None] = (PLACE,),
    *,
    crs: str | None = "EPSG:4326",
    **options: Any,
) -> Path:
    """A layer of a GeoPackage or a Shapefile, by suffix."""
    wkb = [None if geometry is None else shapely.to_wkb(geometry) for geometry in geometries]
    shapes = {geometry.geom_type for geometry in geometries if geometry is not None}
    kind = shapes.pop() if path.suffix == ".shp" else "Unknown"
    drivers = {".shp": "ESRI Shapefile", ".gpkg": "GPKG"}
    defaults = {"driver": drivers[path.suffix], "geometry_type": kind, "crs": crs}
    data = [np.array([*values, None], dtype=object)[:-1] if isinstance(values[0], str) else np.array(values)
            for values in columns.values()]  # fmt: skip
    geometry = np.array([*wkb, None], dtype=object)[:-1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a layer without a coordinate system
        pyogrio.raw.write(path, geometry=geometry, field_data=data, fields=list(columns), **(defaults | options))
    return path


def packed(path: Path, files: Iterable[Path]) -> Path:
    """A zip archive of files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.name)
    return path


def kml(path: Path, placemarks: str, head: str = "") -> Path:
    """A KML file of these placemarks."""
    text = f'<?xml version="1.0"?>{head}<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{placemarks}</Document></kml>'
    path.write_text(text, encoding="utf-8")
    return path


def placemark(code: str, geometry: str = "<Point><coordinates>116.2,39.9</coordinates></Point>") -> str:
    """A placemark with its code in the extended data."""
    data = f'<ExtendedData><Data name="code"><value>{code}</value></Data></ExtendedData>'
    return f"<Placemark><name>n</name>{data}{geometry}</Placemark>"
