"""What may be published of a ledger: a map page, GeoJSON and CSV, with the columns that the settings allow.

No persons: names of reviewers, remarks and attributes have no column here. Cells that hold data about a person all the
same, a telephone number in a site's name, are withheld.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from cvpipe.assess.criteria import Language
from cvpipe.assess.rules import Rules
from cvpipe.domain import ChangeKind, Question, Rung, SiteStatus
from cvpipe.folders import OutputFolder
from cvpipe.geo import buffered
from cvpipe.ledger import Ledger
from cvpipe.ledger.exchange.delimited import guarded
from cvpipe.ledger.exchange.persons import what_it_holds
from cvpipe.report.content import Campaign, SiteContent, build_content
from cvpipe.report.html import environment
from cvpipe.report.material import read_material
from cvpipe.report.scope import WHOLE, Scope
from cvpipe.report.words import Words
from cvpipe.settings import PublicColumn, PublicSettings

PAGE_NAME, GEOJSON_NAME, CSV_NAME = "index.html", "sites.geojson", "sites.csv"
PUBLIC = OutputFolder(what="published ledger", names=frozenset({PAGE_NAME, GEOJSON_NAME, CSV_NAME}))

#: Decimals of a degree in what is published: 0.1 m, finer than any outline was drawn.
DECIMALS = 6

#: Width of the map, and its greatest height, in its own units.
MAP_WIDTH, MAP_HEIGHT = 1000, 760
_MARGIN = 24

#: Room below the sites for the scale bar.
_BAR_ROOM = 28

#: A site that would be smaller on the map is shown as a dot of this radius.
DOT = 3.5

#: Lengths in metres that the map's scale bar may have.
_BARS_M = tuple(step * 10**power for power in range(1, 6) for step in (1, 2, 5))

#: Fill colour of a site by the status that people gave it.
STATUS_COLOURS: dict[SiteStatus, str] = {
    SiteStatus.REGISTERED: "#9aa5ad",
    SiteStatus.IN_PROGRESS: "#e0a33f",
    SiteStatus.DEMOLISHED: "#c9772b",
    SiteStatus.CLEARED: "#5b9e6b",
    SiteStatus.CLOSED: "#1d7a4b",
    SiteStatus.REBOUND: "#b42318",
    SiteStatus.EXEMPT: "#60707c",
}


@dataclass(frozen=True)
class WrittenPublic:
    """Where it is. `withheld` names codes and columns whose cells hold data about persons."""

    folder: Path
    files: tuple[Path, ...]
    sites: int
    withheld: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class PublicSite:
    """What is published of one site: its cells in the order of the columns, and its place in WGS 84."""

    cells: tuple[Any, ...]
    place: BaseGeometry
    status: SiteStatus


@dataclass(frozen=True)
class Shape:
    """A site on the map: an SVG path, its colour, and what a reader is told who points at it."""

    path: str
    colour: str
    label: str


def write_public(
    ledger: Ledger,
    campaign: Campaign,
    out: Path,
    settings: PublicSettings,
    *,
    scope: Scope = WHOLE,
    lang: Language = "en",
    made_on: date | None = None,
    rules: Rules | None = None,
) -> WrittenPublic:
    """Write map page, GeoJSON and CSV into `out`, which appears whole or not at all; an older one is replaced.

    `rules` are those that tell where sites stand, by default the shipped ones. Raises UsageError where `out` holds
    anything else, or the scope names something that there is not.
    """
    out, on, words = out.resolve(), made_on or date.today(), Words(lang)
    PUBLIC.refuse_foreign(out)
    material = read_material(ledger, scope, rules)
    content = build_content(
        campaign, material.sites, material.records, [], [], made_on=on, background=material.background
    )
    withheld = list[tuple[str, str]]()
    sites = [_published(page, settings, withheld) for page in content.sites]
    with PUBLIC.staged(out) as folder:
        (folder / GEOJSON_NAME).write_text(_geojson(sites, settings), encoding="utf-8")
        (folder / CSV_NAME).write_text(_csv(sites, settings), encoding="utf-8-sig", newline="")
        page = _page(sites, settings, campaign.title or words.public_report, words, content.as_of)
        (folder / PAGE_NAME).write_text(page, encoding="utf-8")
    files = tuple(out / name for name in (PAGE_NAME, GEOJSON_NAME, CSV_NAME))
    return WrittenPublic(out, files, len(sites), tuple(withheld))


#: How each column that may be published is told of a site; the keys are those that the settings know.
COLUMNS: dict[PublicColumn, Callable[[SiteContent], Any]] = {
    "code": lambda page: page.site.code,
    "name": lambda page: page.site.name,
    "sub_district": lambda page: page.site.sub_district,
    "community": lambda page: page.site.community,
    "owner_system": lambda page: page.site.owner_system,
    "batch": lambda page: page.site.batch,
    "status": lambda page: page.site.status,
    "due_date": lambda page: page.due,
    "land_area_m2": lambda page: page.site.land_area_m2,
    "building_area_m2": lambda page: page.site.building_area_m2,
    "observed_status": lambda page: page.observed,
    "observed_rung": lambda page: page.state.rung,
    "observed_on": lambda page: page.state.last_seen,
    "structure_removed_m2": lambda page: _measured(page, ChangeKind.STRUCTURE_REMOVED),
    "green_added_m2": lambda page: _measured(page, ChangeKind.GREEN_ADDED),
}


def _measured(page: SiteContent, kind: ChangeKind) -> float | None:
    return None if page.measured_by(Question.DEMOLITION) is None else round(page.change_m2(kind))


def _published(page: SiteContent, settings: PublicSettings, withheld: list[tuple[str, str]]) -> PublicSite:
    cells = list[Any]()
    for name in settings.columns:
        value = COLUMNS[name](page)
        if name != "code" and isinstance(value, str) and what_it_holds(value):
            withheld.append((page.site.code, name))
            value = ""
        cells.append(value)
    area = buffered(page.site.geometry, page.site.buffer_m)
    place = area if settings.geometry == "outline" else area.representative_point()
    return PublicSite(tuple(cells), shapely.set_precision(place, 10**-DECIMALS), page.site.status)


def _geojson(sites: Sequence[PublicSite], settings: PublicSettings) -> str:
    features = [
        {
            "type": "Feature",
            "geometry": mapping(site.place),
            "properties": {name: _plain(cell) for name, cell in zip(settings.columns, site.cells, strict=True)},
        }
        for site in sites
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False) + "\n"


def _csv(sites: Sequence[PublicSite], settings: PublicSettings) -> str:
    """With a byte order mark, by which spreadsheets know UTF-8; places as the middle of the outline, in degrees."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow([*settings.columns, "lon", "lat"])
    for site in sites:
        middle = site.place.representative_point()
        texts = ["" if cell is None else str(_plain(cell)) for cell in site.cells]
        writer.writerow([*map(guarded, texts), f"{middle.x:.{DECIMALS}f}", f"{middle.y:.{DECIMALS}f}"])
    return table.getvalue()


def _plain(cell: Any) -> Any:
    return cell.isoformat() if isinstance(cell, date) else cell.value if isinstance(cell, SiteStatus | Rung) else cell


def _page(sites: Sequence[PublicSite], settings: PublicSettings, title: str, words: Words, on: date) -> str:
    height, shapes, bar = _drawn(sites, words)
    rows = [[_told(cell, words) for cell in site.cells] for site in sites]
    present = {site.status for site in sites}
    return (
        environment(words.lang)
        .get_template("public.html")
        .render(
            words=words,
            title=title,
            on=on,
            heads=[words.public_column(name) for name in settings.columns],
            rows=rows,
            shapes=shapes,
            size=(MAP_WIDTH, height),
            bar=bar,
            key=[(words.site_status(status), colour) for status, colour in STATUS_COLOURS.items() if status in present],
            files=(GEOJSON_NAME, CSV_NAME),
        )
    )


def _told(cell: Any, words: Words) -> str:
    if cell is None or cell == "":
        return "–"
    if isinstance(cell, SiteStatus):
        return words.site_status(cell)
    if isinstance(cell, Rung):
        return words.rung(cell)
    return f"{cell:,.0f}" if isinstance(cell, float | int) else str(cell)


def _drawn(sites: Sequence[PublicSite], words: Words) -> tuple[float, list[Shape], tuple[float, str] | None]:
    """Height of the map, its sites, and its scale bar (length, label); plate carrée, true to scale at its middle."""
    if not sites:
        return 120.0, [], None
    left, bottom, right, top = shapely.total_bounds([site.place for site in sites])
    squeeze = math.cos(math.radians((bottom + top) / 2))
    wide, high = max((right - left) * squeeze, 1e-4), max(top - bottom, 1e-4)
    scale = min((MAP_WIDTH - 2 * _MARGIN) / wide, (MAP_HEIGHT - 2 * _MARGIN) / high)
    x0 = (MAP_WIDTH - wide * scale) / 2

    def place(x: float, y: float) -> tuple[float, float]:
        return x0 + (x - left) * squeeze * scale, _MARGIN + (top - y) * scale

    shapes = [
        Shape(_path(site.place, place), STATUS_COLOURS[site.status], " · ".join(_labels(site, words))) for site in sites
    ]
    per_metre = scale / 111_320  # metres of a degree of latitude
    length = max((b for b in _BARS_M if b * per_metre <= MAP_WIDTH / 5), default=_BARS_M[0])
    label = f"{length // 1000} km" if length >= 1000 else f"{length} m"
    return high * scale + 2 * _MARGIN + _BAR_ROOM, shapes, (length * per_metre, label)


def _labels(site: PublicSite, words: Words) -> Iterator[str]:
    return (told for cell in site.cells if (told := _told(cell, words)) != "–")


def _path(place: BaseGeometry, to_map: Callable[[float, float], tuple[float, float]]) -> str:
    """Outlines as drawn; a dot where they would be too small to see."""
    left, bottom, right, top = place.bounds
    (x0, y1), (x1, y0) = to_map(left, bottom), to_map(right, top)
    if max(x1 - x0, y1 - y0) < 2 * DOT:
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        return f"M{x - DOT:.1f} {y:.1f}a{DOT} {DOT} 0 1 0 {2 * DOT} 0a{DOT} {DOT} 0 1 0 {-2 * DOT} 0Z"
    rings = [
        ring
        for part in shapely.get_parts(place)
        if part.geom_type == "Polygon"
        for ring in (part.exterior, *part.interiors)
    ]
    corners = [[to_map(x, y) for x, y, *_ in ring.coords[:-1]] for ring in rings]
    return "".join("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in ring) + "Z" for ring in corners)


__all__ = ["COLUMNS", "PublicSite", "WrittenPublic", "write_public"]
