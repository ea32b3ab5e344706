"""Whether the ledger still says what was written into it.

What is found: any row of the audit trail, or of what it speaks of, that was altered, removed or slipped in, also at
the end of the trail (its length and last hash are kept apart, in `audit_head`), and guards of append-only tables that
were taken away. What is not: a trail that somebody recomputed from the altered row to its end, head included. Against
that helps a head that was noted down elsewhere.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from itertools import groupby
from typing import Any

from shapely.errors import ShapelyError
from sqlalchemy import Connection, Select, func, select

from cvpipe.errors import LedgerError
from cvpipe.ledger import assessment_rows, audit, guards, site_rows, version_rows
from cvpipe.ledger.records import Verification
from cvpipe.ledger.schema import AUDITED, Row, assessments, changes, site_versions, sites
from cvpipe.ledger.schema import audit as audit_rows

_Subject = tuple[str, str]  # kind, subject

#: What reading a column raises that holds what the ledger never wrote: a broken date, number, JSON or geometry.
_UNREADABLE = (ValueError, TypeError, AttributeError, AssertionError, ShapelyError, LedgerError)


def verify(connection: Connection, noted: audit.Head | None = None) -> Verification:
    """Walk the chain of audit rows, then hold all that is in the trail against its last audit row.

    `noted` is a head that was written down earlier: the chain must still run through it.
    """
    problems, held = list[str](), dict[_Subject, str]()
    try:
        for problem in _problems(connection, noted, held):
            problems.append(problem)
    except _UNREADABLE as error:
        problems.append(f"a row holds what the ledger never wrote; what comes after it was not looked at ({error})")
    rows = connection.scalar(select(func.count()).select_from(audit_rows)) or 0
    head = audit.stated_head(connection) or ""
    return Verification(audit_rows=rows, contents=len(held), problems=tuple(problems), head=str(head))


def _problems(connection: Connection, noted: audit.Head | None, held: dict[_Subject, str]) -> Iterator[str]:
    """Every problem; `held` takes the digest of each subject that is there."""
    yield from guards.missing(connection)
    yield from audit.broken_links(connection)
    yield from audit.refuted(connection, noted) if noted else ()
    expected = _last_noted(connection)
    held.update(_held(connection))
    yield from _disagreements(expected, held)
    yield from _stray_changes(connection)
    yield from _misnumbered(connection)


def _last_noted(connection: Connection) -> dict[_Subject, str]:
    """Digest of each subject by its last audit row; those of a site's versions stand in the details of its rows."""
    c = audit_rows.c
    noted: dict[_Subject, str] = {}
    for row in _rows(connection, select(c.kind, c.subject, c.content_hash, c.details).order_by(c.id)):
        noted[row["kind"], row["subject"]] = row["content_hash"]
        for number, content_hash in row["details"].get("versions", {}).items() if row["kind"] == "site" else ():
            noted["version", f"{number} of site {row['subject']}"] = content_hash
    return noted


def _held(connection: Connection) -> Iterator[tuple[_Subject, str]]:
    for row in _rows(connection, select(sites)):
        yield ("site", row["code"]), site_rows.content_hash(row)
    for row in _rows(connection, select(site_versions)):
        yield ("version", f"{row['version']} of site {row['site_code']}"), version_rows.held_hash(row)
    for kind, (table, subject) in AUDITED.items():
        for row in _rows(connection, select(table)):
            yield (kind, str(row[subject])), audit.digest(table, row)
    for row, found in _assessments(connection):
        yield ("assessment", row["key"]), assessment_rows.content_hash(row, found)


def _assessments(connection: Connection) -> Iterator[tuple[Row, list[Row]]]:
    """Each assessment with its changes, the two tables read side by side."""
    ordered = _rows(connection, select(changes).order_by(changes.c.assessment_id, changes.c.id))
    with closing(ordered):
        groups = groupby(ordered, key=lambda change: change["assessment_id"])
        owner, found = next(groups, (None, iter(())))
        for row in _rows(connection, select(assessments).order_by(assessments.c.id)):
            while owner is not None and owner < row["id"]:
                owner, found = next(groups, (None, iter(())))
            yield row, list(found) if owner == row["id"] else []


def _disagreements(noted: Mapping[_Subject, str], held: Mapping[_Subject, str]) -> Iterator[str]:
    for (kind, subject), content_hash in held.items():
        if (kind, subject) not in noted:
            yield f"{kind} {subject} has no audit row"
        elif noted[kind, subject] != content_hash:
            yield f"{kind} {subject} was altered after its last audit row"
    for kind, subject in noted.keys() - held.keys():
        yield f"{kind} {subject} is in the audit trail but missing from the ledger"


def _stray_changes(connection: Connection) -> Iterator[str]:
    """Changes of no assessment: the only rows that no digest covers."""
    owners = select(assessments.c.id)
    for row in _rows(connection, select(changes.c.id).where(changes.c.assessment_id.not_in(owners))):
        yield f"change {row['id']} belongs to no assessment"


def _misnumbered(connection: Connection) -> Iterator[str]:
    """Sites that do not state their last version: no digest covers the number, for migrations gave it to old sites."""
    c = site_versions.c
    newest = select(c.site_code, func.max(c.version).label("last")).group_by(c.site_code).subquery()
    both = select(sites.c.code, sites.c.version, newest.c.last).join(newest, newest.c.site_code == sites.c.code)
    for row in _rows(connection, both.where(sites.c.version != newest.c.last).order_by(sites.c.code)):
        yield f"site {row['code']} states version {row['version']}, but its last one is {row['last']}"


def _rows(connection: Connection, query: Select[Any]) -> Generator[Row, None, None]:
    with connection.execute(query, execution_options=audit.STREAMED) as result:
        yield from result.mappings()
