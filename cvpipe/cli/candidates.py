"""`cvpipe candidates list`: changes outside every site that a sweep found, the most telling first."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cvpipe.cli import console
from cvpipe.cli.workspace import JsonOption, WorkspaceOption


def register(app: typer.Typer) -> None:
    """Add the command."""
    group = typer.Typer(help="Changes outside every site that a sweep found.", no_args_is_help=True)
    group.command("list")(list_candidates)
    app.add_typer(group, name="candidates")


def list_candidates(
    workspace: WorkspaceOption = Path(),
    every: Annotated[bool, typer.Option("--all", help="Also those that people dismissed or made sites of.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List candidates by area × probability; those that nobody has settled, or all."""
    from cvpipe.domain import CandidateState
    from cvpipe.ledger import Workspace

    with Workspace.open(workspace).ledger() as ledger:
        found = ledger.candidates(None if every else CandidateState.OPEN)
    rows: list[dict[str, Any]] = []
    for entry in sorted(found, key=lambda e: e.value.area_m2 * e.value.probability, reverse=True):
        one = entry.value
        middle = one.geometry.representative_point()
        told: dict[str, Any] = {"id": entry.id, "kind": one.kind.value, "area_m2": round(one.area_m2, 1)}
        told |= {"probability": round(one.probability, 3), "first_seen": one.first_seen, "last_seen": one.last_seen}
        told |= {"lon": round(middle.x, 6), "lat": round(middle.y, 6), "state": one.state.value, "site": one.site_code}
        rows.append(told)
    if as_json:
        console.print_json(rows)
        return
    columns = ("id", "kind", "area m²", "probability", "first seen", "last seen", "place", "state")
    lines = [
        (
            row["id"],
            row["kind"],
            row["area_m2"],
            f"{row['probability']:.2f}",
            row["first_seen"],
            row["last_seen"],
            f"{row['lat']:.6f}, {row['lon']:.6f}",
            row["site"] or row["state"],
        )
        for row in rows
    ]
    console.print_table(f"{len(rows)} candidates", columns, lines)
