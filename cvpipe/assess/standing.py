"""Where a site stands as the pictures and those who looked at them tell, and why a person should look again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from cvpipe.assess.claims import ClaimKind, claim_kind
from cvpipe.assess.ladder import GREEN_OUTCOMES, QUESTION_OF, RANK, Climbed, View, climb, climb_green, views_of
from cvpipe.assess.opinions import wants_visit
from cvpipe.assess.rules import LadderRules, Rules
from cvpipe.assess.watching import recheck_due
from cvpipe.domain import Criterion, Outcome, Question, Rung, Sighting, Stage, Verdict
from cvpipe.ledger.records import AssessmentRecord, Flag, SiteLife, SiteState
from cvpipe.ledger.standing_decisions import standing

#: The most that the nearness of a value to its limit adds to a flag's priority.
MOST_UNCERTAIN = 50.0

#: What the ledger may claim in vain; that it lags behind the pictures is no matter for a reviewer.
VAIN_CLAIMS = frozenset(ClaimKind) - {ClaimKind.LEDGER_BEHIND}


class FlagReason(StrEnum):
    """Why a person should look at a site's verdicts."""

    REBOUND = "rebound"
    CLAIM = "claim"
    CONTRADICTORY = "contradictory"
    HIGH_STAKES = "high_stakes"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True)
class _Doubt:
    """One reason to look, before its priority is reckoned."""

    reason: FlagReason
    questions: tuple[Question, ...]
    priority: float


def state_of(life: SiteLife, rules: Rules) -> SiteState:
    """What all epochs of a site tell together under the rules; the same whatever order they were recorded in."""
    views, code = views_of(life, rules.confirmation), life.site.code
    baseline_on = min((r.before_date for r in life.records if r.before_date), default=None)
    climbed = climb(code, views, rules.ladder, baseline_on)
    green = climb_green(code, views, rules.ladder, baseline_on)
    told = (*climbed.sightings, *(sighting for sighting in green.sightings if sighting.stage is Stage.GREEN))
    rebounds = sum(sighting.stage is Stage.REBOUND for sighting in climbed.confirmed)
    state = replace(
        _observed(code, climbed, rules.ladder),
        rebounds=rebounds,
        recheck_due=recheck_due(life, views, rebounds, rules.watch),
        sightings=tuple(sorted(told, key=lambda sighting: sighting.first_seen)),
    )
    state = _with_rebound(_with_greening(state, green, views), climbed, views)
    return replace(state, flag=_flag(life, views, climbed, state, rules.ladder))


def _observed(code: str, climbed: Climbed, rules: LadderRules) -> SiteState:
    """The stage that the rules let a site be seen at: the confirmed one, or what one scene may say."""
    pending = climbed.pending
    if pending is not None and _may_show(climbed, pending, rules):
        return SiteState(
            code, pending.stage, pending.rung, pending.first_seen, pending.not_yet_on, climbed.pending_seen
        )
    if climbed.held_rung is None:
        return SiteState(code)
    last = climbed.confirmed[-1] if climbed.confirmed else None
    since, not_yet_on = (last.first_seen, last.not_yet_on) if last else (None, None)
    return SiteState(code, climbed.held, climbed.held_rung, since, not_yet_on, climbed.last_seen)


def _may_show(climbed: Climbed, pending: Sighting, rules: LadderRules) -> bool:
    """Whether a provisional stage may be shown: a step back never, a rebound and a step forward as the rules say."""
    if pending.stage is not Stage.REBOUND and RANK[pending.stage] < RANK[climbed.held]:
        return False
    return pending.stage in (rules.observed_by_flagged if climbed.pending_flagged else rules.observed_by_one_scene)


def _with_greening(state: SiteState, green: Climbed, views: Sequence[View]) -> SiteState:
    """The last answer that agrees with the ladder: a winter's picture takes no green back."""
    pending = green.pending is not None and not green.pending_flagged and green.held is not Stage.GREEN
    is_green = green.held is Stage.GREEN or pending
    for view in reversed(views):
        answer = view.answers.get(Question.GREENING)
        if answer is not None and (answer in GREEN_OUTCOMES) is is_green:
            return replace(state, greening=answer, greening_on=view.on)
    return state


def _with_rebound(state: SiteState, climbed: Climbed, views: Sequence[View]) -> SiteState:
    """Since when a rebound lasts, and how large it is at the newest epoch that shows it."""
    rebound = _lasting_rebound(climbed, state)
    if rebound is None:
        return state
    areas = [view.area_m2(Stage.REBOUND) for view in views if _is_rebound(view)]
    newest = next((area for area in reversed(areas) if area is not None), None)
    return replace(state, rebound_since=rebound.first_seen, rebound_m2=newest)


def _lasting_rebound(climbed: Climbed, state: SiteState) -> Sighting | None:
    """The rebound that is suspected or holds; None where there is none, or a later stage is shown."""
    if climbed.pending is not None and climbed.pending.stage is Stage.REBOUND:
        return climbed.pending
    return climbed.confirmed[-1] if state.stage is climbed.held is Stage.REBOUND else None


def _is_rebound(view: View) -> bool:
    return view.answers.get(Question.REBOUND) is Outcome.SUSPECTED


def _flag(life: SiteLife, views: Sequence[View], climbed: Climbed, state: SiteState, rules: LadderRules) -> Flag | None:
    """The most pressing reason to look, with all questions that there is a reason to ask; None where there is none."""
    found = sorted(_doubts(life, views, climbed, state, rules), key=lambda doubt: -doubt.priority)
    visits = _awaited(life)
    doubts = [open_ for doubt in found if (open_ := _without(doubt, views, visits)).questions]
    for doubt in doubts:
        record = _newest_record(views, doubt.questions[0])
        if record is not None:
            asked = {q for other in doubts for q in other.questions if _newest_record(views, q) is record}
            ordered = (*doubt.questions, *(q for q in Question if q in asked and q not in doubt.questions))
            return Flag(doubt.reason.value, ordered, doubt.priority, record.id)
    return None


def _awaited(life: SiteLife) -> frozenset[tuple[str | None, Question]]:
    """What somebody wants visited, by assessment and question: no picture tells more until then."""
    said = (entry.value for entry in standing(life.decisions) if wants_visit([entry]))
    return frozenset((decision.assessment_key, decision.question) for decision in said)


def _without(doubt: _Doubt, views: Sequence[View], visits: Collection[tuple[str | None, Question]]) -> _Doubt:
    """A doubt without the questions that wait for a visit."""

    def waits(question: Question) -> bool:
        record = _newest_record(views, question)
        return record is not None and (record.assessment.key, question) in visits

    return replace(doubt, questions=tuple(question for question in doubt.questions if not waits(question)))


def _doubts(
    life: SiteLife, views: Sequence[View], climbed: Climbed, state: SiteState, rules: LadderRules
) -> Iterator[_Doubt]:
    """Every reason that no person has settled yet."""
    rebound = _lasting_rebound(climbed, state)
    if rebound is not None and rebound.rung is not Rung.PERSON:
        yield _Doubt(FlagReason.REBOUND, (Question.REBOUND,), rules.priority_rebound)
    kind = claim_kind(life.site, state)
    if kind in VAIN_CLAIMS and state.stage is not None and not _is_settled(views, claim_question(kind)):
        yield _Doubt(FlagReason.CLAIM, (claim_question(kind),), rules.priority_claim)
    pending = climbed.pending
    if pending is not None and pending.stage is not Stage.REBOUND and RANK[pending.stage] < RANK[climbed.held]:
        unclear = pending.stage is Stage.DEMOLISHED  # cleared ground that is no more than that
        asked = Question.CLEARANCE if unclear else QUESTION_OF[pending.stage]
        yield _Doubt(FlagReason.CONTRADICTORY, (asked,), rules.priority_contradictory)
    if pending is not None and pending.stage in rules.high_stakes and (pending.area_m2 or 0) >= rules.high_stakes_m2:
        yield _Doubt(FlagReason.HIGH_STAKES, (QUESTION_OF[pending.stage],), rules.priority_high_stakes)
    flagged = ((question, _flagged_verdict(views, question)) for question in Question)
    uncertain = {question: uncertainty(verdict.criteria) for question, verdict in flagged if verdict is not None}
    if uncertain:
        ordered = tuple(sorted(uncertain, key=lambda question: -uncertain[question]))
        most = MOST_UNCERTAIN * uncertain[ordered[0]]
        yield _Doubt(FlagReason.UNCERTAIN, ordered, rules.priority_uncertain + most)


def claim_question(kind: ClaimKind | None) -> Question:
    """What to ask about a site whose row claims something in vain."""
    return {
        ClaimKind.REBUILT: Question.REBOUND,
        ClaimKind.NOT_CLEAR: Question.CLEARANCE,
        ClaimKind.NOT_GREEN: Question.GREENING,
    }.get(kind or ClaimKind.STANDS, Question.DEMOLITION)


def _is_settled(views: Sequence[View], question: Question) -> bool:
    """Whether the newest answer to a question is a person's."""
    newest = _newest(views, question)
    return newest is not None and question in newest.by_person


def _flagged_verdict(views: Sequence[View], question: Question) -> Verdict | None:
    """The newest verdict on a question, where a person should look at it."""
    newest = _newest(views, question)
    return newest.verdict(question) if newest is not None and question in newest.flagged else None


def _newest(views: Sequence[View], question: Question) -> View | None:
    return next((view for view in reversed(views) if question in view.answers), None)


def _newest_record(views: Sequence[View], question: Question) -> AssessmentRecord | None:
    newest = _newest(views, question)
    return newest.records.get(question) if newest is not None else None


def uncertainty(criteria: Iterable[Criterion]) -> float:
    """How near to its limit a value lies: 1 where one is on it, 0 where all are off by the limit's whole size."""
    limits = [(c.value, c.limit) for c in criteria if c.limit]
    return max((1 - min(abs(value - limit) / abs(limit), 1.0) for value, limit in limits), default=0.0)


__all__ = ["VAIN_CLAIMS", "FlagReason", "claim_question", "state_of", "uncertainty"]
