"""What a run keeps as evidence: intervals, what is left as polygons, and the rules that were used."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cvpipe.assess import default_rules
from cvpipe.domain import Batch, Campaign, Figure, Question, Surface
from cvpipe.geo import area_m2
from cvpipe.ledger import Workspace
from cvpipe.ledger.run_rows import RULES_FIRST_USED
from cvpipe.run import run
from tests.run.conftest import SITES


def test_what_still_stands_is_kept_as_polygons(workspace: Workspace) -> None:
    """Of the two sheds the other one stands untouched."""
    run(workspace)
    with workspace.ledger() as ledger:
        measured = ledger.assessments("B")[-1].assessment.measurements
        (site,) = ledger.sites(["B"])
    assert measured is not None
    (shed,) = measured.left
    assert (shed.surface, shed.area_m2) == (Surface.STRUCTURE, measured.surface_after_m2[Surface.STRUCTURE])
    assert area_m2(shed.geometry) == pytest.approx(shed.area_m2, rel=0.02)
    assert site.geometry.covers(shed.geometry)


def test_every_held_area_of_an_assessment_has_an_interval(workspace: Workspace) -> None:
    run(workspace)
    with workspace.ledger() as ledger:
        assessments = [record.assessment for record in ledger.assessments("A")]
    for assessment in assessments:
        assert assessment.measurements is not None
        assert set(assessment.measurements.spreads) == set(Figure)
        held = [c for v in assessment.verdicts for c in v.criteria if c.limit is not None and c.unit == "m²"]
        assert held
        assert all(c.interval is not None and c.interval[0] <= c.value <= c.interval[1] for c in held)


def test_a_campaign_of_the_ledger_has_rules_of_its_own(workspace: Workspace) -> None:
    path = workspace.folder / "rules.yaml"
    path.write_text("campaigns: {2017: {rebound: {added_m2: 1000000}}}\n".replace("2017", '"2017"'), encoding="utf-8")
    settings = workspace.folder / "cvpipe.yaml"
    settings.write_text(settings.read_text(encoding="utf-8") + "\nrules: rules.yaml\n", encoding="utf-8")
    with workspace.ledger() as ledger:
        ledger.put_campaign(Campaign("2017"))
        ledger.put_batch(Batch("first", "2017"))
        ledger.put_sites([replace(SITES[0], batch="first")], source="test")
    run(workspace)
    with workspace.ledger() as ledger:
        versions = {r.assessment.site_code: r.assessment.rules_version for r in ledger.assessments()}
        outcomes = {v.outcome for r in ledger.assessments("A") for v in r.assessment.verdicts if v.question is REBOUND}
        noted = [row.details["rules_version"] for row in ledger.audit() if row.action == RULES_FIRST_USED]
        used = ledger.rules_used()
    assert outcomes == {"none"}
    assert versions["B"] == default_rules().version != versions["A"]
    assert sorted(noted) == sorted(set(versions.values()))
    assert used[versions["A"]]["rebound"]["added_m2"] == 1e6


REBOUND = Question.REBOUND
