"""The ledger as the other rooms see it: one store of sites, scenes, runs, assessments and what happened to them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from shapely.geometry.base import BaseGeometry

from cvpipe.domain import (
    Account,
    Assessment,
    Attachment,
    Batch,
    Campaign,
    Candidate,
    CandidateState,
    Decision,
    Finding,
    Inspection,
    Label,
    LogInOutcome,
    Outcome,
    Sample,
    SampleResult,
    Scene,
    Sighting,
    Site,
    SiteStatus,
    StatusMove,
)
from cvpipe.errors import LedgerError
from cvpipe.geo import Bounds
from cvpipe.ledger import (
    account_rows,
    answered_rows,
    assessment_rows,
    attachment_rows,
    audit,
    campaign_rows,
    candidate_rows,
    decision_rows,
    finding_rows,
    history,
    label_rows,
    lease_rows,
    line_rows,
    move_rows,
    run_rows,
    sample_rows,
    scene_rows,
    settling,
    sighting_rows,
    site_rows,
    store,
    verification,
    version_rows,
)
from cvpipe.ledger.records import (
    Answered,
    AssessmentRecord,
    AuditRecord,
    Entry,
    GivenVerdict,
    Happening,
    ImportSummary,
    ItemKey,
    Lease,
    Observed,
    OwnerSystemTotals,
    QueueItem,
    Reminders,
    RunRecord,
    Session,
    SiteLife,
    SiteLine,
    SiteState,
    SiteVersion,
    Touched,
    Verification,
)


class Ledger:
    """A GeoPackage or a PostgreSQL database, opened by `create` or `open`, closed by `close` or at the end of a `with`.

    A place is the path of a GeoPackage or a `postgresql://` URL. Every method is one transaction. Several threads and
    processes may use one ledger at the same time. Only GDAL must not read a GeoPackage in a process that has it open:
    GDAL brings an SQLite of its own, and POSIX locks do not hold between two libraries of one process
    (https://www.sqlite.org/howtocorrupt.html, section 2.2.1). `close` first.
    """

    def __init__(self, place: store.Place) -> None:
        self.place = place
        self._engine = store.connect(place)
        self._recalled = assessment_rows.Recalled()

    @property
    def name(self) -> str:
        """The ledger's place as messages may show it: never with a password."""
        return store.name_of(self._engine)

    @property
    def path(self) -> Path:
        """The file of a ledger that is a GeoPackage."""
        assert not store.is_url(self.place), "a ledger in a database has no file"
        return Path(self.place)

    @classmethod
    def create(cls, place: store.Place) -> Ledger:
        """Make an empty ledger: a new file, or the tables in a database that is there.

        A file is built beside its path and renamed, so that a half-made one is never seen.

        Raises LedgerError when something is there already or the place cannot be written.
        """
        return cls._create_in_database(str(place)) if store.is_url(place) else cls._create_file(Path(place))

    @classmethod
    def open(cls, place: store.Place) -> Ledger:
        """Open a ledger that has the present tables.

        Raises LedgerError that says what to do when it is missing, no ledger, older or newer.
        """
        ledger = cls._found(place)
        try:
            missing = store.missing_revisions(ledger._engine)
            if missing:
                raise LedgerError(
                    f"the ledger lacks the migrations {', '.join(missing)}",
                    where=ledger.name,
                    remedy="Make a copy of it, then run `cvpipe ledger migrate`.",
                )
        except BaseException:
            ledger.close()
            raise
        return ledger

    @classmethod
    def migrate(cls, place: store.Place) -> tuple[str, ...]:
        """Bring an older ledger to the present tables; returns the names of the migrations that ran."""
        with cls._found(place) as ledger:
            return store.migrate(ledger._engine)

    @classmethod
    def is_at(cls, place: store.Place) -> bool:
        """Whether there is a ledger, of whatever version. Raises LedgerError when a database does not answer."""
        if not store.is_url(place):
            return Path(place).is_file() and store.is_ledger(Path(place))
        with cls(place) as ledger:
            return {"alembic_version", "audit"} <= store.tables_there(ledger._engine)

    @classmethod
    def _create_file(cls, path: Path) -> Ledger:
        if path.exists():
            raise LedgerError("there is a file already", where=path, remedy="Choose another name, or open it.")
        try:
            with TemporaryDirectory(dir=path.parent, prefix=".ledger-") as name:
                unfinished = Path(name) / path.name
                with cls(unfinished) as ledger:
                    store.migrate(ledger._engine)
                unfinished.rename(path)
        except OSError as error:
            raise LedgerError(
                f"cannot be written ({error.strerror})", where=path, remedy="Look at the folder and its permissions."
            ) from error
        return cls(path)

    @classmethod
    def _create_in_database(cls, url: str) -> Ledger:
        ledger = cls(url)
        try:
            there = store.tables_there(ledger._engine)
            if there:
                raise LedgerError(
                    f"the database already holds {', '.join(sorted(there))}",
                    where=ledger.name,
                    remedy="Open it if it is a ledger; else name an empty database.",
                )
            store.migrate(ledger._engine)
        except BaseException:
            ledger.close()
            raise
        return ledger

    @classmethod
    def _found(cls, place: store.Place) -> Ledger:
        if not store.is_url(place) and not Path(place).is_file():
            raise LedgerError("there is no ledger", where=place, remedy="Make a workspace with `cvpipe init DIR`.")
        if cls.is_at(place):
            return cls(place)
        if store.is_url(place):
            remedy = "Make a workspace with `cvpipe init DIR --ledger URL`."
            raise LedgerError("the database holds no ledger", where=cls(place).name, remedy=remedy)
        raise LedgerError("the file is no ledger", where=place, remedy="Name a ledger.gpkg that cvpipe made.")

    def close(self) -> None:
        """Give the place back; a GeoPackage that is closed has no side files."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Sites

    def put_sites(
        self,
        sites: Sequence[Site],
        *,
        source: str,
        stated: Mapping[str, Collection[str]] | None = None,
        skip_illegal: bool = False,
        dry_run: bool = False,
    ) -> ImportSummary:
        """Add and update sites by code, all of them or none; each one that differs gets an audit row.

        `source` tells the audit trail where they came from. `stated` names for each code the columns that the
        source speaks of; of a site that is known only these change, and attributes are added to its own. Without
        it a site replaces what is known of it. Machine columns are left alone either way.

        A new site has whatever status is given. Another status for a site that is known must be a legal move
        (`cvpipe.life`), and is entered as one that the import made. `skip_illegal` leaves sites whose status may not
        change so as they are, and names them in the summary.

        Raises IllegalMoveError, and LedgerError for a code that is given twice or is empty, and for a geometry that
        is empty or not in degrees.
        """
        transaction = store.reading if dry_run else store.writing
        with transaction(self._engine) as connection:
            return site_rows.put(
                connection, sites, source=source, stated=stated, skip_illegal=skip_illegal, dry_run=dry_run
            )

    def sites(self, codes: Collection[str] | None = None) -> list[Site]:
        """All sites, or those with the given codes, ordered by code.

        Raises UnknownSiteError that names close matches.
        """
        with store.reading(self._engine) as connection:
            return site_rows.all_sites(connection) if codes is None else site_rows.with_codes(connection, codes)

    def outlines(self, codes: Collection[str]) -> dict[str, BaseGeometry]:
        """The present outline, in degrees, of each of these sites that the ledger knows, by code."""
        with store.reading(self._engine) as connection:
            return site_rows.outlines(connection, codes)

    def sites_in(self, bounds: Bounds) -> list[Site]:
        """Sites whose own bounding box (not widened by `buffer_m`) touches a window in degrees, ordered by code."""
        with store.reading(self._engine) as connection:
            return site_rows.within(connection, bounds)

    def bounds_of_sites(self) -> Bounds | None:
        """The box in degrees around the outlines of all sites; None where there are none."""
        with store.reading(self._engine) as connection:
            return site_rows.bounds(connection)

    def observed(self) -> dict[str, Observed]:
        """Where each site was seen to stand, and on which day, as it was last settled; by code."""
        with store.reading(self._engine) as connection:
            return site_rows.observed(connection)

    def totals_by_owner_system(self) -> list[OwnerSystemTotals]:
        """Sums per owner system, the one with most sites first, and over all sites at the end."""
        with store.reading(self._engine) as connection:
            return site_rows.totals_by_owner_system(connection)

    def reminders(self, on: date) -> Reminders:
        """What waits for people on a day."""
        with store.reading(self._engine) as connection:
            overdue, rechecks = site_rows.count_overdue(connection, on), site_rows.count_rechecks(connection, on)
            open_findings, overdue_findings = finding_rows.count_open(connection, on)
            return Reminders(on, overdue, open_findings, overdue_findings, rechecks)

    # The life of a site

    def move_site(
        self,
        code: str,
        becomes: SiteStatus,
        *,
        who: str,
        reason: str = "",
        recheck_on: date | None = None,
        effective: date | None = None,
    ) -> Entry[StatusMove]:
        """Take a site to another status, as a person decided; close, reopen, exempt and confirm a rebound with it.

        `effective` is the day from which it holds, where that is not today.

        Raises UnknownSiteError, IllegalMoveError that names the legal moves, and LedgerError where nobody is named
        or a move that takes something back gives no reason.
        """
        with store.writing(self._engine) as connection:
            return site_rows.move(
                connection, code, becomes, who=who, reason=reason, recheck_on=recheck_on, effective=effective
            )

    def recheck(self, code: str, on: date | None, *, who: str) -> None:
        """Set the day from which somebody should look at a site again; None takes it away."""
        with store.writing(self._engine) as connection:
            site_rows.recheck(connection, code, on, who=who)

    def moves(self, code: str | None = None) -> list[Entry[StatusMove]]:
        """Moves of all sites, or of one, in the order they were made."""
        with store.reading(self._engine) as connection:
            return move_rows.all_moves(connection, _only(code))

    def versions(self, code: str) -> list[SiteVersion]:
        """Every outline and plan that a site has had, the first one first. Raises UnknownSiteError."""
        with store.reading(self._engine) as connection:
            site_rows.row_of(connection, code)
            return version_rows.of_site(connection, code)

    def history(self, code: str) -> list[Happening]:
        """The whole life of a site in order, a sentence each. Raises UnknownSiteError."""
        with store.reading(self._engine) as connection:
            site_rows.row_of(connection, code)
            return history.of_site(connection, code)

    # Where sites stand, as the pictures tell

    def unsettled(self, rules_version: str, codes: Collection[str] | None = None) -> list[str]:
        """Codes of the sites on which something was entered since they were settled, or that had other rules."""
        with store.reading(self._engine) as connection:
            return settling.unsettled(connection, rules_version, codes)

    def settle(self, code: str, judge: settling.Judge, rules_version: str) -> SiteState:
        """Have `judge` tell where a site stands out of all that is known of it, and note it with its sightings.

        Settling again what is settled appends nothing. `rules_version` is that of the campaign's rules. Raises
        UnknownSiteError, and whatever `judge` raises; nothing is written then.
        """
        return self.settle_all([code], judge, rules_version)[code]

    def settle_all(
        self, codes: Sequence[str], judge: Callable[[SiteLife], settling.Judged], rules_version: str
    ) -> dict[str, settling.Judged]:
        """`settle` of several sites, all or nothing, which takes a fraction of the time; what `judge` told, by code.

        A site of which it tells None is left as it is.
        """
        with store.writing(self._engine, may_be_lost=True) as connection:
            return settling.settle(connection, codes, judge, rules_version, self._recalled)

    def life(self, code: str) -> SiteLife:
        """All that bears on where a site stands. Raises UnknownSiteError."""
        with store.reading(self._engine) as connection:
            return settling.lives_of(connection, [code], self._recalled)[code]

    def states(self, codes: Collection[str] | None = None) -> dict[str, SiteState]:
        """Where all sites, or some, were last settled to stand, by code; their sightings are left out."""
        with store.reading(self._engine) as connection:
            return settling.states(connection, codes)

    def sightings(self, code: str | None = None) -> list[Entry[Sighting]]:
        """What the pictures tell of all sites, or of one, as it holds now: each stage once, by its first epoch.

        An entry's time is when the stage was first told.
        """
        with store.reading(self._engine) as connection:
            return sighting_rows.told(connection, _only(code))

    def review_queue(self, on: date, limit: int | None = None) -> list[QueueItem]:
        """What a person should look at on a day, the most urgent first: overdue sites and rebounds, then as the rules
        rank the reasons, then the most uncertain. A question leaves the queue as soon as it is decided on grounds of
        the item's assessment; settling the site then tells what remains.
        """
        with store.reading(self._engine) as connection:
            return list(islice(settling.queue(connection, on), limit))

    # Samples

    def draw_sample(self, sample: Sample, hand_out: Callable[[Entry[Sample]], None] | None = None) -> Entry[Sample]:
        """Keep a sample that was drawn, once `hand_out` has written what inspectors take along; nothing if it raises.

        Raises LedgerError where nobody is named or nothing was drawn.
        """
        with store.writing(self._engine) as connection:
            entry = sample_rows.enter(connection, sample)
            if hand_out is not None:
                hand_out(entry)
            return entry

    def samples(self) -> list[Entry[Sample]]:
        """Samples in the order they were drawn."""
        with store.reading(self._engine) as connection:
            return sample_rows.all_samples(connection)

    def sample(self, sample_id: int) -> Entry[Sample]:
        """A sample by its number. Raises LedgerError when there is none."""
        with store.reading(self._engine) as connection:
            return sample_rows.one(connection, sample_id)

    def record_sample(self, results: Sequence[SampleResult]) -> list[Entry[SampleResult]]:
        """Append what was found at sites of samples, all or nothing; what was recorded already is left out.

        Raises LedgerError where nobody is named, or a site was not drawn.
        """
        with store.writing(self._engine) as connection:
            entered = [sample_rows.record(connection, result) for result in results]
            return [entry for entry in entered if entry is not None]

    def sample_results(self, sample_id: int) -> list[Entry[SampleResult]]:
        """The last word on each site of a sample, by site."""
        with store.reading(self._engine) as connection:
            return sample_rows.all_results(connection, sample_id)

    # What people say

    def decide(self, decision: Decision) -> Entry[Decision]:
        """Append a decision. Raises LedgerError where it does not fit the site, the question or what it supersedes."""
        with store.writing(self._engine) as connection:
            return decision_rows.decide(connection, decision)

    def decisions(self, code: str | None = None) -> list[Entry[Decision]]:
        """Decisions on all sites, or on one, in the order they were made; superseded ones among them."""
        with store.reading(self._engine) as connection:
            return decision_rows.all_decisions(connection, _only(code))

    def raise_finding(self, finding: Finding) -> Entry[Finding]:
        """Enter a finding, open. Raises LedgerError where nobody or nothing is named."""
        with store.writing(self._engine) as connection:
            return finding_rows.raise_finding(connection, finding)

    def resolve_finding(self, finding_id: int, *, who: str, resolution: str = "") -> Entry[Finding]:
        """Say how a finding was put right. Raises LedgerError for one that is unknown or resolved already."""
        with store.writing(self._engine) as connection:
            return finding_rows.resolve(connection, finding_id, who=who, resolution=resolution)

    def findings(self, code: str | None = None, *, only_open: bool = False) -> list[Entry[Finding]]:
        """Findings on all sites, or on one, by due date."""
        with store.reading(self._engine) as connection:
            return finding_rows.all_findings(connection, code, only_open=only_open)

    def inspect(self, inspection: Inspection) -> Entry[Inspection]:
        """Append a visit to a site. Raises LedgerError where nobody is named."""
        with store.writing(self._engine) as connection:
            return finding_rows.inspect(connection, inspection)

    def inspections(self, code: str | None = None) -> list[Entry[Inspection]]:
        """Visits to all sites, or to one, by the day."""
        with store.reading(self._engine) as connection:
            return finding_rows.all_inspections(connection, _only(code))

    def attach(self, attachment: Attachment) -> Entry[Attachment]:
        """Append an attachment; one that the site has already, by its content, is returned as it stands.

        Raises LedgerError for a path that leaves the workspace and a hash that is none.
        """
        with store.writing(self._engine) as connection:
            return attachment_rows.attach(connection, attachment)

    def attachments(self, code: str | None = None) -> list[Entry[Attachment]]:
        """Attachments of all sites, or of one, as they came."""
        with store.reading(self._engine) as connection:
            return attachment_rows.all_attachments(connection, code)

    def label(self, label: Label) -> Entry[Label]:
        """Append what a person says changed. Raises LedgerError for an assessment that the site has not."""
        with store.writing(self._engine) as connection:
            return label_rows.append(connection, label)

    def labels(self, code: str | None = None) -> list[Entry[Label]]:
        """Labels of all sites, or of one, in the order they were drawn; of one assessment the last one holds."""
        with store.reading(self._engine) as connection:
            return label_rows.all_labels(connection, code)

    # The reviewers' page

    def put_account(self, account: Account) -> bool:
        """Add an account, or update it by name and log it out; returns whether anything was written."""
        with store.writing(self._engine) as connection:
            return account_rows.put(connection, account)

    def accounts(self) -> list[Account]:
        """Accounts by name."""
        with store.reading(self._engine) as connection:
            return account_rows.all_accounts(connection)

    def account(self, name: str) -> Account | None:
        """The account of that name; None where there is none."""
        with store.reading(self._engine) as connection:
            return account_rows.named(connection, name)

    def note_log_in(self, account: str, outcome: LogInOutcome) -> None:
        """Append an attempt to log in, and its audit row; `account` is empty for a name that there is not."""
        with store.writing(self._engine) as connection:
            account_rows.note_log_in(connection, account, outcome)

    def log_ins(
        self, account: str | None = None, *, since: datetime | None = None, limit: int = 100
    ) -> list[tuple[datetime, str, LogInOutcome]]:
        """Attempts to log in as (when, account, how it ended), the newest first."""
        with store.reading(self._engine) as connection:
            return account_rows.log_ins(connection, account, since, limit)

    def open_session(self, session: Session, *, expired_before: datetime) -> None:
        """Note that somebody is logged in; sessions that were not seen since `expired_before` go."""
        with store.writing(self._engine) as connection:
            account_rows.open_session(connection, session, expired_before=expired_before)

    def session(self, token_hash: str) -> tuple[Session, Account] | None:
        """The session of that hash with its account; None where there is none or the account is closed."""
        with store.reading(self._engine) as connection:
            return account_rows.session(connection, token_hash)

    def see_session(self, token_hash: str, at: datetime) -> None:
        """Note that a session was used."""
        with store.writing(self._engine, may_be_lost=True) as connection:
            account_rows.see_session(connection, token_hash, at)

    def close_session(self, token_hash: str) -> None:
        """Log a session out; one that is not there is no error."""
        with store.writing(self._engine) as connection:
            account_rows.close_session(connection, token_hash)

    def take_items(self, items: Iterable[ItemKey], *, who: str, until: datetime, count: int) -> list[ItemKey]:
        """Put the first `count` of `items` that nobody else has before a person, who gives back all others.

        No more of them are looked at than it takes.
        """
        with store.writing(self._engine, may_be_lost=True) as connection:
            return lease_rows.take(connection, items, who, until, count)

    def put_lease(self, lease: Lease) -> None:
        """Note a lease in place of the person's earlier one on the same item."""
        with store.writing(self._engine, may_be_lost=True) as connection:
            lease_rows.put(connection, lease)

    def release_items(self, items: Collection[ItemKey], *, who: str) -> None:
        """Give items back; one that the person did not have is no error."""
        with store.writing(self._engine, may_be_lost=True) as connection:
            lease_rows.release(connection, items, who)

    def leases(self) -> list[Lease]:
        """Leases that have not run out."""
        with store.reading(self._engine) as connection:
            return lease_rows.present(connection)

    def touched_since(self, rows: int, settled: int = 0) -> Touched:
        """The sites that the audit trail names after its row `rows`, and those settled after settling `settled`."""
        with store.reading(self._engine) as connection:
            return line_rows.touched_since(connection, rows, settled)

    def site_lines(self, codes: Collection[str] | None = None) -> list[SiteLine]:
        """Lines of all sites, or of those with the given codes that there are, ordered by code."""
        with store.reading(self._engine) as connection:
            return line_rows.site_lines(connection, codes)

    def given_verdicts(self, codes: Collection[str] | None = None) -> list[GivenVerdict]:
        """Verdicts of all assessments, or of those of some sites; per site the earlier epochs first."""
        with store.reading(self._engine) as connection:
            return line_rows.given_verdicts(connection, codes)

    def answered(self, codes: Collection[str]) -> list[Answered]:
        """What the assessments of some sites rest on, in any order."""
        with store.reading(self._engine) as connection:
            return answered_rows.of_sites(connection, codes)

    def demolition_of(self, codes: Collection[str]) -> list[tuple[str, str, Outcome | None]]:
        """The assessments of some sites, in any order: code, key, and what was said of demolition, None where that was
        not asked."""
        with store.reading(self._engine) as connection:
            return answered_rows.demolition_of(connection, codes)

    def demolition_between(self, first: str, last: str) -> list[tuple[str, str, Outcome | None]]:
        """The same of all sites from one code to another, both included, in the order of `sites`."""
        with store.reading(self._engine) as connection:
            return answered_rows.demolition_between(connection, first, last)

    def site_of_assessment(self, assessment_id: int) -> dict[int, str]:
        """The code of the site that an assessment is of, by the assessment's id; empty where there is none."""
        with store.reading(self._engine) as connection:
            return line_rows.site_of_assessment(connection, assessment_id)

    # Candidates

    def add_candidate(self, candidate: Candidate) -> Entry[Candidate]:
        """Enter a change outside every site, as the sweep found it."""
        return self.add_candidates([candidate])[0]

    def add_candidates(self, found: Sequence[Candidate]) -> list[Entry[Candidate]]:
        """Enter changes outside every site in one transaction."""
        with store.writing(self._engine) as connection:
            return candidate_rows.add(connection, found)

    def see_candidate(self, candidate_id: int, *, on: date, probability: float) -> None:
        """Note that a later epoch shows a candidate too; an earlier one than the last changes nothing."""
        with store.writing(self._engine) as connection:
            candidate_rows.see_again(connection, candidate_id, on=on, probability=probability)

    def settle_candidate(
        self, candidate_id: int, state: CandidateState, *, who: str, note: str = "", site_code: str | None = None
    ) -> Entry[Candidate]:
        """Say what became of a candidate; an adopted one names the site that it became. Raises LedgerError."""
        with store.writing(self._engine) as connection:
            return candidate_rows.settle(connection, candidate_id, state, who=who, note=note, site_code=site_code)

    def candidates(self, state: CandidateState | None = None, bounds: Bounds | None = None) -> list[Entry[Candidate]]:
        """Candidates, those of one state, or those whose bounding box touches a window (degrees), as they came."""
        with store.reading(self._engine) as connection:
            return candidate_rows.all_candidates(connection, state, bounds)

    # Campaigns and batches

    def put_campaign(self, campaign: Campaign) -> bool:
        """Add a campaign, or update it by name; returns whether anything was written. Raises LedgerError."""
        with store.writing(self._engine) as connection:
            return campaign_rows.put_campaign(connection, campaign)

    def put_batch(self, batch: Batch) -> bool:
        """Add a batch, or update it by name; returns whether anything was written.

        Raises LedgerError for a campaign that there is not.
        """
        with store.writing(self._engine) as connection:
            return campaign_rows.put_batch(connection, batch)

    def campaigns(self) -> list[Campaign]:
        """Campaigns, the one that starts first at the front."""
        with store.reading(self._engine) as connection:
            return campaign_rows.all_campaigns(connection)

    def batches(self) -> list[Batch]:
        """Batches by due date; sites name them in `Site.batch`."""
        with store.reading(self._engine) as connection:
            return campaign_rows.all_batches(connection)

    # Scenes

    def add_scene(self, scene: Scene) -> bool:
        """Add a scene; returns False when its content is known, whose address is then brought up to date.

        Raises LedgerError when the content is known under another date.
        """
        with store.writing(self._engine) as connection:
            return scene_rows.add(connection, scene)

    def scenes(self) -> list[Scene]:
        """All scenes, ordered by date."""
        with store.reading(self._engine) as connection:
            return scene_rows.all_scenes(connection)

    # Runs and what they found

    def begin_run(
        self,
        *,
        settings: dict[str, Any],
        code_version: str,
        bundle: str,
        bundle_digest: str,
        rules_version: str,
        machine: dict[str, Any],
    ) -> int:
        """Note that a run begins, with all that is needed to repeat it; returns its id."""
        with store.writing(self._engine) as connection:
            return run_rows.begin(
                connection,
                settings=settings,
                code_version=code_version,
                bundle=bundle,
                bundle_digest=bundle_digest,
                rules_version=rules_version,
                machine=machine,
            )

    def note_rules(self, run_id: int, version: str, values: dict[str, Any]) -> bool:
        """Put all values of a version of the rules into the audit trail when a run first uses it; False after that."""
        with store.writing(self._engine) as connection:
            return run_rows.note_rules(connection, run_id, version, values)

    def rules_used(self) -> dict[str, dict[str, Any]]:
        """The values of every version of the rules that a run has used, in order of first use."""
        with store.reading(self._engine) as connection:
            return run_rows.rules_noted(connection)

    def finish_run(self, run_id: int, counts: dict[str, int]) -> None:
        """Note that a run came to its end. Raises LedgerError for an unknown run or one that is finished."""
        with store.writing(self._engine) as connection:
            run_rows.finish(connection, run_id, counts)

    def runs(self) -> list[RunRecord]:
        """All runs, the first one first."""
        with store.reading(self._engine) as connection:
            return run_rows.all_runs(connection)

    def known_keys(self, keys: Collection[str]) -> set[str]:
        """Those idempotency keys that already have an assessment."""
        with store.reading(self._engine) as connection:
            return assessment_rows.known_keys(connection, keys)

    def record(
        self,
        run_id: int,
        assessment: Assessment,
        *,
        outline: BaseGeometry | None = None,
        site_version: int | None = None,
    ) -> bool:
        """Append an assessment, its changes, its audit row and the site's observed status, all or nothing.

        `site_version` is that of the site that was assessed (`Site.version`), by default the present one; `outline`
        is the area that was looked at, WGS 84, by default that version's. Returns False, and writes nothing, when
        the assessment's key is there already.

        Raises LedgerError for an unknown site, version, run or scene, and where the machine claims to have seen a
        status that only a person can give.
        """
        outlines = None if outline is None else {assessment.site_code: outline}
        versions = None if site_version is None else {assessment.site_code: site_version}
        return self.record_all(run_id, [assessment], outlines=outlines, site_versions=versions)[0]

    def record_all(
        self,
        run_id: int,
        assessments: Sequence[Assessment],
        *,
        outlines: Mapping[str, BaseGeometry] | None = None,
        site_versions: Mapping[str, int] | None = None,
    ) -> list[bool]:
        """`record` of several assessments, all or nothing, which takes a fraction of the time; of each, whether it
        was written. `outlines` and `site_versions` are by the code of the site."""
        with store.writing(self._engine) as connection:
            return assessment_rows.record(
                connection, run_id, assessments, outlines=outlines or {}, site_versions=site_versions or {}
            )

    def assessments(self, code: str | None = None) -> list[AssessmentRecord]:
        """Assessments of all sites, or of one, ordered by site code and date of the later epoch."""
        with store.reading(self._engine) as connection:
            if code is not None:
                return assessment_rows.of_sites(connection, [code], self._recalled)[code]
            return assessment_rows.all_assessments(connection, None)

    # The audit trail

    def audit(self, site_code: str | None = None, *, limit: int | None = None) -> list[AuditRecord]:
        """What happened, in order: all of it, what concerns one site, or the last `limit` rows."""
        with store.reading(self._engine) as connection:
            return list(audit.records(connection, site_code, limit))

    def verify(self, noted: str | None = None) -> Verification:
        """Walk the audit chain, and hold all that the ledger keeps against it.

        `noted` is the `head` of an earlier verification: the chain must still run through it. Raises LedgerError for
        one that is not written as ROW:HASH.
        """
        head = None if noted is None else audit.head_of(noted)
        with store.reading(self._engine) as connection:
            return verification.verify(connection, head)


def _only(code: str | None) -> list[str] | None:
    """The sites that are asked for: one, or all of them."""
    return None if code is None else [code]
