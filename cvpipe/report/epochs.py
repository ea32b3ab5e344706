"""Which epochs of a site are shown side by side, and where each lies against the first. Pure.

All pictures are cut in the frame of the first: a later epoch is read where the registration of the site's own
assessments lays it, with its turn and its bend; one that was never compared with the first goes by way of an epoch that
was. What is outlined is moved by the shift at the site's middle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from cvpipe.domain import Change, ChangeKind, Question, Registration, Remnant
from cvpipe.imagery import ALIGNMENT_MARGIN_M
from cvpipe.ledger.records import AssessmentRecord
from cvpipe.report.content import Content, SiteContent

Offset = tuple[float, float]
"""(x, y) in metres: right and down."""


@dataclass(frozen=True)
class Compared:
    """On what an assessment compared its epochs: side of a pixel, and ground around the site's outline, metres."""

    pixel_m: float
    margin_m: float = ALIGNMENT_MARGIN_M


HowCompared = Callable[[AssessmentRecord], Compared]
"""What a run compared an assessment's epochs on."""

_GONE = frozenset({ChangeKind.STRUCTURE_REMOVED, ChangeKind.GREEN_REMOVED})
_NOWHERE: Offset = (0.0, 0.0)


class Role(StrEnum):
    """A picture's place in the story; the value is its word's key."""

    BEFORE = "before"
    AFTER = "after"
    LATER = "later"


@dataclass(frozen=True)
class DrawnChange:
    """A change to be outlined; its geometry is that of an epoch that lies `offset_m` away from the first."""

    change: Change
    offset_m: Offset = _NOWHERE


@dataclass(frozen=True)
class DrawnRemnant:
    """What still stands or lies on the site, to be outlined; its geometry lies as that of a `DrawnChange` does."""

    remnant: Remnant
    offset_m: Offset = _NOWHERE


@dataclass(frozen=True)
class Step:
    """How an epoch lies on an earlier one of the same site, as their comparison found."""

    registration: Registration
    compared: Compared

    @property
    def offset_m(self) -> Offset:
        """How far its content lies right of and below its place at the earlier epoch, at the site's middle."""
        x, y = self.registration.shift_px
        return x * self.compared.pixel_m, y * self.compared.pixel_m


@dataclass(frozen=True)
class Epoch:
    """One day's scenes of a site (content hashes, the first one first), with what is outlined on them.

    `steps` lead from the first picture's ground to this epoch's.
    """

    scenes: tuple[str, ...]
    acquired: date
    role: Role
    steps: tuple[Step, ...]
    changes: tuple[DrawnChange, ...]
    record: AssessmentRecord
    left: tuple[DrawnRemnant, ...] = ()

    @property
    def offset_m(self) -> Offset:
        """How far its content lies right of and below its place at the first epoch, at the site's middle."""
        offsets = [step.offset_m for step in self.steps]
        return sum(x for x, _ in offsets), sum(y for _, y in offsets)


def how_compared(content: Content) -> HowCompared:
    """What each run compared on: pixels of what it states as `gsd_m`, else of the earlier scene."""
    settings = {run.id: run.settings for run in content.runs}
    native = {scene.content_hash: scene.gsd_m for scene in content.scenes}

    def compared(record: AssessmentRecord) -> Compared:
        stated = settings.get(record.run_id, {})
        pixel_m = float(stated.get("gsd_m") or native[record.assessment.before or ""])
        return Compared(pixel_m, max(float(stated.get("margin_m") or 0), ALIGNMENT_MARGIN_M))

    return compared


def epochs_of(page: SiteContent, how: HowCompared) -> tuple[Epoch, ...]:
    """At most three epochs, oldest first: the baseline, where there is one an epoch between, and the newest.

    The baseline is that of the demolition verdict that holds. Empty where no assessment had two scenes.
    """
    known = all_epochs_of(page, how)
    if len(known) <= 3:
        return known
    baseline, first, *_, last = known
    return _baseline(baseline, first), first, last


def all_epochs_of(page: SiteContent, how: HowCompared) -> tuple[Epoch, ...]:
    """The baseline and every epoch that was compared with it, oldest first, and the newest of the watch."""
    records = [r for r in page.records if r.assessment.before and r.assessment.after and r.before_date and r.after_date]
    base = _base(page, records)
    if base is None:
        return ()
    steps = _later_epochs([r for r in records if r.assessment.before == base.assessment.before], how)
    watch = _watch(page, records)
    if watch is not None:
        steps = _with_watch(steps, watch, how)
    named = [replace(step, role=Role.LATER if i else Role.AFTER) for i, step in enumerate(steps)]
    one = base.assessment
    assert one.before is not None
    assert base.before_date is not None
    first = Epoch((one.before, *one.before_fill), base.before_date, Role.BEFORE, (), (), base)
    return (_baseline(first, named[0]), *named)


def _base(page: SiteContent, records: Sequence[AssessmentRecord]) -> AssessmentRecord | None:
    standing = page.standings.get(Question.DEMOLITION)
    if standing is not None and standing.record in records:
        return standing.record
    return records[-1] if records else None


def _watch(page: SiteContent, records: Sequence[AssessmentRecord]) -> AssessmentRecord | None:
    standing = page.standings.get(Question.REBOUND)
    return standing.record if standing is not None and standing.record in records else None


def _later_epochs(from_base: Sequence[AssessmentRecord], how: HowCompared) -> list[Epoch]:
    """An epoch for each later day compared with the baseline, oldest first; of several records the last written."""
    newest = {r.assessment.after: r for r in from_base}
    ordered = sorted(newest.values(), key=lambda r: (r.after_date or date.min, r.id))
    return [_epoch(r, _steps(r, how), tuple(DrawnChange(c) for c in r.assessment.changes)) for r in ordered]


def _with_watch(steps: list[Epoch], watch: AssessmentRecord, how: HowCompared) -> list[Epoch]:
    """`steps` with the watch's newest epoch; structures that it saw come instead of those seen from the baseline."""
    seen_on = next((s for s in steps if s.scenes[0] == watch.assessment.before), None)
    offset = seen_on.offset_m if seen_on else _NOWHERE
    added = tuple(DrawnChange(c, offset) for c in watch.assessment.changes if c.kind is ChangeKind.STRUCTURE_ADDED)
    known = next((s for s in steps if s.scenes[0] == watch.assessment.after), None)
    if known is None:
        newest = _epoch(watch, (*(seen_on.steps if seen_on else ()), *_steps(watch, how)), added, offset)
        return sorted([*steps, newest], key=lambda s: s.acquired)
    others = tuple(d for d in known.changes if d.change.kind is not ChangeKind.STRUCTURE_ADDED)
    return [replace(s, changes=others + added) if s is known else s for s in steps]


def _baseline(baseline: Epoch, after: Epoch) -> Epoch:
    """The first picture: what was to go is outlined, as it is gone at the next epoch shown."""
    return replace(baseline, changes=tuple(d for d in after.changes if d.change.kind in _GONE))


def _epoch(
    record: AssessmentRecord, steps: tuple[Step, ...], changes: tuple[DrawnChange, ...], offset: Offset = _NOWHERE
) -> Epoch:
    one = record.assessment
    assert one.after is not None
    assert record.after_date is not None
    left = tuple(DrawnRemnant(r, offset) for r in (one.measurements.left if one.measurements else ()))
    return Epoch((one.after, *one.after_fill), record.after_date, Role.AFTER, steps, changes, record, left)


def _steps(record: AssessmentRecord, how: HowCompared) -> tuple[Step, ...]:
    """How the later epoch lies on the earlier one; nothing where nothing was measured."""
    measured = record.assessment.measurements
    return () if measured is None else (Step(measured.registration, how(record)),)


__all__ = [
    "Compared",
    "DrawnChange",
    "DrawnRemnant",
    "Epoch",
    "HowCompared",
    "Offset",
    "Role",
    "Step",
    "all_epochs_of",
    "epochs_of",
    "how_compared",
]
