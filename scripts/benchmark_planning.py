"""What planning a run costs: sites × scenes, none of which is read.

python -m scripts.benchmark_planning [--sizes 100 1000 10000] [--scenes 3] [--profile]

Square sites of 60 m lie on a lattice of 100 m, the scenes (their outlines only) cover them all in tiles of 10 × 10 km,
one of each day. How good the epochs show each site is known from an earlier plan, as in every run but the first. Told
are the processor seconds of reading the sites from the ledger and of the plan (epochs, keys, what the ledger knows,
why, load), and the exponent of seconds against sites: 1 is linear.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from unittest.mock import patch

import numpy as np
from pyproj import CRS
from shapely.geometry import box

from cvpipe.domain import Scene, Site
from cvpipe.geo import WGS84, reproject
from cvpipe.imagery import Quality
from cvpipe.ledger import Workspace
from cvpipe.run import job, plan_opened
from cvpipe.run.looking import Looking
from tests.detect.networks import PaintedNetwork

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
    """Seconds of the parts of a plan."""

    sites: int
    scenes: int
    pairs: int
    reading_s: float
    planning_s: float


def main() -> None:
    """Print a table and the exponent."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--scenes", type=int, default=3, help="Days; each has as many scenes as cover the sites.")
    parser.add_argument("--profile", action="store_true", help="Tell where the time of the largest plan goes.")
    args = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print("sites    scenes   pairs    read CPU s     plan CPU  µs per site")
    costs = []
    for size in sorted(args.sizes):
        with tempfile.TemporaryDirectory() as folder:
            is_last = args.profile and size == max(args.sizes)
            cost = measured(Path(folder) / "ws", size, args.scenes, profiled=is_last)
        costs.append(cost)
        each = (cost.reading_s + cost.planning_s) / size * 1e6
        print(
            f"{size:<8} {cost.scenes:<8} {cost.pairs:<8} {cost.reading_s:<14.2f} {cost.planning_s:<8.2f} {each:.0f}",
            flush=True,
        )
    if len(costs) > 1:
        seconds = np.log([cost.reading_s + cost.planning_s for cost in costs])
        exponent = float(np.polyfit(np.log([cost.sites for cost in costs]), seconds, 1)[0])
        print(f"seconds grow with sites to the power of {exponent:.2f}")


def measured(folder: Path, sites: int, days: int, *, profiled: bool = False) -> Cost:
    """Plan twice; the second one, which knows how good the epochs are, is measured."""
    workspace = Workspace.create(folder)
    with workspace.ledger() as ledger:
        ledger.put_sites(_sites(sites), source="benchmark")
        for scene in _scenes(sites, days):
            ledger.add_scene(scene)
    with _without_pictures():
        with job.opened(workspace) as opened:
            plan_opened(opened)
        began = time.process_time()
        with job.opened(workspace) as opened:
            read = time.process_time()
            profile = cProfile.Profile()
            if profiled:
                profile.enable()
            found = plan_opened(opened)
            profile.disable()
            ended = time.process_time()
            if profiled:
                profile.print_stats("tottime")
        assert len(found.pending) == sites * (days - 1), "each later day is a pair of each site"
    return Cost(sites, len(_scenes(sites, days)), len(found.pairs), read - began, ended - read)


@contextmanager
def _without_pictures() -> Iterator[None]:
    """No bundle is loaded and no scene read: there are none."""
    with (
        patch.object(job, "load_bundle", lambda *_: PaintedNetwork()),
        patch.object(Looking, "_read", lambda *_: GOOD),
    ):
        yield


def _sites(count: int) -> list[Site]:
    across = int(np.ceil(count**0.5))
    lattice = ((number % across * SPACING_M, number // across * SPACING_M) for number in range(count))
    squares = (box(WEST + x, SOUTH + y, WEST + x + SITE_M, SOUTH + y + SITE_M) for x, y in lattice)
    return [Site(f"S{number:07}", reproject(square, UTM, WGS84)) for number, square in enumerate(squares)]


def _scenes(sites: int, days: int) -> list[Scene]:
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
