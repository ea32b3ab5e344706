"""When an item is settled: one person's word, two that agree, or a third where two do not. Pure.

Rebound and closing need two persons who know nothing of each other's answer. Closing rests on the clearance verdict
("clear site, clean ground"), so that clearance needs two as soon as anybody, or the machine, calls it met.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from cvpipe.domain import Decision, Outcome, Question, ReviewReason
from cvpipe.ledger import Entry, ItemKey, standing


def on_item(decisions: Iterable[Entry[Decision]], item: ItemKey) -> list[Entry[Decision]]:
    """What stands on one item: the last word of each person, in order."""
    last = {
        entry.value.who: entry
        for entry in standing(decisions)
        if (entry.value.assessment_key, entry.value.question) == (item.assessment_key, item.question)
    }
    return sorted(last.values(), key=lambda entry: entry.id)


def needs_two(question: Question, machine: Outcome, said: Sequence[Entry[Decision]]) -> bool:
    """Whether one person's word is too little."""
    if question is Question.REBOUND:
        return True
    return question is Question.CLEARANCE and Outcome.MET in {machine, *(entry.value.verdict for entry in said)}


def settled(question: Question, machine: Outcome, said: Sequence[Entry[Decision]]) -> Outcome | None:
    """The answer that people gave; None while somebody must still look.

    Where somebody asks for a visit to the site, nobody need look again before it. Of three different answers the
    third stands.
    """
    if not said:
        return None
    if any(entry.value.reason == ReviewReason.SITE_VISIT for entry in said):
        return Outcome.NOT_ASSESSABLE
    if not needs_two(question, machine, said):
        return said[-1].value.verdict
    answer, count = Counter(entry.value.verdict for entry in said).most_common(1)[0]
    if count >= 2:
        return answer
    return said[-1].value.verdict if len(said) >= 3 else None


__all__ = ["needs_two", "on_item", "settled", "standing"]
