"""Which decisions stand: the one place that says so, for whoever reads decisions. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from cvpipe.domain import Decision, ReviewReason
from cvpipe.ledger.records import Entry


def standing(decisions: Iterable[Entry[Decision]]) -> list[Entry[Decision]]:
    """The decisions that nobody has superseded or taken back, in order."""
    entered = list(decisions)
    replaced = {entry.value.supersedes for entry in entered}
    return [e for e in entered if e.id not in replaced and e.value.reason != ReviewReason.WITHDRAWN]


__all__ = ["standing"]
