"""What the lists and the overview say: filtered pages of sites, progress, reviewers' pace and agreement. Pure."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from cvpipe.domain import Decision, Outcome, Question, ReviewReason, SiteStatus
from cvpipe.ledger import Entry, ItemKey, standing
from cvpipe.review import queue
from cvpipe.review.district import SiteRecord
from cvpipe.review.queue import DONE, Why

#: Rows of one page of the table of sites.
PAGE_ROWS = 50


@dataclass(frozen=True)
class Wanted:
    """Which sites a list shows, and in which order; an empty text leaves all through."""

    text: str = ""
    batch: str = ""
    owner_system: str = ""
    sub_district: str = ""
    status: str = ""
    outcome: str = ""
    sort: str = "code"
    descending: bool = False
    page: int = 1

    def lets(self, site: SiteRecord) -> bool:
        """Whether a site passes."""
        line = site.line
        held = (
            (self.batch, line.batch),
            (self.owner_system, line.owner_system),
            (self.sub_district, line.sub_district),
            (self.status, line.status.value),
        )
        if any(wanted and wanted != found for wanted, found in held):
            return False
        outcomes = (f"{question.value}.{given.verdict.outcome.value}" for question, given in site.standing.items())
        if self.outcome and self.outcome not in outcomes:
            return False
        words = self.text.casefold().split()
        text = " ".join((line.code, line.name, line.sub_district, line.community, line.owner_system)).casefold()
        return all(word in text for word in words)


def _outcome_of(question: Question) -> Callable[[SiteRecord], str]:
    def found(site: SiteRecord) -> str:
        given = site.standing.get(question)
        return given.verdict.outcome.value if given else ""

    return found


#: What a list can be sorted by.
SORTS: Mapping[str, Callable[[SiteRecord], Any]] = {
    "code": lambda site: site.line.code,
    "name": lambda site: site.line.name,
    "place": lambda site: (site.line.sub_district, site.line.community),
    "owner_system": lambda site: site.line.owner_system,
    "batch": lambda site: site.line.batch,
    "status": lambda site: list(SiteStatus).index(site.line.status),
    "due": lambda site: site.line.due_date or date.max,
    **{question.value: _outcome_of(question) for question in Question},
}


def page_of(sites: Iterable[SiteRecord], wanted: Wanted) -> tuple[list[SiteRecord], int]:
    """The rows of one page, and how many there are on all pages."""
    found = sorted((site for site in sites if wanted.lets(site)), key=lambda site: site.line.code)
    found.sort(key=SORTS.get(wanted.sort, SORTS["code"]), reverse=wanted.descending)
    start = (max(wanted.page, 1) - 1) * PAGE_ROWS
    return found[start : start + PAGE_ROWS], len(found)


def choices(sites: Iterable[SiteRecord]) -> dict[str, list[str]]:
    """What lists can be narrowed to, each in order."""
    found = defaultdict[str, set[str]](set)
    for site in sites:
        for name in ("batch", "owner_system", "sub_district"):
            found[name].add(getattr(site.line, name))
    return {name: sorted(values - {""}) for name, values in found.items()}


@dataclass(frozen=True)
class Progress:
    """How far a group of sites is; `label` is None for all, "" for those without an entry."""

    label: str | None
    sites: int
    completed: int
    waiting: int
    overdue: int
    contradicted: int
    rebound: int

    @property
    def share(self) -> float:
        """Completed sites as a share, 0..1."""
        return self.completed / self.sites if self.sites else 0.0


def progress(
    sites: Sequence[SiteRecord], open_codes: Mapping[str, Why], group: Callable[[SiteRecord], str], on: date
) -> list[Progress]:
    """Groups of sites, the largest first, and all of them at the end."""
    groups = defaultdict[str, list[SiteRecord]](list)
    for site in sites:
        groups[group(site)].append(site)
    found = [_progress(label, members, open_codes, on) for label, members in groups.items()]
    return [*sorted(found, key=lambda p: (-p.sites, p.label or "")), _progress(None, sites, open_codes, on)]


def _progress(label: str | None, sites: Sequence[SiteRecord], open_codes: Mapping[str, Why], on: date) -> Progress:
    return Progress(
        label=label,
        sites=len(sites),
        completed=sum(site.line.status in DONE - {SiteStatus.EXEMPT} for site in sites),
        waiting=sum(site.line.code in open_codes for site in sites),
        overdue=sum(queue.is_overdue(site.line, on) for site in sites),
        contradicted=sum(contradicts(site) for site in sites),
        rebound=sum(_outcome_of(Question.REBOUND)(site) == Outcome.SUSPECTED for site in sites),
    )


def contradicts(site: SiteRecord) -> bool:
    """Whether the pictures show otherwise than the ledger claims."""
    return any(queue.claim_fails(site.line, given) for given in site.standing.values())


@dataclass(frozen=True)
class Reviewer:
    """What one person did; shares are None where there is nothing to compare with."""

    who: str
    decided: int
    median_s: float | None
    with_machine: float | None
    with_others: float | None


def reviewers(sites: Iterable[SiteRecord]) -> list[Reviewer]:
    """Pace and agreement of everybody who decided, the busiest first."""
    seconds, machine, others = (defaultdict[str, list[Any]](list) for _ in range(3))
    decided = Counter[str]()
    for site in sites:
        for item, said in _said(site).items():
            given = site.standing.get(item.question)
            same_verdict = given is not None and given.assessment_key == item.assessment_key
            for entry in said:
                who = entry.value.who
                decided[who] += 1
                if entry.value.seconds is not None:
                    seconds[who].append(entry.value.seconds)
                if given is not None and same_verdict:
                    machine[who].append(entry.value.verdict is given.verdict.outcome)
                others[who] += [entry.value.verdict is other.value.verdict for other in said if other.value.who != who]
    return [
        Reviewer(
            who,
            count,
            statistics.median(seconds[who]) if seconds[who] else None,
            statistics.mean(machine[who]) if machine[who] else None,
            statistics.mean(others[who]) if others[who] else None,
        )
        for who, count in decided.most_common()
    ]


def reject_reasons(sites: Iterable[SiteRecord]) -> Counter[str]:
    """How often each reason of the short list was given."""
    rejected = {reason.value for reason in ReviewReason} - {ReviewReason.SITE_VISIT, ReviewReason.WITHDRAWN}
    entries = (entry for site in sites for entry in standing(site.decisions))
    return Counter(entry.value.reason for entry in entries if entry.value.reason in rejected)


def _said(site: SiteRecord) -> dict[ItemKey, list[Entry[Decision]]]:
    found = defaultdict[ItemKey, list[Entry[Decision]]](list)
    for entry in standing(site.decisions):
        if entry.value.assessment_key is not None:
            found[ItemKey(entry.value.assessment_key, entry.value.question)].append(entry)
    return found


__all__ = [
    "PAGE_ROWS",
    "SORTS",
    "Wanted",
    "choices",
    "contradicts",
    "page_of",
    "progress",
    "reject_reasons",
    "reviewers",
]
