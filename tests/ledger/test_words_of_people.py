"""Decisions, findings, inspections, attachments, candidates and campaigns: in, out, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from shapely.geometry import box

from cvpipe.domain import Batch, CandidateState, Outcome, Question
from cvpipe.errors import LedgerError, UnknownSiteError
from cvpipe.ledger import Ledger
from tests.ledger import samples
from tests.ledger.test_audit_chain import tamper

CODE = samples.FULL_SITE.code


def test_all_of_it_comes_back_as_it_was_said(filled: Ledger) -> None:
    samples.live(filled)
    assert [entry.value for entry in filled.decisions(CODE)] == [samples.DECISION]
    assert [entry.value for entry in filled.findings(CODE)] == [samples.FINDING]
    assert [entry.value for entry in filled.inspections(CODE)] == [samples.INSPECTION]
    assert [entry.value for entry in filled.attachments(CODE)] == [samples.ATTACHMENT]
    assert [entry.value for entry in filled.candidates()] == [samples.CANDIDATE]
    assert (filled.campaigns(), filled.batches()) == ([samples.CAMPAIGN], [samples.BATCH])
    assert [*filled.decisions("SJS-002"), *filled.findings("SJS-002"), *filled.attachments("SJS-002")] == []
    assert filled.verify().problems == ()


def test_a_decision_supersedes_one_on_the_same_question_once(filled: Ledger) -> None:
    first = filled.decide(samples.DECISION)
    second = filled.decide(replace(samples.DECISION, verdict=Outcome.MET, supersedes=first.id))
    assert [entry.id for entry in filled.decisions()] == [first.id, second.id]
    with pytest.raises(LedgerError, match=f"decision {second.id} supersedes it already"):
        filled.decide(replace(samples.DECISION, supersedes=first.id))
    other = replace(samples.DECISION, question=Question.REBOUND, verdict=Outcome.NONE, supersedes=second.id)
    with pytest.raises(LedgerError, match="another question or site"):
        filled.decide(other)
    with pytest.raises(LedgerError, match="there is no decision 99"):
        filled.decide(replace(samples.DECISION, supersedes=99))


REFUSED: dict[str, Callable[[Ledger], object]] = {
    "complete is no answer to clearance. Answer with one of met, not_assessable, not_met": lambda ledger: ledger.decide(
        replace(samples.DECISION, verdict=Outcome.COMPLETE)
    ),
    "the site has no assessment 'key-1'": lambda ledger: ledger.decide(replace(samples.DECISION, site_code="SJS-002")),
    "who decides is missing": lambda ledger: ledger.decide(replace(samples.DECISION, who="")),
    "what was found is missing": lambda ledger: ledger.raise_finding(replace(samples.FINDING, what=" ")),
    "who inspected the site is missing": lambda ledger: ledger.inspect(replace(samples.INSPECTION, who="")),
    "there is no finding 7": lambda ledger: ledger.resolve_finding(7, who="x"),
    "'/etc/passwd' is no path inside": lambda ledger: ledger.attach(replace(samples.ATTACHMENT, path="/etc/passwd")),
    "'a/../../b' is no path inside": lambda ledger: ledger.attach(replace(samples.ATTACHMENT, path="a/../../b")),
    "is no SHA-256": lambda ledger: ledger.attach(replace(samples.ATTACHMENT, sha256="A" * 64)),
    "there is no campaign 'none'": lambda ledger: ledger.put_batch(Batch("b", "none")),
    "before it starts on": lambda ledger: ledger.put_campaign(replace(samples.CAMPAIGN, ends=date(2000, 1, 1))),
    "there is no candidate 3": lambda ledger: ledger.settle_candidate(3, CandidateState.DISMISSED, who="x"),
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_does_not_fit_is_refused_and_leaves_nothing(filled: Ledger, said: str) -> None:
    before = filled.audit()
    with pytest.raises(LedgerError) as refused:
        REFUSED[said](filled)
    assert said in str(refused.value)
    assert filled.audit() == before


UNKNOWN: list[Callable[[Ledger], object]] = [
    lambda ledger: ledger.decide(replace(samples.DECISION, site_code="SJS-01")),
    lambda ledger: ledger.raise_finding(replace(samples.FINDING, site_code="SJS-01")),
    lambda ledger: ledger.inspect(replace(samples.INSPECTION, site_code="SJS-01")),
    lambda ledger: ledger.attach(replace(samples.ATTACHMENT, site_code="SJS-01")),
    lambda ledger: ledger.recheck("SJS-01", None, who="leader"),
    lambda ledger: ledger.history("SJS-01"),
]


@pytest.mark.parametrize("enter", UNKNOWN)
def test_unknown_sites_are_named(filled: Ledger, enter: Callable[[Ledger], object]) -> None:
    with pytest.raises(UnknownSiteError, match="Did you mean SJS-001"):
        enter(filled)


def test_a_finding_is_resolved_once(filled: Ledger) -> None:
    raised = filled.raise_finding(samples.FINDING)
    assert raised.value.is_open
    done = filled.resolve_finding(raised.id, who="inspector", resolution="运走")
    assert (done.value.is_open, done.value.resolution, done.at) == (False, "运走", raised.at)
    assert filled.findings(only_open=True) == []
    with pytest.raises(LedgerError, match="finding 1 was resolved already, by inspector"):
        filled.resolve_finding(raised.id, who="someone")
    assert filled.verify().problems == ()


def test_an_attachment_is_kept_once_per_site(filled: Ledger) -> None:
    first = filled.attach(samples.ATTACHMENT)
    assert filled.attach(replace(samples.ATTACHMENT, name="again.jpg")) == first
    filled.attach(replace(samples.ATTACHMENT, site_code="SJS-002", place=None, taken_on=None))
    assert len(filled.attachments()) == 2


def test_a_candidate_is_seen_again_and_settled(filled: Ledger) -> None:
    found = filled.add_candidate(samples.CANDIDATE)
    filled.see_candidate(found.id, on=date(2016, 1, 1), probability=0.1)
    filled.see_candidate(found.id, on=date(2018, 7, 1), probability=0.9)
    seen = replace(samples.CANDIDATE, last_seen=date(2018, 7, 1), probability=0.9)
    assert [entry.value for entry in filled.candidates(CandidateState.OPEN)] == [seen]
    assert filled.candidates(bounds=(0, 0, 1, 1)) == []
    assert len(filled.candidates(bounds=box(116.2, 39.9, 116.21, 39.91).bounds)) == 1
    with pytest.raises(LedgerError, match="Name the site that an adopted candidate became"):
        filled.settle_candidate(found.id, CandidateState.ADOPTED, who="reviewer 1")
    settled = filled.settle_candidate(found.id, CandidateState.ADOPTED, who="reviewer 1", site_code="SJS-002")
    assert settled.value == replace(seen, state=CandidateState.ADOPTED, who="reviewer 1", site_code="SJS-002")
    assert filled.candidates(CandidateState.OPEN) == []
    assert filled.verify().problems == ()


def test_a_campaign_is_updated_by_name(filled: Ledger) -> None:
    assert filled.put_campaign(samples.CAMPAIGN)
    assert not filled.put_campaign(samples.CAMPAIGN)
    assert filled.put_campaign(replace(samples.CAMPAIGN, target_sites=547))
    assert [campaign.target_sites for campaign in filled.campaigns()] == [547]
    assert filled.put_batch(samples.BATCH)
    assert filled.put_batch(replace(samples.BATCH, due_date=None))
    last = filled.audit()[-1]
    assert last.details == {"was": {"due_date": "2016-08-31"}, "becomes": {"due_date": None}}
    assert filled.verify().problems == ()


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE decisions SET verdict = 'met'", "decision 1 was altered"),
        ("UPDATE moves SET who = 'nobody'", "move 1 was altered"),
        ("UPDATE findings SET resolved_by = 'nobody'", "finding 1 was altered"),
        ("UPDATE inspections SET result = 'clear'", "inspection 1 was altered"),
        ("UPDATE attachments SET path = 'other.jpg'", "attachment 1 was altered"),
        ("UPDATE candidates SET state = 'dismissed'", "candidate 1 was altered"),
        ("UPDATE campaigns SET target_sites = 1", "campaign 疏解整治 was altered"),
        ("UPDATE batches SET due_date = NULL", "batch 2016-1 was altered"),
        ("DELETE FROM decisions", "decision 1 is in the audit trail but missing"),
        ("UPDATE site_versions SET buffer_m = 1 WHERE site_code = 'SJS-001'", "version 1 of site SJS-001 was altered"),
        ("UPDATE site_versions SET content_hash = 'x' WHERE site_code = 'SJS-001'", "version 1 of site SJS-001 was"),
        ("DELETE FROM site_versions WHERE site_code = 'SJS-002'", "version 1 of site SJS-002 is in the audit trail"),
        ("UPDATE sites SET recheck_on = '2020-01-01' WHERE code = 'SJS-001'", "site SJS-001 was altered"),
    ],
)
def test_tampering_with_words_of_people_is_found(filled: Ledger, statement: str, problem: str) -> None:
    samples.live(filled)
    tamper(filled, statement)
    assert any(found.startswith(problem) for found in filled.verify().problems)
