"""Rows of a layer in a window, by the index that each store has."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, Table, and_, column, func, select, table

from cvpipe.geo import Bounds
from cvpipe.ledger.geopackage import SRS_ID


def touching(connection: Connection, layer: Table, bounds: Bounds) -> ColumnElement[bool]:
    """Condition that a row's bounding box touches `bounds` (degrees), for a layer with bounding-box columns.

    The indexes keep single precision, rounded outwards (some 1e-5 degrees): they find candidates, the columns decide.
    """
    left, bottom, right, top = bounds
    c = layer.c
    exact = and_(c.min_x <= right, c.max_x >= left, c.min_y <= top, c.max_y >= bottom)
    if connection.dialect.name == "postgresql":
        return and_(c.geom.op("&&")(func.ST_MakeEnvelope(left, bottom, right, top, SRS_ID)), exact)
    tree = table(f"{layer.name}_place", *map(column, ("id", "min_x", "max_x", "min_y", "max_y")))
    near = and_(tree.c.min_x <= right, tree.c.max_x >= left, tree.c.min_y <= top, tree.c.max_y >= bottom)
    return and_(c.id.in_(select(tree.c.id).where(near)), exact)
