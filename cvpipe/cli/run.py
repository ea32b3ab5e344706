"""`cvpipe run`: assess every site on every new scene, and write it into the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvpipe.cli import console
from cvpipe.cli.run_options import (
    DeviceOption,
    EngineName,
    EngineOption,
    PartOption,
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
from cvpipe.cli.workspace import JsonOption, WorkspaceOption
from cvpipe.errors import RunFailedError

if TYPE_CHECKING:
    from cvpipe.run import Failure, Plan, RunSummary
    from cvpipe.run.estimate import Speed
    from cvpipe.run.whole_scenes import ScenePair


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    workspace: WorkspaceOption = Path(),
    site: SiteOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be written, and why.")] = False,
    before: Annotated[
        str | None,
        typer.Option(
            metavar="SCENE|DATE",
            help="Compare with this epoch, not the chosen baseline: a day, or a scene's path or id.",
        ),
    ] = None,
    after: Annotated[
        str | None, typer.Option(metavar="SCENE|DATE", help="Assess this later epoch only: a day, or a scene.")
    ] = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    retry: RetryOption = False,
    sweep: SweepOption = False,
    part: PartOption = None,
    engine: EngineOption = EngineName.LOCAL,
    ray_address: RayAddressOption = None,
    ray_cpus: RayCpusOption = None,
    ray_workers: RayWorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the epochs of each site and record verdicts and changes; a repeated run writes nothing new.

    Units that fail are tried again, then set aside: later runs try them after ever longer pauses, or with --retry, or
    where --site names them.
    """
    from cvpipe.ledger import Workspace
    from cvpipe.run import opened, plan_opened, run_opened
    from cvpipe.run.estimate import speed_of
    from cvpipe.run.parts import lease_of
    from cvpipe.run.sweep import pairs_to_sweep

    ray = ray_options(engine, ray_address, ray_cpus, ray_workers)
    options = run_options(site, device, runtime, ray, retry=retry, sweep=sweep, epochs=(before, after), part=part)
    where = Workspace.open(workspace)
    with nullcontext() if dry_run else lease_of(where, options.part), opened(where, options) as job:
        if ray is None:
            console.err.print(getattr(job.network, "runs_on", ""), soft_wrap=True, markup=False)
        with console.progress("choosing epochs", len(job.sites)) if console.err.is_terminal else nullcontext() as step:
            plan = plan_opened(job, progress=step, loads=dry_run)
        swept = pairs_to_sweep(job.choosing.scenes) if sweep else []
        if dry_run:
            speed = speed_of(job.ledger.runs(), job.network.digest, job.device)
            _print_plan(plan, speed, [(one, one.megapixels(job.network.gsd_m)) for one in swept], as_json=as_json)
            _end_with(plan.failures)
            return
        with console.progress("assessing", len(plan.pending) + len(swept)) as step:
            summary = run_opened(job, progress=step)
    if as_json:
        console.print_json(_plain(summary))
    else:
        _print_summary(summary)
    _end_with(summary.failures, summary.stopped, listed=True)


def _end_with(failures: Sequence[Failure], stopped: str | None = None, *, listed: bool = False) -> None:
    """Raise RunFailedError where there are failures; each gets its line unless it has been listed."""
    if not listed:
        _print_failures(failures)
    if stopped:
        raise RunFailedError(f"the run stopped early: {stopped}", remedy="What it wrote is kept; run again to go on.")
    if failures:
        resting = sum(failure.rests_until is not None for failure in failures)
        told = f", {resting} of which rest after earlier failures and were not tried" if resting else ""
        raise RunFailedError(
            f"{len(failures)} pairs could not be assessed{told}",
            where="run",
            remedy="They are listed above; `cvpipe run --retry` tries all of them again.",
        )


def _print_plan(plan: Plan, speed: Speed, swept: Sequence[tuple[ScenePair, float]], *, as_json: bool) -> None:
    load = plan.load
    if as_json:
        told = {
            "units": load.units,
            "megapixels": round(load.megapixels, 2),
            "read_megapixels": round(load.read_megapixels, 2),
            "read_megabytes": round(load.megabytes, 1),
            "seconds": round(speed.seconds(load), 1),
            "megapixels_per_second": round(speed.mpx_per_s, 2),
            "speed_is": speed.basis,
        }
        told_of_sweep = [
            {"before": one.before.uri, "after": one.after.uri, "megapixels": round(mpx, 2)} for one, mpx in swept
        ]
        console.print_json({"estimate": told, "pairs": [asdict(pair) for pair in plan.pairs], "sweep": told_of_sweep})
        return
    _print_choices(plan)
    pending = plan.pending
    rows = [(p.site_code, p.kind.value, p.before, p.after, p.why and p.why.value) for p in pending]
    columns = ("site", "asks", "before", "after", "new because")
    console.print_table("Assessments that a run would write", columns, rows)
    for pair in plan.resting:
        console.out.print(f"{pair.site_code} {pair.after or ''}: {pair.rests}", soft_wrap=True, markup=False)
    if swept:
        whole = [(one.before.acquired, one.after.acquired, mpx) for one, mpx in swept]
        console.print_table("Whole scenes that a sweep compares, or has compared", ("before", "after", "Mpx"), whole)
    touched, unchanged = plan.sites
    console.out.print(
        f"{len(pending)} of {len(plan.pairs)} pairs are pending, on {touched} sites; {unchanged} sites are "
        "up to date. Verdicts need the network; rebound is asked once demolition was seen complete.",
        soft_wrap=True,
    )
    console.out.print(
        f"{load.units:,} looks, one at ground that sites share: {load.megapixels:,.1f} Mpx for the network; "
        f"{load.read_megapixels:,.1f} Mpx to read, up to {load.megabytes:,.0f} MB; "
        f"about {_duration(speed.seconds(load))} ({speed.mpx_per_s:.1f} Mpx/s, {speed.basis})",
        soft_wrap=True,
    )


def _duration(seconds: float) -> str:
    """Whole hours, minutes and seconds: "2 h 05 min", "3 min", "20 s"."""
    minutes = round(seconds / 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes} min" if seconds >= 120 else f"{max(round(seconds), 1)} s"


def _print_choices(plan: Plan) -> None:
    """For each site its baseline and its newest usable epoch, and why; then what was passed over."""
    rows = [(p.site_code, _epoch(p.before, p.before_scenes), p.newest_usable, p.reason) for p in plan.choices]
    console.print_table("Epochs of each site", ("site", "baseline", "newest usable", "because"), rows)
    told = [(code, one.acquired, ", ".join(one.scenes), one.why) for code, one in plan.passed_over()]
    if told:
        console.print_table("Passed over", ("site", "epoch", "scenes", "because"), told)


def _epoch(day: date | None, scenes: Sequence[str]) -> str | None:
    if day is None:
        return None
    if len(scenes) < 2:
        return day.isoformat()
    return f"{day} ({len(scenes)} scenes: {', '.join(scenes)})"


def _print_failures(failures: Sequence[Failure]) -> None:
    for failure in failures:
        text = f"failed: {failure.site_code} {failure.epoch or ''}: {failure.reason}"
        console.err.print(text, soft_wrap=True, markup=False)


def _print_summary(summary: RunSummary) -> None:
    rows = [
        (question.value, outcome.value, count)
        for (question, outcome), count in sorted(summary.outcomes.items(), key=lambda item: (*item[0],))
    ]
    if rows:
        console.print_table("New verdicts", ("question", "outcome", "sites × epochs"), rows)
    for reason, count in summary.not_assessable.most_common():
        console.out.print(f"not assessable for {reason.value}: {count} pairs")
    _print_failures(summary.failures)
    speed = summary.megapixels / summary.seconds if summary.seconds else 0.0
    console.out.print(
        f"{summary.sites} sites: {summary.assessed} pairs assessed, {summary.known} known already, "
        f"{len(summary.failures)} failed; {summary.changes} changes recorded; "
        f"{summary.seconds:.1f} s, {speed:.1f} Mpx/s",
        soft_wrap=True,
    )
    if summary.candidates or summary.seen_again:
        console.out.print(
            f"{summary.candidates} new candidates outside every site, {summary.seen_again} seen again; "
            "`cvpipe candidates list` shows them."
        )


def _plain(summary: RunSummary) -> dict[str, Any]:
    return {
        "run_id": summary.run_id,
        **{name: count for name, count in summary.counts().items() if name not in {"kilopixels", "milliseconds"}},
        "outcomes": [
            {"question": question, "outcome": outcome, "count": count}
            for (question, outcome), count in sorted(summary.outcomes.items())
        ],
        "not_assessable_by_reason": dict(summary.not_assessable),
        "failures": [asdict(failure) for failure in summary.failures],
        "tried_again": summary.tried_again,
        "stopped": summary.stopped,
        "megapixels": round(summary.megapixels, 2),
        "seconds": round(summary.seconds, 2),
    }
