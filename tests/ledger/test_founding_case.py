"""The summary by owner system gives exactly the founding case's table."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from cvpipe.ledger import Ledger, Workspace
from tests.ledger import founding_case
from tests.ledger.commands import Command


@pytest.fixture
def district(workspace: Workspace) -> Workspace:
    """A workspace with the founding case in its ledger."""
    with workspace.ledger() as ledger:
        founding_case.fill(ledger)
    return workspace


def test_the_command_prints_exactly_that_table(command: Command, district: Workspace) -> None:
    told = command("sites", "summary", "--workspace", district.folder)
    cells = [tuple(cell.strip() for cell in line.split("│")[1:-1]) for line in told.stdout.splitlines() if "│" in line]
    # sites · land · building, as DOMAIN has them; then completed
    assert [row[:5] for row in cells] == [
        ("集体经济系统", "380", "144", "82", "380"),
        ("国有资产系统", "74", "5", "4", "74"),
        ("首钢系统", "48", "13", "8", "48"),
        ("政府部门和社会单位", "45", "17", "6", "45"),
        ("all", "547", "179", "100", "547"),
    ]
    assert cells[-1][5:] == ("21", "21"), "green: as the plans ask for, and as seen"
    assert "target 528 sites: 547 completed, 103.6%" in told.stdout


def test_figures_for_programs_are_exact(command: Command, district: Workspace) -> None:
    told = json.loads(command("sites", "summary", "--json", "--workspace", district.folder).stdout)
    by_system = {row["owner_system"]: row for row in told["by_owner_system"]}
    for system, (_, sites, land, building) in founding_case.OWNER_SYSTEMS.items():
        row = by_system[system]
        assert (row["sites"], row["land_m2"], row["building_m2"]) == (sites, land * 1e4, building * 1e4)
    whole = told["all"]
    assert (whole["sites"], whole["land_m2"], whole["building_m2"]) == (547, 1_790_000, 1_000_000)
    assert whole["green_planned_m2"] == whole["green_added_m2"] == 210_000
    assert (told["target"], round(told["completion"], 3)) == (528, 1.036)
    assert sum(row["green_added_m2"] for row in by_system.values()) == 210_000


def test_points_lines_and_areas_in_every_sub_district() -> None:
    sites = founding_case.sites()
    kinds = Counter((site.sub_district, site.geometry.geom_type) for site in sites)
    assert len(kinds) == 9 * 3
    assert len({site.code for site in sites}) == 547
    assert founding_case.sites() == sites, "the same ones every time"


def test_the_target_is_that_of_the_settings_where_no_campaign_is_kept(command: Command, workspace: Workspace) -> None:
    with workspace.ledger() as ledger:
        ledger.put_sites(founding_case.sites(), source="test")
    assert "target" not in command("sites", "summary", "--workspace", workspace.folder).stdout
    settings = workspace.settings_path.read_text(encoding="utf-8")
    settings = re.sub("campaign_target: null", "campaign_target: 600", settings)
    workspace.settings_path.write_text(settings, encoding="utf-8")
    told = command("sites", "summary", "--workspace", workspace.folder).stdout
    assert "target 600 sites: 547 completed, 91.2%" in told


def test_the_founding_ledger_verifies_in_each_store(ledger: Ledger) -> None:
    founding_case.fill(ledger)
    assert ledger.verify().problems == ()
    whole = ledger.totals_by_owner_system()[-1]
    assert (whole.sites, whole.land_m2, whole.building_m2, whole.green_added_m2) == (547, 1_790_000, 1e6, 210_000)
