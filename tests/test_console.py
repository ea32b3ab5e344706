"""Tables of many rows, and bars over many units, cost little and tell the same."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from cvpipe.cli import console

ROWS = [("点位1", 12.5, "earliest scene"), ("S22", 3.0, None)]


def told(lines: str) -> list[list[str]]:
    """The cells of lines that hold any."""
    cells = [[word.strip() for word in line.replace("┃", "│").strip("│ ").split("│")] for line in lines.splitlines()]
    return [row for row in cells if len(row) > 1]


def test_a_long_table_tells_what_a_short_one_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    console.print_table("Sites", ("site", "m²", "because"), ROWS)
    short = told(capsys.readouterr().out)
    monkeypatch.setattr(console, "MANY_ROWS", 2)
    console.print_table("Sites", ("site", "m²", "because"), ROWS)
    title, *lines = capsys.readouterr().out.splitlines()
    assert title == "Sites"
    assert lines == ["site     m²  because", "点位1  12.5  earliest scene", "S22     3.0  –"]
    assert [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines] == short


def test_a_bar_ends_full_however_short_its_units(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = list[float]()
    monkeypatch.setattr(console, "err", Console(file=io.StringIO(), force_terminal=True))
    monkeypatch.setattr("rich.progress.Progress.update", lambda _bar, _task, *, completed, **_: drawn.append(completed))
    with console.progress("at work", 10_000) as step:
        for number in range(10_000):
            step(str(number))
    assert drawn[0] == 1
    assert drawn[-1] == 10_000
    assert len(drawn) < 500
