"""What the ledger hands out besides the domain's own values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from shapely.geometry.base import BaseGeometry

from cvpipe.domain import (
    Assessment,
    Decision,
    Inspection,
    Outcome,
    Plan,
    Question,
    Rung,
    Sighting,
    Site,
    SiteStatus,
    Stage,
    StatusMove,
    Verdict,
)
from cvpipe.life import SEEN_AS

Value = TypeVar("Value")


@dataclass(frozen=True)
class Entry(Generic[Value]):
    """A word of the domain as it stands in the ledger: its id there, and when it was entered (UTC)."""

    id: int
    at: datetime
    value: Value


@dataclass(frozen=True)
class ImportSummary:
    """What putting sites into the ledger did, or would do; codes in the order they came.

    `differences` names, for each changed code, the fields that differ; `illegal_moves` tells, for each code that was
    left out because its status may not change so, why.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    differences: dict[str, tuple[str, ...]] = field(default_factory=dict)
    illegal_moves: dict[str, str] = field(default_factory=dict)
    dry_run: bool = False


@dataclass(frozen=True)
class Observed:
    """What the machine last saw of a site, and the date of the epoch that showed it; None before it was seen."""

    status: SiteStatus | None
    on: date | None


@dataclass(frozen=True)
class SiteLife:
    """All that bears on where a site stands: its assessments, and the words of people. `since` is when it came in."""

    site: Site
    since: date
    records: tuple[AssessmentRecord, ...] = ()
    decisions: tuple[Entry[Decision], ...] = ()
    inspections: tuple[Entry[Inspection], ...] = ()
    moves: tuple[Entry[StatusMove], ...] = ()


@dataclass(frozen=True)
class Flag:
    """Why a person should look at a site's verdicts. The higher the `priority` the sooner; the rules set it."""

    reason: str
    questions: tuple[Question, ...]
    priority: float
    assessment_id: int


@dataclass(frozen=True)
class SiteState:
    """Where a site stands as the pictures and those who looked at them tell.

    `stage` came about after `not_yet_on`, by `since`, and was last seen on `last_seen`; all None before anything was
    seen. `rebounds` counts those that were confirmed; `rebound_since` and `rebound_m2` tell of one that lasts.
    `recheck_due` is the day by which a site under watch should have been looked at again.
    """

    site_code: str
    stage: Stage | None = None
    rung: Rung | None = None
    since: date | None = None
    not_yet_on: date | None = None
    last_seen: date | None = None
    greening: Outcome | None = None
    greening_on: date | None = None
    rebounds: int = 0
    rebound_since: date | None = None
    rebound_m2: float | None = None
    recheck_due: date | None = None
    flag: Flag | None = None
    sightings: tuple[Sighting, ...] = ()

    @property
    def observed_status(self) -> SiteStatus | None:
        """The stage as a status of the ledger; None before anything was seen."""
        return None if self.stage is None else SEEN_AS[self.stage]


@dataclass(frozen=True)
class QueueItem:
    """A site whose verdicts a person should look at, and the assessment to begin with.

    `reason` is a word of `cvpipe.assess.FlagReason`. Items come in order of `priority`: sites that are overdue or show
    a rebound first, then by what the rules say, then the most uncertain.
    """

    site_code: str
    assessment_id: int
    questions: tuple[Question, ...]
    reason: str
    priority: float
    overdue: bool = False


@dataclass(frozen=True)
class SiteVersion:
    """An outline and plan that a site has had from `valid_from` (UTC) until the next version. Geometry in WGS 84."""

    site_code: str
    version: int
    valid_from: datetime
    geometry: BaseGeometry
    buffer_m: float
    plan: Plan


@dataclass(frozen=True)
class Happening:
    """One thing in the life of a site, in a sentence; `record` is the audit row that holds it. `who` may be empty."""

    at: datetime
    kind: str
    action: str
    who: str
    sentence: str
    record: AuditRecord


@dataclass(frozen=True)
class RunRecord:
    """One execution of the job. `finished_at` is None for a run that is going on or was cut short. Times are UTC."""

    id: int
    started_at: datetime
    finished_at: datetime | None
    settings: dict[str, Any]
    code_version: str
    bundle: str
    bundle_digest: str
    rules_version: str
    machine: dict[str, Any]
    counts: dict[str, int]


@dataclass(frozen=True)
class AssessmentRecord:
    """An assessment as it stands in the ledger. `created_at` is UTC; dates are None where no scene was usable.

    `outline` is the area that it was made for (WGS 84), `site_version` the site's version that had it; None for an
    assessment that was written before versions were counted.
    """

    id: int
    run_id: int
    before_date: date | None
    after_date: date | None
    created_at: datetime
    assessment: Assessment
    outline: BaseGeometry | None = field(default=None, compare=False)
    site_version: int | None = None


@dataclass(frozen=True)
class AuditRecord:
    """One thing that happened: `action` on the `subject` of a `kind` (site, scene, run, assessment), at a UTC time.

    `content_hash` is the digest of what the subject then held; `hash` covers the whole row and, by `prev_hash`,
    all rows before it.
    """

    id: int
    at: datetime
    action: str
    kind: str
    subject: str
    site_code: str | None
    details: dict[str, Any]
    content_hash: str
    prev_hash: str
    hash: str


@dataclass(frozen=True)
class Verification:
    """What walking the audit trail found. A ledger without `problems` is as it was written.

    `head` is the end of the trail as ROW:HASH: noted down elsewhere, it proves later that nothing before it was
    rewritten.
    """

    audit_rows: int
    contents: int
    problems: tuple[str, ...]
    head: str


@dataclass(frozen=True)
class OwnerSystemTotals:
    """Sums over the sites of one owner system, or over all sites where `owner_system` is None.

    Areas in m² as the ledger states them, unknown ones counted as 0; `completed` counts sites that people hold
    to be cleared or closed. `green_planned_m2` is what the plans ask for, `green_added_m2` what the last assessment
    of each site that could tell saw.
    """

    owner_system: str | None
    sites: int
    land_m2: float
    building_m2: float
    completed: int
    green_planned_m2: float = 0.0
    green_added_m2: float = 0.0


@dataclass(frozen=True)
class Reminders:
    """What waits for people on a day: numbers of sites past their due date, of findings and of rechecks."""

    on: date
    overdue_sites: int
    open_findings: int
    overdue_findings: int
    due_rechecks: int


@dataclass(frozen=True)
class SiteLine:
    """A site as a line of a list: all that is kept of it but its geometry, plan and attributes.

    `due_date` is its own or else its batch's; `lon` and `lat` are the middle of its bounding box, degrees; `state` is
    where it was last settled to stand, and why somebody should look at it.
    """

    code: str
    name: str
    sub_district: str
    community: str
    owner_system: str
    batch: str
    status: SiteStatus
    observed_status: SiteStatus | None
    observed_on: date | None
    due_date: date | None
    recheck_on: date | None
    land_area_m2: float | None
    lon: float
    lat: float
    state: SiteState


@dataclass(frozen=True)
class GivenVerdict:
    """A verdict and the assessment that gave it; dates are None where no scene was usable."""

    site_code: str
    assessment_id: int
    assessment_key: str
    before_date: date | None
    after_date: date | None
    verdict: Verdict


class Answered(NamedTuple):
    """What an assessment rests on: the scenes of both epochs by content, the best of each and those that fill it, None
    and none where no scene was usable; the bundle, the rules, and what was asked."""

    site_code: str
    before: str | None
    after: str | None
    before_fill: tuple[str, ...]
    after_fill: tuple[str, ...]
    bundle_digest: str
    rules_version: str
    questions: frozenset[Question]


@dataclass(frozen=True)
class Touched:
    """What happened since some row of the audit trail and some settling: to which sites, and how long both now are.

    `sites` names for each code the kinds of the rows that were about it (`SETTLED` where it was settled); it is None
    where so much happened that all of them are best looked at anew. `other` are the kinds of rows about no site.
    """

    SETTLED: ClassVar[str] = "settled"

    rows: int
    settled: int
    sites: Mapping[str, frozenset[str]] | None
    other: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Session:
    """Somebody who is logged in. `token_hash` is the SHA-256 of what the browser holds; times are UTC."""

    token_hash: str
    account: str
    csrf: str
    started_at: datetime
    seen_at: datetime


@dataclass(frozen=True)
class ItemKey:
    """One question that one assessment answered: what a reviewer has before them."""

    assessment_key: str
    question: Question


class LeaseState(StrEnum):
    """Whether an item is before a person, was put off by them, or was handed to others."""

    HELD = "held"
    SKIPPED = "skipped"
    SENT_BACK = "sent_back"


@dataclass(frozen=True)
class Lease:
    """An item that is before a person until a moment (UTC), or that they do not want before then."""

    item: ItemKey
    who: str
    state: LeaseState
    until: datetime
    note: str = ""
