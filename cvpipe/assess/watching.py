"""The watch of closed sites: since when, against which epoch, and when somebody should look again.

A watch begins with the first epoch at which demolition was seen complete, and anew with each closing: what stood when
a person closed the site is no rebound. It goes on for years and round again: closed, rebuilt, cleared, closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from cvpipe.assess.ladder import View, day_of
from cvpipe.assess.rules import WatchRules
from cvpipe.domain import Outcome, Question, SiteStatus, StatusMove
from cvpipe.ledger.records import Entry, SiteLife


def closings(status: SiteStatus, since: date, moves: Sequence[Entry[StatusMove]]) -> tuple[date, ...]:
    """The days on which a site was closed, in order.

    `status` is the present one and `since` the day on which the site came into the ledger: one that came in closed
    was closed by then.
    """
    first = moves[0].value.was if moves else status
    days = [since] if first is SiteStatus.CLOSED else []
    days += [day_of(move) for move in moves if move.value.becomes is SiteStatus.CLOSED]
    return tuple(sorted(days))


def watch_start(
    epoch: date, *, usable: Sequence[date], complete: date | None, closed: Sequence[date] = ()
) -> date | None:
    """The epoch against which a later one is watched for rebound; None where no watch runs yet.

    `usable` are the epochs that answered, the baseline among them; `complete` is the first at which demolition was
    complete. Of the last closing before `epoch` the last usable epoch up to it holds; where there is none, the first
    one after it.
    """
    before = [day for day in closed if day < epoch]
    if not before:
        return complete if complete is not None and complete < epoch else None
    start = max((day for day in usable if day <= before[-1]), default=min(usable, default=None))
    return start if start is not None and start < epoch else None


def recheck_due(life: SiteLife, views: Sequence[View], rebounds: int, rules: WatchRules) -> date | None:
    """The day by which a closed site should have been seen again; None for a site that is not closed.

    The more quiet epochs since it was closed, the longer the interval; each one begins with the last epoch or visit.
    """
    if life.site.status is not SiteStatus.CLOSED:
        return None
    closed = closings(life.site.status, life.since, life.moves)[-1]
    looks = [view.on for view in views if view.on > closed and view.answers.get(Question.REBOUND) is Outcome.NONE]
    days = rules.recheck_days[min(len(looks), len(rules.recheck_days) - 1)]
    interval = min(days, rules.after_rebound_days) if rebounds else days
    return max([closed, *looks]) + timedelta(days=interval)


__all__ = ["closings", "recheck_due", "watch_start"]
