"""When people's answers to one question count: one word, several that agree, or a further one where they differ.

One place decides for the reviewers' page, which asks until it is settled, and for the ladder, which takes for a
person's word what is settled. None of those who answer sees what the others said. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from cvpipe.assess.rules import ConfirmationRules
from cvpipe.domain import Decision, Outcome, Question, ReviewReason
from cvpipe.ledger.records import Entry, ItemKey
from cvpipe.ledger.standing_decisions import standing

#: Questions of which one answer alone needs all the opinions, for a row is closed on it; of any other one is enough.
_CLOSES = {Question.CLEARANCE: Outcome.MET}


def on_item(decisions: Iterable[Entry[Decision]], item: ItemKey) -> list[Entry[Decision]]:
    """What stands on one item: the last word of each person, in order."""
    own = (e for e in decisions if (e.value.assessment_key, e.value.question) == (item.assessment_key, item.question))
    return last_words(standing(own))


def last_words(said: Iterable[Entry[Decision]]) -> list[Entry[Decision]]:
    """The last of what each person said, in order."""
    return sorted({entry.value.who: entry for entry in said}.values(), key=lambda entry: entry.id)


def needed(
    question: Question, machine: Outcome | None, said: Sequence[Entry[Decision]], rules: ConfirmationRules
) -> int:
    """How many persons must give the same answer; `machine` is what the assessment said, None where it said nothing."""
    closes = _CLOSES.get(question)
    if closes is not None and closes not in {machine, *(entry.value.verdict for entry in said)}:
        return 1
    return rules.opinions_needed.of(question)


def settled(
    question: Question, machine: Outcome | None, said: Sequence[Entry[Decision]], rules: ConfirmationRules
) -> Outcome | None:
    """The answer that people gave; None while somebody must still look. `said` holds one word of each person.

    Persons who differ settle nothing until more of them give one answer than any other, or `last_word_at` have looked.
    Where somebody asks for a visit to the site nobody need look again before it, and nothing is assessed.
    """
    if not said:
        return None
    if wants_visit(said):
        return Outcome.NOT_ASSESSABLE
    (answer, count), *others = Counter(entry.value.verdict for entry in said).most_common()
    divided = bool(others) and others[0][1] == count
    if not divided and count >= needed(question, machine, said, rules):
        return answer
    if len(said) >= rules.last_word_at:
        return said[-1].value.verdict if divided else answer
    return None


def wants_visit(said: Iterable[Entry[Decision]]) -> bool:
    """Whether somebody asks for a visit to the site."""
    return any(entry.value.reason == ReviewReason.SITE_VISIT for entry in said)


__all__ = ["last_words", "needed", "on_item", "settled", "standing", "wants_visit"]
