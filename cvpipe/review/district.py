"""Sites, standing verdicts and decisions of the whole ledger, in memory, kept up to date by its audit trail.

Before each answer the trail's length is asked for, and how often sites were settled; where either grew, the sites that
were touched are read again and no others, and of them no more than what can have changed. A run that writes at the same
time costs a few rows per request, not the ledger.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock

from cvpipe.assess import opinions
from cvpipe.assess.rules import ConfirmationRules
from cvpipe.domain import Decision, Outcome, Question
from cvpipe.ledger import Entry, GivenVerdict, ItemKey, Ledger, SiteLine, Touched

#: Kinds of rows of the trail that leave a site and its assessments as they are.
_LIGHT = frozenset({"decision", "sighting", "label", "attachment", "inspection", "finding", Touched.SETTLED})

#: Kinds of rows about no site that bear on what pictures show.
_SHOWN = frozenset({"scene", "run"})


@dataclass(frozen=True)
class SiteRecord:
    """A site as the lists know it: its line, the verdict of each question that holds now, and what people decided.

    `confirmation` says when their answers settle a question. Two records that are one object tell the same.
    """

    line: SiteLine
    standing: Mapping[Question, GivenVerdict]
    decisions: tuple[Entry[Decision], ...] = ()
    confirmation: ConfirmationRules = field(default_factory=ConfirmationRules)
    content: int = 0
    """How long the trail was when the site or its assessments had last changed, as far as was looked."""
    labels: int = 0
    """The same of what people outlined."""

    @cached_property
    def text(self) -> str:
        """What a search looks through."""
        line = self.line
        return " ".join((line.code, line.name, line.sub_district, line.community, line.owner_system)).casefold()

    def said(self, question: Question) -> list[Entry[Decision]]:
        """What stands on the verdict that holds for a question: one word of each person."""
        return opinions.on_item(self.decisions, ItemKey(self.standing[question].assessment_key, question))

    def settled(self, question: Question, said: Sequence[Entry[Decision]] | None = None) -> Outcome | None:
        """What people answered to a question, or would have by what is `said`; None while somebody must look."""
        words = self.said(question) if said is None else said
        return opinions.settled(question, self.standing[question].verdict.outcome, words, self.confirmation)


@dataclass(frozen=True)
class Known:
    """All sites by code at one moment, and how long the trail was when a scene or a run had last come or changed."""

    sites: Mapping[str, SiteRecord]
    scenes: int
    codes: Mapping[str, str]
    """The code of the site that an assessment is of, by the assessment's key."""

    def of_assessment(self, key: str) -> SiteRecord | None:
        """The site that an assessment is of; None for one that gave no verdict, or that there is not."""
        return self.sites.get(self.codes.get(key, ""))


class District:
    """All sites by code. Safe to share between threads."""

    def __init__(self, ledger: Ledger, confirmation: ConfirmationRules | None = None) -> None:
        self._ledger = ledger
        self._confirmation = confirmation or ConfirmationRules()
        self._lock = Lock()
        self._rows, self._settled = -1, -1
        self._codes: dict[str, str] = {}
        self._known = Known({}, 0, self._codes)

    @property
    def sites(self) -> Mapping[str, SiteRecord]:
        """Every site as the ledger has it now; the mapping that was handed out never changes."""
        return self.now().sites

    def now(self) -> Known:
        """What the ledger has now."""
        with self._lock:
            touched = self._ledger.touched_since(self._rows, self._settled)
            is_first = self._rows < 0
            sites, scenes = self._known.sites, self._known.scenes
            if is_first or touched.sites is None:
                sites = self._read_all(touched.rows)
            elif touched.sites:
                sites = {**sites, **self._read(touched.sites, touched.rows)}
            if is_first or touched.sites is None or touched.other & _SHOWN:
                scenes = touched.rows
            if sites is not self._known.sites or scenes != self._known.scenes:
                self._known = Known(sites, scenes, self._codes)
            self._rows, self._settled = touched.rows, touched.settled
            return self._known

    def _read_all(self, rows: int) -> dict[str, SiteRecord]:
        """Every site, `rows` being how long the trail is."""
        verdicts, decided = self._verdicts(None), defaultdict[str, list[Entry[Decision]]](list)
        for entry in self._ledger.decisions():
            decided[entry.value.site_code].append(entry)
        return {
            line.code: SiteRecord(
                line, standing_verdicts(verdicts[line.code]), tuple(decided[line.code]), self._confirmation, rows, rows
            )
            for line in self._ledger.site_lines()
        }

    def _read(self, touched: Mapping[str, Collection[str]], rows: int) -> dict[str, SiteRecord]:
        """The sites that were touched, read as far as the kinds of what touched them may have changed them."""
        assessed = {code for code, kinds in touched.items() if "assessment" in kinds or code not in self._known.sites}
        verdicts = self._verdicts(assessed)
        found = dict[str, SiteRecord]()
        for line in self._ledger.site_lines(touched):
            code, kinds = line.code, touched[line.code]
            was = self._known.sites.get(code)
            is_decided = was is None or "decision" in kinds
            found[code] = SiteRecord(
                line,
                standing_verdicts(verdicts[code]) if was is None or code in assessed else was.standing,
                tuple(self._ledger.decisions(code)) if was is None or is_decided else was.decisions,
                self._confirmation,
                rows if was is None or not _LIGHT.issuperset(kinds) else was.content,
                rows if was is None or "label" in kinds else was.labels,
            )
        return found

    def _verdicts(self, codes: Collection[str] | None) -> defaultdict[str, list[GivenVerdict]]:
        found = defaultdict[str, list[GivenVerdict]](list)
        for given in self._ledger.given_verdicts(codes) if codes is None or codes else ():
            found[given.site_code].append(given)
            self._codes[given.assessment_key] = given.site_code
        return found


def standing_verdicts(given: Iterable[GivenVerdict]) -> dict[Question, GivenVerdict]:
    """The verdict of each question that holds now: the newest that answers, else the newest. `given`: oldest first."""
    found: dict[Question, GivenVerdict] = {}
    for one in given:
        answers = one.verdict.outcome is not Outcome.NOT_ASSESSABLE
        old = found.get(one.verdict.question)
        if answers or old is None or old.verdict.outcome is Outcome.NOT_ASSESSABLE:
            found[one.verdict.question] = one
    return {question: found[question] for question in Question if question in found}


__all__ = ["District", "Known", "SiteRecord", "standing_verdicts"]
