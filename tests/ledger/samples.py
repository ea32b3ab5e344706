"""Sites, scenes and assessments to put into ledgers, each with every field filled unless told otherwise."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date
from pathlib import Path

from shapely.geometry import Point, Polygon, box

from cvpipe.domain import (
    Account,
    Assessment,
    Attachment,
    Batch,
    Campaign,
    Candidate,
    Change,
    ChangeKind,
    Criterion,
    Decision,
    Figure,
    Finding,
    Inspection,
    InspectionResult,
    Label,
    LogInOutcome,
    Measurements,
    Outcome,
    Plan,
    Question,
    Reason,
    Registration,
    Remnant,
    Role,
    Rung,
    Sample,
    SampleResult,
    SampleUnit,
    Scene,
    Sighting,
    Site,
    SiteStatus,
    Spread,
    Stage,
    Stratum,
    Surface,
    VegetationIndex,
    Verdict,
)
from cvpipe.ledger import Ledger, SiteState

SQUARE = box(116.2, 39.9, 116.21, 39.91)

FULL_SITE = Site(
    code="SJS-001",
    geometry=Polygon(
        [(116.1, 39.9), (116.2, 39.9), (116.2, 40.0)], [[(116.15, 39.91), (116.16, 39.91), (116.16, 39.92)]]
    ),
    name="北院 “A” — café",
    sub_district="八角街道",
    community="北里社区",
    owner_system="集体经济",
    batch="2016-1",
    buffer_m=12.5,
    land_area_m2=2000 / 3,
    building_area_m2=0.1 + 0.2,
    plan=Plan(100.5, 50.25, 0.3, Point(116.15, 39.93).buffer(0.001), date(2015, 11, 6), date(2017, 6, 30)),
    status=SiteStatus.IN_PROGRESS,
    attributes={"备注": "靠近铁路", "floors": 2, "share": 0.1, "open": True, "tags": ["a", 1], "none": None},
)


def site(code: str, *, owner_system: str = "", land: float | None = None, **fields: object) -> Site:
    """A small square site."""
    plain = Site(code, SQUARE, owner_system=owner_system, land_area_m2=land)
    return replace(plain, **fields)  # type: ignore[arg-type]


def scene(content_hash: str, acquired: date, uri: str = "scene.tif") -> Scene:
    """A scene that shows the square."""
    return Scene(uri, acquired, content_hash, box(116, 39, 117, 40), 0.3, "EPSG:32650", 800, 600, 3, "uint8")


def assessment(site_code: str, key: str, *, before: str | None = "h2015", after: str | None = "h2017") -> Assessment:
    """A site whose only structure gave way to rubble, with two changes."""
    measured = Measurements(
        site_area_m2=1000.5,
        valid_share=0.97,
        surface_before_m2={Surface.STRUCTURE: 400.25, Surface.NO_DATA: 0.0},
        surface_after_m2={Surface.RUBBLE: 1 / 3, Surface.VEGETATION: 12.0},
        change_m2={ChangeKind.STRUCTURE_REMOVED: 400.25, ChangeKind.GREEN_ADDED: 12.0},
        retained_m2=3.0,
        registration=Registration((1.25, -2.5), 0.1, 0.9, (0.0, -0.01, 0.01, 0.0), tuple(n / 8 for n in range(50))),
        index=VegetationIndex(0.125, 0.5, 310.0),
        reasons=(Reason.SHADOW,),
        spreads={Figure.RUBBLE: Spread(1 / 3, 0.7, 11.25, 0.0)},
        left=(Remnant(Surface.RUBBLE, box(116.2, 39.9, 116.2000001, 39.9000001), 1 / 3),),
    )
    criteria = (
        Criterion("removed share", 1.0, "", 0.95, True),
        Criterion("rubble", 1 / 3, "m²", interval=(0.0, 2 / 3)),
    )
    verdicts = (
        Verdict(Question.DEMOLITION, Outcome.COMPLETE, criteria, None, "all of 400 m² is gone", False),
        Verdict(Question.CLEARANCE, Outcome.NOT_ASSESSABLE, (), Reason.SHADOW, "in shadow", True),
    )
    changes = (
        Change(ChangeKind.STRUCTURE_REMOVED, box(116.2, 39.9, 116.205, 39.905), 400.25, 0.93),
        Change(ChangeKind.GREEN_ADDED, box(116.206, 39.9, 116.207, 39.901), 12.0, 0.71),
    )
    return Assessment(
        site_code, key, before, after, "sha256:b", "1", measured, verdicts, changes, SiteStatus.DEMOLISHED
    )


def begin_run(ledger: Ledger) -> int:
    """A run with plain settings."""
    return ledger.begin_run(
        settings={"margin_m": 30.0, "device": "cpu"},
        code_version="0.1.0",
        bundle="cvpipe-s",
        bundle_digest="sha256:b",
        rules_version="1",
        machine={"cores": 2},
    )


def fill(ledger: Ledger) -> int:
    """Two sites, two scenes, and a run with one assessment of the first site; returns the run's id."""
    ledger.put_sites([FULL_SITE, site("SJS-002")], source="sites.geojson")
    ledger.add_scene(scene("h2015", date(2015, 10, 1), "before.tif"))
    ledger.add_scene(scene("h2017", date(2017, 7, 1), "after.tif"))
    run_id = begin_run(ledger)
    ledger.record(run_id, assessment(FULL_SITE.code, "key-1"))
    ledger.finish_run(run_id, {"assessed": 1})
    return run_id


CAMPAIGN = Campaign("疏解整治", date(2015, 11, 6), date(2017, 6, 30), 528, 1_000_000.0, 210_000.5)
BATCH = Batch("2016-1", "疏解整治", date(2016, 8, 31))
DECISION = Decision(
    FULL_SITE.code,
    "reviewer 1",
    Question.CLEARANCE,
    Outcome.NOT_MET,
    assessment_key="key-1",
    reason="rubble left",
    note="北侧堆料",
    seconds=12.5,
    second_reviewer="reviewer 2",
)
FINDING = Finding(FULL_SITE.code, "清运渣土", date(2017, 7, 31), "inspector")
INSPECTION = Inspection(FULL_SITE.code, date(2017, 7, 10), InspectionResult.NOT_CLEAR, "inspector", "渣土")
CANDIDATE = Candidate(SQUARE, ChangeKind.STRUCTURE_ADDED, 85.5, 0.75, date(2017, 7, 1), date(2017, 7, 1))
ATTACHMENT = Attachment(
    FULL_SITE.code, "北门.jpg", "image/jpeg", "a" * 64, 2048, "photos/1.jpg", date(2017, 7, 10), Point(116.15, 39.95)
)
ACCOUNT = Account("reviewer 1", Role.REVIEWER, "$argon2id$v=19$made-up")
LABEL = Label(
    FULL_SITE.code,
    "key-1",
    "reviewer 1",
    SQUARE,
    (Change(ChangeKind.STRUCTURE_REMOVED, box(116.2, 39.9, 116.204, 39.904), 350.5, 1.0),),
)


def live(ledger: Ledger) -> None:
    """What people add to a filled ledger: a row in every table that `fill` leaves empty."""
    ledger.put_campaign(CAMPAIGN)
    ledger.put_batch(BATCH)
    ledger.move_site(FULL_SITE.code, SiteStatus.DEMOLISHED, who="inspector")
    ledger.decide(DECISION)
    ledger.raise_finding(FINDING)
    ledger.inspect(INSPECTION)
    ledger.attach(ATTACHMENT)
    ledger.add_candidate(CANDIDATE)
    ledger.put_account(ACCOUNT)
    ledger.note_log_in(ACCOUNT.name, LogInOutcome.ACCEPTED)
    ledger.label(LABEL)


SAMPLE = Sample(
    7,
    2,
    "leader",
    (Stratum("cleared, 0-500 m²", (FULL_SITE.code, "SJS-002"), {"site_area_m2": 812.5}, 2),),
    (
        SampleUnit(FULL_SITE.code, "cleared, 0-500 m²", 1.0, {"clearance": "met"}, {"site_area_m2": 400.25}, "key-1"),
        SampleUnit("SJS-002", "cleared, 0-500 m²", 1.0, {}, {"site_area_m2": 412.25}),
    ),
    (500.0, 2000.0),
)
RESULT = SampleResult(
    1,
    FULL_SITE.code,
    date(2017, 8, 3),
    "inspector 2",
    {"clearance": "not_met"},
    {"rubble_left_m2": 35.5},
    "北侧堆料",
)
SIGHTING = Sighting(
    FULL_SITE.code, Stage.DEMOLISHED, Rung.PROVISIONAL, date(2017, 7, 1), date(2015, 10, 1), None, 400.25
)


def see(ledger: Ledger) -> None:
    """What the pictures and a sample add to a filled ledger: a row in every table that the others leave empty."""
    state = SiteState(FULL_SITE.code, Stage.DEMOLISHED, Rung.PROVISIONAL, date(2017, 7, 1), sightings=(SIGHTING,))
    ledger.settle(FULL_SITE.code, lambda _: state, "rules-1")
    ledger.draw_sample(SAMPLE)
    ledger.record_sample([RESULT])


def file_hash(path: Path) -> str:
    """Digest of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
