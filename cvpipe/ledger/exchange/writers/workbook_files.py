"""XLSX workbooks: real dates and numbers, a frozen head with a filter, and a second sheet that explains the columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from cvpipe.errors import SitesError
from cvpipe.ledger.exchange.cells import EARLIEST_DAY, is_blank
from cvpipe.ledger.exchange.tables import Column, Kind, Table, cell_text
from cvpipe.ledger.exchange.workbooks import CELL_CHARACTERS, escaped

MOST_ROWS, MOST_COLUMNS = 1_048_576, 16_384
#: Characters of a text in one cell: half of what a cell holds, for Excel counts signs beyond U+FFFF twice; the second
#: for texts with signs that are written by seven.
_PIECE, _ESCAPED_PIECE = CELL_CHARACTERS // 2, CELL_CHARACTERS // 7
_WIDTHS = {Kind.TEXT: 16, Kind.DAY: 12, Kind.REAL: 14, Kind.PLACE: 24, Kind.PLAIN: 24}
_LEGEND = {"heading": "legend", "列": "说明"}
#: A cell that begins so is marked as text, so that no spreadsheet makes a formula of it when somebody edits it.
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t")


def write_workbook(table: Table, path: Path, _: str) -> tuple[str, ...]:
    """Nothing is lost: texts that a cell cannot hold go on in `<heading>__2`, and numbers keep their last digit."""
    pieces = [_pieces_needed(table, index) for index in range(len(table.columns))]
    width, height = sum(pieces), len(table.values) + 1
    if height > MOST_ROWS or width > MOST_COLUMNS:
        raise SitesError(
            f"{height} rows and {width} columns are more than a sheet holds", where=path.name, remedy="Take .gpkg."
        )
    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet(table.name)
    _set_up(sheet, table.columns, pieces, height)
    sheet.append(list(_head(sheet, table.columns, pieces)))
    for row in table.values:
        cells = zip(table.columns, row, pieces, strict=True)
        sheet.append([cell for column, value, n in cells for cell in _cells(sheet, column, value, n)])
    _explain(workbook, table)
    workbook.save(path)
    return ()


def _set_up(sheet: Any, columns: Sequence[Column], pieces: Sequence[int], height: int) -> None:
    """Before the first row, for a sheet that is written row by row keeps its head first."""
    sheet.freeze_panes = "B2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(sum(pieces))}{height}"
    number = 0
    for column, count in zip(columns, pieces, strict=True):
        for _ in range(count):
            number += 1
            sheet.column_dimensions[get_column_letter(number)].width = _WIDTHS.get(column.kind, 12)


def _head(sheet: Any, columns: Sequence[Column], pieces: Sequence[int]) -> Iterator[Any]:
    for column, count in zip(columns, pieces, strict=True):
        for part in range(1, count + 1):
            cell = _text_cell(sheet, column.heading if part == 1 else f"{column.heading}__{part}")
            cell.font = Font(bold=True)
            yield cell


def _explain(workbook: Workbook, table: Table) -> None:
    sheet = workbook.create_sheet(_LEGEND[table.legend[0]])
    for letter, width in zip("ABC", (28, 10, 90), strict=True):
        sheet.column_dimensions[letter].width = width
    for row in (table.legend, *((c.heading, c.unit, c.explained) for c in table.columns)):
        sheet.append([_text_cell(sheet, text) for text in row])


def _pieces_needed(table: Table, index: int) -> int:
    column = table.columns[index]
    if column.kind not in (Kind.TEXT, Kind.PLACE, Kind.PLAIN):
        return 1
    return max(
        (len(_split(cell_text(column.kind, row[index]))) for row in table.values if not is_blank(row[index])), default=1
    )


def _cells(sheet: Any, column: Column, value: Any, pieces: int) -> list[Any]:
    if is_blank(value):
        return [None] * pieces
    if column.kind is Kind.REAL:
        return [_number_cell(sheet, float(value))]
    if column.kind is Kind.DAY:
        return [_day_cell(sheet, value)]
    if column.kind in (Kind.WHOLE, Kind.TRUTH):
        return [value]
    parts = [_text_cell(sheet, part) for part in _split(cell_text(column.kind, value))]
    return parts + [None] * (pieces - len(parts))


def _split(text: str) -> list[str]:
    size = _PIECE if len(text) <= _ESCAPED_PIECE or escaped(text) == text else _ESCAPED_PIECE
    return [text[start : start + size] for start in range(0, len(text), size)]


def _text_cell(sheet: Any, text: str) -> Any:
    cell = WriteOnlyCell(sheet)
    cell.value = escaped(text)
    cell.data_type = "s"  # openpyxl takes a text that begins with = for a formula, and #N/A for an error
    if text.startswith(_FORMULA_SIGNS):
        cell.quotePrefix = True
    return cell


def _number_cell(sheet: Any, number: float) -> Any:
    """openpyxl rounds numbers to 16 digits, and a double may need 17."""
    cell = WriteOnlyCell(sheet)
    cell.value = repr(number)
    cell.data_type = "n"
    return cell


def _day_cell(sheet: Any, day: Any) -> Any:
    if day < EARLIEST_DAY:  # what spreadsheets cannot count
        return _text_cell(sheet, day.isoformat())
    cell = WriteOnlyCell(sheet)
    cell.value = day
    cell.number_format = "yyyy-mm-dd"
    return cell
