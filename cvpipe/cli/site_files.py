"""`cvpipe sites import FILE | export FILE`: files of sites, in and out."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvpipe.cli import console
from cvpipe.cli.workspace import JsonOption, WorkspaceOption
from cvpipe.errors import SitesError, UsageError
from cvpipe.shipped import config_file

if TYPE_CHECKING:
    from cvpipe.domain import Site
    from cvpipe.ledger import AssessmentRecord, ImportSummary, Ledger, Observed, SitesFile, WrittenFiles


class What(StrEnum):
    """What an export holds."""

    SITES = "sites"
    CHANGES = "changes"
    SURFACES = "surfaces"


class Language(StrEnum):
    """In which language the headings are."""

    EN = "en"
    ZH = "zh"


class Encoding(StrEnum):
    """How texts of CSV files and Shapefiles are written."""

    UTF8 = "utf-8"
    GBK = "gbk"


def add_to(group: typer.Typer) -> None:
    """Add the commands."""
    group.command("import")(import_sites)
    group.command("export")(export_sites)


def import_sites(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="GeoJSON, GeoPackage, Shapefile (also zipped), KML, KMZ, CSV or XLSX file.",
            show_default=False,
        ),
    ],
    workspace: WorkspaceOption = Path(),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what each column is taken for and what would be done.")
    ] = False,
    layer: Annotated[
        str | None, typer.Option("--layer", "--sheet", help="Layer or sheet, where the file has several with sites.")
    ] = None,
    crs: Annotated[
        str | None, typer.Option(help="Coordinate system, such as EPSG:4490, instead of what the file says.")
    ] = None,
    headings: Annotated[
        Path | None, typer.Option(help="File of further headings; configs/headings.yaml shows how.")
    ] = None,
    from_gcj02: Annotated[bool, typer.Option("--from-gcj02", help="Places were read from AMap or Tencent.")] = False,
    from_bd09: Annotated[bool, typer.Option("--from-bd09", help="Places were read from Baidu's map.")] = False,
    drop_personal: Annotated[bool, typer.Option("--drop-personal", help="Leave data about persons out.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave refused rows out, and take the rest.")] = False,
    report: Annotated[
        Path | None, typer.Option(help="CSV file to write what became of each row into.", metavar="FILE.csv")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Add sites, or update them by code; all rows or none."""
    from cvpipe.ledger import MapShift, Workspace, read_sites

    if from_gcj02 and from_bd09:
        raise UsageError("--from-gcj02 and --from-bd09 exclude each other", remedy="Say which map it was.")
    if report is not None and report.suffix.lower() != ".csv":
        raise UsageError("the report is a .csv file", where=report, remedy="Name it so.")
    if report is not None and not report.parent.is_dir():  # before anything is written into the ledger
        raise UsageError("there is no such folder", where=report.parent, remedy="Make it, or name another one.")
    headings = headings and config_file(headings)
    shift = MapShift.GCJ02 if from_gcj02 else MapShift.BD09 if from_bd09 else None
    opened = Workspace.open(workspace)
    read = read_sites(file, drop_personal=drop_personal, layer=layer, crs=crs, headings=headings, shift=shift)
    _tell(read)
    if dry_run and not as_json:
        _print_columns(read)
    refused = len({notice.where for notice in read.refused})
    if refused and not skip_bad:
        _write_report(report, read, None)
        raise SitesError(
            f"{refused} of {refused + len(read.sites)} rows are refused; nothing was written",
            where=file,
            remedy="Mend the rows listed above, or take the rest with --skip-bad.",
        )
    with opened.ledger() as ledger:
        _tell_moved(read, ledger)
        summary = ledger.put_sites(
            read.sites, source=file.name, stated=read.stated, skip_illegal=skip_bad, dry_run=dry_run
        )
    _write_report(report, read, summary)
    if as_json:
        console.print_json(_as_plain(read, summary))
    else:
        _print_summary(summary, read)


def export_sites(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A .geojson, .gpkg, .shp, .kml, .csv or .xlsx file to write.", show_default=False
        ),
    ],
    workspace: WorkspaceOption = Path(),
    what: Annotated[
        What, typer.Option(help="The sites, or the changes or surfaces of their latest assessments.")
    ] = What.SITES,
    lang: Annotated[
        Language, typer.Option(help="Language of the headings and of the words for a status.")
    ] = Language.EN,
    encoding: Annotated[Encoding, typer.Option(help="Of a CSV file or Shapefile.")] = Encoding.UTF8,
    owner_system: Annotated[str | None, typer.Option(help="Only sites of this owner system.")] = None,
    sub_district: Annotated[str | None, typer.Option(help="Only sites of this sub-district.")] = None,
    status: Annotated[list[str] | None, typer.Option(help="Only sites with this status; may be repeated.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the sites into a file for other programs; an import of it changes nothing."""
    from cvpipe.ledger import Workspace

    opened = Workspace.open(workspace)
    _refuse_ledger(file, opened.ledger_place)
    with opened.ledger() as ledger:
        sites, observed = ledger.sites(), ledger.observed()
        records = [] if what is What.SITES else ledger.assessments()
    wanted = _wanted(sites, owner_system, sub_district, status)
    options: dict[str, Any] = {"language": lang.value, "encoding": encoding.value, "force": force}
    # With the ledger closed: what writes some of the formats brings an SQLite of its own.
    written = _write(what, file, wanted, observed, records, options)
    for notice in written.notices:
        console.err.print(f"notice: {notice}", soft_wrap=True, markup=False)
    if as_json:
        console.print_json(asdict(written))
        return
    for path in written.files:
        console.out.print(f"wrote {path}", soft_wrap=True, markup=False)
    console.out.print(f"rows: {written.rows}", markup=False)


def _write(
    what: What,
    file: Path,
    sites: list[Site],
    observed: dict[str, Observed],
    records: list[AssessmentRecord],
    options: dict[str, Any],
) -> WrittenFiles:
    from cvpipe.ledger import write_changes, write_sites, write_surfaces

    if what is What.SITES:
        return write_sites(sites, file, observed=observed, **options)
    codes = {site.code for site in sites}
    of_sites = [record for record in records if record.assessment.site_code in codes]
    if what is What.CHANGES:
        return write_changes(of_sites, file, **options)
    return write_surfaces(sites, of_sites, file, **options)


def _wanted(
    sites: list[Site], owner_system: str | None, sub_district: str | None, status: list[str] | None
) -> list[Site]:
    from cvpipe.domain import SiteStatus

    unknown = sorted(set(status or ()) - set(SiteStatus))
    if unknown:
        raise UsageError(f"no status is called {unknown[0]!r}", remedy=f"There are {', '.join(SiteStatus)}.")
    return [
        site
        for site in sites
        if owner_system in (None, site.owner_system)
        and sub_district in (None, site.sub_district)
        and (not status or site.status in status)
    ]


def _refuse_ledger(file: Path, ledger: Path | str) -> None:
    if isinstance(ledger, Path) and file.resolve() == ledger.resolve():
        raise UsageError("that is the ledger itself", where=file, remedy="Choose another name.")


def _tell_moved(read: SitesFile, ledger: Ledger) -> None:
    """Say where the sites left their known outlines as a web map would shift them, or lost them to a point or line."""
    from cvpipe.ledger.site_checks import shift_notices

    known = ledger.outlines([site.code for site in read.sites])
    notices = [f"the file: {sentence}" for sentence in shift_notices(read.sites, known)]
    for site in read.sites:
        if site.code in known and known[site.code].area > 0 and site.geometry.area == 0:
            sentence = f"a {site.geometry.geom_type} takes the place of its {known[site.code].geom_type}"
            notices.append(f"{read.where[site.code]} ({site.code}): {sentence}")
    for notice in notices:
        console.err.print(f"notice: {notice}", soft_wrap=True, markup=False)


def _tell(read: SitesFile) -> None:
    """What is to be said of the file and of single rows, on stderr."""
    if read.dropped:
        console.err.print(f"left out: {', '.join(read.dropped)}", soft_wrap=True, markup=False)
    for label, notices in (("notice", read.notices), ("refused", read.refused)):
        for notice in notices:
            who = f" ({notice.code})" if notice.code else ""
            console.err.print(f"{label}: {notice.where}{who}: {notice.sentence}", soft_wrap=True, markup=False)


def _print_columns(read: SitesFile) -> None:
    rows = [
        (c.heading, "attribute" if c.field is None else c.field or "left out", c.unit, c.told_by, " | ".join(c.samples))
        for c in read.columns
    ]
    console.print_table("Columns", ("heading", "taken for", "unit", "told by", "first cells"), rows)


def _print_summary(summary: ImportSummary, read: SitesFile) -> None:
    refused = len({notice.where for notice in read.refused}) + len(summary.illegal_moves)
    for sentence in summary.illegal_moves.values():
        console.err.print(f"refused: {sentence}", soft_wrap=True, markup=False)
    counts = (len(summary.added), len(summary.changed), len(summary.unchanged), refused)
    title = "Sites that would be imported (dry run)" if summary.dry_run else "Sites imported"
    console.print_table(title, ("added", "changed", "unchanged", "refused"), [counts])
    if summary.differences:
        rows = [(code, ", ".join(names)) for code, names in summary.differences.items()]
        console.print_table("Changed", ("code", "fields"), rows)


def _as_plain(read: SitesFile, summary: ImportSummary) -> dict[str, Any]:
    return {
        **asdict(summary),
        "refused": [asdict(notice) for notice in read.refused],
        "columns": [asdict(column) for column in read.columns],
        "rows": [dict(zip(_REPORT_COLUMNS, row, strict=True)) for row in _report_rows(read, summary)],
    }


_REPORT_COLUMNS = ("row", "code", "result", "reason")


def _write_report(path: Path | None, read: SitesFile, summary: ImportSummary | None) -> None:
    """What became of each row, for a spreadsheet: UTF-8 with a mark, and no text that would pass for a formula."""
    if path is None:
        return
    from cvpipe.ledger import guarded

    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_REPORT_COLUMNS)
    writer.writerows([[guarded(cell) for cell in row] for row in _report_rows(read, summary)])
    unfinished = path.with_name(f".{path.name}.part")
    try:
        unfinished.write_text(text.getvalue(), encoding="utf-8-sig", newline="")
        unfinished.replace(path)
    except OSError as error:
        raise UsageError(
            f"the report cannot be written ({error.strerror})", where=path, remedy="Look there."
        ) from error


def _report_rows(read: SitesFile, summary: ImportSummary | None) -> Iterator[tuple[str, str, str, str]]:
    """Row, code, result and reason; rows that were fine stay `not written` where others kept the file out."""
    results: dict[str, tuple[str, str]] = {}
    if summary is not None:
        results |= dict.fromkeys(summary.added, ("added", ""))
        results |= dict.fromkeys(summary.unchanged, ("unchanged", ""))
        results |= {code: ("changed", ", ".join(summary.differences[code])) for code in summary.changed}
        results |= {code: ("refused", sentence) for code, sentence in summary.illegal_moves.items()}
    for code, where in read.where.items():
        yield (where, code, *results.get(code, ("not written", "other rows are refused")))
    for notice in read.refused:
        yield (notice.where, notice.code, "refused", notice.sentence)
