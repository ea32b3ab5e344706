"""Sentences follow from the criteria, in both languages."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from cvpipe.assess import REMEDIATION, assess_rebound, assess_remediation, default_rules, explain, not_assessable
from cvpipe.assess.criteria import KINDS
from cvpipe.domain import ChangeKind, Plan, Reason, Surface, Verdict
from tests.assess.drawn import areas, site

RULES = default_rules()
GONE = areas(
    before={Surface.STRUCTURE: 1400},
    after={Surface.STRUCTURE: 20, Surface.VEGETATION: 300},
    change={ChangeKind.STRUCTURE_REMOVED: 1380, ChangeKind.GREEN_ADDED: 300},
    site_area_m2=3000,
)


def every_verdict() -> list[Verdict]:
    plans = (Plan(), Plan(demolition_area_m2=100, green_area_m2=100), Plan(demolition_area_m2=9000, green_ratio=0.5))
    found = [verdict for plan in plans for m in (GONE, areas()) for verdict in assess_remediation(site(plan), m, RULES)]
    found += [assess_rebound(site(), m, RULES) for m in (areas(), areas(change={ChangeKind.STRUCTURE_ADDED: 99}))]
    return found + [verdict for reason in Reason for verdict in not_assessable(REMEDIATION, reason)]


def test_english_sentence_names_values_and_limits() -> None:
    demolition = assess_remediation(site(), GONE, RULES)[0]
    assert explain(demolition) == (
        "Demolition is complete: 1,380 m² (99 %) of the 1,400 m² of structure at the baseline is gone and 20 m² still "
        "stands (limit 42 m²)."
    )
    assert demolition.explanation == explain(demolition)


def test_chinese_sentence_says_the_same() -> None:
    demolition = assess_remediation(site(), GONE, RULES)[0]
    assert explain(demolition, "zh") == (
        "拆除已完成：基期建筑1,400平方米，已拆除1,380平方米（99%），残留20平方米（限值42平方米）。"
    )


@pytest.mark.parametrize("verdict", every_verdict(), ids=lambda v: f"{v.question}-{v.outcome}")
def test_every_verdict_has_a_whole_sentence(verdict: Verdict) -> None:
    english, chinese = explain(verdict), explain(verdict, "zh")
    assert re.fullmatch(r"[A-Z][^–]+\.", english)
    assert re.fullmatch(r"[^a-zA-Z–]+。", chinese)


def test_a_doubt_is_told() -> None:
    verdict = replace(assess_remediation(site(), GONE, RULES)[1], needs_review=True)
    assert explain(verdict).endswith("A person should look: a value is near its limit, or two figures disagree.")


def test_every_criterion_has_words_in_both_languages() -> None:
    used = {criterion.name for verdict in every_verdict() for criterion in verdict.criteria}
    assert used <= KINDS.keys()
    assert all(re.search(r"[\u4e00-\u9fff]", KINDS[name].label("zh")) for name in used)
