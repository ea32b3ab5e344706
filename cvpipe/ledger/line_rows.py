"""Sites and verdicts as lines of lists: what many pages ask for at once, without geometries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from cvpipe.domain import SiteStatus
from cvpipe.ledger import settling
from cvpipe.ledger.encoding import verdict_of
from cvpipe.ledger.records import GivenVerdict, SiteLine, Touched
from cvpipe.ledger.schema import SETTLED_COLUMNS, Row, assessments, audit, audit_head, batches, sites

#: Sites named in one query; SQLite takes 32,766 parameters at most.
_CHUNK = 1000

#: Rows of the audit trail after which looking at all sites is quicker than looking for those that were touched.
_MANY_ROWS = 5000


_PRESENT = select(
    select(audit_head.c.rows).scalar_subquery(), select(func.max(sites.c.settled_number)).scalar_subquery()
)


def touched_since(connection: Connection, rows: int, settled: int) -> Touched:
    """The sites that the audit trail names after its row `rows`, and those settled after the `settled`th settling."""
    present, last = (number or 0 for number in connection.execute(_PRESENT).one())
    if (present, last) == (rows, settled):
        return Touched(present, last, {})
    if not (0 <= present - rows <= _MANY_ROWS and 0 <= last - settled <= _MANY_ROWS):
        return Touched(present, last, None)
    named = select(audit.c.site_code, audit.c.kind).where(audit.c.id > rows).distinct()
    touched = defaultdict[str | None, set[str]](set)
    for code, kind in connection.execute(named):
        touched[code].add(kind)
    for code in connection.scalars(select(sites.c.code).where(sites.c.settled_number > settled)):
        touched[code].add(Touched.SETTLED)
    other = frozenset(touched.pop(None, ()))
    if "batch" in other:
        return Touched(present, last, None, other)  # the due date of a batch is that of its sites
    return Touched(present, last, {str(code): frozenset(kinds) for code, kinds in touched.items()}, other)


def site_lines(connection: Connection, codes: Collection[str] | None) -> list[SiteLine]:
    """Lines of all sites, or of those with the given codes; an unknown code is left out."""
    return [_site_line(row) for row in _rows(connection, _LINES, codes, sites.c.code)]


def given_verdicts(connection: Connection, codes: Collection[str] | None) -> list[GivenVerdict]:
    """Verdicts of all assessments, or of those of some sites, the earlier epochs first."""
    c = assessments.c
    query = select(c.site_code, c.id, c.key, c.before_date, c.after_date, c.verdicts)
    query = query.order_by(c.site_code, c.after_date.nulls_first(), c.id)
    return [given for row in _rows(connection, query, codes, c.site_code) for given in _given(row)]


def site_of_assessment(connection: Connection, assessment_id: int) -> dict[int, str]:
    """The code of the site that an assessment is of, by the assessment's id; empty where there is none."""
    query = select(assessments.c.id, assessments.c.site_code).where(assessments.c.id == assessment_id)
    return {row["id"]: row["site_code"] for row in connection.execute(query).mappings()}


def _rows(
    connection: Connection, query: Select[Any], codes: Collection[str] | None, column: ColumnElement[str]
) -> Iterator[Row]:
    if codes is None:
        yield from connection.execute(query).mappings()
        return
    wanted = sorted(codes)
    for start in range(0, len(wanted), _CHUNK):
        yield from connection.execute(query.where(column.in_(wanted[start : start + _CHUNK]))).mappings()


#: What stands in a line as it stands in the table.
_LINE_NAMES = tuple(name for name in SiteLine.__dataclass_fields__ if name not in {"lon", "lat", "state"})


def _line_columns() -> Iterator[ColumnElement[Any]]:
    for name in _LINE_NAMES:
        due = func.coalesce(sites.c.due_date, batches.c.due_date).label("due_date")
        yield due if name == "due_date" else sites.c[name]
    for name in sorted({"min_x", "min_y", "max_x", "max_y", *SETTLED_COLUMNS} - set(_LINE_NAMES)):
        yield sites.c[name]


_LINES = (
    select(*_line_columns())
    .select_from(sites.outerjoin(batches, batches.c.name == sites.c.batch))
    .order_by(sites.c.code)
)


def _site_line(row: Row) -> SiteLine:
    plain = {name: row[name] for name in _LINE_NAMES}
    seen = row["observed_status"]
    plain |= {"status": SiteStatus(row["status"]), "observed_status": None if seen is None else SiteStatus(seen)}
    lon, lat = (row["min_x"] + row["max_x"]) / 2, (row["min_y"] + row["max_y"]) / 2
    return SiteLine(**plain, lon=lon, lat=lat, state=settling.state_of(row))


def _given(row: Row) -> Iterator[GivenVerdict]:
    for plain in row["verdicts"]:
        yield GivenVerdict(
            row["site_code"], row["id"], row["key"], row["before_date"], row["after_date"], verdict_of(plain)
        )
