"""Leases: which item of the queue is before whom. They pass with time and stand in no audit trail."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from cvpipe.domain import Question
from cvpipe.ledger.columns import now
from cvpipe.ledger.records import ItemKey, Lease, LeaseState
from cvpipe.ledger.schema import Row, leases


def take(connection: Connection, items: Iterable[ItemKey], who: str, until: datetime, count: int) -> list[ItemKey]:
    """Put the first `count` of `items` that nobody else has before a person, who gives back all others they had.

    No more of `items` are looked at than it takes. The transaction must be a writing one: it is alone, so that no two
    persons get the same item.
    """
    connection.execute(delete(leases).where(leases.c.until < now()))
    held = leases.c.state == LeaseState.HELD.value
    connection.execute(delete(leases).where(leases.c.who == who, held))
    taken = {_item_of(row) for row in connection.execute(select(leases).where(held)).mappings()}
    free = list(islice((item for item in items if item not in taken), count))
    for item in free:
        put(connection, Lease(item, who, LeaseState.HELD, until))
    return free


def put(connection: Connection, lease: Lease) -> None:
    """Note a lease in place of the person's earlier one on the same item."""
    release(connection, [lease.item], lease.who)
    columns = {"who": lease.who, "state": lease.state.value, "until": lease.until, "note": lease.note}
    connection.execute(insert(leases), {**_key_columns(lease.item), **columns})


def release(connection: Connection, items: Collection[ItemKey], who: str) -> None:
    """Give items back; one that the person did not have is no error."""
    for item in items:
        same = (leases.c.assessment_key == item.assessment_key, leases.c.question == item.question.value)
        connection.execute(delete(leases).where(*same, leases.c.who == who))


def present(connection: Connection) -> list[Lease]:
    """Leases that have not run out."""
    query = select(leases).where(leases.c.until >= now()).order_by(leases.c.id)
    return [_lease_of(row) for row in connection.execute(query).mappings()]


def _lease_of(row: Row) -> Lease:
    return Lease(_item_of(row), row["who"], LeaseState(row["state"]), row["until"], row["note"])


def _item_of(row: Row) -> ItemKey:
    return ItemKey(row["assessment_key"], Question(row["question"]))


def _key_columns(item: ItemKey) -> dict[str, Any]:
    return {"assessment_key": item.assessment_key, "question": item.question.value}
