"""What goes into the ledger comes out of it unchanged, also after closing and opening it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from shapely import from_wkt
from shapely.geometry import box

from cvpipe.domain import Assessment, Outcome, Question, Reason, SiteStatus, Verdict
from cvpipe.errors import LedgerError
from cvpipe.ledger import Ledger
from tests.ledger import samples


@pytest.mark.parametrize(
    "wkt",
    [
        "POINT (116.123456789012345 39.1)",
        "MULTIPOINT ((1 2), (3 4))",
        "LINESTRING (0 0, 1 1, 2 0)",
        "MULTILINESTRING ((0 0, 1 1), (2 2, 3 3))",
        "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 2 1, 2 2, 1 1))",
        "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), ((5 5, 6 5, 6 6, 5 5)))",
        "POLYGON Z ((0 0 1, 4 0 2, 4 4 3, 0 0 1))",
    ],
)
def test_geometry_keeps_its_kind_and_every_digit(ledger: Ledger, wkt: str) -> None:
    given = samples.site("A", geometry=from_wkt(wkt))
    ledger.put_sites([given], source="test")
    (found,) = ledger.sites()
    assert found.geometry.equals_exact(given.geometry, 0)
    assert found.geometry.geom_type == given.geometry.geom_type
    assert found.geometry.has_z == given.geometry.has_z


def test_site_with_every_field(ledger: Ledger) -> None:
    ledger.put_sites([samples.FULL_SITE], source="test")
    ledger.close()
    with Ledger.open(ledger.place) as again:
        (found,) = again.sites()
        assert found == samples.FULL_SITE
        assert list(found.attributes) == list(samples.FULL_SITE.attributes), "columns keep their order"


def test_site_with_the_least(ledger: Ledger) -> None:
    ledger.put_sites([samples.site("A")], source="test")
    assert ledger.sites() == [samples.site("A")]


def test_scenes_come_by_date(ledger: Ledger) -> None:
    late, early = samples.scene("h2", date(2017, 7, 1)), samples.scene("h1", date(2015, 10, 1))
    assert ledger.add_scene(late)
    assert ledger.add_scene(early)
    assert ledger.scenes() == [early, late]


def test_assessment_with_everything(filled: Ledger) -> None:
    (record,) = filled.assessments()
    assert record.assessment == samples.assessment(samples.FULL_SITE.code, "key-1")
    assert (record.before_date, record.after_date) == (date(2015, 10, 1), date(2017, 7, 1))
    assert record.created_at.tzinfo == UTC
    age = datetime.now(UTC) - record.created_at  # the ledger is a copy of one that was filled as the tests began
    assert timedelta() <= age < timedelta(minutes=29), "less than the smallest offset of a local time"


def test_assessment_without_a_scene(filled: Ledger) -> None:
    verdict = Verdict(Question.DEMOLITION, Outcome.NOT_ASSESSABLE, (), Reason.NO_SCENE, "no scene shows it", True)
    nothing = Assessment("SJS-002", "key-2", None, None, "sha256:b", "1", None, (verdict,))
    filled.record(samples.begin_run(filled), nothing)
    (record,) = filled.assessments("SJS-002")
    assert record.assessment == nothing
    assert (record.before_date, record.after_date) == (None, None)


def test_run(ledger: Ledger) -> None:
    run_id = samples.begin_run(ledger)
    (going_on,) = ledger.runs()
    assert (going_on.id, going_on.finished_at, going_on.counts) == (run_id, None, {})
    ledger.finish_run(run_id, {"assessed": 3})
    (finished,) = ledger.runs()
    assert finished == replace(going_on, finished_at=finished.finished_at, counts={"assessed": 3})
    assert finished.settings == {"margin_m": 30.0, "device": "cpu"}
    assert finished.machine == {"cores": 2}
    assert finished.finished_at is not None
    assert finished.finished_at >= finished.started_at


def test_run_ends_once(ledger: Ledger) -> None:
    run_id = samples.begin_run(ledger)
    ledger.finish_run(run_id, {})
    with pytest.raises(LedgerError, match="finished already"):
        ledger.finish_run(run_id, {})


def test_assessments_come_by_site_and_later_epoch(filled: Ledger) -> None:
    filled.add_scene(samples.scene("h2016", date(2016, 7, 1)))
    run_id = samples.begin_run(filled)
    filled.record(run_id, samples.assessment("SJS-002", "b"))
    filled.record(run_id, samples.assessment(samples.FULL_SITE.code, "a", after="h2016"))
    assert [record.assessment.key for record in filled.assessments()] == ["a", "key-1", "b"]


def test_sites_in_a_window_touch_it(ledger: Ledger) -> None:
    inside, edge, outside = (
        samples.site(code, geometry=box(x, 0, x + 1, 1)) for code, x in zip("cba", (0, 2, 3), strict=True)
    )
    ledger.put_sites([inside, edge, outside], source="test")
    assert [site.code for site in ledger.sites_in((0.5, 0.5, 2.0, 2.0))] == ["b", "c"]


def test_totals_by_owner_system(ledger: Ledger) -> None:
    closed, rebound = SiteStatus.CLOSED, SiteStatus.REBOUND
    ledger.put_sites(
        [
            samples.site("1", owner_system="collective", land=100.0, status=closed),
            samples.site("2", owner_system="collective", land=50.0, status=SiteStatus.CLEARED),
            samples.site("3", owner_system="state", land=7.0, building_area_m2=3.0, status=rebound),
            samples.site("4"),
            samples.site("5", owner_system="collective"),
        ],
        source="test",
    )
    rows = [(t.owner_system, t.sites, t.land_m2, t.building_m2, t.completed) for t in ledger.totals_by_owner_system()]
    assert rows == [
        ("collective", 3, 150.0, 0.0, 2),
        ("", 1, 0.0, 0.0, 0),
        ("state", 1, 7.0, 3.0, 0),
        (None, 5, 157.0, 3.0, 2),
    ]
