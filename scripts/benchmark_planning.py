"""What planning a run costs: sites × scenes, none of which is read.

python -m scripts.benchmark_planning [--sizes 100 1000 10000] [--days 3] [--profile]

Square sites of 60 m lie on a lattice of 100 m, the scenes (their outlines only) cover them all in tiles of 10 × 10 km,
some of each day. How good the epochs show each site is known, as in every run but the first. Three ledgers are planned:
one in which nothing was assessed yet, one in which all is known, and one to which another day's scenes came since.

Told are the processor seconds of opening the job, which reads the sites, and of the plan (epochs, keys, what the ledger
knows, why, load), the peak memory of a process that does only that, and the exponent of seconds against sites: 1 is
linear.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import platform
import resource
import sqlite3
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

import numpy as np
import shapely
from pyproj import CRS
from shapely.geometry import box

from cvpipe.domain import Assessment, Outcome, Scene, Site, Verdict
from cvpipe.geo import WGS84, reproject
from cvpipe.imagery import Quality
from cvpipe.ledger import Workspace
from cvpipe.ledger.geopackage import to_blob
from cvpipe.run import Job, RunOptions, job, plan_opened
from cvpipe.run.looking import LOOKS_NAME, Looking, site_digest
from cvpipe.run.planning import remediation
from tests.detect.networks import PaintedNetwork
from tests.ledger import samples

UTM = CRS.from_epsg(32650)
WEST, SOUTH = 440_000.0, 4_410_000.0
SPACING_M, SITE_M, TILE_M, GSD_M = 100.0, 60.0, 10_000.0, 0.5
GOOD = Quality(
    valid_share=1.0,
    cloud_share=0.0,
    shadow_share=0.0,
    saturated_share=0.0,
    snow_share=0.0,
    haze=0.0,
    blur=1.0,
    coarseness=1.0,
    reasons=(),
)


@dataclass(frozen=True)
class Cost:
    """Processor seconds of the parts of a plan, and the peak memory of its process."""

    pairs: int
    pending: int
    reading_s: float
    planning_s: float
    peak_mb: float


def main() -> None:
    """Print a table and the exponents."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--days", type=int, default=3, help="Each has as many scenes as cover the sites.")
    parser.add_argument("--profile", action="store_true", help="Tell where the time of the largest plans goes.")
    args = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print("ledger        sites     pairs     pending   read CPU s  plan CPU s  µs per site  peak MB")
    costs = defaultdict[str, dict[int, Cost]](dict)
    for size in sorted(args.sizes):
        with tempfile.TemporaryDirectory() as folder:
            workspace = Workspace.create(Path(folder) / "ws")
            for ledger in _ledgers(workspace, size, args.days):
                cost = _apart(workspace.folder, profiled=args.profile and size == max(args.sizes))
                costs[ledger][size] = cost
                _print(ledger, size, cost)
    for ledger, by_size in costs.items():
        if len(by_size) > 1:
            seconds = np.log([cost.reading_s + cost.planning_s for cost in by_size.values()])
            exponent = float(np.polyfit(np.log(list(by_size)), seconds, 1)[0])
            print(f"{ledger}: seconds grow with sites to the power of {exponent:.2f}")


def _print(ledger: str, size: int, cost: Cost) -> None:
    each = (cost.reading_s + cost.planning_s) / size * 1e6
    print(
        f"{ledger:<13} {size:<9} {cost.pairs:<9} {cost.pending:<9} {cost.reading_s:<11.2f} {cost.planning_s:<11.2f} "
        f"{each:<12.1f} {cost.peak_mb:.0f}",
        flush=True,
    )


def _apart(folder: Path, *, profiled: bool) -> Cost:
    """Measured in a process of its own, whose memory holds nothing else."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measured, folder, profiled=profiled).result()


def measured(folder: Path, *, profiled: bool = False) -> Cost:
    """Read the sites of a workspace, and plan them."""
    with without_pictures():
        began = time.process_time()
        with job.opened(Workspace.open(folder)) as opened:
            read = time.process_time()
            profile = cProfile.Profile()
            if profiled:
                profile.enable()
            found = plan_opened(opened)
            pairs, pending = len(found.pairs), len(found.pending)
            profile.disable()
            ended = time.process_time()
            if profiled:
                profile.print_stats("tottime")
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
            assert found.load.units <= pending
    return Cost(pairs, pending, read - began, ended - read, peak)


@contextmanager
def without_pictures() -> Iterator[None]:
    """No bundle is loaded and no scene read: there are none."""
    with (
        patch.object(job, "load_bundle", lambda *_: PaintedNetwork()),
        patch.object(Looking, "_read", lambda *_: GOOD),
    ):
        yield


def _ledgers(workspace: Workspace, size: int, days: int) -> Iterator[str]:
    """The workspace as it fills, by what is new in it."""
    sites, scenes = drawn_sites(size), drawn_scenes(size, days + 1)
    last = [scene for scene in scenes if scene.acquired == scenes[-1].acquired]
    with workspace.ledger() as ledger:
        ledger.put_sites(sites, source="benchmark")
    _fill(workspace, sites, [scene for scene in scenes if scene not in last])
    yield "all new"
    assess_all(workspace)
    yield "all known"
    _fill(workspace, sites, last)
    yield "another day"


def _fill(workspace: Workspace, sites: Sequence[Site], scenes: Sequence[Scene]) -> None:
    """Add scenes, and what they show of the sites that they cover: each good."""
    with workspace.ledger() as ledger:
        for scene in scenes:
            ledger.add_scene(scene)
    with without_pictures(), job.opened(workspace, RunOptions(codes=[sites[0].code])) as opened:
        looking = opened.choosing.looking
        for scene in scenes:
            looking.at(sites[0])((scene,))  # gives the scene its number
        numbers = [looking.number((scene,)) for scene in scenes]
    outlines = np.array([site.geometry for site in sites], object)
    digests = [site_digest(site, outline) for site, outline in zip(sites, shapely.to_wkb(outlines), strict=True)]
    footprints = np.array([scene.footprint for scene in scenes], object)
    shapely.prepare(footprints)
    at, of = shapely.STRtree(footprints).query(outlines, predicate="covered_by")
    with closing(sqlite3.connect(workspace.runs / LOOKS_NAME)) as file, file:
        (row,) = file.execute("SELECT * FROM looks LIMIT 1").fetchall()
        marks = ", ".join("?" * len(row))
        rows = sorted((digests[site], numbers[scene], *row[2:]) for site, scene in zip(at, of, strict=True))
        file.executemany(f"INSERT OR REPLACE INTO looks VALUES ({marks})", rows)


def assess_all(workspace: Workspace) -> None:
    """All pairs get an assessment: one is recorded, the rows of all others are made after it."""
    with without_pictures(), job.opened(workspace) as opened:
        keys = list(_keys(opened))
        run = samples.begin_run(opened.ledger)
        opened.ledger.record(run, _assessment(opened, *keys.pop(0)))
    with closing(sqlite3.connect(workspace.folder / "ledger.gpkg")) as file, file:
        (row,) = (cursor := file.execute("SELECT * FROM assessments")).fetchall()
        names = [column[0] for column in cursor.description]
        place = {name: names.index(name) for name in names}
        rows = (list(row) for _ in keys)
        filled = (_with(row, place, site, key) for row, (site, key) in zip(rows, keys, strict=True))
        file.executemany(f"INSERT INTO assessments VALUES ({', '.join('?' * len(names))})", filled)


def _keys(opened: Job) -> Iterator[tuple[Site, str]]:
    """Of all pairs that are pending."""
    for sites in opened.sites_at_once(1000):
        opened.expect_keys(sites)
        opened.choosing.expect(sites)
        for site in sites:
            asked = remediation(opened.choosing.of(site))
            yield from ((site, key) for key in opened.keys(site, opened.rests(asked, opened.rules_version(site))))


def _assessment(opened: Job, site: Site, key: str) -> Assessment:
    """With as many figures as any has; nothing was demolished."""
    scenes = opened.choosing.scenes
    plain = samples.assessment(site.code, key, before=scenes[0].content_hash, after=scenes[-1].content_hash)
    first, *others = plain.verdicts
    verdicts = (
        Verdict(first.question, Outcome.NONE, first.criteria, None, first.explanation, needs_review=False),
        *others,
    )
    return Assessment(**{**vars(plain), "bundle_digest": opened.network.digest, "verdicts": verdicts})


def _with(row: list[object], place: dict[str, int], site: Site, key: str) -> list[object]:
    """A row as another site's."""
    others = {"id": None, "geom": to_blob(site.geometry), "key": key, "site_code": site.code}
    for name, value in others.items():
        row[place[name]] = value
    return row


def drawn_sites(count: int) -> list[Site]:
    """Squares on a lattice."""
    across = int(np.ceil(count**0.5))
    lattice = ((number % across * SPACING_M, number // across * SPACING_M) for number in range(count))
    squares = (box(WEST + x, SOUTH + y, WEST + x + SITE_M, SOUTH + y + SITE_M) for x, y in lattice)
    return [Site(f"S{number:07}", reproject(square, UTM, WGS84)) for number, square in enumerate(squares)]


def drawn_scenes(sites: int, days: int) -> list[Scene]:
    """Tiles that reach 200 m over their neighbours, so that each site lies in one whole."""
    side = int(np.ceil(sites**0.5)) * SPACING_M
    tiles = int(np.ceil(side / TILE_M))
    places = [(WEST + col * TILE_M, SOUTH + row * TILE_M) for row in range(tiles) for col in range(tiles)]
    return [_scene(place, date(2020 + day, 5, 1)) for day in range(days) for place in places]


def _scene(place: tuple[float, float], day: date) -> Scene:
    west, south = place
    name = f"{day}_{west:.0f}_{south:.0f}"
    ground = box(west - 200, south - 200, west + TILE_M + 200, south + TILE_M + 200)
    pixels = round((TILE_M + 400) / GSD_M)
    return Scene(
        f"/{name}.tif", day, name, reproject(ground, UTM, WGS84), GSD_M, "EPSG:32650", pixels, pixels, 3, "uint8"
    )


if __name__ == "__main__":
    main()
