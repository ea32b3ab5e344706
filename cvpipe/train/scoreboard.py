"""Evaluations as tables for people: one for a data set, one Markdown page for several, and JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cvpipe.train.evaluation import Evaluation, MethodScore
from cvpipe.train.folders import Provenance, Target
from cvpipe.train.metrics import LEVEL, MATCH_IOU, MIN_OBJECT_M2, SIZE_CLASSES, Interval, figures

Row = tuple[str, ...]

PIXEL_COLUMNS: Row = ("precision", "recall", "F1", f"F1 {LEVEL:.0%}", "IoU")
OBJECT_COLUMNS: Row = ("obj. prec.", "obj. recall", "obj. F1", "outline F1", "false alarms")

#: What the columns mean, in one sentence under every table.
LEGEND = (
    f"Objects of at least {MIN_OBJECT_M2:g} m²: found or right where the other side covers a quarter of them; "
    f"outline F1: intersection over union of at least {MATCH_IOU:g} with one object; false alarms: predicted objects "
    "that are not right, per 10,000 m² labelled unchanged. F1 with a bootstrap interval over places."
)

NONE = "–"

#: The order in which provenances are listed, with their headings.
HEADINGS = {
    Provenance.REAL: "Real pictures, real change",
    Provenance.EDITED: "Edited: structures painted into or out of real pictures",
    Provenance.DRAWN: "Drawn world",
    Provenance.UNKNOWN: "Provenance not stated",
}


@dataclass(frozen=True)
class Table:
    """Cells as text, ready to print."""

    title: str
    columns: Row
    rows: tuple[Row, ...]


def tables(evaluation: Evaluation) -> list[Table]:
    """Pixels, objects, and objects by size: a row for each target and each method that answers it."""
    answered = list(_answered(evaluation))
    first = [(score.method, target.name, str(score.pictures_with(target.name))) for score, target in answered]
    cells = [_cells(score, target) for score, target in answered]
    names = ("method", "target", "n")
    pixels = tuple(left + tuple(c[name] for name in PIXEL_COLUMNS) for left, c in zip(first, cells, strict=True))
    objects = tuple(left + tuple(c[name] for name in OBJECT_COLUMNS) for left, c in zip(first, cells, strict=True))
    return [
        Table(headline(evaluation), (*names, *PIXEL_COLUMNS), pixels),
        Table("Objects", (*names, *OBJECT_COLUMNS), objects),
        Table("Labelled objects that were found, by size in m²", (*names[:2], *SIZE_CLASSES), _size_rows(evaluation)),
    ]


def headline(evaluation: Evaluation) -> str:
    """Data set, provenance, pictures, ground and time in one line."""
    data, first = evaluation.dataset, evaluation.scores[0]
    seen = ", SEEN IN TRAINING" if data.seen_in_training else ""
    assessed = f"{first.method} assessed {first.assessed_share:.0%} of it in {first.seconds:.1f} s"
    return (
        f"{data.name} ({data.provenance.value}{seen}): {len(first.pictures)} pictures, "
        f"{evaluation.area_m2:,.0f} m²; {assessed}"
    )


def markdown(evaluations: Iterable[Evaluation]) -> str:
    """A page with one table per provenance; real, edited and drawn figures never share one."""
    done = list(evaluations)
    parts = [_section(heading, [e for e in done if e.dataset.provenance is p]) for p, heading in HEADINGS.items()]
    return "\n\n".join([part for part in parts if part] + [LEGEND]) + "\n"


def write_json(path: Path, value: object) -> None:
    """Write JSON to a name beside `path`, then rename it, so that `path` is whole or untouched."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
    part.replace(path)


def _section(heading: str, evaluations: Sequence[Evaluation]) -> str:
    if not evaluations:
        return ""
    columns = ("set", "method", "target", "n", *PIXEL_COLUMNS, *OBJECT_COLUMNS)
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    for evaluation in evaluations:
        name = evaluation.dataset.name + (" (seen in training)" if evaluation.dataset.seen_in_training else "")
        for score, target in _answered(evaluation):
            left = (name, score.method, target.name, str(score.pictures_with(target.name)))
            lines.append(f"| {' | '.join((*left, *_cells(score, target).values()))} |")
    return f"**{heading}**\n\n" + "\n".join(lines)


def _answered(evaluation: Evaluation) -> Iterator[tuple[MethodScore, Target]]:
    """Methods by target, those left out that say nothing of it."""
    for target in evaluation.targets:
        for score in evaluation.scores:
            if score.pictures_with(target.name):
                yield score, target


def _size_rows(evaluation: Evaluation) -> tuple[Row, ...]:
    """Found / labelled objects of each size class; targets without a labelled object are left out."""
    totals = [(score, target, score.total(target.name)) for score, target in _answered(evaluation)]
    return tuple(
        (score.method, target.name, *(f"{o.found} / {o.labelled}" for o in total.by_size))
        for score, target, total in totals
        if total.objects.labelled
    )


def _cells(score: MethodScore, target: Target) -> dict[str, str]:
    """The figures of one row by column."""
    found = figures(score.total(target.name))
    pixels = (
        _number(found.precision),
        _number(found.recall),
        _number(found.f1),
        _span(score.intervals(target.name)["f1"]),
        _number(found.iou),
    )
    objects = (
        _number(found.object_precision),
        _number(found.object_recall),
        _number(found.object_f1),
        _number(found.matched_f1),
        _number(found.false_alarms_per_10000_m2),
    )
    return dict(zip((*PIXEL_COLUMNS, *OBJECT_COLUMNS), (*pixels, *objects), strict=True))


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"


def _span(interval: Interval | None) -> str:
    return NONE if interval is None else f"{interval[0]:.2f}–{interval[1]:.2f}"


__all__ = ["LEGEND", "OBJECT_COLUMNS", "PIXEL_COLUMNS", "Table", "headline", "markdown", "tables", "write_json"]
