"""Sites whose plan has rules of its own, and assessments that name the version of their site."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from cvpipe.domain import Outcome, Plan, Question
from cvpipe.ledger import Workspace
from cvpipe.run import plan, run
from tests.run.conftest import SITES


def test_a_site_with_rules_of_its_own_is_judged_by_them(workspace: Workspace) -> None:
    with workspace.ledger() as ledger:
        lenient = Plan(work_started=date(2023, 9, 1), rules={"rebound": {"added_m2": 1e6}})
        ledger.put_sites([replace(SITES[0], plan=lenient)], source="test")
    run(workspace)
    with workspace.ledger() as ledger:
        records = ledger.assessments("A")
        others = ledger.assessments("B")
    rebound = [v.outcome for r in records for v in r.assessment.verdicts if v.question is Question.REBOUND]
    assert rebound == [Outcome.NONE]
    assert records[0].assessment.rules_version != others[0].assessment.rules_version


def test_rules_that_cannot_be_read_cost_their_site_only(workspace: Workspace) -> None:
    with workspace.ledger() as ledger:
        ledger.put_sites([replace(SITES[1], plan=Plan(rules={"rebound": {"no such": 1}}))], source="test")
    assert "B" not in {pair.site_code for pair in plan(workspace)}
    summary = run(workspace)
    assert [(failure.site_code, "rebound.no such" in failure.reason) for failure in summary.failures] == [("B", True)]
    assert summary.assessed == 4


def test_an_assessment_names_the_version_of_its_site(workspace: Workspace) -> None:
    with workspace.ledger() as ledger:
        ledger.put_sites([replace(SITES[1], buffer_m=3.0)], source="test")
    run(workspace)
    with workspace.ledger() as ledger:
        assert {record.site_version for record in ledger.assessments("B")} == {2}
