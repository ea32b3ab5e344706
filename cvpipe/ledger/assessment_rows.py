"""Assessments and their changes in and out of the ledger: appended once per idempotency key."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Sequence
from threading import Lock
from typing import Any

from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection, insert, select

from cvpipe.domain import Assessment, Change, ChangeKind, Measurements, SiteStatus, Surface
from cvpipe.errors import LedgerError
from cvpipe.geo import buffered
from cvpipe.ledger import audit, geopackage, run_rows, scene_rows, site_rows, version_rows
from cvpipe.ledger.columns import now
from cvpipe.ledger.encoding import measurements_as_plain, measurements_of, verdict_as_plain, verdict_of
from cvpipe.ledger.records import AssessmentRecord
from cvpipe.ledger.schema import Row, assessments, changes
from cvpipe.life import OBSERVABLE

_CHUNK = 1000  # keys per query; SQLite takes 32,766 parameters at most

#: Assessments that are remembered, some 20 kB each: what the reviewers of a morning have before them.
RECALLED = 3000


def known_keys(connection: Connection, keys: Collection[str]) -> set[str]:
    """Those of `keys` that have an assessment."""
    wanted, known = list(keys), set[str]()
    for start in range(0, len(wanted), _CHUNK):
        query = select(assessments.c.key).where(assessments.c.key.in_(wanted[start : start + _CHUNK]))
        known.update(connection.scalars(query))
    return known


def record(
    connection: Connection,
    run_id: int,
    assessment: Assessment,
    *,
    outline: BaseGeometry | None,
    site_version: int | None,
) -> bool:
    """Append an assessment, its changes and an audit row; False if its key is there already.

    Where the site stands is told from all of its epochs (`settling`), never by one assessment.
    """
    if known_keys(connection, [assessment.key]):
        return False
    run_rows.row_of(connection, run_id)
    _refuse_unseeable(assessment)
    row = _columns(connection, run_id, assessment, outline, site_version)
    assessment_id: int = connection.execute(insert(assessments).returning(assessments.c.id), row).scalar_one()
    found = [_change_columns(assessment, assessment_id, change) for change in assessment.changes]
    if found:
        connection.execute(insert(changes), found)
    geopackage.grow_extent(connection, "assessments", [row["geom"]])
    geopackage.grow_extent(connection, "changes", (change["geom"] for change in found))
    audit.append(connection, [_event(run_id, row, found)])
    return True


def all_assessments(connection: Connection, site_code: str | None) -> list[AssessmentRecord]:
    """Assessments of all sites, or of one, ordered by site code and later epoch; those without scenes come first."""
    query = select(assessments).order_by(
        assessments.c.site_code, assessments.c.after_date.nulls_first(), assessments.c.id
    )
    if site_code is not None:
        query = query.where(assessments.c.site_code == site_code)
    rows = connection.execute(query).mappings().all()
    found = _changes_by_assessment(connection, site_code)
    return [_record_of(row, found[row["id"]]) for row in rows]


class Recalled:
    """Assessments that were read before, by id: rows that are only ever appended need not be read again.

    Bounded; safe to share between threads.
    """

    def __init__(self, most: int = RECALLED) -> None:
        self._most, self._lock = most, Lock()
        self._records: OrderedDict[int, AssessmentRecord] = OrderedDict()

    def of(self, ids: Iterable[int]) -> dict[int, AssessmentRecord]:
        """Those of the assessments that are remembered."""
        with self._lock:
            found = {i: self._records[i] for i in ids if i in self._records}
            for i in found:
                self._records.move_to_end(i)
        return found

    def keep(self, records: Iterable[AssessmentRecord]) -> None:
        """Remember assessments; those that were not asked for the longest are forgotten."""
        with self._lock:
            self._records |= {record.id: record for record in records}
            while len(self._records) > self._most:
                self._records.popitem(last=False)


def of_site(connection: Connection, site_code: str, recalled: Recalled) -> list[AssessmentRecord]:
    """What `all_assessments` tells of one site, read as far as it is not remembered."""
    c = assessments.c
    query = select(c.id).where(c.site_code == site_code).order_by(c.after_date.nulls_first(), c.id)
    ids = list(connection.scalars(query))
    known = recalled.of(ids)
    if len(known) < len(ids):
        read = all_assessments(connection, site_code)
        recalled.keep(read)
        known = {record.id: record for record in read}
    return [known[i] for i in ids]


def content_hash(row: Row, found: Sequence[Row]) -> str:
    """Digest of an assessment's row and the rows of its changes in order."""
    # A change's link to its row in `assessments` says nothing that its place in this list does not.
    parts = [audit.digest(changes, change, without={"assessment_id"}) for change in found]
    return audit.sha256([audit.digest(assessments, row), parts])


def _columns(
    connection: Connection,
    run_id: int,
    assessment: Assessment,
    outline: BaseGeometry | None,
    site_version: int | None,
) -> dict[str, Any]:
    present: int = site_rows.row_of(connection, assessment.site_code)["version"]
    version = version_rows.numbered(connection, assessment.site_code, site_version or present)
    measured = assessment.measurements
    return {
        "geom": buffered(version.geometry, version.buffer_m) if outline is None else outline,
        "key": assessment.key,
        "run_id": run_id,
        "site_code": assessment.site_code,
        "before_hash": assessment.before,
        "after_hash": assessment.after,
        "before_date": scene_rows.date_of(connection, assessment.before),
        "after_date": scene_rows.date_of(connection, assessment.after),
        "created_at": now(),
        "bundle_digest": assessment.bundle_digest,
        "rules_version": assessment.rules_version,
        **{verdict.question.value: verdict.outcome.value for verdict in assessment.verdicts},
        "needs_review": any(verdict.needs_review for verdict in assessment.verdicts),
        "observed_status": assessment.observed_status and assessment.observed_status.value,
        **({} if measured is None else _main_areas(measured)),
        "measurements": None if measured is None else measurements_as_plain(measured),
        "verdicts": [verdict_as_plain(verdict) for verdict in assessment.verdicts],
        "site_version": version.version,
        "before_fill": _filling(connection, assessment.before_fill, assessment.before),
        "after_fill": _filling(connection, assessment.after_fill, assessment.after),
    }


def _refuse_unseeable(assessment: Assessment) -> None:
    """That a site is closed or exempt is for people to say."""
    seen = assessment.observed_status
    if seen is not None and seen not in OBSERVABLE:
        raise LedgerError(f"the machine cannot see that a site is {seen}", remedy="Only a person can say so.")


def _filling(connection: Connection, hashes: Sequence[str], first: str | None) -> list[str] | None:
    """The further scenes of an epoch, which the ledger knows and which are all of one day; None where there are none.

    Raises LedgerError.
    """
    days = {scene_rows.date_of(connection, content_hash) for content_hash in (first, *hashes)}
    if hashes and len(days) > 1:
        raise LedgerError("the scenes of one epoch are of several days", remedy="Put scenes of one day together only.")
    return list(hashes) or None


def _main_areas(measured: Measurements) -> dict[str, float | None]:
    """The figures that a GIS user wants beside the outline, m²; the whole of them is in `measurements`."""
    before, after, changed = measured.surface_before_m2, measured.surface_after_m2, measured.change_m2
    return {
        "site_area_m2": measured.site_area_m2,
        "valid_share": measured.valid_share,
        "structure_before_m2": before.get(Surface.STRUCTURE),
        "structure_after_m2": after.get(Surface.STRUCTURE),
        "structure_removed_m2": changed.get(ChangeKind.STRUCTURE_REMOVED),
        "structure_added_m2": changed.get(ChangeKind.STRUCTURE_ADDED),
        "rubble_after_m2": after.get(Surface.RUBBLE),
        "vegetation_after_m2": after.get(Surface.VEGETATION),
        "green_added_m2": changed.get(ChangeKind.GREEN_ADDED),
    }


def _change_columns(assessment: Assessment, assessment_id: int, change: Change) -> dict[str, Any]:
    return {
        "geom": change.geometry,
        "assessment_id": assessment_id,
        "site_code": assessment.site_code,
        "kind": change.kind.value,
        "area_m2": float(change.area_m2),
        "probability": float(change.probability),
        **geopackage.bounds_columns(change.geometry),
    }


def _event(run_id: int, row: Row, found: Sequence[Row]) -> audit.Event:
    details = {
        "run": run_id,
        "before": audit.as_plain(row["before_date"]),
        "after": audit.as_plain(row["after_date"]),
        "verdicts": {verdict["question"]: verdict["outcome"] for verdict in row["verdicts"]},
        "observed_status": row["observed_status"],
        "changes": len(found),
        "site_version": row["site_version"],
    }
    digest = content_hash(row, found)
    return audit.Event("recorded", "assessment", row["key"], digest, site_code=row["site_code"], details=details)


def _changes_by_assessment(connection: Connection, site_code: str | None) -> defaultdict[int, list[Change]]:
    query = select(changes).order_by(changes.c.id)
    if site_code is not None:
        query = query.where(changes.c.site_code == site_code)
    found = defaultdict[int, list[Change]](list)
    for row in connection.execute(query).mappings():
        change = Change(ChangeKind(row["kind"]), row["geom"], row["area_m2"], row["probability"])
        found[row["assessment_id"]].append(change)
    return found


def _record_of(row: Row, found: Sequence[Change]) -> AssessmentRecord:
    observed = row["observed_status"]
    assessment = Assessment(
        site_code=row["site_code"],
        key=row["key"],
        before=row["before_hash"],
        after=row["after_hash"],
        bundle_digest=row["bundle_digest"],
        rules_version=row["rules_version"],
        measurements=None if row["measurements"] is None else measurements_of(row["measurements"]),
        verdicts=tuple(verdict_of(plain) for plain in row["verdicts"]),
        changes=tuple(found),
        observed_status=None if observed is None else SiteStatus(observed),
        before_fill=tuple(row["before_fill"] or ()),
        after_fill=tuple(row["after_fill"] or ()),
    )
    alike = ("id", "run_id", "before_date", "after_date", "created_at", "site_version")
    return AssessmentRecord(assessment=assessment, outline=row["geom"], **{name: row[name] for name in alike})
