"""Accounts of the reviewers' page, their log-ins, and the sessions of those who are logged in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from cvpipe.domain import Account, LogInOutcome, Role
from cvpipe.ledger import entries
from cvpipe.ledger.columns import now
from cvpipe.ledger.records import Session
from cvpipe.ledger.schema import Row, accounts, sessions
from cvpipe.ledger.schema import log_ins as log_in_rows

#: Sessions, each with its account.
_SESSIONS = select(
    *(sessions.c[name] for name in Session.__dataclass_fields__),
    *(accounts.c[name] for name in ("name", "role", "password_hash", "active")),
).join(accounts, accounts.c.name == sessions.c.account)


def put(connection: Connection, account: Account) -> bool:
    """Add an account, or update it by name; returns whether anything was written. The audit row tells no hash."""
    entries.refuse_blank("the name of the account", account.name)
    news = {"role": account.role.value, "password_hash": account.password_hash, "active": account.active}
    told = {"role": account.role.value, "active": account.active}
    row = _row_of(connection, account.name)
    if row is None:
        entries.enter(connection, "account", {"name": account.name, **news, "at": now()}, details=told)
        return True
    if all(row[name] == value for name, value in news.items()):
        return False
    new_password = {"new_password": True} if row["password_hash"] != account.password_hash else {}
    entries.change(connection, "account", row, news, action="changed", details={**told, **new_password})
    close_sessions_of(connection, account.name)
    return True


def named(connection: Connection, name: str) -> Account | None:
    """The account of that name; None where there is none."""
    row = _row_of(connection, name)
    return None if row is None else _account_of(row)


def all_accounts(connection: Connection) -> list[Account]:
    """Accounts by name."""
    return [_account_of(row) for row in connection.execute(select(accounts).order_by(accounts.c.name)).mappings()]


def note_log_in(connection: Connection, account: str, outcome: LogInOutcome) -> None:
    """Append an attempt to log in; `account` is empty for a name that there is not: it may be a password."""
    entries.enter(connection, "log_in", {"account": account, "outcome": outcome.value, "at": now()})


def log_ins(
    connection: Connection, account: str | None, since: datetime | None, limit: int
) -> list[tuple[datetime, str, LogInOutcome]]:
    """Attempts to log in as (when, account, how it ended), the newest first."""
    query = select(log_in_rows.c.at, log_in_rows.c.account, log_in_rows.c.outcome)
    query = query.order_by(log_in_rows.c.id.desc()).limit(limit)
    if account is not None:
        query = query.where(log_in_rows.c.account == account)
    if since is not None:
        query = query.where(log_in_rows.c.at >= since)
    return [(at, name, LogInOutcome(outcome)) for at, name, outcome in connection.execute(query)]


def open_session(connection: Connection, session: Session, *, expired_before: datetime) -> None:
    """Note that somebody is logged in; sessions that were not seen since `expired_before` go."""
    connection.execute(delete(sessions).where(sessions.c.seen_at < expired_before))
    connection.execute(insert(sessions), vars(session))


def session(connection: Connection, token_hash: str) -> tuple[Session, Account] | None:
    """The session of that hash with its account; None where there is none or the account is closed."""
    found = connection.execute(_SESSIONS.where(sessions.c.token_hash == token_hash)).mappings().first()
    if found is None or not found["active"]:
        return None
    return Session(**{name: found[name] for name in Session.__dataclass_fields__}), _account_of(found)


def see_session(connection: Connection, token_hash: str, at: datetime) -> None:
    """Note that a session was used."""
    connection.execute(update(sessions).where(sessions.c.token_hash == token_hash).values(seen_at=at))


def close_session(connection: Connection, token_hash: str) -> None:
    """Log a session out; one that is not there is no error."""
    connection.execute(delete(sessions).where(sessions.c.token_hash == token_hash))


def close_sessions_of(connection: Connection, account: str) -> None:
    """Log an account out everywhere."""
    connection.execute(delete(sessions).where(sessions.c.account == account))


def _row_of(connection: Connection, name: str) -> Row | None:
    return connection.execute(select(accounts).where(accounts.c.name == name)).mappings().first()


def _account_of(row: Row) -> Account:
    return Account(row["name"], Role(row["role"]), row["password_hash"], bool(row["active"]))
