"""What judged sites tell, as Markdown tables: verdicts, intervals, areas, and the scales that intervals need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise

import numpy as np

from cvpipe.assess.intervals import area_interval, spread_m2
from cvpipe.assess.rules import IntervalRules
from cvpipe.domain import Figure, Outcome, Question, Verdict
from scripts.validation.judged import Judged, measured_m2

#: Areas of less than this, true and measured, say nothing of an interval: an empty site is easily right.
SMALLEST_M2 = 10.0

#: What a verdict must not overlook: structure and rubble left, m².
OVERLOOKED_M2 = 50.0

#: Limits of the sizes by which errors are told, m².
SIZES_M2 = (10.0, 100.0, 300.0, 1000.0, 3000.0, 1e9)


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def answers(judged: Iterable[Judged]) -> Iterator[tuple[Judged, Verdict, Outcome]]:
    """Each verdict beside the right answer."""
    for row in judged:
        for verdict in row.verdicts:
            yield row, verdict, row.expected[verdict.question]


def verdict_table(judged: Sequence[Judged]) -> str:
    """For each question how often each right answer was found as what, and how many of these were flagged."""
    counts = Counter[tuple[Question, Outcome, Outcome]]()
    flagged = Counter[tuple[Question, Outcome, Outcome]]()
    for _, verdict, right in answers(judged):
        counts[verdict.question, right, verdict.outcome] += 1
        flagged[verdict.question, right, verdict.outcome] += verdict.needs_review
    rows = [(*key, n, flagged[key], "" if key[1] is key[2] else "wrong") for key, n in sorted(counts.items())]
    return table(("question", "drawn", "found", "n", "flagged", ""), rows)


def share_table(judged: Sequence[Judged]) -> str:
    """For each question the share that is right, that is right or flagged, and that is flagged at all."""
    told = sorted(answers(judged), key=lambda answer: answer[1].question)
    groups = [(question, list(group)) for question, group in groupby(told, key=lambda answer: answer[1].question)]
    return table(
        ("question", "verdicts", "right", "right or flagged", "flagged", "flagged of the right"),
        [_shares(str(question), group) for question, group in (*groups, ("all", told))],
    )


def _shares(name: str, group: Sequence[tuple[Judged, Verdict, Outcome]]) -> tuple[object, ...]:
    right = np.array([verdict.outcome is wanted for _, verdict, wanted in group])
    flagged = np.array([verdict.needs_review for _, verdict, _ in group])
    among = flagged[right].mean() if right.any() else np.nan
    return name, len(group), *(f"{v:.1%}" for v in (right.mean(), (right | flagged).mean(), flagged.mean(), among))


def wrong_table(judged: Sequence[Judged]) -> str:
    """The verdicts that are wrong and not flagged, one by one."""
    rows = [
        (row.variant, row.seed, row.code, row.case, f"{row.epochs[0]}-{row.epochs[1]}", right, verdict.explanation)
        for row, verdict, right in answers(judged)
        if verdict.outcome is not right and not verdict.needs_review
    ]
    return table(("variant", "seed", "site", "drawn as", "epochs", "right", "said"), rows)


def overlooked(judged: Sequence[Judged]) -> list[Judged]:
    """Sites that are called clear without a flag and have more than `OVERLOOKED_M2` of structure or rubble left."""
    return [
        row
        for row, verdict, _ in answers(judged)
        if verdict.question is Question.CLEARANCE
        and verdict.outcome is Outcome.MET
        and not verdict.needs_review
        and row.true_m2[Figure.LEFT] > OVERLOOKED_M2
    ]


def _measured(judged: Iterable[Judged]) -> Iterator[tuple[Judged, Figure, float, float]]:
    """(site, figure, true, measured) of all areas with a spread that are not next to nothing."""
    for row in judged:
        if row.measurements.reasons:
            continue
        for figure in row.measurements.spreads.keys() & row.true_m2.keys():
            true, found = row.true_m2[figure], measured_m2(row.measurements, figure)
            if max(true, found) >= SMALLEST_M2:
                yield row, figure, true, found


def coverage_table(judged: Sequence[Judged], rules: IntervalRules) -> str:
    """How often the 90 % interval holds the truth, by figure, and how wide it is."""
    found: dict[str, list[tuple[bool, float]]] = {}
    for row, figure, true, measured in _measured(judged):
        interval = area_interval(row.measurements, figure, measured, rules)
        assert interval is not None, "only areas with a spread are compared"
        told = (interval[0] <= true <= interval[1], (interval[1] - interval[0]) / 2)
        found.setdefault(figure.value, []).append(told)
        found.setdefault(" all", []).append(told)
    rows = [
        (
            name.strip(),
            len(told),
            f"{np.mean([holds for holds, _ in told]):.1%}",
            f"{np.median([w for _, w in told]):.0f}",
        )
        for name, told in sorted(found.items(), reverse=True)
    ]
    return table(("figure", "n", "holds the truth", "half width, median m²"), rows)


def coverage_by_size(judged: Sequence[Judged], rules: IntervalRules) -> str:
    """How often the interval holds the truth, and how far areas are off, by true size and what is measured."""
    groups = {
        "structure": (Figure.STRUCTURE_BEFORE, Figure.STRUCTURE_AFTER),
        "structure removed": (Figure.STRUCTURE_REMOVED,),
        "structure added": (Figure.STRUCTURE_ADDED,),
        "rubble": (Figure.RUBBLE,),
        "green": (Figure.GREEN, Figure.GREEN_ADDED),
    }
    measured = list(_measured(judged))
    rows = []
    for name, figures in groups.items():
        for least, most in pairwise(SIZES_M2):
            inside = [entry for entry in measured if entry[1] in figures and least <= entry[2] < most]
            if inside:
                rows.append((name, f"{least:g}–{most:g}" if most < 1e9 else f"{least:g}–", *_errors(inside, rules)))
    return table(("area", "true m²", "n", "median error", "90 % within", "mean error", "interval holds"), rows)


def _errors(entries: Sequence[tuple[Judged, Figure, float, float]], rules: IntervalRules) -> tuple[object, ...]:
    off = np.array([(found - true) / true for _, _, true, found in entries])
    intervals = [area_interval(row.measurements, figure, found, rules) for row, figure, _, found in entries]
    holds = [i is not None and i[0] <= e[2] <= i[1] for i, e in zip(intervals, entries, strict=True)]
    sizes = np.abs(off)
    return (
        len(entries),
        f"{np.median(sizes):.1%}",
        f"{np.quantile(sizes, 0.9):.1%}",
        f"{off.mean():+.1%}",
        f"{np.mean(holds):.0%}",
    )


def effect_table(judged: Sequence[Judged], rules: IntervalRules) -> str:
    """What the way of drawing does: shift, season, ground pixel."""
    rows = []
    for variant in sorted({row.variant for row in judged}):
        part = [row for row in judged if row.variant == variant]
        measured = list(_measured(part))
        removed = [entry for entry in measured if entry[1] is Figure.STRUCTURE_REMOVED and entry[2] >= SIZES_M2[1]]
        green = [entry for entry in measured if entry[1] is Figure.GREEN_ADDED and entry[2] >= SIZES_M2[1]]
        unanswered = np.mean([bool(row.measurements.reasons) for row in part])
        coverage = np.mean(_errors_hold(measured, rules)) if measured else np.nan
        shares = _shares(variant, list(answers(part)))
        rows.append((*shares[:5], f"{unanswered:.1%}", _median(removed), _median(green), f"{coverage:.1%}"))
    headings = ("variant", "verdicts", "right", "right or flagged", "flagged", "not assessable")
    return table((*headings, "removed: median error", "green added: median error", "interval holds"), rows)


def _errors_hold(entries: Sequence[tuple[Judged, Figure, float, float]], rules: IntervalRules) -> list[bool]:
    intervals = [area_interval(row.measurements, figure, found, rules) for row, figure, _, found in entries]
    return [i is not None and i[0] <= e[2] <= i[1] for i, e in zip(intervals, entries, strict=True)]


def _median(entries: Sequence[tuple[Judged, Figure, float, float]]) -> str:
    return f"{np.median([abs(found - true) / true for _, _, true, found in entries]):.1%}" if entries else "–"


def scale_table(judged: Sequence[Judged], rules: IntervalRules) -> str:
    """The scales under which nine intervals in ten hold the truth on these sites, beside those of the rules."""
    ratios: dict[Figure, list[float]] = {figure: [] for figure in Figure}
    for row, figure, true, found in _measured(judged):
        if found >= rules.absent_m2:
            ratios[figure].append(abs(true - found) / spread_m2(row.measurements.spreads[figure], rules))
    rows = [
        (figure.value, len(told), f"{np.quantile(told, 0.9):.2f}" if told else "–", getattr(rules.scale, figure.value))
        for figure, told in ratios.items()
    ]
    return table(("scale", "n", "90 % quantile", "in the rules"), rows)


def absent_table(judged: Sequence[Judged], rules: IntervalRules) -> str:
    """How much there truly is where next to nothing was measured."""
    rows = []
    for figure in Figure:
        true = [
            row.true_m2[figure]
            for row in judged
            if figure in row.true_m2
            and figure in row.measurements.spreads
            and measured_m2(row.measurements, figure) < rules.absent_m2
        ]
        if true:
            more = sum(area > rules.absent_m2 for area in true)
            rows.append((figure.value, len(true), more, f"{max(true):.0f}"))
    return table((f"less than {rules.absent_m2:g} m² of", "n", "more there", "most, m²"), rows)
