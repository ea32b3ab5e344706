"""Draws scenes and fills a ledger without a network: surfaces are known, and verdicts follow from them by the rules."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pyproj
import rasterio
import rasterio.features
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry import box, shape
from shapely.geometry.base import BaseGeometry

from cvpipe.assess import (
    REMEDIATION,
    assess_rebound,
    assess_remediation,
    default_rules,
    measure,
    not_assessable,
    observed_status,
)
from cvpipe.domain import (
    Assessment,
    Change,
    ChangeKind,
    Measurements,
    Plan,
    Reason,
    Registration,
    Remnant,
    Scene,
    Site,
    SiteStatus,
    Surface,
    Verdict,
)
from cvpipe.geo import WGS84, reproject
from cvpipe.imagery import describe
from cvpipe.ledger import Ledger, Workspace

Codes = NDArray[np.uint8]

CRS = pyproj.CRS.from_epsg(32650)
PIXEL_M = 0.5
CELL = 100, 80
"""Width and height of a site's cell in pixels: 50 × 40 m."""

PLACE = Affine(PIXEL_M, 0, 440_000, 0, -PIXEL_M, 4_420_000)
DATES = date(2015, 11, 6), date(2016, 9, 12), date(2017, 5, 20)
SHIFTS_PX = (0, 0), (3, -2), (-2, 1)
"""(x, y): how far each epoch's content lies right of and below the first one's."""

_COLOURS = {
    Surface.STRUCTURE: (176, 120, 96),
    Surface.RUBBLE: (158, 146, 132),
    Surface.BARE: (196, 176, 142),
    Surface.VEGETATION: (84, 118, 66),
    Surface.PAVED: (142, 146, 150),
}

_OWNERS = ("Collective economy system", "State-owned assets system", "Steel works system")
_DISTRICTS = ("Babaoshan", "Laoshan")


@dataclass(frozen=True)
class Neighbourhood:
    """Scenes and workspace on disk, and the surfaces that were drawn."""

    scenes: tuple[Path, ...]
    workspace: Path

    @classmethod
    def draw(cls, folder: Path) -> Neighbourhood:
        """Write three GeoTIFFs and a workspace with six sites, two runs' worth of assessments and one new site."""
        surfaces = _surfaces()
        scenes = tuple(
            _write(folder / f"scene-{day.isoformat()}.tif", surface, shift, seed)
            for seed, (day, surface, shift) in enumerate(zip(DATES, surfaces, SHIFTS_PX, strict=True))
        )
        workspace = Workspace.create(folder / "workspace")
        text = workspace.settings_path.read_text(encoding="utf-8")
        text = text.replace('campaign: ""', 'campaign: "Hills district remediation"')
        text = text.replace("campaign_target: null", "campaign_target: 6")
        workspace.settings_path.write_text(text, encoding="utf-8")
        with workspace.ledger() as ledger:
            _fill(ledger, surfaces, [describe(path, day) for path, day in zip(scenes, DATES, strict=True)])
        return cls(scenes, workspace.folder)


def sites() -> list[Site]:
    """Greened, partly gone, rubble left, rebuilt, under cloud, "closed" but standing; and a point not yet seen."""
    names = ("Timber yard", "Market hall", "Brick kiln", "Depot", "Nursery sheds", "Boiler house", "Kiosk")
    statuses = [SiteStatus.CLOSED, SiteStatus.IN_PROGRESS, SiteStatus.DEMOLISHED, SiteStatus.CLOSED]
    statuses += [SiteStatus.REGISTERED, SiteStatus.CLOSED, SiteStatus.REGISTERED]
    plans = [Plan(green_area_m2=250.0), *[Plan()] * 4, Plan(demolition_area_m2=400.0), Plan()]
    return [
        Site(
            code=f"L-{number + 1:03d}",
            geometry=_cell_outline(number) if number < 6 else _cell_outline(2).centroid,
            name=name,
            sub_district=_DISTRICTS[number % 2],
            community=f"Community {number // 2 + 1}",
            owner_system=_OWNERS[number % 3],
            batch="First batch",
            land_area_m2=2000.0,
            building_area_m2=600.0,
            plan=plans[number],
            status=statuses[number],
        )
        for number, name in enumerate(names)
    ]


def cell(number: int) -> tuple[slice, slice]:
    """Rows and columns of a site's cell; three cells to a row, a street between."""
    row, col = divmod(number, 3)
    top, left = 15 + row * (CELL[1] + 20), 15 + col * (CELL[0] + 20)
    return slice(top, top + CELL[1]), slice(left, left + CELL[0])


def _surfaces() -> tuple[Codes, Codes, Codes]:
    before = np.full((220, 380), Surface.PAVED, np.uint8)
    for number in range(6):
        before[cell(number)] = Surface.BARE
        before[cell(number)][10:40, 10:50] = Surface.STRUCTURE
        before[cell(number)][46:70, 20:80] = Surface.STRUCTURE
    after = before.copy()
    for number in (0, 2, 3, 4):
        after[cell(number)][after[cell(number)] == Surface.STRUCTURE] = Surface.BARE
    after[cell(0)][40:76, 4:60] = Surface.VEGETATION
    after[cell(1)][10:40, 10:50] = Surface.BARE
    after[cell(2)][12:38, 14:46] = Surface.RUBBLE
    later = after.copy()
    later[cell(3)][20:44, 30:70] = Surface.STRUCTURE
    return before, after, later


def _write(path: Path, surface: Codes, shift: tuple[int, int], seed: int) -> Path:
    """The surfaces as a picture with grain, roof shadows and, at the second epoch, a cloud over the fifth site."""
    random = np.random.default_rng(seed)
    lit = np.zeros((*surface.shape, 3), np.float32)
    for code, colour in _COLOURS.items():
        lit[surface == code] = colour
    roof = surface == Surface.STRUCTURE
    lit[np.roll(roof, (4, 4), (0, 1)) & ~roof] *= 0.45
    lit += random.normal(0, 9, surface.shape)[..., None] + random.normal(0, 4, lit.shape) + 6 * seed
    if seed:
        lit[cell(4)] = lit[cell(4)] * 0.1 + 222
    pixels = np.roll(np.clip(lit, 0, 255).astype(np.uint8), (shift[1], shift[0]), (0, 1))
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 3, "width": surface.shape[1], "height": surface.shape[0]}
    with rasterio.open(path, "w", crs=CRS.to_wkt(), transform=PLACE, **profile) as raster:
        raster.write(pixels.transpose(2, 0, 1))
    return path


def _fill(ledger: Ledger, surfaces: tuple[Codes, Codes, Codes], scenes: list[Scene]) -> None:
    listed = sites()
    ledger.put_sites(listed, source="drawn")
    for scene in scenes:
        ledger.add_scene(scene)
    run = ledger.begin_run(
        settings={"gsd_m": PIXEL_M},
        code_version="0",
        bundle="drawn",
        bundle_digest="d" * 12,
        rules_version=default_rules().version,
        machine={},
    )
    for number, site in enumerate(listed[:6]):
        for early, late in ((0, 1), (0, 2)):
            ledger.record(run, _remediation(site, number, (early, late), surfaces, scenes))
        if number in (0, 3):
            ledger.record(run, _watch(site, number, surfaces, scenes))
    ledger.finish_run(run, {"assessed": 14})


def _remediation(
    site: Site, number: int, pair: tuple[int, int], surfaces: tuple[Codes, Codes, Codes], scenes: list[Scene]
) -> Assessment:
    if number == 4:
        return _assessment(site, pair, scenes, None, not_assessable(REMEDIATION, Reason.CLOUD), ())
    m, changes = _measured(number, pair, surfaces)
    return _assessment(site, pair, scenes, m, assess_remediation(site, m, default_rules()), changes)


def _watch(site: Site, number: int, surfaces: tuple[Codes, Codes, Codes], scenes: list[Scene]) -> Assessment:
    m, changes = _measured(number, (1, 2), surfaces)
    return _assessment(site, (1, 2), scenes, m, (assess_rebound(site, m, default_rules()),), changes)


def _measured(
    number: int, pair: tuple[int, int], surfaces: tuple[Codes, Codes, Codes]
) -> tuple[Measurements, tuple[Change, ...]]:
    before, after = surfaces[pair[0]], surfaces[pair[1]]
    inside = np.zeros(before.shape, bool)
    inside[cell(number)] = True
    stood, stands = before == Surface.STRUCTURE, after == Surface.STRUCTURE
    was_green, is_green = before == Surface.VEGETATION, after == Surface.VEGETATION
    bands = {
        ChangeKind.STRUCTURE_REMOVED: stood & ~stands,
        ChangeKind.STRUCTURE_ADDED: stands & ~stood,
        ChangeKind.GREEN_ADDED: is_green & ~was_green,
        ChangeKind.GREEN_REMOVED: was_green & ~is_green,
    }
    early, late = SHIFTS_PX[pair[0]], SHIFTS_PX[pair[1]]
    m = measure(
        surface_before=before,
        surface_after=after,
        change={kind: band.astype(np.uint8) for kind, band in bands.items()},
        usable=np.ones(before.shape, bool),
        inside=inside,
        retained=None,
        pixel_area_m2=PIXEL_M**2,
        registration=Registration((late[0] - early[0], late[1] - early[1]), 0.2, 0.9),
        reasons=(),
    )
    # Polygons lie where the earlier epoch of the pair shows their ground.
    seen = PLACE * Affine.translation(*early)
    left = tuple(
        Remnant(surface, change.geometry, change.area_m2)
        for surface in (Surface.STRUCTURE, Surface.RUBBLE)
        for change in _polygons(ChangeKind.STRUCTURE_ADDED, (after == surface) & inside, seen)
    )
    return replace(m, left=left), tuple(
        change for kind, band in bands.items() for change in _polygons(kind, band & inside, seen)
    )


def _polygons(kind: ChangeKind, band: NDArray[np.bool_], place: Affine) -> list[Change]:
    found = rasterio.features.shapes(band.astype(np.uint8), mask=band, transform=place)
    outlines = [shape(geometry) for geometry, _ in found]
    return [Change(kind, reproject(o, CRS, WGS84), float(o.area), 0.9) for o in outlines]


def _assessment(
    site: Site,
    pair: tuple[int, int],
    scenes: list[Scene],
    m: Measurements | None,
    verdicts: tuple[Verdict, ...],
    changes: tuple[Change, ...],
) -> Assessment:
    early, late = (scenes[i].content_hash for i in pair)
    return Assessment(
        site_code=site.code,
        key=f"{site.code}-{pair}-{len(verdicts)}",
        before=early,
        after=late,
        bundle_digest="d" * 12,
        rules_version=default_rules().version,
        measurements=m,
        verdicts=verdicts,
        changes=changes,
        observed_status=observed_status(verdicts),
    )


def _cell_outline(number: int) -> BaseGeometry:
    rows, cols = cell(number)
    left, top = PLACE * (cols.start, rows.start)
    right, bottom = PLACE * (cols.stop, rows.stop)
    return reproject(box(left, bottom, right, top), CRS, WGS84)
