"""The ledger's view of a drawn district: rows with words, figures and geometries, as GeoJSON and as CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from shapely.affinity import affine_transform
from shapely.geometry import Point, mapping
from shapely.geometry.base import BaseGeometry

from cvpipe.domain import Plan, Site, SiteStatus
from cvpipe.geo import WGS84, Grid, reproject
from cvpipe.world.compounds import Compound
from cvpipe.world.truth import PairAreas

#: The four owner systems of the founding case, in the proportions that its sites had, roughly.
_OWNERS = (
    "collective economy", "state-owned assets", "collective economy", "Shougang", "collective economy",
    "government and social units", "collective economy",
)  # fmt: skip
_SUB_DISTRICTS = {
    "Dongmen": ("Dongmen First", "Mill Lane"),
    "Yaoshang": ("Old Kiln", "Yaoshang East"),
    "Heyan": ("Riverside", "Willow Bank"),
    "Beichang": ("North Works", "Rolling Mill", "Depot"),
}
_WORK_STARTED = date(2023, 6, 20)
_DUE = {"first": date(2024, 3, 31), "second": date(2025, 8, 31)}
#: Shares of the green that is truly there that plans ask for, and a ratio that bare sites miss.
_ASKED_OF_GREENED, _ASKED_OF_BARE = 0.6, 0.3


@dataclass(frozen=True)
class Placed:
    """A site with its geometry, before its figures are known; `compound` is None for one outside the scenes."""

    code: str
    case: str
    geometry: BaseGeometry
    buffer_m: float
    retained: BaseGeometry | None
    compound: Compound | None


def placed(number: int, compound: Compound, grid: Grid) -> Placed:
    """A drawn compound as a site of the ledger, in WGS 84."""
    retained = None if compound.retained is None else _to_wgs84(_to_crs(compound.retained, grid), grid)
    geometry = _to_wgs84(_to_crs(compound.outline, grid), grid)
    return Placed(_code(number), compound.case, geometry, compound.buffer_m, retained, compound)


def outside(number: int, grid: Grid) -> Placed:
    """A point site 300 m west of the scenes."""
    left, bottom, _, top = grid.bounds
    return Placed(_code(number), "outside", _to_wgs84(Point(left - 300, (bottom + top) / 2), grid), 30.0, None, None)


def _to_crs(geometry: BaseGeometry, grid: Grid) -> BaseGeometry:
    """A geometry of the scene's frame (metres right and down) in the grid's CRS."""
    return affine_transform(geometry, (1, 0, 0, -1, grid.transform.c, grid.transform.f))


def _to_wgs84(geometry: BaseGeometry, grid: Grid) -> BaseGeometry:
    assert grid.crs is not None, "drawn districts have a CRS"
    return reproject(geometry, grid.crs, WGS84)


def _code(number: int) -> str:
    return f"DX-{number + 1:03d}"


def ledger_site(number: int, site: Placed, areas: PairAreas | None) -> Site:
    """The ledger's row of a site; `areas` are the true ones between the baseline and the latest epoch."""
    district = list(_SUB_DISTRICTS)[number % len(_SUB_DISTRICTS)]
    communities = _SUB_DISTRICTS[district]
    batch = "first" if number % 3 else "second"
    row = Site(
        code=site.code,
        geometry=site.geometry,
        name=f"{communities[number % len(communities)]} compound {number + 1}",
        sub_district=district,
        community=communities[number % len(communities)],
        owner_system=_OWNERS[number % len(_OWNERS)],
        batch=batch,
        buffer_m=site.buffer_m,
        plan=Plan(retained=site.retained, work_started=_WORK_STARTED, due_date=_DUE[batch]),
        status=SiteStatus.IN_PROGRESS,
    )
    return row if areas is None else _with_figures(row, number, site.case, areas)


def _with_figures(row: Site, number: int, case: str, areas: PairAreas) -> Site:
    plan = replace(row.plan, demolition_area_m2=round(areas.structure_before_m2, 1))
    if case == "greened" and number % 2:
        plan = replace(plan, green_area_m2=round(areas.green_added_m2 * _ASKED_OF_GREENED, 1))
    elif case == "greened":
        share = areas.surface_after_m2["vegetation"] / areas.site_m2
        plan = replace(plan, green_ratio=round(share * _ASKED_OF_GREENED, 2))
    elif case in ("net", "rubble") and number % 2:
        plan = replace(plan, green_ratio=_ASKED_OF_BARE)
    building = areas.structure_before_m2 + areas.retained_m2
    return replace(row, land_area_m2=round(areas.site_m2, 1), building_area_m2=round(building, 1), plan=plan)


def geojson(sites: list[Site]) -> dict[str, Any]:
    """The rows as a GeoJSON feature collection (RFC 7946: WGS 84, longitude first)."""
    return {"type": "FeatureCollection", "features": [_feature(site) for site in sites]}


def _feature(site: Site) -> dict[str, Any]:
    plan = site.plan
    properties = {
        "code": site.code,
        "name": site.name,
        "sub_district": site.sub_district,
        "community": site.community,
        "owner_system": site.owner_system,
        "batch": site.batch,
        "buffer_m": site.buffer_m,
        "land_area_m2": site.land_area_m2,
        "building_area_m2": site.building_area_m2,
        "demolition_area_m2": plan.demolition_area_m2,
        "green_area_m2": plan.green_area_m2,
        "green_ratio": plan.green_ratio,
        "work_started": None if plan.work_started is None else plan.work_started.isoformat(),
        "due_date": None if plan.due_date is None else plan.due_date.isoformat(),
        "status": site.status.value,
        "retained": None if plan.retained is None else mapping(plan.retained),
    }
    return {"type": "Feature", "properties": properties, "geometry": mapping(site.geometry)}


#: Headings of the CSV file as a district's office writes them, and where each cell comes from.
_CSV_HEADINGS = (
    "编号", "名称", "街道", "社区", "权属系统", "批次", "缓冲距离(米)", "占地面积(平方米)", "建筑面积(平方米)",
    "拆除面积(平方米)", "完成时限", "状态", "经度", "纬度",
)  # fmt: skip


def points_csv(sites: list[Site]) -> str:
    """The point sites as CSV with Chinese headings, longitude and latitude in degrees."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(_CSV_HEADINGS)
    for site in sites:
        if site.geometry.geom_type == "Point":
            table.writerow(_cells(site))
    return text.getvalue()


def _cells(site: Site) -> tuple[object, ...]:
    return (
        site.code,
        site.name,
        site.sub_district,
        site.community,
        site.owner_system,
        site.batch,
        site.buffer_m,
        site.land_area_m2,
        site.building_area_m2,
        site.plan.demolition_area_m2,
        site.plan.due_date,
        "整治中",
        f"{site.geometry.x:.7f}",
        f"{site.geometry.y:.7f}",
    )
