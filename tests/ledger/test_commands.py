"""init, sites and ledger through the real command line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cvpipe.ledger import Ledger, Workspace
from tests.ledger import samples
from tests.ledger.commands import Command
from tests.ledger.test_audit_chain import tamper

LINES = """\
编号,名称,街道,权属系统,占地面积(亩),经度,纬度,完成时限
SJS-1,北院[red],八角街道,集体经济,3,116.2,39.9,2017-06-30
SJS-2,南院[/x],古城街道,国有资产,1.5,116.21,39.91,
"""


@pytest.fixture
def sites_csv(tmp_path: Path) -> Path:
    """A file of two sites."""
    path = tmp_path / "sites.csv"
    path.write_text(LINES, encoding="utf-8")
    return path


@pytest.fixture
def district(workspace: Workspace, filled_file: Ledger) -> Workspace:
    """A workspace whose ledger has a row of everything."""
    filled_file.close()
    filled_file.path.replace(workspace.ledger_path)
    return workspace


def test_init_in_a_real_process(tmp_path: Path) -> None:
    def init() -> subprocess.CompletedProcess[str]:
        call = [sys.executable, "-m", "cvpipe.cli", "init", "."]
        return subprocess.run(call, capture_output=True, text=True, encoding="utf-8", cwd=tmp_path, check=False)

    made, again = init(), init()
    assert (made.returncode, made.stderr) == (0, "")
    assert {path.name for path in tmp_path.iterdir()} == {"cvpipe.yaml", "ledger.gpkg", "runs"}
    assert (again.returncode, again.stdout) == (2, "")
    assert "already holds" in again.stderr


def test_import_counts_and_says_what_changed(command: Command, workspace: Workspace, sites_csv: Path) -> None:
    there = ("--workspace", workspace.folder)
    planned = command("sites", "import", sites_csv, "--dry-run", "--json", *there)
    assert json.loads(planned.stdout)["added"] == ["SJS-1", "SJS-2"]
    assert command("sites", "list", "--json", *there).stdout.strip() == "[]"
    assert "Sites imported" in command("sites", "import", sites_csv, *there).stdout
    sites_csv.write_text(LINES.replace("北院", "北大院"), encoding="utf-8")
    changed = command("sites", "import", sites_csv, *there)
    assert "SJS-1" in changed.stdout
    assert "name" in changed.stdout
    summary = json.loads(command("sites", "import", sites_csv, "--json", *there).stdout)
    assert summary["unchanged"] == ["SJS-1", "SJS-2"]


def test_columns_about_persons(command: Command, workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "persons.csv"
    path.write_text("code,lon,lat,联系电话\nA,116.2,39.9,12345\n", encoding="utf-8")
    assert command("sites", "import", path, "--workspace", workspace.folder).code == 2
    told = command("sites", "import", path, "--drop-personal", "--workspace", workspace.folder)
    assert (told.code, told.stderr) == (0, "left out: 联系电话\n")
    assert b"12345" not in workspace.ledger_path.read_bytes()


def test_list_and_its_filters(command: Command, workspace: Workspace, sites_csv: Path) -> None:
    there = ("--workspace", workspace.folder)
    command("sites", "import", sites_csv, *there)
    table = command("sites", "list", *there).stdout
    assert "北院[red]" in table, "brackets in a name are no markup"
    assert "南院[/x]" in table
    assert "2,000.0" in table
    state = json.loads(command("sites", "list", "--owner-system", "国有资产", "--json", *there).stdout)
    assert [site["code"] for site in state] == ["SJS-2"]
    east = json.loads(command("sites", "list", "--sub-district", "八角街道", "--json", *there).stdout)
    assert [site["code"] for site in east] == ["SJS-1"]


def test_show(command: Command, district: Workspace, tmp_path: Path) -> None:
    own = tmp_path / "workspace"
    shutil.copytree(district.folder, own)
    there = ("--workspace", own)
    command("claims", *there)  # which settles where sites were seen to stand
    shown = command("sites", "show", "SJS-001", *there).stdout
    assert "all of 400 m² is gone" in shown
    plain = json.loads(command("sites", "show", "SJS-001", "--json", *there).stdout)
    assert plain["geometry"]["type"] == "Polygon"
    assert (plain["due_date"], plain["status"]) == ("2017-06-30", "in_progress")
    assert (plain["observed_status"], plain["observed_on"]) == ("demolished", "2017-07-01")


def test_history_tells_everything_in_order(command: Command, district: Workspace) -> None:
    there = ("--workspace", district.folder)
    told = json.loads(command("sites", "history", "SJS-001", "--json", *there).stdout)
    assert [(row["kind"], row["action"]) for row in told] == [("site", "added"), ("assessment", "recorded")]
    table = command("sites", "history", "SJS-001", *there).stdout
    assert "2015-10-01 → 2017-07-01: demolition complete, clearance not assessable" in table


@pytest.mark.parametrize("verb", ["show", "history"])
def test_unknown_code(command: Command, district: Workspace, verb: str) -> None:
    told = command("sites", verb, "SJS-01", "--workspace", district.folder)
    assert (told.code, told.stdout) == (2, "")
    assert "Did you mean SJS-001" in told.stderr


def test_verify(command: Command, district: Workspace) -> None:
    there = ("--workspace", district.folder)
    assert "the ledger is whole: 7 audit rows" in command("ledger", "verify", *there).stdout
    with district.ledger() as ledger:
        tamper(ledger, "UPDATE changes SET area_m2 = 1")
    told = command("ledger", "verify", *there)
    assert told.code == 1
    assert told.stdout == "assessment key-1 was altered after its last audit row\n"
    assert "findings: 1" in told.stderr
    assert json.loads(command("ledger", "verify", "--json", *there).stdout)["problems"] == [told.stdout.strip()]


def test_migrate_has_nothing_to_do(command: Command, workspace: Workspace) -> None:
    assert "nothing to do" in command("ledger", "migrate", "--workspace", workspace.folder).stdout


@pytest.mark.parametrize(
    "words",
    [("sites", "list"), ("sites", "show", "A"), ("sites", "history", "A"), ("ledger", "verify"), ("ledger", "migrate")],
)
def test_outside_a_workspace(command: Command, tmp_path: Path, words: tuple[str, ...]) -> None:
    told = command(*words, "--workspace", tmp_path)
    assert told.code == 2
    assert "cvpipe.yaml and ledger.gpkg missing" in told.stderr
    assert list(tmp_path.iterdir()) == []


def test_samples_are_what_the_district_holds(district: Workspace) -> None:
    with district.ledger() as ledger:
        assert ledger.sites() == [samples.FULL_SITE, samples.site("SJS-002")]
