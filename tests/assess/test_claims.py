"""What people hold of sites against what was seen of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from shapely import Point

from cvpipe.assess.claims import ClaimKind, claim_kind, claims
from cvpipe.domain import Outcome, Rung, Site, SiteStatus, Stage
from cvpipe.ledger.records import SiteState

S = SiteStatus


def site(status: SiteStatus, code: str = "A", owner: str = "", sub_district: str = "") -> Site:
    """A site that people hold to be so."""
    return Site(code, Point(116.2, 39.9), status=status, owner_system=owner, sub_district=sub_district)


def state(stage: Stage | None, **fields: object) -> SiteState:
    """A site that was seen so."""
    return replace(SiteState("A", stage, Rung.SCENE, date(2017, 5, 1)), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "stage", "kind"),
    [
        (S.REGISTERED, Stage.STANDING, None),
        (S.DEMOLISHED, Stage.STANDING, ClaimKind.STANDS),
        (S.CLEARED, Stage.IN_PROGRESS, ClaimKind.STANDS),
        (S.CLOSED, Stage.STANDING, ClaimKind.STANDS),
        (S.DEMOLISHED, Stage.DEMOLISHED, None),
        (S.CLEARED, Stage.DEMOLISHED, ClaimKind.NOT_CLEAR),
        (S.CLOSED, Stage.CLEARED, None),
        (S.CLOSED, Stage.REBOUND, ClaimKind.REBUILT),
        (S.REBOUND, Stage.REBOUND, None),
        (S.REGISTERED, Stage.CLEARED, ClaimKind.LEDGER_BEHIND),
        (S.IN_PROGRESS, Stage.DEMOLISHED, ClaimKind.LEDGER_BEHIND),
        (S.EXEMPT, Stage.STANDING, None),
        (S.CLOSED, None, None),
    ],
)
def test_what_contradicts_what(status: SiteStatus, stage: Stage | None, kind: ClaimKind | None) -> None:
    assert claim_kind(site(status), state(stage)) is kind


def test_a_closed_site_whose_green_is_not_there() -> None:
    assert claim_kind(site(S.CLOSED), state(Stage.CLEARED, greening=Outcome.NOT_MET)) is ClaimKind.NOT_GREEN
    assert claim_kind(site(S.CLOSED), state(Stage.CLEARED, greening=Outcome.NONE)) is None
    assert claim_kind(site(S.CLEARED), state(Stage.CLEARED, greening=Outcome.NOT_MET)) is None


def test_the_list_goes_by_owner_system_and_sub_district_the_gravest_first() -> None:
    rows = [
        (site(S.CLEARED, "B1", "state", "north"), state(Stage.DEMOLISHED)),
        (site(S.CLOSED, "B2", "state", "north"), state(Stage.REBOUND)),
        (site(S.CLOSED, "A1", "collective", "south"), state(Stage.STANDING)),
        (site(S.REGISTERED, "A2", "collective", "east"), state(Stage.CLEARED)),
        (site(S.CLOSED, "A3", "collective", "east"), state(Stage.CLEARED)),
    ]
    found = claims([row for row, _ in rows], {row.code: replace(seen, site_code=row.code) for row, seen in rows})
    assert [(c.site_code, c.kind) for c in found] == [
        ("A2", ClaimKind.LEDGER_BEHIND),
        ("A1", ClaimKind.STANDS),
        ("B2", ClaimKind.REBUILT),
        ("B1", ClaimKind.NOT_CLEAR),
    ]
    assert found[1].since == date(2017, 5, 1)


def test_a_site_that_nobody_looked_at_claims_nothing_in_vain() -> None:
    assert claims([site(S.CLOSED)], {}) == []
