"""The demo on a small drawn district, through the real command and the released network."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyogrio
import pytest
from typer.testing import CliRunner

from cvpipe.cli import app
from cvpipe.domain import ChangeKind
from cvpipe.ledger import Workspace

pytestmark = pytest.mark.slow

#: The demo promises 20 of 24 sites; this district is another one (seed and size), with 24 sites.
MIN_RIGHT = 20


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Folder of a finished demo, and what it printed."""
    out = tmp_path_factory.mktemp("demo") / "out"
    result = CliRunner().invoke(app, ["demo", "--out", str(out), "--seed", "21", "--size", "900"])
    assert result.exit_code == 0, result.output
    return out, result.stdout


def test_verdicts_are_those_drawn_on_nearly_all_sites(demo: tuple[Path, str]) -> None:
    found = json.loads((demo[0] / "demo.json").read_text())
    wrong = [(s["code"], s["case"], s["expected"], s["found"]) for s in found["sites"] if s["found"] != s["expected"]]
    assert len(found["sites"]) >= 24
    assert found["right"] >= MIN_RIGHT, wrong


def test_every_case_is_asked(demo: tuple[Path, str]) -> None:
    cases = {s["case"] for s in json.loads((demo[0] / "demo.json").read_text())["sites"]}
    assert cases >= {"cleared", "rubble", "partial", "untouched", "greened", "net", "rebuilt", "cloud", "outside"}


def test_demolished_areas_are_near_the_truth(demo: tuple[Path, str]) -> None:
    found = json.loads((demo[0] / "demo.json").read_text())["sites"]
    areas = [a for s in found for a in s["areas"] if a["kind"] == ChangeKind.STRUCTURE_REMOVED]
    near = [abs(a["found_m2"] - a["true_m2"]) <= 0.15 * a["true_m2"] for a in areas]
    assert len(areas) >= 10
    assert sum(near) >= 0.8 * len(near), areas


def test_the_ledger_opens_in_a_gis_and_verifies(demo: tuple[Path, str]) -> None:
    workspace = Workspace.open(demo[0] / "workspace")
    with workspace.ledger() as ledger:
        assert ledger.verify().problems == ()
        count = len(ledger.sites())
    layers = {name for name, _ in pyogrio.list_layers(workspace.ledger_path)}
    assert layers >= {"sites", "changes", "scenes", "assessments"}
    assert pyogrio.read_info(workspace.ledger_path, layer="sites")["features"] == count


def test_the_report_shows_every_site(demo: tuple[Path, str]) -> None:
    page = (demo[0] / "report" / "index.html").read_text()
    assert {f"DX-{i:03}" for i in range(1, 25)} <= set(re.findall(r"DX-\d{3}", page))
    assert len(list((demo[0] / "report" / "assets").glob("*.jpg"))) > 40


def test_it_prints_where_ledger_and_report_are(demo: tuple[Path, str]) -> None:
    for part in ("ledger.gpkg", "index.html", "as drawn"):
        assert part in demo[1]


def test_a_second_run_writes_nothing(demo: tuple[Path, str]) -> None:
    folder = demo[0] / "workspace"
    before = (folder / "ledger.gpkg").read_bytes()
    result = CliRunner().invoke(app, ["run", "--workspace", str(folder), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["assessed"] == 0
    assert (folder / "ledger.gpkg").read_bytes() == before


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path)])
    assert result.exit_code != 0
    assert (tmp_path / "mine.txt").read_text() == "keep me"
