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
from cvpipe.cli.detect import Device
from cvpipe.cli.workspace import JsonOption, WorkspaceOption
from cvpipe.errors import RunFailedError

if TYPE_CHECKING:
    from cvpipe.run import Failure, Plan, PlannedPair, RunSummary


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    workspace: WorkspaceOption = Path(),
    site: Annotated[list[str] | None, typer.Option("--site", help="Only this site; may be given again.")] = None,
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
    device: Annotated[Device | None, typer.Option(help="Where the network runs; else as cvpipe.yaml says.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the epochs of each site and record verdicts and changes; a repeated run writes nothing new."""
    from cvpipe.ledger import Workspace
    from cvpipe.run import RunOptions, opened, plan_opened, run_opened

    options = RunOptions(codes=site, device=device.value if device else None, before=before, after=after)
    with opened(Workspace.open(workspace), options) as job:
        with console.progress("choosing epochs", len(job.sites)) if console.err.is_terminal else nullcontext() as step:
            plan = plan_opened(job, progress=step)
        if dry_run:
            _print_plan(plan, as_json=as_json)
            _end_with(plan.failures)
            return
        with console.progress("assessing", sum(not pair.known for pair in plan.pairs)) as step:
            summary = run_opened(job, progress=step)
    if as_json:
        console.print_json(_plain(summary))
    else:
        _print_summary(summary)
    _end_with(summary.failures, listed=True)


def _end_with(failures: Sequence[Failure], *, listed: bool = False) -> None:
    """Raise RunFailedError where there are failures; each gets its line unless it has been listed."""
    if not listed:
        _print_failures(failures)
    if failures:
        raise RunFailedError(
            f"{len(failures)} pairs could not be assessed",
            where="run",
            remedy="They are listed above; `cvpipe run` tries them again.",
        )


def _print_plan(plan: Plan, *, as_json: bool) -> None:
    if as_json:
        console.print_json([asdict(pair) for pair in plan.pairs])
        return
    _print_choices(plan.pairs)
    pending = [pair for pair in plan.pairs if not pair.known]
    rows = [(p.site_code, p.kind.value, p.before, p.after, p.why and p.why.value) for p in pending]
    columns = ("site", "asks", "before", "after", "new because")
    console.print_table("Assessments that a run would write", columns, rows)
    touched = {pair.site_code for pair in pending}
    unchanged = {pair.site_code for pair in plan.pairs} - touched
    console.out.print(
        f"{len(pending)} of {len(plan.pairs)} pairs are pending, on {len(touched)} sites; {len(unchanged)} sites are "
        "up to date. Verdicts need the network; rebound is asked once demolition was seen complete.",
        soft_wrap=True,
    )


def _print_choices(pairs: Sequence[PlannedPair]) -> None:
    """For each site its baseline and its newest usable epoch, and why; then what was passed over."""
    by_choice = {(p.site_code, p.before, p.reason): p for p in pairs if p.kind.value == "remediation"}
    rows = [(p.site_code, _epoch(p.before, p.before_scenes), p.newest_usable, p.reason) for p in by_choice.values()]
    console.print_table("Epochs of each site", ("site", "baseline", "newest usable", "because"), rows)
    passed = {(p.site_code, one): None for p in pairs for one in p.passed_over}
    if passed:
        told = [(code, one.acquired, ", ".join(one.scenes), one.why) for code, one in passed]
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


def _plain(summary: RunSummary) -> dict[str, Any]:
    return {
        "run_id": summary.run_id,
        **summary.counts(),
        "outcomes": [
            {"question": question, "outcome": outcome, "count": count}
            for (question, outcome), count in sorted(summary.outcomes.items())
        ],
        "not_assessable_by_reason": dict(summary.not_assessable),
        "failures": [asdict(failure) for failure in summary.failures],
        "megapixels": round(summary.megapixels, 2),
        "seconds": round(summary.seconds, 2),
    }
