"""`cvpipe init DIR`: a new workspace; and the options that the commands inside one share."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from cvpipe.cli import console

WorkspaceOption = Annotated[Path, typer.Option("--workspace", help="Folder of the workspace.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def day_of(moment: datetime | None) -> date | None:
    """The day that an option states: typer knows moments only."""
    return moment.date() if moment else None


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init")(init)


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make.", show_default=False)],
    ledger: Annotated[
        str, typer.Option(help="File of the ledger, or postgresql://USER@HOST/DATABASE with PostGIS.")
    ] = "ledger.gpkg",
) -> None:
    """Make a workspace: cvpipe.yaml, runs/ and the ledger, in a file or in a database."""
    from cvpipe.ledger import Workspace

    workspace = Workspace.create(folder, ledger=ledger)
    for part in (workspace.settings_path, workspace.ledger_place, workspace.runs):
        console.out.print(f"made {part}", soft_wrap=True, markup=False)
    console.out.print(f"next: cvpipe sites import FILE --workspace {folder}", soft_wrap=True, markup=False)
