"""Moves: what people did to the status of sites. A site's status changes by an entry here, and in no other way."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, select

from cvpipe.domain import Move, SiteStatus, StatusMove
from cvpipe.ledger import entries
from cvpipe.ledger.columns import now
from cvpipe.ledger.records import Entry
from cvpipe.ledger.schema import Row, moves
from cvpipe.life import NEEDS_REASON


def enter_all(connection: Connection, made: Sequence[StatusMove]) -> list[Entry[StatusMove]]:
    """Note moves of sites whose rows have the new statuses already.

    Raises LedgerError where nobody is named or a reason is wanting.
    """
    if not made:
        return []
    for one in made:
        entries.refuse_blank("who moves the site", one.who)
        if one.move in NEEDS_REASON:
            entries.refuse_blank(f"the reason to {one.move.replace('_', ' ')} the site", one.reason)
    at = now()
    rows = [{**_columns(one), "at": at} for one in made]
    ids = entries.enter_all(connection, "move", rows, [one.move.value for one in made])
    return [Entry(number, at, one) for number, one in zip(ids, made, strict=True)]


def all_moves(connection: Connection, codes: Collection[str] | None) -> list[Entry[StatusMove]]:
    """Moves of all sites, or of some, in the order they were made."""
    query = select(moves).order_by(moves.c.id)
    if codes is not None:
        query = query.where(moves.c.site_code.in_(codes))
    return [Entry(row["id"], row["at"], _move_of(row)) for row in connection.execute(query).mappings()]


def _columns(made: StatusMove) -> dict[str, Any]:
    return {
        "site_code": made.site_code,
        "was": made.was.value,
        "becomes": made.becomes.value,
        "move": made.move.value,
        "who": made.who,
        "reason": made.reason,
        "effective": made.effective,
    }


def _move_of(row: Row) -> StatusMove:
    was, becomes = SiteStatus(row["was"]), SiteStatus(row["becomes"])
    move = Move(row["move"])
    return StatusMove(row["site_code"], was, becomes, move, row["who"], row["reason"], row["effective"])
