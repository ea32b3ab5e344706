"""Moves, versions and the history of a site: what people and imports do to it, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from shapely.geometry import Point, box

from cvpipe.domain import CandidateState, Move, Plan, Rung, Site, SiteStatus, Stage, StatusMove
from cvpipe.errors import IllegalMoveError, LedgerError, UnknownSiteError
from cvpipe.ledger import Ledger, SiteState
from cvpipe.ledger.records import Reminders
from tests.ledger import samples

S = SiteStatus
CODE = samples.FULL_SITE.code


def status(ledger: Ledger, code: str = CODE) -> SiteStatus:
    """What people hold of a site."""
    return ledger.sites([code])[0].status


def test_once_round(filled: Ledger) -> None:
    way = (S.DEMOLISHED, S.CLEARED, S.CLOSED, S.REBOUND, S.CLEARED, S.CLOSED, S.IN_PROGRESS)
    made = [filled.move_site(CODE, becomes, who="leader", reason="seen on the ground").value for becomes in way]
    assert [m.move.value for m in made] == [
        "advance",
        "advance",
        "close",
        "confirm_rebound",
        "advance",
        "close",
        "reopen",
    ]
    assert [entry.value for entry in filled.moves(CODE)] == made
    assert status(filled) is S.IN_PROGRESS
    assert filled.verify().problems == ()


def test_an_illegal_move_leaves_the_ledger_as_it_was(filled: Ledger) -> None:
    before = filled.audit()
    with pytest.raises(IllegalMoveError, match=r"from in_progress it cannot become closed. Legal from here"):
        filled.move_site(CODE, S.CLOSED, who="leader")
    with pytest.raises(LedgerError, match="the reason to exempt the site is missing"):
        filled.move_site(CODE, S.EXEMPT, who="leader")
    with pytest.raises(LedgerError, match="who moves the site is missing"):
        filled.move_site(CODE, S.CLEARED, who=" ")
    with pytest.raises(UnknownSiteError):
        filled.move_site("nobody", S.CLEARED, who="leader")
    assert (status(filled), filled.moves(), filled.audit()) == (S.IN_PROGRESS, [], before)


def test_what_the_machine_sees_moves_nothing(filled: Ledger) -> None:
    rebound = replace(samples.assessment(CODE, "rebound"), observed_status=S.REBOUND)
    filled.record(1, rebound)
    filled.settle(CODE, lambda _: SiteState(CODE, Stage.REBOUND, Rung.SCENE), "rules-1")
    assert (status(filled), filled.observed()[CODE].status) == (S.IN_PROGRESS, S.REBOUND)
    assert filled.moves() == []
    for claimed in (S.CLOSED, S.EXEMPT):
        with pytest.raises(LedgerError, match=f"cannot see that a site is {claimed}"):
            filled.record(1, replace(rebound, key=claimed, observed_status=claimed))


def test_an_import_moves_sites_the_legal_way_only(ledger: Ledger) -> None:
    ledger.put_sites([samples.site("A"), samples.site("B", status=S.CLEARED)], source="first.csv")
    news = [samples.site("A", status=S.DEMOLISHED), samples.site("B", status=S.CLOSED)]
    assert ledger.put_sites(news, source="second.csv").changed == ("A", "B")
    assert [entry.value for entry in ledger.moves()] == [
        StatusMove("A", S.REGISTERED, S.DEMOLISHED, Move.ADVANCE, "import", "second.csv"),
        StatusMove("B", S.CLEARED, S.CLOSED, Move.CLOSE, "import", "second.csv"),
    ]
    assert ledger.verify().problems == ()


@pytest.mark.parametrize("dry_run", [False, True])
def test_an_illegal_status_keeps_the_whole_import_out(ledger: Ledger, dry_run: bool) -> None:
    ledger.put_sites([samples.site("A"), samples.site("B"), samples.site("C")], source="first.csv")
    before = ledger.audit()
    news = [samples.site(code, status=S.CLOSED) for code in ("A", "B")] + [samples.site("C", name="new")]
    with pytest.raises(IllegalMoveError, match=r"A: from registered .* .1 more sites are refused likewise.\. N"):
        ledger.put_sites(news, source="second.csv", dry_run=dry_run)
    assert ledger.audit() == before


def test_sites_with_an_illegal_status_may_be_left_out(ledger: Ledger) -> None:
    ledger.put_sites([samples.site("A"), samples.site("B")], source="first.csv")
    news = [samples.site("A", status=S.REBOUND, name="x"), samples.site("B", name="new")]
    summary = ledger.put_sites(news, source="second.csv", skip_illegal=True)
    assert summary.changed == ("B",)
    assert list(summary.illegal_moves) == ["A"]
    assert [(site.name, site.status) for site in ledger.sites()] == [("", S.REGISTERED), ("new", S.REGISTERED)]


def test_a_version_begins_where_outline_or_plan_changes(ledger: Ledger) -> None:
    first = samples.site("A", geometry=Point(116.2, 39.9))
    told = [first, replace(first, name="new"), replace(first, name="new", buffer_m=30.0)]
    told.append(replace(told[-1], plan=Plan(rules={"rebound": {"added_m2": 10.0}}, due_date=date(2017, 6, 30))))
    told.append(replace(told[-1], geometry=box(116.2, 39.9, 116.21, 39.91)))
    for number, site in enumerate(told):
        ledger.put_sites([site], source=f"{number}.csv")
    versions = ledger.versions("A")
    assert [v.version for v in versions] == [1, 2, 3, 4]
    assert [v.buffer_m for v in versions] == [15.0, 30.0, 30.0, 30.0]
    assert [v.plan for v in versions] == [Plan(), Plan(), told[-1].plan, told[-1].plan]
    assert ledger.sites() == [told[-1]]
    assert ledger.sites()[0].version == 4
    assert ledger.verify().problems == ()
    with pytest.raises(UnknownSiteError):
        ledger.versions("B")


def test_an_assessment_is_of_the_version_that_was_looked_at(filled: Ledger) -> None:
    """A site may move while a run is at work on it."""
    looked_at = filled.sites(["SJS-002"])[0]
    filled.put_sites([replace(looked_at, geometry=box(1, 1, 2, 2))], source="meanwhile.csv")
    filled.record(1, samples.assessment("SJS-002", "meanwhile"), site_version=looked_at.version)
    filled.record(1, samples.assessment("SJS-002", "now"))
    old, new = filled.assessments("SJS-002")
    assert (old.site_version, old.outline) == (1, looked_at.geometry)
    assert (new.site_version, new.outline) == (2, box(1, 1, 2, 2))
    with pytest.raises(LedgerError, match="site SJS-002 has no version 7"):
        filled.record(1, samples.assessment("SJS-002", "never"), site_version=7)


def test_reminders_tell_what_waits_on_a_day(ledger: Ledger) -> None:
    today = date(2017, 7, 1)
    ledger.put_campaign(samples.CAMPAIGN)
    ledger.put_batch(samples.BATCH)  # due on 2016-08-31
    ledger.put_sites(
        [
            samples.site("own date", plan=Plan(due_date=date(2017, 6, 30))),
            samples.site("date of its batch", batch=samples.BATCH.name),
            samples.site("own date goes first", batch=samples.BATCH.name, plan=Plan(due_date=today)),
            samples.site("done", batch=samples.BATCH.name, status=S.CLEARED),
            samples.site("kept", batch=samples.BATCH.name, status=S.EXEMPT),
            samples.site("no date"),
        ],
        source="test",
    )
    ledger.move_site("done", S.CLOSED, who="leader", recheck_on=today)
    ledger.recheck("kept", date(2017, 7, 2), who="leader")
    ledger.raise_finding(replace(samples.FINDING, site_code="done", due_date=date(2017, 6, 30)))
    ledger.raise_finding(replace(samples.FINDING, site_code="done", due_date=today))
    assert ledger.reminders(today) == Reminders(today, 2, 2, 1, 1)
    assert ledger.verify().problems == ()


def test_a_recheck_goes_with_the_next_move(filled: Ledger) -> None:
    filled.recheck(CODE, date(2017, 9, 1), who="leader")
    assert filled.sites([CODE])[0].recheck_on == date(2017, 9, 1)
    filled.move_site(CODE, S.CLEARED, who="leader")
    assert filled.sites([CODE])[0].recheck_on is None


def test_the_whole_life_in_order(filled: Ledger) -> None:
    samples.live(filled)
    moved: Site = filled.sites([CODE])[0]
    filled.put_sites([replace(moved, geometry=Point(116.3, 39.9), name="南院")], source="august.xlsx")
    filled.resolve_finding(1, who="inspector", resolution="运走")
    filled.settle_candidate(1, CandidateState.ADOPTED, who="reviewer 1", site_code=CODE)
    told = [(h.kind, h.action, h.who, h.sentence) for h in filled.history(CODE)]
    name = samples.FULL_SITE.name
    assert told == [
        ("site", "added", "", "as in_progress, outline and plan, version 1, from sites.geojson"),
        (
            "assessment",
            "recorded",
            "",
            "2015-10-01 → 2017-07-01: demolition complete, clearance not assessable; seen as demolished"
            " (run 1, version 1)",
        ),
        ("move", "advance", "inspector", "in_progress → demolished"),
        (
            "decision",
            "entered",
            "reviewer 1",
            "clearance: not met: rubble left: 北侧堆料; second reviewer reviewer 2",
        ),
        ("finding", "raised", "inspector", "finding 1: 清运渣土, due 2017-07-31"),
        ("inspection", "entered", "inspector", "on 2017-07-10: not clear: 渣土"),
        ("attachment", "entered", "", "北门.jpg (image/jpeg, 2048 bytes, taken on 2017-07-10)"),
        ("label", "entered", "reviewer 1", "outlines corrected by hand: 1 change"),
        ("site", "changed", "", f"geom; name: {name} → 南院, outline and plan, version 2, from august.xlsx"),
        ("finding", "resolved", "inspector", "finding 1: 清运渣土: 运走"),
        ("candidate", "adopted", "reviewer 1", "candidate 1"),
    ]
    assert [h.at for h in filled.history(CODE)] == sorted(h.at for h in filled.history(CODE))
