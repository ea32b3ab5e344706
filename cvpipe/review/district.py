"""Sites, standing verdicts and decisions of the whole ledger, in memory, kept up to date by its audit trail.

Before each answer the trail's length is asked for; where it grew, the sites that it names are read again and no
others. A run that writes at the same time costs a few rows per request, not the ledger.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

from cvpipe.assess import opinions
from cvpipe.assess.rules import ConfirmationRules
from cvpipe.domain import Decision, Outcome, Question
from cvpipe.ledger import Entry, GivenVerdict, ItemKey, Ledger, SiteLine


@dataclass(frozen=True)
class SiteRecord:
    """A site as the lists know it: its line, the verdict of each question that holds now, and what people decided.

    `confirmation` says when their answers settle a question.
    """

    line: SiteLine
    standing: Mapping[Question, GivenVerdict]
    decisions: tuple[Entry[Decision], ...] = ()
    confirmation: ConfirmationRules = field(default_factory=ConfirmationRules)

    def said(self, question: Question) -> list[Entry[Decision]]:
        """What stands on the verdict that holds for a question: one word of each person."""
        return opinions.on_item(self.decisions, ItemKey(self.standing[question].assessment_key, question))

    def settled(self, question: Question, said: Sequence[Entry[Decision]] | None = None) -> Outcome | None:
        """What people answered to a question, or would have by what is `said`; None while somebody must look."""
        words = self.said(question) if said is None else said
        return opinions.settled(question, self.standing[question].verdict.outcome, words, self.confirmation)


class District:
    """All sites by code. Safe to share between threads."""

    def __init__(self, ledger: Ledger, confirmation: ConfirmationRules | None = None) -> None:
        self._ledger = ledger
        self._confirmation = confirmation or ConfirmationRules()
        self._lock = Lock()
        self._rows = -1
        self._sites: dict[str, SiteRecord] = {}

    @property
    def sites(self) -> Mapping[str, SiteRecord]:
        """Every site as the ledger has it now; the mapping that was handed out never changes."""
        with self._lock:
            touched = self._ledger.touched_since(self._rows)
            if touched.sites is None:
                self._sites = self._read(None)
            elif touched.sites:
                self._sites = {**self._sites, **self._read(touched.sites)}
            self._rows = touched.rows
            return self._sites

    def _read(self, codes: Collection[str] | None) -> dict[str, SiteRecord]:
        verdicts, decided = defaultdict[str, list[GivenVerdict]](list), defaultdict[str, list[Entry[Decision]]](list)
        for given in self._ledger.given_verdicts(codes):
            verdicts[given.site_code].append(given)
        for code in (None,) if codes is None else sorted(codes):
            for entry in self._ledger.decisions(code):
                decided[entry.value.site_code].append(entry)
        return {
            line.code: SiteRecord(
                line, standing_verdicts(verdicts[line.code]), tuple(decided[line.code]), self._confirmation
            )
            for line in self._ledger.site_lines(codes)
        }


def standing_verdicts(given: Iterable[GivenVerdict]) -> dict[Question, GivenVerdict]:
    """The verdict of each question that holds now: the newest that answers, else the newest. `given`: oldest first."""
    found: dict[Question, GivenVerdict] = {}
    for one in given:
        answers = one.verdict.outcome is not Outcome.NOT_ASSESSABLE
        old = found.get(one.verdict.question)
        if answers or old is None or old.verdict.outcome is Outcome.NOT_ASSESSABLE:
            found[one.verdict.question] = one
    return {question: found[question] for question in Question if question in found}


__all__ = ["District", "SiteRecord", "standing_verdicts"]
