"""Which item is next: rebound and overdue first, then what is to be closed or contradicts, then the most uncertain.

An item is one question of one site with the verdict that holds. `reason_of` says why somebody should look; it is the
one place that knows, so that another way to choose takes its place only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from functools import cached_property

from cvpipe.domain import Criterion, Outcome, Question, SiteStatus
from cvpipe.ledger import GivenVerdict, ItemKey, Lease, LeaseState, SiteLine
from cvpipe.review.district import SiteRecord

DONE = frozenset({SiteStatus.CLEARED, SiteStatus.CLOSED, SiteStatus.EXEMPT})
_SAID_GONE = frozenset({SiteStatus.DEMOLISHED, SiteStatus.CLEARED, SiteStatus.CLOSED})


class Why(StrEnum):
    """Why somebody should look; in order of urgency."""

    REBOUND = "rebound"
    OVERDUE = "overdue"
    CONTRADICTS = "contradicts"
    CLOSING = "closing"
    UNCERTAIN = "uncertain"
    AUDIT = "audit"


@dataclass(frozen=True)
class Waiting:
    """An item of the queue. `uncertainty` is 0..1; `said` counts the persons who have answered."""

    key: ItemKey
    line: SiteLine
    given: GivenVerdict
    why: Why
    uncertainty: float
    said: tuple[str, ...]

    @property
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
        """What is asked for, each with what it is held against: a queue of thousands is filtered at every decision."""
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


_URGENCY = {why: i for i, why in enumerate(Why)}
_ORDER = {question: i for i, question in enumerate(Question)}


def of_site(site: SiteRecord, on: date, *, share: float, seed: int) -> Iterator[Waiting]:
    """The items of one site; all stand where its most uncertain one does, so that they follow each other."""
    found = list(_open_items(site, on, share, seed))
    most = max((item.uncertainty for item in found if item.why is not Why.AUDIT), default=0.0)
    yield from (item if item.why is Why.AUDIT else replace(item, uncertainty=most) for item in found)


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
    verdict, question = given.verdict, given.verdict.question
    if verdict.outcome is Outcome.SUSPECTED:
        return Why.REBOUND
    decides = question in (Question.DEMOLITION, Question.CLEARANCE)
    if is_overdue(line, on) and decides:
        return Why.OVERDUE
    if claim_fails(line, given):
        return Why.CONTRADICTS
    if question is Question.CLEARANCE and verdict.outcome is Outcome.MET and line.status not in DONE:
        return Why.CLOSING
    return Why.UNCERTAIN if verdict.needs_review else None


def claim_fails(line: SiteLine, given: GivenVerdict) -> bool:
    """Whether the ledger calls the site further on than the pictures show it."""
    question, outcome = given.verdict.question, given.verdict.outcome
    stands = question is Question.DEMOLITION and outcome in (Outcome.NONE, Outcome.PARTIAL)
    unclear = question is Question.CLEARANCE and outcome is Outcome.NOT_MET
    return (stands and line.status in _SAID_GONE) or (unclear and line.status in DONE - {SiteStatus.EXEMPT})


def is_overdue(line: SiteLine, on: date) -> bool:
    """Whether the site's day has passed and people do not call it done."""
    return line.due_date is not None and line.due_date < on and line.status not in DONE


def uncertainty(criteria: Sequence[Criterion]) -> float:
    """How near the nearest value is to its limit: 1 on it, 0 where it is off by the limit's whole size or more."""
    held = [(c.value, c.limit, 1.0 if c.unit == "share" else c.limit) for c in criteria if c.limit]
    margins = (abs(value - limit) / scale for value, limit, scale in held if scale)
    return 1.0 - min([1.0, *margins])


def drawn(key: ItemKey, share: float, seed: int) -> bool:
    """Whether an item belongs to the random slice: the same for everybody, and again with the same seed."""
    digest = hashlib.sha256(f"{seed}:{key.assessment_key}:{key.question}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < share


def for_person(items: Iterable[Waiting], who: str, leases: Collection[Lease]) -> list[Waiting]:
    """What a person may be given, in order: not what they answered, put off or sent back, nor what others hold."""
    mine = {lease.item for lease in leases if lease.who == who and lease.state is not LeaseState.HELD}
    others = {lease.item for lease in leases if lease.who != who and lease.state is LeaseState.HELD}
    barred = mine | others
    return [item for item in items if who not in item.said and item.key not in barred]


def counts(items: Iterable[Waiting]) -> Mapping[Why, int]:
    """How many items there are of each reason."""
    found = dict.fromkeys(Why, 0)
    for item in items:
        found[item.why] += 1
    return found


__all__ = ["Filter", "Waiting", "Why", "claim_fails", "counts", "for_person", "is_overdue", "of_site", "reason_of"]
