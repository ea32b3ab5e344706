"""What became of sites, through the real command line: moves, decisions, findings, visits, campaigns."""

from __future__ import annotations

from pathlib import Path

from cvpipe.assess.rules import read_rules
from cvpipe.ledger import Workspace
from tests.ledger import samples
from tests.ledger.commands import Command, plain

CODE = samples.FULL_SITE.code


def test_move_close_and_be_refused(say: Command) -> None:
    assert say("sites", "move", CODE, "cleared", "--by", "inspector").stdout == f"{CODE}: in_progress → cleared\n"
    closed = say("sites", "move", CODE, "closed", "--by", "leader", "--recheck", "2018-01-01")
    assert closed.stdout == f"{CODE}: cleared → closed\n"
    shown = plain(say("sites", "show", CODE, "--json"))
    assert (shown["status"], shown["recheck_on"], shown["observed_status"]) == ("closed", "2018-01-01", "demolished")
    illegal = say("sites", "move", CODE, "demolished", "--by", "leader")
    assert illegal.code == 2
    assert "Legal from here: in_progress, cleared, rebound" in illegal.stderr
    nonsense = say("sites", "move", CODE, "gone", "--by", "leader")
    assert (nonsense.code, "Say one of registered, in_progress" in nonsense.stderr) == (2, True)
    silent = say("sites", "move", CODE, "in_progress", "--by", "leader")
    assert (silent.code, "the reason to reopen the site is missing" in silent.stderr) == (2, True)


def test_decide_on_grounds_of_the_last_assessment(say: Command) -> None:
    told = say("sites", "decide", CODE, "clearance", "not_met", "--by", "reviewer 1", "--reason", "rubble left")
    assert told.stdout == f"decision 1: {CODE} clearance not_met\n"
    say("sites", "decide", CODE, "clearance", "met", "--by", "reviewer 2", "--supersedes", "1")
    first, second = (row for row in plain(say("sites", "history", CODE, "--json")) if row["kind"] == "decision")
    assert first["details"]["assessment_key"] == "key-1"
    assert (second["who"], second["sentence"]) == ("reviewer 2", "clearance: met; supersedes decision 1")
    wrong = say("sites", "decide", CODE, "clearance", "complete", "--by", "reviewer 1")
    assert (wrong.code, "complete is no answer to clearance" in wrong.stderr) == (2, True)


def test_findings_from_raised_to_resolved(say: Command) -> None:
    assert say("sites", "finding", CODE, "清运渣土", "--due", "2017-07-31", "--by", "inspector").code == 0
    say("sites", "inspect", CODE, "not_clear", "--on", "2017-07-10", "--by", "inspector", "--note", "渣土")
    assert [(row["what"], row["due_date"]) for row in plain(say("sites", "findings", "--json"))] == [
        ("清运渣土", "2017-07-31")
    ]
    assert plain(say("sites", "summary", "--json"))["reminders"]["overdue_findings"] == 1
    assert "is resolved" in say("sites", "resolve", "1", "--by", "inspector", "--note", "运走").stdout
    assert plain(say("sites", "findings", "--json")) == []
    assert "运走" in say("sites", "findings", "--all").stdout
    assert len(plain(say("sites", "findings", "--site", CODE, "--all", "--json"))) == 1
    mistyped = say("sites", "findings", "--site", "SJS-01")
    assert (mistyped.code, "no site has the code 'SJS-01'. Did you mean" in mistyped.stderr) == (2, True)
    table = say("sites", "history", CODE).stdout
    for words in ("finding 1: 清运渣土, due 2017-07-31", "on 2017-07-10: not clear: 渣土", "finding 1: 清运渣土: 运走"):
        assert words in table


def test_campaigns_and_batches(say: Command) -> None:
    added = say(
        *("campaigns", "add", "疏解整治", "--starts", "2015-11-06", "--ends", "2017-06-30"),
        *("--target-sites", 528, "--target-green-m2", 210_000),
    )
    assert added.stdout == "campaign 疏解整治: written\n"
    assert "written" in say("campaigns", "batch", "2016-1", "--campaign", "疏解整治", "--due", "2016-08-31").stdout
    assert "unchanged" in say("campaigns", "batch", "2016-1", "--campaign", "疏解整治", "--due", "2016-08-31").stdout
    told = plain(say("campaigns", "list", "--json"))
    assert told["campaigns"][0]["target_sites"] == 528
    assert told["batches"] == [{"name": "2016-1", "campaign": "疏解整治", "due_date": "2016-08-31"}]
    assert "2016-08-31" in say("campaigns", "list").stdout
    nobody = say("campaigns", "batch", "2016-2", "--campaign", "none")
    assert (nobody.code, "Name one of: 疏解整治" in nobody.stderr) == (2, True)
    assert "target 528 sites: 0 completed, 0.0%" in say("sites", "summary").stdout


def test_a_file_cannot_close_a_site_that_is_not_cleared(say: Command, tmp_path: Path) -> None:
    path = tmp_path / "status.csv"
    path.write_text("编号,状态,经度,纬度\nSJS-002,已销账,116.2,39.9\nSJS-001,已拆除,116.1,39.9\n", encoding="utf-8")
    refused = say("sites", "import", path)
    assert refused.code == 2
    assert "site SJS-002: from registered it cannot become closed. Legal from here: in_progress" in refused.stderr
    taken = say("sites", "import", path, "--skip-bad")
    assert (taken.code, "site SJS-002" in taken.stderr) == (0, True)
    happened = [row for row in plain(say("sites", "history", "SJS-001", "--json")) if row["kind"] == "move"]
    assert [(row["who"], row["sentence"]) for row in happened] == [
        ("import", "in_progress → demolished: status.csv"),
    ]


def test_what_people_enter_is_told_at_once(say: Command, workspace: Workspace) -> None:
    """Where a site stands is settled by the command itself: no run need come first."""
    for words in (("inspect", CODE, "clear", "--on", "2017-07-01"), ("decide", CODE, "clearance", "not_met")):
        say("sites", *words, "--by", "reviewer 1")
        with workspace.ledger() as ledger:
            version = read_rules(workspace.settings().rules, ledger.batches()).settling_version
            assert CODE not in ledger.unsettled(version, [CODE])
