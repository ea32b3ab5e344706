"""What a report says, before it has a form: records of the ledger → totals, lists and sites. Pure; no I/O.

Areas are m² on the ground; language and number formats are the page's matter.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from cvpipe.assess import criteria as kinds
from cvpipe.assess.claims import Claim, ClaimKind, claim_kind, claims
from cvpipe.assess.sampling import Estimate, estimates
from cvpipe.assess.standing import VAIN_CLAIMS, FlagReason, claim_question
from cvpipe.domain import (
    ChangeKind,
    Criterion,
    Decision,
    Measurements,
    Outcome,
    Question,
    Reason,
    Rung,
    Scene,
    Site,
    SiteStatus,
    Stage,
    Verdict,
)
from cvpipe.ledger.records import AssessmentRecord, Entry, RunRecord, SiteState
from cvpipe.report.current import Standing, current_verdicts
from cvpipe.report.material import Background
from cvpipe.report.pace import Pace, pace_of
from cvpipe.report.scope import WHOLE, Scope
from cvpipe.report.trend import TrendPoint, trend_of

#: People's word that a site is done: these count against the campaign's target.
COMPLETED = frozenset({SiteStatus.CLEARED, SiteStatus.CLOSED})


Between = tuple[float, float]
"""Low and high end of an interval, m²."""


@dataclass(frozen=True)
class Campaign:
    """The programme that is reported on. `target` is the number of sites that it set out to complete."""

    title: str
    target: int | None = None


class Concern(StrEnum):
    """Why a person should look at a site; in order of urgency."""

    REBOUND = "rebound"
    STANDS = "stands"
    NOT_CLEAR = "not_clear"
    NOT_GREEN = "not_green"
    CONTRADICTORY = "contradictory"
    HIGH_STAKES = "high_stakes"
    UNCERTAIN = "uncertain"


#: Under which concern a claim in vain goes.
_CLAIMED: Mapping[ClaimKind, Concern] = {
    ClaimKind.REBUILT: Concern.REBOUND,
    ClaimKind.STANDS: Concern.STANDS,
    ClaimKind.NOT_CLEAR: Concern.NOT_CLEAR,
    ClaimKind.NOT_GREEN: Concern.NOT_GREEN,
}

#: Under which concern a flag goes; a flagged claim has one by what is claimed.
_FLAGGED: Mapping[str, Concern] = {
    FlagReason.REBOUND: Concern.REBOUND,
    FlagReason.CONTRADICTORY: Concern.CONTRADICTORY,
    FlagReason.HIGH_STAKES: Concern.HIGH_STAKES,
    FlagReason.UNCERTAIN: Concern.UNCERTAIN,
}


@dataclass(frozen=True)
class SiteContent:
    """One site with the verdicts that hold now and the assessments that its pictures come from.

    `records` are all of its assessments, oldest epoch first, `decisions` what people said and still stands, `state`
    where it stands by all of that together (the confirmation ladder). `due` is its own due date, or its batch's.
    """

    number: int
    site: Site
    standings: Mapping[Question, Standing]
    records: tuple[AssessmentRecord, ...]
    state: SiteState
    decisions: tuple[Entry[Decision], ...] = ()
    due: date | None = None

    @property
    def observed(self) -> SiteStatus | None:
        """Where it was seen to stand, by all of its epochs and what people said; None before anything was seen."""
        return self.state.observed_status

    @property
    def concerns(self) -> tuple[Concern, ...]:
        """Why a person should look, most urgent first: a rebound, what the ledger claims in vain, what is flagged."""
        kind, flag = claim_kind(self.site, self.state), self.state.flag
        rebound = Concern.REBOUND if self.state.rebound_since is not None else None
        claimed, flagged = kind and _CLAIMED.get(kind), flag and _FLAGGED.get(flag.reason)
        return tuple(concern for concern in Concern if concern in (rebound, claimed, flagged))

    @property
    def asked(self) -> tuple[Question, ...]:
        """The questions that a person should answer, or whose answer contradicts what the ledger claims."""
        flagged = self.state.flag.questions if self.state.flag else ()
        claimed = (claim_question(claim_kind(self.site, self.state)),) if self.contradicts else ()
        return tuple(dict.fromkeys((*claimed, *flagged)))

    @property
    def contradicts(self) -> bool:
        """Whether people's word and the pictures differ."""
        return claim_kind(self.site, self.state) in VAIN_CLAIMS

    @property
    def assessed(self) -> bool:
        """Whether at least one question has an answer."""
        return any(s.verdict.outcome is not Outcome.NOT_ASSESSABLE for s in self.standings.values())

    @property
    def unanswered(self) -> tuple[Verdict, ...]:
        """The verdicts that hold and answer nothing."""
        return tuple(s.verdict for s in self.standings.values() if s.verdict.outcome is Outcome.NOT_ASSESSABLE)

    @property
    def unseen_since(self) -> date | None:
        """Date of the newest epoch that could not answer what an older one had answered."""
        return max((s.unseen_since for s in self.standings.values() if s.unseen_since), default=None)

    def outcome(self, question: Question) -> Outcome | None:
        """The outcome that holds for a question; None where it was never asked."""
        standing = self.standings.get(question)
        return standing.verdict.outcome if standing else None

    def overdue_by(self, on: date) -> int | None:
        """Days since it should have been cleared; None where it is done, exempt, or not due yet."""
        done = self.site.status in COMPLETED | {SiteStatus.EXEMPT}
        return None if done or self.due is None or self.due >= on else (on - self.due).days

    @property
    def is_rebound(self) -> bool:
        """Whether structures came back, as people hold or the pictures suggest."""
        return self.state.rebound_since is not None or self.site.status is SiteStatus.REBOUND

    @property
    def is_clear(self) -> bool:
        """Whether it was seen to be cleared."""
        return self.state.stage is Stage.CLEARED

    @property
    def cleared_m2(self) -> float:
        """Area of the site where the ground is seen to be clear, else 0."""
        measured = self.measured_by(Question.CLEARANCE)
        return measured.site_area_m2 if measured and self.is_clear else 0.0

    def criterion(self, question: Question, name: str) -> Criterion | None:
        """A criterion of the verdict that holds for a question."""
        standing = self.standings.get(question)
        found = standing.verdict.criteria if standing else ()
        return next((criterion for criterion in found if criterion.name == name), None)

    def change_m2(self, kind: ChangeKind) -> float:
        """Area of a kind of change from the baseline to the newest epoch that was measured; 0 where none was."""
        measured = self.measured_by(Question.DEMOLITION)
        return measured.change_m2[kind] if measured else 0.0

    def measured_by(self, question: Question) -> Measurements | None:
        """The measurements behind the answer to a question; None where it has no answer."""
        standing = self.standings.get(question)
        if standing is None or standing.verdict.outcome is Outcome.NOT_ASSESSABLE:
            return None
        return standing.record.assessment.measurements


@dataclass(frozen=True)
class Totals:
    """Sums over a group of sites; `label` is None for all sites, "" for those without an entry.

    `demolition`, `clear` and `rebuilt` count where sites were seen to stand, each under one of none, partial, complete
    and rebuilt, `provisional` ones among them; `rebounds` also those that people call so.
    `land_m2` and `building_m2` are the ledger's own figures, unknown ones counted as 0. `removed_between` and
    `green_between` are 90 % intervals that hold if the sites' errors have nothing in common; None where none has one.
    """

    label: str | None
    sites: int
    completed: int
    land_m2: float
    building_m2: float
    assessed: int
    demolition: Mapping[Outcome, int]
    clear: int
    removed_m2: float
    green_added_m2: float
    not_assessable: int
    rebounds: int
    rebuilt: int = 0
    provisional: int = 0
    cleared_m2: float = 0.0
    removed_between: Between | None = None
    green_between: Between | None = None
    overdue: int = 0
    decided: int = 0


@dataclass(frozen=True)
class Checked:
    """What a random sample of sites says of the whole ledger: `checked` of `sites` drawn sites were looked at."""

    sample_id: int
    sites: int
    checked: int
    estimates: tuple[Estimate, ...]


@dataclass(frozen=True)
class Content:
    """A whole report."""

    campaign: Campaign
    made_on: date
    epochs: tuple[date, ...]
    sites: tuple[SiteContent, ...]
    totals: Totals
    by_owner_system: tuple[Totals, ...]
    by_sub_district: tuple[Totals, ...]
    look_first: tuple[SiteContent, ...]
    not_assessable: tuple[SiteContent, ...]
    scenes: tuple[Scene, ...]
    runs: tuple[RunRecord, ...]
    rules_versions: tuple[str, ...]
    bundle_digests: tuple[str, ...]
    scope: Scope = WHOLE
    overdue: tuple[SiteContent, ...] = ()
    rebounds: tuple[SiteContent, ...] = ()
    claims: tuple[Claim, ...] = ()
    trend: tuple[TrendPoint, ...] = ()
    pace: Pace | None = None
    checked: Checked | None = None

    @property
    def as_of(self) -> date:
        """The day that it speaks of."""
        return min(self.made_on, self.scope.until or self.made_on)

    @property
    def completion(self) -> float | None:
        """Completed sites as a share of the target; None where the campaign has none."""
        return self.totals.completed / self.campaign.target if self.campaign.target else None


def build_content(
    campaign: Campaign,
    sites: Sequence[Site],
    records: Iterable[AssessmentRecord],
    scenes: Sequence[Scene],
    runs: Sequence[RunRecord],
    *,
    made_on: date,
    background: Background = Background(),  # noqa: B008 (a value that nobody can change)
) -> Content:
    """Put together what a report says of `sites`; of the groups the one with most sites comes first."""
    pages = _site_contents(sites, records, background)
    on = min(made_on, background.scope.until or made_on)
    standing = [s.record for page in pages for s in page.standings.values()]
    used = {digest for page in pages for record in page.records for digest in record.assessment.scenes}
    shown = tuple(sorted((s for s in scenes if s.content_hash in used), key=lambda s: s.acquired))
    waiting = sum(page.state.flag is not None for page in pages)
    late = [page for page in pages if page.overdue_by(on) is not None]
    return Content(
        campaign=campaign,
        made_on=made_on,
        epochs=tuple(sorted({scene.acquired for scene in shown})),
        sites=pages,
        totals=total_of(None, pages, on),
        by_owner_system=_grouped(pages, lambda page: page.site.owner_system, on),
        by_sub_district=_grouped(pages, lambda page: page.site.sub_district, on),
        look_first=tuple(sorted((page for page in pages if page.concerns), key=_urgency)),
        not_assessable=tuple(page for page in pages if page.unanswered or page.unseen_since),
        scenes=shown,
        runs=tuple(runs),
        rules_versions=_distinct(record.assessment.rules_version for record in standing),
        bundle_digests=_distinct(record.assessment.bundle_digest for record in standing),
        scope=background.scope,
        overdue=tuple(sorted(late, key=lambda page: (page.due or on, page.number))),
        rebounds=tuple(page for page in pages if page.is_rebound),
        claims=tuple(claims(sites, background.states)),
        trend=trend_of([(page.state, page.records) for page in pages]),
        pace=pace_of(background.decisions, [r for page in pages for r in page.records], waiting, on),
        checked=_checked(background),
    )


def _checked(background: Background) -> Checked | None:
    """What the sample says, where somebody has looked at sites of it."""
    drawn, results = background.sample, background.results
    if drawn is None or not results:
        return None
    return Checked(drawn.id, len(drawn.value.units), len(results), tuple(estimates(drawn.value, results)))


def total_of(label: str | None, pages: Sequence[SiteContent], on: date) -> Totals:
    """Sums over a group of sites, as of a day."""
    stages = Counter(page.state.stage for page in pages)
    return Totals(
        label=label,
        sites=len(pages),
        completed=sum(page.site.status in COMPLETED for page in pages),
        land_m2=sum(page.site.land_area_m2 or 0.0 for page in pages),
        building_m2=sum(page.site.building_area_m2 or 0.0 for page in pages),
        assessed=sum(page.assessed for page in pages),
        demolition={
            Outcome.COMPLETE: stages[Stage.DEMOLISHED] + stages[Stage.CLEARED],
            Outcome.PARTIAL: stages[Stage.IN_PROGRESS],
            Outcome.NONE: stages[Stage.STANDING],
        },
        clear=stages[Stage.CLEARED],
        removed_m2=sum(page.change_m2(ChangeKind.STRUCTURE_REMOVED) for page in pages),
        green_added_m2=sum(page.change_m2(ChangeKind.GREEN_ADDED) for page in pages),
        not_assessable=sum(bool(page.standings) and not page.assessed for page in pages),
        rebounds=sum(page.is_rebound for page in pages),
        rebuilt=stages[Stage.REBOUND],
        provisional=sum(page.state.rung is Rung.PROVISIONAL for page in pages),
        cleared_m2=sum(page.cleared_m2 for page in pages),
        removed_between=_between(pages, Question.DEMOLITION, kinds.REMOVED.name, ChangeKind.STRUCTURE_REMOVED),
        green_between=_between(pages, Question.GREENING, kinds.GREEN_GAINED.name, ChangeKind.GREEN_ADDED),
        overdue=sum(page.overdue_by(on) is not None for page in pages),
        decided=sum(bool(page.decisions) for page in pages),
    )


def _between(pages: Sequence[SiteContent], question: Question, name: str, kind: ChangeKind) -> Between | None:
    """Interval of a sum of areas: the sites' own intervals, put together as those of independent errors."""
    found = [page.criterion(question, name) for page in pages]
    known = [(c.value - c.interval[0], c.interval[1] - c.value) for c in found if c is not None and c.interval]
    if not known:
        return None
    total = sum(page.change_m2(kind) for page in pages)
    below, above = (math.hypot(*reach) for reach in zip(*known, strict=True))
    return max(total - below, 0.0), total + above


def reasons_of(page: SiteContent) -> tuple[Reason, ...]:
    """Why questions about the site have no answer, each reason once."""
    return tuple(dict.fromkeys(verdict.reason for verdict in page.unanswered if verdict.reason))


def _site_contents(
    sites: Sequence[Site], records: Iterable[AssessmentRecord], background: Background
) -> tuple[SiteContent, ...]:
    by_code, said = defaultdict[str, list[AssessmentRecord]](list), defaultdict[str, list[Entry[Decision]]](list)
    for record in records:
        by_code[record.assessment.site_code].append(record)
    for entry in background.decisions:
        said[entry.value.site_code].append(entry)
    return tuple(
        SiteContent(
            number,
            site,
            current_verdicts(by_code[site.code]),
            tuple(sorted(by_code[site.code], key=_chronology)),
            background.states.get(site.code, SiteState(site.code)),
            tuple(said[site.code]),
            site.plan.due_date or background.due.get(site.batch),
        )
        for number, site in enumerate(sites, start=1)
    )


def _grouped(pages: Sequence[SiteContent], label_of: Callable[[SiteContent], str], on: date) -> tuple[Totals, ...]:
    groups: dict[str, list[SiteContent]] = defaultdict(list)
    for page in pages:
        groups[label_of(page)].append(page)
    totals = (total_of(label, members, on) for label, members in groups.items())
    return tuple(sorted(totals, key=lambda t: (-t.sites, t.label or "")))


def _urgency(page: SiteContent) -> tuple[int, int]:
    return list(Concern).index(page.concerns[0]), page.number


def _chronology(record: AssessmentRecord) -> tuple[date, date, int]:
    return record.after_date or date.min, record.before_date or date.min, record.id


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


__all__ = [
    "COMPLETED",
    "Campaign",
    "Checked",
    "Concern",
    "Content",
    "SiteContent",
    "Totals",
    "build_content",
    "reasons_of",
    "total_of",
]
