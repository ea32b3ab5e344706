"""An evaluation as a page for a sceptic: Markdown and HTML of one content, with charts and pictures of single cases.

The pictures are chosen by rule (`cases`): the best, the worst, and some by lot, so that nobody has to wonder which were
left out.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import cv2

import cvpipe
from cvpipe.folders import OutputFolder
from cvpipe.train import scoreboard
from cvpipe.train.answers import Method
from cvpipe.train.cases import cases_of, draw_case
from cvpipe.train.charts import SHARE, Axis, Curve, line_chart
from cvpipe.train.folders import Target
from cvpipe.train.reliability import BINS, UNSURE, Reliability
from cvpipe.train.robustness import UNITS, Point, Robustness, pooled
from cvpipe.train.scoreboard import Table
from cvpipe.train.scores import Evaluation, MethodScore, Reliabilities, main_target

HTML, MARKDOWN, JSON, PICTURES = "index.html", "report.md", "figures.json", "pictures"

#: What a folder with such a report holds.
REPORT = OutputFolder("evaluation report", frozenset({HTML, MARKDOWN, JSON, PICTURES}), proof=MARKDOWN)

JPEG_QUALITY = 88

CASES = (
    "Each row: before, after, label (yellow; darkened: not scored), answer (green right, orange false alarm, blue "
    "missed). Best: highest F1 of those with something to find; worst: most wrong ground; random: by lot, with a "
    "fixed seed."
)
CALIBRATION = (
    f"ECE: mean distance between the probability that is said and how often it is so, over {BINS} bins; unsure "
    f"ECE: over the bins between {UNSURE[0]:.0%} and {UNSURE[1]:.0%} alone, since ground that is certainly "
    "unchanged hides any fault. Without T: before the temperatures that were fitted on held-out places. Polygon "
    "ECE: of the mean probability that a reported polygon bears, against whether it is right."
)
ROBUSTNESS = (
    "The later epoch is disturbed on purpose. Not aligned: with the shift left in. Unchanged ground: the earlier "
    "picture against itself, so that every object is a false alarm. Ground near the edge, as far as the largest "
    "shift, is not scored at any level."
)

PEOPLE = (
    "Verdicts of a ledger that somebody looked at, by the bundle that gave them. They are no random sample: doubtful "
    "ones are looked at first. `cvpipe sample` draws one."
)


@dataclass(frozen=True)
class Figure:
    """A picture in `PICTURES` and the words under it."""

    file: str
    words: str


@dataclass(frozen=True)
class Section:
    """A heading with text, tables, and rows of figures."""

    title: str
    text: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()


def write_report(
    out: Path,
    evaluations: Sequence[Evaluation],
    methods: Sequence[Method],
    tried: Sequence[Robustness] = (),
    said: Sequence[Table] = (),
    *,
    align: bool = True,
) -> None:
    """Write `report.md`, `index.html`, `figures.json` and their pictures into `out`, which appears whole or not at all.

    `said` are tables of what people said (`people`).
    Raises UsageError where `out` holds anything but an earlier report.
    """
    with REPORT.staged(out) as stage:
        pictures = stage / PICTURES
        pictures.mkdir()
        sections = [
            _across(evaluations),
            *_measured(evaluations),
            _calibration(evaluations, pictures),
            *([_robustness(tried, pictures)] if tried else []),
            *([Section("People", (PEOPLE,), tuple(said))] if said else []),
            *(_cases(evaluation, methods[0], pictures, align=align) for evaluation in evaluations),
            _basis(evaluations, methods[0]),
        ]
        title = f"{methods[0].name} evaluated"
        (stage / MARKDOWN).write_text(_markdown(title, sections), encoding="utf-8")
        (stage / HTML).write_text(_html(title, sections), encoding="utf-8")
        content = {"sets": [e.as_json() for e in evaluations], "robustness": [one.as_json() for one in tried]}
        scoreboard.write_json(stage / JSON, content)


def _across(evaluations: Sequence[Evaluation]) -> Section:
    text = ["Each set is ground of another kind; none is averaged with another."]
    seen = [e.dataset.name for e in evaluations if e.dataset.seen_in_training]
    text += [f"Seen in training, so that they say nothing of new ground: {', '.join(seen)}."] if seen else []
    return Section("Across domains", tuple(text), (scoreboard.domain_table(evaluations),))


def _measured(evaluations: Sequence[Evaluation]) -> list[Section]:
    by_size = [table for e in evaluations for table in _named(e, (scoreboard.found_by_size, scoreboard.right_by_size))]
    return [
        Section("Every method and target", (scoreboard.LEGEND,), tuple(scoreboard.provenance_tables(evaluations))),
        Section("Objects by size", (), tuple(by_size)),
        Section("Areas", (), (scoreboard.area_table(evaluations),)),
    ]


def _named(evaluation: Evaluation, makers: Iterable[Callable[[Evaluation], Table]]) -> list[Table]:
    tables = [maker(evaluation) for maker in makers]
    return [Table(f"{evaluation.dataset.name}: {t.title}", t.columns, t.rows) for t in tables if t.rows]


def _calibration(evaluations: Sequence[Evaluation], pictures: Path) -> Section:
    figures = []
    for evaluation in evaluations:
        score = evaluation.scores[0]
        for target in evaluation.targets:
            sure = score.reliability(target.name)
            if sure is not None and sure.pixels.total:
                name = f"reliability-{_slug(evaluation.dataset.name)}-{_slug(target.name)}.svg"
                (pictures / name).write_text(_diagram(evaluation.dataset.name, target, sure), encoding="utf-8")
                figures.append(Figure(name, f"{evaluation.dataset.name}, {target.name}: {_told(sure.pixels)}"))
    return Section("Calibration", (CALIBRATION,), (scoreboard.calibration_table(evaluations),), tuple(figures))


def _told(one: Reliability) -> str:
    return "no pixel" if one.ece is None else f"{one.total:,.0f} pixels, ECE {one.ece:.3f}"


def _diagram(dataset: str, target: Target, sure: Reliabilities) -> str:
    named = (("with temperature", sure.pixels), ("without", sure.plain_pixels), ("polygons", sure.polygons))
    curves = [
        Curve(name, tuple((said, so) for said, so, _ in one.points()), joined=one is not sure.polygons)
        for name, one in named
        if one.total
    ]
    x, y = Axis("probability that was said", 0, 1, SHARE), Axis("share that was so", 0, 1, SHARE)
    return line_chart(f"{dataset}: {target.name}", x, y, curves, diagonal=True)


def _robustness(tried: Sequence[Robustness], pictures: Path) -> Section:
    every = [*tried, *pooled(tried)]
    figures = [figure for one in every for figure in _curves(one, pictures)]
    tables = tuple(robustness_table(one) for one in every)
    proofs = tuple(sentence for one in every for sentence in one.proofs())
    return Section("Robustness", (ROBUSTNESS, *proofs), tables, tuple(figures))


def robustness_table(one: Robustness) -> Table:
    """A row for each disturbance: object F1 and false alarms per 10,000 m² at each of its levels."""
    curves = one.rows()
    width = max(len(points) for points in curves.values())
    rows = []
    for row, points in curves.items():
        cells = [f"{_level(p)}: {_share(p.object_f1)}, {_share(p.alarms)}" for p in points]
        rows.append((row, *cells, *[""] * (width - len(cells))))
    columns = ("disturbance", "level: obj. F1, false alarms", *[""] * (width - 1))
    return Table(f"{one.dataset}: {one.target}, {one.pictures} pictures", columns, tuple(rows))


def _curves(one: Robustness, pictures: Path) -> list[Figure]:
    """Two charts: object F1 and false alarms over the steps of each disturbance."""
    kinds: dict[str, list[tuple[str, list[Point]]]] = {}
    for row, points in one.rows().items():
        kinds.setdefault("still" if points[0].trial.still else points[0].trial.kind, []).append((row, points))
    figures = []
    for kind, rows in kinds.items():
        unit = UNITS.get(kind, "px")
        x = Axis.of_steps(f"{kind} {unit}".strip() if kind != "still" else "shift px", [_level(p) for p in rows[0][1]])
        if kind != "still" and any(p.object_f1 is not None for p in rows[0][1]):
            figures.append(_chart(one, kind, "object F1", x, Axis("object F1", 0, 1, SHARE), rows, pictures))
        most = max((p.alarms or 0.0) for _, points in rows for p in points)
        figures.append(_chart(one, kind, "false alarms", x, Axis.of("per 10,000 m²", most), rows, pictures))
    return figures


def _chart(
    one: Robustness, kind: str, what: str, x: Axis, y: Axis, rows: Sequence[tuple[str, list[Point]]], pictures: Path
) -> Figure:
    values = [(row, [p.object_f1 if what == "object F1" else p.alarms for p in points]) for row, points in rows]
    curves = [Curve(row, tuple((float(i), v) for i, v in enumerate(of) if v is not None)) for row, of in values]
    name = f"robustness-{_slug(one.dataset)}-{_slug(kind)}-{_slug(what)}.svg"
    short = one.dataset.split(":")[0]
    title = f"{short}: {what}, {'unchanged ground' if kind == 'still' else kind}"
    (pictures / name).write_text(line_chart(title, x, y, _short(curves)), encoding="utf-8")
    return Figure(name, f"{one.dataset}, {one.pictures} pictures")


def _short(curves: Sequence[Curve]) -> list[Curve]:
    """What is common to the names of several curves is left out: the title has it."""
    if len(curves) < 2:
        return list(curves)
    words = {"aligned": "aligned", "not aligned": "not aligned"}
    return [Curve(words["not aligned" if "not aligned" in c.name else "aligned"], c.points) for c in curves]


def _level(point: Point) -> str:
    return "0" if point.trial.level is None and point.trial.kind == "shift" else _number(point.trial.level)


def _number(level: float | None) -> str:
    return "none" if level is None else f"{level:g}"


def _share(value: float | None) -> str:
    return scoreboard.NONE if value is None else f"{value:.2f}"


def _cases(evaluation: Evaluation, method: Method, pictures: Path, *, align: bool) -> Section:
    name, target = evaluation.dataset.name, main_target(evaluation)
    title = f"Cases: {name}"
    if target is None:
        return Section(title, ("Nothing here that the method answers.",))
    figures = []
    for case in cases_of(evaluation.scores[0], target):
        file = f"case-{_slug(name)}-{case.sort}-{_slug(case.stem)}.jpg"
        row = draw_case(evaluation.dataset, method, target, case.stem, align=align)
        cv2.imwrite(str(pictures / file), row[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        figures.append(Figure(file, f"{case.sort}: {case.stem} ({case.note})"))
    licence = f"Pictures: {evaluation.dataset.licence}." if evaluation.dataset.licence else ""
    return Section(title, tuple(filter(None, (f"Target: {target.name}. {CASES}", licence))), (), tuple(figures))


def _basis(evaluations: Sequence[Evaluation], method: Method) -> Section:
    rows = [_runtime(e.dataset.name, score, e.area_m2) for e in evaluations for score in e.scores]
    runtime = Table("Time of the answers, without reading and aligning", ("set", "method", "s", "s a km²"), tuple(rows))
    made = datetime.now(UTC).strftime("%Y-%m-%d")
    text = (
        f"Bundle `{method.name}`, digest `{method.digest}`, {method.gsd_m or 0:g} m a pixel.",
        f"Made with cvpipe {cvpipe.__version__} on {made}, {platform.machine()}, {platform.system()}, "
        f"Python {platform.python_version()}.",
        *(
            f"{e.dataset.name}: {len(e.scores[0].pictures)} pictures, licence: {e.dataset.licence or 'not stated'}."
            for e in evaluations
        ),
    )
    return Section("Basis", text, (runtime,))


def _runtime(dataset: str, score: MethodScore, area_m2: float) -> tuple[str, ...]:
    return dataset, score.method, f"{score.seconds:.1f}", f"{score.seconds / area_m2 * 1e6:.0f}"


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name.lower()).strip("-")[:60]


def _markdown(title: str, sections: Sequence[Section]) -> str:
    parts = [f"# {title}"]
    for section in sections:
        parts += [f"## {section.title}", *section.text, *(scoreboard.as_markdown(t) for t in section.tables if t.rows)]
        parts += [f"![{figure.words}]({PICTURES}/{figure.file})\n\n{figure.words}" for figure in section.figures]
    return "\n\n".join(parts) + "\n"


def _html(title: str, sections: Sequence[Section]) -> str:
    body = "\n".join(_section_html(section) for section in sections)
    contents = " · ".join(f'<a href="#{_slug(s.title)}">{escape(s.title)}</a>' for s in sections)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{_STYLE}</style></head>\n'
        f"<body><main><h1>{escape(title)}</h1>\n<nav>{contents}</nav>\n{body}\n</main></body></html>\n"
    )


def _section_html(section: Section) -> str:
    parts = [f'<section id="{_slug(section.title)}"><h2>{escape(section.title)}</h2>']
    parts += [f"<p>{escape(line)}</p>" for line in section.text]
    parts += [_table_html(table) for table in section.tables if table.rows]
    parts.append('<div class="figures">')
    for figure in section.figures:
        kind = "chart" if figure.file.endswith(".svg") else "case"
        source = escape(f"{PICTURES}/{figure.file}", quote=True)
        parts.append(
            f'<figure class="{kind}"><img src="{source}" alt="{escape(figure.words, quote=True)}" loading="lazy">'
            f"<figcaption>{escape(figure.words)}</figcaption></figure>"
        )
    return "\n".join([*parts, "</div></section>"])


def _table_html(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    rows = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return (
        f'<div class="scroll"><table><caption>{escape(table.title)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>"
    )


_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; margin: 0; }
main { max-width: 1320px; margin: 0 auto; padding: 1.5rem; }
nav { font-size: 13px; color: #666; }
h2 { margin: 2.2rem 0 .5rem; border-bottom: 1px solid #ddd; padding-bottom: .2rem; font-size: 1.25rem; }
p { max-width: 85ch; margin: .4rem 0; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: 13px; }
caption { text-align: left; font-weight: 600; padding: .2rem 0; }
th, td { padding: .22rem .6rem; text-align: right; border-bottom: 1px solid #eee; white-space: nowrap; }
th { background: #f6f6f6; }
th:nth-child(-n+3), td:nth-child(-n+3) { text-align: left; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; }
figure.case { width: 100%; }
figure.chart { width: 360px; }
img { max-width: 100%; height: auto; display: block; }
figcaption { font-size: 13px; color: #555; }
"""

__all__ = ["REPORT", "robustness_table", "write_report"]
