"""A small district to review: three drawn scenes, fourteen sites, and verdicts that need people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pyproj
import rasterio
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry import Polygon, box

from cvpipe.assess.rules import Rules
from cvpipe.assess.settling import settle_sites
from cvpipe.domain import (
    Account,
    Assessment,
    Batch,
    Campaign,
    Candidate,
    Change,
    ChangeKind,
    Criterion,
    Measurements,
    Outcome,
    Question,
    Registration,
    Role,
    Site,
    SiteStatus,
    Surface,
    Verdict,
)
from cvpipe.geo import WGS84, reproject
from cvpipe.imagery import describe
from cvpipe.ledger import Ledger, Workspace
from cvpipe.review.passwords import hashed

PASSWORD = "a long enough password"
PEOPLE = {"anna": Role.REVIEWER, "bo": Role.REVIEWER, "cleo": Role.REVIEWER, "vera": Role.VIEWER, "ada": Role.ADMIN}
DATES = (date(2015, 10, 1), date(2016, 9, 1), date(2017, 7, 1))

#: Pixel size of the scenes, m, and pixels of their sides.
PIXEL_M, SIDE_PX = 0.5, 800
LEFT, TOP = 440_000.0, 4_420_000.0
UTM = pyproj.CRS.from_epsg(32650)

#: Sites stand in rows of four, 90 m apart, 50 m wide.
SITES = 14


def outline(number: int) -> Polygon:
    """The outline of a site in metres of the scenes' CRS."""
    col, row = number % 4, number // 4
    left, top = LEFT + 30 + 90 * col, TOP - 30 - 90 * row
    return box(left, top - 50, left + 50, top)


def draw(workspace: Workspace) -> None:
    """Fill a new workspace: scenes beside the ledger, sites, one run with assessments, accounts, a candidate."""
    with workspace.ledger() as ledger:
        hashes = _scenes(ledger, workspace.folder)
        ledger.put_campaign(Campaign("clean-up", date(2015, 1, 1), date(2018, 1, 1), 14))
        ledger.put_batch(Batch("first", "clean-up"))
        ledger.put_sites([_site(number) for number in range(SITES)], source="drawn")
        run = ledger.begin_run(
            settings={"gsd_m": PIXEL_M},
            code_version="0",
            bundle="drawn",
            bundle_digest="d",
            rules_version="1",
            machine={},
        )
        for number in range(SITES):
            ledger.record(run, _remediation(number, hashes))
            if number < 3:
                ledger.record(run, _watch(number, hashes))
        settle_sites(ledger, Rules())
        ledger.finish_run(run, {"assessed": SITES})
        place = reproject(box(LEFT + 390, TOP - 395, LEFT + 398, TOP - 388), UTM, WGS84)
        ledger.add_candidate(Candidate(place, ChangeKind.STRUCTURE_ADDED, 56.0, 0.8, DATES[2], DATES[2]))
        kept = hashed(PASSWORD)
        for name, role in PEOPLE.items():
            ledger.put_account(Account(name, role, kept))


def _scenes(ledger: Ledger, folder: Path) -> list[str]:
    found = []
    for number, acquired in enumerate(DATES):
        path = folder / f"scene_{acquired:%Y%m%d}.tif"
        _write(path, _picture(number))
        scene = describe(path, acquired)
        ledger.add_scene(scene)
        found.append(scene.content_hash)
    return found


def _picture(epoch: int) -> NDArray[np.uint8]:
    """Ground with a red roof on each site at the first epoch, and on three sites at the last one again."""
    noise = np.random.default_rng(7).integers(90, 130, (SIDE_PX, SIDE_PX, 1), dtype=np.uint8)
    pixels = np.repeat(noise, 3, axis=2)
    for number in range(SITES):
        if epoch == 0 or (epoch == 2 and number < 3):
            left, bottom, right, top = outline(number).bounds
            rows = slice(int((TOP - top + 10) / PIXEL_M), int((TOP - bottom - 10) / PIXEL_M))
            cols = slice(int((left + 10 - LEFT) / PIXEL_M), int((right - 10 - LEFT) / PIXEL_M))
            pixels[rows, cols] = (200, 60, 50)
    return pixels


def _write(path: Path, pixels: NDArray[np.uint8]) -> None:
    transform = Affine(PIXEL_M, 0, LEFT, 0, -PIXEL_M, TOP)
    profile = {"driver": "GTiff", "width": SIDE_PX, "height": SIDE_PX, "count": 3, "dtype": "uint8", "tiled": True}
    with rasterio.open(path, "w", crs="EPSG:32650", transform=transform, photometric="RGB", **profile) as file:
        file.write(np.moveaxis(pixels, 2, 0))


def _site(number: int) -> Site:
    return Site(
        code=f"S-{number:02d}",
        geometry=reproject(outline(number), UTM, WGS84),
        name=f"Yard {number}",
        sub_district="East" if number % 2 else "West",
        owner_system="collective" if number < 7 else "state-owned",
        batch="first",
        buffer_m=0.0,
        land_area_m2=2500.0,
        status=SiteStatus.CLOSED if number < 3 else SiteStatus.IN_PROGRESS,
    )


def _roof(number: int) -> Polygon:
    left, bottom, right, top = outline(number).bounds
    return box(left + 10, bottom + 10, right - 10, top - 10)


def _remediation(number: int, hashes: Sequence[str]) -> Assessment:
    """Demolished and clear; the sites from 3 to 5 so near the limit that somebody should look."""
    near = 3 <= number < 6
    share = Criterion("removed_share", 0.951 if near else 0.99, "share", 0.95, True)
    verdicts = (
        Verdict(Question.DEMOLITION, Outcome.COMPLETE, (share,), needs_review=near),
        Verdict(Question.CLEARANCE, Outcome.MET, (Criterion("clear_ground", 0.97, "share", 0.8, True),)),
        Verdict(Question.GREENING, Outcome.NONE, (Criterion("green_gained", 3.0, "m²", 100.0, False),)),
    )
    change = Change(ChangeKind.STRUCTURE_REMOVED, reproject(_roof(number), UTM, WGS84), 900.0, 0.94)
    return Assessment(f"S-{number:02d}", f"remediation-{number}", hashes[0], hashes[1], "d", "1", _measured(900.0, 0.0),
                      verdicts, (change,), SiteStatus.CLEARED)  # fmt: skip


def _watch(number: int, hashes: Sequence[str]) -> Assessment:
    verdict = Verdict(
        Question.REBOUND,
        Outcome.SUSPECTED,
        (Criterion("structure_added", 900.0, "m²", 30.0, False),),
        needs_review=True,
    )
    change = Change(ChangeKind.STRUCTURE_ADDED, reproject(_roof(number), UTM, WGS84), 900.0, 0.97)
    return Assessment(f"S-{number:02d}", f"watch-{number}", hashes[1], hashes[2], "d", "1", _measured(0.0, 900.0),
                      (verdict,), (change,), SiteStatus.REBOUND)  # fmt: skip


def _measured(removed: float, added: float) -> Measurements:
    return Measurements(
        site_area_m2=2500.0,
        valid_share=1.0,
        surface_before_m2={Surface.STRUCTURE: removed},
        surface_after_m2={Surface.STRUCTURE: added},
        change_m2={ChangeKind.STRUCTURE_REMOVED: removed, ChangeKind.STRUCTURE_ADDED: added,
                   ChangeKind.GREEN_ADDED: 0.0, ChangeKind.GREEN_REMOVED: 0.0},
        registration=Registration((1.0, -2.0), 0.2, 0.9),
    )  # fmt: skip
