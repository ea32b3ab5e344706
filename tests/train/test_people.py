"""How far people agree with a network's verdicts, counted from a ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from cvpipe.domain import Decision, Outcome, Question, ReviewReason
from cvpipe.ledger import Ledger, Workspace
from cvpipe.train.people import people_tables
from tests.ledger import samples

CODE = samples.FULL_SITE.code


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """One site, assessed twice: demolition complete, clearance not assessable."""
    made = Workspace.create(tmp_path / "district")
    with made.ledger() as ledger:
        run = samples.fill(ledger)
        ledger.record(run, samples.assessment(CODE, "key-2", before="h2017", after="h2017"))
    return made


def say(ledger: Ledger, who: str, verdict: Outcome, key: str = "key-1", reason: str = "") -> None:
    ledger.decide(Decision(CODE, who, Question.DEMOLITION, verdict, assessment_key=key, reason=reason))


def rows(ledger: Ledger) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    agreement, reasons = people_tables(ledger)
    return [row[1:] for row in agreement.rows], [row[1:] for row in reasons.rows]


def test_nobody_said_anything(workspace: Workspace) -> None:
    with workspace.ledger() as ledger:
        assert rows(ledger) == ([], [])


def test_verdicts_are_counted_once_each_and_reasons_by_person(workspace: Workspace) -> None:
    with workspace.ledger() as ledger:
        say(ledger, "a", Outcome.COMPLETE)
        say(ledger, "b", Outcome.COMPLETE)
        say(ledger, "a", Outcome.PARTIAL, "key-2", ReviewReason.SHADOW)
        say(ledger, "b", Outcome.COMPLETE, "key-2")
        assert rows(ledger) == ([("demolition", "2", "50%", "2", "50%")], [("demolition", "shadow", "1")])


def test_the_last_word_of_a_person_counts(workspace: Workspace) -> None:
    with workspace.ledger() as ledger:
        say(ledger, "a", Outcome.PARTIAL, reason=ReviewReason.NET)
        say(ledger, "a", Outcome.COMPLETE)
        assert rows(ledger) == ([("demolition", "1", "100%", "0", "–")], [])


def test_what_was_said_of_no_assessment_is_left_aside(workspace: Workspace) -> None:
    with workspace.ledger() as ledger:
        ledger.decide(Decision(CODE, "a", Question.DEMOLITION, Outcome.NONE))
        assert rows(ledger) == ([], [])
