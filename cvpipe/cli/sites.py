"""`cvpipe sites list | show`: the ledger's rows. Their files, their life and their checks are in `site_*`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvpipe.cli import console, site_check, site_files, site_life
from cvpipe.cli.site_life import CodeArgument
from cvpipe.cli.tongue import language
from cvpipe.cli.workspace import JsonOption, WorkspaceOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cvpipe.domain import Site
    from cvpipe.ledger import Observed


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="The sites of the ledger: bring them in, look at them.", no_args_is_help=True)
    site_files.add_to(group)
    group.command("list")(list_sites)
    group.command("show")(show)
    site_life.add_to(group)
    site_check.add_to(group)
    app.add_typer(group, name="sites")


def list_sites(
    workspace: WorkspaceOption = Path(),
    owner_system: Annotated[str | None, typer.Option(help="Only sites of this owner system.")] = None,
    sub_district: Annotated[str | None, typer.Option(help="Only sites of this sub-district.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the sites by code."""
    from cvpipe.ledger import Workspace

    with Workspace.open(workspace).ledger() as ledger:
        sites, observed = ledger.sites(), ledger.observed()
    wanted = [
        site
        for site in sites
        if owner_system in (None, site.owner_system) and sub_district in (None, site.sub_district)
    ]
    if as_json:
        console.print_json([_as_plain(site, observed[site.code]) for site in wanted])
        return
    columns = ("code", "name", "sub-district", "owner system", "land m²", "status", "observed")
    console.print_table(f"{len(wanted)} sites", columns, [_list_row(site, observed[site.code]) for site in wanted])


def show(code: CodeArgument, workspace: WorkspaceOption = Path(), as_json: JsonOption = False) -> None:
    """Show all that the ledger holds of one site."""
    from cvpipe.assess import explain
    from cvpipe.ledger import Workspace

    with Workspace.open(workspace).ledger() as ledger:
        plain = _as_plain(ledger.sites([code])[0], ledger.observed()[code])
        records = ledger.assessments(code)
    if as_json:
        console.print_json(plain)
        return
    plain["geometry"] = f"{plain['geometry']['type']}, see --json"
    plain["attributes"] = "; ".join(f"{name}: {value}" for name, value in plain["attributes"].items()) or None
    plain["retained"] = plain["retained"] and f"{plain['retained']['type']}, see --json"
    console.print_table(f"Site {code}", ("field", "value"), plain.items())
    if records:
        lang = language()
        told = [(v, v.explanation if lang == "en" else explain(v, lang)) for v in records[-1].assessment.verdicts]
        verdicts = [(verdict.question, verdict.outcome, sentence) for verdict, sentence in told]
        title = f"Last assessment: {records[-1].before_date} → {records[-1].after_date}"
        console.print_table(title, ("question", "outcome", "as seen from above"), verdicts)


def _list_row(site: Site, seen: Observed) -> Sequence[object]:
    place = (site.code, site.name, site.sub_district, site.owner_system, site.land_area_m2)
    return (*place, site.status, seen.status and f"{seen.status} ({seen.on})")


def _as_plain(site: Site, seen: Observed) -> dict[str, Any]:
    from cvpipe.ledger import site_as_plain

    return {**site_as_plain(site), "observed_status": seen.status, "observed_on": seen.on}
