"""A run: each site's epochs compared once, verdicts and changes in the ledger, failures listed and tried again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import rasterio
from typer.testing import CliRunner

from cvpipe.cli import app
from cvpipe.domain import Assessment, ChangeKind, Outcome, Plan, Question, Reason, Site, SiteStatus, Surface
from cvpipe.imagery import surface_path
from cvpipe.ledger import Workspace
from cvpipe.run import RunOptions, plan, run
from cvpipe.run.sites import PairKind, SitePair
from tests.detect.networks import PaintedNetwork
from tests.run.conftest import DAYS, SITES


def outcomes(workspace: Workspace, code: str) -> list[tuple[str, dict[Question, Outcome]]]:
    """Date of the later epoch and outcomes of each assessment of a site."""
    with workspace.ledger() as ledger:
        return [
            (str(r.after_date), {v.question: v.outcome for v in r.assessment.verdicts})
            for r in ledger.assessments(code)
        ]


def assessments(workspace: Workspace, code: str) -> list[Assessment]:
    with workspace.ledger() as ledger:
        return [r.assessment for r in ledger.assessments(code)]


def content(workspace: Workspace) -> str:
    return hashlib.sha256(workspace.ledger_path.read_bytes()).hexdigest()


def test_a_shed_that_went_and_came_back_is_told_in_order(workspace: Workspace) -> None:
    run(workspace)
    found = outcomes(workspace, "A")
    assert [day for day, _ in found] == ["2024-05-01", "2025-05-01", "2025-05-01"]
    assert found[0][1][Question.DEMOLITION] is Outcome.COMPLETE
    assert found[0][1][Question.CLEARANCE] is Outcome.MET
    assert found[1][1][Question.CLEARANCE] is Outcome.NOT_MET
    assert found[2][1] == {Question.REBOUND: Outcome.SUSPECTED}


def test_the_surfaces_of_each_assessment_are_kept_for_people_to_look_at(workspace: Workspace) -> None:
    run(workspace)
    first = assessments(workspace, "A")[0]
    path = surface_path(workspace.runs, first.key)
    assert path is not None
    with rasterio.open(path) as file:
        before, after = file.read()
        area_m2 = abs(file.transform.determinant)
    assert first.measurements is not None
    standing = first.measurements.surface_before_m2[Surface.STRUCTURE]
    assert (before == Surface.STRUCTURE).sum() * area_m2 == pytest.approx(standing, rel=0.02)
    assert not (after == Surface.STRUCTURE).any()
    assert len(list(path.parent.iterdir())) == sum(len(assessments(workspace, code)) for code in ("A", "B"))


def test_areas_and_polygons_are_those_painted(workspace: Workspace) -> None:
    run(workspace)
    first = assessments(workspace, "A")[0]
    assert first.measurements is not None
    assert first.measurements.change_m2[ChangeKind.STRUCTURE_REMOVED] == pytest.approx(40 * 60 * 0.25, rel=0.02)
    assert [c.kind for c in first.changes] == [ChangeKind.STRUCTURE_REMOVED]
    assert first.changes[0].area_m2 == pytest.approx(600, rel=0.02)
    assert first.observed_status is SiteStatus.CLEARED


def test_what_stands_beside_a_site_is_not_its_matter(workspace: Workspace) -> None:
    run(workspace)
    assert [found[Question.DEMOLITION] for _, found in outcomes(workspace, "B")] == [Outcome.NONE, Outcome.NONE]


def test_a_site_that_no_scene_shows_is_not_assessable(workspace: Workspace) -> None:
    summary = run(workspace)
    only = assessments(workspace, "FAR")
    assert [v.reason for v in only[0].verdicts] == [Reason.NO_SCENE] * 3
    assert len(only) == 1
    assert summary.not_assessable[Reason.NO_SCENE] == 1


def test_running_again_writes_nothing_and_reads_nothing(workspace: Workspace, network: PaintedNetwork) -> None:
    first = run(workspace)
    before, asked = content(workspace), len(network.batches)
    again = run(workspace)
    assert (first.assessed, again.assessed, again.known) == (6, 0, 6)
    assert again.run_id is None
    assert (content(workspace), len(network.batches)) == (before, asked)


def test_one_site_alone(workspace: Workspace) -> None:
    assert run(workspace, RunOptions(codes=["B"])).assessed == 2
    assert outcomes(workspace, "A") == []


def test_a_scene_that_is_gone_costs_its_pairs_only_and_is_tried_again(workspace: Workspace, tmp_path: Path) -> None:
    last = tmp_path / f"scene_{DAYS[2]}.tif"
    hidden = last.rename(tmp_path / "hidden.tif")
    summary = run(workspace)
    assert {(f.site_code, f.epoch) for f in summary.failures} == {("A", DAYS[2]), ("B", DAYS[2])}
    assert len(outcomes(workspace, "A")) == 1
    hidden.rename(last)
    assert run(workspace).failures == []
    assert len(outcomes(workspace, "A")) == 3


def test_the_ledger_verifies_after_a_run(workspace: Workspace) -> None:
    run(workspace)
    with workspace.ledger() as ledger:
        assert ledger.verify().problems == ()


def test_a_plan_writes_nothing_and_names_reasons(workspace: Workspace) -> None:
    before = content(workspace)
    planned = plan(workspace)
    assert content(workspace) == before
    assert [(p.site_code, p.before, p.after) for p in planned if p.site_code == "A"] == [
        ("A", DAYS[0], DAYS[1]),
        ("A", DAYS[0], DAYS[2]),
    ]
    assert planned[0].reason == "last scene before work began on 2023-09-01"
    assert planned[2].reason == "earliest scene"


def key(site: Site, kind: PairKind = PairKind.REMEDIATION, digest: str = "d", rules: str = "r") -> str:
    return SitePair(site, kind, None, None).key(digest, rules)


def test_the_key_follows_what_an_assessment_hangs_on() -> None:
    site = SITES[0]
    others = {
        key(replace(site, geometry=SITES[1].geometry)),
        key(replace(site, buffer_m=3.0)),
        key(replace(site, plan=Plan(green_area_m2=100.0))),
        key(replace(site, plan=Plan(retained=site.geometry))),
        key(site, PairKind.WATCH),
        key(site, digest="another network"),
        key(site, rules="other rules"),
    }
    assert len(others | {key(site)}) == 8


def test_the_key_does_not_follow_names_and_dates_of_the_plan() -> None:
    assert key(replace(SITES[0], name="new name", plan=Plan())) == key(SITES[0])


def command(workspace: Workspace, *args: str) -> tuple[int, Any]:
    result = CliRunner().invoke(app, ["run", "--workspace", str(workspace.folder), "--json", *args])
    return result.exit_code, json.loads(result.stdout) if result.exit_code == 0 else result.exception


def test_the_command_tells_what_it_did(workspace: Workspace) -> None:
    code, dry = command(workspace, "--dry-run")
    assert code == 0
    assert sum(not pair["known"] for pair in dry["pairs"]) == 5
    code, told = command(workspace)
    assert (code, told["assessed"], told["failed"]) == (0, 6, 0)
    assert {"question": "rebound", "outcome": "suspected", "count": 1} in told["outcomes"]
