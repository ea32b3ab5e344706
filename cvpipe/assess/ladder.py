"""The confirmation ladder: what the epochs of a site tell together, each stage of its life once.

One scene makes a stage provisional; a later scene that shows it too, or what lies beyond it, confirms it; so do people,
at once, as soon as enough of them agree (`assess.opinions`). Until then the stage that was confirmed last holds, and an
epoch that nothing bears out is forgotten: no stage comes and goes with one cloud, one shadow or one winter. A verdict
that a person should look at first takes nothing back. Epochs count by their dates, not by the order in which they were
recorded, and an epoch counts once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import takewhile
from typing import TypeAlias

from cvpipe.assess import criteria as kinds
from cvpipe.assess.opinions import last_words, settled, wants_visit
from cvpipe.assess.rules import ConfirmationRules, LadderRules
from cvpipe.domain import (
    ChangeKind,
    Decision,
    InspectionResult,
    Move,
    Outcome,
    Question,
    Rung,
    Sighting,
    Stage,
    StatusMove,
    Verdict,
)
from cvpipe.ledger.records import AssessmentRecord, Entry, SiteLife
from cvpipe.ledger.standing_decisions import standing

Answers: TypeAlias = dict[Question, Outcome]

_Word: TypeAlias = tuple[datetime, date, Answers]
"""When a person said something, of which day, and what."""

#: How far a site has come; a rebound lies before the beginning.
RANK = {
    Stage.REBOUND: -1,
    Stage.STANDING: 0,
    Stage.IN_PROGRESS: 1,
    Stage.DEMOLISHED: 2,
    Stage.CLEARED: 3,
    Stage.GREEN: 4,
}

#: Answers to the question of greening that say that there is green.
GREEN_OUTCOMES = frozenset({Outcome.MET, Outcome.GAINED})

#: The question that a stage hangs on.
QUESTION_OF: dict[Stage, Question] = {
    Stage.STANDING: Question.DEMOLITION,
    Stage.IN_PROGRESS: Question.DEMOLITION,
    Stage.DEMOLISHED: Question.DEMOLITION,
    Stage.CLEARED: Question.CLEARANCE,
    Stage.REBOUND: Question.REBOUND,
    Stage.GREEN: Question.GREENING,
}

#: The change whose area a stage is told with.
_CHANGE_OF: dict[Stage, ChangeKind] = {
    Stage.IN_PROGRESS: ChangeKind.STRUCTURE_REMOVED,
    Stage.DEMOLISHED: ChangeKind.STRUCTURE_REMOVED,
    Stage.CLEARED: ChangeKind.STRUCTURE_REMOVED,
    Stage.REBOUND: ChangeKind.STRUCTURE_ADDED,
    Stage.GREEN: ChangeKind.GREEN_ADDED,
}

_FOUND: dict[InspectionResult, Answers] = {
    InspectionResult.CLEAR: {
        Question.DEMOLITION: Outcome.COMPLETE,
        Question.CLEARANCE: Outcome.MET,
        Question.REBOUND: Outcome.NONE,
    },
    InspectionResult.NOT_CLEAR: {Question.CLEARANCE: Outcome.NOT_MET},
    InspectionResult.REBOUND: {Question.REBOUND: Outcome.SUSPECTED},
    InspectionResult.NO_ACCESS: {},
}


@dataclass(frozen=True)
class View:
    """What one epoch, or one visit, answers of a site; questions that it could not answer are left out.

    `by_person` names those that a person answered, `flagged` those whose verdict a person should look at first.
    `records` are the assessments that hold for the epoch.
    """

    on: date
    answers: Answers
    by_person: frozenset[Question] = frozenset()
    flagged: frozenset[Question] = frozenset()
    empty_baseline: bool = False
    records: Mapping[Question, AssessmentRecord] = field(default_factory=dict)

    def verdict(self, question: Question) -> Verdict | None:
        """The machine's verdict, whatever a person said."""
        record = self.records.get(question)
        return None if record is None else verdict_of(record, question)

    def area_m2(self, stage: Stage) -> float | None:
        """What changed on the ground with a stage, m²; None where it was not measured."""
        record, kind = self.records.get(QUESTION_OF[stage]), _CHANGE_OF.get(stage)
        measured = record.assessment.measurements if record else None
        return None if measured is None or kind is None else measured.change_m2.get(kind)


@dataclass(frozen=True)
class Climbed:
    """Where a walk through the epochs ended.

    `held` is the stage that holds, with its rung (None: nothing has shown it yet); `confirmed` tells all that were
    confirmed, in order. `pending` is what the newest epochs show otherwise and nothing has borne out yet
    (`pending_flagged`: a person should look first). `last_seen` is the last epoch that showed `held`, `pending_seen`
    that of the other.
    """

    held: Stage
    held_rung: Rung | None
    confirmed: tuple[Sighting, ...] = ()
    pending: Sighting | None = None
    pending_flagged: bool = False
    last_seen: date | None = None
    pending_seen: date | None = None

    @property
    def sightings(self) -> tuple[Sighting, ...]:
        """All that there is to tell, the provisional at the end."""
        return self.confirmed if self.pending is None else (*self.confirmed, self.pending)


def views_of(life: SiteLife, rules: ConfirmationRules) -> tuple[View, ...]:
    """The epochs and visits of a site that answer anything, in order of date; `rules` say when people's word counts."""
    days = _machine_views(life.records)
    for on, answers in _words(life, rules):
        day = days.get(on, View(on, {}))
        days[on] = _with_words(day, answers)
    views = (days[on] for on in sorted(days))
    return tuple(view for view in views if view.answers)


def stages_of(view: View) -> frozenset[Stage]:
    """The stages that what a view shows can be; empty where it does not tell.

    A question that has no answer leaves both of its stages open: demolished ground of which nobody can say whether it
    is clear contradicts neither.
    """
    demolition = view.answers.get(Question.DEMOLITION)
    clearance, rebound = view.answers.get(Question.CLEARANCE), view.answers.get(Question.REBOUND)
    if rebound is Outcome.SUSPECTED:
        return frozenset({Stage.REBOUND})
    if view.empty_baseline and demolition is Outcome.NONE:
        if rebound is None:
            return frozenset()  # there was nothing to demolish: nothing can be told of its demolition
        demolition = Outcome.COMPLETE
    stages = _remediation_stages(demolition, clearance)
    hidden = rebound is None and bool(stages) and Stage.CLEARED not in stages
    return stages | {Stage.REBOUND} if hidden else stages


def climb(code: str, views: Sequence[View], rules: LadderRules, baseline_on: date | None = None) -> Climbed:
    """Walk through the epochs of a site. Its structures stand at the beginning, on `baseline_on` if known."""
    walk = _Walk(code, rules, QUESTION_OF, baseline_on)
    for view in views:
        walk.see(view, stages_of(view))
    return walk.climbed()


def climb_green(code: str, views: Sequence[View], rules: LadderRules, baseline_on: date | None = None) -> Climbed:
    """The same for green cover, which comes and goes beside the other stages; `STANDING` means that none was gained."""
    walk = _Walk(code, rules, dict.fromkeys(Stage, Question.GREENING), baseline_on)
    for view in views:
        greening = view.answers.get(Question.GREENING)
        shown = Stage.GREEN if greening in GREEN_OUTCOMES else Stage.STANDING
        walk.see(view, frozenset({shown} if greening else ()))
    return walk.climbed()


class _Walk:
    """The ladder while it is climbed: the stage that holds, and the views in a row that speak against it.

    `asks` names the question that each stage hangs on.
    """

    def __init__(self, code: str, rules: LadderRules, asks: Mapping[Stage, Question], baseline_on: date | None) -> None:
        self._code, self._rules, self._asks = code, rules, asks
        self._held, self._last_seen, self._borne_out = Stage.STANDING, baseline_on, 0
        self._confirmed: list[Sighting] = []
        self._against: list[tuple[View, frozenset[Stage]]] = []  # all on one side of what holds
        self._doubted = 0  # views since then that fit what holds, and that a person should look at first
        self._seen = [] if baseline_on is None else [(baseline_on, frozenset({Stage.STANDING}))]

    def see(self, view: View, stages: frozenset[Stage]) -> None:
        """Take the next view; what can be several stages speaks for none of them, and against the others."""
        if not stages:
            return
        if self._held not in stages:
            self._contradict(view, stages)
        elif self._refutes(view, stages):
            self._against.clear()
            self._doubted = 0
            if len(stages - {Stage.REBOUND}) <= 1:
                self._hold(view)
        self._seen.append((view.on, stages))

    def _refutes(self, view: View, stages: frozenset[Stage]) -> bool:
        """Whether a view that fits what holds refutes the others: not where it fits these too, nor flagged alone."""
        if any(against <= stages for _, against in self._against):
            return False
        flagged = any(self._asked(self._nearest(against)) in view.flagged for _, against in self._against)
        self._doubted += flagged
        return not flagged or self._doubted >= self._rules.scenes_to_confirm

    def climbed(self) -> Climbed:
        """Where the walk stands."""
        told = tuple(self._confirmed)
        if not self._against:
            return Climbed(self._held, self._rung(), told, last_seen=self._last_seen)
        stage = self._common()
        pending = self._sighting(stage, Rung.PROVISIONAL, None)
        newest = self._against[-1][0].on
        flagged = all(self._asks[stage] in view.flagged for view, _ in self._against)
        return Climbed(self._held, self._rung(), told, pending, flagged, self._last_seen, newest)

    def _rung(self) -> Rung | None:
        """That of the stage that holds; the one that a site begins with is confirmed by views as any other."""
        if self._confirmed:
            return self._confirmed[-1].rung
        if self._borne_out:
            return Rung.SCENE if self._borne_out >= self._rules.scenes_to_confirm else Rung.PROVISIONAL
        return None

    def _hold(self, view: View) -> None:
        self._last_seen = view.on
        self._borne_out += 1
        told = self._confirmed[-1] if self._confirmed else None
        if told is not None and told.rung is Rung.SCENE and self._is_persons(view, self._held):
            self._confirmed[-1] = replace(told, rung=Rung.PERSON, confirmed_on=view.on)

    def _contradict(self, view: View, stages: frozenset[Stage]) -> None:
        stage = self._nearest(stages)
        if self._against and self._side(self._nearest(self._against[-1][1])) != self._side(stage):
            self._against.clear()
        self._against.append((view, stages))
        self._doubted = 0
        if self._is_persons(view, stage):
            self._confirm(stage, Rung.PERSON, view.on)
        elif len(self._against) >= self._rules.scenes_to_confirm and self._is_plain(self._common()):
            self._confirm(self._common(), Rung.SCENE, view.on)

    def _common(self) -> Stage:
        """What all views that speak against what holds agree on at least."""
        return self._nearest(self._nearest(stages) for _, stages in self._against)

    def _confirm(self, stage: Stage, rung: Rung, on: date) -> None:
        """`stage` holds from now on; the newest views that show more than that begin the next step."""
        self._confirmed.append(self._sighting(stage, rung, on))
        more = takewhile(lambda seen: any(self._is_beyond(one, stage) for one in seen[1]), reversed(self._against))
        self._against = [seen for seen in list(more)[::-1] if stage not in seen[1]]
        self._held, self._last_seen = stage, on

    def _sighting(self, stage: Stage, rung: Rung, confirmed_on: date | None) -> Sighting:
        first = next(view for view, stages in self._against if self._reaches(stages, stage))
        not_yet = [on for on, stages in self._seen if on < first.on and stage not in stages]
        latest = max(not_yet, default=None)
        return Sighting(self._code, stage, rung, first.on, latest, confirmed_on, first.area_m2(stage))

    def _is_plain(self, stage: Stage) -> bool:
        """Whether the views may confirm: a step back not where a person should look at all of them first."""
        plain = any(self._asked(stage) not in view.flagged for view, _ in self._against)
        return plain or (stage in self._rules.flagged_confirm and not self._is_back(stage))

    def _is_back(self, stage: Stage) -> bool:
        return stage is not Stage.REBOUND and RANK[stage] < RANK[self._held]

    def _asked(self, stage: Stage) -> Question:
        """The question that the step to a stage hangs on: cleared ground is no more than demolished if not clear."""
        return Question.CLEARANCE if self._is_back(stage) and stage is Stage.DEMOLISHED else self._asks[stage]

    def _is_persons(self, view: View, stage: Stage) -> bool:
        asked = {self._asks[stage]}
        if stage is Stage.DEMOLISHED:
            asked.add(Question.CLEARANCE)  # "not clear" makes it no more than demolished
        if self._held is Stage.REBOUND:
            asked.add(Question.REBOUND)  # "no rebound" ends one
        return bool(asked & view.by_person)

    def _nearest(self, stages: Iterable[Stage]) -> Stage:
        """The stage that takes least for granted; that something stands is no rebound yet."""
        given = frozenset(stages)
        return min(given - {Stage.REBOUND} or given, key=lambda stage: (self._distance(stage), RANK[stage]))

    def _reaches(self, stages: frozenset[Stage], stage: Stage) -> bool:
        nearest = self._nearest(stages)
        return nearest is stage or self._is_beyond(nearest, stage)

    def _is_beyond(self, shown: Stage, stage: Stage) -> bool:
        return self._distance(shown) > self._distance(stage)

    def _distance(self, stage: Stage) -> int:
        return abs(RANK[stage] - RANK[self._held])

    def _side(self, stage: Stage) -> tuple[bool, bool]:
        return stage is Stage.REBOUND, RANK[stage] > RANK[self._held]


def _remediation_stages(demolition: Outcome | None, clearance: Outcome | None) -> frozenset[Stage]:
    if demolition is Outcome.NONE:
        return frozenset({Stage.STANDING})
    if demolition is Outcome.PARTIAL:
        return frozenset({Stage.IN_PROGRESS})
    if clearance is Outcome.MET:
        return frozenset({Stage.CLEARED})
    if clearance is Outcome.NOT_MET:
        gone = demolition is Outcome.COMPLETE
        return frozenset({Stage.DEMOLISHED} if gone else {Stage.STANDING, Stage.IN_PROGRESS, Stage.DEMOLISHED})
    return frozenset({Stage.DEMOLISHED, Stage.CLEARED}) if demolition is Outcome.COMPLETE else frozenset()


def _machine_views(records: Iterable[AssessmentRecord]) -> dict[date, View]:
    """The view of each epoch: of several assessments the one made last holds, of watches that of the latest start."""
    by_epoch: dict[date, dict[Question, AssessmentRecord]] = defaultdict(dict)
    for record in sorted(records, key=_holds):
        if record.after_date is not None:
            by_epoch[record.after_date] |= {verdict.question: record for verdict in record.assessment.verdicts}
    return {on: _machine_view(on, held) for on, held in by_epoch.items()}


def _holds(record: AssessmentRecord) -> tuple[date, int]:
    """The later of two assessments of one epoch goes last."""
    watch = any(verdict.question is Question.REBOUND for verdict in record.assessment.verdicts)
    return (record.before_date or date.min) if watch else date.min, record.id


def _machine_view(on: date, held: dict[Question, AssessmentRecord]) -> View:
    verdicts = [verdict_of(record, question) for question, record in held.items()]
    answered = [verdict for verdict in verdicts if verdict.outcome is not Outcome.NOT_ASSESSABLE]
    return View(
        on,
        {verdict.question: verdict.outcome for verdict in answered},
        flagged=frozenset(verdict.question for verdict in answered if verdict.needs_review),
        empty_baseline=any(c.name == kinds.BASELINE.name and c.passed is False for v in verdicts for c in v.criteria),
        records=held,
    )


def verdict_of(record: AssessmentRecord, question: Question) -> Verdict:
    """The verdict of an assessment on a question that it was asked."""
    return next(verdict for verdict in record.assessment.verdicts if verdict.question is question)


def _words(life: SiteLife, rules: ConfirmationRules) -> Iterator[tuple[date, Answers]]:
    """What people said, and of which day, in the order in which they said it."""
    said = [*_decided(life, rules), *_visited(life), *_moved(life)]
    yield from ((on, answers) for _, on, answers in sorted(said, key=lambda word: word[0]))


def _decided(life: SiteLife, rules: ConfirmationRules) -> Iterator[_Word]:
    """What decisions settled; that somebody asks for a visit answers nothing and leaves what the machine said."""
    epochs = {record.assessment.key: record.after_date for record in life.records}
    machine = {(r.assessment.key, v.question): v.outcome for r in life.records for v in r.assessment.verdicts}
    for (looked_at, question), entered in _by_item(life).items():
        said = last_words(entered)
        answer = settled(question, machine.get((looked_at, question)), said, rules)
        if answer is not None and not wants_visit(said):
            day = epochs.get(looked_at) or said[-1].at.date()
            yield said[-1].at, day, {question: answer}


def _by_item(life: SiteLife) -> dict[tuple[str, Question], list[Entry[Decision]]]:
    """Standing decisions by what they answer: an assessment, or all that was to be seen by then, and the question."""
    days = [record.after_date for record in life.records if record.after_date]
    found = defaultdict[tuple[str, Question], list[Entry[Decision]]](list)
    for entry in standing(life.decisions):
        newest = max((day for day in days if day <= entry.at.date()), default=date.min)
        found[entry.value.assessment_key or f"by {newest}", entry.value.question].append(entry)
    return found


def _visited(life: SiteLife) -> Iterator[_Word]:
    for entry in life.inspections:
        yield entry.at, entry.value.inspected_on, _FOUND[entry.value.result]


def _moved(life: SiteLife) -> Iterator[_Word]:
    for entry in life.moves:
        if entry.value.move is Move.CONFIRM_REBOUND:
            yield entry.at, day_of(entry), {Question.REBOUND: Outcome.SUSPECTED}


def day_of(move: Entry[StatusMove]) -> date:
    """The day from which a move holds."""
    return move.value.effective or move.at.date()


def _with_words(view: View, said: Answers) -> View:
    """A view in which what a person said goes before what the machine said; "cannot be told" leaves no answer."""
    both = view.answers | said
    answers: Answers = {q: outcome for q, outcome in both.items() if outcome is not Outcome.NOT_ASSESSABLE}
    named = view.by_person | said.keys()
    return replace(view, answers=answers, by_person=frozenset(named), flagged=view.flagged - named)


__all__ = [
    "GREEN_OUTCOMES",
    "QUESTION_OF",
    "RANK",
    "Climbed",
    "View",
    "climb",
    "climb_green",
    "day_of",
    "stages_of",
    "verdict_of",
    "views_of",
]
