"""`cvpipe sites import | list | show | history`: the ledger's rows."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvpipe.cli import console
from cvpipe.cli.workspace import JsonOption, WorkspaceOption
from cvpipe.errors import SitesError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cvpipe.domain import Site
    from cvpipe.ledger import AuditRecord, ImportSummary, Observed, SitesFile

CodeArgument = Annotated[str, typer.Argument(metavar="CODE", help="The site's code.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="The sites of the ledger: bring them in, look at them.", no_args_is_help=True)
    group.command("import")(import_sites)
    group.command("list")(list_sites)
    group.command("show")(show)
    group.command("history")(history)
    app.add_typer(group, name="sites")


def import_sites(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="GeoJSON or CSV file.", show_default=False)],
    workspace: WorkspaceOption = Path(),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    drop_personal: Annotated[bool, typer.Option("--drop-personal", help="Leave columns about persons out.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave refused rows out, and take the rest.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Add sites, or update them by code; all rows or none."""
    from cvpipe.ledger import Workspace, read_sites

    opened = Workspace.open(workspace)
    read = read_sites(file, drop_personal=drop_personal)
    _tell(read)
    if read.refused and not skip_bad:
        refused = {notice.where for notice in read.refused}
        raise SitesError(
            f"{len(refused)} of {len(refused) + len(read.sites)} rows are refused; nothing was written",
            where=file,
            remedy="Mend the rows listed above, or take the rest with --skip-bad.",
        )
    with opened.ledger() as ledger:
        summary = ledger.put_sites(read.sites, source=file.name, stated=read.stated, dry_run=dry_run)
    if as_json:
        console.print_json({**asdict(summary), "refused": [asdict(notice) for notice in read.refused]})
    else:
        _print_summary(summary, read)


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
        verdicts = [(v.question, v.outcome, v.explanation) for v in records[-1].assessment.verdicts]
        title = f"Last assessment: {records[-1].before_date} → {records[-1].after_date}"
        console.print_table(title, ("question", "outcome", "as seen from above"), verdicts)


def history(code: CodeArgument, workspace: WorkspaceOption = Path(), as_json: JsonOption = False) -> None:
    """Tell what happened to one site, in order."""
    from cvpipe.ledger import Workspace

    with Workspace.open(workspace).ledger() as ledger:
        ledger.sites([code])
        records = ledger.audit(code)
    if as_json:
        console.print_json([asdict(record) for record in records])
        return
    rows = [(f"{record.at:%Y-%m-%d %H:%M:%S}", record.kind, record.action, _story(record)) for record in records]
    console.print_table(f"Site {code} (times in UTC)", ("when", "what", "was", "details"), rows)


def _tell(read: SitesFile) -> None:
    """What is to be said of single rows, on stderr."""
    if read.dropped:
        console.err.print(f"left out: {', '.join(read.dropped)}", soft_wrap=True, markup=False)
    for label, notices in (("notice", read.notices), ("refused", read.refused)):
        for notice in notices:
            who = f" ({notice.code})" if notice.code else ""
            console.err.print(f"{label}: {notice.where}{who}: {notice.sentence}", soft_wrap=True, markup=False)


def _print_summary(summary: ImportSummary, read: SitesFile) -> None:
    refused = len({notice.where for notice in read.refused})
    counts = (len(summary.added), len(summary.changed), len(summary.unchanged), refused)
    title = "Sites that would be imported (dry run)" if summary.dry_run else "Sites imported"
    console.print_table(title, ("added", "changed", "unchanged", "refused"), [counts])
    if summary.differences:
        rows = [(code, ", ".join(names)) for code, names in summary.differences.items()]
        console.print_table("Changed", ("code", "fields"), rows)


def _list_row(site: Site, seen: Observed) -> Sequence[object]:
    place = (site.code, site.name, site.sub_district, site.owner_system, site.land_area_m2)
    return (*place, site.status, seen.status and f"{seen.status} ({seen.on})")


def _as_plain(site: Site, seen: Observed) -> dict[str, Any]:
    from cvpipe.ledger import site_as_plain

    return {**site_as_plain(site), "observed_status": seen.status, "observed_on": seen.on}


def _story(record: AuditRecord) -> str:
    """One line for people out of an audit row's details."""
    details = record.details
    if record.action == "recorded":
        verdicts = ", ".join(f"{question} {outcome}" for question, outcome in details["verdicts"].items())
        return f"{details['before']} → {details['after']}: {verdicts} (run {details['run']})"
    if record.action == "changed":
        return f"{', '.join(details['was'])} (from {details['source']})"
    return f"from {details['source']}"
