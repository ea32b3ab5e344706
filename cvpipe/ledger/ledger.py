"""The ledger as the other rooms see it: one file of sites, scenes, runs, assessments and what happened to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from shapely.geometry.base import BaseGeometry

from cvpipe.domain import Assessment, Scene, Site
from cvpipe.errors import LedgerError
from cvpipe.geo import Bounds
from cvpipe.ledger import assessment_rows, audit, run_rows, scene_rows, site_rows, store, verification
from cvpipe.ledger.records import (
    AssessmentRecord,
    AuditRecord,
    ImportSummary,
    Observed,
    OwnerSystemTotals,
    RunRecord,
    Verification,
)


class Ledger:
    """A GeoPackage that is opened by `create` or `open`, and closed by `close` or at the end of a `with`.

    Every method is one transaction. Several threads and processes may use one file at the same time. Only GDAL must
    not read it in a process that has it open: GDAL brings an SQLite of its own, and POSIX locks do not hold between
    two libraries of one process (https://www.sqlite.org/howtocorrupt.html, section 2.2.1). `close` first.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = store.connect(path)

    @classmethod
    def create(cls, path: Path) -> Ledger:
        """Make an empty ledger. Built beside `path` and renamed, so that a half-made one is never seen.

        Raises LedgerError when something is there already or the folder cannot be written.
        """
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
    def open(cls, path: Path) -> Ledger:
        """Open a ledger that has the present tables.

        Raises LedgerError that says what to do when the file is missing, no ledger, older or newer.
        """
        ledger = cls._found(path)
        try:
            missing = store.missing_revisions(ledger._engine)
            if missing:
                raise LedgerError(
                    f"the ledger lacks the migrations {', '.join(missing)}",
                    where=path,
                    remedy="Make a copy of it, then run `cvpipe ledger migrate`.",
                )
        except BaseException:
            ledger.close()
            raise
        return ledger

    @classmethod
    def migrate(cls, path: Path) -> tuple[str, ...]:
        """Bring an older ledger to the present tables; returns the names of the migrations that ran."""
        with cls._found(path) as ledger:
            return store.migrate(ledger._engine)

    @classmethod
    def _found(cls, path: Path) -> Ledger:
        if not path.is_file():
            raise LedgerError("there is no ledger", where=path, remedy="Make a workspace with `cvpipe init DIR`.")
        if not store.is_ledger(path):
            raise LedgerError("the file is no ledger", where=path, remedy="Name a ledger.gpkg that cvpipe made.")
        return cls(path)

    def close(self) -> None:
        """Give the file back; a ledger that is closed has no side files."""
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
        dry_run: bool = False,
    ) -> ImportSummary:
        """Add and update sites by code, all of them or none; each one that differs gets an audit row.

        `source` tells the audit trail where they came from. `stated` names for each code the columns that the
        source speaks of; of a site that is known only these change, and attributes are added to its own. Without
        it a site replaces what is known of it. Machine columns are left alone either way.

        Raises LedgerError for a code that is given twice or is empty, and for a geometry that is empty or not in
        degrees.
        """
        transaction = store.reading if dry_run else store.writing
        with transaction(self._engine) as connection:
            return site_rows.put(connection, sites, source=source, stated=stated, dry_run=dry_run)

    def sites(self, codes: Collection[str] | None = None) -> list[Site]:
        """All sites, or those with the given codes, ordered by code.

        Raises UnknownSiteError that names close matches.
        """
        with store.reading(self._engine) as connection:
            return site_rows.all_sites(connection) if codes is None else site_rows.with_codes(connection, codes)

    def sites_in(self, bounds: Bounds) -> list[Site]:
        """Sites whose own bounding box (not widened by `buffer_m`) touches a window in degrees, ordered by code."""
        with store.reading(self._engine) as connection:
            return site_rows.within(connection, bounds)

    def observed(self) -> dict[str, Observed]:
        """What the machine last saw of each site, by code."""
        with store.reading(self._engine) as connection:
            return site_rows.observed(connection)

    def totals_by_owner_system(self) -> list[OwnerSystemTotals]:
        """Sums per owner system, the one with most sites first, and over all sites at the end."""
        with store.reading(self._engine) as connection:
            return site_rows.totals_by_owner_system(connection)

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

    def record(self, run_id: int, assessment: Assessment, *, outline: BaseGeometry | None = None) -> bool:
        """Append an assessment, its changes, its audit row and the site's observed status, all or nothing.

        `outline` is the area that it was made for, WGS 84; by default that of the site as it now stands. Returns
        False, and writes nothing, when the assessment's key is there already.

        Raises LedgerError for an unknown site, run or scene.
        """
        with store.writing(self._engine) as connection:
            return assessment_rows.record(connection, run_id, assessment, outline)

    def assessments(self, code: str | None = None) -> list[AssessmentRecord]:
        """Assessments of all sites, or of one, ordered by site code and date of the later epoch."""
        with store.reading(self._engine) as connection:
            return assessment_rows.all_assessments(connection, code)

    # The audit trail

    def audit(self, site_code: str | None = None, *, limit: int | None = None) -> list[AuditRecord]:
        """What happened, in order: all of it, what concerns one site, or the last `limit` rows."""
        with store.reading(self._engine) as connection:
            return list(audit.records(connection, site_code, limit))

    def verify(self) -> Verification:
        """Walk the audit chain, and hold all that the ledger keeps against it."""
        with store.reading(self._engine) as connection:
            return verification.verify(connection)
