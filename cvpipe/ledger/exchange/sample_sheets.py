"""Samples out to inspectors and back: a workbook with a row for each site that was drawn.

It does not say what the machine found, nor of which stratum a site is: whoever checks a site must not know (Olofsson
et al. 2014, section 4.2). A row in which nothing is filled in was not visited; one that cannot be read costs that row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from cvpipe.domain import OUTCOMES, Outcome, Question, Sample, SampleResult, Site
from cvpipe.errors import CvpipeError, SitesError
from cvpipe.ledger.exchange.archives import opened_archive
from cvpipe.ledger.exchange.cells import day, is_blank, number, text
from cvpipe.ledger.exchange.workbooks import escaped, unescaped
from cvpipe.ledger.records import Entry

#: What stands in the sheet of each site: heading in both languages, and the width of its column in characters.
_GIVEN = {
    "sample": ("sample 抽样", 9),
    "code": ("code 编号", 16),
    "name": ("name 名称", 24),
    "sub_district": ("sub-district 街道", 16),
    "community": ("community 社区", 16),
    "lon": ("longitude 经度", 12),
    "lat": ("latitude 纬度", 12),
}
_ASKED = (Question.DEMOLITION, Question.CLEARANCE, Question.GREENING, Question.REBOUND)
_OUTCOMES = {
    Question.DEMOLITION: "demolition 拆除",
    Question.CLEARANCE: "clearance 场光地净",
    Question.GREENING: "greening 覆绿",
    Question.REBOUND: "rebound 反弹",
}
_AREAS = {
    "structure_removed_m2": "structure removed, m² 已拆除面积",
    "structure_left_m2": "structure left, m² 残留建筑",
    "rubble_left_m2": "rubble left, m² 渣土堆料",
    "green_added_m2": "green added, m² 新增绿化",
}
_SAID = {"checked_on": "checked on 核查日期", "who": "checked by 核查人", "note": "note 备注"}

#: Chinese words for outcomes that inspectors may write.
_WORDS = {
    "无": Outcome.NONE,
    "未拆": Outcome.NONE,
    "部分": Outcome.PARTIAL,
    "完成": Outcome.COMPLETE,
    "达到": Outcome.MET,
    "未达到": Outcome.NOT_MET,
    "新增": Outcome.GAINED,
    "反弹": Outcome.SUSPECTED,
}

_HELP = (
    "One row for each site that was drawn. Fill in what you find on the ground; leave empty what you cannot tell.",
    "A row without any entry counts as not visited. Areas are m², as seen from above; name a user or a role.",
    "每行一个抽中的点位，按现场情况填写，无法判断的留空；整行留空视为未核查。面积单位为平方米，核查人填用户名或岗位。",
)


@dataclass(frozen=True)
class SampleSheet:
    """What came back: results, and for each row that could not be read its number and why."""

    results: tuple[SampleResult, ...]
    refused: tuple[tuple[int, str], ...] = ()


def write_sample_sheet(sample: Entry[Sample], sites: Iterable[Site], path: Path) -> None:
    """The workbook of a sample; `sites` are those that were drawn. Raises SitesError where it cannot be written."""
    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None, "a new workbook has a sheet"
    sheet.title = "sample"
    headings = [*(heading for heading, _ in _GIVEN.values()), *_OUTCOMES.values(), *_AREAS.values(), *_SAID.values()]
    sheet.append(headings)
    for row, site in enumerate(sorted(sites, key=lambda site: site.code), start=2):
        for column, value in enumerate(_given(sample.id, site), start=1):
            _write(sheet.cell(row, column), value)
    _dress(sheet, headings)
    guide = workbook.create_sheet("how to")
    for line in _HELP:
        guide.append([line])
    try:
        workbook.save(path)
    except OSError as error:
        found = f"cannot be written ({error.strerror})"
        raise SitesError(found, where=path, remedy="Look at the folder and its permissions.") from error


def read_sample_sheet(path: Path) -> SampleSheet:
    """What inspectors filled in. Raises SitesError for a file that is no sheet of a sample."""
    try:
        with opened_archive(path):  # which refuses what would not fit into memory
            workbook = openpyxl.load_workbook(path, data_only=True)
    except CvpipeError:
        raise
    except Exception as error:  # openpyxl raises whatever a broken archive makes it stumble on
        remedy = "Give the .xlsx that `cvpipe sample draw` wrote."
        raise SitesError(f"no workbook that can be read ({error})", where=path, remedy=remedy) from error
    rows = list(workbook.worksheets[0].iter_rows(values_only=True))
    columns = _columns(rows[0] if rows else (), path)
    results, refused = list[SampleResult](), list[tuple[int, str]]()
    for line, row in enumerate(rows[1:], start=2):
        cells = {name: row[index] for name, index in columns.items()}
        try:
            if not all(is_blank(cells[name]) for name in (*_OUTCOMES, *_AREAS)):
                results.append(_result_of(cells))
        except ValueError as error:
            refused.append((line, str(error)))
    return SampleSheet(tuple(results), tuple(refused))


def _given(sample_id: int, site: Site) -> list[Any]:
    middle = site.geometry.centroid
    texts = (site.code, site.name, site.sub_district, site.community)
    return [sample_id, *texts, round(middle.x, 6), round(middle.y, 6)]


def _write(cell: Any, value: str | float) -> None:
    if not isinstance(value, str):
        cell.value = value
        return
    cell.value = escaped(value)
    cell.data_type = "s"  # a name that begins with = is a name
    cell.quotePrefix = True


def _dress(sheet: Any, headings: Sequence[str]) -> None:
    sheet.freeze_panes = "C2"
    widths = [width for _, width in _GIVEN.values()]
    for index, heading in enumerate(headings, start=1):
        letter = get_column_letter(index)
        sheet[f"{letter}1"].font = Font(bold=True)
        sheet.column_dimensions[letter].width = widths[index - 1] if index <= len(widths) else 18
        question = next((question for question, named in _OUTCOMES.items() if named == heading), None)
        if question is not None and sheet.max_row > 1:
            words = ",".join(sorted(outcome.value for outcome in OUTCOMES[question] - {Outcome.NOT_ASSESSABLE}))
            choice = DataValidation(type="list", formula1=f'"{words}"', allow_blank=True, showErrorMessage=False)
            sheet.add_data_validation(choice)
            choice.add(f"{letter}2:{letter}{sheet.max_row}")


def _columns(headings: Sequence[Any], path: Path) -> dict[str, int]:
    """Where each column stands; inspectors may have moved them, and written others beside them."""
    named = {str(question): heading for question, heading in _OUTCOMES.items()}
    wanted = {name: heading for name, (heading, _) in _GIVEN.items() if name in {"sample", "code"}}
    wanted |= named | _AREAS | _SAID
    there = {str(heading).strip(): index for index, heading in enumerate(headings) if heading is not None}
    missing = [heading for heading in wanted.values() if heading not in there]
    if missing:
        raise SitesError(
            f"the first sheet lacks the columns {', '.join(missing)}",
            where=path,
            remedy="Give the .xlsx that `cvpipe sample draw` wrote, with its headings as they were.",
        )
    return {name: there[heading] for name, heading in wanted.items()}


def _result_of(cells: Mapping[str, Any]) -> SampleResult:
    """Raises ValueError that names the column and what is wrong with it."""
    checked_on, who = _cell("checked_on", cells, day), _cell("who", cells, text)
    if checked_on is None or not who:
        raise ValueError("it does not say when it was checked, and by whom")
    outcomes = {
        question.value: _outcome(question, cells[question]) for question in _ASKED if not is_blank(cells[question])
    }
    areas = {name: _cell(name, cells, number) for name in _AREAS if not is_blank(cells[name])}
    code = unescaped(text(cells["code"]))
    note = _cell("note", cells, text) or ""
    sample_id = int(number(cells["sample"]))
    return SampleResult(sample_id, code, checked_on, who, outcomes, areas, note)


def _cell(name: str, cells: Mapping[str, Any], read: Any) -> Any:
    try:
        return None if is_blank(cells[name]) else read(cells[name])
    except ValueError as error:
        raise ValueError(f"{(_SAID | _AREAS)[name]}: {error}") from None


def _outcome(question: Question, cell: Any) -> str:
    written = text(cell).strip()
    word = _WORDS.get(written, written.lower().replace(" ", "_"))
    legal = OUTCOMES[question] - {Outcome.NOT_ASSESSABLE}
    if word not in legal:
        raise ValueError(f"{_OUTCOMES[question]}: {written!r} is none of {', '.join(sorted(legal))}")
    return str(word)


__all__ = ["SampleSheet", "read_sample_sheet", "write_sample_sheet"]
