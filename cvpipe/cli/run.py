"""`cvpipe run`: assess every site on every new scene, and write it into the ledger."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvpipe.cli import console
from cvpipe.cli.detect import Device
from cvpipe.cli.workspace import JsonOption, WorkspaceOption
from cvpipe.errors import RunFailedError

if TYPE_CHECKING:
    from cvpipe.run import PlannedPair, RunSummary


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    workspace: WorkspaceOption = Path(),
    site: Annotated[list[str] | None, typer.Option("--site", help="Only this site; may be given again.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be written, and why.")] = False,
    device: Annotated[Device | None, typer.Option(help="Where the network runs; else as cvpipe.yaml says.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the epochs of each site and record verdicts and changes; a repeated run writes nothing new."""
    from cvpipe.ledger import Workspace
    from cvpipe.run import RunOptions, plan
    from cvpipe.run import run as run_job

    place = Workspace.open(workspace)
    options = RunOptions(codes=site, device=device.value if device else None)
    pairs = plan(place, options)
    if dry_run:
        _print_plan(pairs, as_json=as_json)
        return
    with console.progress("assessing", sum(not pair.known for pair in pairs)) as step:
        summary = run_job(place, options, progress=step)
    if as_json:
        console.print_json(_plain(summary))
    else:
        _print_summary(summary)
    if summary.failures:
        raise RunFailedError(
            f"{len(summary.failures)} pairs could not be assessed",
            where="run",
            remedy="They are listed above; `cvpipe run` tries them again.",
        )


def _print_plan(pairs: list[PlannedPair], *, as_json: bool) -> None:
    if as_json:
        console.print_json([asdict(pair) for pair in pairs])
        return
    pending = [pair for pair in pairs if not pair.known]
    rows = [(p.site_code, p.kind.value, p.before, p.after, p.why and p.why.value, p.reason) for p in pending]
    columns = ("site", "asks", "before", "after", "new because", "baseline")
    console.print_table("Assessments that a run would write", columns, rows)
    touched = {pair.site_code for pair in pending}
    unchanged = {pair.site_code for pair in pairs} - touched
    console.out.print(
        f"{len(pending)} of {len(pairs)} pairs are pending, on {len(touched)} sites; {len(unchanged)} sites are up to "
        "date. Verdicts need the network; rebound is asked once demolition was seen complete.",
        soft_wrap=True,
    )


def _print_summary(summary: RunSummary) -> None:
    rows = [
        (question.value, outcome.value, count)
        for (question, outcome), count in sorted(summary.outcomes.items(), key=lambda item: (*item[0],))
    ]
    if rows:
        console.print_table("New verdicts", ("question", "outcome", "sites × epochs"), rows)
    for reason, count in summary.not_assessable.most_common():
        console.out.print(f"not assessable for {reason.value}: {count} pairs")
    for failure in summary.failures:
        text = f"failed: {failure.site_code} {failure.epoch or ''}: {failure.reason}"
        console.err.print(text, soft_wrap=True, markup=False)
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
