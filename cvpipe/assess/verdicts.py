"""Measurements → verdicts: one pure function for each question."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from cvpipe.assess import criteria as kinds
from cvpipe.assess.criteria import CriterionKind, Interval, could_turn, held, told, within
from cvpipe.assess.explaining import explain
from cvpipe.assess.intervals import area_interval, around, half_width
from cvpipe.assess.rules import Rules
from cvpipe.assess.season import Season
from cvpipe.domain import (
    ChangeKind,
    Criterion,
    Figure,
    Measurements,
    Outcome,
    Plan,
    Question,
    Reason,
    Site,
    SiteStatus,
    Surface,
    Verdict,
)

#: What is asked of a pair (baseline, later epoch).
REMEDIATION: tuple[Question, ...] = (Question.DEMOLITION, Question.CLEARANCE, Question.GREENING)

#: Where near infrared shows less than this part of the green that was gained, a person looks: the two see sparse grass
#: and shade differently, so that more than half cannot be asked for.
INDEX_AGREES = 0.5

Days = tuple[date, date]
"""The days of a pair's two epochs."""


def assess_remediation(site: Site, m: Measurements, rules: Rules, days: Days | None = None) -> tuple[Verdict, ...]:
    """Demolition, clearance and greening for the pair (baseline, later epoch); `days` are the days of the two."""
    reason = unusable(m, rules)
    if reason is not None:
        return tuple(_unanswered(question, reason, (_seen(m, rules),)) for question in REMEDIATION)
    verdicts = (_demolition(site, m, rules), _clearance(m, rules), _greening(site, m, rules, days))
    return tuple(_finished(verdict, m, rules) for verdict in verdicts)


def assess_rebound(site: Site, m: Measurements, rules: Rules) -> Verdict:  # noqa: ARG001 - the plan's overrides come with the site
    """Rebound for the pair (epoch at which the site was seen demolished, later epoch)."""
    reason = unusable(m, rules)
    if reason is not None:
        return _unanswered(Question.REBOUND, reason, (_seen(m, rules),))
    return _finished(_rebound(m, rules), m, rules)


def not_assessable(questions: Iterable[Question], reason: Reason) -> tuple[Verdict, ...]:
    """The answer to each question where no measurement could be made."""
    return tuple(_unanswered(question, reason) for question in questions)


def unusable(m: Measurements, rules: Rules) -> Reason | None:
    """Why the pair answers nothing; None where it can be judged."""
    if m.reasons:
        return m.reasons[0]
    return None if _seen(m, rules).passed else Reason.NO_DATA


def observed_status(verdicts: Iterable[Verdict]) -> SiteStatus | None:
    """Where the machine saw the site stand; None where the verdicts do not tell."""
    outcomes = {verdict.question: verdict.outcome for verdict in verdicts}
    if outcomes.get(Question.REBOUND) is Outcome.SUSPECTED:
        return SiteStatus.REBOUND
    demolition = outcomes.get(Question.DEMOLITION)
    if demolition is Outcome.COMPLETE and outcomes.get(Question.CLEARANCE) is Outcome.MET:
        return SiteStatus.CLEARED
    return {
        Outcome.COMPLETE: SiteStatus.DEMOLISHED,
        Outcome.PARTIAL: SiteStatus.IN_PROGRESS,
        Outcome.NONE: SiteStatus.REGISTERED,
    }.get(demolition or Outcome.NOT_ASSESSABLE)


def _demolition(site: Site, m: Measurements, rules: Rules) -> Verdict:
    """None, partial or complete.

    Complete when nothing but a remnant stands, or when the plan's area is gone; floor areas in plans can exceed what
    is seen from above, so a plan that is not reached does not outweigh an empty site: it sends a person.
    """
    limits = rules.demolition
    gone_m2 = m.change_m2[ChangeKind.STRUCTURE_REMOVED]
    # Surfaces and changes come from two heads of the network: what was removed has stood.
    baseline = max(m.surface_before_m2[Surface.STRUCTURE], gone_m2)
    seen = area_interval(m, Figure.STRUCTURE_BEFORE, baseline, rules.intervals)
    stood = held(kinds.BASELINE, baseline, limits.min_baseline_m2, seen)
    removed = told(kinds.REMOVED, gone_m2, area_interval(m, Figure.STRUCTURE_REMOVED, gone_m2, rules.intervals))
    registered = _registered(site, removed, baseline + m.retained_m2, rules)
    misregistered = any(c.passed is False for c in registered)
    if not stood.passed:
        shown = (stood, removed, *registered, *_retained(m))
        return Verdict(Question.DEMOLITION, Outcome.NONE, shown, needs_review=could_turn((stood,)) or misregistered)

    share, between = gone_m2 / baseline, _removed_share(m, gone_m2, baseline, rules)
    begun = held(kinds.BEGUN_SHARE, share, limits.begun_share, between)
    gone = (held(kinds.REMOVED_SHARE, share, limits.complete_share, between), _standing(m, baseline, rules))
    planned = _planned(site.plan, removed, rules)
    emptied, fulfilled = all(c.passed for c in gone), any(c.passed for c in planned)
    outcome = Outcome.COMPLETE if emptied or fulfilled else Outcome.PARTIAL if begun.passed else Outcome.NONE
    otherwise = () if fulfilled else _standing_by_changes(m, baseline - gone_m2, gone[1], rules)
    shown = (stood, removed, begun, *gone, *otherwise, *planned, *registered, *_retained(m))
    doubtful = (
        _completion_doubtful(gone, planned)
        or (outcome is not Outcome.COMPLETE and could_turn((begun,)))
        or bool(otherwise)
        or gone_m2 > rules.review.max_disagreement * m.surface_before_m2[Surface.STRUCTURE]
        or misregistered
    )
    return Verdict(Question.DEMOLITION, outcome, shown, needs_review=doubtful)


def _removed_share(m: Measurements, gone_m2: float, baseline: float, rules: Rules) -> Interval | None:
    """What was removed and what was not make up the baseline: the smaller part's error is that of the share."""
    kept_m2 = max(baseline - gone_m2, 0.0)
    smaller = (Figure.STRUCTURE_REMOVED, gone_m2) if gone_m2 < kept_m2 else (Figure.STRUCTURE_UNREMOVED, kept_m2)
    half = half_width(m, *smaller, rules.intervals)
    return None if half is None else around(gone_m2 / baseline, half / baseline, 1.0)


def _completion_doubtful(gone: tuple[Criterion, ...], planned: tuple[Criterion, ...]) -> bool:
    """Whether complete or not complete could be otherwise, or an empty site falls short of its plan."""
    emptied, fulfilled = all(c.passed for c in gone), any(c.passed for c in planned)
    gone_turns, plan_turns = could_turn(gone), bool(planned) and could_turn(planned)
    if emptied:
        return (bool(planned) and not fulfilled) or (gone_turns and (plan_turns or not planned))
    return plan_turns if fulfilled else gone_turns or plan_turns


def _standing(m: Measurements, baseline: float, rules: Rules) -> Criterion:
    """Baseline structure at the later epoch. Structures built anew are clearance's matter."""
    limits = rules.demolition
    standing = max(m.surface_after_m2[Surface.STRUCTURE] - m.change_m2[ChangeKind.STRUCTURE_ADDED], 0.0)
    remnant = max(limits.standing_m2, limits.standing_share * baseline)
    interval = area_interval(m, Figure.STRUCTURE_STANDING, standing, rules.intervals)
    return held(kinds.STANDING, standing, remnant, interval)


def _standing_by_changes(m: Measurements, kept_m2: float, standing: Criterion, rules: Rules) -> tuple[Criterion, ...]:
    """What the changes leave of the baseline's structure, where it is on the other side of the limit for sure."""
    half = half_width(m, Figure.STRUCTURE_UNREMOVED, kept_m2, rules.intervals) or 0.0
    interval = around(kept_m2, half, max(m.site_area_m2, kept_m2))
    return _contradicting(kinds.STANDING_BY_CHANGES, kept_m2, interval, standing)


def _contradicting(kind: CriterionKind, value: float, interval: Interval, answer: Criterion) -> tuple[Criterion, ...]:
    """The network's other answer to what `answer` says, where the whole interval lies on the other side of its limit.

    The network answers twice: with the surfaces, and with the changes. A person must say which is right.
    """
    assert answer.limit is not None, "only what is held against a limit can be contradicted"
    ends = {kinds.passes(kind, end, answer.limit) for end in interval}
    return (held(kind, value, answer.limit, interval),) if ends == {not answer.passed} else ()


def _planned(plan: Plan, removed: Criterion, rules: Rules) -> tuple[Criterion, ...]:
    if not plan.demolition_area_m2:
        return ()
    limit = rules.demolition.plan_share * plan.demolition_area_m2
    return (held(kinds.PLANNED, removed.value, limit, removed.interval),)


def _registered(site: Site, removed: Criterion, seen_m2: float, rules: Rules) -> tuple[Criterion, ...]:
    """What was removed, and what stood at the baseline (retained structures too), against the registered area.

    Registered is the floor area of all storeys, so it decides nothing; but far less or far more to be seen means that
    the outline, the register or the baseline is wrong.
    """
    if not site.building_area_m2:
        return ()
    share, limits = seen_m2 / site.building_area_m2, rules.demolition
    gone = told(kinds.OF_REGISTERED, removed.value / site.building_area_m2)
    least = held(kinds.REGISTERED, share, limits.registered_least)
    most = held(kinds.OVER_REGISTERED, share, limits.registered_most)
    return (gone, least) if most.passed else (gone, most)


def _retained(m: Measurements) -> tuple[Criterion, ...]:
    return (told(kinds.RETAINED, m.retained_m2),) if m.retained_m2 else ()


def _clearance(m: Measurements, rules: Rules) -> Verdict:
    """ "Clear site, clean ground": next to no structure, next to no rubble, and clear ground nearly everywhere."""
    left = _left(m, rules)
    deciding = (*left, *_ground(m, rules))
    structure, rubble, _ = left
    # Where the rubble alone decides, it does not matter how much structure there is.
    otherwise = _left_by_changes(m, structure, rules) if rubble.passed or could_turn((rubble,)) else ()
    net = (told(kinds.NETTED, m.surface_after_m2[Surface.NET]),) if m.surface_after_m2[Surface.NET] else ()
    met = all(c.passed for c in deciding if c.limit is not None)
    return Verdict(
        Question.CLEARANCE,
        Outcome.MET if met else Outcome.NOT_MET,
        (*deciding, *otherwise, *net, *_retained(m)),
        needs_review=could_turn(deciding) or bool(otherwise),
    )


def _left(m: Measurements, rules: Rules) -> tuple[Criterion, ...]:
    """Structure, rubble, and both together, so that rubble heaped upon structure is no less in the way."""
    limits, after = rules.clearance, m.surface_after_m2
    structure, rubble = after[Surface.STRUCTURE], after[Surface.RUBBLE]
    heap = max(limits.rubble_m2, min(limits.rubble_share * m.site_area_m2, limits.rubble_cap_m2))

    def held_area(kind: CriterionKind, figure: Figure, area: float, limit: float) -> Criterion:
        return held(kind, area, limit, area_interval(m, figure, area, rules.intervals))

    return (
        held_area(kinds.STRUCTURE_LEFT, Figure.STRUCTURE_AFTER, structure, limits.cabins * limits.cabin_m2),
        held_area(kinds.RUBBLE_LEFT, Figure.RUBBLE, rubble, heap),
        held_area(kinds.LEFT, Figure.LEFT, structure + rubble, max(heap, limits.cabins * limits.cabin_m2)),
    )


def _ground(m: Measurements, rules: Rules) -> tuple[Criterion, ...]:
    """How much of the seen ground is clear, and what it is clear with: vehicles stand on it and count as paved."""
    limits, after = rules.clearance, m.surface_after_m2
    seen = max(sum(after.values()), 1e-9)
    clear = 1 - (after[Surface.STRUCTURE] + after[Surface.RUBBLE]) / seen
    half = half_width(m, Figure.LEFT, (1 - clear) * seen, rules.intervals)
    interval = None if half is None else around(clear, half / seen, 1.0)
    return (
        held(kinds.CLEAR_GROUND, clear, limits.clear_ground_share, interval),
        within(kinds.LEVELLED_SHARE, after[Surface.BARE] / seen, limits.levelled_share),
        within(kinds.NETTED_SHARE, after[Surface.NET] / seen, limits.netted_share),
        within(kinds.PAVED_SHARE, after[Surface.PAVED] / seen, limits.paved_share),
        told(kinds.GREEN_SHARE, after[Surface.VEGETATION] / seen),
    )


def _left_by_changes(m: Measurements, left: Criterion, rules: Rules) -> tuple[Criterion, ...]:
    """The structure that the changes since before leave, where they do not agree whether there is any."""
    before, change = m.surface_before_m2[Surface.STRUCTURE], m.change_m2
    kept = max(before - change[ChangeKind.STRUCTURE_REMOVED], 0.0)
    added = change[ChangeKind.STRUCTURE_ADDED]
    value = kept + added
    half = _together(m, {Figure.STRUCTURE_UNREMOVED: kept, Figure.STRUCTURE_ADDED: added}, rules)
    return _contradicting(kinds.BY_CHANGES, value, around(value, half, max(m.site_area_m2, value)), left)


def _together(m: Measurements, areas: dict[Figure, float], rules: Rules) -> float:
    """Half the width of the interval of a sum or difference of areas whose errors are independent, m²."""
    return math.hypot(*(half_width(m, figure, area, rules.intervals) or 0.0 for figure, area in areas.items()))


def _greening(site: Site, m: Measurements, rules: Rules, days: Days | None) -> Verdict:
    """Met or not met where the plan names green; gained or none where it is silent."""
    gained = m.change_m2[ChangeKind.GREEN_ADDED]
    between = area_interval(m, Figure.GREEN_ADDED, gained, rules.intervals)
    share = _green_share(m, rules)
    planned = _planned_green(site.plan, told(kinds.GREEN_GAINED, gained, between), share, rules)
    if planned:
        deciding, yes, no = planned, Outcome.MET, Outcome.NOT_MET
        shown = (*planned, told(kinds.GREEN_GAINED, gained, between))
    else:
        least = max(rules.greening.gained_m2, rules.greening.gained_share * m.site_area_m2)
        deciding, yes, no = (held(kinds.GREEN_GAINED, gained, least, between),), Outcome.GAINED, Outcome.NONE
        shown = (*deciding, share)
    outcome = yes if all(c.passed for c in deciding) else no
    leafless = _leafless(outcome is yes, planned, _without_leaves(site, days, rules))
    by_index = _by_index(m, gained, outcome is yes)
    doubtful = could_turn(deciding) or bool(leafless) or any(c.passed is False for c in by_index)
    return Verdict(Question.GREENING, outcome, (*shown, *by_index, *leafless), needs_review=doubtful)


def _by_index(m: Measurements, gained: float, positive: bool) -> tuple[Criterion, ...]:
    """What near infrared says of the green that was gained: where the answer is yes, it sees a good part as well."""
    if m.index is None:
        return ()
    if positive and gained > 0:
        return (held(kinds.INDEX_GAINED, m.index.gained_m2, INDEX_AGREES * gained),)
    return (told(kinds.INDEX_GAINED, m.index.gained_m2),)


def _green_share(m: Measurements, rules: Rules) -> Criterion:
    seen, green = max(sum(m.surface_after_m2.values()), 1e-9), m.surface_after_m2[Surface.VEGETATION]
    half = half_width(m, Figure.GREEN, green, rules.intervals)
    interval = None if half is None else around(green / seen, half / seen, 1.0)
    return told(kinds.GREEN_SHARE, green / seen, interval)


def _planned_green(plan: Plan, gained: Criterion, share: Criterion, rules: Rules) -> tuple[Criterion, ...]:
    found = []
    if plan.green_area_m2:
        limit = rules.greening.plan_share * plan.green_area_m2
        found.append(held(kinds.GREEN_PLANNED, gained.value, limit, gained.interval))
    if plan.green_ratio:
        found.append(held(kinds.GREEN_SHARE, share.value, plan.green_ratio, share.interval))
    return tuple(found)


def _leafless(positive: bool, planned: tuple[Criterion, ...], leafless: tuple[bool, bool]) -> tuple[Criterion, ...]:
    """Where a season without leaves (at the baseline, later) puts the answer in doubt; else nothing.

    A later epoch without leaves hides green: it cannot feign any, so only a negative answer is in doubt. A baseline
    without leaves makes green that was there look gained: a positive answer is in doubt if it rests on a gain.
    """
    before, after = leafless
    rests_on_gain = not planned or any(c.name == kinds.GREEN_PLANNED.name for c in planned)
    doubted = (before and rests_on_gain) if positive else after
    return (held(kinds.LEAF_OFF, float(before + after), 0.0),) if doubted else ()


def _without_leaves(site: Site, days: Days | None, rules: Rules) -> tuple[bool, bool]:
    """Whether each epoch lies in the season without leaves."""
    if days is None:
        return False, False
    before, after = (rules.season.season(day, site.geometry.centroid.y) is Season.LEAF_OFF for day in days)
    return before, after


def _rebound(m: Measurements, rules: Rules) -> Verdict:
    """Suspected as soon as enough structure was added; a suspicion always goes to a person."""
    came, after = m.change_m2[ChangeKind.STRUCTURE_ADDED], m.surface_after_m2[Surface.STRUCTURE]
    limit = rules.rebound.added_m2
    added = held(kinds.ADDED, came, limit, area_interval(m, Figure.STRUCTURE_ADDED, came, rules.intervals))
    left = told(kinds.STRUCTURE_LEFT, after, area_interval(m, Figure.STRUCTURE_AFTER, after, rules.intervals))
    gain = _gain(m, added, rules) if added.passed else ()
    outcome = Outcome.NONE if added.passed else Outcome.SUSPECTED
    doubtful = not added.passed or could_turn((added,)) or bool(gain)
    return Verdict(Question.REBOUND, outcome, (added, left, *gain, *_retained(m)), needs_review=doubtful)


def _gain(m: Measurements, added: Criterion, rules: Rules) -> tuple[Criterion, ...]:
    """How much more structure the surfaces alone show than before, where that contradicts the changes."""
    before, after = m.surface_before_m2[Surface.STRUCTURE], m.surface_after_m2[Surface.STRUCTURE]
    gain = max(after - before, 0.0)
    half = _together(m, {Figure.STRUCTURE_BEFORE: before, Figure.STRUCTURE_AFTER: after}, rules)
    return _contradicting(kinds.GAIN, gain, around(gain, half, max(m.site_area_m2, gain)), added)


def _seen(m: Measurements, rules: Rules) -> Criterion:
    return held(kinds.VALID_SHARE, m.valid_share, rules.assessable.min_valid_share)


def _finished(verdict: Verdict, m: Measurements, rules: Rules) -> Verdict:
    """The verdict with the share that was seen, the doubts that concern every question, and its sentence."""
    misfit = _misfit(m, rules)
    whole = replace(
        verdict,
        criteria=(*verdict.criteria, _seen(m, rules), *misfit),
        needs_review=verdict.needs_review or bool(misfit),
    )
    return replace(whole, explanation=explain(whole))


def _misfit(m: Measurements, rules: Rules) -> tuple[Criterion, ...]:
    """Where the epochs may lie off each other: the shift that is left, or that none could be found; else nothing."""
    registration = m.registration
    if math.isinf(registration.residual_px):  # no figure that a ledger could hold: the confidence stands for it
        return (replace(told(kinds.ALIGNMENT, registration.confidence), passed=False),)
    left = held(kinds.RESIDUAL, registration.residual_px, rules.review.max_residual_px)
    return () if left.passed else (left,)


def _unanswered(question: Question, reason: Reason, criteria: tuple[Criterion, ...] = ()) -> Verdict:
    verdict = Verdict(question, Outcome.NOT_ASSESSABLE, criteria, reason)
    return replace(verdict, explanation=explain(verdict))


__all__ = ["REMEDIATION", "assess_rebound", "assess_remediation", "not_assessable", "observed_status", "unusable"]
