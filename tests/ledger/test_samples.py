"""Samples in the ledger and in inspectors' workbooks, there and back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from cvpipe.domain import SampleResult, SampleUnit
from cvpipe.errors import LedgerError, SitesError, UnknownSiteError
from cvpipe.ledger import Ledger
from cvpipe.ledger.exchange.sample_sheets import read_sample_sheet, write_sample_sheet
from tests.ledger import samples

CODE = samples.FULL_SITE.code
SAMPLE, FOUND = samples.SAMPLE, samples.RESULT


def test_a_sample_comes_back_as_it_was_drawn(filled: Ledger) -> None:
    entry = filled.draw_sample(SAMPLE)
    assert entry.value == SAMPLE
    assert filled.sample(entry.id) == filled.samples()[0] == entry
    assert filled.audit()[-1].details["sites"] == [CODE, "SJS-002"]
    assert filled.verify().problems == ()
    with pytest.raises(LedgerError, match="there is no sample 9"):
        filled.sample(9)
    with pytest.raises(LedgerError, match="holds no site"):
        filled.draw_sample(replace(SAMPLE, units=()))


def test_what_was_found_is_entered_once_and_the_last_word_holds(filled: Ledger) -> None:
    filled.draw_sample(SAMPLE)
    assert [e.value for e in filled.record_sample([FOUND])] == [FOUND]
    assert filled.record_sample([FOUND]) == []
    corrected = replace(FOUND, outcomes={"clearance": "met"})
    filled.record_sample([corrected])
    assert [e.value for e in filled.sample_results(1)] == [corrected]
    assert filled.history(CODE)[-1].kind == "sample_result"
    assert filled.verify().problems == ()


def test_a_site_that_was_not_drawn_must_not_enter(filled: Ledger) -> None:
    filled.draw_sample(replace(SAMPLE, units=SAMPLE.units[:1]))
    with pytest.raises(LedgerError, match="site SJS-002 is none of sample 1"):
        filled.record_sample([FOUND, replace(FOUND, site_code="SJS-002")])
    assert filled.sample_results(1) == [], "all or nothing"
    with pytest.raises(UnknownSiteError):
        filled.record_sample([replace(FOUND, site_code="nobody")])


@pytest.fixture
def sheet(filled_file: Ledger, tmp_path: Path) -> Path:
    """The workbook of a sample."""
    entry = filled_file.draw_sample(SAMPLE)
    path = tmp_path / "sample.xlsx"
    write_sample_sheet(entry, filled_file.sites(), path)
    return path


def fill_in(path: Path, **cells: Any) -> None:
    """Write into a row of the sheet, cells by the first word of their heading; `row` says which."""
    workbook = openpyxl.load_workbook(path)
    table = workbook.worksheets[0]
    headings = {str(cell.value): at for at, cell in enumerate(table[1], start=1)}
    for name, value in cells.items():
        if name != "row":
            (column,) = [at for heading, at in headings.items() if heading.startswith(name.replace("_", " "))]
            table.cell(cells.get("row", 2), column).value = value
    workbook.save(path)


def test_the_sheet_says_where_to_go_and_not_what_was_seen(sheet: Path) -> None:
    rows = list(openpyxl.load_workbook(sheet).worksheets[0].iter_rows(values_only=True))
    assert [row[:4] for row in rows[1:]] == [(1, CODE, samples.FULL_SITE.name, "八角街道"), (1, "SJS-002", None, None)]
    assert "met" not in {str(cell) for row in rows for cell in row}
    assert "cleared" not in str(rows)


def test_there_and_back(sheet: Path) -> None:
    assert read_sample_sheet(sheet).results == (), "nobody went yet"
    fill_in(
        sheet,
        clearance="Not met",
        rubble_left=35.5,
        checked_on=date(2017, 8, 3),
        checked_by="inspector 2",
        note="北侧堆料",
    )
    fill_in(sheet, row=3, demolition="完成", checked_on="2017-08-04", checked_by="inspector 2")
    read = read_sample_sheet(sheet)
    assert read.refused == ()
    assert read.results == (
        FOUND,
        SampleResult(1, "SJS-002", date(2017, 8, 4), "inspector 2", {"demolition": "complete"}, {}),
    )


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ({"clearance": "met"}, "does not say when it was checked, and by whom"),
        ({"clearance": "perhaps", "checked_on": "2017-08-03", "checked_by": "i"}, "'perhaps' is none of met, not_met"),
        ({"rubble_left": -3, "checked_on": "2017-08-03", "checked_by": "i"}, "-3 is no finite number from 0 on"),
        ({"rubble_left": "much", "checked_on": "2017-08-03", "checked_by": "i"}, "rubble left, m²"),
        ({"clearance": "met", "checked_on": "soon", "checked_by": "i"}, "checked on"),
    ],
)
def test_a_row_that_cannot_be_read_costs_that_row(sheet: Path, cells: dict[str, Any], why: str) -> None:
    fill_in(sheet, **cells)
    fill_in(sheet, row=3, clearance="met", checked_on="2017-08-04", checked_by="inspector 2")
    read = read_sample_sheet(sheet)
    assert [result.site_code for result in read.results] == ["SJS-002"]
    ((line, said),) = read.refused
    assert line == 2
    assert why in said


def test_what_is_no_sheet_of_a_sample_is_refused(tmp_path: Path) -> None:
    other = openpyxl.Workbook()
    other.save(tmp_path / "other.xlsx")
    with pytest.raises(SitesError, match="lacks the columns sample"):
        read_sample_sheet(tmp_path / "other.xlsx")
    (tmp_path / "text.xlsx").write_text("no workbook")
    with pytest.raises(SitesError, match="no whole zip archive"):
        read_sample_sheet(tmp_path / "text.xlsx")


def test_a_name_that_looks_like_a_formula_stays_a_name(filled_file: Ledger, tmp_path: Path) -> None:
    filled_file.put_sites([samples.site("=1+1", name="=HYPERLINK(1)")], source="evil.csv")
    unit = SampleUnit("=1+1", "cleared, 0-500 m²", 1.0, {}, {})
    entry = filled_file.draw_sample(replace(SAMPLE, units=(unit,)))
    write_sample_sheet(entry, filled_file.sites(["=1+1"]), tmp_path / "s.xlsx")
    cell = openpyxl.load_workbook(tmp_path / "s.xlsx").worksheets[0]["B2"]
    assert (cell.value, cell.data_type, cell.quotePrefix) == ("=1+1", "s", True)
