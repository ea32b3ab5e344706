"""What a reviewer's acts do to the ledger: take the next item, decide, take back, move a site, draw a label."""

from __future__ import annotations

import logging
import statistics
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import chain, product
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from cvpipe.assess.settling import settle_site, settle_sites
from cvpipe.domain import (
    Decision,
    Inspection,
    Label,
    Outcome,
    Question,
    ReviewReason,
    Scene,
    Site,
    SiteStatus,
    StatusMove,
)
from cvpipe.errors import CvpipeError, LedgerError, SceneError, UnknownSiteError
from cvpipe.geo import buffered
from cvpipe.imagery import surface_path
from cvpipe.ledger import AssessmentRecord, Entry, GivenVerdict, ItemKey, Lease, LeaseState, Ledger
from cvpipe.ledger.workspace import RUNS_NAME
from cvpipe.life import MOVES
from cvpipe.review.board import Board
from cvpipe.review.district import District, Known, SiteRecord
from cvpipe.review.frames import Epoch, Frame, epochs_of
from cvpipe.review.options import ReviewOptions
from cvpipe.review.pictures import Pictures, content_of
from cvpipe.review.queue import Filter, Waiting, Why
from cvpipe.review.tallies import Tallies

LOG = logging.getLogger(__name__)

Key = TypeVar("Key")
Value = TypeVar("Value")

#: Items that are before a reviewer at once: the one on the screen, and the next one, whose pictures are fetched.
ITEMS_AHEAD = 2

#: How long an item that was put off, or handed to others, stays away from the person.
PUT_OFF = {LeaseState.SKIPPED: timedelta(hours=4), LeaseState.SENT_BACK: timedelta(days=30)}

#: What two persons must have answered before a site takes a status.
NEEDED_TO_BECOME = {
    SiteStatus.CLOSED: (Question.CLEARANCE, Outcome.MET),
    SiteStatus.REBOUND: (Question.REBOUND, Outcome.SUSPECTED),
}

#: Items at the head of the queue whose pictures are made when the server starts.
WARM_ITEMS = 12

#: Sites that are kept with all their assessments.
SITES_KEPT = 500


@dataclass(frozen=True)
class SiteFile:
    """All that a site's page needs: the site, its assessments, and the ground that its pictures show.

    `epochs` are those of `shown`, an assessment with two scenes; both empty where there is none.
    """

    site: Site
    record: SiteRecord
    assessments: tuple[AssessmentRecord, ...]
    scenes: int
    """`Known.scenes`: as of when its pictures are."""

    def assessment(self, key: str) -> AssessmentRecord | None:
        """The assessment of that key; None where the site has none such."""
        return next((r for r in self.assessments if r.assessment.key == key), None)


@dataclass(frozen=True)
class Look:
    """What is shown for one assessment: the frame, its epochs, and the two that are compared."""

    record: AssessmentRecord
    frame: Frame
    epochs: tuple[Epoch, ...]

    @property
    def both(self) -> tuple[Epoch, Epoch]:
        """The earlier and the later epoch of the assessment."""
        by_role = {epoch.role: epoch for epoch in self.epochs}
        return by_role["before"], by_role["after"]

    @cached_property
    def contents(self) -> dict[str, str]:
        """What each epoch's picture is made from, by the epoch's name."""
        return {epoch.name: content_of(epoch, self.both) for epoch in self.epochs}

    @cached_property
    def outlines(self) -> tuple[dict[str, Any], ...]:
        """The machine's outlines of changes in metres of the frame."""
        return tuple(self.frame.local_all([change.geometry for change in self.record.assessment.changes]))

    def epoch(self, name: str) -> Epoch | None:
        """The epoch of that name; None where the site has none such."""
        return next((epoch for epoch in self.epochs if epoch.name == name), None)


@dataclass(frozen=True)
class Turn:
    """The items that are now before a person, how many of each reason they may be given, and the leases found."""

    items: list[Waiting]
    counts: Mapping[Why, int]
    leases: list[Lease]
    known: Known

    def handed_on(self, key: ItemKey) -> Lease | None:
        """Who handed an item to others, and with which words."""
        sent = (x for x in self.leases if x.item == key and x.state is LeaseState.SENT_BACK and x.note)
        return next(sent, None)


@dataclass(frozen=True)
class Pace:
    """What a person did today: decisions that stand, and the median of their seconds."""

    today: int
    median_s: float | None


class Desk:
    """The reviewers' work on one ledger. Safe to share between threads."""

    def __init__(self, ledger: Ledger, workspace: Path, options: ReviewOptions) -> None:
        self.ledger, self.workspace, self.options = ledger, workspace, options
        self.district = District(ledger, options.confirmation)
        self.pictures = Pictures()
        self._lock = Lock()
        self._deciding = Lock()
        self.board = Board(options)
        self._files: OrderedDict[str, SiteFile] = OrderedDict()
        self._codes: dict[int, str] = {}
        self._looks: OrderedDict[int, tuple[Hashable, Look | None]] = OrderedDict()
        self._labels: OrderedDict[str, tuple[int, list[Entry[Label]]]] = OrderedDict()
        self._scenes: tuple[int, dict[str, Scene], dict[int, dict[str, Any]]] | None = None

    def today(self) -> date:
        """The present day in the district."""
        return datetime.now(self.options.zone).date()

    def _settle(self, code: str) -> None:
        """Have the ledger told anew where a site stands; what people entered stays, whether that succeeds or not."""
        if self.options.rules is None:
            return
        try:
            settle_site(self.ledger, self.options.rules, code)
        except CvpipeError as error:
            LOG.warning("site %s: where it stands is told by the next run: %s", code, error)

    # What waits

    def take(self, who: str, wanted: Filter, on: date, showing: ItemKey | None = None) -> Turn:
        """Put the next items before a person, first of all the one that they are `showing`; others they had go."""
        known, leases = self.district.now(), self.ledger.leases()
        whole, narrowed = self.board.queue(known.sites, on), self.board.queue(known.sites, on, wanted)
        shown = [showing] if showing is not None and whole.may_be_given(showing, who, leases) else []
        others = (item.key for item in narrowed.for_person(who, leases) if item.key != showing)
        until = datetime.now(UTC) + self.options.lease
        taken = self.ledger.take_items(chain(shown, others), who=who, until=until, count=ITEMS_AHEAD)
        return Turn([whole.items_by_key[key] for key in taken], narrowed.counts(who, leases), leases, known)

    def put_off(self, key: ItemKey, who: str, state: LeaseState, note: str = "") -> None:
        """Give an item back, not to see it again for a while."""
        self.ledger.put_lease(Lease(key, who, state, datetime.now(UTC) + PUT_OFF[state], note))

    def bring_back(self, who: str) -> None:
        """Let a person have again what they put off."""
        mine = [lease.item for lease in self.ledger.leases() if lease.who == who]
        self.ledger.release_items(mine, who=who)

    def figures(self, on: date, known: Known | None = None) -> Tallies:
        """What is counted over all sites on a day."""
        return self.board.figures((known or self.district.now()).sites, on)

    def pace(self, who: str, on: date, known: Known) -> Pace:
        """What a person decided on a day."""
        decided = self.figures(on, known).of("pace", who, on)
        seconds = [second for second in decided.elements() if second is not None]
        return Pace(decided.total(), statistics.median(seconds) if seconds else None)

    # What people say

    def decide(
        self, key: ItemKey, who: str, verdict: Outcome, *, reason: str, note: str, seconds: float | None
    ) -> tuple[Entry[Decision], bool]:
        """Append a decision; whether it settles the item. The same one sent twice is entered once.

        Raises LedgerError where somebody else has settled it, or has it before them.
        """
        with self._deciding:  # what others said must not change between the look and the row
            entry, is_settled = self._decide(key, who, verdict, reason=reason, note=note, seconds=seconds)
        self._settle(entry.value.site_code)
        return entry, is_settled

    def _decide(
        self, key: ItemKey, who: str, verdict: Outcome, *, reason: str, note: str, seconds: float | None
    ) -> tuple[Entry[Decision], bool]:
        site, given = self._given(key)
        said = site.said(key.question)
        own = next((entry for entry in said if entry.value.who == who), None)
        if own is not None and (own.value.verdict, own.value.reason, own.value.note) == (verdict, reason, note):
            return own, site.settled(key.question, said) is not None
        others = [entry for entry in said if entry.value.who != who]
        if site.settled(key.question, others) is not None:
            raise LedgerError("somebody has settled this already", remedy="Go on to the next one.")
        self._refuse_held_by_others(key, who)
        agreeing = next((e.value.who for e in others if e.value.verdict is verdict), "")
        decision = Decision(
            site_code=given.site_code,
            who=who,
            question=key.question,
            verdict=verdict,
            assessment_key=key.assessment_key,
            reason=reason,
            note=note,
            seconds=seconds,
            second_reviewer=agreeing,
            supersedes=own.id if own else None,
        )
        entry = self.ledger.decide(decision)
        return entry, site.settled(key.question, [*others, entry]) is not None

    def take_back(self, who: str) -> Entry[Decision] | None:
        """Withdraw a person's last decision by a row that supersedes it; None where there is none.

        Raises LedgerError where the site was closed, or called a rebound, on that answer.
        """
        sites = self.district.sites
        answered = self.board.figures(sites, self.today()).of("answered", who)
        if not answered:
            return None
        number, code = max(answered)
        last = next(entry for entry in sites[code].decisions if entry.id == number)
        old = last.value
        self._refuse_acted_upon(last)
        withdrawn = Decision(
            site_code=old.site_code,
            who=who,
            question=old.question,
            verdict=old.verdict,
            assessment_key=old.assessment_key,
            reason=ReviewReason.WITHDRAWN.value,
            supersedes=last.id,
        )
        self.ledger.decide(withdrawn)
        self._settle(old.site_code)
        return last

    def move(
        self, code: str, becomes: SiteStatus, who: str, *, reason: str, recheck_on: date | None
    ) -> Entry[StatusMove]:
        """Take a site to another status. Closing, and a rebound, need two persons whose decisions agree.

        Raises LedgerError where they do not, and what `Ledger.move_site` raises.
        """
        site = self.site_record(code)
        needed = NEEDED_TO_BECOME.get(becomes)
        if needed and becomes in MOVES[site.line.status]:
            self._refuse_one_opinion(site, *needed)
        made = self.ledger.move_site(code, becomes, who=who, reason=reason, recheck_on=recheck_on)
        self._settle(code)
        return made

    def inspect(self, visit: Inspection) -> Entry[Inspection]:
        """Enter what a visit found."""
        entry = self.ledger.inspect(visit)
        self._settle(visit.site_code)
        return entry

    def label(self, label: Label) -> Entry[Label]:
        """Append what a person outlined."""
        return self.ledger.label(label)

    # What is shown

    def site_record(self, code: str, known: Known | None = None) -> SiteRecord:
        """A site as the lists know it. Raises UnknownSiteError."""
        found = (known or self.district.now()).sites.get(code)
        if found is None:
            raise UnknownSiteError("there is no such site", where=code, remedy="Look it up in the list of sites.")
        return found

    def file(self, code: str, known: Known | None = None) -> SiteFile:
        """A site with its assessments, read again only where they changed. Raises UnknownSiteError."""
        known = known or self.district.now()
        record = self.site_record(code, known)
        with self._lock:
            kept = self._files.get(code)
        if kept is not None and kept.record is record and kept.scenes == known.scenes:
            return kept
        if kept is not None and kept.record.content == record.content:
            made = replace(kept, record=record, scenes=known.scenes)
        else:
            one = self.ledger.sites([code])[0]
            made = SiteFile(one, record, tuple(self.ledger.assessments(code)), known.scenes)
        self._keep(self._files, code, made)
        return made

    def labels(self, file: SiteFile) -> list[Entry[Label]]:
        """What people outlined on a site."""
        code, drawn = file.site.code, file.record.labels
        with self._lock:
            kept = self._labels.get(code)
        if kept is None or kept[0] != drawn:
            kept = drawn, self.ledger.labels(code)
            self._keep(self._labels, code, kept)
        return kept[1]

    def _keep(self, kept: OrderedDict[Key, Value], key: Key, value: Value) -> None:
        with self._lock:
            kept[key] = value
            kept.move_to_end(key)
            while len(kept) > SITES_KEPT:
                kept.popitem(last=False)

    def look(self, file: SiteFile, record: AssessmentRecord) -> Look | None:
        """What is shown for an assessment; None where it had no two scenes."""
        made_from = file.scenes, file.record.content
        with self._lock:
            kept = self._looks.get(record.id)
        if kept is not None and kept[0] == made_from:
            return kept[1]
        look = self._look(file, record)
        self._keep(self._looks, record.id, (made_from, look))
        return look

    def _look(self, file: SiteFile, record: AssessmentRecord) -> Look | None:
        known, settings = self._scenes_and_runs(file.scenes)
        one = record.assessment
        if one.before not in known or one.after not in known:
            return None
        outline = record.outline or buffered(file.site.geometry, file.site.buffer_m)
        frame = Frame.around(outline, known[one.before])
        return Look(record, frame, epochs_of(record, file.assessments, known.values(), settings))

    def look_by_id(self, assessment_id: int) -> Look | None:
        """What is shown for the assessment of that number; None where the ledger has no such one with two scenes."""
        code = self._code_of(assessment_id)
        if code is None:
            return None
        file = self.file(code)
        record = next((r for r in file.assessments if r.id == assessment_id), None)
        return None if record is None else self.look(file, record)

    def _code_of(self, assessment_id: int) -> str | None:
        """The site of an assessment, which never changes."""
        if assessment_id not in self._codes:
            self._codes |= self.ledger.site_of_assessment(assessment_id)
        return self._codes.get(assessment_id)

    def scenes(self) -> list[Scene]:
        """All scenes, ordered by date."""
        return list(self._scenes_and_runs(self.district.now().scenes)[0].values())

    def newest(self, file: SiteFile) -> AssessmentRecord | None:
        """The assessment that a site's own page shows: that of the demolition verdict, else any with two scenes."""
        standing = file.record.standing
        wanted = standing.get(Question.REBOUND) or standing.get(Question.DEMOLITION)
        chosen = file.assessment(wanted.assessment_key) if wanted else None
        if chosen is not None and chosen.assessment.after is not None:
            return chosen
        return next((r for r in reversed(file.assessments) if r.assessment.before and r.assessment.after), chosen)

    def surfaces_of(self, record: AssessmentRecord) -> Path | None:
        """The map of what covered the site at both epochs of an assessment; None where the run kept none."""
        path = surface_path(self.workspace / RUNS_NAME, record.assessment.key)
        return path if path is not None and path.is_file() else None

    def warm_up(self, on: date) -> None:
        """Settle what was left unsettled, and make the pictures of the first items: no reviewer waits for either."""
        if self.options.rules is not None:
            settle_sites(self.ledger, self.options.rules)
        for item in self.board.queue(self.district.sites, on).items[:WARM_ITEMS]:
            file = self.file(item.line.code)
            record = file.assessment(item.key.assessment_key)
            look = self.look(file, record) if record else None
            if look is None:
                continue
            grids = (look.frame.picture, look.frame.around_it)
            with suppress(SceneError):  # told to whoever asks for the picture
                for grid, epoch in product(grids, look.both):
                    self.pictures.jpeg(look.record.assessment.key, look.frame, grid, epoch, look.both)

    def close(self) -> None:
        """Close what is open."""
        self.pictures.close()

    def _scenes_and_runs(self, since: int) -> tuple[dict[str, Scene], dict[int, dict[str, Any]]]:
        """All scenes by content, and the settings of all runs by number; `since` is `Known.scenes`."""
        kept = self._scenes
        if kept is None or kept[0] != since:
            scenes = {scene.content_hash: scene for scene in self.ledger.scenes()}
            kept = self._scenes = since, scenes, {run.id: run.settings for run in self.ledger.runs()}
        return kept[1], kept[2]

    def _given(self, key: ItemKey) -> tuple[SiteRecord, GivenVerdict]:
        """The verdict of an item, if it is the one that holds."""
        known = self.district.now()
        site = known.of_assessment(key.assessment_key)
        given = site.standing.get(key.question) if site else None
        if site is None or given is None or given.assessment_key != key.assessment_key:
            raise LedgerError("a newer verdict has taken this one's place", remedy="Go on to the next one.")
        return site, given

    def _refuse_held_by_others(self, key: ItemKey, who: str) -> None:
        held = (x for x in self.ledger.leases() if x.item == key and x.state is LeaseState.HELD and x.who != who)
        if next(held, None) is not None:
            raise LedgerError("somebody else has this before them now", remedy="Go on to the next one.")

    def _refuse_acted_upon(self, made: Entry[Decision]) -> None:
        said = made.value.question, made.value.verdict
        moves = (entry for entry in self.ledger.moves(made.value.site_code) if entry.at >= made.at)
        became = next((m.value.becomes for m in moves if NEEDED_TO_BECOME.get(m.value.becomes) == said), None)
        if became is not None:
            raise LedgerError(
                f"the site became {became} on this answer",
                where=f"site {made.value.site_code}",
                remedy="Move the site back instead, and say why.",
            )

    def _refuse_one_opinion(self, site: SiteRecord, question: Question, answer: Outcome) -> None:
        said = site.said(question) if question in site.standing else []
        agreeing = {entry.value.who for entry in said if entry.value.verdict is answer}
        needed = site.confirmation.opinions_needed.of(question)
        if len(agreeing) < needed or site.settled(question, said) is not answer:
            raise LedgerError(
                f"{needed} persons must have answered {answer.replace('_', ' ')} to {question}; {len(agreeing)} did",
                where=f"site {site.line.code}",
                remedy="Review it first.",
            )


__all__ = ["Desk", "Look", "SiteFile", "Turn"]
