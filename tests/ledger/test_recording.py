"""Assessments land exactly once, whole, and without rewriting what is there."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from shapely.geometry import Point, Polygon, box
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select

from cvpipe.domain import Assessment, Change, ChangeKind, Measurements, Registration, SiteStatus
from cvpipe.errors import LedgerError
from cvpipe.geo import area_m2
from cvpipe.ledger import Ledger, Observed, assessment_rows, audit, store
from cvpipe.ledger.schema import assessments
from tests.ledger import samples
from tests.ledger.conftest import Store

#: Refused when the assessment itself is already written: all of it must go again.
EMPTY_CHANGE = Change(ChangeKind.GREEN_ADDED, Polygon(), 1.0, 0.5)
UNMEASURED = Measurements(float("nan"), 1.0, {}, {}, {})


def test_the_same_key_is_recorded_once(filled: Ledger) -> None:
    before = filled.assessments(), filled.audit()
    assert not filled.record(1, samples.assessment(samples.FULL_SITE.code, "key-1"))
    assert (filled.assessments(), filled.audit()) == before
    assert filled.known_keys(["key-1", "key-2"]) == {"key-1"}


@pytest.mark.parametrize(
    ("run_id", "bad", "message"),
    [
        (1, samples.assessment("SJS-009", "key-2"), "no site has the code"),
        (7, samples.assessment("SJS-002", "key-2"), "no run 7"),
        (1, samples.assessment("SJS-002", "key-2", after="h2030"), "no scene has the content 'h2030'"),
        (1, replace(samples.assessment("SJS-002", "key-2"), changes=(EMPTY_CHANGE,)), "empty geometry"),
        (1, replace(samples.assessment("SJS-002", "key-2"), measurements=UNMEASURED), "cannot be stored as JSON"),
    ],
)
def test_what_cannot_be_recorded_leaves_nothing(filled: Ledger, run_id: int, bad: Assessment, message: str) -> None:
    before = filled.audit()
    with pytest.raises(LedgerError, match=message):
        filled.record(run_id, bad)
    assert filled.audit() == before
    assert filled.assessments("SJS-002") == []


def test_several_at_once_are_as_one_after_the_other(stores: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rows, numbers and hashes, to the end of the audit chain."""
    for module in (assessment_rows, audit):
        monkeypatch.setattr(module, "now", lambda: datetime(2026, 11, 29, tzinfo=UTC))
    code = samples.FULL_SITE.code
    blank = replace(samples.assessment("SJS-002", "blank"), measurements=None, changes=())
    found = [samples.assessment("SJS-002", "key-2"), blank, samples.assessment(code, "key-3")]
    again = [samples.assessment(code, "key-1"), *found, found[0]]
    heads, records = set(), []
    for together in (True, False):
        with Ledger.open(stores.copy("filled")) as ledger:
            if together:
                assert ledger.record_all(1, again) == [False, True, True, True, False]
            else:
                assert [ledger.record(1, one) for one in again] == [False, True, True, True, False]
            heads.add(ledger.verify().head)
            assert ledger.verify().problems == ()
            records.append(ledger.assessments())
    assert len(heads) == 1
    assert records[0] == records[1]
    assert len(records[0]) == 4


def test_one_that_cannot_be_recorded_keeps_all_of_them_out(filled: Ledger) -> None:
    before = filled.audit()
    with pytest.raises(LedgerError, match="no version 9"):
        filled.record_all(
            1,
            [samples.assessment(samples.FULL_SITE.code, "k"), samples.assessment("SJS-002", "l")],
            site_versions={"SJS-002": 9},
        )
    assert filled.audit() == before
    assert filled.known_keys(["k", "l"]) == set()


def test_one_assessment_says_nothing_of_where_the_site_stands(filled: Ledger) -> None:
    code = samples.FULL_SITE.code
    filled.add_scene(samples.scene("h2018", date(2018, 7, 1)))
    newer = replace(samples.assessment(code, "newer", after="h2018"), observed_status=SiteStatus.REBOUND)
    filled.record(1, newer)
    assert filled.assessments(code)[-1].assessment.observed_status is SiteStatus.REBOUND
    assert filled.observed()[code] == Observed(None, None), "it is settled from all epochs together"


def test_what_people_decided_is_left_alone(filled: Ledger) -> None:
    assert filled.sites([samples.FULL_SITE.code])[0].status is SiteStatus.IN_PROGRESS


def test_moved_scene_is_known_and_audited(filled: Ledger) -> None:
    assert not filled.add_scene(samples.scene("h2015", date(2015, 10, 1), "archive/before.tif"))
    assert filled.scenes()[0].uri == "archive/before.tif"
    last = filled.audit()[-1]
    assert (last.action, last.details) == ("moved", {"was": "before.tif", "becomes": "archive/before.tif"})
    assert not filled.add_scene(samples.scene("h2015", date(2015, 10, 1), "archive/before.tif"))
    assert filled.audit()[-1] == last


def test_the_same_picture_under_another_date_is_refused(filled: Ledger) -> None:
    with pytest.raises(LedgerError, match=r"already known as acquired on 2015-10-01, not 2016-01-01"):
        filled.add_scene(samples.scene("h2015", date(2016, 1, 1)))


def test_outline_of_a_point_is_its_surroundings(ledger: Ledger) -> None:
    samples.fill(ledger)
    ledger.put_sites([samples.site("P", geometry=Point(116.2, 39.9), buffer_m=100.0)], source="test")
    ledger.record(1, samples.assessment("P", "point"))
    outline = _outlines(ledger)["P"]
    assert area_m2(outline) == pytest.approx(3.1416 * 100**2, rel=0.01)


def test_outline_stays_when_the_site_moves(filled: Ledger) -> None:
    before = _outlines(filled)
    filled.put_sites([replace(samples.FULL_SITE, geometry=box(1, 1, 2, 2))], source="test")
    assert _outlines(filled) == before
    given = box(3, 3, 4, 4)
    filled.record(1, samples.assessment("SJS-002", "given"), outline=given)
    assert _outlines(filled)["SJS-002"] == given


def test_threads_do_not_lose_a_word(filled: Ledger) -> None:
    filled.put_sites([samples.site(f"T{number}") for number in range(4)], source="test")

    def write(number: int) -> list[bool]:
        with Ledger.open(filled.place) as own:
            # Every key is written by two threads; one of them must win.
            codes = [f"T{number // 2}"] * 5
            return [own.record(1, samples.assessment(code, f"{code}-{i}")) for i, code in enumerate(codes)]

    with ThreadPoolExecutor(4) as threads:
        written = [outcome for outcomes in threads.map(write, range(4)) for outcome in outcomes]
    assert sorted(written) == [False] * 10 + [True] * 10
    assert len(filled.assessments()) == 11
    assert filled.verify().problems == ()


def _outlines(ledger: Ledger) -> dict[str, BaseGeometry]:
    """Outlines of the assessments by site code, as they stand in their layer."""
    with store.reading(ledger._engine) as connection:
        found = connection.execute(select(assessments.c.site_code, assessments.c.geom))
        return {row.site_code: row.geom for row in found}


def test_a_shift_that_was_not_found_is_kept_as_such(filled: Ledger) -> None:
    told = samples.assessment("SJS-002", "unaligned")
    assert told.measurements is not None
    unknown = replace(told.measurements, registration=Registration((0.0, 0.0), math.inf, 0.1))
    assert filled.record(1, replace(told, measurements=unknown))
    kept = next(r.assessment for r in filled.assessments("SJS-002") if r.assessment.key == "unaligned")
    assert kept.measurements == unknown
