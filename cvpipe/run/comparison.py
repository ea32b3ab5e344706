"""A run over a drawn district held against what was drawn."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvpipe.domain import ChangeKind, Question
from cvpipe.ledger import AssessmentRecord

#: Areas below this, m², are not compared as ratios: a few pixels of edge decide them.
SMALLEST_AREA_M2 = 100.0


@dataclass(frozen=True)
class AreaError:
    """A true and a measured area, m², of one site."""

    kind: ChangeKind
    true_m2: float
    found_m2: float

    @property
    def relative(self) -> float:
        """(found − true) / true."""
        return (self.found_m2 - self.true_m2) / self.true_m2


@dataclass(frozen=True)
class SiteComparison:
    """One site's newest verdicts beside the drawn ones; `wrong` lists the questions answered otherwise."""

    code: str
    case: str
    expected: dict[Question, str]
    found: dict[Question, str]
    areas: tuple[AreaError, ...]

    @property
    def wrong(self) -> tuple[Question, ...]:
        """Questions whose answer is not the drawn one."""
        return tuple(q for q, outcome in self.expected.items() if self.found.get(q) != outcome)


def compare_with_truth(truth: Path, records: Iterable[AssessmentRecord]) -> list[SiteComparison]:
    """Hold the newest assessments of each site against `truth.json` of a drawn district, in order of code."""
    by_site: dict[str, list[AssessmentRecord]] = {}
    for record in records:
        by_site.setdefault(record.assessment.site_code, []).append(record)
    drawn = json.loads(truth.read_text(encoding="utf-8"))["sites"]
    return [_compared(site, by_site.get(site["code"], [])) for site in sorted(drawn, key=lambda s: s["code"])]


def _compared(site: dict[str, Any], records: list[AssessmentRecord]) -> SiteComparison:
    latest = site["pairs"][-1]
    expected = {Question(q): outcome for q, outcome in latest["expected"].items()}
    if site["rebound"]:
        expected[Question.REBOUND] = site["rebound"]["outcome"]
    newest = sorted(records, key=lambda r: (r.after_date is not None, r.after_date, r.id))
    found = {v.question: v.outcome.value for record in newest for v in record.assessment.verdicts}
    return SiteComparison(site["code"], site["case"], expected, found, _areas(latest, newest))


def _areas(pair: dict[str, Any], newest: list[AssessmentRecord]) -> tuple[AreaError, ...]:
    true = pair["areas_m2"]
    if not true:
        return ()
    measured = [r.assessment.measurements for r in newest if Question.DEMOLITION in _questions(r)]
    if not measured or measured[-1] is None or measured[-1].reasons:
        return ()
    named = {ChangeKind.STRUCTURE_REMOVED: "structure_removed", ChangeKind.GREEN_ADDED: "green_added"}
    return tuple(
        AreaError(kind, true[name], measured[-1].change_m2[kind])
        for kind, name in named.items()
        if true[name] >= SMALLEST_AREA_M2
    )


def _questions(record: AssessmentRecord) -> set[Question]:
    return {v.question for v in record.assessment.verdicts}
