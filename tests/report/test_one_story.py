"""Report, queue, claims and public export tell one story of where sites stand: that of the confirmation ladder."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import openpyxl
import pytest

from cvpipe.assess import default_rules
from cvpipe.assess.claims import claims
from cvpipe.assess.settling import settle_sites
from cvpipe.assess.standing import VAIN_CLAIMS
from cvpipe.domain import Decision, Outcome, Question, ReviewReason, Rung, Stage
from cvpipe.ledger import Ledger, Workspace
from cvpipe.report import Campaign, Format, Scope, write_public, write_report
from cvpipe.report.words import Words
from cvpipe.report.writing import read_content
from cvpipe.settings import PublicSettings
from tests.report.neighbourhood import Neighbourhood

TODAY = date(2017, 6, 30)
COLUMNS = PublicSettings(columns=("code", "observed_status", "observed_rung", "observed_on"))


@pytest.fixture
def reviewed(drawn: Neighbourhood, tmp_path: Path) -> Iterator[Ledger]:
    """A rebound with one opinion on it, a clearance that two overruled, one that was undone, and two who disagree."""
    shutil.copytree(drawn.workspace, tmp_path / "workspace")
    with Workspace.open(tmp_path / "workspace").ledger() as ledger:
        _decide(ledger, "L-004", "first", Question.REBOUND, Outcome.NONE)
        for who in ("first", "second"):
            _decide(ledger, "L-001", who, Question.CLEARANCE, Outcome.NOT_MET)
        undone = _decide(ledger, "L-003", "first", Question.CLEARANCE, Outcome.NOT_ASSESSABLE)
        withdrawn = replace(undone, reason=ReviewReason.WITHDRAWN.value, supersedes=ledger.decisions("L-003")[-1].id)
        ledger.decide(withdrawn)
        for who, verdict in (("first", Outcome.COMPLETE), ("second", Outcome.NONE)):
            _decide(ledger, "L-002", who, Question.DEMOLITION, verdict)
        assert settle_sites(ledger, default_rules()) == {}
        yield ledger


def _decide(ledger: Ledger, code: str, who: str, question: Question, verdict: Outcome) -> Decision:
    """Decide on grounds of the newest assessment that answers the question."""
    key = next(
        record.assessment.key
        for record in reversed(ledger.assessments(code))
        if any(given.question is question for given in record.assessment.verdicts)
    )
    return ledger.decide(Decision(code, who, question, verdict, key)).value


def test_the_ladder_is_what_people_settled_and_pictures_show(reviewed: Ledger) -> None:
    states = reviewed.states()
    assert (states["L-001"].stage, states["L-001"].rung) == (Stage.DEMOLISHED, Rung.PERSON)
    assert (states["L-002"].stage, states["L-002"].rung) == (Stage.IN_PROGRESS, Rung.SCENE)
    assert (states["L-003"].stage, states["L-003"].rung) == (Stage.DEMOLISHED, Rung.SCENE)
    assert (states["L-004"].stage, states["L-004"].rung) == (Stage.REBOUND, Rung.PROVISIONAL)
    assert (states["L-005"].stage, states["L-007"].stage) == (None, None)
    queued = {item.site_code: item for item in reviewed.review_queue(TODAY)}
    assert Question.REBOUND in queued["L-004"].questions, "one opinion of two leaves it waiting"


def test_every_way_out_says_where_the_ladder_says(reviewed: Ledger, tmp_path: Path) -> None:
    states, words = reviewed.states(), Words("en")
    seen = {code: (state.observed_status, state.rung, state.last_seen) for code, state in states.items()}
    assert {code: (one.status, one.on) for code, one in reviewed.observed().items()} == {
        code: (status, on) for code, (status, _, on) in seen.items()
    }
    formats = [Format.JSON, Format.XLSX, Format.HTML]
    written = write_report(reviewed, Campaign("Hills"), tmp_path / "report", formats=formats, made_on=TODAY)
    told = json.loads((tmp_path / "report" / "summary.json").read_text("utf-8"))["sites"]
    assert {one["code"]: (one["observed_status"], one["observed_rung"], one["observed_on"]) for one in told} == {
        code: (status, rung, on and on.isoformat()) for code, (status, rung, on) in seen.items()
    }
    rows = list(openpyxl.load_workbook(tmp_path / "report" / "report.xlsx")["Sites"].iter_rows(values_only=True))
    at = [list(rows[0]).index(head) for head in (words.code, words.observed, words.how_sure)]
    assert {tuple(row[i] for i in at) for row in rows[1:]} == {
        (code, words.site_status(status), words.rung(rung)) for code, (status, rung, _) in seen.items()
    }
    page = (tmp_path / "report" / "index.html").read_text("utf-8")
    for content in written.content.sites:
        assert words.seen_as(states[content.site.code]) in page
    write_public(reviewed, Campaign("Hills"), tmp_path / "public", COLUMNS, made_on=TODAY)
    table = csv.DictReader((tmp_path / "public" / "sites.csv").read_text("utf-8-sig").splitlines())
    assert {row["code"]: (row["observed_status"], row["observed_rung"], row["observed_on"]) for row in table} == {
        code: tuple("" if value is None else str(value) for value in values) for code, values in seen.items()
    }


def test_queue_claims_totals_and_trend_agree(reviewed: Ledger) -> None:
    content, states = read_content(reviewed, Campaign("Hills"), Scope(), TODAY), reviewed.states()
    first = [page.site.code for page in content.look_first]
    queued = {item.site_code for item in reviewed.review_queue(TODAY)}
    claimed = claims(reviewed.sites(), states)
    assert list(content.claims) == claimed
    assert queued
    assert queued <= set(first)
    assert {claim.site_code for claim in claimed if claim.kind in VAIN_CLAIMS} <= set(first)
    assert content.pace is not None
    assert content.pace.waiting == len(queued)
    totals, last = content.totals, content.trend[-1]
    assert (totals.demolition[Outcome.COMPLETE], totals.clear) == (last.demolished, last.clear)
    stages = [state.stage for state in states.values()]
    assert (totals.clear, totals.rebuilt) == (stages.count(Stage.CLEARED), stages.count(Stage.REBOUND))
    assert sum(totals.demolition.values()) + totals.rebuilt == len(stages) - stages.count(None)
