"""Measurements → verdicts: one pure function for each question."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from cvpipe.assess import criteria as kinds
from cvpipe.assess.criteria import could_turn, held, told
from cvpipe.assess.explaining import explain
from cvpipe.assess.rules import Rules
from cvpipe.domain import (
    ChangeKind,
    Criterion,
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


def assess_remediation(site: Site, m: Measurements, rules: Rules) -> tuple[Verdict, ...]:
    """Demolition, clearance and greening for the pair (baseline, later epoch)."""
    reason = unusable(m, rules)
    if reason is not None:
        return tuple(_unanswered(question, reason, (_seen(m, rules),)) for question in REMEDIATION)
    verdicts = (_demolition(site.plan, m, rules), _clearance(m, rules), _greening(site.plan, m, rules))
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


def _demolition(plan: Plan, m: Measurements, rules: Rules) -> Verdict:
    """None, partial or complete.

    Complete when nothing but a remnant stands, or when the plan's area is gone; floor areas in plans can exceed what
    is seen from above, so a plan that is not reached does not outweigh an empty site: it sends a person.
    """
    limits = rules.demolition
    removed = m.change_m2[ChangeKind.STRUCTURE_REMOVED]
    # Surfaces and changes come from two heads of the network: what was removed has stood.
    baseline = max(m.surface_before_m2[Surface.STRUCTURE], removed)
    stood = held(kinds.BASELINE, baseline, limits.min_baseline_m2)
    if not stood.passed:
        shown = (stood, told(kinds.REMOVED, removed), *_retained(m))
        return Verdict(Question.DEMOLITION, Outcome.NONE, shown, needs_review=could_turn((stood,), rules.review))

    begun = held(kinds.BEGUN_SHARE, removed / baseline, limits.begun_share)
    gone = _gone(m, removed / baseline, baseline, rules)
    planned = _planned(plan, removed, rules)
    emptied, fulfilled = all(c.passed for c in gone), any(c.passed for c in planned)
    outcome = Outcome.COMPLETE if emptied or fulfilled else Outcome.PARTIAL if begun.passed else Outcome.NONE
    shown = (stood, told(kinds.REMOVED, removed), begun, *gone, *planned, *_retained(m))
    doubtful = (
        _completion_doubtful(gone, planned, rules)
        or (outcome is not Outcome.COMPLETE and could_turn((begun,), rules.review))
        or removed > rules.review.max_disagreement * m.surface_before_m2[Surface.STRUCTURE]
    )
    return Verdict(Question.DEMOLITION, outcome, shown, needs_review=doubtful)


def _completion_doubtful(gone: tuple[Criterion, ...], planned: tuple[Criterion, ...], rules: Rules) -> bool:
    """Whether complete or not complete could be otherwise, or an empty site falls short of its plan."""
    emptied, fulfilled = all(c.passed for c in gone), any(c.passed for c in planned)
    gone_turns, plan_turns = could_turn(gone, rules.review), bool(planned) and could_turn(planned, rules.review)
    if emptied:
        return (bool(planned) and not fulfilled) or (gone_turns and (plan_turns or not planned))
    return plan_turns if fulfilled else gone_turns or plan_turns


def _gone(m: Measurements, share: float, baseline: float, rules: Rules) -> tuple[Criterion, ...]:
    """What must hold for nothing but a remnant to stand. Structures built anew are clearance's matter."""
    limits = rules.demolition
    standing = max(m.surface_after_m2[Surface.STRUCTURE] - m.change_m2[ChangeKind.STRUCTURE_ADDED], 0.0)
    remnant = max(limits.standing_m2, limits.standing_share * baseline)
    return held(kinds.REMOVED_SHARE, share, limits.complete_share), held(kinds.STANDING, standing, remnant)


def _planned(plan: Plan, removed: float, rules: Rules) -> tuple[Criterion, ...]:
    if not plan.demolition_area_m2:
        return ()
    return (held(kinds.PLANNED, removed, rules.demolition.plan_share * plan.demolition_area_m2),)


def _retained(m: Measurements) -> tuple[Criterion, ...]:
    return (told(kinds.RETAINED, m.retained_m2),) if m.retained_m2 else ()


def _clearance(m: Measurements, rules: Rules) -> Verdict:
    """ "Clear site, clean ground": next to no structure, next to no rubble, and clear ground nearly everywhere."""
    limits, after = rules.clearance, m.surface_after_m2
    structure, rubble = after[Surface.STRUCTURE], after[Surface.RUBBLE]
    heap = max(limits.rubble_m2, min(limits.rubble_share * m.site_area_m2, limits.rubble_cap_m2))
    clear = 1 - (structure + rubble) / max(sum(after.values()), 1e-9)
    deciding = (
        held(kinds.STRUCTURE_LEFT, structure, limits.structure_m2),
        held(kinds.RUBBLE_LEFT, rubble, heap),
        held(kinds.CLEAR_GROUND, clear, limits.clear_ground_share),
    )
    met = all(c.passed for c in deciding)
    net = (told(kinds.NETTED, after[Surface.NET]),) if after[Surface.NET] else ()
    return Verdict(
        Question.CLEARANCE,
        Outcome.MET if met else Outcome.NOT_MET,
        (*deciding, *net, *_retained(m)),
        needs_review=could_turn(deciding, rules.review),
    )


def _greening(plan: Plan, m: Measurements, rules: Rules) -> Verdict:
    """Met or not met where the plan names green; gained or none where it is silent."""
    gained = m.change_m2[ChangeKind.GREEN_ADDED]
    share = m.surface_after_m2[Surface.VEGETATION] / max(sum(m.surface_after_m2.values()), 1e-9)
    planned = _planned_green(plan, gained, share, rules)
    if planned:
        deciding, yes, no = planned, Outcome.MET, Outcome.NOT_MET
        shown = (*planned, told(kinds.GREEN_GAINED, gained))
    else:
        least = max(rules.greening.gained_m2, rules.greening.gained_share * m.site_area_m2)
        deciding, yes, no = (held(kinds.GREEN_GAINED, gained, least),), Outcome.GAINED, Outcome.NONE
        shown = (*deciding, told(kinds.GREEN_SHARE, share))
    outcome = yes if all(c.passed for c in deciding) else no
    return Verdict(Question.GREENING, outcome, shown, needs_review=could_turn(deciding, rules.review))


def _planned_green(plan: Plan, gained: float, share: float, rules: Rules) -> tuple[Criterion, ...]:
    found = []
    if plan.green_area_m2:
        found.append(held(kinds.GREEN_PLANNED, gained, rules.greening.plan_share * plan.green_area_m2))
    if plan.green_ratio:
        found.append(held(kinds.GREEN_SHARE, share, plan.green_ratio))
    return tuple(found)


def _rebound(m: Measurements, rules: Rules) -> Verdict:
    """Suspected as soon as enough structure was added; a suspicion always goes to a person."""
    added = held(kinds.ADDED, m.change_m2[ChangeKind.STRUCTURE_ADDED], rules.rebound.added_m2)
    shown = (added, told(kinds.STRUCTURE_LEFT, m.surface_after_m2[Surface.STRUCTURE]), *_retained(m))
    outcome = Outcome.NONE if added.passed else Outcome.SUSPECTED
    return Verdict(
        Question.REBOUND, outcome, shown, needs_review=not added.passed or could_turn((added,), rules.review)
    )


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
