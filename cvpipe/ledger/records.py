"""What the ledger hands out besides the domain's own values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from cvpipe.domain import Assessment, SiteStatus


@dataclass(frozen=True)
class ImportSummary:
    """What putting sites into the ledger did, or would do; codes in the order they came.

    `differences` names, for each changed code, the fields that differ.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    differences: dict[str, tuple[str, ...]] = field(default_factory=dict)
    dry_run: bool = False


@dataclass(frozen=True)
class Observed:
    """What the machine last saw of a site, and the date of the epoch that showed it; None before it was seen."""

    status: SiteStatus | None
    on: date | None


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
    """An assessment as it stands in the ledger. `created_at` is UTC; dates are None where no scene was usable."""

    id: int
    run_id: int
    before_date: date | None
    after_date: date | None
    created_at: datetime
    assessment: Assessment


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
    """What walking the audit trail found. A ledger without `problems` is as it was written."""

    audit_rows: int
    contents: int
    problems: tuple[str, ...]


@dataclass(frozen=True)
class OwnerSystemTotals:
    """Sums over the sites of one owner system, or over all sites where `owner_system` is None.

    Areas in m² as the ledger states them, unknown ones counted as 0; `completed` counts sites that people hold
    to be cleared or closed.
    """

    owner_system: str | None
    sites: int
    land_m2: float
    building_m2: float
    completed: int
