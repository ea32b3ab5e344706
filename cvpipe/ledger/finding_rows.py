"""Findings and inspections: what must be put right on a site by a date, and the visits to it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from sqlalchemy import Connection, func, select

from cvpipe.domain import Finding, Inspection, InspectionResult
from cvpipe.errors import LedgerError
from cvpipe.ledger import entries, site_rows
from cvpipe.ledger.columns import now
from cvpipe.ledger.records import Entry
from cvpipe.ledger.schema import Row, findings, inspections


def raise_finding(connection: Connection, finding: Finding) -> Entry[Finding]:
    """Enter a finding, open. Raises LedgerError where nobody or nothing is named."""
    entries.refuse_blank("who raises the finding", finding.who)
    entries.refuse_blank("what was found", finding.what)
    site_rows.row_of(connection, finding.site_code)
    row = {**vars(finding), "at": now(), "resolved_at": None}
    return Entry(entries.enter(connection, "finding", row, action="raised"), row["at"], finding)


def resolve(connection: Connection, finding_id: int, *, who: str, resolution: str) -> Entry[Finding]:
    """Say how a finding was put right. Raises LedgerError for one that is unknown or resolved already."""
    entries.refuse_blank("who resolves the finding", who)
    row = entries.row_of(connection, "finding", finding_id)
    if row["resolved_by"]:
        raise LedgerError(
            f"finding {finding_id} was resolved already, by {row['resolved_by']}", remedy="Raise a new one."
        )
    news = {"resolved_by": who, "resolution": resolution, "resolved_at": now()}
    details = {"what": row["what"], "who": who, "resolution": resolution}
    entries.change(connection, "finding", row, news, action="resolved", details=details)
    return _finding_entry({**row, **news})


def all_findings(connection: Connection, code: str | None, *, only_open: bool) -> list[Entry[Finding]]:
    """Findings on all sites, or on one, by due date."""
    query = select(findings).order_by(findings.c.due_date, findings.c.id)
    if code is not None:
        query = query.where(findings.c.site_code == code)
    if only_open:
        query = query.where(findings.c.resolved_by == "")
    return [_finding_entry(row) for row in connection.execute(query).mappings()]


def count_open(connection: Connection, on: date) -> tuple[int, int]:
    """How many findings are open, and how many of them were due before a day."""
    overdue = func.count().filter(findings.c.due_date < on)
    whole, late = connection.execute(select(func.count(), overdue).where(findings.c.resolved_by == "")).one()
    return whole, late


def inspect(connection: Connection, inspection: Inspection) -> Entry[Inspection]:
    """Append a visit. Raises LedgerError where nobody is named."""
    entries.refuse_blank("who inspected the site", inspection.who)
    site_rows.row_of(connection, inspection.site_code)
    row = {**vars(inspection), "result": inspection.result.value, "at": now()}
    return Entry(entries.enter(connection, "inspection", row), row["at"], inspection)


def all_inspections(connection: Connection, codes: Collection[str] | None) -> list[Entry[Inspection]]:
    """Visits to all sites, or to some, by the day."""
    query = select(inspections).order_by(inspections.c.inspected_on, inspections.c.id)
    if codes is not None:
        query = query.where(inspections.c.site_code.in_(codes))
    return [_inspection_entry(row) for row in connection.execute(query).mappings()]


def _finding_entry(row: Row) -> Entry[Finding]:
    alike = ("site_code", "what", "due_date", "who", "resolved_by", "resolution")
    return Entry(row["id"], row["at"], Finding(**{name: row[name] for name in alike}))


def _inspection_entry(row: Row) -> Entry[Inspection]:
    result = InspectionResult(row["result"])
    value = Inspection(row["site_code"], row["inspected_on"], result, row["who"], row["note"])
    return Entry(row["id"], row["at"], value)
