"""Decisions: what people answered to the questions about a site. Appended; one may supersede an earlier one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Connection, select

from cvpipe.domain import OUTCOMES, Decision, Outcome, Question
from cvpipe.errors import LedgerError
from cvpipe.ledger import entries, site_rows
from cvpipe.ledger.columns import now
from cvpipe.ledger.records import Entry
from cvpipe.ledger.schema import Row, assessments, decisions


def decide(connection: Connection, decision: Decision) -> Entry[Decision]:
    """Append a decision. Raises LedgerError where it does not fit the site, the question or what it supersedes."""
    entries.refuse_blank("who decides", decision.who)
    site_rows.row_of(connection, decision.site_code)
    _refuse_foreign_verdict(decision)
    _refuse_foreign_assessment(connection, decision)
    _refuse_foreign_supersedes(connection, decision)
    row = {**_columns(decision), "at": now()}
    return Entry(entries.enter(connection, "decision", row), row["at"], decision)


def all_decisions(connection: Connection, codes: Collection[str] | None) -> list[Entry[Decision]]:
    """Decisions on all sites, or on some, in the order they were made; superseded ones among them."""
    query = select(decisions).order_by(decisions.c.id)
    if codes is not None:
        query = query.where(decisions.c.site_code.in_(codes))
    return entries_of(connection.execute(query).mappings())


def entries_of(rows: Iterable[Row]) -> list[Entry[Decision]]:
    """Whole rows of decisions as the domain's values."""
    return [Entry(row["id"], row["at"], _decision_of(row)) for row in rows]


def _refuse_foreign_verdict(decision: Decision) -> None:
    legal = OUTCOMES[decision.question]
    if decision.verdict not in legal:
        raise LedgerError(
            f"{decision.verdict} is no answer to {decision.question}",
            where=f"site {decision.site_code}",
            remedy=f"Answer with one of {', '.join(sorted(legal))}.",
        )


def _refuse_foreign_assessment(connection: Connection, decision: Decision) -> None:
    if decision.assessment_key is None:
        return
    query = select(assessments.c.site_code).where(assessments.c.key == decision.assessment_key)
    if connection.scalar(query) != decision.site_code:
        raise LedgerError(
            f"the site has no assessment {decision.assessment_key!r}",
            where=f"site {decision.site_code}",
            remedy="Name the key of one of its assessments, or none.",
        )


def _refuse_foreign_supersedes(connection: Connection, decision: Decision) -> None:
    """A decision is superseded once, by one on the same site and question."""
    if decision.supersedes is None:
        return
    old = entries.row_of(connection, "decision", decision.supersedes)
    alike = (old["site_code"], old["question"]) == (decision.site_code, decision.question.value)
    newer = connection.scalar(select(decisions.c.id).where(decisions.c.supersedes == decision.supersedes))
    if not alike or newer is not None:
        found = f"decision {newer} supersedes it already" if alike else "it answers another question or site"
        raise LedgerError(
            f"decision {decision.supersedes} cannot be superseded: {found}",
            where=f"site {decision.site_code}",
            remedy="Supersede the last decision on the same question.",
        )


def _columns(decision: Decision) -> dict[str, Any]:
    return {**vars(decision), "question": decision.question.value, "verdict": decision.verdict.value}


def _decision_of(row: Row) -> Decision:
    columns = {name: value for name, value in row.items() if name not in {"id", "at", "question", "verdict"}}
    return Decision(question=Question(row["question"]), verdict=Outcome(row["verdict"]), **columns)
