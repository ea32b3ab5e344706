"""Evaluations as tables for people: one for a data set, one Markdown page for several, and JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cvpipe.train.folders import Provenance, Target
from cvpipe.train.metrics import (
    LEVEL,
    MATCH_IOU,
    MIN_OBJECT_M2,
    SIZE_CLASSES,
    SMALLEST_AREA_M2,
    Interval,
    Tally,
    figures,
)
from cvpipe.train.scores import Evaluation, MethodScore, main_target

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
    """Pixels, objects, objects by size, areas and calibration: a row for each target and each method that answers."""
    answered = list(_answered(evaluation))
    first = [(score.method, target.name, str(score.pictures_with(target.name))) for score, target in answered]
    cells = [_cells(score, target) for score, target in answered]
    names = ("method", "target", "n")
    pixels = tuple(left + tuple(c[name] for name in PIXEL_COLUMNS) for left, c in zip(first, cells, strict=True))
    objects = tuple(left + tuple(c[name] for name in OBJECT_COLUMNS) for left, c in zip(first, cells, strict=True))
    return [
        Table(headline(evaluation), (*names, *PIXEL_COLUMNS), pixels),
        Table("Objects", (*names, *OBJECT_COLUMNS), objects),
        found_by_size(evaluation),
        right_by_size(evaluation),
        area_table([evaluation]),
        calibration_table([evaluation]),
    ]


def found_by_size(evaluation: Evaluation) -> Table:
    """Recall of objects: found / labelled of each size class; targets without a labelled object are left out."""
    rows = tuple(
        (score.method, target.name, *(f"{o.found} / {o.labelled}" for o in total.by_size))
        for score, target, total in _totals(evaluation)
        if total.objects.labelled
    )
    return Table("Labelled objects that were found, by size in m²", ("method", "target", *SIZE_CLASSES), rows)


def right_by_size(evaluation: Evaluation) -> Table:
    """Precision of objects: right / predicted of each size class."""
    rows = tuple(
        (score.method, target.name, *(f"{o.right} / {o.predicted}" for o in total.by_size))
        for score, target, total in _totals(evaluation)
        if total.objects.predicted
    )
    return Table("Predicted objects that are right, by size in m²", ("method", "target", *SIZE_CLASSES), rows)


def area_table(evaluations: Sequence[Evaluation]) -> Table:
    """Errors of area over the pictures of each set that show enough of a target."""
    columns = ("set", "method", "target", "n", "median", "median size", "90 % within")
    rows = tuple(
        (
            evaluation.dataset.name,
            score.method,
            target.name,
            str(areas.pictures),
            f"{areas.median:+.0%}",
            f"{areas.median_size:.0%}",
            f"{areas.size_90:.0%}",
        )
        for evaluation in evaluations
        for score, target in _answered(evaluation)
        if (areas := score.areas(target.name)) is not None
    )
    return Table(f"Error of area, pictures with at least {SMALLEST_AREA_M2:g} m² labelled", columns, rows)


def calibration_table(evaluations: Sequence[Evaluation]) -> Table:
    """Expected calibration error of methods that say how sure they are, with the temperature and without."""
    columns = ("set", "method", "target", "ECE", "without T", "unsure ECE", "without T", "polygons", "polygon ECE")
    rows = tuple(
        (
            evaluation.dataset.name,
            score.method,
            target.name,
            *(_error(e) for e in (sure.pixels.ece, sure.plain_pixels.ece)),
            *(_error(e) for e in (sure.pixels.unsure_ece, sure.plain_pixels.unsure_ece)),
            f"{sure.polygons.total:.0f}",
            _error(sure.polygons.ece),
        )
        for evaluation in evaluations
        for score, target in _answered(evaluation)
        if (sure := score.reliability(target.name)) is not None
    )
    return Table("Calibration", columns, rows)


def domain_table(evaluations: Sequence[Evaluation]) -> Table:
    """One row for each set: its main target as the first method answers it."""
    columns = ("set", "provenance", "target", "n", "ha", *PIXEL_COLUMNS[2:], *OBJECT_COLUMNS, "ECE", "s a km²")
    rows = []
    for evaluation in evaluations:
        score, target = evaluation.scores[0], main_target(evaluation)
        if target is None:
            continue
        cells, sure = _cells(score, target), score.reliability(target.name)
        rows.append(
            (
                evaluation.dataset.name,
                evaluation.dataset.provenance.value,
                target.name,
                str(score.pictures_with(target.name)),
                f"{evaluation.area_m2 / 1e4:.1f}",
                *(cells[name] for name in (*PIXEL_COLUMNS[2:], *OBJECT_COLUMNS)),
                _error(sure.pixels.ece if sure else None),
                f"{score.seconds / evaluation.area_m2 * 1e6:.0f}",
            )
        )
    return Table("Across domains", columns, tuple(rows))


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
    return "\n\n".join([as_markdown(table) for table in provenance_tables(list(evaluations))] + [LEGEND]) + "\n"


def provenance_tables(evaluations: Sequence[Evaluation]) -> list[Table]:
    """One table per provenance that is there, a row for each set, target and method."""
    found = [_of_provenance(h, [e for e in evaluations if e.dataset.provenance is p]) for p, h in HEADINGS.items()]
    return [table for table in found if table.rows]


def as_markdown(table: Table) -> str:
    """A table as Markdown has it, under its title in bold."""
    lines = [f"| {' | '.join(row)} |" for row in (table.columns, *table.rows)]
    return "\n".join([f"**{table.title}**", "", lines[0], f"|{'---|' * len(table.columns)}", *lines[1:]])


def write_json(path: Path, value: object) -> None:
    """Write JSON to a name beside `path`, then rename it, so that `path` is whole or untouched."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
    part.replace(path)


def _of_provenance(heading: str, evaluations: Sequence[Evaluation]) -> Table:
    columns = ("set", "method", "target", "n", *PIXEL_COLUMNS, *OBJECT_COLUMNS)
    rows: list[Row] = []
    for evaluation in evaluations:
        name = evaluation.dataset.name + (" (seen in training)" if evaluation.dataset.seen_in_training else "")
        for score, target in _answered(evaluation):
            left = (name, score.method, target.name, str(score.pictures_with(target.name)))
            rows.append((*left, *_cells(score, target).values()))
    return Table(heading, columns, tuple(rows))


def _answered(evaluation: Evaluation) -> Iterator[tuple[MethodScore, Target]]:
    """Methods by target, those left out that say nothing of it."""
    for target in evaluation.targets:
        for score in evaluation.scores:
            if score.pictures_with(target.name):
                yield score, target


def _totals(evaluation: Evaluation) -> list[tuple[MethodScore, Target, Tally]]:
    return [(score, target, score.total(target.name)) for score, target in _answered(evaluation)]


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


def _error(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"


def _span(interval: Interval | None) -> str:
    return NONE if interval is None else f"{interval[0]:.2f}–{interval[1]:.2f}"


__all__ = [
    "LEGEND",
    "OBJECT_COLUMNS",
    "PIXEL_COLUMNS",
    "Table",
    "area_table",
    "as_markdown",
    "calibration_table",
    "domain_table",
    "found_by_size",
    "headline",
    "markdown",
    "provenance_tables",
    "right_by_size",
    "tables",
    "write_json",
]
