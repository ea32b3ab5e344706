"""`cvpipe campaigns list | add | batch`: programmes with their targets, and their batches of sites."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from cvpipe.cli import console
from cvpipe.cli.workspace import JsonOption, WorkspaceOption, day_of

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Its name.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Programmes with targets, and their batches of sites.", no_args_is_help=True)
    group.command("list")(list_campaigns)
    group.command("add")(add)
    group.command("batch")(batch)
    app.add_typer(group, name="campaigns")


def list_campaigns(workspace: WorkspaceOption = Path(), as_json: JsonOption = False) -> None:
    """List campaigns and batches."""
    from cvpipe.ledger import Workspace

    with Workspace.open(workspace).ledger() as ledger:
        campaigns, batches = ledger.campaigns(), ledger.batches()
    if as_json:
        told = {"campaigns": [asdict(c) for c in campaigns], "batches": [asdict(b) for b in batches]}
        console.print_json(told)
        return
    columns = ("campaign", "starts", "ends", "target sites", "target demolition m²", "target green m²")
    rows = [(c.name, c.starts, c.ends, c.target_sites, c.target_demolition_m2, c.target_green_m2) for c in campaigns]
    console.print_table(f"{len(campaigns)} campaigns", columns, rows)
    console.print_table(
        f"{len(batches)} batches", ("batch", "campaign", "due"), [(b.name, b.campaign, b.due_date) for b in batches]
    )


def add(
    name: NameArgument,
    starts: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="Its first day.")
    ] = None,
    ends: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="Its last day.")] = None,
    target_sites: Annotated[int | None, typer.Option(min=1, help="Sites that it sets out to complete.")] = None,
    target_demolition_m2: Annotated[float | None, typer.Option(min=0, help="Area to be demolished, m².")] = None,
    target_green_m2: Annotated[float | None, typer.Option(min=0, help="Area to be turned green, m².")] = None,
    workspace: WorkspaceOption = Path(),
) -> None:
    """Add a campaign, or replace what is known of the one with that name."""
    from cvpipe.domain import Campaign
    from cvpipe.ledger import Workspace

    campaign = Campaign(name, day_of(starts), day_of(ends), target_sites, target_demolition_m2, target_green_m2)
    with Workspace.open(workspace).ledger() as ledger:
        written = ledger.put_campaign(campaign)
    console.out.print(f"campaign {name}: {'written' if written else 'unchanged'}", markup=False)


def batch(
    name: NameArgument,
    campaign: Annotated[str, typer.Option(metavar="NAME", help="The campaign that it belongs to.")],
    due: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="Due date.")] = None,
    workspace: WorkspaceOption = Path(),
) -> None:
    """Add a batch, or replace what is known of it; sites name theirs in the column `batch`."""
    from cvpipe.domain import Batch
    from cvpipe.ledger import Workspace

    with Workspace.open(workspace).ledger() as ledger:
        written = ledger.put_batch(Batch(name, campaign, day_of(due)))
    console.out.print(f"batch {name}: {'written' if written else 'unchanged'}", markup=False)
