"""What migrations build with, on a GeoPackage and on PostGIS alike.

    create_table_on_both    a table or a layer, with its key and, on PostGIS, its spatial index
    add_columns             columns at the end of a table that is there
    add_index               an index with the name that the model gives it
    index_by_place          what makes looking up a layer's rows in a window quick
    forbid_rewriting        triggers that make a table append-only
    register                announce a table or layer to a GIS, with a sentence on what it holds

A migration that was released must build the same tables for ever: these functions may gain arguments, never change
what they do for the old ones. Call them inside `upgrade()` only; they act on the migration's own connection.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem

from cvpipe.ledger import geopackage, postgis
from cvpipe.ledger.columns import Geometry


def create_table_on_both(name: str, *parts: SchemaItem, layer: bool = False, autoincrement: bool = True) -> None:
    """Create a table with the column `id` as its key and, for a layer, the column `geom` beside it, then `parts`.

    `parts` are columns, foreign keys and unique constraints, the constraints with the names that the model gives
    them (`fk_TABLE_COLUMN`, `uq_TABLE_COLUMN`). `autoincrement` keeps SQLite from giving an id a second time; leave
    it out where the ids are chosen by the writer. Text sorts by its bytes on PostgreSQL, as it does in SQLite.
    """
    identity = [sa.Column("id", sa.Integer, nullable=False)]
    own = [sa.Column("geom", Geometry, nullable=False)] if layer else []
    key = sa.PrimaryKeyConstraint("id", name=f"pk_{name}")
    for part in parts:
        _sort_by_bytes(part)
    op.create_table(name, *identity, *own, *parts, key, sqlite_autoincrement=autoincrement)
    if layer and on_postgres():
        postgis.finish_layer(op.get_bind(), name)


def add_columns(table: str, *columns: sa.Column[object]) -> None:
    """Add columns at the end of a table; SQLite asks that they may be null or have a `server_default`."""
    for column in columns:
        _sort_by_bytes(column)
        op.add_column(table, column)


def add_index(table: str, *columns: str, unique: bool = False) -> None:
    """Create the index `ix_TABLE_COLUMN_COLUMN`, as the model's `Index(None, …)` and `index=True` name it."""
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns), unique=unique)


def index_by_place(table: str) -> None:
    """Make looking up rows in a window quick, for a layer with the columns `min_x`, `min_y`, `max_x`, `max_y`.

    In a GeoPackage an R-tree TABLE_place that triggers keep; on PostGIS nothing, for every layer has its index. It is
    not the R-tree of the GeoPackage standard: the triggers of that one call functions which plain SQLite lacks.
    """
    if not on_postgres():
        geopackage.index_by_place(op.get_bind(), table)


def forbid_rewriting(table: str) -> None:
    """Make a table append-only: UPDATE, DELETE and, where there is one, TRUNCATE are refused."""
    if on_postgres():
        postgis.forbid_rewriting(op.get_bind(), table)
        return
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_forbid_{action.lower()} BEFORE {action} ON {table}"
            f" BEGIN SELECT RAISE(ABORT, '{table} is append-only: {action} is refused'); END"
        )


def register(table: str, description: str, *, layer: bool = False) -> None:
    """Announce a table to GIS programs; `layer` as in `create_table_on_both`."""
    connection = op.get_bind()
    if on_postgres():
        postgis.describe(connection, table, description)
    elif layer:
        geopackage.register_layer(connection, table, description)
    else:
        geopackage.register_table(connection, table, description)


def on_postgres() -> bool:
    """Whether the migration runs on PostgreSQL; elsewhere it runs on SQLite."""
    return op.get_bind().dialect.name == "postgresql"


def _sort_by_bytes(part: SchemaItem) -> None:
    # type(), not isinstance: enumerations and our own types of text are never sorted by.
    if on_postgres() and isinstance(part, sa.Column) and type(part.type) is sa.Text:
        part.type = sa.Text(collation="C")
