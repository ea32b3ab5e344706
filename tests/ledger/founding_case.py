"""The founding case as a ledger: 547 sites whose totals are those of the campaign's published report.

Totals are as published (DOMAIN: what the founding case asks for); how they spread over the sites, and where these lie,
is made up: points, lines and polygons over the nine sub-districts of the district, from a seed.
"""

from __future__ import annotations

from datetime import date

import numpy as np
from shapely.geometry import LineString, Point, box
from shapely.geometry.base import BaseGeometry

from cvpipe.domain import (
    Assessment,
    Batch,
    Campaign,
    ChangeKind,
    Measurements,
    Outcome,
    Plan,
    Question,
    Site,
    SiteStatus,
    Surface,
    Verdict,
)
from cvpipe.ledger import Ledger
from tests.ledger import samples

#: Owner system → its name in English, sites, land and building in 10,000 m².
OWNER_SYSTEMS = {
    "集体经济系统": ("collective economy system", 380, 144, 82),
    "国有资产系统": ("state-owned assets system", 74, 5, 4),
    "首钢系统": ("Shougang (steel works) system", 48, 13, 8),
    "政府部门和社会单位": ("government departments and social units", 45, 17, 6),
}
ALL = (547, 179, 100)
GREEN = 21  # 10,000 m²
TARGET = 528

CAMPAIGN = Campaign(
    "疏解整治专项行动", date(2015, 11, 6), date(2017, 6, 30), target_sites=TARGET, target_green_m2=GREEN * 10_000
)
BATCHES = (Batch("第一批", CAMPAIGN.name, date(2016, 8, 31)), Batch("第二批", CAMPAIGN.name, date(2017, 6, 30)))

#: Sub-districts with the longitude and latitude of their middle, roughly.
SUB_DISTRICTS = {
    "八宝山街道": (116.238, 39.908),
    "老山街道": (116.228, 39.912),
    "八角街道": (116.208, 39.915),
    "古城街道": (116.192, 39.912),
    "苹果园街道": (116.195, 39.937),
    "金顶街街道": (116.178, 39.938),
    "广宁街道": (116.157, 39.932),
    "五里坨街道": (116.118, 39.955),
    "鲁谷街道": (116.232, 39.893),
}

_GREENED = 140  # sites whose plan asks for green
_SCENES = (samples.scene("founding-2015", date(2015, 10, 1)), samples.scene("founding-2017", date(2017, 7, 1)))


def sites(seed: int = 528) -> list[Site]:
    """547 closed sites; areas are whole m², so that their sums come out exactly."""
    rng = np.random.default_rng(seed)
    greened = dict(zip(rng.permutation(ALL[0])[:_GREENED].tolist(), _split(GREEN, _GREENED, rng), strict=True))
    found: list[Site] = []
    for system, (_, count, land, building) in OWNER_SYSTEMS.items():
        for land_m2, building_m2 in zip(_split(land, count, rng), _split(building, count, rng), strict=True):
            found.append(_site(len(found), system, land_m2, building_m2, greened.get(len(found)), rng))
    return found


def fill(ledger: Ledger) -> None:
    """Put the campaign, its batches and its sites into a ledger, and what was seen of those that turned green."""
    ledger.put_campaign(CAMPAIGN)
    for batch in BATCHES:
        ledger.put_batch(batch)
    for scene in _SCENES:
        ledger.add_scene(scene)
    listed = sites()
    ledger.put_sites(listed, source="founding case")
    run_id = samples.begin_run(ledger)
    for site in listed:
        if site.plan.green_area_m2 is not None:
            ledger.record(run_id, _greening(site, site.plan.green_area_m2))


def _site(
    number: int, system: str, land_m2: int, building_m2: int, green_m2: int | None, rng: np.random.Generator
) -> Site:
    sub_district = list(SUB_DISTRICTS)[number % len(SUB_DISTRICTS)]
    batch = BATCHES[number % 2]
    return Site(
        code=f"SJS-{number + 1:03d}",
        geometry=_place(number, sub_district, rng),
        name=f"{sub_district.removesuffix('街道')}{number + 1}号院",
        sub_district=sub_district,
        community=f"第{number % 5 + 1}社区",
        owner_system=system,
        batch=batch.name,
        land_area_m2=float(land_m2),
        building_area_m2=float(building_m2),
        plan=Plan(green_area_m2=None if green_m2 is None else float(green_m2), due_date=batch.due_date),
        status=SiteStatus.CLOSED,
    )


def _place(number: int, sub_district: str, rng: np.random.Generator) -> BaseGeometry:
    """A polygon for three sites of five, a point or a line for the others."""
    x, y = np.asarray(SUB_DISTRICTS[sub_district]) + rng.uniform(-0.008, 0.008, 2)
    wide, high = rng.uniform(0.0002, 0.0012, 2)
    shapes: list[BaseGeometry] = [Point(x, y), LineString([(x, y), (x + wide, y + high)])]
    return shapes[number % 5] if number % 5 < len(shapes) else box(x, y, x + wide, y + high)


def _split(ten_thousands: int, parts: int, rng: np.random.Generator) -> list[int]:
    """An area in 10,000 m² as whole, uneven parts in m² whose sum is exactly that area."""
    whole = ten_thousands * 10_000
    cuts = np.sort(rng.choice(np.arange(1, whole), parts - 1, replace=False))
    areas: list[int] = np.diff([0, *cuts, whole]).tolist()
    return areas


def _greening(site: Site, green_m2: float) -> Assessment:
    """What a run would have said of a site whose planned green is there."""
    measured = Measurements(
        site_area_m2=site.land_area_m2 or 0.0,
        valid_share=1.0,
        surface_before_m2={Surface.STRUCTURE: site.building_area_m2 or 0.0},
        surface_after_m2={Surface.VEGETATION: green_m2},
        change_m2={ChangeKind.GREEN_ADDED: green_m2},
    )
    return Assessment(
        site_code=site.code,
        key=f"founding {site.code}",
        before=_SCENES[0].content_hash,
        after=_SCENES[1].content_hash,
        bundle_digest="founding",
        rules_version="founding",
        measurements=measured,
        verdicts=(Verdict(Question.GREENING, Outcome.MET),),
    )
