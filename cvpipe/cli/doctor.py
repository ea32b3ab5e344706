"""`cvpipe doctor`: is everything here that a run needs, and if not, what to do."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cvpipe.cli import console
from cvpipe.cli.tongue import said
from cvpipe.cli.workspace import JsonOption, WorkspaceOption
from cvpipe.errors import RunFailedError

MARKS = {"good": "ok", "warning": "!!", "problem": "XX"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    workspace: WorkspaceOption = Path(),
    model: Annotated[str | None, typer.Option(help="Bundle to test; else the workspace's own.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check versions, GDAL, the device, disk, the workspace and the bundle's self-test."""
    try:
        from cvpipe.run.health import Health, examine
    except ImportError as error:
        raise RunFailedError(
            f"a library cannot be imported ({error})",
            where="doctor",
            remedy="Install again: `pip install -c constraints.txt .` in a fresh environment.",
        ) from error

    checks = []
    for check in examine(workspace, model):
        checks.append(check)
        if as_json:
            continue
        console.as_it_is(f"{MARKS[check.health]} {check.name:12}{said(check.found)}")
        if check.remedy:
            console.as_it_is(f"   {'':12}→ {said(check.remedy)}")
    if as_json:
        console.print_json([asdict(check) for check in checks])
    problems = [check.name for check in checks if check.health is Health.PROBLEM]
    if problems:
        raise RunFailedError(
            f"{len(problems)} problems ({', '.join(problems)})", where="doctor", remedy="Follow the arrows above."
        )
