"""Versions of sites: every outline and plan that the ledger has held of a site, numbered from 1, never rewritten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime
from typing import Any

from shapely.geometry import shape
from sqlalchemy import Connection, insert, select

from cvpipe.domain import Plan
from cvpipe.errors import LedgerError
from cvpipe.ledger import audit, geopackage
from cvpipe.ledger.records import SiteVersion
from cvpipe.ledger.schema import Row, site_versions

#: Columns of a site that make a version: where one of them changes, the next version begins.
VERSIONED = frozenset(
    c.name for c in site_versions.columns if c.name not in {"id", "site_code", "version", "valid_from", "content_hash"}
)


def row(code: str, number: int, valid_from: datetime, columns: Row) -> dict[str, Any]:
    """The row of a version with its digest; `columns` are those of the site."""
    kept = {name: value for name, value in columns.items() if name in VERSIONED}
    plain = {"site_code": code, "version": number, "valid_from": valid_from, **kept}
    return {**plain, "content_hash": content_hash(plain)}


def write(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append versions; their digests go into the audit rows of their sites (`hashes`)."""
    if rows:
        connection.execute(insert(site_versions), rows)
        geopackage.grow_extent(connection, "site_versions", (row["geom"] for row in rows))


def hashes(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Digest of each version by its number, as an audit row's `versions` carries them."""
    return {str(row["version"]): row["content_hash"] for row in rows}


def of_site(connection: Connection, code: str) -> list[SiteVersion]:
    """All versions of a site, the first one first."""
    query = select(site_versions).where(site_versions.c.site_code == code).order_by(site_versions.c.version)
    return [_version_of(found) for found in connection.execute(query).mappings()]


def first_known(connection: Connection, codes: Sequence[str]) -> dict[str, datetime]:
    """Since when the ledger knows some sites (UTC), by code."""
    c = site_versions.c
    query = select(c.site_code, c.valid_from).where(c.site_code.in_(codes)).order_by(c.version.desc())
    found = connection.execute(query)
    return {row.site_code: row.valid_from for row in found}  # the first version comes last, and stays


def numbered(connection: Connection, wanted: Mapping[str, int]) -> dict[str, SiteVersion]:
    """One version of each of some sites, by code. Raises LedgerError for one that the site never had."""
    c = site_versions.c
    query = select(site_versions).where(c.site_code.in_(wanted), c.version.in_(set(wanted.values())))
    rows = connection.execute(query).mappings().all()
    found = {row["site_code"]: _version_of(row) for row in rows if row["version"] == wanted[row["site_code"]]}
    for code, number in wanted.items():
        if code not in found:
            remedy = "Read the site again, and assess that one."
            raise LedgerError(f"site {code} has no version {number}", remedy=remedy)
    return found


def content_hash(row: Row) -> str:
    """Digest of a version's row."""
    return audit.digest(site_versions, row, without={"content_hash"})


def held_hash(row: Row) -> str:
    """Digest of a version as it stands in the ledger, which is another one where the digest beside it does not fit."""
    held = content_hash(row)
    return held if held == row["content_hash"] else audit.sha256([held, row["content_hash"]])


#: The columns of a site or of a version that hold its plan, in the order of `Plan`.
PLAN_COLUMNS = tuple(one.name for one in fields(Plan))


def plan_of(row: Row) -> Plan:
    """The plan in the columns of a site or of a version."""
    return plan_from(*(row[name] for name in PLAN_COLUMNS))


def plan_from(
    demolition_area_m2: float | None,
    green_area_m2: float | None,
    green_ratio: float | None,
    retained: Any,
    work_started: date | None,
    due_date: date | None,
    rules: dict[str, Any] | None,
) -> Plan:
    """The plan in the values of `PLAN_COLUMNS`."""
    kept = None if retained is None else shape(retained)
    return Plan(demolition_area_m2, green_area_m2, green_ratio, kept, work_started, due_date, rules or {})


def _version_of(row: Row) -> SiteVersion:
    return SiteVersion(row["site_code"], row["version"], row["valid_from"], row["geom"], row["buffer_m"], plan_of(row))
