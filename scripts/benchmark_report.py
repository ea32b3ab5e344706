"""Time and memory of a report on a large ledger: `python scripts/benchmark_report.py [SITES] [--formats html,xlsx]`.

Makes a ledger of drawn verdicts in a temporary folder (not timed), then writes the report in a process of its own and
prints its seconds and its peak memory. No pictures are cut: they cost what reading the scenes costs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
from shapely.geometry import box

from cvpipe.assess import assess_remediation, default_rules, observed_status
from cvpipe.domain import (
    Assessment,
    Change,
    ChangeKind,
    Figure,
    Measurements,
    Scene,
    Site,
    SiteStatus,
    Spread,
    Surface,
)
from cvpipe.ledger import Ledger, Workspace

#: Side of a drawn site in degrees, and the side of the square that it has to itself.
SIDE, CELL = 0.0004, 0.0006
OWNERS = ("集体经济系统", "国资系统", "首钢系统", "机关和社会单位")
DAYS = (date(2015, 11, 6), date(2016, 9, 12), date(2017, 5, 20))


def main() -> None:
    """Parse the command line, fill a ledger, and time the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sites", type=int, nargs="?", default=10_000)
    parser.add_argument("--formats", default="html,xlsx")
    parser.add_argument("--lang", default="zh", choices=("en", "zh"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-report-") as name:
        workspace = Workspace.create(Path(name) / "campaign")
        with workspace.ledger() as ledger:
            fill(ledger, args.sites)
        seconds, processor, peak_mb, size_mb = timed(workspace.folder, args.formats, args.lang)
    told = {
        "sites": args.sites,
        "assessments": 2 * args.sites,
        "formats": args.formats,
        "seconds": round(seconds, 1),
        "processor_seconds": round(processor, 1),
        "peak_mb": round(peak_mb),
        "written_mb": round(size_mb, 1),
        "cores": os.cpu_count(),
        "machine": platform.platform(),
    }
    print(json.dumps(told, indent=2))


def fill(ledger: Ledger, count: int) -> None:
    """Sites on a lattice, each assessed at two epochs against one baseline."""
    random = np.random.default_rng(7)
    scenes = [_scene(number, day) for number, day in enumerate(DAYS)]
    for scene in scenes:
        ledger.add_scene(scene)
    sites = [_site(number) for number in range(count)]
    ledger.put_sites(sites, source="drawn")
    rules = default_rules()
    run = ledger.begin_run(
        settings={"gsd_m": 0.5},
        code_version="0",
        bundle="drawn",
        bundle_digest="d" * 12,
        rules_version=rules.version,
        machine={},
    )
    for site in sites:
        gone = random.random(2).cumsum().clip(0, 1)
        for late, share in enumerate(gone, start=1):
            measured = _measured(float(share))
            verdicts = assess_remediation(site, measured, rules)
            ledger.record(
                run,
                Assessment(
                    site.code,
                    f"{site.code}-{late}",
                    scenes[0].content_hash,
                    scenes[late].content_hash,
                    "d" * 12,
                    rules.version,
                    measured,
                    verdicts,
                    tuple(_change(site) for _ in range(3)),
                    observed_status(verdicts),
                ),
            )
    ledger.finish_run(run, {"assessed": 2 * count})


def timed(workspace: Path, formats: str, lang: str) -> tuple[float, float, float, float]:
    """What `cvpipe report` took: seconds, seconds of processor time, MB of memory at most, MB written."""
    command = [sys.executable, "-m", "cvpipe.cli", "report", "--workspace", str(workspace), "--no-pictures"]
    began = time.perf_counter()
    subprocess.run([*command, "--format", formats, "--lang", lang], check=True, stdout=sys.stderr)
    seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    size = sum(file.stat().st_size for file in (workspace / "report").rglob("*") if file.is_file())
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, size / 1e6


def _site(number: int) -> Site:
    row, col = divmod(number, 100)
    left, bottom = 116.1 + col * CELL, 39.8 + row * CELL
    return Site(
        code=f"S-{number:06d}",
        geometry=box(left, bottom, left + SIDE, bottom + SIDE),
        name=f"点位{number}",
        sub_district=f"第{number % 9 + 1}街道",
        community=f"社区{number % 40}",
        owner_system=OWNERS[number % 4],
        batch="第一批",
        land_area_m2=1500.0,
        building_area_m2=700.0,
        status=list(SiteStatus)[number % 5],
    )


def _scene(number: int, day: date) -> Scene:
    area = box(116.0, 39.7, 116.3, 40.0)
    return Scene(f"/scenes/{day}.tif", day, f"{number:064d}", area, 0.5, "EPSG:4326", 60_000, 60_000, 3, "uint8")


def _measured(gone: float) -> Measurements:
    """A site of 1,500 m² with 700 m² of structure, of which a share is gone."""
    removed, left = 700 * gone, 700 * (1 - gone)
    before = dict.fromkeys(Surface, 0.0) | {Surface.STRUCTURE: 700.0, Surface.BARE: 800.0}
    after = dict.fromkeys(Surface, 0.0) | {Surface.STRUCTURE: left, Surface.BARE: 700.0}
    after[Surface.VEGETATION] = 1500 - left - 700
    change = dict.fromkeys(ChangeKind, 0.0) | {ChangeKind.STRUCTURE_REMOVED: removed}
    change[ChangeKind.GREEN_ADDED] = after[Surface.VEGETATION]
    spread = Spread(expected_m2=removed, chance_m2=12.0, edge_m=110.0, shift_m2=15.0)
    return Measurements(1500.0, 1.0, before, after, change, spreads=dict.fromkeys(Figure, spread))


def _change(site: Site) -> Change:
    left, bottom, *_ = site.geometry.bounds
    return Change(ChangeKind.STRUCTURE_REMOVED, box(left, bottom, left + SIDE / 3, bottom + SIDE / 3), 160.0, 0.9)


if __name__ == "__main__":
    main()
