"""Sites, scenes, runs, assessments, changes and the audit trail, as layers and tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cvpipe.ledger import geopackage, postgis
from cvpipe.ledger.columns import Instant, Json
from cvpipe.ledger.migrations.building import add_index, create_table_on_both, forbid_rewriting, on_postgres, register

revision = "0001_first_ledger"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    prepare = postgis.prepare_database if on_postgres() else geopackage.create_tables
    prepare(op.get_bind())
    _create_sites()
    _create_scenes()
    _create_runs()
    _create_assessments()
    _create_changes()
    _create_audit()
    for table in ("assessments", "changes", "audit"):
        forbid_rewriting(table)
    _register()


def _create_sites() -> None:
    create_table_on_both(
        "sites",
        sa.Column("code", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("name", "sub_district", "community")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("owner_system", "batch")),
        sa.Column("buffer_m", sa.Double, nullable=False),
        *(sa.Column(name, sa.Double) for name in ("land_area_m2", "building_area_m2", "demolition_area_m2")),
        *(sa.Column(name, sa.Double) for name in ("green_area_m2", "green_ratio")),
        sa.Column("retained", Json),
        sa.Column("work_started", sa.Date),
        sa.Column("due_date", sa.Date),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("attributes", Json, nullable=False),
        sa.Column("observed_status", sa.Text),
        sa.Column("observed_on", sa.Date),
        *_bounds(),
        sa.UniqueConstraint("code", name="uq_sites_code"),
        layer=True,
    )
    add_index("sites", "min_x", "max_x", "min_y", "max_y")
    add_index("sites", "owner_system")


def _create_scenes() -> None:
    create_table_on_both(
        "scenes",
        sa.Column("content_hash", sa.Text, nullable=False),
        sa.Column("uri", sa.Text, nullable=False),
        sa.Column("acquired", sa.Date, nullable=False),
        sa.Column("gsd_m", sa.Double, nullable=False),
        sa.Column("crs", sa.Text, nullable=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("width", "height", "bands")),
        sa.Column("dtype", sa.Text, nullable=False),
        sa.UniqueConstraint("content_hash", name="uq_scenes_content_hash"),
        layer=True,
    )


def _create_runs() -> None:
    create_table_on_both(
        "runs",
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("finished_at", Instant),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("code_version", "bundle", "bundle_digest")),
        sa.Column("rules_version", sa.Text, nullable=False),
        *(sa.Column(name, Json, nullable=False) for name in ("settings", "machine", "counts")),
    )


def _create_assessments() -> None:
    create_table_on_both(
        "assessments",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("site_code", sa.Text, nullable=False),
        sa.Column("before_hash", sa.Text),
        sa.Column("after_hash", sa.Text),
        sa.Column("before_date", sa.Date),
        sa.Column("after_date", sa.Date),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("bundle_digest", sa.Text, nullable=False),
        sa.Column("rules_version", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text) for name in ("demolition", "clearance", "greening", "rebound")),
        sa.Column("needs_review", sa.Boolean, nullable=False),
        sa.Column("observed_status", sa.Text),
        *(sa.Column(name, sa.Double) for name in ("site_area_m2", "valid_share")),
        *(sa.Column(name, sa.Double) for name in ("structure_before_m2", "structure_after_m2")),
        *(sa.Column(name, sa.Double) for name in ("structure_removed_m2", "structure_added_m2")),
        *(sa.Column(name, sa.Double) for name in ("rubble_after_m2", "vegetation_after_m2", "green_added_m2")),
        sa.Column("measurements", Json),
        sa.Column("verdicts", Json, nullable=False),
        sa.UniqueConstraint("key", name="uq_assessments_key"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_assessments_run_id"),
        sa.ForeignKeyConstraint(["site_code"], ["sites.code"], name="fk_assessments_site_code"),
        sa.ForeignKeyConstraint(["before_hash"], ["scenes.content_hash"], name="fk_assessments_before_hash"),
        sa.ForeignKeyConstraint(["after_hash"], ["scenes.content_hash"], name="fk_assessments_after_hash"),
        layer=True,
    )
    add_index("assessments", "run_id")
    add_index("assessments", "site_code")


def _create_changes() -> None:
    create_table_on_both(
        "changes",
        sa.Column("assessment_id", sa.Integer, nullable=False),
        sa.Column("site_code", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("area_m2", sa.Double, nullable=False),
        sa.Column("probability", sa.Double, nullable=False),
        *_bounds(),
        sa.ForeignKeyConstraint(["assessment_id"], ["assessments.id"], name="fk_changes_assessment_id"),
        sa.ForeignKeyConstraint(["site_code"], ["sites.code"], name="fk_changes_site_code"),
        layer=True,
    )
    add_index("changes", "assessment_id")
    add_index("changes", "site_code")
    add_index("changes", "min_x", "max_x", "min_y", "max_y")


def _create_audit() -> None:
    create_table_on_both(
        "audit",
        sa.Column("at", Instant, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("action", "kind", "subject")),
        sa.Column("site_code", sa.Text),
        sa.Column("details", Json, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("content_hash", "prev_hash", "hash")),
        sa.UniqueConstraint("hash", name="uq_audit_hash"),
        autoincrement=False,
    )
    add_index("audit", "site_code")
    add_index("audit", "kind", "subject")


def _bounds() -> tuple[sa.Column[float], ...]:
    return tuple(sa.Column(name, sa.Double, nullable=False) for name in ("min_x", "min_y", "max_x", "max_y"))


def _register() -> None:
    register("sites", "Places under remediation; observed_* is what the machine saw", layer=True)
    register("changes", "Polygons in which the surface changed between two epochs", layer=True)
    register("assessments", "What each run said of each site, on its outline then", layer=True)
    register("scenes", "Footprints of the dated rasters", layer=True)
    register("runs", "Executions of the job")
    register("audit", "What happened, append-only and hash-chained")
