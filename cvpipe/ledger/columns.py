"""Column types that mean the same in every store.

A store that keeps a type in its own way gets another branch here and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, DateTime, Dialect, Text, type_coerce
from sqlalchemy.dialects import sqlite
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine, UserDefinedType

from cvpipe.errors import LedgerError
from cvpipe.ledger.geopackage import from_blob, from_blobs, to_blob
from cvpipe.ledger.postgis import from_ewkb, from_ewkbs, to_ewkb


class _GeometryColumn(UserDefinedType[bytes | str]):
    """A column whose declared type is that of `gpkg_geometry_columns`, and the name of PostGIS's type as well."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "GEOMETRY"


class Geometry(TypeDecorator[BaseGeometry]):
    """Any shapely geometry in WGS 84, x before y; in a GeoPackage a blob with header and envelope, else PostGIS's."""

    impl = _GeometryColumn
    cache_ok = True

    def process_bind_param(self, value: BaseGeometry | None, dialect: Dialect) -> bytes | str | None:
        if value is None:
            return None
        return to_ewkb(value) if dialect.name == "postgresql" else to_blob(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> BaseGeometry | None:
        if value is None:
            return None
        return from_ewkb(value) if dialect.name == "postgresql" else from_blob(value)


def as_stored(column: ColumnElement[BaseGeometry]) -> ColumnElement[Any]:
    """A column of geometries that leaves them as the store has them, for `geometries`."""
    return type_coerce(column, NullType())


def geometries(stored: Sequence[Any], dialect: Dialect) -> NDArray[np.object_]:
    """The geometries (N,) of values of an `as_stored` column; many at once cost a fraction."""
    return from_ewkbs(stored) if dialect.name == "postgresql" else from_blobs(stored)


class _GeoPackageInstant(sqlite.DATETIME):
    """Times as GeoPackage 1.3 writes them (table 1, DATETIME): ISO 8601 with milliseconds and a Z."""

    cache_ok = True

    def bind_processor(self, _: Dialect) -> Any:
        return lambda value: None if value is None else iso_utc(value)

    def result_processor(self, _: Dialect, __: object) -> Any:
        return lambda value: None if value is None else datetime.fromisoformat(value)


class Instant(TypeDecorator[datetime]):
    """A moment in UTC, to the millisecond; naive datetimes are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return _GeoPackageInstant() if dialect.name == "sqlite" else DateTime(timezone=True)  # type: ignore[no-untyped-call]


class Json(TypeDecorator[Any]):
    """Plain data as JSON text in the order given, on every store.

    GeoPackage has no JSON type. PostgreSQL's JSONB would give other data back than it took (no order of keys, 1e22 as
    a whole number) and so break the hashes; `details::jsonb` in a query does the same service.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, _: Dialect) -> str | None:
        return None if value is None else compact_json(value)

    def process_result_value(self, value: str | None, _: Dialect) -> Any:
        if value == "{}":  # most attributes: not worth a parser
            return {}
        return None if value is None else json.loads(value)


# Kept: `json.dumps` would make an encoder for each of a hundred thousand rows.
_AS_GIVEN, _SORTED = (
    json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=sort_keys, separators=(",", ":"))
    for sort_keys in (False, True)
)


def canonical_json(value: Any) -> str:
    """JSON that is equal for equal data: `compact_json` with sorted keys."""
    return compact_json(value, sort_keys=True)


def compact_json(value: Any, *, sort_keys: bool = False) -> str:
    """JSON without spaces, Unicode as it is, finite numbers only.

    Raises LedgerError for anything that JSON cannot carry.
    """
    try:
        return (_SORTED if sort_keys else _AS_GIVEN).encode(value)
    except (TypeError, ValueError) as error:
        raise LedgerError(
            f"a value cannot be stored as JSON ({error})",
            remedy="Hand in text, finite numbers, booleans, lists and dictionaries only.",
        ) from error


def now() -> datetime:
    """The present moment in UTC, cut to the milliseconds that the ledger keeps."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def iso_utc(moment: datetime) -> str:
    """`2017-06-30T08:15:00.000Z`."""
    assert moment.tzinfo is not None, "times in the ledger carry their zone"
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
