"""What a PostgreSQL database needs to hold a ledger: PostGIS, its layers' indexes, its append-only triggers.

Geometry columns are plain `geometry` with a check on the reference system: `geometry(Geometry, 4326)` would refuse
heights, which a GeoPackage keeps. PostGIS reads the check, so that a GIS sees the reference system either way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection

from cvpipe.geo import array_of
from cvpipe.ledger.geopackage import GEOMETRY_COLUMN, SRS_ID

#: Key of the advisory lock that a writer holds until its transaction ends: "cvpipe" in ASCII.
WRITERS_LOCK = int.from_bytes(b"cvpipe", "big")

_REFUSE_REWRITING = """
CREATE OR REPLACE FUNCTION cvpipe_refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'integrity_constraint_violation';
END $$
"""


def prepare_database(connection: Connection) -> None:
    """Make sure that the database has PostGIS; creating it asks for the right to do so."""
    connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS postgis")


def finish_layer(connection: Connection, table: str) -> None:
    """Hold a layer's geometries to WGS 84, and index them by place."""
    connection.exec_driver_sql(
        f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_{GEOMETRY_COLUMN} CHECK (ST_SRID({GEOMETRY_COLUMN}) = {SRS_ID})"
    )
    connection.exec_driver_sql(f"CREATE INDEX ix_{table}_{GEOMETRY_COLUMN} ON {table} USING gist ({GEOMETRY_COLUMN})")


def forbid_rewriting(connection: Connection, table: str) -> None:
    """Refuse UPDATE, DELETE and TRUNCATE of a table."""
    connection.exec_driver_sql(_REFUSE_REWRITING.replace("%", "%%"))
    for action, each in (("UPDATE", "ROW"), ("DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
        connection.exec_driver_sql(
            f"CREATE TRIGGER {table}_forbid_{action.lower()} BEFORE {action} ON {table}"
            f" FOR EACH {each} EXECUTE FUNCTION cvpipe_refuse_rewriting()"
        )


def describe(connection: Connection, table: str, description: str) -> None:
    """Say what a table holds, where a GIS or psql shows it."""
    quoted = description.replace("'", "''").replace("%", "%%")
    connection.exec_driver_sql(f"COMMENT ON TABLE {table} IS '{quoted}'")


def to_ewkb(geometry: BaseGeometry) -> str:
    """A WGS 84 geometry as PostGIS reads it: extended WKB in hexadecimal."""
    ewkb: str = shapely.to_wkb(shapely.set_srid(geometry, SRS_ID), hex=True, include_srid=True, flavor="extended")
    return ewkb


def from_ewkb(ewkb: str) -> BaseGeometry:
    """The geometry that PostGIS handed out, without its stamp of the reference system."""
    return shapely.set_srid(shapely.from_wkb(ewkb), 0)


def from_ewkbs(ewkbs: Sequence[str]) -> NDArray[np.object_]:
    """The geometries of many rows (N,), as `from_ewkb`."""
    return np.asarray(shapely.set_srid(shapely.from_wkb(array_of(ewkbs)), 0))
