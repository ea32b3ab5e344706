"""`cvpipe schedule`: look for new scenes and run, at set times, until stopped."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvpipe.cli import console
from cvpipe.cli.run_options import (
    DeviceOption,
    EngineName,
    EngineOption,
    RayAddressOption,
    RayCpusOption,
    RayWorkersOption,
    RetryOption,
    RuntimeOption,
    SiteOption,
    SweepOption,
    ray_options,
    run_options,
)
from cvpipe.cli.workspace import WorkspaceOption
from cvpipe.errors import RunFailedError, UsageError

if TYPE_CHECKING:
    from cvpipe.ledger import Workspace
    from cvpipe.run import RunOptions
    from cvpipe.run.metrics import RunMetrics
    from cvpipe.run.schedule import Round
    from cvpipe.settings import ScheduleSettings


class LogStyle(StrEnum):
    """How the log is written."""

    TEXT = "text"
    JSON = "json"


#: Times that `--dry-run` prints.
TIMES_SHOWN = 5


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("schedule")(schedule)


def schedule(
    workspace: WorkspaceOption = Path(),
    cron: Annotated[
        list[str] | None, typer.Option("--cron", help='When, as "minute hour day month weekday"; may be given again.')
    ] = None,
    time_zone: Annotated[str | None, typer.Option(help="Of these times, such as Asia/Shanghai.")] = None,
    once: Annotated[
        bool, typer.Option("--once", help="One round now, then end: for cron, systemd, Kubernetes.")
    ] = False,
    now: Annotated[bool, typer.Option("--now", help="One round at once, then at the times.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the next times.")] = False,
    site: SiteOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    retry: RetryOption = False,
    sweep: SweepOption = False,
    engine: EngineOption = EngineName.LOCAL,
    ray_address: RayAddressOption = None,
    ray_cpus: RayCpusOption = None,
    ray_workers: RayWorkersOption = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Answer Prometheus at this port; 0 for a free one.")
    ] = None,
    metrics_host: Annotated[str, typer.Option(help="Address of that port.")] = "127.0.0.1",
    log: Annotated[
        LogStyle, typer.Option(help="Lines of text, or one JSON object per line; on stderr.")
    ] = LogStyle.TEXT,
) -> None:
    """Look for new scenes in the watched places and run, at the times that cvpipe.yaml or --cron say.

    Each run is asked what `cvpipe run` would be asked by the options of the same names.
    """
    from cvpipe.ledger import Workspace

    ray = ray_options(engine, ray_address, ray_cpus, ray_workers)
    asked = run_options(site, device, runtime, ray, retry=retry, sweep=sweep)

    place = Workspace.open(workspace)
    times = _times(place.settings().schedule, cron, time_zone)
    if dry_run:
        _print_times(times)
        return
    _log(log)
    metrics = _metrics(metrics_host, metrics_port)
    if once:
        _end(_round(place, asked, metrics))
        return
    from cvpipe.run.schedule import keep_time

    keep_time(times, lambda: _round(place, asked, metrics), at_once=now)


def _times(stated: ScheduleSettings, cron: list[str] | None, time_zone: str | None) -> ScheduleSettings:
    """The schedule of the settings with what the call says otherwise; refused where it is none."""
    from cvpipe.run.schedule import triggers

    given = {"cron": tuple(cron) if cron else None, "time_zone": time_zone}
    times = stated.model_copy(update={name: value for name, value in given.items() if value is not None})
    triggers(times)
    return times


def _log(style: LogStyle) -> None:
    from cvpipe.run.logs import log_to

    log_to(sys.stderr, style.value)


def _metrics(host: str, port: int | None) -> RunMetrics:
    """The figures of this schedule, answered at a port where one is asked for."""
    from cvpipe.run.metrics import RunMetrics

    metrics = RunMetrics.new()
    if port is not None:
        try:
            found = metrics.serve(port, host)
        except OSError as error:
            raise UsageError(f"port {port} cannot be used ({error.strerror})", remedy="Give another port.") from error
        console.err.print(f"metrics: http://{host}:{found}/metrics", soft_wrap=True, markup=False)
    return metrics


def _round(place: Workspace, asked: RunOptions, metrics: RunMetrics) -> Round:
    from cvpipe.run.schedule import play_round, show

    played = play_round(place, asked)
    show(metrics, place, played)
    return played


def _end(played: Round) -> None:
    if played.failed:
        raise RunFailedError("the round needs a person", where="schedule", remedy="The lines above say what for.")


def _print_times(times: ScheduleSettings) -> None:
    from cvpipe.run.schedule import next_times

    for moment in next_times(times, TIMES_SHOWN):
        console.out.print(f"{moment:%a %Y-%m-%d %H:%M %Z}")
