"""What must hold for every site, whatever its figures."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cvpipe.assess import assess_rebound, assess_remediation, default_rules
from cvpipe.assess.criteria import could_turn
from cvpipe.domain import ChangeKind, Measurements, Outcome, Plan, Question, Surface, Verdict
from tests.assess.drawn import SIDE, DrawnPair, areas, site

RULES = default_rules()
ORDER = (Outcome.NONE, Outcome.PARTIAL, Outcome.COMPLETE)
area = st.floats(0, 1000)
plans = st.sampled_from([Plan(), Plan(demolition_area_m2=150), Plan(demolition_area_m2=900)])
codes = st.sampled_from([s.value for s in Surface])
surfaces = st.lists(codes, min_size=16, max_size=16).map(
    lambda blocks: np.kron(np.array(blocks, np.uint8).reshape(4, 4), np.ones((5, 5), np.uint8))
)


def verdict(question: Question, m: Measurements, plan: Plan | None = None) -> Verdict:
    return next(v for v in assess_remediation(site(plan), m, RULES) if v.question is question)


def all_verdicts(m: Measurements) -> tuple[Verdict, ...]:
    return (*assess_remediation(site(), m, RULES), assess_rebound(site(), m, RULES))


@given(stood=area, share=st.floats(0, 1), more=st.floats(0, 1), plan=plans)
def test_more_removed_structure_never_makes_demolition_less_complete(
    stood: float, share: float, more: float, plan: Plan
) -> None:
    def rank(removed: float) -> int:
        m = areas(
            before={Surface.STRUCTURE: stood},
            after={Surface.STRUCTURE: stood - removed},
            change={ChangeKind.STRUCTURE_REMOVED: removed},
        )
        return ORDER.index(verdict(Question.DEMOLITION, m, plan).outcome)

    assert rank(stood * share) <= rank(stood * max(share, more))


@given(stood=area, left=area, removed=area, more=area, plan=plans)
def test_the_same_holds_where_the_two_heads_disagree(
    stood: float, left: float, removed: float, more: float, plan: Plan
) -> None:
    def rank(gone: float) -> int:
        m = areas(
            before={Surface.STRUCTURE: stood},
            after={Surface.STRUCTURE: left},
            change={ChangeKind.STRUCTURE_REMOVED: gone},
        )
        return ORDER.index(verdict(Question.DEMOLITION, m, plan).outcome)

    assert rank(removed) <= rank(removed + more)


@given(surface=surfaces, rows=st.integers(0, SIDE), more=st.integers(0, SIDE))
def test_rubble_on_open_ground_never_makes_a_site_cleaner(
    surface: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], rows: int, more: int
) -> None:
    def met(littered: int) -> bool:
        pair = DrawnPair(after=surface.copy())
        pair.after[:littered][pair.after[:littered] > Surface.STRUCTURE] = Surface.RUBBLE
        return verdict(Question.CLEARANCE, pair.measured()).outcome is Outcome.MET

    surface = np.where(surface == Surface.NO_DATA, Surface.BARE, surface).astype(np.uint8)
    assert met(rows) >= met(min(rows + more, SIDE))


@settings(max_examples=50)
@given(before=surfaces, after=surfaces, elsewhere_before=surfaces, elsewhere_after=surfaces)
def test_nothing_outside_the_site_changes_its_verdicts(
    before: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    after: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    elsewhere_before: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    elsewhere_after: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
) -> None:
    inside = np.zeros((SIDE, SIDE), bool)
    inside[3:17, 2:12] = True
    here = DrawnPair(before, after, inside=inside)
    there = DrawnPair(
        np.where(inside, before, elsewhere_before), np.where(inside, after, elsewhere_after), inside=inside
    )
    assert all_verdicts(here.measured()) == all_verdicts(there.measured())


@settings(max_examples=50)
@given(before=surfaces, after=surfaces)
def test_finer_pixels_of_the_same_ground_give_the_same_verdicts(
    before: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    after: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
) -> None:
    fine = np.ones((2, 2), np.uint8)
    twice = np.ones((2 * SIDE, 2 * SIDE), bool)
    coarse = DrawnPair(before, after)
    finer = DrawnPair(np.kron(before, fine), np.kron(after, fine), usable=twice, inside=twice)
    assert all_verdicts(coarse.measured(pixel_area_m2=4)) == all_verdicts(finer.measured(pixel_area_m2=1))


@given(left=area, rubble=area, more=area, over=st.floats(0, 1), site_area=st.floats(500, 50_000))
def test_rubble_never_makes_a_site_cleaner_that_is_more_than_a_cabin_from_clear(
    left: float, rubble: float, more: float, over: float, site_area: float
) -> None:
    """Rubble may hide structure that stands: together they stay in the way, up to what counts as a heap."""

    def met(structure: float, heap: float) -> bool:
        m = areas(after={Surface.STRUCTURE: structure, Surface.RUBBLE: heap}, site_area_m2=site_area + 3000)
        return verdict(Question.CLEARANCE, m).outcome is Outcome.MET

    hidden = left * over
    if not met(left, rubble) and left + rubble > RULES.clearance.rubble_cap_m2:
        assert not met(left - hidden, rubble + hidden + more)
    assert met(left, rubble) >= met(left, rubble + more)


@given(stood=area, removed=area, doubt=st.floats(0, 50), more=st.floats(0, 50))
def test_more_doubt_never_takes_a_flag_away(stood: float, removed: float, doubt: float, more: float) -> None:
    def flags(chance_m2: float) -> tuple[bool, bool]:
        gone = min(removed, stood)
        m = areas(
            before={Surface.STRUCTURE: stood},
            after={Surface.STRUCTURE: stood - gone},
            change={ChangeKind.STRUCTURE_REMOVED: gone},
            chance_m2=chance_m2,
        )
        found = assess_remediation(site(), m, RULES)
        return found[0].needs_review, found[1].needs_review

    assert all(once <= again for once, again in zip(flags(doubt), flags(doubt + more), strict=True))


@given(m=st.builds(areas, after=st.fixed_dictionaries({Surface.RUBBLE: area}), chance_m2=st.floats(0, 80)))
def test_the_value_lies_in_its_interval_and_the_flag_follows_from_it(m: Measurements) -> None:
    for found in all_verdicts(m):
        for criterion in found.criteria:
            if criterion.interval is not None:
                assert 0 <= criterion.interval[0] <= criterion.value <= criterion.interval[1]
    clearance = verdict(Question.CLEARANCE, m)
    assert clearance.needs_review is could_turn(clearance.criteria[:4])
