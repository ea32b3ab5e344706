"""What a dry run says a run would write, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cvpipe.cli import app, console
from cvpipe.domain import Plan, Question
from cvpipe.imagery import describe
from cvpipe.ledger import Answered, Workspace
from cvpipe.run import Why, plan, run
from cvpipe.run.difference import why
from cvpipe.run.epochs import Epoch
from cvpipe.run.planning import Asked
from cvpipe.run.sites import PairKind
from tests.detect.networks import PaintedNetwork
from tests.ledger import samples
from tests.run.conftest import SITES, scenes


def test_a_plan_says_what_is_new(workspace: Workspace, network: PaintedNetwork) -> None:
    def whys() -> dict[tuple[str, str], list[Why | None]]:
        found: dict[tuple[str, str], list[Why | None]] = {}
        for pair in plan(workspace):
            found.setdefault((pair.site_code, pair.kind), []).append(pair.why)
        return found

    remediation = {(code, "remediation"): 1 if code == "FAR" else 2 for code in ("A", "B", "FAR")}
    assert whys() == {site: [Why.FIRST] * number for site, number in remediation.items()}
    run(workspace)
    assert {why for given in whys().values() for why in given} == {None}
    with workspace.ledger() as ledger:
        ledger.put_sites([replace(SITES[1], buffer_m=3.0), replace(SITES[0], name="only a name")], source="test")
    assert whys() == {
        ("A", "remediation"): [None, None],
        ("A", "watch"): [None],
        ("B", "remediation"): [Why.CHANGED_SITE] * 2,
        ("FAR", "remediation"): [None],
    }
    with workspace.ledger() as ledger:
        ledger.put_sites([replace(SITES[1], plan=Plan(rules={"rebound": {"added_m2": 5.0}}))], source="test")
    assert whys()["B", "remediation"] == [Why.NEW_RULES] * 2
    network.digest = "another"
    assert {why for given in whys().values() for why in given} == {Why.NEW_BUNDLE}


@pytest.mark.parametrize(
    ("bundle", "rules", "expected"),
    [("one", "other", Why.NEW_RULES), ("third", "own", Why.NEW_BUNDLE), ("one", "own", Why.CHANGED_SITE)],
)
def test_rules_count_for_the_bundle_at_hand(bundle: str, rules: str, expected: Why) -> None:
    """That another bundle was once asked under these rules does not make the site a changed one."""
    epochs = Epoch((samples.scene("h2015", date(2015, 10, 1)),)), Epoch((samples.scene("h2017", date(2017, 7, 1)),))
    asked = Asked(PairKind.REMEDIATION, *epochs, "")
    questions = frozenset({Question.DEMOLITION})
    given = [
        Answered("A", "h2015", "h2017", (), (), made_by, rules_then, questions)
        for made_by, rules_then in (("one", "own"), ("two", "other"))
    ]
    assert why(asked, given, bundle, rules) is expected


def test_a_new_scene_is_why(workspace: Workspace, tmp_path: Path) -> None:
    run(workspace)
    newest = scenes(tmp_path)[0]
    with workspace.ledger() as ledger:
        ledger.add_scene(replace(describe(newest), acquired=date(2026, 5, 1), content_hash="2026"))
    new = [(pair.site_code, pair.kind, pair.after, pair.why) for pair in plan(workspace) if not pair.known]
    assert new == [
        ("A", "remediation", date(2026, 5, 1), Why.NEW_SCENE),
        ("A", "watch", date(2026, 5, 1), Why.NEW_SCENE),
        ("B", "remediation", date(2026, 5, 1), Why.NEW_SCENE),
    ]


def test_the_command_prints_what_is_new_only(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console.out, "width", 200)

    def told() -> str:
        result = CliRunner().invoke(app, ["run", "--workspace", str(workspace.folder), "--dry-run"])
        assert result.exit_code == 0
        return result.stdout

    assert "5 of 5 pairs are pending, on 3 sites; 0 sites are up to date." in " ".join(told().split())
    run(workspace)
    with workspace.ledger() as ledger:
        ledger.put_sites([replace(SITES[1], buffer_m=3.0)], source="test")
    again = " ".join(told().split())
    assert "2 of 6 pairs are pending, on 1 sites; 2 sites are up to date." in again
    assert again.count("outline or plan changed") == 2
