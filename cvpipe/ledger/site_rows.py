"""Sites in and out of the ledger: added, changed field by field, never lost."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import shapely
from shapely.geometry import mapping, shape
from sqlalchemy import Connection, RowMapping, bindparam, func, insert, select, update

from cvpipe.domain import Plan, Site, SiteStatus
from cvpipe.errors import LedgerError, UnknownSiteError
from cvpipe.geo import Bounds
from cvpipe.ledger import audit, geopackage
from cvpipe.ledger.columns import canonical_json
from cvpipe.ledger.records import ImportSummary, Observed, OwnerSystemTotals
from cvpipe.ledger.schema import Row, sites

#: Columns that the machine keeps; an import neither reads nor writes them.
MACHINE_COLUMNS = frozenset({"observed_status", "observed_on", "min_x", "min_y", "max_x", "max_y"})

#: Columns that people keep: what an import may state of a site.
PEOPLE_COLUMNS: tuple[str, ...] = tuple(c.name for c in sites.columns if c.name not in {"id", *MACHINE_COLUMNS})

#: What people call a site's clearing done.
COMPLETED = (SiteStatus.CLEARED, SiteStatus.CLOSED)

_CHUNK = 1000  # codes per query; SQLite takes 32,766 parameters at most


@dataclass
class _Difference:
    """The rows that an import would write."""

    added: list[dict[str, Any]] = field(default_factory=list)
    changed: list[tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)


def put(
    connection: Connection,
    given: Sequence[Site],
    *,
    source: str,
    stated: Mapping[str, Collection[str]] | None,
    dry_run: bool,
) -> ImportSummary:
    """Add or update sites by code, with an audit row for each one that differs."""
    _refuse_unusable(given)
    difference = _compare(connection, given, stated)
    if not dry_run:
        _write(connection, difference, source)
    return ImportSummary(
        added=tuple(row["code"] for row in difference.added),
        changed=tuple(new["code"] for _, new in difference.changed),
        unchanged=tuple(difference.unchanged),
        differences={new["code"]: tuple(_differing(old, new)) for old, new in difference.changed},
        dry_run=dry_run,
    )


def all_sites(connection: Connection) -> list[Site]:
    """Every site, by code."""
    return [site_of(row) for row in connection.execute(select(sites).order_by(sites.c.code)).mappings()]


def with_codes(connection: Connection, codes: Collection[str]) -> list[Site]:
    """The sites that were asked for, by code.

    Raises UnknownSiteError that names codes much like an unknown one.
    """
    found = {row["code"]: site_of(row) for row in _rows(connection, codes)}
    for code in codes:
        if code not in found:
            raise _unknown(connection, code)
    return [found[code] for code in sorted(found)]


def within(connection: Connection, bounds: Bounds) -> list[Site]:
    """Sites whose bounding box touches `bounds` (degrees), by code."""
    left, bottom, right, top = bounds
    c = sites.c
    query = select(sites).where(c.min_x <= right, c.max_x >= left, c.min_y <= top, c.max_y >= bottom).order_by(c.code)
    return [site_of(row) for row in connection.execute(query).mappings()]


def row_of(connection: Connection, code: str) -> RowMapping:
    """The whole row of one site, machine columns included."""
    row = connection.execute(select(sites).where(sites.c.code == code)).mappings().first()
    if row is None:
        raise _unknown(connection, code)
    return row


def observe(connection: Connection, code: str, status: SiteStatus, on: date | None) -> None:
    """Note what the machine saw, unless a later epoch has already been seen."""
    query = update(sites).where(sites.c.code == code).values(observed_status=status.value, observed_on=on)
    connection.execute(query.where((sites.c.observed_on.is_(None)) | (sites.c.observed_on <= on)))


def observed(connection: Connection) -> dict[str, Observed]:
    """What the machine last saw of each site, by code."""
    query = select(sites.c.code, sites.c.observed_status, sites.c.observed_on).order_by(sites.c.code)
    return {
        code: Observed(None if status is None else SiteStatus(status), on)
        for code, status, on in connection.execute(query)
    }


def totals_by_owner_system(connection: Connection) -> list[OwnerSystemTotals]:
    """Sums per owner system, the largest first, and over all sites at the end."""
    completed = sites.c.status.in_([status.value for status in COMPLETED])
    sums = (
        func.count(),
        func.coalesce(func.sum(sites.c.land_area_m2), 0.0),
        func.coalesce(func.sum(sites.c.building_area_m2), 0.0),
        func.count().filter(completed),
    )
    by_system = select(sites.c.owner_system, *sums).group_by(sites.c.owner_system)
    rows = connection.execute(by_system.order_by(func.count().desc(), sites.c.owner_system)).all()
    overall = connection.execute(select(*sums)).one()
    return [OwnerSystemTotals(*row) for row in rows] + [OwnerSystemTotals(None, *overall)]


def site_of(row: Row) -> Site:
    """A row as the domain's value."""
    plan = Plan(
        demolition_area_m2=row["demolition_area_m2"],
        green_area_m2=row["green_area_m2"],
        green_ratio=row["green_ratio"],
        retained=None if row["retained"] is None else shape(row["retained"]),
        work_started=row["work_started"],
        due_date=row["due_date"],
    )
    alike = ("code", "name", "sub_district", "community", "owner_system", "batch", "buffer_m", "attributes")
    return Site(
        geometry=row["geom"],
        land_area_m2=row["land_area_m2"],
        building_area_m2=row["building_area_m2"],
        plan=plan,
        status=SiteStatus(row["status"]),
        **{name: row[name] for name in alike},
    )


def columns_of(site: Site) -> dict[str, Any]:
    """The columns that people keep, and the bounding box of the geometry."""
    plan = site.plan
    return {
        "geom": site.geometry,
        "code": site.code,
        "name": site.name,
        "sub_district": site.sub_district,
        "community": site.community,
        "owner_system": site.owner_system,
        "batch": site.batch,
        "buffer_m": site.buffer_m,
        "land_area_m2": site.land_area_m2,
        "building_area_m2": site.building_area_m2,
        "demolition_area_m2": plan.demolition_area_m2,
        "green_area_m2": plan.green_area_m2,
        "green_ratio": plan.green_ratio,
        "retained": None if plan.retained is None else mapping(plan.retained),
        "work_started": plan.work_started,
        "due_date": plan.due_date,
        "status": site.status.value,
        "attributes": site.attributes,
        **geopackage.bounds_columns(site.geometry),
    }


def site_as_plain(site: Site) -> dict[str, Any]:
    """A site's fields as JSON can carry them: geometries as GeoJSON, dates in ISO 8601, areas in m²."""
    columns = columns_of(site)
    plain = {name: audit.as_plain(columns[name], sites.c[name].type) for name in PEOPLE_COLUMNS}
    return {"code": plain.pop("code"), "geometry": plain.pop("geom"), **plain}


def content_hash(row: Row) -> str:
    """Digest of what people keep of a site."""
    return audit.digest(sites, row, without=MACHINE_COLUMNS)


def _compare(
    connection: Connection, given: Sequence[Site], stated: Mapping[str, Collection[str]] | None
) -> _Difference:
    known = {row["code"]: row for row in _rows(connection, [site.code for site in given])}
    difference = _Difference()
    for site in given:
        old = known.get(site.code)
        if old is None:
            difference.added.append(columns_of(site))
            continue
        new = columns_of(site if stated is None else _only_stated(site_of(old), site, stated[site.code]))
        if _differing(old, new):
            difference.changed.append((dict(old), new))
        else:
            difference.unchanged.append(site.code)
    return difference


def _only_stated(old: Site, new: Site, stated: Collection[str]) -> Site:
    """`old` with the stated columns of `new`; attributes are added to those that are there."""
    own = {name: getattr(new, name) for name in stated if hasattr(new, name)}
    plan = {name: getattr(new.plan, name) for name in stated if hasattr(new.plan, name)}
    if "geom" in stated:
        own["geometry"] = new.geometry
    if "attributes" in stated:
        own["attributes"] = old.attributes | new.attributes
    return replace(old, **own, plan=replace(old.plan, **plan))


def _differing(old: Row, new: Row) -> list[str]:
    return [name for name in PEOPLE_COLUMNS if _plain(old, name) != _plain(new, name)]


def _plain(row: Row, name: str) -> Any:
    if name == "geom":
        return shapely.to_wkb(row[name], hex=True)
    return canonical_json(audit.as_plain(row[name], sites.c[name].type))


def _write(connection: Connection, difference: _Difference, source: str) -> None:
    if difference.added:
        connection.execute(insert(sites), difference.added)
    if difference.changed:
        by_code = update(sites).where(sites.c.code == bindparam("the_code"))
        news = [{**new, "the_code": new["code"]} for _, new in difference.changed]
        connection.execute(by_code.values({name: bindparam(name) for name in news[0] if name != "the_code"}), news)
    audit.append(connection, list(_events(difference, source)))
    written = [*difference.added, *(new for _, new in difference.changed)]
    geopackage.grow_extent(connection, "sites", (row["geom"] for row in written))


def _events(difference: _Difference, source: str) -> Iterator[audit.Event]:
    for new in difference.added:
        yield _event("added", new, {"source": source})
    for old, new in difference.changed:
        names = _differing(old, new)
        was, becomes = ({name: audit.as_plain(row[name]) for name in names} for row in (old, new))
        yield _event("changed", new, {"source": source, "was": was, "becomes": becomes})


def _event(action: str, row: Row, details: dict[str, Any]) -> audit.Event:
    return audit.Event(action, "site", row["code"], content_hash(row), site_code=row["code"], details=details)


def _rows(connection: Connection, codes: Collection[str]) -> Iterator[RowMapping]:
    wanted = list(codes)
    for start in range(0, len(wanted), _CHUNK):
        query = select(sites).where(sites.c.code.in_(wanted[start : start + _CHUNK]))
        yield from connection.execute(query).mappings()


def _unknown(connection: Connection, code: str) -> UnknownSiteError:
    known = connection.execute(select(sites.c.code)).scalars().all()
    close = difflib.get_close_matches(code, known, n=3)
    remedy = f"Did you mean {', '.join(close)}?" if close else "`cvpipe sites list` shows the codes that there are."
    return UnknownSiteError(f"no site has the code {code!r}", remedy=remedy)


def _refuse_unusable(given: Sequence[Site]) -> None:
    for code, count in Counter(site.code for site in given).items():
        if count > 1:
            raise LedgerError(f"site {code!r} is given {count} times", remedy="Give each site once.")
    for site in given:
        if not site.code:
            raise LedgerError("a site has no code", remedy="Give every site its own code.")
        if site.geometry.is_empty or not _in_degrees(site.geometry.bounds):
            raise LedgerError(
                f"site {site.code!r} has no place in longitude and latitude",
                remedy="Give its geometry in WGS 84, x = longitude.",
            )


def _in_degrees(bounds: Bounds) -> bool:
    left, bottom, right, top = bounds
    return -180 <= left <= right <= 180 and -90 <= bottom <= top <= 90
