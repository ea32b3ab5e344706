"""Claims, clocks, the watch and samples through the real command line."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import openpyxl

from cvpipe.ledger import Workspace
from tests.ledger import samples
from tests.ledger.commands import Command, plain
from tests.ledger.test_samples import fill_in

CODE = samples.FULL_SITE.code


def test_the_ledger_lags_behind_and_then_runs_ahead(say: Command) -> None:
    (behind,) = plain(say("claims", "--json"))
    assert (behind["site_code"], behind["kind"], behind["seen"]) == (CODE, "ledger_behind", "demolished")
    assert (behind["not_yet_on"], behind["since"], behind["rung"]) == ("2015-10-01", "2017-07-01", "provisional")
    say("sites", "move", CODE, "demolished", "--by", "inspector")
    assert plain(say("claims", "--json")) == []
    say("sites", "move", CODE, "cleared", "--by", "inspector")
    (ahead,) = plain(say("claims", "--json"))
    assert (ahead["kind"], ahead["claimed"]) == ("not_clear", "cleared")
    assert plain(say("claims", "--json", "--owner-system", "nobody's")) == []
    assert plain(say("claims", "--json", "--sub-district", "八角街道", "--sort", "since")) == [ahead]
    table = say("claims").stdout
    assert "1 sites whose row and pictures contradict each other" in table
    assert "集体经济" in table


def test_settling_by_a_command_is_told_in_the_history(say: Command) -> None:
    say("claims")
    brief = plain(say("sites", "history", CODE, "--brief", "--json"))
    assert brief == [
        {"by": "2017-07-01", "not yet on": "2015-10-01", "what": "demolished, 400 m²", "told by": "one scene"}
    ]
    assert "demolished, between 2015-10-01 and 2017-07-01" in say("sites", "history", CODE).stdout
    say("sites", "move", CODE, "demolished", "--by", "inspector", "--effective", "2017-07-05")
    moved = plain(say("sites", "history", CODE, "--brief", "--json"))[-1]
    assert (moved["by"], moved["what"]) == ("2017-07-05", "advance: in_progress → demolished")


def test_clocks(say: Command) -> None:
    due, rubble = plain(say("claims", "--list", "clocks", "--on", "2017-07-20", "--json"))
    assert (due["kind"], due["state"], due["least"]) == ("cleared_by_due_date", "exceeded", 1)
    assert (rubble["kind"], rubble["state"], rubble["limit"]) == ("rubble_gone", "running", 30)
    later = plain(say("claims", "--list", "clocks", "--on", "2017-09-20", "--json"))
    assert [clock["state"] for clock in later] == ["exceeded", "perhaps_exceeded"]
    assert plain(say("claims", "--list", "clocks", "--sort", "limit", "--json"))[0]["limit"] == 0


def test_a_closed_site_is_under_watch(say: Command) -> None:
    assert plain(say("claims", "--list", "watch", "--json")) == []
    say("sites", "move", CODE, "cleared", "--by", "inspector")
    say("sites", "move", CODE, "closed", "--by", "leader", "--effective", "2017-08-01")
    (watched,) = plain(say("claims", "--list", "watch", "--on", "2017-12-01", "--json"))
    assert (watched["recheck_due"], watched["recheck_overdue"]) == ("2017-10-30", True)
    assert "rebounds" in say("claims", "--list", "watch").stdout


def test_a_field_that_there_is_not(say: Command) -> None:
    told = say("claims", "--sort", "colour")
    assert (told.code, "Order by one of site_code, owner_system" in told.stderr) == (2, True)


def test_a_sample_from_the_draw_to_the_estimate(say: Command, workspace: Workspace) -> None:
    drawn = say("sample", "draw", "--seed", 7, "--per-stratum", 2, "--by", "leader")
    assert drawn.code == 0, drawn.stderr
    assert "2 sites to be checked" in drawn.stdout
    sheet = workspace.folder / "sample-1.xlsx"
    assert len(list(openpyxl.load_workbook(sheet).worksheets[0].iter_rows())) == 3
    again = say(
        "sample", "draw", "--seed", 7, "--per-stratum", 2, "--by", "leader", "--out", workspace.folder / "b.xlsx"
    )
    assert again.code == 0
    first, second = plain(say("sample", "list", "--json"))
    assert (first["units"], first["strata"]) == (second["units"], second["strata"])

    for row in (2, 3):
        fill_in(
            sheet,
            row=row,
            demolition="complete" if row == 2 else "none",
            structure_left=0 if row == 2 else 120.0,
            checked_on=date(2017, 8, 3),
            checked_by="inspector 2",
        )
    assert "2 sites entered, 0 known already, 0 rows refused" in say("sample", "record", sheet).stdout
    assert "0 sites entered, 2 known already, 0 rows refused" in say("sample", "record", sheet).stdout
    told = plain(say("sample", "estimate", "1", "--json"))
    assert (told["sites"], told["checked"]) == (2, 2)
    by_name = {one["name"]: one for one in told["estimates"]}
    assert (by_name["demolition complete: sites"]["mapped"], by_name["demolition complete: sites"]["value"]) == (1, 1)
    assert (by_name["structure_left_m2"]["mapped"], by_name["structure_left_m2"]["value"]) == (0, 120)
    assert by_name["structure_left_m2"]["standard_error"] == 0, "every site of both strata was checked"
    table = say("sample", "estimate", "1").stdout
    assert "structure left" in table
    assert "Sample 1: 2 of 2 sites checked" in table


def test_a_sample_whose_workbook_cannot_be_written_was_never_drawn(say: Command, workspace: Workspace) -> None:
    nowhere = workspace.folder / "no such folder" / "sample.xlsx"
    told = say("sample", "draw", "--seed", 7, "--per-stratum", 2, "--by", "leader", "--out", nowhere)
    assert (told.code, "no such folder" in told.stderr) == (2, True)
    assert plain(say("sample", "list", "--json")) == []
    with workspace.ledger() as ledger:
        assert not [row for row in ledger.audit() if row.kind == "sample"]
        assert ledger.verify().problems == ()
    say("sample", "draw", "--seed", 7, "--per-stratum", 2, "--by", "leader")
    assert (workspace.folder / "sample-1.xlsx").is_file()


def test_claims_as_of_a_day_count_what_was_known_by_then(say: Command) -> None:
    say("sites", "move", CODE, "demolished", "--by", "inspector", "--effective", "2017-07-20")
    (then,) = plain(say("claims", "--on", "2017-07-10", "--json"))
    assert (then["kind"], then["claimed"]) == ("ledger_behind", "in_progress")
    assert plain(say("claims", "--on", "2017-07-20", "--json")) == []
    assert plain(say("claims", "--on", "2017-06-30", "--json")) == [], "the epoch of July was not known yet"


def test_bad_rows_cost_those_rows_and_the_exit_code(say: Command, workspace: Workspace) -> None:
    say("sample", "draw", "--seed", 7, "--per-stratum", 2, "--by", "leader")
    sheet = workspace.folder / "sample-1.xlsx"
    fill_in(sheet, clearance="met", checked_on=date(2017, 8, 3), checked_by="i")
    fill_in(sheet, row=3, clearance="perhaps", checked_on=date(2017, 8, 3), checked_by="i")
    told = say("sample", "record", sheet)
    assert told.code == 1
    assert "1 sites entered, 0 known already, 1 rows refused" in told.stdout
    assert "row 3" in told.stderr


def test_no_sample_yet(say: Command, tmp_path: Path) -> None:
    told = say("sample", "estimate")
    assert (told.code, "Draw one with `cvpipe sample draw`" in told.stderr) == (2, True)
    missing = say("sample", "record", tmp_path / "none.xlsx")
    assert (missing.code, "none.xlsx" in missing.stderr) == (2, True)
