"""`cvpipe init DIR`: a new workspace; and the options that the commands inside one share."""

from __future__ import annotations

import shutil
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from cvpipe.cli import console
from cvpipe.cli.tongue import said
from cvpipe.shipped import shipped

#: What `--copy-rules` copies.
RULES = ("rules.yaml", "epochs.yaml", "headings.yaml")

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
    campaign: Annotated[str | None, typer.Option(help="Name of the campaign; asked for on a terminal.")] = None,
    target: Annotated[
        int | None, typer.Option(min=1, help="Sites that it is to complete; asked for on a terminal.")
    ] = None,
    copy_rules: Annotated[
        bool, typer.Option("--copy-rules", help="Also copy the rules and headings that ship, to be changed here.")
    ] = False,
) -> None:
    """Make a workspace: commented cvpipe.yaml, runs/ and the ledger, in a file or in a database."""
    from cvpipe.ledger import Workspace

    if campaign is None and target is None and sys.stdin.isatty() and sys.stdout.isatty():
        campaign, target = _asked()
    workspace = Workspace.create(folder, ledger=ledger, campaign=campaign or "", campaign_target=target)
    if copy_rules:
        _copy_rules(folder)
    for part in (workspace.settings_path, workspace.ledger_place, workspace.runs):
        console.out.print(f"made {part}", soft_wrap=True, markup=False)
    console.out.print(f"next: cvpipe sites import FILE --workspace {folder}", soft_wrap=True, markup=False)


def _asked() -> tuple[str, int | None]:
    """Name and target of the campaign; Enter leaves both open, `cvpipe.yaml` takes them later."""
    name = str(typer.prompt(said("Name of the campaign (Enter: none)"), default="", show_default=False))
    sites = int(typer.prompt(said("Sites that it is to complete (0: no target)"), default=0, type=int))
    return name, sites if sites > 0 else None


def _copy_rules(folder: Path) -> None:
    """The commented files, and `rules` and `epochs` in the settings that name them."""
    for name in RULES:
        shutil.copyfile(shipped("configs") / name, folder / name)
        console.out.print(f"made {folder / name}", soft_wrap=True, markup=False)
    settings = folder / "cvpipe.yaml"
    text = settings.read_text(encoding="utf-8")
    for key in ("rules", "epochs"):
        text = text.replace(f"\n{key}: null\n", f"\n{key}: {key}.yaml\n")
    settings.write_text(text, encoding="utf-8")
