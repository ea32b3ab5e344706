"""The workbook, opened again."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest

from cvpipe.ledger import Ledger
from cvpipe.report import AreaUnit, Campaign, Format, Look, build_content, write_report
from cvpipe.report.figures import ledger_areas, measured_areas
from cvpipe.report.words import Words
from cvpipe.report.workbook import write_workbook
from tests.report.neighbourhood import sites


def test_every_sheet_has_a_frozen_head_and_a_filter(ledger: Ledger, out: Path) -> None:
    write_report(ledger, Campaign("Hills", 6), out, formats=[Format.XLSX], made_on=date(2017, 6, 30))
    workbook = openpyxl.load_workbook(out / "report.xlsx")
    assert workbook.sheetnames == [
        "Summary",
        "By owner system",
        "By sub-district",
        "Sites",
        "Overdue",
        "Not assessable",
        "Rebound",
        "Claims contradicted",
        "Review",
    ]
    assert {sheet.freeze_panes for sheet in workbook} == {"B2"}
    assert all(sheet.auto_filter.ref.startswith("A1:") for sheet in workbook)
    columns = {cell.value: cell.column or 0 for cell in workbook["Sites"][1]}
    assert workbook["Sites"].max_row == 8
    removed = workbook["Sites"].cell(2, columns["Removed m²"])
    assert (removed.value, removed.number_format, removed.data_type) == (660, "#,##0", "n")
    seen = workbook["Sites"].cell(2, columns["Last seen"])
    assert (seen.value, seen.number_format) == (datetime(2017, 5, 20), "yyyy-mm-dd")
    figures = {row[0].value: row[1] for row in workbook["Summary"].iter_rows(min_row=2)}
    assert (figures["Completion"].value, figures["Completion"].number_format) == (0.5, "0.0%")
    assert [row[0].value for row in workbook["Rebound"].iter_rows(min_row=2)] == ["L-004"]
    assert [row[0].value for row in workbook["Not assessable"].iter_rows(min_row=2)] == ["L-005"]


@pytest.mark.parametrize("name", ["=1+1", "#N/A", "@SUM(A1)", "-2+3"])
def test_what_the_ledger_holds_is_never_a_formula(name: str, tmp_path: Path) -> None:
    site = replace(sites()[0], name=name, owner_system=name)
    content = build_content(Campaign(name), [site], [], [], [], made_on=date(2017, 6, 30))
    write_workbook(content, tmp_path / "report.xlsx", Words("en"), AreaUnit.MIXED)
    workbook = openpyxl.load_workbook(tmp_path / "report.xlsx")
    for cell in (workbook["Sites"]["B2"], workbook["Summary"]["B2"], workbook["By owner system"]["A2"]):
        assert (cell.value, cell.data_type) == (name, "s")


def test_units_of_area() -> None:
    assert ledger_areas(AreaUnit.MIXED, "zh").written(1_790_000) == "179"
    assert ledger_areas(AreaUnit.MU, "zh").written(1_790_000) == "2,685"
    assert measured_areas(AreaUnit.MIXED, "en").written(210_000) == "210,000"
    assert measured_areas(AreaUnit.WAN, "zh").written(210_000) == "21.0"
    assert [measured_areas(unit, "zh").symbol for unit in (AreaUnit.WAN, AreaUnit.MU)] == ["万平方米", "亩"]


def test_a_chinese_workbook_in_mu(ledger: Ledger, out: Path) -> None:
    write_report(ledger, Campaign("Hills"), out, formats=[Format.XLSX], look=Look("zh", AreaUnit.MU))
    workbook = openpyxl.load_workbook(out / "report.xlsx")
    heads = [cell.value for cell in workbook["按街道"][1]]
    assert "占地面积 亩" in heads
    assert workbook["按街道"].cell(4, heads.index("占地面积 亩") + 1).value == pytest.approx(14_000 * 15 / 10_000)


def test_a_wide_sheet_is_printed_on_pages_that_can_be_read(ledger: Ledger, tmp_path: Path, today: date) -> None:
    write_report(ledger, Campaign("Hills"), tmp_path / "report", formats=[Format.XLSX], made_on=today)
    book = openpyxl.load_workbook(tmp_path / "report" / "report.xlsx")
    wide, narrow = book["Sites"], book["Overdue"]
    assert (narrow.page_setup.fitToWidth, wide.page_setup.fitToWidth) == (1, 2)
    assert wide.print_title_cols == "$A:$A"
    heads = [cell.value for cell in wide[1]]
    assert heads[-1] == "What holds now"
    last = wide.print_area.split("$")[3]
    assert wide[f"{last}1"].value == heads[-2], "the sentences are for the screen"
