"""What a report is made from: everything that the ledger holds of the sites it speaks of, read once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from cvpipe.assess.rules import Rules, default_rules, rules_of
from cvpipe.assess.standing import state_of
from cvpipe.domain import Decision, Inspection, Sample, SampleResult, Site, StatusMove
from cvpipe.errors import UsageError
from cvpipe.ledger import Ledger
from cvpipe.ledger.records import AssessmentRecord, Entry, SiteLife, SiteState
from cvpipe.report.scope import WHOLE, Scope

Value = TypeVar("Value")


@dataclass(frozen=True)
class Background:
    """What bears on sites besides their assessments.

    `decisions` are those that stand, `states` where sites stand by all that the report counts, `due` the due dates of
    batches; `sample` is the last one that was drawn over the whole ledger, with what was found.
    """

    scope: Scope = WHOLE
    decisions: tuple[Entry[Decision], ...] = ()
    states: Mapping[str, SiteState] = field(default_factory=dict)
    due: Mapping[str, date] = field(default_factory=dict)
    sample: Entry[Sample] | None = None
    results: tuple[SampleResult, ...] = ()


@dataclass(frozen=True)
class Material:
    """The sites that a report speaks of, their assessments, and what else bears on them."""

    sites: tuple[Site, ...]
    records: tuple[AssessmentRecord, ...]
    background: Background


def read_material(ledger: Ledger, scope: Scope, rules: Rules | None = None) -> Material:
    """Read what a report of `scope` is made from. The ledger is left as it is.

    Raises UsageError where the scope names something that there is not.
    """
    batches, everything = ledger.batches(), ledger.sites()
    _refuse_unknown(scope, everything, {campaign.name for campaign in ledger.campaigns()})
    moves, until = ledger.moves(), scope.until or date.max
    sites = scope.sites(everything, batches, moves)
    codes = {site.code for site in sites}
    records = scope.records(ledger.assessments(), codes)
    decisions = scope.decisions(ledger.decisions(), codes)
    visits = [visit for visit in ledger.inspections() if visit.value.inspected_on <= until]
    moves = [move for move in moves if (move.value.effective or move.at.date()) <= until]
    samples = ledger.samples() if scope.is_whole else []
    return Material(
        tuple(sites),
        tuple(records),
        Background(
            scope=scope,
            decisions=tuple(decisions),
            states=_states(sites, records, decisions, visits, moves, rules or default_rules()),
            due={batch.name: batch.due_date for batch in batches if batch.due_date},
            sample=samples[-1] if samples else None,
            results=tuple(entry.value for entry in ledger.sample_results(samples[-1].id)) if samples else (),
        ),
    )


def read_site(ledger: Ledger, site: Site, scope: Scope, rules: Rules) -> Material:
    """The same of one site, which is read alone."""
    until = scope.until or date.max
    records = scope.records(ledger.assessments(site.code), {site.code})
    decisions = scope.decisions(ledger.decisions(site.code), {site.code})
    visits = [visit for visit in ledger.inspections(site.code) if visit.value.inspected_on <= until]
    moves = [move for move in ledger.moves(site.code) if (move.value.effective or move.at.date()) <= until]
    due = {batch.name: batch.due_date for batch in ledger.batches() if batch.due_date}
    states = _states([site], records, decisions, visits, moves, rules)
    return Material((site,), tuple(records), Background(scope, tuple(decisions), states, due))


def _states(
    sites: Iterable[Site],
    records: Iterable[AssessmentRecord],
    decisions: Iterable[Entry[Decision]],
    visits: Iterable[Entry[Inspection]],
    moves: Iterable[Entry[StatusMove]],
    rules: Rules,
) -> dict[str, SiteState]:
    """Where the sites stand by what the report counts, which may be less than what they were last settled by."""
    assessed = _by_site(records, lambda record: record.assessment.site_code)
    said = _by_site(decisions, lambda entry: entry.value.site_code)
    visited = _by_site(visits, lambda entry: entry.value.site_code)
    moved = _by_site(moves, lambda entry: entry.value.site_code)
    return {
        site.code: state_of(
            SiteLife(
                site,
                date.min,
                assessed.get(site.code, ()),
                said.get(site.code, ()),
                visited.get(site.code, ()),
                moved.get(site.code, ()),
            ),
            rules_of(site, rules),
        )
        for site in sites
        if any(site.code in found for found in (assessed, said, visited))
    }


def _by_site(values: Iterable[Value], code_of: Callable[[Value], str]) -> dict[str, tuple[Value, ...]]:
    found = defaultdict[str, list[Value]](list)
    for value in values:
        found[code_of(value)].append(value)
    return {code: tuple(own) for code, own in found.items()}


def _refuse_unknown(scope: Scope, sites: Sequence[Site], campaigns: set[str]) -> None:
    """A name that is misspelt would make an empty report that looks like a good one."""
    there: dict[str, tuple[str, set[str]]] = {
        "campaign": (scope.campaign, campaigns),
        "batch": (scope.batch, {site.batch for site in sites}),
        "owner system": (scope.owner_system, {site.owner_system for site in sites}),
        "sub-district": (scope.sub_district, {site.sub_district for site in sites}),
    }
    for what, (wanted, names) in there.items():
        if wanted and wanted not in names:
            known = ", ".join(sorted(names - {""})) or "none"
            raise UsageError(f"there is no {what} {wanted!r}", remedy=f"The ledger has: {known}.")
    if scope.since and scope.until and scope.since > scope.until:
        raise UsageError(
            f"{scope.since} lies after {scope.until}", where="--since", remedy="Give the earlier day first."
        )


__all__ = ["Background", "Material", "read_material", "read_site"]
