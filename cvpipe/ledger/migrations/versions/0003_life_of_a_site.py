"""Campaigns, versions of sites, moves, decisions, findings, inspections, candidates and attachments.

Sites that are there get their versions out of the audit trail, which kept every outline and plan that was replaced.
Assessments that are there keep the outline that they were made for; they name no version, for none was counted then.

What is written stands here column by column, and not in the model, which later migrations go on to change. Only how
a value is hashed is taken from `audit`: every ledger that was released holds it to that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from alembic import op
from shapely.geometry import shape

from cvpipe.ledger import geopackage
from cvpipe.ledger.audit import as_plain, sha256
from cvpipe.ledger.columns import Geometry, Instant, Json, now
from cvpipe.ledger.migrations.building import (
    add_columns,
    add_index,
    create_table_on_both,
    forbid_rewriting,
    register,
)

revision = "0003_life_of_a_site"
down_revision = "0002_chain_head_and_styles"
branch_labels = None
depends_on = None

#: What of a site makes a version, in 0001.
_VERSIONED: dict[str, Any] = {
    "geom": Geometry,
    "buffer_m": sa.Double,
    **dict.fromkeys(("demolition_area_m2", "green_area_m2", "green_ratio"), sa.Double),
    "retained": Json,
    **dict.fromkeys(("work_started", "due_date"), sa.Date),
}
_SITES = sa.table("sites", sa.column("code", sa.Text), *(sa.column(name, kind) for name, kind in _VERSIONED.items()))
_SITE_VERSIONS = sa.table(
    "site_versions",
    *(sa.column(name, kind) for name, kind in _VERSIONED.items()),
    sa.column("site_code", sa.Text),
    sa.column("version", sa.Integer),
    sa.column("valid_from", Instant),
    sa.column("rules", Json),
    sa.column("content_hash", sa.Text),
)
_AUDIT = sa.table(
    "audit",
    sa.column("id", sa.Integer),
    sa.column("at", Instant),
    *(sa.column(name, sa.Text) for name in ("action", "kind", "subject", "site_code")),
    sa.column("details", Json),
    *(sa.column(name, sa.Text) for name in ("content_hash", "prev_hash", "hash")),
)
_HEAD = sa.table("audit_head", sa.column("rows", sa.Integer), sa.column("hash", sa.Text))
_CHUNK = 1000  # sites at a time; bounds memory, and SQLite takes 32,766 parameters at most


def upgrade() -> None:
    _widen()
    _create_campaigns()
    _create_versions()
    _create_words_of_people()
    _create_candidates()
    _create_attachments()
    _fill_versions(op.get_bind())
    for table in ("site_versions", "moves", "decisions", "inspections", "attachments"):
        forbid_rewriting(table)
    _register()


def _widen() -> None:
    add_columns(
        "sites",
        sa.Column("rules", Json),
        sa.Column("recheck_on", sa.Date),
        sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
    )
    add_columns("assessments", sa.Column("site_version", sa.Integer))


def _create_campaigns() -> None:
    create_table_on_both(
        "campaigns",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("starts", sa.Date),
        sa.Column("ends", sa.Date),
        sa.Column("target_sites", sa.Integer),
        *(sa.Column(name, sa.Double) for name in ("target_demolition_m2", "target_green_m2")),
        sa.UniqueConstraint("name", name="uq_campaigns_name"),
    )
    create_table_on_both(
        "batches",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("campaign", sa.Text, nullable=False),
        sa.Column("due_date", sa.Date),
        sa.UniqueConstraint("name", name="uq_batches_name"),
        sa.ForeignKeyConstraint(["campaign"], ["campaigns.name"], name="fk_batches_campaign"),
    )
    add_index("batches", "campaign")


def _create_versions() -> None:
    create_table_on_both(
        "site_versions",
        sa.Column("site_code", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("valid_from", Instant, nullable=False),
        sa.Column("buffer_m", sa.Double, nullable=False),
        *(sa.Column(name, sa.Double) for name in ("demolition_area_m2", "green_area_m2", "green_ratio")),
        sa.Column("retained", Json),
        *(sa.Column(name, sa.Date) for name in ("work_started", "due_date")),
        sa.Column("rules", Json),
        sa.Column("content_hash", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["site_code"], ["sites.code"], name="fk_site_versions_site_code"),
        sa.UniqueConstraint("site_code", "version", name="uq_site_versions_site_code_version"),
        layer=True,
    )


def _create_words_of_people() -> None:
    create_table_on_both(
        "moves",
        *_site_code("moves"),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("was", "becomes", "move", "who")),
        sa.Column("at", Instant, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    create_table_on_both(
        "decisions",
        *_site_code("decisions"),
        sa.Column("assessment_key", sa.Text),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("at", Instant, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("question", "verdict", "reason", "note")),
        sa.Column("seconds", sa.Double),
        sa.Column("second_reviewer", sa.Text, nullable=False),
        sa.Column("supersedes", sa.Integer),
        sa.ForeignKeyConstraint(["assessment_key"], ["assessments.key"], name="fk_decisions_assessment_key"),
        sa.ForeignKeyConstraint(["supersedes"], ["decisions.id"], name="fk_decisions_supersedes"),
        sa.UniqueConstraint("supersedes", name="uq_decisions_supersedes"),
    )
    create_table_on_both(
        "findings",
        *_site_code("findings"),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("due_date", sa.Date, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("at", Instant, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("resolved_by", "resolution")),
        sa.Column("resolved_at", Instant),
    )
    create_table_on_both(
        "inspections",
        *_site_code("inspections"),
        sa.Column("inspected_on", sa.Date, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("result", "who", "note")),
        sa.Column("at", Instant, nullable=False),
    )
    add_index("decisions", "assessment_key")
    for table in ("moves", "decisions", "findings", "inspections"):
        add_index(table, "site_code")


def _create_candidates() -> None:
    create_table_on_both(
        "candidates",
        sa.Column("kind", sa.Text, nullable=False),
        *(sa.Column(name, sa.Double, nullable=False) for name in ("area_m2", "probability")),
        *(sa.Column(name, sa.Date, nullable=False) for name in ("first_seen", "last_seen")),
        sa.Column("state", sa.Text, nullable=False),
        *_site_code("candidates", nullable=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("who", "note")),
        sa.Column("at", Instant, nullable=False),
        *(sa.Column(name, sa.Double, nullable=False) for name in ("min_x", "min_y", "max_x", "max_y")),
        layer=True,
    )
    add_index("candidates", "site_code")
    add_index("candidates", "min_x", "max_x", "min_y", "max_y")


def _create_attachments() -> None:
    create_table_on_both(
        "attachments",
        *_site_code("attachments"),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("name", "media_type", "sha256")),
        sa.Column("size_bytes", sa.Integer, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("taken_on", sa.Date),
        *(sa.Column(name, sa.Double) for name in ("lon", "lat")),
        sa.Column("at", Instant, nullable=False),
        sa.UniqueConstraint("site_code", "sha256", name="uq_attachments_site_code_sha256"),
    )
    add_index("attachments", "site_code")


def _site_code(table: str, *, nullable: bool = False) -> tuple[sa.Column[str], sa.ForeignKeyConstraint]:
    key = sa.ForeignKeyConstraint(["site_code"], ["sites.code"], name=f"fk_{table}_site_code")
    return sa.Column("site_code", sa.Text, nullable=nullable), key


def _fill_versions(connection: sa.Connection) -> None:
    codes = connection.execute(sa.select(_SITES.c.code).order_by(_SITES.c.code)).scalars().all()
    for start in range(0, len(codes), _CHUNK):
        _fill(connection, codes[start : start + _CHUNK])


def _fill(connection: sa.Connection, codes: Sequence[str]) -> None:
    noted = sa.select(_AUDIT).where(_AUDIT.c.kind == "site", _AUDIT.c.subject.in_(codes)).order_by(_AUDIT.c.id)
    trail: dict[str, list[Any]] = {code: [] for code in codes}
    for event in connection.execute(noted).mappings():
        trail[event["subject"]].append(event)
    rows, events = list[dict[str, Any]](), list[dict[str, Any]]()
    for site in connection.execute(sa.select(_SITES).where(_SITES.c.code.in_(codes))).mappings():
        versions = list(_versions(site, trail[site["code"]]))
        rows += versions
        events += _notes(site["code"], versions, trail[site["code"]])
    connection.execute(sa.insert(_SITE_VERSIONS), rows)
    geopackage.grow_extent(connection, "site_versions", (row["geom"] for row in rows))
    _number(connection, Counter(row["site_code"] for row in rows))
    if events:
        _append(connection, events)


def _append(connection: sa.Connection, events: Sequence[dict[str, Any]]) -> None:
    """Add rows to the chain of the audit trail."""
    last, prev_hash = connection.execute(sa.select(_HEAD.c.rows, _HEAD.c.hash)).one()
    at, rows = now(), []
    for number, event in enumerate(events, start=last + 1):
        row = {"id": number, "at": at, **event, "prev_hash": prev_hash}
        prev_hash = row["hash"] = sha256({name: as_plain(value) for name, value in row.items()})
        rows.append(row)
    connection.execute(sa.insert(_AUDIT), rows)
    connection.execute(sa.update(_HEAD).values(rows=last + len(rows), hash=prev_hash))


def _number(connection: sa.Connection, versions: Counter[str]) -> None:
    """Give each site the number of its present version; all have 1 already."""
    sites = sa.table("sites", sa.column("code", sa.Text), sa.column("version", sa.Integer))
    for code, count in versions.items():
        if count > 1:
            connection.execute(sa.update(sites).where(sites.c.code == code).values(version=count))


def _versions(site: Any, trail: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Every version of a site, the first one first; read back from the present one through what each change was."""
    state = {name: site[name] for name in _VERSIONED}
    found = []
    for event in reversed(trail):
        was = {name: value for name, value in event["details"].get("was", {}).items() if name in _VERSIONED}
        if was or event["action"] == "added":
            found.append((event["at"], state))
            state = state | {name: _value_of(name, value) for name, value in was.items()}
    # A site of which the trail says nothing was slipped in: it gets its version, and verification goes on to name it.
    for number, (at, columns) in enumerate(reversed(found or [(now(), state)]), start=1):
        row = {"site_code": site["code"], "version": number, "valid_from": at, **columns, "rules": None}
        plain = {name: as_plain(value, _SITE_VERSIONS.c[name].type) for name, value in row.items()}
        yield {**row, "content_hash": sha256(plain)}


def _notes(code: str, versions: Sequence[dict[str, Any]], trail: Sequence[Any]) -> Iterator[dict[str, Any]]:
    # The site itself did not change: its digest is that of its last audit row.
    for last in trail[-1:]:
        details = {"versions": {str(row["version"]): row["content_hash"] for row in versions}}
        yield {
            "action": "versioned",
            "kind": "site",
            "subject": code,
            "site_code": code,
            "details": details,
            "content_hash": last["content_hash"],
        }


def _value_of(name: str, plain: Any) -> Any:
    """A value as the audit trail wrote it, as the column holds it."""
    if plain is None or _VERSIONED[name] in (sa.Double, Json):
        return plain
    return date.fromisoformat(plain) if _VERSIONED[name] is sa.Date else shape(plain)


def _register() -> None:
    register("site_versions", "Every outline and plan that a site has had, append-only", layer=True)
    register("candidates", "Changes outside every site; state, who and note are what people made of them", layer=True)
    register("campaigns", "Programmes with their targets")
    register("batches", "Groups of sites with one due date")
    register("moves", "What people did to the status of sites, append-only")
    register("decisions", "What people answered to questions about sites, append-only")
    register("findings", "What must be put right on sites by a date, and how it was")
    register("inspections", "Visits to sites, append-only")
    register("attachments", "Photos and documents of sites, append-only")
