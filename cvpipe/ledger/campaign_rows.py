"""Campaigns with their targets, and their batches of sites with one due date."""

from __future__ import annotations

from typing import TypeVar

from sqlalchemy import Connection, select

from cvpipe.domain import Batch, Campaign
from cvpipe.errors import LedgerError
from cvpipe.ledger import audit, entries
from cvpipe.ledger.schema import AUDITED, batches, campaigns

Named = TypeVar("Named", Campaign, Batch)


def put_campaign(connection: Connection, campaign: Campaign) -> bool:
    """Add a campaign, or update it by name; returns whether anything was written. Raises LedgerError."""
    if campaign.starts and campaign.ends and campaign.ends < campaign.starts:
        raise LedgerError(
            f"it ends on {campaign.ends}, before it starts on {campaign.starts}",
            where=f"campaign {campaign.name}",
            remedy="Correct the dates.",
        )
    return _put(connection, "campaign", campaign)


def put_batch(connection: Connection, batch: Batch) -> bool:
    """Add a batch, or update it by name; returns whether anything was written. Raises LedgerError."""
    known = {campaign.name for campaign in all_campaigns(connection)}
    if batch.campaign not in known:
        raise LedgerError(
            f"there is no campaign {batch.campaign!r}",
            where=f"batch {batch.name}",
            remedy=f"Name one of: {', '.join(sorted(known))}." if known else "Add it with `cvpipe campaigns add`.",
        )
    return _put(connection, "batch", batch)


def all_campaigns(connection: Connection) -> list[Campaign]:
    """Campaigns, the one that starts first at the front; those without a date come last."""
    query = select(campaigns).order_by(campaigns.c.starts.nulls_last(), campaigns.c.name)
    return [_value(Campaign, row) for row in connection.execute(query).mappings()]


def all_batches(connection: Connection) -> list[Batch]:
    """Batches by due date; those without one come last."""
    query = select(batches).order_by(batches.c.due_date.nulls_last(), batches.c.name)
    return [_value(Batch, row) for row in connection.execute(query).mappings()]


def _put(connection: Connection, kind: str, value: Campaign | Batch) -> bool:
    entries.refuse_blank(f"the name of the {kind}", value.name)
    table, _ = AUDITED[kind]
    old = connection.execute(select(table).where(table.c.name == value.name)).mappings().first()
    if old is None:
        entries.enter(connection, kind, vars(value), action="added")
        return True
    news = {name: new for name, new in vars(value).items() if old[name] != new}
    if news:
        was, becomes = ({name: audit.as_plain(row[name]) for name in news} for row in (old, news))
        entries.change(connection, kind, old, news, action="changed", details={"was": was, "becomes": becomes})
    return bool(news)


def _value(kind: type[Named], row: object) -> Named:
    columns = {name: value for name, value in dict(row).items() if name != "id"}  # type: ignore[call-overload]
    return kind(**columns)
