"""Putting sites: what is new, what differs, and that nothing lands when something is wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest
from shapely.geometry import Point, Polygon, box

from cvpipe.domain import Plan, Rung, Site, SiteStatus, Stage
from cvpipe.errors import LedgerError, UnknownSiteError
from cvpipe.ledger import Ledger, SiteState
from tests.ledger import samples


def test_added_changed_unchanged(ledger: Ledger) -> None:
    ledger.put_sites([samples.site("A"), samples.site("B")], source="first.csv")
    summary = ledger.put_sites(
        [samples.site("B", name="new"), samples.site("C"), samples.site("A")], source="second.csv"
    )
    assert (summary.added, summary.changed, summary.unchanged) == (("C",), ("B",), ("A",))
    assert summary.differences == {"B": ("name",)}
    assert [site.name for site in ledger.sites()] == ["", "new", ""]


def test_unchanged_sites_leave_no_trace(ledger: Ledger) -> None:
    ledger.put_sites([samples.FULL_SITE], source="test")
    before = ledger.audit()
    ledger.put_sites([samples.FULL_SITE], source="test")
    assert ledger.audit() == before


def test_a_changed_outline_is_kept_in_the_audit_trail(ledger: Ledger) -> None:
    ledger.put_sites([samples.site("A", geometry=Point(1, 2))], source="first.csv")
    ledger.put_sites([samples.site("A", geometry=Point(3, 4))], source="second.csv")
    added, changed = ledger.audit("A")
    assert (added.action, added.details["source"]) == ("added", "first.csv")
    assert changed.details["was"] == {"geom": {"type": "Point", "coordinates": [1.0, 2.0]}}
    assert changed.details["becomes"] == {"geom": {"type": "Point", "coordinates": [3.0, 4.0]}}
    assert ledger.sites_in((2.5, 3.5, 3.5, 4.5)) == [samples.site("A", geometry=Point(3, 4))]


def test_only_what_is_stated_changes(ledger: Ledger) -> None:
    ledger.put_sites([samples.FULL_SITE], source="test")
    said = Site(
        samples.FULL_SITE.code, samples.SQUARE, name="new", plan=Plan(green_ratio=0.5), attributes={"floors": 3}
    )
    stated = {said.code: {"code", "name", "green_ratio", "attributes"}}
    summary = ledger.put_sites([said], source="test", stated=stated)
    assert summary.differences == {said.code: ("name", "green_ratio", "attributes")}
    expected = replace(
        samples.FULL_SITE,
        name="new",
        plan=replace(samples.FULL_SITE.plan, green_ratio=0.5),
        attributes={**samples.FULL_SITE.attributes, "floors": 3},
    )
    assert ledger.sites() == [expected]


def test_dry_run_writes_nothing(ledger: Ledger) -> None:
    ledger.put_sites([samples.site("A")], source="test")
    before = ledger.audit()
    summary = ledger.put_sites([samples.site("A", name="x"), samples.site("B")], source="test", dry_run=True)
    assert (summary.added, summary.changed, summary.dry_run) == (("B",), ("A",), True)
    assert ledger.sites() == [samples.site("A")]
    assert ledger.audit() == before


def test_what_the_machine_saw_survives_an_import(filled: Ledger) -> None:
    code = samples.FULL_SITE.code
    filled.settle(code, lambda _: SiteState(code, Stage.DEMOLISHED, Rung.SCENE), "rules-1")
    seen = filled.observed()
    assert seen[code].status is SiteStatus.DEMOLISHED
    filled.put_sites([replace(samples.FULL_SITE, name="renamed")], source="test")
    assert filled.observed() == seen


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (samples.site("A"), "given 2 times"),
        (samples.site(""), "no code"),
        (samples.site("B", geometry=Polygon()), "no place"),
        (samples.site("B", geometry=box(4e5, 4e6, 5e5, 5e6)), "no place"),
        (samples.site("B", geometry=Point(float("nan"), 1)), "no place"),
        (samples.site("B", attributes={"x": float("nan")}), "JSON"),
        (samples.site("B", attributes={"x": object()}), "JSON"),
    ],
)
def test_one_bad_site_keeps_all_out(ledger: Ledger, bad: Site, message: str) -> None:
    with pytest.raises(LedgerError, match=message):
        ledger.put_sites([samples.site("A"), bad], source="test")
    assert ledger.sites() == []
    assert ledger.audit() == []


def test_unknown_code_names_close_ones(filled: Ledger) -> None:
    with pytest.raises(UnknownSiteError, match=r"'SJS-01'\. Did you mean SJS-001"):
        filled.sites(["SJS-002", "SJS-01"])


def test_sites_by_code_come_in_order(filled: Ledger) -> None:
    assert [site.code for site in filled.sites(["SJS-002", "SJS-001"])] == ["SJS-001", "SJS-002"]


def test_more_sites_than_one_query_takes(ledger: Ledger) -> None:
    many = [samples.site(f"{number:04}") for number in range(2500)]
    ledger.put_sites(many, source="test")
    assert ledger.put_sites(many, source="test").unchanged == tuple(site.code for site in many)
    assert ledger.verify().problems == ()
