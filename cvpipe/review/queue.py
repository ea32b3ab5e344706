"""Which item is next: rebound and overdue first, then what contradicts or is to be closed, then the most uncertain.

An item is one question of one site with the verdict that holds. Why a person should look at a site's verdicts the
ledger says (`SiteLine.state.flag`), as the rules told it when the site was settled: `Ledger.review_queue`, the reports
and this queue take it from there. `reason_of` adds what only people's work asks for: overdue sites, and rows to close.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Final

from cvpipe.assess.claims import claim_kind
from cvpipe.assess.standing import VAIN_CLAIMS, FlagReason, uncertainty
from cvpipe.domain import Outcome, Question, SiteStatus
from cvpipe.ledger import GivenVerdict, ItemKey, Lease, LeaseState, SiteLine
from cvpipe.review.district import SiteRecord

DONE = frozenset({SiteStatus.CLEARED, SiteStatus.CLOSED, SiteStatus.EXEMPT})


class Why(StrEnum):
    """Why somebody should look; in order of urgency."""

    REBOUND = "rebound"
    OVERDUE = "overdue"
    CONTRADICTS = "contradicts"
    CONTRADICTORY = "contradictory"
    CLOSING = "closing"
    HIGH_STAKES = "high_stakes"
    UNCERTAIN = "uncertain"
    AUDIT = "audit"


#: What the rules call each reason.
_FLAGGED: Final[Mapping[FlagReason, Why]] = {
    FlagReason.REBOUND: Why.REBOUND,
    FlagReason.CLAIM: Why.CONTRADICTS,
    FlagReason.CONTRADICTORY: Why.CONTRADICTORY,
    FlagReason.HIGH_STAKES: Why.HIGH_STAKES,
    FlagReason.UNCERTAIN: Why.UNCERTAIN,
}

_URGENCY = {why: i for i, why in enumerate(Why)}
_ORDER = {question: i for i, question in enumerate(Question)}


@dataclass(frozen=True)
class Waiting:
    """An item of the queue. `uncertainty` is 0..1; `said` names the persons who have answered."""

    key: ItemKey
    line: SiteLine
    given: GivenVerdict
    why: Why
    uncertainty: float
    said: tuple[str, ...]

    @cached_property
    def rank(self) -> tuple[int, float, str, int]:
        """What the queue is ordered by; the questions of one site follow each other."""
        return _URGENCY[self.why], -self.uncertainty, self.line.code, _ORDER[self.key.question]


@dataclass(frozen=True)
class Filter:
    """What a reviewer wants to see; an empty text leaves all through. `batches` are those of a campaign."""

    batches: frozenset[str] | None = None
    batch: str = ""
    owner_system: str = ""
    sub_district: str = ""
    outcome: str = ""
    why: str = ""

    @cached_property
    def _asked(self) -> tuple[tuple[str, Callable[[Waiting], str]], ...]:
        """What is asked for, each with what it is held against."""
        held: tuple[tuple[str, Callable[[Waiting], str]], ...] = (
            (self.batch, lambda item: item.line.batch),
            (self.owner_system, lambda item: item.line.owner_system),
            (self.sub_district, lambda item: item.line.sub_district),
            (self.outcome, lambda item: f"{item.key.question.value}.{item.given.verdict.outcome.value}"),
            (self.why, lambda item: item.why.value),
        )
        return tuple((wanted, of) for wanted, of in held if wanted)

    def lets(self, item: Waiting) -> bool:
        """Whether an item passes."""
        if self.batches is not None and item.line.batch not in self.batches:
            return False
        return all(of(item) == wanted for wanted, of in self._asked)


class Queue:
    """Items in order, with how many there are of each reason. Never changes; `changed` makes another."""

    def __init__(self, items: Iterable[Waiting] = ()) -> None:
        self.items: list[Waiting] = sorted(items, key=_rank_of)
        self._counts = Counter(item.why for item in self.items)
        self.items_by_key = {item.key: item for item in self.items}
        self._answered = {item.key: item for item in self.items if item.said}

    def __len__(self) -> int:
        return len(self.items)

    def changed(self, gone: Iterable[Waiting], come: Iterable[Waiting]) -> Queue:
        """The queue once some items are gone and others have come: hardly more work than these are many."""
        if not self.items:
            return Queue(come)
        made = Queue()
        made.items, made._counts = self.items.copy(), self._counts.copy()
        made.items_by_key, made._answered = self.items_by_key.copy(), self._answered.copy()
        for item in gone:
            at = bisect_left(made.items, item.rank, key=_rank_of)
            assert made.items[at] is item, "what goes was there"
            del made.items[at]
            made._counts[item.why] -= 1
            del made.items_by_key[item.key]
            made._answered.pop(item.key, None)
        for item in come:
            insort(made.items, item, key=_rank_of)
            made._counts[item.why] += 1
            made.items_by_key[item.key] = item
            if item.said:
                made._answered[item.key] = item
        return made

    def for_person(self, who: str, leases: Collection[Lease]) -> Iterator[Waiting]:
        """What a person may be given, in order: not what they answered, put off or sent back, nor what others hold."""
        barred = self._barred(who, leases)
        return (item for item in self.items if who not in item.said and item.key not in barred)

    def may_be_given(self, key: ItemKey, who: str, leases: Collection[Lease]) -> bool:
        """Whether a person may be given an item: one that is in here, as `for_person` says."""
        item = self.items_by_key.get(key)
        return item is not None and who not in item.said and key not in self._barred(who, leases)

    def counts(self, who: str, leases: Collection[Lease]) -> dict[Why, int]:
        """How many items of each reason a person may be given."""
        answered = {key for key, item in self._answered.items() if who in item.said}
        kept_from = (self.items_by_key[key] for key in answered | self._barred(who, leases))
        left = self._counts - Counter(item.why for item in kept_from)
        return {why: left[why] for why in Why}

    def _barred(self, who: str, leases: Collection[Lease]) -> set[ItemKey]:
        """Items of the queue that the person put off or sent back, and those that others hold."""
        barring = (x.item for x in leases if (x.who == who) is not (x.state is LeaseState.HELD))
        return {key for key in barring if key in self.items_by_key}


def _rank_of(item: Waiting) -> tuple[int, float, str, int]:
    return item.rank


def of_site(site: SiteRecord, on: date, *, share: float, seed: int) -> list[Waiting]:
    """The items of one site; all stand where its most uncertain one does, so that they follow each other."""
    found = list(_open_items(site, on, share, seed))
    most = max((item.uncertainty for item in found if item.why is not Why.AUDIT), default=0.0)
    return [item if item.why is Why.AUDIT else replace(item, uncertainty=most) for item in found]


def _open_items(site: SiteRecord, on: date, share: float, seed: int) -> Iterator[Waiting]:
    for question, given in site.standing.items():
        key, said = ItemKey(given.assessment_key, question), site.said(question)
        if site.settled(question, said) is not None:
            continue
        why = reason_of(site.line, given, on) or (Why.AUDIT if drawn(key, share, seed) else None)
        if why is None and not said:
            continue
        who = tuple(entry.value.who for entry in said)
        yield Waiting(key, site.line, given, why or Why.UNCERTAIN, uncertainty(given.verdict.criteria), who)


def reason_of(line: SiteLine, given: GivenVerdict, on: date) -> Why | None:
    """Why somebody should look at this verdict; None where nobody need."""
    flagged, question = _flagged(line, given), given.verdict.question
    if flagged is Why.REBOUND:
        return flagged
    if is_overdue(line, on) and question in (Question.DEMOLITION, Question.CLEARANCE):
        return Why.OVERDUE
    if flagged is not None and _URGENCY[flagged] < _URGENCY[Why.CLOSING]:
        return flagged
    if question is Question.CLEARANCE and given.verdict.outcome is Outcome.MET and line.status not in DONE:
        return Why.CLOSING
    return flagged


def _flagged(line: SiteLine, given: GivenVerdict) -> Why | None:
    """Why the rules flag a verdict."""
    flag = line.state.flag
    is_asked = flag is not None and given.verdict.question in flag.questions
    return _FLAGGED[FlagReason(flag.reason)] if flag is not None and is_asked else None


def contradicts(line: SiteLine) -> bool:
    """Whether the ledger calls the site further on than the pictures show it."""
    return claim_kind(line, line.state) in VAIN_CLAIMS


def is_overdue(line: SiteLine, on: date) -> bool:
    """Whether the site's day has passed and people do not call it done."""
    return line.due_date is not None and line.due_date < on and line.status not in DONE


def drawn(key: ItemKey, share: float, seed: int) -> bool:
    """Whether an item belongs to the random slice: the same for everybody, and again with the same seed."""
    digest = hashlib.sha256(f"{seed}:{key.assessment_key}:{key.question}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < share


__all__ = ["DONE", "Filter", "Queue", "Waiting", "Why", "contradicts", "is_overdue", "of_site", "reason_of"]
