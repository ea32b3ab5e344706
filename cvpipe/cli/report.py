"""`cvpipe report`: what the ledger holds, for people, for spreadsheets and for programs."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvpipe.cli import console
from cvpipe.cli.workspace import WorkspaceOption, day_of
from cvpipe.errors import UsageError

if TYPE_CHECKING:
    from cvpipe.ledger import Ledger, Workspace
    from cvpipe.report import Campaign, Look, Scope

KNOWN_FORMATS = ("html", "pdf", "xlsx", "json")

#: What dossiers are written as.
DOSSIER_FORMATS = ("html", "pdf")


class Lang(StrEnum):
    """Languages that a report can be written in."""

    EN = "en"
    ZH = "zh"


class Unit(StrEnum):
    """Units of area in the summary."""

    MIXED = "mixed"
    M2 = "m2"
    WAN = "wan"
    MU = "mu"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write; default: report/ in the workspace, or dossiers/ with --dossier."),
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="What to write: any of html, pdf, xlsx, json with commas between; dossiers: html, pdf.",
            show_default="html,json; dossiers: pdf",
        ),
    ] = None,
    lang: Annotated[Lang, typer.Option(help="Language of the report.")] = Lang.EN,
    area_unit: Annotated[
        Unit,
        typer.Option(help="Of areas in the summary: 10,000 m² for land and m² for what was measured, or all in one."),
    ] = Unit.MIXED,
    campaign: Annotated[
        str | None, typer.Option(help="Only sites in batches of this campaign, held to its target.")
    ] = None,
    batch: Annotated[str | None, typer.Option(help="Only sites of this batch.")] = None,
    owner_system: Annotated[str | None, typer.Option(help="Only sites of this owner system.")] = None,
    sub_district: Annotated[str | None, typer.Option(help="Only sites of this sub-district.")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="Only later epochs from this day on.")
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="As of this day: nothing that came later."),
    ] = None,
    pictures: Annotated[bool, typer.Option("--pictures/--no-pictures", help="Cut pictures of each site.")] = True,
    dossier: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE", help="Write dossiers instead, one for each site; 'all' for all. May be repeated."),
    ] = None,
    bound: Annotated[
        bool,
        typer.Option("--bound", help="Besides one PDF each, all dossiers in one: contents, bookmarks, page numbers."),
    ] = False,
    public: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write what may be published instead: map page, GeoJSON and CSV."),
    ] = None,
    stac: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write a STAC catalogue instead: a label item for each assessment."),
    ] = None,
    workspace: WorkspaceOption = Path(),
) -> None:
    """Write the report: summary by owner system, and each site before | after with its verdicts."""
    from cvpipe.ledger import Workspace
    from cvpipe.report import AreaUnit, Look, Scope

    scope = Scope(campaign or "", batch or "", owner_system or "", sub_district or "", day_of(since), day_of(until))
    look = Look(lang.value, AreaUnit(area_unit.value), pictures)
    asked = [name for name, is_asked in (("--dossier", dossier), ("--public", public), ("--stac", stac)) if is_asked]
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(asked)} exclude each other", remedy="Call the command once for each.")
    if bound and not dossier:
        raise UsageError("--bound binds dossiers", where="--bound", remedy="Add --dossier all.")
    wanted = _names(
        ("pdf" if dossier else "html,json") if formats is None else formats,
        DOSSIER_FORMATS if dossier else KNOWN_FORMATS,
    )
    place = Workspace.open(workspace)
    if public is not None:
        if formats is not None:
            raise UsageError("--public writes a page, GeoJSON and CSV", where="--format", remedy="Leave --format out.")
        _write_public(place, public, scope, look)
        return
    if stac is not None:
        if formats is not None:
            raise UsageError("--stac writes JSON and GeoJSON", where="--format", remedy="Leave --format out.")
        _write_catalogue(place, stac, scope)
        return
    with place.ledger() as ledger:
        if dossier:
            _write_dossiers(place, ledger, dossier, out, wanted, scope, look, bound=bound)
        else:
            _write_summary(place, ledger, out, wanted, scope, look)


def _write_summary(
    place: Workspace, ledger: Ledger, out: Path | None, formats: list[str], scope: Scope, look: Look
) -> None:
    from cvpipe.assess.rules import read_rules
    from cvpipe.report import Format, write_report

    written = write_report(
        ledger,
        _campaign(place, ledger, scope),
        out or place.folder / "report",
        formats=[Format(name) for name in formats],
        look=look,
        scope=scope,
        made_on=place.settings().today(),
        rules=read_rules(place.settings().rules, ledger.batches()),
    )
    for missing in written.missing_pictures:
        console.err.print(f"no picture from {missing}", soft_wrap=True, markup=False)
    totals = written.content.totals
    console.out.print(f"{totals.sites} sites, {totals.assessed} assessed; report:", soft_wrap=True)
    for file in written.files:
        console.out.print(f"  {file}", soft_wrap=True, markup=False)


def _write_dossiers(
    place: Workspace,
    ledger: Ledger,
    codes: list[str],
    out: Path | None,
    formats: list[str],
    scope: Scope,
    look: Look,
    *,
    bound: bool,
) -> None:
    from cvpipe.assess.rules import read_rules
    from cvpipe.report import Format, write_dossiers

    everything = [code.lower() for code in codes] == ["all"]
    with console.progress("dossier", None if everything else len(codes)) as step:
        written = write_dossiers(
            ledger,
            _campaign(place, ledger, scope),
            out or place.folder / "dossiers",
            None if everything else codes,
            formats=[Format(name) for name in formats],
            look=look,
            scope=scope,
            made_on=place.settings().today(),
            rules=read_rules(place.settings().rules, ledger.batches()),
            bound=bound,
            progress=step,
        )
    for missing in written.missing_pictures:
        console.err.print(f"no picture from {missing}", soft_wrap=True, markup=False)
    console.out.print(f"{written.sites} dossiers: {written.folder}", soft_wrap=True, markup=False)
    for volume in written.bound:
        console.out.print(f"  {volume}", soft_wrap=True, markup=False)


def _write_public(place: Workspace, out: Path, scope: Scope, look: Look) -> None:
    from cvpipe.assess.rules import read_rules
    from cvpipe.report import write_public

    settings = place.settings()
    with place.ledger() as ledger:
        written = write_public(
            ledger,
            _campaign(place, ledger, scope),
            out,
            settings.public,
            scope=scope,
            lang=look.lang,
            made_on=settings.today(),
            rules=read_rules(settings.rules, ledger.batches()),
        )
    for code, what in written.withheld:
        console.err.print(f"cvpipe: {code}: {what} withheld", soft_wrap=True, markup=False)
    console.out.print(
        f"{written.sites} sites, columns {', '.join(settings.public.columns)}:", soft_wrap=True, markup=False
    )
    for file in written.files:
        console.out.print(f"  {file}", soft_wrap=True, markup=False)


def _write_catalogue(place: Workspace, out: Path, scope: Scope) -> None:
    from cvpipe.network.bundle import describe_bundles, stac_item
    from cvpipe.report import write_catalogue

    networks = {bundle["digest"]: stac_item(Path(bundle["folder"])) for bundle in describe_bundles()}
    with place.ledger() as ledger:
        written = write_catalogue(ledger, _campaign(place, ledger, scope), out, networks, scope=scope)
    if written.left_out:
        told = f"{written.left_out} assessments have no two epochs and are left out"
        console.err.print(f"notice: {told}", soft_wrap=True, markup=False)
    console.out.print(
        f"{written.changes} label items, {written.scenes} scenes, {written.networks} networks: {written.folder}",
        soft_wrap=True,
        markup=False,
    )


def _campaign(place: Workspace, ledger: Ledger, scope: Scope) -> Campaign:
    """The campaign that was asked for, else the one that the settings name."""
    from cvpipe.report import Campaign

    named = next((one for one in ledger.campaigns() if one.name == scope.campaign), None)
    if named is not None:
        return Campaign(named.name, named.target_sites)
    settings = place.settings()
    narrowed = bool(scope.batch or scope.owner_system or scope.sub_district)
    return Campaign(settings.campaign, None if narrowed else settings.campaign_target)


def _names(formats: str, known: tuple[str, ...]) -> list[str]:
    """Names in a comma-separated list, each once. Raises UsageError for one that is not known."""
    names = list(dict.fromkeys(name.strip().lower() for name in formats.split(",") if name.strip()))
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise UsageError(
            f"unknown report format '{unknown[0]}'" if unknown else "no report format is named",
            where="--format",
            remedy=f"Choose from {', '.join(known)}.",
        )
    return names
