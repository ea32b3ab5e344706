"""Lines of a table under a row of headings, as raw rows; CSV files and sheets share this."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cvpipe.errors import SitesError
from cvpipe.ledger.exchange.cells import is_blank
from cvpipe.ledger.exchange.headings import Headings
from cvpipe.ledger.exchange.raw import RawRow

#: How many rows down the headings are looked for, below titles and remarks.
LINES_WITH_HEADINGS = 20


@dataclass(frozen=True)
class Line:
    """One row of a table with its number as spreadsheets count, from 1 on, and what keeps it from being read."""

    number: int
    cells: Sequence[Any]
    fault: str = ""


@dataclass(frozen=True)
class Headed:
    """The headings, the number of their row, and the rows below them that are not blank."""

    headings: list[str]
    number: int
    rows: list[RawRow] = field(default_factory=list)


def headed(lines: Iterable[Line], words: Headings, path: Path) -> Headed:
    """Take a table apart. Raises SitesError for a table without headings or with one that stands twice."""
    filled = [line for line in lines if not all(map(is_blank, line.cells))]
    at = heading_line(filled, words)
    if at is None:
        raise SitesError("the file has no row of headings", where=path, remedy="Put the headings above the sites.")
    headings = [_heading(cell) for cell in filled[at].cells]
    twice = [heading for heading, count in Counter(headings).items() if heading and count > 1]
    if twice:
        raise SitesError(
            f"the heading {twice[0]!r} stands twice", where=path, remedy="Rename or remove one of the columns."
        )
    rows = [_row(headings, line) for line in filled[at + 1 :]]
    return Headed([heading for heading in headings if heading], filled[at].number, rows)


def heading_line(filled: Sequence[Line], words: Headings) -> int | None:
    """Index of the line that most looks like headings: the one with most known ones, else the first."""
    if not filled:
        return None
    known = [known_fields(line.cells, words) for line in filled[:LINES_WITH_HEADINGS]]
    return max(range(len(known)), key=lambda i: len(known[i]))


def known_fields(cells: Iterable[Any], words: Headings) -> set[str]:
    """The fields that a row's cells would mean if they were headings."""
    found = set()
    for cell in cells:
        if isinstance(cell, str) and cell.strip():
            try:
                meaning = words.meaning(cell)
            except ValueError:  # a known field in an unknown unit
                continue
            found |= {meaning.field} if meaning else set()
    return found


def _heading(cell: Any) -> str:
    return "" if is_blank(cell) else str(cell).strip()


def _row(headings: list[str], line: Line) -> RawRow:
    cells = dict(zip(headings, line.cells, strict=False))
    beyond = [*line.cells[len(headings) :], *(cell for h, cell in zip(headings, line.cells, strict=False) if not h)]
    cells.pop("", None)
    fault = line.fault or ("" if all(map(is_blank, beyond)) else "it has cells under no heading")
    return RawRow(f"row {line.number}", cells, fault=fault)
