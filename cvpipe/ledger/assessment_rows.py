"""Assessments and their changes in and out of the ledger: appended once per idempotency key."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
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
from cvpipe.ledger.records import AssessmentRecord, SiteVersion
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
    found: Sequence[Assessment],
    *,
    outlines: Mapping[str, BaseGeometry],
    site_versions: Mapping[str, int],
) -> list[bool]:
    """Append assessments, their changes and an audit row each; tells of each whether its key was new.

    `outlines` and `site_versions` are by code, where they are not those of the present version of a site. Where the
    site stands is told from all of its epochs (`settling`), never by one assessment.
    """
    keys, is_new = known_keys(connection, [assessment.key for assessment in found]), list[bool]()
    for assessment in found:
        is_new.append(assessment.key not in keys)
        keys.add(assessment.key)
    fresh = [assessment for assessment, new in zip(found, is_new, strict=True) if new]
    if fresh:
        run_rows.row_of(connection, run_id)
        _append(connection, run_id, fresh, _Named.by(connection, fresh, site_versions), outlines)
    return is_new


@dataclass(frozen=True)
class _Named:
    """What assessments name: versions of sites by code, days of scenes by content."""

    versions: Mapping[str, SiteVersion]
    days: Mapping[str, date]

    @classmethod
    def by(cls, connection: Connection, found: Sequence[Assessment], site_versions: Mapping[str, int]) -> _Named:
        """Looked up at once. Raises LedgerError for what the ledger does not know."""
        present = site_rows.present_versions(connection, {one.site_code for one in found})
        wanted = {code: site_versions.get(code, number) for code, number in present.items()}
        scenes = (scene for one in found for scene in (one.before, one.after, *one.before_fill, *one.after_fill))
        days = scene_rows.days_of(connection, {scene for scene in scenes if scene is not None})
        return cls(version_rows.numbered(connection, wanted), days)

    def day(self, content_hash: str | None) -> date | None:
        """When a scene was acquired; None for no scene."""
        return None if content_hash is None else self.days[content_hash]


def _append(
    connection: Connection,
    run_id: int,
    found: Sequence[Assessment],
    named: _Named,
    outlines: Mapping[str, BaseGeometry],
) -> None:
    for assessment in found:
        _refuse_unseeable(assessment)
    rows = [_columns(run_id, assessment, named, outlines.get(assessment.site_code)) for assessment in found]
    query = insert(assessments).returning(assessments.c.id, sort_by_parameter_order=True)
    ids = connection.scalars(query, rows).all()
    changed = [[_change_columns(one, i, change) for change in one.changes] for one, i in zip(found, ids, strict=True)]
    if any(changed):
        connection.execute(insert(changes), [change for each in changed for change in each])
    geopackage.grow_extent(connection, "assessments", [row["geom"] for row in rows])
    geopackage.grow_extent(connection, "changes", [change["geom"] for each in changed for change in each])
    audit.append(connection, [_event(run_id, row, each) for row, each in zip(rows, changed, strict=True)])


def all_assessments(connection: Connection, codes: Collection[str] | None) -> list[AssessmentRecord]:
    """Assessments of all sites, or of some, ordered by site code and later epoch; those without scenes come first."""
    query = select(assessments).order_by(
        assessments.c.site_code, assessments.c.after_date.nulls_first(), assessments.c.id
    )
    if codes is not None:
        query = query.where(assessments.c.site_code.in_(codes))
    rows = connection.execute(query).mappings().all()
    found = _changes_by_assessment(connection, codes)
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


def of_sites(connection: Connection, codes: Collection[str], recalled: Recalled) -> dict[str, list[AssessmentRecord]]:
    """What `all_assessments` tells of some sites, by code, read as far as it is not remembered."""
    c = assessments.c
    query = select(c.id, c.site_code).where(c.site_code.in_(codes)).order_by(c.after_date.nulls_first(), c.id)
    site_of = {row.id: row.site_code for row in connection.execute(query)}
    known = recalled.of(site_of)
    missing = {code for i, code in site_of.items() if i not in known}
    if missing:
        read = all_assessments(connection, missing)
        recalled.keep(read)
        known |= {record.id: record for record in read}
    found: dict[str, list[AssessmentRecord]] = {code: [] for code in codes}
    for i, code in site_of.items():
        found[code].append(known[i])
    return found


def content_hash(row: Row, found: Sequence[Row]) -> str:
    """Digest of an assessment's row and the rows of its changes in order."""
    # A change's link to its row in `assessments` says nothing that its place in this list does not.
    parts = [audit.digest(changes, change, without={"assessment_id"}) for change in found]
    return audit.sha256([audit.digest(assessments, row), parts])


#: Columns that not every assessment fills: rows that are written together name the same ones.
_NONE = dict.fromkeys(column.name for column in assessments.columns if column.nullable)


def _columns(run_id: int, assessment: Assessment, named: _Named, outline: BaseGeometry | None) -> dict[str, Any]:
    version = named.versions[assessment.site_code]
    measured = assessment.measurements
    return {
        **_NONE,
        "geom": buffered(version.geometry, version.buffer_m) if outline is None else outline,
        "key": assessment.key,
        "run_id": run_id,
        "site_code": assessment.site_code,
        "before_hash": assessment.before,
        "after_hash": assessment.after,
        "before_date": named.day(assessment.before),
        "after_date": named.day(assessment.after),
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
        "before_fill": _filling(named, assessment.before_fill, assessment.before),
        "after_fill": _filling(named, assessment.after_fill, assessment.after),
    }


def _refuse_unseeable(assessment: Assessment) -> None:
    """That a site is closed or exempt is for people to say."""
    seen = assessment.observed_status
    if seen is not None and seen not in OBSERVABLE:
        raise LedgerError(f"the machine cannot see that a site is {seen}", remedy="Only a person can say so.")


def _filling(named: _Named, hashes: Sequence[str], first: str | None) -> list[str] | None:
    """The further scenes of an epoch, which are all of one day; None where there are none. Raises LedgerError."""
    days = {named.day(content_hash) for content_hash in (first, *hashes)}
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


def _changes_by_assessment(connection: Connection, codes: Collection[str] | None) -> defaultdict[int, list[Change]]:
    query = select(changes).order_by(changes.c.id)
    if codes is not None:
        query = query.where(changes.c.site_code.in_(codes))
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
