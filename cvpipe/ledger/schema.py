"""The tables of the ledger: one model for every store. Layers are in WGS 84; areas m² on the ground; times UTC.

    sites        a row per site: what people keep, beside it what the machine saw (`observed_*`)
    scenes       a row per dated raster, known by the hash of its content
    runs         a row per execution of the job
    assessments  a row per site and pair of epochs, append-only, with the outline it was made for
    changes      a polygon per change that an assessment found, append-only
    audit        a row per thing that happened, append-only and hash-chained
    audit_head   one row: how many rows the chain has, and the hash of its last one

    campaigns, batches   programmes with targets, and their groups of sites with one due date
    site_versions        every outline and plan that a site has had, append-only
    moves, decisions     what people said of a site: its status, and the answers to questions; append-only
    findings             what must be put right by a date, and how it was
    inspections          visits, append-only
    candidates           changes outside every site: what the sweep saw, beside it what people made of them
    attachments          photos and documents, by the hash of their content, append-only

    accounts, log_ins    who may use the reviewers' page, and who did or was refused; log-ins are append-only
    sessions, leases     who is logged in, and which item of the queue is before whom: of the hour, in no audit trail
    labels               what people say changed on a site, outlined by hand, append-only

    sightings            what the pictures tell of each site's life, stage by stage; append-only
    samples              sites drawn at random to be checked, with frame and strata; append-only
    sample_results       what inspectors found at them, append-only

The migrations build the tables; a test holds that both agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from cvpipe.domain import Question
from cvpipe.ledger.columns import Geometry, Instant, Json
from cvpipe.ledger.geopackage import GEOMETRY_COLUMN

#: Marks a column that came to a table which already had rows: where it is null the row's digest is what it was before.
LATER = {"later": True}

#: A row by column name, as it is to be written or as it was read.
Row = Mapping[Any, Any]

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[int]:
    return Column("id", Integer, primary_key=True)


def _geometry() -> Column[Any]:
    return Column(GEOMETRY_COLUMN, Geometry, nullable=False)


def _bounds() -> tuple[Column[float], ...]:
    return tuple(Column(name, Double, nullable=False) for name in ("min_x", "min_y", "max_x", "max_y"))


sites = Table(
    "sites",
    metadata,
    _id(),
    _geometry(),
    Column("code", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("sub_district", Text, nullable=False),
    Column("community", Text, nullable=False),
    Column("owner_system", Text, nullable=False),
    Column("batch", Text, nullable=False),
    Column("buffer_m", Double, nullable=False),
    Column("land_area_m2", Double),
    Column("building_area_m2", Double),
    Column("demolition_area_m2", Double),
    Column("green_area_m2", Double),
    Column("green_ratio", Double),
    Column("retained", Json),
    Column("work_started", Date),
    Column("due_date", Date),
    Column("status", Text, nullable=False),
    Column("attributes", Json, nullable=False),
    Column("observed_status", Text),
    Column("observed_on", Date),
    *_bounds(),
    Column("rules", Json, info=LATER),
    Column("recheck_on", Date, info=LATER),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("observed_rung", Text, info=LATER),
    Column("observed_since", Date, info=LATER),
    Column("observed_not_yet_on", Date, info=LATER),
    Column("observed_greening", Text, info=LATER),
    Column("observed_greening_on", Date, info=LATER),
    Column("rebounds", Integer, info=LATER),
    Column("rebound_since", Date, info=LATER),
    Column("rebound_m2", Double, info=LATER),
    Column("recheck_due", Date, info=LATER),
    Column("review_reason", Text, info=LATER),
    Column("review_questions", Json, info=LATER),
    Column("review_priority", Double, index=True, info=LATER),
    Column("review_assessment", Integer, info=LATER),
    Column("settled_row", Integer, info=LATER),
    Column("settled_rules", Text, info=LATER),
    Column("settled_number", Integer, index=True, info=LATER),
    Index(None, "owner_system"),
    sqlite_autoincrement=True,
)

scenes = Table(
    "scenes",
    metadata,
    _id(),
    _geometry(),
    Column("content_hash", Text, nullable=False, unique=True),
    Column("uri", Text, nullable=False),
    Column("acquired", Date, nullable=False),
    Column("gsd_m", Double, nullable=False),
    Column("crs", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("bands", Integer, nullable=False),
    Column("dtype", Text, nullable=False),
    Column("stac", Json, info=LATER),
    sqlite_autoincrement=True,
)

runs = Table(
    "runs",
    metadata,
    _id(),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("code_version", Text, nullable=False),
    Column("bundle", Text, nullable=False),
    Column("bundle_digest", Text, nullable=False),
    Column("rules_version", Text, nullable=False),
    Column("settings", Json, nullable=False),
    Column("machine", Json, nullable=False),
    Column("counts", Json, nullable=False),
    sqlite_autoincrement=True,
)

assessments = Table(
    "assessments",
    metadata,
    _id(),
    _geometry(),
    Column("key", Text, nullable=False, unique=True),
    Column("run_id", ForeignKey("runs.id"), nullable=False, index=True),
    Column("site_code", ForeignKey("sites.code"), nullable=False, index=True),
    Column("before_hash", ForeignKey("scenes.content_hash")),
    Column("after_hash", ForeignKey("scenes.content_hash")),
    Column("before_date", Date),
    Column("after_date", Date),
    Column("created_at", Instant, nullable=False),
    Column("bundle_digest", Text, nullable=False),
    Column("rules_version", Text, nullable=False),
    *(Column(question.value, Text) for question in Question),
    Column("needs_review", Boolean, nullable=False),
    Column("observed_status", Text),
    Column("site_area_m2", Double),
    Column("valid_share", Double),
    Column("structure_before_m2", Double),
    Column("structure_after_m2", Double),
    Column("structure_removed_m2", Double),
    Column("structure_added_m2", Double),
    Column("rubble_after_m2", Double),
    Column("vegetation_after_m2", Double),
    Column("green_added_m2", Double),
    Column("measurements", Json),
    Column("verdicts", Json, nullable=False),
    Column("site_version", Integer, info=LATER),
    Column("before_fill", Json, info=LATER),
    Column("after_fill", Json, info=LATER),
    sqlite_autoincrement=True,
)

changes = Table(
    "changes",
    metadata,
    _id(),
    _geometry(),
    Column("assessment_id", ForeignKey("assessments.id"), nullable=False, index=True),
    Column("site_code", ForeignKey("sites.code"), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("area_m2", Double, nullable=False),
    Column("probability", Double, nullable=False),
    *_bounds(),
    Index(None, "min_x", "max_x", "min_y", "max_y"),
    sqlite_autoincrement=True,
)

audit = Table(
    "audit",
    metadata,
    _id(),
    Column("at", Instant, nullable=False),
    Column("action", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("site_code", Text, index=True),
    Column("details", Json, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("prev_hash", Text, nullable=False),
    Column("hash", Text, nullable=False, unique=True),
    Index(None, "kind", "subject"),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("rows", Integer, nullable=False),
    Column("hash", Text, nullable=False),
)

campaigns = Table(
    "campaigns",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("starts", Date),
    Column("ends", Date),
    Column("target_sites", Integer),
    Column("target_demolition_m2", Double),
    Column("target_green_m2", Double),
    sqlite_autoincrement=True,
)

batches = Table(
    "batches",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("campaign", ForeignKey("campaigns.name"), nullable=False, index=True),
    Column("due_date", Date),
    sqlite_autoincrement=True,
)

site_versions = Table(
    "site_versions",
    metadata,
    _id(),
    _geometry(),
    Column("site_code", ForeignKey("sites.code"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("valid_from", Instant, nullable=False),
    Column("buffer_m", Double, nullable=False),
    Column("demolition_area_m2", Double),
    Column("green_area_m2", Double),
    Column("green_ratio", Double),
    Column("retained", Json),
    Column("work_started", Date),
    Column("due_date", Date),
    Column("rules", Json),
    Column("content_hash", Text, nullable=False),
    UniqueConstraint("site_code", "version"),
    sqlite_autoincrement=True,
)

moves = Table(
    "moves",
    metadata,
    _id(),
    Column("site_code", ForeignKey("sites.code"), nullable=False, index=True),
    Column("was", Text, nullable=False),
    Column("becomes", Text, nullable=False),
    Column("move", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("reason", Text, nullable=False),
    Column("effective", Date, info=LATER),
    sqlite_autoincrement=True,
)

decisions = Table(
    "decisions",
    metadata,
    _id(),
    Column("site_code", ForeignKey("sites.code"), nullable=False, index=True),
    Column("assessment_key", ForeignKey("assessments.key"), index=True),
    Column("who", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("question", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("seconds", Double),
    Column("second_reviewer", Text, nullable=False),
    Column("supersedes", ForeignKey("decisions.id"), unique=True),
    sqlite_autoincrement=True,
)

findings = Table(
    "findings",
    metadata,
    _id(),
    Column("site_code", ForeignKey("sites.code"), nullable=False, index=True),
    Column("what", Text, nullable=False),
    Column("due_date", Date, nullable=False),
    Column("who", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("resolved_by", Text, nullable=False),
    Column("resolution", Text, nullable=False),
    Column("resolved_at", Instant),
    sqlite_autoincrement=True,
)

inspections = Table(
    "inspections",
    metadata,
    _id(),
    Column("site_code", ForeignKey("sites.code"), nullable=False, index=True),
    Column("inspected_on", Date, nullable=False),
    Column("result", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("at", Instant, nullable=False),
    sqlite_autoincrement=True,
)

candidates = Table(
    "candidates",
    metadata,
    _id(),
    _geometry(),
    Column("kind", Text, nullable=False),
    Column("area_m2", Double, nullable=False),
    Column("probability", Double, nullable=False),
    Column("first_seen", Date, nullable=False),
    Column("last_seen", Date, nullable=False),
    Column("state", Text, nullable=False),
    Column("site_code", ForeignKey("sites.code"), index=True),
    Column("who", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("at", Instant, nullable=False),
    *_bounds(),
    Index(None, "min_x", "max_x", "min_y", "max_y"),
    sqlite_autoincrement=True,
)

attachments = Table(
    "attachments",
    metadata,
    _id(),
    Column("site_code", ForeignKey("sites.code"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("path", Text, nullable=False),
    Column("taken_on", Date),
    Column("lon", Double),
    Column("lat", Double),
    Column("at", Instant, nullable=False),
    UniqueConstraint("site_code", "sha256"),
    sqlite_autoincrement=True,
)

accounts = Table(
    "accounts",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("at", Instant, nullable=False),
    sqlite_autoincrement=True,
)

log_ins = Table(
    "log_ins",
    metadata,
    _id(),
    Column("account", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Index(None, "account", "at"),
    sqlite_autoincrement=True,
)

sessions = Table(
    "sessions",
    metadata,
    _id(),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("account", ForeignKey("accounts.name"), nullable=False, index=True),
    Column("csrf", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    sqlite_autoincrement=True,
)

leases = Table(
    "leases",
    metadata,
    _id(),
    Column("assessment_key", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("until", Instant, nullable=False),
    Column("note", Text, nullable=False),
    UniqueConstraint("assessment_key", "question", "who"),
    sqlite_autoincrement=True,
)

labels = Table(
    "labels",
    metadata,
    _id(),
    _geometry(),
    Column("site_code", ForeignKey("sites.code"), nullable=False, index=True),
    Column("assessment_key", ForeignKey("assessments.key"), nullable=False, index=True),
    Column("who", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("changes", Json, nullable=False),
    sqlite_autoincrement=True,
)

sightings = Table(
    "sightings",
    metadata,
    _id(),
    Column("site_code", ForeignKey("sites.code"), nullable=False, index=True),
    Column("stage", Text, nullable=False),
    Column("rung", Text, nullable=False),
    Column("first_seen", Date, nullable=False),
    Column("not_yet_on", Date),
    Column("confirmed_on", Date),
    Column("area_m2", Double),
    Column("withdrawn", Boolean, nullable=False),
    Column("at", Instant, nullable=False),
    sqlite_autoincrement=True,
)

samples = Table(
    "samples",
    metadata,
    _id(),
    Column("seed", Integer, nullable=False),
    Column("per_stratum", Integer, nullable=False),
    Column("who", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("strata", Json, nullable=False),
    Column("units", Json, nullable=False),
    Column("size_limits_m2", Json, nullable=False),
    sqlite_autoincrement=True,
)

sample_results = Table(
    "sample_results",
    metadata,
    _id(),
    Column("sample_id", ForeignKey("samples.id"), nullable=False, index=True),
    Column("site_code", ForeignKey("sites.code"), nullable=False, index=True),
    Column("checked_on", Date, nullable=False),
    Column("who", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("outcomes", Json, nullable=False),
    Column("areas_m2", Json, nullable=False),
    Column("note", Text, nullable=False),
    sqlite_autoincrement=True,
)

#: Columns of `sites` that are written whenever it is settled where a site stands; see `settling`.
SETTLED_COLUMNS: tuple[str, ...] = tuple(
    column.name
    for column in sites.columns
    if column.name.startswith(("observed_", "rebound", "review_", "settled_", "recheck_due"))
)

#: Tables whose rows are never changed or deleted; triggers hold it.
APPEND_ONLY: tuple[Table, ...] = (
    assessments,
    changes,
    audit,
    site_versions,
    moves,
    decisions,
    inspections,
    attachments,
    log_ins,
    labels,
    sightings,
    samples,
    sample_results,
)

#: What stands in the audit trail row for row: its kind, its table, and the column that names it there. A row's digest
#: is that of all its columns. Sites, their versions and assessments have digests of their own.
AUDITED: dict[str, tuple[Table, str]] = {
    "scene": (scenes, "content_hash"),
    "run": (runs, "id"),
    "campaign": (campaigns, "name"),
    "batch": (batches, "name"),
    "move": (moves, "id"),
    "decision": (decisions, "id"),
    "finding": (findings, "id"),
    "inspection": (inspections, "id"),
    "candidate": (candidates, "id"),
    "attachment": (attachments, "id"),
    "account": (accounts, "name"),
    "log_in": (log_ins, "id"),
    "label": (labels, "id"),
    "sighting": (sightings, "id"),
    "sample": (samples, "id"),
    "sample_result": (sample_results, "id"),
}
