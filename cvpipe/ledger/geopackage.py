"""What makes an SQLite file a GeoPackage 1.3 (OGC 12-128r17): its own tables, its stamps, its geometry blobs.

Plain `sqlite3` cannot run the spatial triggers of an R-tree indexed layer, so layers carry none; the ledger keeps
bounding boxes in columns, and an R-tree of its own over those of the sites.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection, text

from cvpipe.errors import LedgerError
from cvpipe.geo import WGS84, Bounds, array_of

APPLICATION_ID = 0x47504B47  # "GPKG", clause 1.1.1.1.1
USER_VERSION = 10300  # GeoPackage 1.3.0
SRS_ID = 4326
GEOMETRY_COLUMN = "geom"

_TABLES = (
    """CREATE TABLE gpkg_spatial_ref_sys (
        srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY, organization TEXT NOT NULL,
        organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT)""",
    """CREATE TABLE gpkg_contents (
        table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
        description TEXT DEFAULT '', last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
        min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
        CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id))""",
    """CREATE TABLE gpkg_geometry_columns (
        table_name TEXT NOT NULL, column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL,
        srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL,
        CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name),
        CONSTRAINT uk_gc_table_name UNIQUE (table_name),
        CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
        CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id))""",
)

#: The three rows that every GeoPackage must hold (clause 1.1.2.1.2).
_REFERENCE_SYSTEMS = (
    ("Undefined cartesian SRS", -1, "NONE", -1, "undefined", "undefined cartesian coordinate reference system"),
    ("Undefined geographic SRS", 0, "NONE", 0, "undefined", "undefined geographic coordinate reference system"),
    ("WGS 84 geodetic", SRS_ID, "EPSG", SRS_ID, WGS84.to_wkt("WKT1_GDAL"), "longitude and latitude in degrees"),
)

_HEADER = struct.Struct("<2sBBi")
_ENVELOPE = struct.Struct("<4d")
_LITTLE_ENDIAN_WITH_ENVELOPE = 0b0000_0011
_LITTLE_ENDIAN_EMPTY = 0b0001_0001
#: Bytes of the envelope by its code in bits 1-3 of the flags (clause 2.1.3.1.1).
_ENVELOPE_BYTES = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}


def create_tables(connection: Connection) -> None:
    """Stamp an empty SQLite file as a GeoPackage and give it the tables that describe layers."""
    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.exec_driver_sql(f"PRAGMA user_version = {USER_VERSION}")
    for statement in _TABLES:
        connection.exec_driver_sql(statement)
    for row in _REFERENCE_SYSTEMS:
        connection.exec_driver_sql("INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, ?)", row)


def register_layer(connection: Connection, table: str, description: str) -> None:
    """Announce a table with a geometry column, so that a GIS shows it as a layer."""
    _register(connection, table, "features", description)
    connection.exec_driver_sql(
        # The two 2s: z and m values may occur in some rows.
        "INSERT INTO gpkg_geometry_columns VALUES (?, ?, 'GEOMETRY', ?, 2, 2)",
        (table, GEOMETRY_COLUMN, SRS_ID),
    )


def register_table(connection: Connection, table: str, description: str) -> None:
    """Announce a table without geometry, so that a GIS shows it as a plain table."""
    _register(connection, table, "attributes", description)


def index_by_place(connection: Connection, table: str) -> None:
    """Give a layer with bounding-box columns an R-tree, `TABLE_place`, that follows its rows by triggers."""
    tree, columns = f"{table}_place", "id, min_x, max_x, min_y, max_y"
    news = ", ".join(f"NEW.{name}" for name in columns.split(", "))
    for statement in (
        f"CREATE VIRTUAL TABLE {tree} USING rtree({columns})",
        f"INSERT INTO {tree} SELECT {columns} FROM {table}",
        f"CREATE TRIGGER {tree}_insert AFTER INSERT ON {table} BEGIN INSERT INTO {tree} VALUES ({news}); END",
        f"CREATE TRIGGER {tree}_update AFTER UPDATE OF {columns} ON {table}"
        f" BEGIN DELETE FROM {tree} WHERE id = OLD.id; INSERT INTO {tree} VALUES ({news}); END",
        f"CREATE TRIGGER {tree}_delete AFTER DELETE ON {table} BEGIN DELETE FROM {tree} WHERE id = OLD.id; END",
    ):
        connection.exec_driver_sql(statement)


def grow_extent(connection: Connection, table: str, geometries: Iterable[BaseGeometry]) -> None:
    """Note that a layer changed, and widen its stated extent to hold `geometries`; PostGIS finds extents itself."""
    if connection.dialect.name != "sqlite":
        return
    placed = [geometry for geometry in geometries if not geometry.is_empty]
    if not placed:
        return
    bounds = shapely.total_bounds(placed).tolist()
    connection.execute(
        text(
            "UPDATE gpkg_contents SET last_change = strftime('%Y-%m-%dT%H:%M:%fZ','now'),"
            " min_x = min(coalesce(min_x, :left), :left), min_y = min(coalesce(min_y, :bottom), :bottom),"
            " max_x = max(coalesce(max_x, :right), :right), max_y = max(coalesce(max_y, :top), :top)"
            " WHERE table_name = :table"
        ),
        dict(zip(("left", "bottom", "right", "top"), bounds, strict=True)) | {"table": table},
    )


def to_blob(geometry: BaseGeometry) -> bytes:
    """GeoPackage binary of a WGS 84 geometry: header, envelope (none for an empty one), ISO WKB."""
    wkb: bytes = shapely.to_wkb(geometry, byte_order=1, flavor="iso")
    if geometry.is_empty:
        return _HEADER.pack(b"GP", 0, _LITTLE_ENDIAN_EMPTY, SRS_ID) + wkb
    left, bottom, right, top = geometry.bounds
    envelope = _ENVELOPE.pack(left, right, bottom, top)
    return _HEADER.pack(b"GP", 0, _LITTLE_ENDIAN_WITH_ENVELOPE, SRS_ID) + envelope + wkb


def from_blob(blob: bytes) -> BaseGeometry:
    """The geometry in a GeoPackage binary, whoever wrote it."""
    return shapely.from_wkb(_wkb_of(blob))


def from_blobs(blobs: Sequence[bytes]) -> NDArray[np.object_]:
    """The geometries in many (N,)."""
    return np.asarray(shapely.from_wkb(array_of(map(_wkb_of, blobs))))


def _wkb_of(blob: bytes) -> bytes:
    assert blob[:2] == b"GP", "a geometry column holds GeoPackage binaries"
    return blob[_HEADER.size + _ENVELOPE_BYTES[blob[3] >> 1 & 0b111] :]


def bounds_columns(geometry: BaseGeometry) -> dict[str, float]:
    """Values of the columns by which a layer's rows are looked up in a window (degrees).

    Raises LedgerError for an empty geometry, which has no place.
    """
    if geometry.is_empty:
        raise LedgerError("an empty geometry cannot be stored", remedy="Leave it out, or give it its place.")
    bounds: Bounds = geometry.bounds
    return dict(zip(("min_x", "min_y", "max_x", "max_y"), bounds, strict=True))


def _register(connection: Connection, table: str, data_type: str, description: str) -> None:
    connection.exec_driver_sql(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, srs_id) VALUES (?, ?, ?, ?, ?)",
        (table, data_type, table, description, SRS_ID if data_type == "features" else None),
    )
