"""Whether a run that is killed at any moment ends, after all, with the very ledger of one that nobody disturbed.

python -m scripts.stress_run kill [--kills 50] [--sites 24]

kill    A process runs the job over a painted district (three scenes, each site twice, with sheds that stay, go and
        come back); it is killed with SIGKILL after a random time. The next process resumes, until all is assessed;
        then a new district begins. After each kill the ledger must verify; each completed one must say the same as
        the undisturbed one in all but times and run ids, fractions to 1e-3 (`difference`), and the lease must be free.

The network is one that judges by colour, slowed down so that kills hit every stage; reading, alignment, verdicts,
ledger, lease and journals are those of every run.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import date
from multiprocessing.synchronize import Event
from pathlib import Path
from unittest.mock import patch

import numpy as np
import shapely
from shapely.geometry import box

from cvpipe.domain import Plan, Site
from cvpipe.geo import WGS84, reproject
from cvpipe.imagery import describe
from cvpipe.ledger import Ledger, SiteState, Workspace, site_as_plain
from cvpipe.network.probabilities import Probabilities
from cvpipe.run import RunSummary, job
from cvpipe.run.lease import holder_of
from scripts import stress_ledger
from scripts.killing import killed
from tests.detect.conftest import ORIGIN, RED, UTM, chequers, write_geotiff
from tests.detect.networks import PaintedNetwork, Pixels

DAYS = (date(2023, 5, 1), date(2024, 5, 1), date(2025, 5, 1))

#: Sheds of 30 × 40 pixels stand on a lattice of this spacing, pixels; a site is a shed with 10 pixels around.
SPACING_PX = (60, 70)

#: Fractions may differ by so much, relative and absolute: shifts come out about 1e-6 px apart between two reads of the
#: same pixels; why is not known.
TOLERANCE = 1e-3
OUTLINE_TOLERANCE_DEG = 1e-8

#: Seconds that each call of the network takes at least.
THINKING_S = 0.02

_PROCESSES = multiprocessing.get_context("forkserver")
# Not this module itself: under -m it is the main one, and Python warns where that was imported before.
_PROCESSES.set_forkserver_preload(["cvpipe.run", "tests.detect.conftest", "scripts.stress_ledger"])
_START_SECONDS = 300  # for a process to begin; on a busy machine the imports alone take a while


@dataclass
class ThinkingNetwork(PaintedNetwork):
    """The painted network, as slow as one that has to think."""

    def predict(self, before: Pixels, after: Pixels) -> Probabilities:
        time.sleep(THINKING_S)
        return super().predict(before, after)


@dataclass(frozen=True)
class Killed:
    """What came of killing runs: kills, by the assessments that were written by then; ledgers completed; problems."""

    kills: int
    ledgers: int
    assessments: int
    by_written: Counter[int]
    problems: tuple[str, ...]


def main() -> None:
    """Kill as often as was asked for, tell, and fail where a ledger differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("test", choices=("kill",))
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--sites", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = kill(Path(folder), args.kills, args.sites, args.seed)
    written = sorted(found.by_written.elements())
    print(f"{found.kills} kills over {found.ledgers} ledgers of {found.assessments} assessments each")
    print(f"assessments in the ledger at the kill: {written}")
    print(f"{len(found.problems)} problems, {time.monotonic() - began:.0f} s")
    if found.problems:
        raise SystemExit("\n".join(found.problems))


def kill(folder: Path, kills: int, sites: int, seed: int = 0) -> Killed:
    """Kill a run `kills` times, wherever it happens to be; one that ends of itself completes its ledger."""
    rng = random.Random(seed)
    numbers = iter(range(1_000_000))
    scenes = _scenes(folder, sites)

    def new() -> Workspace:
        return prepared(folder / f"ws_{next(numbers)}", scenes, sites)

    undisturbed = new()
    began = time.monotonic()
    assess_all(undisturbed)
    lasts = time.monotonic() - began
    expected, whole = content(undisturbed), _written(undisturbed)
    done, ledgers, by_written, problems = 0, 0, Counter[int](), list[str]()
    workspace, written = new(), 0
    while done < kills and not problems:
        after_s = rng.uniform(0, lasts * (1.3 - written / whole))
        was_killed = killed(_PROCESSES, _run, workspace.folder, after_s, start_s=_START_SECONDS)
        written = _written(workspace)
        problems += [f"after kill {done}: {problem}" for problem in _troubles(workspace)]
        done += was_killed
        by_written.update([written] if was_killed else [])
        if not was_killed:
            ledgers += 1
            problems += _compared(workspace, expected)
            workspace, written = new(), 0
    assess_all(workspace)
    problems += _compared(workspace, expected)
    return Killed(done, ledgers + 1, whole, by_written, tuple(problems))


def prepared(folder: Path, scenes: list[Path], sites: int) -> Workspace:
    """A workspace with painted sites and scenes."""
    workspace = Workspace.create(folder)
    with workspace.ledger() as ledger:
        ledger.put_sites([_site(number, sites) for number in range(sites)], source="stress")
        for path in scenes:
            ledger.add_scene(describe(path))
    return workspace


def assess_all(workspace: Workspace) -> RunSummary:
    """A run with the network that knows colours."""
    with patch.object(job, "load_bundle", lambda *_: ThinkingNetwork()):
        return job.run(workspace)


def content(workspace: Workspace) -> list[object]:
    """What the ledger says of assessments, sites and where they stand; without times, run ids and order of writing."""
    with workspace.ledger() as ledger:
        assessments = [json.loads(stress_ledger.assessment_as_text(one.assessment)) for one in ledger.assessments()]
        audit = sorted(f"{r.kind} {r.action} {r.subject} {r.site_code}" for r in ledger.audit() if r.kind != "run")
        sites = [site_as_plain(site) for site in ledger.sites()]
        states = [_state(state) for _, state in sorted(ledger.states().items())]
    return [sorted(assessments, key=lambda one: str(one["key"])), audit, sites, states]


def _state(state: SiteState) -> list[object]:
    plain = [state.site_code, state.stage, state.rung, state.since, state.last_seen, state.rebounds, state.rebound_m2]
    return [None if value is None else value if isinstance(value, float) else str(value) for value in plain]


def difference(one: object, other: object, where: str = "") -> str | None:
    """Where and how two contents differ first, fractions by more than `TOLERANCE`; None where they are alike."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return next(filter(None, (difference(one[name], other[name], f"{where}.{name}") for name in one)), None)
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        both = enumerate(zip(one, other, strict=True))
        return next(filter(None, (difference(*pair, f"{where}[{number}]") for number, pair in both)), None)
    if isinstance(one, float) and isinstance(other, float):
        same = math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    elif isinstance(one, str) and isinstance(other, str) and one.startswith("POLYGON"):
        same = bool(shapely.equals_exact(shapely.from_wkt(one), shapely.from_wkt(other), OUTLINE_TOLERANCE_DEG))
    else:
        same = one == other
    return None if same else f"{where}: {str(one)[:200]} and {str(other)[:200]}"


def _run(folder: Path, began: Event) -> None:
    began.set()
    summary = assess_all(Workspace.open(folder))
    os._exit(1 if summary.failures or summary.stopped else 0)


def _troubles(workspace: Workspace) -> list[str]:
    with workspace.ledger() as ledger:
        found = list(ledger.verify().problems)
    held = holder_of(workspace.runs)
    return found + ([f"the lease is still held by {held.holder}"] if held else [])


def _compared(workspace: Workspace, expected: list[object]) -> list[str]:
    found = difference(content(workspace), expected)
    return [] if found is None else [f"{workspace.folder.name} differs from the undisturbed one: {found}"]


def _written(workspace: Workspace) -> int:
    with Ledger.open(workspace.ledger_path) as ledger:
        return len(ledger.assessments())


def _site(number: int, sites: int) -> Site:
    rows, cols = _shed(number, sites)
    left, top = ORIGIN * (cols.start - 10, rows.start - 10)
    right, bottom = ORIGIN * (cols.stop + 10, rows.stop + 10)
    plan = Plan(work_started=date(2023, 9, 1))
    return Site(f"S{number:03}", reproject(box(left, bottom, right, top), UTM, WGS84), plan=plan)


def _shed(number: int, sites: int) -> tuple[slice, slice]:
    across = _across(sites)
    top, left = (number // across) * SPACING_PX[0] + 15, (number % across) * SPACING_PX[1] + 15
    return slice(top, top + 30), slice(left, left + 40)


def _across(sites: int) -> int:
    return max(math.isqrt(sites), 1)


def _scenes(folder: Path, sites: int) -> list[Path]:
    """Of three sheds one stays, one goes, and one goes and comes back."""
    pixels_of_day = [np.tile(chequers(), (_tiles(sites), _tiles(sites), 1)) for _ in DAYS]
    for number in range(sites):
        stands = ((True, True, True), (True, False, False), (True, False, True))[number % 3]
        for pixels, there in zip(pixels_of_day, stands, strict=True):
            if there:
                pixels[_shed(number, sites)] = RED
    pairs = zip(DAYS, pixels_of_day, strict=True)
    return [write_geotiff(folder / f"scene_{day}.tif", pixels) for day, pixels in pairs]


def _tiles(sites: int) -> int:
    """Repetitions of the ground (240 × 300 pixels) along each axis that hold all sheds."""
    across = _across(sites)
    down = -(-sites // across)
    return max(-(-(down * SPACING_PX[0] + 30) // 240), -(-(across * SPACING_PX[1] + 30) // 300))


if __name__ == "__main__":
    main()
