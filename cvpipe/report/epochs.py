"""Which epochs of a site are shown side by side, and where each lies against the first. Pure.

All pictures are cut in the frame of the first: a later epoch's content lies `offset_m` to the right of and below its
place there, as the assessments' alignment found, and is read that much further on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from cvpipe.domain import Change, ChangeKind, Question
from cvpipe.ledger.records import AssessmentRecord
from cvpipe.report.content import Content, SiteContent

Offset = tuple[float, float]
"""(x, y) in metres: right and down."""

PixelSize = Callable[[AssessmentRecord], float]
"""Side in metres of the pixels in which an assessment states its shift."""

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
class Epoch:
    """One scene of a site, with what is outlined on it."""

    scene_hash: str
    acquired: date
    role: Role
    offset_m: Offset
    changes: tuple[DrawnChange, ...]
    record: AssessmentRecord


def pixel_sizes(content: Content) -> PixelSize:
    """The size of the pixels that each run compared: what it states as `gsd_m`, else that of the earlier scene."""
    compared_at = {run.id: run.settings.get("gsd_m") for run in content.runs}
    native = {scene.content_hash: scene.gsd_m for scene in content.scenes}

    def pixel_m(record: AssessmentRecord) -> float:
        return float(compared_at.get(record.run_id) or native[record.assessment.before or ""])

    return pixel_m


def epochs_of(page: SiteContent, pixel_m: PixelSize) -> tuple[Epoch, ...]:
    """At most three epochs, oldest first: the baseline, where there is one an epoch between, and the newest.

    The baseline is that of the demolition verdict that holds. Empty where no assessment had two scenes.
    """
    records = [r for r in page.records if r.assessment.before and r.assessment.after and r.before_date and r.after_date]
    base = _base(page, records)
    if base is None:
        return ()
    from_base = [r for r in records if r.assessment.before == base.assessment.before]
    steps = _later_epochs(from_base, pixel_m)
    watch = _watch(page, records)
    if watch is not None:
        steps = _with_watch(steps, watch, pixel_m)
    shown = (steps[0], steps[-1]) if len(steps) > 1 else (steps[0],)
    named = [replace(step, role=Role.LATER if i else Role.AFTER) for i, step in enumerate(shown)]
    return (_baseline(base, named[0]), *named)


def _base(page: SiteContent, records: Sequence[AssessmentRecord]) -> AssessmentRecord | None:
    standing = page.standings.get(Question.DEMOLITION)
    if standing is not None and standing.record in records:
        return standing.record
    return records[-1] if records else None


def _watch(page: SiteContent, records: Sequence[AssessmentRecord]) -> AssessmentRecord | None:
    standing = page.standings.get(Question.REBOUND)
    return standing.record if standing is not None and standing.record in records else None


def _later_epochs(from_base: Sequence[AssessmentRecord], pixel_m: PixelSize) -> list[Epoch]:
    """An epoch for each later scene compared with the baseline, oldest first; of several records the last written."""
    newest = {r.assessment.after: r for r in from_base}
    ordered = sorted(newest.values(), key=lambda r: (r.after_date or date.min, r.id))
    return [_epoch(r, _offset(r, pixel_m), tuple(DrawnChange(c) for c in r.assessment.changes)) for r in ordered]


def _with_watch(steps: list[Epoch], watch: AssessmentRecord, pixel_m: PixelSize) -> list[Epoch]:
    """`steps` with the watch's newest epoch; structures that it saw come instead of those seen from the baseline."""
    seen_on = next((s.offset_m for s in steps if s.scene_hash == watch.assessment.before), _NOWHERE)
    added = tuple(DrawnChange(c, seen_on) for c in watch.assessment.changes if c.kind is ChangeKind.STRUCTURE_ADDED)
    known = next((s for s in steps if s.scene_hash == watch.assessment.after), None)
    if known is None:
        step = _offset(watch, pixel_m)
        newest = _epoch(watch, (seen_on[0] + step[0], seen_on[1] + step[1]), added)
        return sorted([*steps, newest], key=lambda s: s.acquired)
    others = tuple(d for d in known.changes if d.change.kind is not ChangeKind.STRUCTURE_ADDED)
    return [replace(s, changes=others + added) if s is known else s for s in steps]


def _baseline(base: AssessmentRecord, after: Epoch) -> Epoch:
    """The first picture: what was to go is outlined, as it is gone at the next epoch shown."""
    gone = tuple(d for d in after.changes if d.change.kind in _GONE)
    assert base.assessment.before is not None
    assert base.before_date is not None
    return Epoch(base.assessment.before, base.before_date, Role.BEFORE, _NOWHERE, gone, base)


def _epoch(record: AssessmentRecord, offset_m: Offset, changes: tuple[DrawnChange, ...]) -> Epoch:
    assert record.assessment.after is not None
    assert record.after_date is not None
    return Epoch(record.assessment.after, record.after_date, Role.AFTER, offset_m, changes, record)


def _offset(record: AssessmentRecord, pixel_m: PixelSize) -> Offset:
    """How far the later epoch's content lies right of and below its place at the earlier epoch."""
    measured = record.assessment.measurements
    if measured is None:
        return _NOWHERE
    (x, y), size = measured.registration.shift_px, pixel_m(record)
    return x * size, y * size


__all__ = ["DrawnChange", "Epoch", "Offset", "PixelSize", "Role", "epochs_of", "pixel_sizes"]
