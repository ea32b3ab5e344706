"""What the lists and the overview say: filtered pages of sites, progress, reviewers' pace and agreement. Pure."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from cvpipe.domain import Outcome, Question, SiteStatus
from cvpipe.review.district import SiteRecord
from cvpipe.review.tallies import COUNTED, NARROWED_BY, Tallies

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

    @cached_property
    def _held(self) -> tuple[tuple[str, str], ...]:
        names = ("batch", "owner_system", "sub_district", "status")
        return tuple((name, wanted) for name in names if (wanted := getattr(self, name)))

    @cached_property
    def _words(self) -> tuple[str, ...]:
        return tuple(self.text.casefold().split())

    def lets(self, site: SiteRecord) -> bool:
        """Whether a site passes."""
        if any(getattr(site.line, name) != wanted for name, wanted in self._held):
            return False
        outcomes = (f"{question.value}.{given.verdict.outcome.value}" for question, given in site.standing.items())
        if self.outcome and self.outcome not in outcomes:
            return False
        return all(word in site.text for word in self._words)


def _outcome_of(question: Question) -> Callable[[SiteRecord], str]:
    def found(site: SiteRecord) -> str:
        given = site.standing.get(question)
        return given.verdict.outcome.value if given else ""

    return found


_STATUS_ORDER = {status: i for i, status in enumerate(SiteStatus)}

#: What a list can be sorted by.
SORTS: Mapping[str, Callable[[SiteRecord], Any]] = {
    "code": lambda site: site.line.code,
    "name": lambda site: site.line.name,
    "place": lambda site: (site.line.sub_district, site.line.community),
    "owner_system": lambda site: site.line.owner_system,
    "batch": lambda site: site.line.batch,
    "status": lambda site: _STATUS_ORDER[site.line.status],
    "due": lambda site: site.line.due_date or date.max,
    **{question.value: _outcome_of(question) for question in Question},
}


def page_of(sites: Iterable[SiteRecord], wanted: Wanted) -> tuple[list[SiteRecord], int]:
    """The rows of one page, and how many there are on all pages."""
    found = sorted((site for site in sites if wanted.lets(site)), key=lambda site: site.line.code)
    found.sort(key=SORTS.get(wanted.sort, SORTS["code"]), reverse=wanted.descending)
    start = (max(wanted.page, 1) - 1) * PAGE_ROWS
    return found[start : start + PAGE_ROWS], len(found)


def choices(figures: Tallies) -> dict[str, list[str]]:
    """What lists can be narrowed to, each in order."""
    return {name: sorted(figures.of("narrow", name)) for name in NARROWED_BY}


def verdicts(figures: Tallies) -> list[tuple[Question, Outcome]]:
    """Every answer that holds for some site, in the order of the questions."""
    questions, outcomes = list(Question), list(Outcome)
    return sorted(figures.of("verdicts"), key=lambda pair: (questions.index(pair[0]), outcomes.index(pair[1])))


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


def progress(figures: Tallies, group: str) -> list[Progress]:
    """Groups of sites (`group` is one of `GROUPED_BY`), the largest first, and all of them at the end."""
    groups = figures.within("progress", group)
    found = [_progress(label, counts) for label, counts in groups.items()]
    everything = sum(groups.values(), Counter[str]())
    return [*sorted(found, key=lambda p: (-p.sites, p.label or "")), _progress(None, everything)]


def _progress(label: str | None, counts: Counter[str]) -> Progress:
    return Progress(label, **{name: counts[name] for name in COUNTED})


@dataclass(frozen=True)
class Reviewer:
    """What one person did; shares are None where there is nothing to compare with."""

    who: str
    decided: int
    median_s: float | None
    with_machine: float | None
    with_others: float | None


def reviewers(figures: Tallies) -> list[Reviewer]:
    """Pace and agreement of everybody who decided, the busiest first."""
    found = [_reviewer(who, seconds, figures) for who, seconds in figures.within("decided").items()]
    return sorted(found, key=lambda reviewer: -reviewer.decided)


def _reviewer(who: str, decided: Counter[float | None], figures: Tallies) -> Reviewer:
    seconds = [second for second in decided.elements() if second is not None]
    shares = (_share_true(figures.of(what, who)) for what in ("with machine", "with others"))
    return Reviewer(who, decided.total(), statistics.median(seconds) if seconds else None, *shares)


def _share_true(said: Counter[bool]) -> float | None:
    return said[True] / said.total() if said else None


__all__ = [
    "PAGE_ROWS",
    "SORTS",
    "Wanted",
    "choices",
    "page_of",
    "progress",
    "reviewers",
    "verdicts",
]
