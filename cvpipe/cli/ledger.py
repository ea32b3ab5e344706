"""`cvpipe ledger verify | migrate`: whether the ledger is as it was written, and as this version needs it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cvpipe.cli import console
from cvpipe.cli.workspace import JsonOption, WorkspaceOption
from cvpipe.errors import RunFailedError


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Look after the ledger.", no_args_is_help=True)
    group.command("verify")(verify)
    group.command("migrate")(migrate)
    app.add_typer(group, name="ledger")


def verify(
    workspace: WorkspaceOption = Path(),
    noted: Annotated[
        str | None, typer.Option(metavar="ROW:HASH", help="End of the trail that an earlier verification printed.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Find out whether anything was altered, lost or slipped in."""
    from cvpipe.ledger import Workspace

    opened = Workspace.open(workspace)
    with opened.ledger() as ledger:
        found = ledger.verify(noted)
        name = ledger.name
    if as_json:
        console.print_json(asdict(found))
    for problem in () if as_json else found.problems:
        console.out.print(problem, soft_wrap=True, markup=False)
    if found.problems:
        raise RunFailedError(
            f"the ledger is not as it was written (findings: {len(found.problems)})",
            where=name,
            remedy="Go back to a copy that verifies, or clear each finding up with whoever looks after it.",
        )
    if not as_json:
        console.out.print(f"the ledger is whole: {found.audit_rows} audit rows, {found.contents} entries held to them")
        console.out.print(f"end of the trail, to be noted elsewhere: {found.head}", soft_wrap=True, markup=False)


def migrate(workspace: WorkspaceOption = Path()) -> None:
    """Bring a ledger of an earlier version to the present tables."""
    from cvpipe.ledger import Ledger, Workspace

    done = Ledger.migrate(Workspace.open(workspace).ledger_place)
    for name in done:
        console.out.print(f"migrated: {name}", markup=False)
    if not done:
        console.out.print("the ledger has the present tables; nothing to do")
