"""Lives of sites by hand: what each epoch answers, without a picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime

from shapely import Point

from cvpipe.assess import assess_rebound, assess_remediation, default_rules, not_assessable, observed_status
from cvpipe.assess.verdicts import REMEDIATION
from cvpipe.domain import (
    Assessment,
    ChangeKind,
    Measurements,
    Plan,
    Question,
    Reason,
    Site,
    SiteStatus,
    StatusMove,
    Surface,
    Verdict,
)
from cvpipe.ledger.records import AssessmentRecord, Entry, SiteLife
from cvpipe.life import move_between
from tests.assess.drawn import areas

RULES = default_rules()
CODE = "A-1"
BASELINE = date(2015, 6, 1)
STOOD_M2 = 600.0


def day(month: int, year: int = 2016) -> date:
    """The first of a month; months beyond 12 run into the next years."""
    return date(year + (month - 1) // 12, (month - 1) % 12 + 1, 1)


def ground(*, structure: float = 0.0, rubble: float = 0.0, green: float = 0.0, added: float = 0.0) -> Measurements:
    """What is measured against a baseline with `STOOD_M2` of structure: what stands of it, and what was added."""
    return areas(
        before={Surface.STRUCTURE: STOOD_M2},
        after={Surface.STRUCTURE: structure + added, Surface.RUBBLE: rubble, Surface.VEGETATION: green},
        change={
            ChangeKind.STRUCTURE_REMOVED: STOOD_M2 - structure,
            ChangeKind.STRUCTURE_ADDED: added,
            ChangeKind.GREEN_ADDED: green,
        },
    )


def record(
    number: int, before: date, after: date, verdicts: tuple[Verdict, ...], m: Measurements | None = None
) -> AssessmentRecord:
    """An assessment as the ledger holds it."""
    at = datetime(2020, 1, 1, tzinfo=UTC)
    key = f"{before}-{after}-{'-'.join(verdict.question for verdict in verdicts)}"
    seen = observed_status(verdicts)
    assessment = Assessment(CODE, key, str(before), str(after), "b", "r", m, verdicts, observed_status=seen)
    return AssessmentRecord(number, 1, before, after, at, assessment)


def remediation(number: int, on: date, m: Measurements, plan: Plan | None = None) -> AssessmentRecord:
    """The pair (baseline, epoch)."""
    return record(number, BASELINE, on, assess_remediation(site(plan=plan), m, RULES), m)


def watch(number: int, since: date, on: date, added: float) -> AssessmentRecord:
    """The watch pair (epoch since which it is watched, epoch)."""
    m = areas(change={ChangeKind.STRUCTURE_ADDED: added}, after={Surface.STRUCTURE: added})
    return record(number, since, on, (assess_rebound(site(), m, RULES),), m)


def clouded(number: int, since: date, on: date, questions: Iterable[Question] = REMEDIATION) -> AssessmentRecord:
    """A pair that answers nothing."""
    return record(number, since, on, not_assessable(questions, Reason.CLOUD))


def doubtful(record: AssessmentRecord, *questions: Question) -> AssessmentRecord:
    """An assessment of which a person should look at some questions first."""
    verdicts = (replace(v, needs_review=v.needs_review or v.question in questions) for v in record.assessment.verdicts)
    return replace(record, assessment=replace(record.assessment, verdicts=tuple(verdicts)))


def site(status: SiteStatus = SiteStatus.REGISTERED, plan: Plan | None = None) -> Site:
    """The site whose life it is."""
    return Site(CODE, Point(116.2, 39.9), plan=plan or Plan(), status=status)


def move(number: int, was: SiteStatus, becomes: SiteStatus, on: date) -> Entry[StatusMove]:
    """A move that held from a day on."""
    at = datetime(2020, 1, 1, tzinfo=UTC)
    return Entry(number, at, StatusMove(CODE, was, becomes, move_between(CODE, was, becomes), "leader", "", on))


def life(
    records: Iterable[AssessmentRecord],
    moves: Iterable[Entry[StatusMove]] = (),
    status: SiteStatus = SiteStatus.REGISTERED,
    **others: object,
) -> SiteLife:
    """A life of these records and moves."""
    return SiteLife(site(status), day(1), tuple(records), moves=tuple(moves), **others)  # type: ignore[arg-type]
