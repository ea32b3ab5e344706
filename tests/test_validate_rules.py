"""The proof of the rules on drawn sites, in small: true masks give the drawn answers, and the tables tell the truth."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from cvpipe.assess import default_rules
from cvpipe.domain import Figure, Outcome, Question, Spread, Surface
from scripts.validation.judged import Judged, judge_masks, read_judged, write_judged
from scripts.validation.tables import coverage_table, overlooked, scale_table, share_table, wrong_table

RULES = default_rules()


@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    """The sites of a small district by their true masks."""
    return judge_masks(41_000, 500.0, RULES)


@pytest.mark.slow
def test_true_masks_give_the_drawn_answers(judged: list[Judged]) -> None:
    wrong = [
        (row.code, v.question, v.outcome)
        for row in judged
        for v in row.verdicts
        if v.outcome is not right(row, v.question)
    ]
    assert wrong == []
    assert len({row.code for row in judged}) >= 3
    assert Counter(v.question for row in judged for v in row.verdicts)[Question.CLEARANCE] >= 6


def right(row: Judged, question: Question) -> Outcome:
    return row.expected[question]


@pytest.mark.slow
def test_judged_sites_are_read_as_they_were_written(judged: list[Judged], tmp_path: Path) -> None:
    write_judged(tmp_path / "1.json", judged)
    assert read_judged([tmp_path]) == judged


def with_rubble(row: Judged, *, true: float, found: float, chance: float) -> Judged:
    """The same site with rubble, measured otherwise than it is."""
    after = row.measurements.surface_after_m2 | {Surface.RUBBLE: found}
    spread = {Figure.RUBBLE: Spread(found, chance, 0.0, 0.0)}
    measured = replace(row.measurements, surface_after_m2=after, spreads=spread)
    return replace(row, true_m2=row.true_m2 | {Figure.RUBBLE: true, Figure.LEFT: true}, measurements=measured)


@pytest.mark.slow
def test_tables_count_what_the_intervals_hold(judged: list[Judged]) -> None:
    rows = [with_rubble(judged[0], true=100, found=found, chance=4) for found in (100, 105, 115, 300)]
    assert "| rubble | 4 | 75.0% |" in coverage_table(rows, RULES.intervals)
    ratio = 200 / (4**2 + 1) ** 0.5
    assert f"| rubble | 1 | {ratio:.2f} |" in scale_table(rows[3:], RULES.intervals)


@pytest.mark.slow
def test_a_heap_that_was_overlooked_is_found(judged: list[Judged]) -> None:
    clear = next(
        row for row in judged for v in row.verdicts if (v.question, v.outcome) == (Question.CLEARANCE, Outcome.MET)
    )
    assert overlooked([clear]) == []
    heap = replace(
        clear,
        true_m2=clear.true_m2 | {Figure.LEFT: 60.0},
        expected={**clear.expected, Question.CLEARANCE: Outcome.NOT_MET},
    )
    assert overlooked([heap]) == [heap]
    assert clear.code in wrong_table([heap])
    clearance = next(line for line in share_table([heap]).splitlines() if line.startswith("| clearance"))
    assert clearance == "| clearance | 1 | 0.0% | 0.0% | 0.0% | nan% |"
