"""Accounts, log-ins, sessions, leases and labels: what the reviewers' page keeps."""

from __future__ import annotations

import sqlalchemy as sa

from cvpipe.ledger.columns import Instant, Json
from cvpipe.ledger.migrations.building import add_index, create_table_on_both, forbid_rewriting, register

revision = "0006_review"
down_revision = "0005_what_was_seen"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_accounts()
    _create_leases()
    _create_labels()
    for table in ("log_ins", "labels"):
        forbid_rewriting(table)
    register("labels", "What people say changed on a site, outlined by hand, append-only", layer=True)
    register("accounts", "Who may use the reviewers' page, and as what")
    register("log_ins", "Log-ins and refused ones, append-only")
    register("sessions", "Who is logged in; only a hash of what the browser holds")
    register("leases", "Which item of the queue is before whom, and until when")


def _create_accounts() -> None:
    create_table_on_both(
        "accounts",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("name", "role", "password_hash")),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.UniqueConstraint("name", name="uq_accounts_name"),
    )
    create_table_on_both(
        "log_ins",
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("at", Instant, nullable=False),
    )
    add_index("log_ins", "account", "at")
    create_table_on_both(
        "sessions",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("token_hash", "account", "csrf")),
        *(sa.Column(name, Instant, nullable=False) for name in ("started_at", "seen_at")),
        sa.ForeignKeyConstraint(["account"], ["accounts.name"], name="fk_sessions_account"),
        sa.UniqueConstraint("token_hash", name="uq_sessions_token_hash"),
    )
    add_index("sessions", "account")


def _create_leases() -> None:
    create_table_on_both(
        "leases",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("assessment_key", "question", "who", "state")),
        sa.Column("until", Instant, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.UniqueConstraint("assessment_key", "question", "who", name="uq_leases_assessment_key_question_who"),
    )


def _create_labels() -> None:
    create_table_on_both(
        "labels",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("site_code", "assessment_key", "who")),
        sa.Column("at", Instant, nullable=False),
        sa.Column("changes", Json, nullable=False),
        sa.ForeignKeyConstraint(["site_code"], ["sites.code"], name="fk_labels_site_code"),
        sa.ForeignKeyConstraint(["assessment_key"], ["assessments.key"], name="fk_labels_assessment_key"),
        layer=True,
    )
    add_index("labels", "site_code")
    add_index("labels", "assessment_key")
