"""How QGIS draws the layers: default styles that it finds in the table `layer_styles`, on both stores.

QGIS makes and reads that table itself; its columns are those of `QgsPostgresUtils::createStylesTable` on PostgreSQL,
and those of the OGR provider in a GeoPackage. A polygon layer is drawn by the value of one column.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import jinja2
from sqlalchemy import Connection, text

from cvpipe.domain import CHANGE_COLOURS, Outcome, SiteStatus
from cvpipe.ledger.geopackage import GEOMETRY_COLUMN

_IN_GEOPACKAGE = """CREATE TABLE layer_styles (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    f_table_catalog TEXT(256), f_table_schema TEXT(256), f_table_name TEXT(256), f_geometry_column TEXT(256),
    "styleName" TEXT(30), "styleQML" TEXT, "styleSLD" TEXT, "useAsDefault" BOOLEAN,
    description TEXT, owner TEXT(30), ui TEXT(30),
    update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')))"""

#: A database that QGIS has stored styles in has the table already.
_ON_POSTGRES = """CREATE TABLE IF NOT EXISTS layer_styles (
    id SERIAL PRIMARY KEY,
    f_table_catalog varchar, f_table_schema varchar, f_table_name varchar, f_geometry_column varchar,
    styleName text, styleQML xml, styleSLD xml, useAsDefault boolean,
    description text, owner varchar(63) DEFAULT CURRENT_USER, ui xml,
    update_time timestamp DEFAULT CURRENT_TIMESTAMP, type varchar, r_raster_column varchar)"""

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("cvpipe.ledger", "styles"), autoescape=True, undefined=jinja2.StrictUndefined
)

#: Colours of a site's status, as red, green, blue: from grey through the work to green; red where it came back.
_STATUS_COLOURS = {
    SiteStatus.REGISTERED: (120, 120, 120),
    SiteStatus.IN_PROGRESS: (255, 149, 0),
    SiteStatus.DEMOLISHED: (141, 110, 99),
    SiteStatus.CLEARED: (0, 122, 255),
    SiteStatus.CLOSED: (52, 199, 89),
    SiteStatus.REBOUND: (255, 59, 48),
    SiteStatus.EXEMPT: (191, 191, 191),
}

_OUTCOME_COLOURS = {
    Outcome.COMPLETE: (52, 199, 89),
    Outcome.PARTIAL: (255, 204, 0),
    Outcome.NONE: (255, 59, 48),
    Outcome.NOT_ASSESSABLE: (142, 142, 147),
}


@dataclass(frozen=True)
class Category:
    """One value of the column and its colour, 0 to 255."""

    value: str
    label: str
    red: int
    green: int
    blue: int


@dataclass(frozen=True)
class Style:
    """How one layer is drawn; of several styles of a layer, QGIS opens it with the default one.

    `fill_alpha` is 0 for an outline without filling, 255 for one that hides what lies below.
    """

    layer: str
    name: str
    description: str
    column: str
    categories: tuple[Category, ...]
    fill_alpha: int
    is_default: bool = True


def _categories(colours: dict[Any, tuple[int, int, int]]) -> tuple[Category, ...]:
    return tuple(_category(value, colour) for value, colour in colours.items())


def _category(value: StrEnum, colour: tuple[int, int, int]) -> Category:
    return Category(value.value, value.value.replace("_", " "), *colour)


STYLES = (
    Style("sites", "status", "what people decided", "status", _categories(_STATUS_COLOURS), 90),
    Style("sites", "observed", "what was seen", "observed_status", _categories(_STATUS_COLOURS), 90, is_default=False),
    Style("changes", "kind", "how the surface changed", "kind", _categories(CHANGE_COLOURS), 120),
    Style("assessments", "demolition", "verdict on demolition", "demolition", _categories(_OUTCOME_COLOURS), 0),
    Style("scenes", "footprint", "footprints of the scenes", "dtype", (Category("", "scene", 0, 122, 255),), 0),
)


def create_table(connection: Connection) -> None:
    """Make the table of styles, as QGIS would."""
    connection.exec_driver_sql(_ON_POSTGRES if _on_postgres(connection) else _IN_GEOPACKAGE)


def write(connection: Connection) -> None:
    """Store the styles, in place of those that the table has under the same names."""
    catalog, schema = _place(connection)
    qml_value = "XMLPARSE(DOCUMENT :qml)" if _on_postgres(connection) else ":qml"
    same = "f_table_catalog = :catalog AND f_table_schema = :schema AND f_table_name = :layer AND stylename = :name"
    for style in STYLES:
        row = {**_row(style), "catalog": catalog, "schema": schema}
        connection.execute(text(f"DELETE FROM layer_styles WHERE {same}"), row)
        connection.execute(
            text(
                "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column,"
                " stylename, styleqml, useasdefault, description, owner)"
                f" VALUES (:catalog, :schema, :layer, :geometry, :name, {qml_value}, :is_default, :description, '')"
            ),
            row,
        )


def write_beside(file: Path, styles: Sequence[Style], geometry: str) -> None:
    """Store styles in a GeoPackage that was exported; `geometry` is the column that holds the layers' outlines.

    Raises sqlite3.Error where the file cannot be written.
    """
    announced = "INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES ('layer_styles', 'attributes', ?)"
    columns = "f_table_name, f_geometry_column, stylename, styleqml, useasdefault, description"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(_IN_GEOPACKAGE)
        connection.execute(announced, ("How QGIS draws the layers",))
        connection.executemany(
            f"INSERT INTO layer_styles (f_table_catalog, f_table_schema, owner, {columns})"
            " VALUES ('', '', '', :layer, :geometry, :name, :qml, :is_default, :description)",
            [{**_row(style), "geometry": geometry} for style in styles],
        )


def qml(style: Style) -> str:
    """A style as QGIS reads it."""
    return _TEMPLATES.get_template("layer.qml").render(style=style)


def _row(style: Style) -> dict[str, Any]:
    alike = {name: getattr(style, name) for name in ("layer", "name", "is_default", "description")}
    return {**alike, "geometry": GEOMETRY_COLUMN, "qml": qml(style)}


def _place(connection: Connection) -> tuple[str, str]:
    """Catalog and schema by which QGIS finds a style again; both are empty in a GeoPackage."""
    if not _on_postgres(connection):
        return "", ""
    catalog, schema = connection.exec_driver_sql("SELECT current_database(), current_schema()").one()
    return catalog, schema


def _on_postgres(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"
