"""Whether the ledger still says what was written into it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, func, select

from cvpipe.ledger import assessment_rows, audit, site_rows
from cvpipe.ledger.records import Verification
from cvpipe.ledger.schema import Row, assessments, changes, runs, scenes, sites
from cvpipe.ledger.schema import audit as audit_rows

_Subject = tuple[str, str]  # kind, subject


def verify(connection: Connection) -> Verification:
    """Walk the chain of audit rows, then hold every site, scene, run and assessment against its last audit row."""
    problems = list(audit.broken_links(connection))
    noted = _last_noted(connection)
    held = dict(_held(connection))
    problems += _disagreements(noted, held)
    rows = connection.scalar(select(func.count()).select_from(audit_rows)) or 0
    return Verification(audit_rows=rows, contents=len(held), problems=tuple(problems))


def _last_noted(connection: Connection) -> dict[_Subject, str]:
    c = audit_rows.c
    query = select(c.kind, c.subject, c.content_hash).order_by(c.id)
    return {(kind, subject): content_hash for kind, subject, content_hash in connection.execute(query)}


def _held(connection: Connection) -> Iterator[tuple[_Subject, str]]:
    for row in connection.execute(select(sites)).mappings():
        yield ("site", row["code"]), site_rows.content_hash(row)
    for row in connection.execute(select(scenes)).mappings():
        yield ("scene", row["content_hash"]), audit.digest(scenes, row)
    for row in connection.execute(select(runs)).mappings():
        yield ("run", str(row["id"])), audit.digest(runs, row)
    found = defaultdict[int, list[Row]](list)
    for row in connection.execute(select(changes).order_by(changes.c.id)).mappings():
        found[row["assessment_id"]].append(row)
    for row in connection.execute(select(assessments)).mappings():
        yield ("assessment", row["key"]), assessment_rows.content_hash(row, found[row["id"]])


def _disagreements(noted: Mapping[_Subject, str], held: Mapping[_Subject, str]) -> Iterator[str]:
    for (kind, subject), content_hash in held.items():
        if (kind, subject) not in noted:
            yield f"{kind} {subject} has no audit row"
        elif noted[kind, subject] != content_hash:
            yield f"{kind} {subject} was altered after its last audit row"
    for kind, subject in noted.keys() - held.keys():
        yield f"{kind} {subject} is in the audit trail but missing from the ledger"
