"""Content → one workbook: real numbers, dates and shares; frozen, filtered heads; a sheet for each list.

Written row by row, so that ten thousand sites take no more memory than one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

from cvpipe.assess.claims import Claim
from cvpipe.assess.explaining import REASONS, explain
from cvpipe.assess.sampling import Estimate
from cvpipe.domain import ChangeKind, Outcome, Question
from cvpipe.ledger.exchange.workbooks import CELL_CHARACTERS, escaped
from cvpipe.report.content import Content, SiteContent, Totals, reasons_of
from cvpipe.report.figures import Areas, AreaUnit, ledger_areas, measured_areas
from cvpipe.report.words import Words


class Kind(StrEnum):
    """What a column holds; the value is its number format."""

    TEXT = "General"
    COUNT = "#,##0"
    AREA = "#,##0.##"
    SHARE = "0.0%"
    DAY = "yyyy-mm-dd"
    NUMBER = "#,##0.0"


@dataclass(frozen=True)
class Column:
    """One column of a sheet; `width` in characters. Long texts at the end are for the screen, not `printed`."""

    heading: str
    kind: Kind = Kind.TEXT
    width: float = 14
    printed: bool = True


@dataclass(frozen=True)
class Sheet:
    """One sheet: its columns and its rows, each as long as the columns."""

    title: str
    columns: tuple[Column, ...]
    rows: Iterable[Sequence[Any]]
    count: int


class _Share(float):
    """A number that is shown as per cent."""

    @classmethod
    def of(cls, value: float | None) -> _Share | None:
        return None if value is None else cls(value)


#: A text that begins so is marked as text: openpyxl would make a formula or an error of it, a spreadsheet when edited.
_GUARDED_SIGNS = ("=", "+", "-", "@", "#", "\t")

_HEAD_FONT, _HEAD_FILL = Font(bold=True), PatternFill("solid", fgColor="E8ECEA")
_HEAD_PLACE = Alignment(wrap_text=True, vertical="center")
_FIGURE_HEAD_PLACE = Alignment(wrap_text=True, vertical="center", horizontal="right")

#: Characters across A4 laid crosswise: about 6 points high, which is the least that people read.
_PAPER_CHARACTERS = 220


def write_workbook(content: Content, path: Path, words: Words, unit: AreaUnit) -> None:
    """Write the report as a workbook."""
    workbook = Workbook(write_only=True)
    for sheet in sheets(content, words, unit):
        _write(workbook, sheet)
    workbook.save(path)


def sheets(content: Content, words: Words, unit: AreaUnit) -> Iterator[Sheet]:
    """Every sheet in order; lists that are empty keep their head."""
    land, measured = ledger_areas(unit, words.lang), measured_areas(unit, words.lang)
    yield _summary(content, words, land, measured)
    for title, label, groups in (
        (words.sheet_owners, words.owner_system, content.by_owner_system),
        (words.sheet_districts, words.sub_district, content.by_sub_district),
    ):
        yield _totals(title, label, (*groups, content.totals), words, land, measured)
    yield _sites(content, words, measured)
    yield _listed(
        words.sheet_overdue,
        content.overdue,
        words,
        (Column(words.due, Kind.DAY), Column(words.days_late, Kind.COUNT)),
        lambda page: (page.due, page.overdue_by(content.as_of)),
    )
    yield _listed(
        words.sheet_not_assessable,
        content.not_assessable,
        words,
        (Column(words.why, width=30), Column(words.asked, width=30), Column(words.last_seen, Kind.DAY)),
        lambda page: (
            _joined((REASONS[reason][words.lang] for reason in reasons_of(page)), words),
            _joined((words.question(verdict.question) for verdict in page.unanswered), words),
            page.unseen_since,
        ),
    )
    yield _listed(
        words.sheet_rebound,
        content.rebounds,
        words,
        (Column(words.since, Kind.DAY), Column(words.area_m2, Kind.COUNT), Column(words.last_seen, Kind.DAY)),
        lambda page: (
            page.state.rebound_since,
            page.state.rebound_m2,
            page.state.last_seen,
        ),
    )
    yield _claims(content.claims, words)
    yield _pace(content, words)
    if content.checked is not None:
        yield _sample(content.checked.estimates, words)


def _write(workbook: Any, sheet: Sheet) -> None:
    page = workbook.create_sheet(sheet.title)
    page.freeze_panes = "B2"
    page.auto_filter.ref = f"A1:{get_column_letter(len(sheet.columns))}{sheet.count + 1}"
    page.print_title_rows, page.page_setup.orientation = "1:1", "landscape"
    page.page_setup.paperSize, page.page_setup.fitToHeight = 9, 0
    printed = [column for column in sheet.columns if column.printed]
    page.print_area = f"A1:{get_column_letter(len(printed))}{sheet.count + 1}"
    page.page_setup.fitToWidth, page.print_title_cols = _pages_wide(printed), "A:A"
    page.sheet_properties.pageSetUpPr.fitToPage = True
    for number, column in enumerate(sheet.columns, start=1):
        page.column_dimensions[get_column_letter(number)].width = column.width
    page.append([_head(page, column) for column in sheet.columns])
    for row in sheet.rows:
        page.append([_cell(page, column.kind, value) for column, value in zip(sheet.columns, row, strict=True)])


def _pages_wide(columns: Sequence[Column]) -> int:
    """Sheets of paper side by side on which a table can still be read; its first column is repeated on each."""
    return max(1, math.ceil(sum(column.width for column in columns) / _PAPER_CHARACTERS))


def _head(page: Any, column: Column) -> Any:
    """A heading; over figures it stands right, as they do."""
    cell = WriteOnlyCell(page, column.heading)
    cell.font, cell.fill = _HEAD_FONT, _HEAD_FILL
    cell.alignment = _HEAD_PLACE if column.kind is Kind.TEXT else _FIGURE_HEAD_PLACE
    return cell


def _cell(page: Any, kind: Kind, value: Any) -> Any:
    """A value with its number format. No text becomes a formula, whatever the ledger holds."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        text = escaped(value)[:CELL_CHARACTERS]
        if not text.startswith(_GUARDED_SIGNS):
            return text
        cell = WriteOnlyCell(page, text)
        cell.data_type, cell.quotePrefix = "s", True
        return cell
    cell = WriteOnlyCell(page, float(value) if isinstance(value, _Share) else value)
    cell.number_format = _format_of(kind, value)
    return cell


def _format_of(kind: Kind, value: Any) -> str:
    """A sheet of figures has values of several kinds in one column; theirs goes first."""
    if isinstance(value, _Share):
        return Kind.SHARE.value
    if isinstance(value, date):
        return Kind.DAY.value
    if isinstance(value, int) and kind in (Kind.AREA, Kind.NUMBER):
        return Kind.COUNT.value
    return _area_format(value) if kind is Kind.AREA else kind.value


def _area_format(value: float) -> str:
    """Whole from 100 on, as printed tables have it; the cell itself keeps all decimals."""
    return Kind.COUNT.value if abs(value) >= 100 or value == round(value) else "#,##0.00"


def _summary(content: Content, words: Words, land: Areas, measured: Areas) -> Sheet:
    """A line for each figure: what, value, interval, unit, remark."""
    t, symbol, note = content.totals, measured.symbol, words.interval_note
    removed, green = t.removed_between, t.green_between
    lines: list[tuple[str, Any, Any, Any, str, str]] = [
        (words.report, content.campaign.title, None, None, "", ""),
        (words.as_of, content.as_of, None, None, "", _told(content, words)),
        (words.sites, t.sites, None, None, "", ""),
        (words.target, content.campaign.target, None, None, "", ""),
        (words.completed, t.completed, None, None, "", words.completed_note),
        (words.completion, _Share.of(content.completion), None, None, "", ""),
        (words.land, land.of(t.land_m2), None, None, land.symbol, ""),
        (words.building, land.of(t.building_m2), None, None, land.symbol, ""),
        (words.assessed_sites, t.assessed, None, None, "", ""),
        (words.demolition_complete, t.demolition[Outcome.COMPLETE], None, None, "", words.from_above_short),
        (words.partial, t.demolition[Outcome.PARTIAL], None, None, "", ""),
        (words.untouched, t.demolition[Outcome.NONE], None, None, "", ""),
        (words.clear_sites, t.clear, None, None, "", ""),
        (words.removed, measured.of(t.removed_m2), *_ends(removed, measured), symbol, note if removed else ""),
        (words.cleared_area, measured.of(t.cleared_m2), None, None, symbol, words.cleared_note),
        (words.green_added, measured.of(t.green_added_m2), *_ends(green, measured), symbol, note if green else ""),
        (words.overdue, t.overdue, None, None, "", ""),
        (words.not_assessable, t.not_assessable, None, None, "", ""),
        (words.rebound, t.rebounds, None, None, "", ""),
        (words.provisional, t.provisional, None, None, "", words.provisional_note),
        (words.decided, t.decided, None, None, "", ""),
    ]  # fmt: skip
    columns = (
        Column(words.quantity, width=34),
        Column(words.value, Kind.AREA, 18),
        Column(words.low, Kind.AREA),
        Column(words.high, Kind.AREA),
        Column(words.unit, width=12),
        Column(words.remark, width=90),
    )
    return Sheet(words.sheet_summary, columns, lines, len(lines))


def _ends(between: tuple[float, float] | None, areas: Areas) -> tuple[float | None, float | None]:
    return (None, None) if between is None else (areas.of(between[0]), areas.of(between[1]))


def _told(content: Content, words: Words) -> str:
    """What the report leaves out, in words."""
    return " · ".join(f"{label} {value}" for label, value in words.scoped(content.scope))


def _totals(title: str, label: str, groups: Sequence[Totals], words: Words, land: Areas, measured: Areas) -> Sheet:
    """The groups of a kind, and all of them in the last row."""
    columns = (
        Column(label, width=26),
        Column(words.sites, Kind.COUNT, 10),
        Column(words.completed, Kind.COUNT, 11),
        Column(f"{words.land} {land.symbol}", Kind.AREA),
        Column(f"{words.building} {land.symbol}", Kind.AREA),
        Column(words.assessed, Kind.COUNT, 11),
        Column(words.demolition_complete, Kind.COUNT, 12),
        Column(words.partial, Kind.COUNT, 10),
        Column(words.untouched, Kind.COUNT, 11),
        Column(words.clear, Kind.COUNT, 10),
        Column(f"{words.removed} {measured.symbol}", Kind.AREA),
        Column(f"{words.cleared_area} {measured.symbol}", Kind.AREA),
        Column(f"{words.green_added} {measured.symbol}", Kind.AREA),
        Column(words.overdue, Kind.COUNT, 10),
        Column(words.not_assessable, Kind.COUNT, 12),
        Column(words.rebound, Kind.COUNT, 12),
    )
    rows = [
        (
            words.all if t.label is None else t.label or words.not_stated,
            t.sites,
            t.completed,
            _tidy(land.of(t.land_m2)),
            _tidy(land.of(t.building_m2)),
            t.assessed,
            t.demolition[Outcome.COMPLETE],
            t.demolition[Outcome.PARTIAL],
            t.demolition[Outcome.NONE],
            t.clear,
            _tidy(measured.of(t.removed_m2)),
            _tidy(measured.of(t.cleared_m2)),
            _tidy(measured.of(t.green_added_m2)),
            t.overdue,
            t.not_assessable,
            t.rebounds,
        )
        for t in groups
    ]
    return Sheet(title, columns, rows, len(rows))


def _tidy(value: float) -> float:
    """Without the last digits of a sum of binary fractions: 144, not 143.99999999999997."""
    return round(value, 6)


def _sites(content: Content, words: Words, measured: Areas) -> Sheet:
    symbol, metres = measured.symbol, ledger_areas(AreaUnit.M2, words.lang).symbol
    columns = (
        *_site_columns(words),
        Column(words.community, width=16),
        Column(words.batch, width=14),
        Column(words.due, Kind.DAY, 12),
        Column(f"{words.land} {metres}", Kind.COUNT),
        Column(f"{words.building} {metres}", Kind.COUNT),
        Column(words.observed, width=13),
        Column(words.how_sure, width=28),
        *(Column(words.question(question), width=14) for question in Question),
        Column(f"{words.removed} {symbol}", Kind.AREA),
        Column(f"{words.low} {symbol}", Kind.AREA),
        Column(f"{words.high} {symbol}", Kind.AREA),
        Column(f"{words.green_added} {symbol}", Kind.AREA),
        Column(f"{words.low} {symbol}", Kind.AREA),
        Column(f"{words.high} {symbol}", Kind.AREA),
        Column(words.last_seen, Kind.DAY, 12),
        Column(words.people_say, width=26),
        Column(words.why, width=34),
        Column(words.verdicts, width=80, printed=False),
    )
    return Sheet(
        words.sheet_sites, columns, (_site_row(page, words, measured) for page in content.sites), len(content.sites)
    )


def _site_columns(words: Words) -> tuple[Column, ...]:
    return (
        Column(words.code, width=16),
        Column(words.name, width=24),
        Column(words.owner_system, width=22),
        Column(words.sub_district, width=16),
        Column(words.status, width=13),
    )


def _site_cells(page: SiteContent, words: Words) -> tuple[Any, ...]:
    site = page.site
    return site.code, site.name, site.owner_system, site.sub_district, words.site_status(site.status)


def _site_row(page: SiteContent, words: Words, measured: Areas) -> tuple[Any, ...]:
    site, outcomes = page.site, [page.outcome(question) for question in Question]
    return (
        *_site_cells(page, words),
        site.community,
        site.batch,
        page.due,
        site.land_area_m2,
        site.building_area_m2,
        words.site_status(page.observed),
        words.rung(page.state.rung),
        *(words.outcome(outcome) if outcome else None for outcome in outcomes),
        *_area_cells(page, Question.DEMOLITION, "removed_structure", ChangeKind.STRUCTURE_REMOVED, measured),
        *_area_cells(page, Question.GREENING, "green_gained", ChangeKind.GREEN_ADDED, measured),
        page.state.last_seen,
        _joined((words.decided_in_words(entry) for entry in page.decisions), words),
        _joined((words.concern(concern) for concern in page.concerns), words),
        words.sentences(explain(standing.verdict, words.lang) for standing in page.standings.values()),
    )


def _area_cells(
    page: SiteContent, question: Question, name: str, kind: ChangeKind, areas: Areas
) -> tuple[float | None, float | None, float | None]:
    """An area with the ends of its interval; nothing where nothing was measured."""
    if page.measured_by(question) is None:
        return None, None, None
    criterion = page.criterion(question, name)
    low, high = criterion.interval if criterion and criterion.interval else (None, None)
    return (
        _tidy(areas.of(page.change_m2(kind))),
        None if low is None else _tidy(areas.of(low)),
        None if high is None else _tidy(areas.of(high)),
    )


def _listed(
    title: str,
    pages: Sequence[SiteContent],
    words: Words,
    columns: tuple[Column, ...],
    cells: Callable[[SiteContent], Sequence[Any]],
) -> Sheet:
    """A list of sites with a few columns of its own."""
    rows = ((*_site_cells(page, words), *cells(page)) for page in pages)
    return Sheet(title, (*_site_columns(words), *columns), rows, len(pages))


def _claims(found: Sequence[Claim], words: Words) -> Sheet:
    columns = (
        Column(words.code, width=16),
        Column(words.owner_system, width=22),
        Column(words.sub_district, width=16),
        Column(words.status, width=13),
        Column(words.how, width=40),
        Column(words.since, Kind.DAY),
        Column(words.last_seen, Kind.DAY),
    )
    rows = [
        (c.site_code, c.owner_system, c.sub_district, words.site_status(c.claimed), words[c.kind], c.since, c.last_seen)
        for c in found
    ]
    return Sheet(words.sheet_claims, columns, rows, len(rows))


def _pace(content: Content, words: Words) -> Sheet:
    columns = (Column(words.quantity, width=34), Column(words.value, Kind.NUMBER, 16))
    pace = content.pace
    rows: list[tuple[Any, Any]] = [] if pace is None else [
        (words.pace_decided, pace.decided),
        (words.pace_people, pace.people),
        (words.pace_waiting, pace.waiting),
        (words.pace_week, pace.per_week),
        (words.pace_weeks, pace.weeks_left),
        (words.pace_median_s, pace.median_s),
        (words.pace_agreement, _Share.of(pace.agreement)),
        *((f"{words.month} {month:%Y-%m}", number) for month, number in pace.per_month),
    ]  # fmt: skip
    return Sheet(words.sheet_pace, columns, rows, len(rows))


def _sample(estimates: Sequence[Estimate], words: Words) -> Sheet:
    columns = (
        Column(words.quantity, width=44),
        Column(words.unit, width=10),
        Column(words.as_mapped, Kind.AREA),
        Column(words.corrected, Kind.AREA),
        Column(words.standard_error, Kind.AREA),
        Column(words.low, Kind.AREA),
        Column(words.high, Kind.AREA),
        Column(words.sites, Kind.COUNT, 10),
        Column(words.remark, width=44),
    )
    rows = [(words.estimate(one), *_estimate_cells(one), one.checked, words.estimate_remark(one)) for one in estimates]
    return Sheet(words.sheet_sample, columns, rows, len(rows))


def _estimate_cells(one: Estimate) -> tuple[Any, ...]:
    share = one.unit == "share"
    values = (one.mapped, one.value, one.standard_error, one.low, one.high)
    return ("" if share else one.unit, *(_Share.of(value) if share else value for value in values))


def _joined(texts: Iterable[str], words: Words) -> str:
    return ("；" if words.lang == "zh" else "; ").join(texts)


__all__ = ["Column", "Kind", "Sheet", "sheets", "write_workbook"]
