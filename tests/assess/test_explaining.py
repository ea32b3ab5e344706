"""Sentences follow from the criteria, in both languages."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest

from cvpipe.assess import REMEDIATION, assess_rebound, assess_remediation, default_rules, explain, not_assessable
from cvpipe.assess.criteria import KINDS
from cvpipe.assess.rules import Scales
from cvpipe.domain import ChangeKind, Outcome, Plan, Reason, Surface, Verdict
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
    measured = (GONE, areas(), areas(chance_m2=30), replace(GONE, spreads=areas(chance_m2=30).spreads))
    winter, registered = (date(2023, 1, 9), date(2024, 1, 9)), replace(site(), building_area_m2=400)
    found = [v for plan in plans for m in measured for v in assess_remediation(site(plan), m, RULES, winter)]
    found += [v for m in measured for v in assess_remediation(registered, m, RULES)]
    found += [assess_rebound(site(), m, RULES) for m in (areas(), areas(change={ChangeKind.STRUCTURE_ADDED: 99}))]
    return found + [verdict for reason in Reason for verdict in not_assessable(REMEDIATION, reason)]


def test_english_sentence_names_values_and_limits() -> None:
    demolition = assess_remediation(site(), GONE, RULES)[0]
    assert explain(demolition) == (
        "Demolition is complete: 1,380 m² (99 %) of the 1,400 m² of structure at the baseline is gone and 20 m² still "
        "stands (at most 42 m² allowed)."
    )
    assert demolition.explanation == explain(demolition)


def test_chinese_sentence_says_the_same() -> None:
    demolition = assess_remediation(site(), GONE, RULES)[0]
    assert explain(demolition, "zh") == (
        "拆除已完成：基期建筑1,400平方米，已拆除1,380平方米（99%），残留20平方米（应不超过42平方米）。"
    )


def test_intervals_are_told_in_both_languages() -> None:
    doubted = replace(GONE, spreads=areas(chance_m2=10).spreads)
    scale = Scales(structure_after=2.7, structure_removed=3.0, structure_standing=3.5, rubble=5.0, left=3.9)
    rules = RULES.model_copy(update={"intervals": RULES.intervals.model_copy(update={"scale": scale})})
    demolition, clearance, _ = assess_remediation(site(), doubted, rules)
    assert demolition.explanation.startswith(
        "Demolition is complete: 1,380 m² (99 %; 90 % sure: 1,350 to 1,410 m²) of the 1,400 m² of structure at the "
        "baseline is gone and 20 m² still stands (90 % sure: 0 to 55 m²; at most 42 m² allowed)."
    )
    assert explain(clearance, "zh").startswith(
        "影像所见，场地已达到场光地净：场内建筑20平方米（90%区间0至47平方米，应不超过20平方米），"
        "渣土堆料0平方米（90%区间0至10平方米，应不超过30平方米），清净地面占99%（平整裸土89%、绿化10%）。"
    )


def test_what_the_plan_asks_for_is_told_as_what_must_at_least_be_there() -> None:
    """The plan's figure comes with a margin: nobody is told that the plan says what it does not say."""
    plan = Plan(demolition_area_m2=1000, green_area_m2=200, green_ratio=0.4)
    demolition, _, greening = assess_remediation(site(plan), GONE, RULES)
    assert demolition.explanation.endswith("by the plan at least 900 m² had to go, which is reached.")
    assert "已达到按方案至少应拆的900平方米" in explain(demolition, "zh")
    assert "(at least 180 m² asked for)" in greening.explanation
    assert "of the site is green (at least 40 % asked for)" in greening.explanation
    assert "应不少于180平方米" in explain(greening, "zh")


def test_a_limit_on_the_ground_is_told_where_it_is_broken() -> None:
    strict = RULES.model_copy(update={"clearance": RULES.clearance.model_copy(update={"levelled_share": 0.5})})
    clearance = assess_remediation(site(), GONE, strict)[1]
    assert clearance.outcome is Outcome.NOT_MET
    assert "(89 % (at most 50 %) levelled, 10 % green)" in clearance.explanation
    assert "平整裸土89%（限50%）、绿化10%" in explain(clearance, "zh")


@pytest.mark.parametrize("verdict", every_verdict(), ids=lambda v: f"{v.question}-{v.outcome}")
def test_every_verdict_has_a_whole_sentence(verdict: Verdict) -> None:
    english, chinese = explain(verdict), explain(verdict, "zh")
    assert re.fullmatch(r"[A-Z][^–]+\.", english)
    assert re.fullmatch(r"[^a-zA-Z–]+。", chinese)


def test_a_doubt_is_told() -> None:
    verdict = replace(assess_remediation(site(), GONE, RULES)[1], needs_review=True)
    assert explain(verdict).endswith(
        "A person should look: a value may lie on either side of its limit, or two figures disagree."
    )


def test_every_criterion_has_words_in_both_languages() -> None:
    used = {criterion.name for verdict in every_verdict() for criterion in verdict.criteria}
    assert used <= KINDS.keys()
    assert all(re.search(r"[\u4e00-\u9fff]", KINDS[name].label("zh")) for name in used)
