"""What people said of verdicts in a ledger: whether they agree with the machine and with each other, and why not."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cvpipe.assess.opinions import last_words, standing
from cvpipe.domain import Decision, Outcome, Question, ReviewReason
from cvpipe.ledger import Ledger
from cvpipe.ledger.records import AssessmentRecord, Entry
from cvpipe.train.scoreboard import NONE, Table

COLUMNS = ("bundle", "question", "looked at", "agree with the machine", "looked at by several", "agree with each other")
REASON_COLUMNS = ("bundle", "question", "reason", "times")

Group = tuple[str, Question]
"""Digest of a bundle, its first twelve characters, and a question."""


@dataclass(frozen=True)
class _Looked:
    """One verdict and the last word of each person on it."""

    group: Group
    machine: Outcome
    said: tuple[Decision, ...]

    @property
    def answers(self) -> set[Outcome]:
        return {decision.verdict for decision in self.said}


def people_tables(ledger: Ledger) -> list[Table]:
    """Agreement and reasons, a row for each bundle and question; both empty where nobody said anything.

    A verdict counts as agreed with where everybody who looked gives its answer.
    """
    looked = list(_looked_at(ledger.assessments(), standing(ledger.decisions())))
    return [
        Table("What people said of the verdicts", COLUMNS, tuple(_agreement(looked))),
        Table("Why people rejected verdicts", REASON_COLUMNS, tuple(_reasons(looked))),
    ]


def _looked_at(records: Iterable[AssessmentRecord], said: Iterable[Entry[Decision]]) -> Iterator[_Looked]:
    by_item: Mapping[tuple[str | None, Question], list[Entry[Decision]]] = defaultdict(list)
    for entry in said:
        by_item[entry.value.assessment_key, entry.value.question].append(entry)
    for record in records:
        made = record.assessment
        for verdict in made.verdicts:
            words = last_words(by_item.get((made.key, verdict.question), ()))
            if words:
                group = made.bundle_digest[:12], verdict.question
                yield _Looked(group, verdict.outcome, tuple(entry.value for entry in words))


def _agreement(looked: Iterable[_Looked]) -> Iterator[tuple[str, ...]]:
    groups: dict[Group, list[_Looked]] = defaultdict(list)
    for one in looked:
        groups[one.group].append(one)
    for (bundle, question), ones in sorted(groups.items()):
        several = [one for one in ones if len(one.said) > 1]
        agreed = sum(one.answers == {one.machine} for one in ones)
        united = sum(len(one.answers) == 1 for one in several)
        shares = (_share(agreed, len(ones)), str(len(several)), _share(united, len(several)))
        yield bundle, question.value, str(len(ones)), *shares


def _reasons(looked: Iterable[_Looked]) -> Iterator[tuple[str, ...]]:
    counts = Counter(
        (one.group, decision.reason)
        for one in looked
        for decision in one.said
        if decision.verdict is not one.machine and decision.reason and decision.reason != ReviewReason.WITHDRAWN
    )
    for (group, reason), times in sorted(counts.items(), key=lambda item: (item[0][0], -item[1], item[0][1])):
        yield *group, reason, str(times)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else NONE


__all__ = ["people_tables"]
