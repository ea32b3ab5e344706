"""XLSX workbooks of sites: one sheet as raw rows, read without holding the whole workbook in memory."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.utils.cell import column_index_from_string, range_boundaries
from openpyxl.workbook.workbook import Workbook

from cvpipe.errors import SitesError
from cvpipe.geo import WGS84
from cvpipe.ledger.exchange.archives import opened_archive
from cvpipe.ledger.exchange.cells import Share, is_blank
from cvpipe.ledger.exchange.headed import LINES_WITH_HEADINGS, Line, headed, heading_line, known_fields
from cvpipe.ledger.exchange.headings import Headings
from cvpipe.ledger.exchange.raw import LONGEST_CELL, Question, RawFile, RawRow

#: A cell of a spreadsheet holds this many characters; cvpipe goes on in columns `<heading>__2`, `<heading>__3` …
CELL_CHARACTERS = 32_767
_CONTINUED = re.compile(r"(?P<heading>.+)__(?P<part>[2-9]|[1-9]\d+)")

#: An OLE compound file: Excel before 2007, or the wrapping of an encrypted workbook.
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
#: How SpreadsheetML writes characters that XML has not (ECMA-376 part 1, 22.9.2.19 ST_Xstring).
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")

_MERGE = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?\bref="([A-Z]+\d+:[A-Z]+\d+)"')
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")
_PIECE = 1 << 20


def read_workbook(path: Path, question: Question) -> RawFile:
    """The only sheet with sites, or the one asked for. Formulas count with the values last calculated."""
    _refuse_ole(path)
    with opened_archive(path) as archive, _opened(path, values=True) as workbook:
        title = _sheet(workbook, question, path)
        part: str = workbook[title]._worksheet_path  # type: ignore[attr-defined]  # openpyxl tells it nowhere else
        merged, formulas = _marks(archive, part)
        lines = _lines(workbook, title)
        notices: list[str] = []
        if formulas:
            lines, notices = _with_formulas(lines, path, title)
    table = headed(_with_merges(lines, merged), question.headings, path)
    above = [line for line in lines if line.number < table.number and not all(map(is_blank, line.cells))]
    if above:
        notices.append(f"the headings are in row {table.number}; what stands above them was not read")
    return _joined(RawFile(path, tuple(table.headings), table.rows, crs=question.crs or WGS84, notices=tuple(notices)))


def escaped(text: str) -> str:
    """A text as SpreadsheetML can carry it."""
    return _UNWRITABLE.sub(lambda found: f"_x{ord(found[0]):04X}_", text)


def unescaped(text: str) -> str:
    """The text that `escaped` was given."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def _refuse_ole(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(8) != _OLE:
            return
        locked = "EncryptedPackage".encode("utf-16-le") in file.read()
    if locked:
        raise SitesError("the workbook is locked by a password", where=path, remedy="Save it without the password.")
    raise SitesError("an Excel file of before 2007 (.xls)", where=path, remedy="Save it as .xlsx.")


@contextmanager
def _opened(path: Path, *, values: bool) -> Iterator[Workbook]:
    """The workbook, read piece by piece; `values` for what formulas came to, else the formulas themselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of styles and extensions that it leaves aside
        try:
            workbook = openpyxl.load_workbook(path, read_only=True, data_only=values)
        except zipfile.BadZipFile:
            raise
        except Exception as error:  # a broken workbook makes openpyxl raise whatever it stumbled over
            raise _broken(path, error) from error
        try:
            yield workbook
        except (SitesError, zipfile.BadZipFile):
            raise
        except Exception as error:
            raise _broken(path, error) from error
        finally:
            workbook.close()


def _broken(path: Path, error: Exception) -> SitesError:
    first: BaseException = error
    while first.__context__ is not None:  # what openpyxl says of it is long, and general
        first = first.__context__
    what = f"{type(first).__name__}: {' '.join(str(first).split())}"[:200]
    return SitesError(f"no workbook that can be read ({what})", where=path, remedy="Save it as .xlsx again.")


def _sheet(workbook: Workbook, question: Question, path: Path) -> str:
    titles = [sheet.title for sheet in workbook.worksheets]
    listed = ", ".join(titles)
    if question.layer is not None:
        if question.layer not in titles:
            raise SitesError(f"no sheet {question.layer!r}", where=path, remedy=f"The sheets are: {listed}.")
        return question.layer
    if len(titles) == 1:
        return titles[0]
    found = [title for title in titles if _has_sites(workbook, title, question.headings)]
    if len(found) != 1:
        raise SitesError(
            f"{len(found) or 'none'} of the sheets {listed} hold sites", where=path, remedy="Name one with --sheet."
        )
    return found[0]


def _has_sites(workbook: Workbook, title: str, words: Headings) -> bool:
    rows = islice(workbook[title].iter_rows(values_only=True), 10 * LINES_WITH_HEADINGS)
    first = [Line(0, row) for row in rows if not all(map(is_blank, row))]
    at = heading_line(first, words)
    fields = set() if at is None else known_fields(first[at].cells, words)
    return "code" in fields and len(fields) > 1


def _marks(archive: zipfile.ZipFile, part: str) -> tuple[list[str], bool]:
    """The merged ranges of a sheet, which a reader in pieces does not tell, and whether it holds formulas."""
    merged: list[str] = []
    formulas, rest = False, b""
    with archive.open(part) as file:
        while piece := file.read(_PIECE):
            window = rest + piece
            formulas = formulas or _FORMULA.search(window) is not None
            whole = window.rfind(b">") + 1
            merged += [found.decode() for found in _MERGE.findall(window[:whole])]
            rest = window[whole:][-LONGEST_CELL:]
    return merged, formulas


def _lines(workbook: Workbook, title: str) -> list[Line]:
    lines = []
    for number, row in enumerate(workbook[title].iter_rows(), start=1):
        cells = [_value(cell) for cell in row]
        while cells and is_blank(cells[-1]):
            cells.pop()
        if cells:
            broken = next((f"{cell.coordinate}: {cell.value}" for cell in row if cell.data_type == "e"), "")
            lines.append(Line(number, cells, broken and f"a cell holds an error of the spreadsheet ({broken})"))
    return lines


def _value(cell: Any) -> Any:
    value = cell.value
    if isinstance(value, str):
        return unescaped(value)
    # The format is looked up for numbers that can be shares only: it takes longer than the value.
    is_share = value.__class__ in (float, int) and 0 < value <= 1 and cell.number_format.endswith("%")
    return Share(value) if is_share else value


def _with_formulas(lines: list[Line], path: Path, title: str) -> tuple[list[Line], list[str]]:
    """Refuse rows with formulas that were never calculated; tell of the others, by column."""
    by_number = {line.number: line for line in lines}
    counts = Counter[str]()
    with _opened(path, values=False) as workbook:
        for number, row in enumerate(workbook[title].iter_rows(), start=1):
            for cell in row:
                if cell.data_type != "f":
                    continue
                column = re.sub(r"\d", "", cell.coordinate)
                line = by_number.get(number, Line(number, []))
                at = column_index_from_string(column) - 1
                if at >= len(line.cells) or is_blank(line.cells[at]):
                    fault = f"{cell.coordinate} holds a formula that was never calculated: save it in a spreadsheet"
                    # The mark keeps a row that holds nothing else from passing for a blank one.
                    by_number[number] = replace(line, fault=fault, cells=line.cells or ["="])
                counts[column] += 1
    told = [f"column {column} holds {n} formulas; their last values count" for column, n in sorted(counts.items())]
    return sorted(by_number.values(), key=lambda line: line.number), told


@dataclass(frozen=True)
class _Merge:
    """A merged range and the rows that it covers."""

    ref: str
    first: int
    last: int


def _with_merges(lines: list[Line], merged: list[str]) -> Iterator[Line]:
    """Lines below the headings that a merged range touches are refused when the table is taken apart.

    Only the upper left cell of a range has a value. Titles above the headings may be merged as they like.
    """
    ranges = []
    for ref in merged:
        _, first, _, last = range_boundaries(ref)
        ranges.append(_Merge(ref, int(first or 1), int(last or 1)))
    ranges.sort(key=lambda merge: merge.first)
    reached: _Merge | None = None  # of those that began so far, the one that ends last
    at = 0
    for line in lines:
        while at < len(ranges) and ranges[at].first <= line.number:
            reached = max((m for m in (reached, ranges[at]) if m), key=lambda merge: merge.last)
            at += 1
        touched = reached is not None and reached.last >= line.number
        fault = f"the cells {reached.ref} are merged: undo that, and fill in each row" if touched and reached else ""
        yield replace(line, fault=line.fault or fault)


def _joined(raw: RawFile) -> RawFile:
    """Put texts together again that went on in further columns."""
    continued = [
        (heading, found["heading"], int(found["part"]))
        for heading in raw.headings
        if (found := _CONTINUED.fullmatch(heading)) and found["heading"] in raw.headings
    ]
    if not continued:
        return raw
    continued.sort(key=lambda entry: entry[2])
    rows = [replace(row, cells=_joined_cells(row, continued)) for row in raw.rows]
    further = {heading for heading, _, _ in continued}
    return replace(raw, headings=tuple(h for h in raw.headings if h not in further), rows=rows)


def _joined_cells(row: RawRow, continued: list[tuple[str, str, int]]) -> dict[str, Any]:
    cells = dict(row.cells)
    for heading, whole, _ in continued:
        part = cells.pop(heading, None)
        if not is_blank(part):
            cells[whole] = f"{cells.get(whole) or ''}{part}"
    return cells


__all__ = ["CELL_CHARACTERS", "escaped", "read_workbook", "unescaped"]
