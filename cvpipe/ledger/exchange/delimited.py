"""CSV files of sites: read as raw rows."""

from __future__ import annotations

import csv
import io
import re
from itertools import islice
from pathlib import Path

from cvpipe.errors import SitesError
from cvpipe.geo import WGS84
from cvpipe.ledger.exchange.documents import read_text
from cvpipe.ledger.exchange.headed import LINES_WITH_HEADINGS, Line, headed, known_fields
from cvpipe.ledger.exchange.headings import Headings
from cvpipe.ledger.exchange.raw import LONGEST_CELL, Question, RawFile

_DELIMITERS = ",;\t"
#: A text that a spreadsheet would take for a formula, behind the apostrophes that keep it from that.
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


def read_csv(path: Path, question: Question) -> RawFile:
    """Comma, semicolon or tab between the cells; a leading apostrophe before = + - @ is a guard, and is taken off."""
    written = read_text(path)
    csv.field_size_limit(LONGEST_CELL)
    try:
        delimiter = _delimiter(written, question.headings)
        lines = list(csv.reader(io.StringIO(written, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise SitesError(f"broken CSV ({error})", where=path, remedy="Save the table as CSV again.") from error
    unguarded = (Line(number, [_unguarded(cell) for cell in line]) for number, line in enumerate(lines, start=1))
    table = headed(unguarded, question.headings, path)
    return RawFile(path, tuple(table.headings), table.rows, crs=question.crs or WGS84)


def _delimiter(written: str, words: Headings) -> str:
    """The one that splits some line into most known headings, and the first line into most cells among equals."""

    def headings_found(delimiter: str) -> tuple[int, int]:
        lines = list(islice(csv.reader(io.StringIO(written, newline=""), delimiter=delimiter), LINES_WITH_HEADINGS))
        known = max((len(known_fields(line, words)) for line in lines), default=0)
        return known, len(lines[0]) if lines else 0

    return max(_DELIMITERS, key=headings_found)


def guarded(text: str) -> str:
    """A text that no spreadsheet takes for a formula, and that `read_csv` gives back as it was."""
    return f"'{text}" if _GUARDED.match(f"'{text}") else text


def _unguarded(cell: str) -> str:
    return cell[1:] if _GUARDED.match(cell) else cell
