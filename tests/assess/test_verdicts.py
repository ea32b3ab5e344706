"""Each question's outcomes, at and around their limits."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import date

import pytest
from shapely import Point

from cvpipe.assess import (
    REMEDIATION,
    assess_rebound,
    assess_remediation,
    default_rules,
    explain,
    not_assessable,
    observed_status,
)
from cvpipe.domain import (
    OUTCOMES,
    ChangeKind,
    Criterion,
    Measurements,
    Outcome,
    Plan,
    Question,
    Reason,
    SiteStatus,
    Surface,
    VegetationIndex,
    Verdict,
)
from cvpipe.ledger.encoding import verdict_as_plain, verdict_of
from tests.assess.drawn import areas, site

RULES = default_rules()


def answers(m: Measurements, plan: Plan | None = None) -> dict[Question, Verdict]:
    return {verdict.question: verdict for verdict in assess_remediation(site(plan), m, RULES)}


def demolished(
    removed: float, *, baseline: float = 400.0, chance_m2: float | None = None, **also: float
) -> Measurements:
    """`removed` of `baseline` m² is gone, the rest stands."""
    return areas(
        before={Surface.STRUCTURE: baseline},
        after={Surface.STRUCTURE: baseline - removed + also.get("added", 0.0)},
        change={ChangeKind.STRUCTURE_REMOVED: removed, ChangeKind.STRUCTURE_ADDED: also.get("added", 0.0)},
        chance_m2=chance_m2,
    )


@pytest.mark.parametrize(
    ("removed", "outcome", "review"),
    [
        (0, Outcome.NONE, False),
        (50, Outcome.NONE, True),
        (70, Outcome.PARTIAL, True),
        (200, Outcome.PARTIAL, False),
        (300, Outcome.PARTIAL, False),
        (378, Outcome.PARTIAL, True),
        (385, Outcome.COMPLETE, True),
        (400, Outcome.COMPLETE, False),
    ],
)
def test_demolition(removed: float, outcome: Outcome, review: bool) -> None:
    """Known to 5 m² (one standard deviation), a value goes to a person where its limit is within reach."""
    verdict = answers(demolished(removed, chance_m2=5))[Question.DEMOLITION]
    assert (verdict.outcome, verdict.needs_review) == (outcome, review)
    assert answers(demolished(removed))[Question.DEMOLITION].needs_review is False


def test_a_new_building_on_the_old_spot_is_a_complete_demolition_and_no_clear_site() -> None:
    found = answers(demolished(400, added=300))
    assert found[Question.DEMOLITION].outcome is Outcome.COMPLETE
    assert found[Question.CLEARANCE].outcome is Outcome.NOT_MET


def test_nothing_to_demolish_says_so() -> None:
    verdict = answers(demolished(0, baseline=5))[Question.DEMOLITION]
    assert verdict.outcome is Outcome.NONE
    assert verdict.criteria[0].passed is False
    assert "nothing to demolish" in verdict.explanation


def test_a_plan_for_part_of_the_structure_is_fulfilled_by_that_part() -> None:
    assert answers(demolished(200), Plan(demolition_area_m2=150))[Question.DEMOLITION].outcome is Outcome.COMPLETE


def test_an_empty_site_short_of_its_plan_is_complete_and_goes_to_a_person() -> None:
    verdict = answers(demolished(400), Plan(demolition_area_m2=2000))[Question.DEMOLITION]
    assert (verdict.outcome, verdict.needs_review) == (Outcome.COMPLETE, True)
    assert "is not reached" in verdict.explanation


def test_more_removed_than_ever_stood_goes_to_a_person() -> None:
    m = areas(before={Surface.STRUCTURE: 100}, change={ChangeKind.STRUCTURE_REMOVED: 300})
    verdict = answers(m)[Question.DEMOLITION]
    assert (verdict.outcome, verdict.needs_review) == (Outcome.COMPLETE, True)


@pytest.mark.parametrize(
    ("left", "outcome", "review"),
    [
        ({}, Outcome.MET, False),
        ({Surface.STRUCTURE: 10}, Outcome.MET, False),
        ({Surface.STRUCTURE: 19}, Outcome.MET, True),
        ({Surface.STRUCTURE: 22}, Outcome.NOT_MET, True),
        ({Surface.RUBBLE: 60}, Outcome.NOT_MET, False),
        ({Surface.STRUCTURE: 22, Surface.RUBBLE: 60}, Outcome.NOT_MET, False),
        ({Surface.NET: 600, Surface.PAVED: 400}, Outcome.MET, False),
        ({Surface.STRUCTURE: 15, Surface.RUBBLE: 15}, Outcome.NOT_MET, False),
    ],
)
def test_clearance(left: dict[Surface, float], outcome: Outcome, review: bool) -> None:
    added = {ChangeKind.STRUCTURE_ADDED: left.get(Surface.STRUCTURE, 0.0)}
    verdict = answers(areas(after=left, change=added, chance_m2=1))[Question.CLEARANCE]
    assert (verdict.outcome, verdict.needs_review) == (outcome, review)


def test_small_site_must_be_clear_on_nearly_all_of_its_ground() -> None:
    verdict = answers(areas(after={Surface.RUBBLE: 15}, site_area_m2=100))[Question.CLEARANCE]
    assert verdict.outcome is Outcome.NOT_MET


@pytest.mark.parametrize(
    ("plan", "gained", "green", "outcome"),
    [
        (Plan(), 100, 100, Outcome.GAINED),
        (Plan(), 40, 400, Outcome.NONE),
        (Plan(green_area_m2=300), 280, 280, Outcome.MET),
        (Plan(green_area_m2=300), 200, 900, Outcome.NOT_MET),
        (Plan(green_ratio=0.3), 0, 310, Outcome.MET),
        (Plan(green_ratio=0.3), 200, 200, Outcome.NOT_MET),
        (Plan(green_area_m2=100, green_ratio=0.3), 200, 200, Outcome.NOT_MET),
    ],
)
def test_greening(plan: Plan, gained: float, green: float, outcome: Outcome) -> None:
    m = areas(after={Surface.VEGETATION: green}, change={ChangeKind.GREEN_ADDED: gained})
    assert answers(m, plan)[Question.GREENING].outcome is outcome


@pytest.mark.parametrize(("by_index", "review"), [(None, False), (90.0, False), (49.0, True)])
def test_near_infrared_that_sees_far_less_new_green_asks_for_a_person(by_index: float | None, review: bool) -> None:
    m = areas(after={Surface.VEGETATION: 100}, change={ChangeKind.GREEN_ADDED: 100})
    seen = replace(m, index=None if by_index is None else VegetationIndex(0.0, 0.1, by_index))
    verdict = answers(seen)[Question.GREENING]
    assert (verdict.outcome, verdict.needs_review) == (Outcome.GAINED, review)
    told = [(c.value, c.limit) for c in verdict.criteria if c.name == "index_gained"]
    assert told == ([] if by_index is None else [(by_index, 50.0)])
    assert ("near infrared" in explain(verdict)) == review


def test_near_infrared_alone_makes_nothing_green() -> None:
    seen = replace(areas(), index=VegetationIndex(0.0, 0.5, 500.0))
    verdict = answers(seen)[Question.GREENING]
    assert verdict.outcome is Outcome.NONE
    assert [c.passed for c in verdict.criteria if c.name == "index_gained"] == [None]


@pytest.mark.parametrize(
    ("added", "outcome", "review"),
    [(0, Outcome.NONE, False), (25, Outcome.NONE, True), (30, Outcome.SUSPECTED, True), (900, Outcome.SUSPECTED, True)],
)
def test_rebound(added: float, outcome: Outcome, review: bool) -> None:
    m = areas(after={Surface.STRUCTURE: added}, change={ChangeKind.STRUCTURE_ADDED: added}, chance_m2=1)
    verdict = assess_rebound(site(), m, RULES)
    assert (verdict.outcome, verdict.needs_review) == (outcome, review)


def test_what_the_surfaces_and_the_changes_disagree_about_goes_to_a_person() -> None:
    """All that stood is gone, says one answer of the network; structure stands, says the other."""
    m = areas(
        before={Surface.STRUCTURE: 400},
        after={Surface.STRUCTURE: 90},
        change={ChangeKind.STRUCTURE_REMOVED: 400},
        chance_m2=3,
    )
    found = answers(m)
    assert (found[Question.CLEARANCE].outcome, found[Question.CLEARANCE].needs_review) == (Outcome.NOT_MET, True)
    assert (found[Question.DEMOLITION].outcome, found[Question.DEMOLITION].needs_review) == (Outcome.PARTIAL, True)
    assert "the surfaces and the changes disagree" in found[Question.CLEARANCE].explanation
    watched = assess_rebound(site(), areas(after={Surface.STRUCTURE: 90}, chance_m2=3), RULES)
    assert (watched.outcome, watched.needs_review) == (Outcome.NONE, True)


@pytest.mark.parametrize(("registered", "review"), [(400, False), (2000, False), (5000, True), (100, True)])
def test_far_from_the_registered_area_goes_to_a_person(registered: float, review: bool) -> None:
    place = replace(site(), building_area_m2=registered)
    demolition = assess_remediation(place, demolished(400), RULES)[0]
    assert (demolition.outcome, demolition.needs_review) == (Outcome.COMPLETE, review)
    removed = next(c.value for c in demolition.criteria if c.name == "removed_of_registered")
    assert removed == 400 / registered


SUMMER, WINTER = date(2023, 7, 1), date(2024, 1, 15)


@pytest.mark.parametrize(
    ("days", "latitude", "green", "review"),
    [
        ((SUMMER, SUMMER), 40, 100, False),
        ((SUMMER, WINTER), 40, 100, False),
        ((SUMMER, WINTER), 40, 0, True),
        ((WINTER, SUMMER), 40, 100, True),
        ((WINTER, SUMMER), 40, 0, False),
        ((SUMMER, WINTER), -35, 0, False),
        ((WINTER, SUMMER), -35, 0, True),
        ((SUMMER, WINTER), 10, 0, False),
    ],
)
def test_a_season_without_leaves_puts_in_doubt_what_it_could_have_turned(
    days: tuple[date, date], latitude: float, green: float, review: bool
) -> None:
    place = replace(site(), geometry=Point(116.2, latitude))
    m = areas(after={Surface.VEGETATION: green}, change={ChangeKind.GREEN_ADDED: green})
    greening = assess_remediation(place, m, RULES, days)[2]
    assert greening.needs_review is review
    assert ("not in leaf" in greening.explanation) is review


def test_a_shift_left_after_alignment_goes_to_a_person() -> None:
    found = answers(areas(residual_px=2.0)).values()
    assert all(verdict.needs_review for verdict in found)
    assert all(verdict.criteria[-1] == Criterion("shift_left", 2.0, "px", 1.5, passed=False) for verdict in found)
    assert all("may still lie off each other" in verdict.explanation for verdict in found)


def test_epochs_between_which_no_shift_was_found_go_to_a_person_with_that_reason() -> None:
    """The figures hold as the scenes' own georeference has them, and the ledger keeps the reason."""
    found = answers(areas(residual_px=math.inf))
    usual = answers(areas())
    for question, verdict in found.items():
        assert (verdict.outcome, verdict.needs_review) == (usual[question].outcome, True)
        assert verdict.criteria[-1] == Criterion("alignment", 1.0, "share", None, passed=False)
        assert "no shift between the two epochs could be found" in verdict.explanation
        assert "位移未能估计" in explain(verdict, "zh")
        assert verdict_of(json.loads(json.dumps(verdict_as_plain(verdict), allow_nan=False))) == verdict


def test_reasons_and_unseen_ground_are_not_assessable() -> None:
    hidden = answers(areas(valid_share=0.6))
    assert {verdict.outcome for verdict in hidden.values()} == {Outcome.NOT_ASSESSABLE}
    assert {verdict.reason for verdict in hidden.values()} == {Reason.NO_DATA}
    assert hidden[Question.CLEARANCE].criteria[0].value == 0.6


def test_not_assessable_answers_each_question_with_the_reason() -> None:
    verdicts = not_assessable(REMEDIATION, Reason.CLOUD)
    assert [verdict.question for verdict in verdicts] == list(REMEDIATION)
    assert verdicts[0].explanation == "Demolition cannot be judged: clouds hide the site."


@pytest.mark.parametrize(
    ("m", "status"),
    [
        (demolished(400), SiteStatus.CLEARED),
        (demolished(400, added=300), SiteStatus.DEMOLISHED),
        (demolished(200), SiteStatus.IN_PROGRESS),
        (demolished(0), SiteStatus.REGISTERED),
        (areas(valid_share=0.2), None),
    ],
)
def test_observed_status(m: Measurements, status: SiteStatus | None) -> None:
    assert observed_status(answers(m).values()) is status


def test_rebound_outweighs_what_was_seen_before() -> None:
    rebound = assess_rebound(site(), areas(change={ChangeKind.STRUCTURE_ADDED: 80}), RULES)
    assert observed_status((*answers(demolished(400)).values(), rebound)) is SiteStatus.REBOUND
    assert observed_status((assess_rebound(site(), areas(), RULES),)) is None


def test_outcomes_belong_to_their_questions() -> None:
    for m in (demolished(400), demolished(0), areas(valid_share=0)):
        for verdict in (*answers(m).values(), assess_rebound(site(), m, RULES)):
            assert verdict.outcome in OUTCOMES[verdict.question]
