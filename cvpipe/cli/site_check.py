"""`cvpipe sites check`: what is wrong, or looks wrong, with the sites of the ledger."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvpipe.cli import console
from cvpipe.cli.workspace import JsonOption, WorkspaceOption
from cvpipe.errors import RunFailedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shapely.geometry.base import BaseGeometry

    from cvpipe.domain import Site
    from cvpipe.ledger import Ledger
    from cvpipe.ledger.site_checks import Remark

#: Codes that a row of the table names; --json has all of them.
_SHOWN_CODES = 4


def add_to(group: typer.Typer) -> None:
    """Add the command to those of `cvpipe sites`."""
    group.command("check")(check)


def check(
    workspace: WorkspaceOption = Path(),
    district: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Outline of the district; else that of the settings, else what the scenes show."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look for duplicates, overlaps, outliers, faulty outlines, areas and dates; exit code 1 where there are faults."""
    from cvpipe.ledger import Workspace
    from cvpipe.ledger.district import read_district
    from cvpipe.ledger.site_checks import Level, Surroundings, check_sites

    opened = Workspace.open(workspace)
    settings = opened.settings()
    district = district or settings.district
    stated = None if district is None else read_district(district)
    with opened.ledger() as ledger:
        sites = ledger.sites()
        area = stated if stated is not None else _shown_by_scenes(ledger)
        around = Surroundings(area, stated is not None, _earlier(ledger, sites), settings.today())
    remarks = check_sites(sites, around)
    if as_json:
        console.print_json([asdict(remark) for remark in remarks])
    else:
        _print(remarks, len(sites))
    faults = Counter(remark.level for remark in remarks)[Level.FAULT]
    if faults:
        raise RunFailedError(
            f"{faults} faults in {len(sites)} sites", remedy="Correct them, and import the rows again."
        )


def _shown_by_scenes(ledger: Ledger) -> BaseGeometry | None:
    """The convex hull of all scenes; None where there are none."""
    import shapely

    footprints = [scene.footprint for scene in ledger.scenes()]
    return shapely.convex_hull(shapely.union_all(footprints)) if footprints else None


def _earlier(ledger: Ledger, sites: Sequence[Site]) -> dict[str, BaseGeometry]:
    """The first outline of each site that has had more than one."""
    return {site.code: ledger.versions(site.code)[0].geometry for site in sites if (site.version or 1) > 1}


def _print(remarks: Sequence[Remark], sites: int) -> None:
    counts = Counter(remark.level.value for remark in remarks)
    title = f"{sites} sites: {counts['fault']} faults, {counts['notice']} notices"
    rows = [(r.level.value, r.check.value.replace("_", " "), _codes(r.codes), r.sentence) for r in remarks]
    console.print_table(title, ("level", "check", "sites", "what was found"), rows)


def _codes(codes: Sequence[str]) -> str:
    further = len(codes) - _SHOWN_CODES
    return ", ".join(codes[:_SHOWN_CODES]) + (f" and {further} more" if further > 0 else "")
