"""`cvpipe report` as a user calls it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cvpipe import cli
from cvpipe.ledger import Ledger, Workspace
from tests.report.neighbourhood import Neighbourhood

Call = Callable[..., int]


@pytest.fixture
def call(drawn: Neighbourhood, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Runs `cvpipe report …` in the drawn workspace and gives its exit code."""

    def run(*words: object) -> int:
        line = ["cvpipe", "report", "--workspace", str(drawn.workspace), *map(str, words)]
        monkeypatch.setattr(sys, "argv", line)
        try:
            cli.main()
        except SystemExit as stop:
            return int(stop.code or 0)
        return 0

    return run


def test_it_tells_where_the_report_is(call: Call, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--out", out) == 0
    said = capsys.readouterr().out
    assert "7 sites, 5 assessed" in said
    assert str(out / "index.html") in said
    assert "Hills district remediation" in (out / "index.html").read_text(encoding="utf-8")


def test_summary_tells_what_holds(call: Call, out: Path) -> None:
    assert call("--out", out, "--format", "json") == 0
    assert [path.name for path in out.iterdir()] == ["summary.json"]
    sites = {site["code"]: site for site in json.loads((out / "summary.json").read_text())["sites"]}
    assert sites["L-001"]["verdicts"]["greening"]["outcome"] == "met"
    assert sites["L-001"]["observed_status"] == "cleared"
    assert sites["L-001"]["change_m2"]["structure_removed"] == 660
    assert sites["L-005"]["verdicts"]["demolition"]["reason"] == "cloud"
    assert sites["L-007"]["verdicts"] == {}


def test_a_second_report_takes_the_first_ones_place(call: Call, out: Path) -> None:
    assert call("--out", out) == 0
    assert call("--out", out, "--lang", "zh") == 0
    assert "整治成效报告" in (out / "index.html").read_text(encoding="utf-8")
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_a_folder_with_other_things_is_left_alone(call: Call, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out.mkdir()
    (out / "thesis.docx").write_text("years of work")
    assert call("--out", out) == 2
    assert "thesis.docx" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["thesis.docx"]


def test_the_current_folder_is_left_alone(call: Call, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out.mkdir()
    monkeypatch.chdir(out)
    assert call("--out", ".") == 2
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ("--format", "docx"),
        ("--format", ""),
        ("--lang", "fr"),
        ("--batch", "Second batch"),
        ("--since", "2017-06-01", "--until", "2017-05-01"),
        ("--dossier", "L-001", "--format", "xlsx"),
        ("--dossier", "L-999"),
    ],
)
def test_a_wrong_call_writes_nothing(call: Call, out: Path, words: tuple[str, ...]) -> None:
    assert call("--out", out, *words) == 2
    assert not out.exists()


def test_a_folder_that_is_no_workspace(call: Call, tmp_path: Path, out: Path) -> None:
    assert call("--workspace", tmp_path, "--out", out) == 2
    assert not out.exists()


def test_a_missing_scene_costs_its_picture_only(
    drawn: Neighbourhood, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hidden = drawn.scenes[1].with_suffix(".elsewhere")
    drawn.scenes[1].rename(hidden)
    monkeypatch.setattr(sys, "argv", ["cvpipe", "report", "--workspace", str(drawn.workspace), "--out", str(tmp_path)])
    try:
        with pytest.raises(SystemExit) as stopped:
            cli.main()
    finally:
        hidden.rename(drawn.scenes[1])
    assert not stopped.value.code
    assert "scene-2016-09-12.tif: no such file" in capsys.readouterr().err
    assert "scene-2016-09-12.tif: no such file" in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert len(list((tmp_path / "assets").iterdir())) == 12


def test_nothing_is_left_of_a_report_that_fails(tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> str:
        raise RuntimeError("out of paper")

    monkeypatch.setattr("cvpipe.report.html.Pages.whole", broken)
    with pytest.raises(RuntimeError, match="out of paper"):
        call("--out", tmp_path / "report")
    assert list(tmp_path.iterdir()) == []


def test_the_ledger_is_only_read(drawn: Neighbourhood, call: Call, out: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(drawn.workspace, copy)
    with Workspace.open(copy).ledger() as ledger:
        before = _content(ledger)
    assert call("--workspace", copy, "--out", out, "--format", "json") == 0
    with Workspace.open(copy).ledger() as ledger:
        assert _content(ledger) == before
        assert ledger.verify().problems == ()


def _content(ledger: Ledger) -> tuple[object, ...]:
    return ledger.sites(), ledger.assessments(), ledger.scenes(), ledger.runs(), ledger.audit()


def test_dossiers_are_bound(call: Call, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--out", out, "--bound") == 2
    assert "Add --dossier all." in capsys.readouterr().err
    assert call("--out", out, "--bound", "--dossier", "L-007", "--no-pictures") == 0
    assert str(out / "bound" / "dossiers-001.pdf") in capsys.readouterr().out
    assert (out / "bound" / "dossiers-001.pdf").is_file()


def test_a_stac_catalogue_is_written(call: Call, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--stac", out, "--dossier", "all") == 2
    assert call("--stac", out, "--format", "json") == 2
    capsys.readouterr()
    assert call("--stac", out) == 0
    told = capsys.readouterr()
    assert "12 label items, 3 scenes, 0 networks" in told.out
    assert "2 assessments have no two epochs" in told.err
