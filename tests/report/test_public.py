"""What may be published, and nothing else."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from cvpipe.ledger import Ledger, Workspace
from cvpipe.report import Campaign, write_public
from cvpipe.report.public import COLUMNS
from cvpipe.settings import PublicColumn, PublicSettings
from tests.report.neighbourhood import Neighbourhood, sites

TODAY = date(2017, 6, 30)


def test_columns_are_those_of_the_settings(ledger: Ledger, out: Path) -> None:
    write_public(ledger, Campaign("Hills"), out, PublicSettings(columns=("code", "status")), made_on=TODAY)
    features = json.loads((out / "sites.geojson").read_text("utf-8"))["features"]
    assert features[3]["properties"] == {"code": "L-004", "status": "closed"}
    assert features[3]["geometry"]["type"] == "Polygon"
    table = list(csv.reader((out / "sites.csv").read_text("utf-8-sig").splitlines()))
    assert table[0] == ["code", "status", "lon", "lat"]
    assert len(table) == 8
    page = (out / "index.html").read_text("utf-8")
    assert "Depot" not in page
    assert page.count("<title>L-00") == 7
    assert "//" not in page.replace("</", "").replace("http://www.w3.org/2000/svg", "")


def test_only_the_middle_where_the_settings_say_so(ledger: Ledger, out: Path) -> None:
    write_public(ledger, Campaign("Hills"), out, PublicSettings(geometry="centre"), lang="zh", made_on=TODAY)
    features = json.loads((out / "sites.geojson").read_text("utf-8"))["features"]
    assert {feature["geometry"]["type"] for feature in features} == {"Point"}
    assert "公示台账" in (out / "index.html").read_text("utf-8")


def test_data_about_persons_is_withheld(drawn: Neighbourhood, tmp_path: Path, out: Path) -> None:
    shutil.copytree(drawn.workspace, tmp_path / "workspace")
    with Workspace.open(tmp_path / "workspace").ledger() as ledger:
        ledger.put_sites([replace(sites()[0], name="Yard, call 13812345678")], source="test")
        settings = PublicSettings(columns=("code", "name"))
        written = write_public(ledger, Campaign("Hills"), out, settings, made_on=TODAY)
    assert written.withheld == (("L-001", "name"),)
    assert not any("13812345678" in file.read_text("utf-8") for file in written.files)


def test_no_other_column_can_be_allowed() -> None:
    with pytest.raises(ValidationError):
        PublicSettings(columns=("code", "who"))  # type: ignore[arg-type]  # what somebody may write into the file
    assert set(COLUMNS) == set(get_args(PublicColumn))
