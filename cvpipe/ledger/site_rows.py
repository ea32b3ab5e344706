"""Sites in and out of the ledger: added, changed field by field, never lost."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from sys import intern
from typing import Any

import shapely
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection, RowMapping, Subquery, bindparam, func, insert, select, update

from cvpipe.domain import Outcome, Plan, Site, SiteStatus, StatusMove
from cvpipe.errors import IllegalMoveError, LedgerError, UnknownSiteError
from cvpipe.garbage import uncollected
from cvpipe.geo import Bounds
from cvpipe.ledger import audit, entries, geopackage, move_rows, version_rows, windows
from cvpipe.ledger.columns import Geometry, Json, as_stored, canonical_json, geometries, now
from cvpipe.ledger.records import Entry, ImportSummary, Observed, OwnerSystemTotals
from cvpipe.ledger.schema import SETTLED_COLUMNS, Row, assessments, batches, sites
from cvpipe.life import move_between

#: Columns that the machine keeps; an import neither reads nor writes them.
MACHINE_COLUMNS = frozenset(
    {"observed_status", "observed_on", "min_x", "min_y", "max_x", "max_y", "version", *SETTLED_COLUMNS}
)

#: Columns that people keep: what an import may state of a site.
PEOPLE_COLUMNS: tuple[str, ...] = tuple(c.name for c in sites.columns if c.name not in {"id", *MACHINE_COLUMNS})

#: The columns of a site, in the order of `_site`.
_SITE_COLUMNS = (
    *("geom", "code", "name", "sub_district", "community", "owner_system", "batch", "buffer_m"),
    *("land_area_m2", "building_area_m2", "status", "attributes", "recheck_on", "version"),
    *version_rows.PLAN_COLUMNS,
)

#: What most sites have of a plan, held once, and its columns.
_NO_PLAN, _SILENT = Plan(), (None,) * len(version_rows.PLAN_COLUMNS)

#: What people call a site's clearing done.
COMPLETED = (SiteStatus.CLEARED, SiteStatus.CLOSED)

_AT_ONCE = 5000  # sites that are compared and written in one go
_CHUNK = 1000  # codes per query; SQLite takes 32,766 parameters at most


@dataclass
class _Difference:
    """The rows that an import would write."""

    added: list[dict[str, Any]] = field(default_factory=list)
    changed: list[tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    illegal: dict[str, str] = field(default_factory=dict)


def put(
    connection: Connection,
    given: Sequence[Site],
    *,
    source: str,
    stated: Mapping[str, Collection[str]] | None,
    skip_illegal: bool,
    dry_run: bool,
) -> ImportSummary:
    """Add or update sites by code, with an audit row for each one that differs.

    Memory holds the rows of `_AT_ONCE` sites, however many are given; the caller's transaction makes it all or none.
    """
    _refuse_unusable(given)
    starts = range(0, len(given), _AT_ONCE)
    parts = [_put_some(connection, given[i : i + _AT_ONCE], source, stated, dry_run=dry_run) for i in starts]
    whole = _joined(parts, dry_run=dry_run)
    if whole.illegal_moves and not skip_illegal:
        raise _illegal(whole.illegal_moves)
    return whole


def _put_some(
    connection: Connection,
    given: Sequence[Site],
    source: str,
    stated: Mapping[str, Collection[str]] | None,
    *,
    dry_run: bool,
) -> ImportSummary:
    difference = _compare(connection, given, stated)
    if not dry_run:
        _write(connection, difference, source)
    return ImportSummary(
        added=tuple(row["code"] for row in difference.added),
        changed=tuple(new["code"] for _, new in difference.changed),
        unchanged=tuple(difference.unchanged),
        differences={new["code"]: tuple(_differing(old, new)) for old, new in difference.changed},
        illegal_moves=difference.illegal,
        dry_run=dry_run,
    )


def _joined(parts: Sequence[ImportSummary], *, dry_run: bool) -> ImportSummary:
    return ImportSummary(
        added=tuple(code for part in parts for code in part.added),
        changed=tuple(code for part in parts for code in part.changed),
        unchanged=tuple(code for part in parts for code in part.unchanged),
        differences={code: names for part in parts for code, names in part.differences.items()},
        illegal_moves={code: why for part in parts for code, why in part.illegal_moves.items()},
        dry_run=dry_run,
    )


def all_sites(connection: Connection) -> list[Site]:
    """Every site, by code; a million of them in seconds."""
    outline, *others = (sites.c[name] for name in _SITE_COLUMNS)
    query = select(as_stored(outline), *others).order_by(sites.c.code).execution_options(yield_per=_AT_ONCE)
    found = list[Site]()
    with uncollected():
        for rows in connection.execute(query).partitions():
            outlines = geometries([row[0] for row in rows], connection.dialect)
            found += [_site(outline, *row[1:]) for outline, row in zip(outlines, rows, strict=True)]
    return found


def with_codes(connection: Connection, codes: Collection[str]) -> list[Site]:
    """The sites that were asked for, by code.

    Raises UnknownSiteError that names codes much like an unknown one.
    """
    found = {row["code"]: site_of(row) for row in _rows(connection, codes)}
    for code in codes:
        if code not in found:
            raise _unknown(connection, code)
    return [found[code] for code in sorted(found)]


def outlines(connection: Connection, codes: Collection[str]) -> dict[str, BaseGeometry]:
    """The present outline of each of these sites that is known, by code."""
    return {row["code"]: row["geom"] for row in _rows(connection, codes)}


def within(connection: Connection, bounds: Bounds) -> list[Site]:
    """Sites whose bounding box touches `bounds` (degrees), by code."""
    query = select(sites).where(windows.touching(connection, sites, bounds)).order_by(sites.c.code)
    return [site_of(row) for row in connection.execute(query).mappings()]


def bounds(connection: Connection) -> Bounds | None:
    """The box (degrees) around all sites; None where there are none."""
    c = sites.c
    query = select(func.min(c.min_x), func.min(c.min_y), func.max(c.max_x), func.max(c.max_y))
    left, bottom, right, top = connection.execute(query).one()
    return None if left is None else (left, bottom, right, top)


def row_of(connection: Connection, code: str) -> RowMapping:
    """The whole row of one site, machine columns included."""
    row = connection.execute(select(sites).where(sites.c.code == code)).mappings().first()
    if row is None:
        raise _unknown(connection, code)
    return row


def present_versions(connection: Connection, codes: Collection[str]) -> dict[str, int]:
    """The number of the present version of each of these sites, by code. Raises UnknownSiteError."""
    query = select(sites.c.code, sites.c.version).where(sites.c.code.in_(codes))
    found: dict[str, int] = {row.code: row.version for row in connection.execute(query)}
    for code in codes:
        if code not in found:
            raise _unknown(connection, code)
    return found


def move(
    connection: Connection,
    code: str,
    becomes: SiteStatus,
    *,
    who: str,
    reason: str,
    recheck_on: date | None,
    effective: date | None = None,
) -> Entry[StatusMove]:
    """Take a site to another status; its recheck date becomes the one that is given, or none.

    Raises IllegalMoveError, and LedgerError where nobody is named or a reason is wanting.
    """
    old = row_of(connection, code)
    made = replace(_move(old, becomes, who=who, reason=reason), effective=effective)
    new = {**old, "status": becomes.value, "recheck_on": recheck_on}
    change = update(sites).where(sites.c.code == code).values(status=new["status"], recheck_on=recheck_on)
    connection.execute(change)
    audit.append(connection, [_event("moved", new, _was_and_becomes(old, new))])
    return move_rows.enter_all(connection, [made])[0]


def recheck(connection: Connection, code: str, on: date | None, *, who: str) -> None:
    """Set the day from which somebody should look at a site again, or take it away."""
    entries.refuse_blank("who sets the date", who)
    old = row_of(connection, code)
    if old["recheck_on"] != on:
        new = {**old, "recheck_on": on}
        connection.execute(update(sites).where(sites.c.code == code).values(recheck_on=on))
        audit.append(connection, [_event("changed", new, {"who": who, **_was_and_becomes(old, new)})])


def observed(connection: Connection) -> dict[str, Observed]:
    """Where each site was last settled to stand, by code."""
    query = select(sites.c.code, sites.c.observed_status, sites.c.observed_on).order_by(sites.c.code)
    return {
        code: Observed(None if status is None else SiteStatus(status), on)
        for code, status, on in connection.execute(query)
    }


def totals_by_owner_system(connection: Connection) -> list[OwnerSystemTotals]:
    """Sums per owner system, the largest first, and over all sites at the end."""
    completed = sites.c.status.in_([status.value for status in COMPLETED])
    seen = _green_seen()
    sums = (
        func.count(),
        func.coalesce(func.sum(sites.c.land_area_m2), 0.0),
        func.coalesce(func.sum(sites.c.building_area_m2), 0.0),
        func.count().filter(completed),
        func.coalesce(func.sum(sites.c.green_area_m2), 0.0),
        func.coalesce(func.sum(seen.c.green_added_m2), 0.0),
    )
    source = sites.outerjoin(seen, seen.c.site_code == sites.c.code)
    by_system = select(sites.c.owner_system, *sums).select_from(source).group_by(sites.c.owner_system)
    rows = connection.execute(by_system.order_by(func.count().desc(), sites.c.owner_system)).all()
    overall = connection.execute(select(*sums).select_from(source)).one()
    return [OwnerSystemTotals(*row) for row in rows] + [OwnerSystemTotals(None, *overall)]


def count_overdue(connection: Connection, on: date) -> int:
    """How many sites were due before a day, by their own date or their batch's; completed and exempt ones are not."""
    settled = [status.value for status in (*COMPLETED, SiteStatus.EXEMPT)]
    due = func.coalesce(sites.c.due_date, batches.c.due_date)
    query = select(func.count()).select_from(sites.outerjoin(batches, batches.c.name == sites.c.batch))
    return connection.scalar(query.where(due < on, sites.c.status.not_in(settled))) or 0


def count_rechecks(connection: Connection, on: date) -> int:
    """How many sites somebody should look at again, on a day."""
    return connection.scalar(select(func.count()).where(sites.c.recheck_on <= on)) or 0


def site_of(row: Row) -> Site:
    """A row as the domain's value."""
    return _site(*(row[name] for name in _SITE_COLUMNS))


def _site(
    geometry: BaseGeometry,
    code: str,
    name: str,
    sub_district: str,
    community: str,
    owner_system: str,
    batch: str,
    buffer_m: float,
    land_area_m2: float | None,
    building_area_m2: float | None,
    status: str,
    attributes: dict[str, Any],
    recheck_on: date | None,
    version: int,
    *plan: Any,
) -> Site:
    """The values of `_SITE_COLUMNS` as the domain's value; names that many sites share are held once."""
    places = intern(sub_district), intern(community), intern(owner_system), intern(batch)
    known_plan = _NO_PLAN if plan == _SILENT else version_rows.plan_from(*plan)
    areas, now_is = (land_area_m2, building_area_m2), SiteStatus(status)
    return Site(code, geometry, name, *places, buffer_m, *areas, known_plan, now_is, attributes, recheck_on, version)


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
        "rules": plan.rules or None,
        "recheck_on": site.recheck_on,
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
            difference.added.append({**columns_of(site), "version": 1})
            continue
        new = columns_of(site if stated is None else _only_stated(site_of(old), site, stated[site.code]))
        _sort_in(difference, dict(old), new)
    return difference


def _sort_in(difference: _Difference, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Put a site that is known where it belongs: a status that differs must be a legal move."""
    differing = set(_differing(old, new))
    if not differing:
        difference.unchanged.append(new["code"])
        return
    try:
        if "status" in differing:
            _move(old, SiteStatus(new["status"]))
    except IllegalMoveError as error:
        difference.illegal[new["code"]] = str(error)
        return
    new["version"] = old["version"] + bool(differing & version_rows.VERSIONED)
    difference.changed.append((old, new))


def _move(old: Row, becomes: SiteStatus, *, who: str = "", reason: str = "") -> StatusMove:
    code, was = old["code"], SiteStatus(old["status"])
    return StatusMove(code, was, becomes, move_between(code, was, becomes), who, reason)


def _illegal(moves: Mapping[str, str]) -> IllegalMoveError:
    """The first of them, and how many there are."""
    first = next(iter(moves.values()))
    more = f" ({len(moves) - 1} more sites are refused likewise)" if len(moves) > 1 else ""
    return IllegalMoveError(
        first.rstrip(".") + more,
        remedy="Nothing was written; correct the statuses, or leave those sites out.",
    )


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
    return [name for name in PEOPLE_COLUMNS if not _alike(old, new, name)]


def _alike(old: Row, new: Row, name: str) -> bool:
    # Equal JSON is no answer: to Python 1, 1.0 and True are equal.
    if not isinstance(sites.c[name].type, Geometry | Json) and old[name] == new[name]:
        return True
    return bool(_plain(old, name) == _plain(new, name))


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
    versions = _versions(difference)
    version_rows.write(connection, list(versions.values()))
    audit.append(connection, list(_events(difference, versions, source)))
    move_rows.enter_all(connection, list(_moves(difference, source)))
    written = [*difference.added, *(new for _, new in difference.changed)]
    geopackage.grow_extent(connection, "sites", (row["geom"] for row in written))


def _versions(difference: _Difference) -> dict[str, dict[str, Any]]:
    """The versions that begin with this import, by code."""
    begun = [*difference.added, *(new for old, new in difference.changed if new["version"] != old["version"])]
    at = now()
    return {new["code"]: version_rows.row(new["code"], new["version"], at, new) for new in begun}


def _moves(difference: _Difference, source: str) -> Iterator[StatusMove]:
    """Who moves sites by an import is the import; its reason is where it came from."""
    for old, new in difference.changed:
        if old["status"] != new["status"]:
            yield _move(old, SiteStatus(new["status"]), who="import", reason=source or "import")


def _events(difference: _Difference, versions: Mapping[str, Mapping[str, Any]], source: str) -> Iterator[audit.Event]:
    def versioned(code: str) -> dict[str, Any]:
        return {"versions": version_rows.hashes([versions[code]])} if code in versions else {}

    for new in difference.added:
        yield _event("added", new, {"source": source, "status": new["status"], **versioned(new["code"])})
    for old, new in difference.changed:
        details = {"source": source, **_was_and_becomes(old, new), **versioned(new["code"])}
        yield _event("changed", new, details)


def _was_and_becomes(old: Row, new: Row) -> dict[str, Any]:
    names = _differing(old, new)
    was, becomes = ({name: audit.as_plain(row[name]) for name in names} for row in (old, new))
    return {"was": was, "becomes": becomes}


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


def _green_seen() -> Subquery:
    """Green that was added on each site, as the last assessment saw that could answer for its greening."""
    c = assessments.c
    newest = func.row_number().over(partition_by=c.site_code, order_by=(c.after_date.desc().nulls_last(), c.id.desc()))
    answered = c.greening != Outcome.NOT_ASSESSABLE.value
    ranked = select(c.site_code, c.green_added_m2, newest.label("rank")).where(answered).subquery()
    return select(ranked.c.site_code, ranked.c.green_added_m2).where(ranked.c.rank == 1).subquery()


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
