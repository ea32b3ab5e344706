"""Runs at set times: look for new scenes, run, tell how it ended. A round that fails never ends the schedule.

APScheduler keeps the time: cron expressions in a time zone (summer time included); rounds that were missed while the
machine slept become one. A time that comes while the round before it still goes on is left out.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger

from cvpipe.errors import CvpipeError, LeaseError, SettingsError
from cvpipe.ledger import Workspace
from cvpipe.run.job import run
from cvpipe.run.metrics import RunMetrics
from cvpipe.run.notices import Notice, send
from cvpipe.run.order import RunOptions
from cvpipe.run.summary import RunSummary
from cvpipe.run.watching import Sighted, look_for_scenes
from cvpipe.settings import ScheduleSettings

LOG = logging.getLogger(__name__)

#: The metrics of the last scheduled run, below `runs/` of the workspace.
METRICS_NAME = "metrics.prom"


#: Weekdays as cron counts them.
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass
class Round:
    """One look and one run: `summary` is None where no run took place, `error` says why."""

    sighted: Sighted = field(default_factory=Sighted)
    summary: RunSummary | None = None
    error: str | None = None

    @property
    def failed(self) -> bool:
        """Whether anything in it needs a person."""
        ran_badly = self.summary is not None and bool(self.summary.failures or self.summary.stopped)
        return self.error is not None or bool(self.sighted.refused) or ran_badly

    def notice(self, name: str) -> Notice:
        """The round told for people and programs; `name` is that of the workspace."""
        figures: dict[str, Any] = {"workspace": name, "new_scenes": len(self.sighted.added)}
        if self.sighted.refused:
            figures["unusable_scenes"] = [f"{one.address}: {one.reason}" for one in self.sighted.refused]
        if self.summary is None:
            return Notice(f"{name}: no run: {self.error}", self.failed, figures)
        counts = self.summary.counts()
        if self.summary.failures:
            figures["failures"] = [f"{f.site_code} {f.epoch or ''}: {f.reason}" for f in self.summary.failures]
        if self.summary.stopped:
            figures["stopped"] = self.summary.stopped
        text = (
            f"{name}: {len(self.sighted.added)} new scenes, {counts['assessed']} pairs of epochs assessed, "
            f"{counts['not_assessable']} without an answer, {counts['failed']} failed"
        )
        counts["failed_pairs"] = counts.pop("failed")  # `failed` says whether the round was a failure
        return Notice(text, self.failed, figures | counts | {"seconds": round(self.summary.seconds, 1)})


def play_round(workspace: Workspace, options: RunOptions | None = None) -> Round:
    """Look for new scenes, run and send notices; whatever fails is told, not raised."""
    played = Round()
    try:
        played.sighted = look_for_scenes(workspace)
        for one in played.sighted.refused:
            LOG.warning("unusable: %s: %s", one.address, one.reason)
        played.summary = run(workspace, options)
    except LeaseError as error:
        played.error = str(error)
        LOG.warning(played.error)
    except CvpipeError as error:
        played.error = str(error)
        LOG.error(played.error)
    except Exception as error:  # the next round may find mended what this one stumbled over
        played.error = f"{type(error).__name__}: {error}"
        LOG.exception("a round failed")
    _tell(workspace, played)
    return played


def _tell(workspace: Workspace, played: Round) -> None:
    notice = played.notice(workspace.folder.resolve().name)
    LOG.info(notice.text, extra=notice.figures)
    try:
        settings = workspace.settings()
    except CvpipeError as error:
        LOG.error(str(error))
        return
    send(notice, settings.notices)


def triggers(settings: ScheduleSettings) -> list[CronTrigger]:
    """The times of a schedule. Raises SettingsError for an expression or a time zone that there is not.

    Where both the day of the month and the weekday are given, both must hold (cron would take either).
    """
    try:
        zone = ZoneInfo(settings.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        remedy = "Give an IANA name such as Europe/Paris or Asia/Shanghai."
        raise SettingsError(f"no time zone '{settings.time_zone}'", where="schedule.time_zone", remedy=remedy) from None
    if not settings.cron:
        raise SettingsError("no time is given", where="schedule.cron", remedy='Give one such as "0 2 * * *".')
    return [_trigger(expression, zone) for expression in settings.cron]


def _trigger(expression: str, zone: ZoneInfo) -> CronTrigger:
    fields = expression.split()
    if len(fields) != 5:
        found = f"'{expression}' has {len(fields)} fields, not five"
        raise SettingsError(found, where="schedule.cron", remedy="Write minute hour day month weekday: 0 2 * * *.")
    minute, hour, day, month, weekday = fields
    try:
        return CronTrigger(
            minute=minute, hour=hour, day=day, month=month, day_of_week=_weekdays(weekday), timezone=zone
        )
    except (ValueError, IndexError) as error:
        remedy = "Write minute hour day month weekday, for example 30 2 * * 1-5."
        raise SettingsError(f"'{expression}' is no time ({error})", where="schedule.cron", remedy=remedy) from None


def _weekdays(field: str) -> str:
    """Cron's weekdays (0 and 7 are Sunday) by name, one by one: APScheduler counts from Monday.

    Raises ValueError and IndexError for what is none.
    """
    return ",".join(name for part in field.split(",") for name in _days_of(part))


def _days_of(part: str) -> list[str]:
    days, _, step = part.lower().partition("/")
    if days == "*":
        days = "0-6"
    first, dash, last = days.partition("-")
    begin = _day(first)
    end = _day(last) if dash else begin
    if end < begin:
        end += 7  # fri-mon
    return [_DAYS[day % 7] for day in range(begin, end + 1, int(step or 1))]


def _day(text: str) -> int:
    if text in _DAYS:
        return _DAYS.index(text)
    number = int(text)
    if not 0 <= number <= 7:
        raise ValueError(f"weekday {number}")
    return number


def next_times(settings: ScheduleSettings, count: int, after: datetime | None = None) -> list[datetime]:
    """The next `count` moments at which a schedule runs, in its own time zone."""
    wanted = triggers(settings)
    moment = after or datetime.now(ZoneInfo(settings.time_zone))
    out: list[datetime] = []
    while len(out) < count:
        following = [
            t for t in (trigger.get_next_fire_time(out[-1] if out else None, moment) for trigger in wanted) if t
        ]
        if not following:
            break
        out.append(min(following))
        moment = datetime.fromtimestamp(out[-1].timestamp() + 1, out[-1].tzinfo)
    return out


def keep_time(settings: ScheduleSettings, play: Callable[[], object], *, at_once: bool = False) -> None:
    """Call `play` at the times of a schedule until SIGTERM or SIGINT; a round that is going on is finished first.

    `play` must not raise. At most one call runs at a time.
    """
    wanted = triggers(settings)
    one_at_a_time = {"default": ThreadPoolExecutor(1)}
    scheduler = BackgroundScheduler(executors=one_at_a_time, timezone=ZoneInfo(settings.time_zone))
    once = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    if at_once:
        scheduler.add_job(play, DateTrigger(), **once)
    for trigger in wanted:
        scheduler.add_job(play, trigger, **once)
    asked_to_stop: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        asked_to_stop.append(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    scheduler.start()
    try:
        while not asked_to_stop:
            time.sleep(0.5)
    finally:
        scheduler.shutdown(wait=True)
        for number, earlier in before.items():
            signal.signal(number, earlier)


def metrics_file(workspace: Workspace) -> Path:
    """Where the metrics of the last scheduled run are kept."""
    return workspace.runs / METRICS_NAME


def show(metrics: RunMetrics, workspace: Workspace, played: Round) -> None:
    """Put a round's figures where Prometheus finds them; without a run the earlier ones stay."""
    if played.summary is None:
        return
    metrics.take(played.summary, time.time())
    try:
        metrics.write(metrics_file(workspace))
    except OSError as error:
        LOG.warning("the metrics cannot be written (%s)", error)
