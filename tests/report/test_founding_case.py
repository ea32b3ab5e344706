"""The founding campaign's totals come out of a ledger that holds them, to the figure."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import openpyxl
import pytest
from shapely import Point

from cvpipe import cli
from cvpipe.domain import Site, SiteStatus
from cvpipe.ledger import Workspace

#: Owner system → sites, land and building in 10,000 m² (DOMAIN: what the founding case asks for).
FOUNDING = {
    "集体经济系统": (380, 144, 82),
    "国资系统": (74, 5, 4),
    "首钢系统": (48, 13, 8),
    "机关和社会单位": (45, 17, 6),
}


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """547 closed sites, target 528; each system's land and building spread evenly over its sites."""
    made = Workspace.create(tmp_path_factory.mktemp("founding") / "campaign")
    settings = made.settings_path.read_text(encoding="utf-8")
    settings = settings.replace("campaign_target: null", "campaign_target: 528")
    settings = settings.replace('campaign: ""', 'campaign: "疏解整治专项行动"')
    made.settings_path.write_text(settings, encoding="utf-8")
    sites = [
        Site(
            code=f"{system[:2]}-{number:03d}",
            geometry=Point(116.1 + number / 1e4, 39.9),
            owner_system=system,
            sub_district=f"第{number % 9 + 1}街道",
            land_area_m2=land * 10_000 / count,
            building_area_m2=building * 10_000 / count,
            status=SiteStatus.CLOSED,
        )
        for system, (count, land, building) in FOUNDING.items()
        for number in range(count)
    ]
    with made.ledger() as ledger:
        ledger.put_sites(sites, source="founding case")
    return made.folder


@pytest.fixture(scope="module")
def report(workspace: Path) -> Path:
    """The folder that `cvpipe report` writes."""
    words = ["--workspace", str(workspace), "--lang", "zh", "--format", "html,pdf,xlsx,json"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["cvpipe", "report", *words])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
    assert not stopped.value.code
    return workspace / "report"


def test_page_prints_the_founding_table(report: Path) -> None:
    page = (report / "index.html").read_text(encoding="utf-8")
    rows = re.findall(r'<th class="text" scope="row">(\S+?)</th><td>(.+?)</td><td>(.+?)</td><td>(.+?)</td>', page)
    owners = [(label, *map(int, numbers)) for label, *numbers in rows[:5]]
    assert owners == [(label, *numbers) for label, numbers in FOUNDING.items()] + [("合计", 547, 179, 100)]
    assert "103.6%" in page
    assert "目标 528 处" in page


def test_summary_and_ledger_agree(report: Path, workspace: Path) -> None:
    summary = json.loads((report / "summary.json").read_text(encoding="utf-8"))
    assert (summary["completed"], summary["target"], round(summary["completion"], 3)) == (547, 528, 1.036)
    with Workspace.open(workspace).ledger() as ledger:
        totals = ledger.totals_by_owner_system()
    for row, total in zip([*summary["by_owner_system"], summary["totals"]], totals, strict=True):
        assert row["sites"] == total.sites
        assert row["land_m2"] == pytest.approx(total.land_m2)
        assert row["building_m2"] == pytest.approx(total.building_m2)
        assert row["completed"] == total.completed


def test_workbook_holds_the_founding_table_as_numbers(report: Path) -> None:
    sheet = openpyxl.load_workbook(report / "report.xlsx", read_only=True)["按权属系统"]
    _, *rows = sheet.iter_rows(max_col=5, values_only=True)
    assert [(row[0], row[1], row[3], row[4]) for row in rows] == [
        *((label, *numbers) for label, numbers in FOUNDING.items()),
        ("合计", 547, 179, 100),
    ]


def test_paper_prints_the_founding_table(report: Path) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext on this machine")
    told = subprocess.run(["pdftotext", "-layout", report / "report.pdf", "-"], capture_output=True, check=True)
    lines = [line.split() for line in told.stdout.decode().splitlines()]
    rows = {words[0]: tuple(words[1:4]) for words in lines if len(words) > 4}
    for label, numbers in {**FOUNDING, "合计": (547, 179, 100)}.items():
        assert rows[label] == tuple(map(str, numbers))
