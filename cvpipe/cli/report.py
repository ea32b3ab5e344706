"""`cvpipe report`: what the ledger holds, as a page for people and a summary for programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cvpipe.cli import console
from cvpipe.cli.workspace import WorkspaceOption
from cvpipe.errors import UsageError

KNOWN_FORMATS = ("html", "json")


class Lang(StrEnum):
    """Languages that a report can be written in."""

    EN = "en"
    ZH = "zh"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(
    out: Annotated[Path | None, typer.Option(help="Folder to write; default: report/ in the workspace.")] = None,
    formats: Annotated[str, typer.Option("--format", help="What to write: html, json, or both.")] = "html,json",
    lang: Annotated[Lang, typer.Option(help="Language of the page.")] = Lang.EN,
    workspace: WorkspaceOption = Path(),
) -> None:
    """Write the report: summary by owner system, and each site before | after with its verdicts."""
    from cvpipe.ledger import Workspace
    from cvpipe.report import Campaign, Format, write_report

    wanted = [Format(name) for name in _names(formats)]
    place = Workspace.open(workspace)
    settings = place.settings()
    with place.ledger() as ledger:
        written = write_report(
            ledger,
            Campaign(settings.campaign, settings.campaign_target),
            out or place.folder / "report",
            formats=wanted,
            lang=lang.value,
        )
    for missing in written.missing_pictures:
        console.err.print(f"no picture from {missing}", soft_wrap=True, markup=False)
    totals = written.content.totals
    console.out.print(f"{totals.sites} sites, {totals.assessed} assessed; report:", soft_wrap=True)
    for file in written.files:
        console.out.print(f"  {file}", soft_wrap=True, markup=False)


def _names(formats: str) -> list[str]:
    """Names in a comma-separated list, each once. Raises UsageError for one that is not known."""
    names = list(dict.fromkeys(name.strip().lower() for name in formats.split(",") if name.strip()))
    unknown = [name for name in names if name not in KNOWN_FORMATS]
    if unknown or not names:
        raise UsageError(
            f"unknown report format '{unknown[0]}'" if unknown else "no report format is named",
            where="--format",
            remedy=f"Choose from {', '.join(KNOWN_FORMATS)}.",
        )
    return names
