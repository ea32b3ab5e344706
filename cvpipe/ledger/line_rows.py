"""Sites and verdicts as lines of lists: what many pages ask for at once, without geometries."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from cvpipe.domain import SiteStatus
from cvpipe.ledger.encoding import verdict_of
from cvpipe.ledger.records import GivenVerdict, SiteLine, Touched
from cvpipe.ledger.schema import Row, assessments, audit, audit_head, batches, sites

#: Sites named in one query; SQLite takes 32,766 parameters at most.
_CHUNK = 1000

#: Rows of the audit trail after which looking at all sites is quicker than looking for those that were touched.
_MANY_ROWS = 5000


def touched_since(connection: Connection, rows: int) -> Touched:
    """The sites that the audit trail names after its row `rows`."""
    present: int = connection.scalar(select(audit_head.c.rows)) or 0
    if present == rows:
        return Touched(present, frozenset())
    if not 0 <= present - rows <= _MANY_ROWS:
        return Touched(present, None)
    since = audit.c.id > rows
    if connection.scalar(select(audit.c.id).where(since, audit.c.kind == "batch").limit(1)) is not None:
        return Touched(present, None)  # the due date of a batch is that of its sites
    named = select(audit.c.site_code).where(since, audit.c.site_code.is_not(None)).distinct()
    return Touched(present, frozenset(connection.scalars(named)))


def site_lines(connection: Connection, codes: Collection[str] | None) -> list[SiteLine]:
    """Lines of all sites, or of those with the given codes; an unknown code is left out."""
    names = [name for name in SiteLine.__dataclass_fields__ if name not in {"lon", "lat"}]
    c = sites.c
    due = func.coalesce(c.due_date, batches.c.due_date).label("due_date")
    columns = (due if name == "due_date" else c[name] for name in names)
    query = select(*columns, c.min_x, c.min_y, c.max_x, c.max_y).order_by(c.code)
    query = query.select_from(sites.outerjoin(batches, batches.c.name == c.batch))
    return [_site_line(row, names) for row in _rows(connection, query, codes, sites.c.code)]


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


def _site_line(row: Row, names: list[str]) -> SiteLine:
    plain = {name: row[name] for name in names}
    seen = row["observed_status"]
    plain |= {"status": SiteStatus(row["status"]), "observed_status": None if seen is None else SiteStatus(seen)}
    return SiteLine(**plain, lon=(row["min_x"] + row["max_x"]) / 2, lat=(row["min_y"] + row["max_y"]) / 2)


def _given(row: Row) -> Iterator[GivenVerdict]:
    for plain in row["verdicts"]:
        yield GivenVerdict(
            row["site_code"], row["id"], row["key"], row["before_date"], row["after_date"], verdict_of(plain)
        )
