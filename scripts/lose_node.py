"""Whether a run on a Ray cluster that loses a node in its midst ends with the ledger of a run on one machine.

python -m scripts.lose_node [--size 800] [--sites 8] [--after 4]

A district is drawn; `cvpipe run` assesses some of its sites in one process. Then a cluster of three nodes is started on
loopback: a head that does no work, and two that have one core each. `cvpipe run --engine ray` assesses the same sites
on it; once `--after` assessments are in the ledger all processes of one node are killed (SIGKILL). The run must end
well, must have noticed the loss, and the ledger must say the same as the other one (fractions to 1e-3, times, run ids
and order apart: `stress_run.difference`), each assessment once.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import Any

from cvpipe.imagery import describe
from cvpipe.ledger import Ledger, Workspace, read_sites
from cvpipe.world import draw_district
from scripts.stress_run import content, difference

#: Seconds after which a run is given up.
ENDS_WITHIN_S = 900

#: Ray's object store on each node, bytes: little passes through it.
STORE_BYTES = 80 * 2**20


@dataclass(frozen=True)
class Told:
    """What came of it; no problems where all is well. `losses` counts workers that the run noticed as lost."""

    assessments: int
    at_loss: int
    losses: int
    local_s: float
    ray_s: float
    problems: tuple[str, ...]


def main() -> None:
    """Lose a node and print one JSON object; fail where the ledgers differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=float, default=800.0, help="side of the district, m")
    parser.add_argument("--sites", type=int, default=8)
    parser.add_argument("--after", type=int, default=4, help="assessments in the ledger when the node is killed")
    args = parser.parse_args()
    set_up_ray()
    with tempfile.TemporaryDirectory() as folder:
        told = lose_node(Path(folder), args.size, args.sites, args.after)
    print(json.dumps(vars(told)))
    if told.problems:
        raise SystemExit("\n".join(told.problems))


def set_up_ray() -> None:
    """Ray of this process and its children on loopback alone, under a key of its own. Before Ray is imported."""
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # addresses are 127.0.0.1, whatever the machine is called
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"] = "token", secrets.token_hex(32)


def lose_node(folder: Path, size_m: float, sites: int, after: int) -> Told:
    """Run twice, once with the loss of a node."""
    local, scattered = districts(folder, size_m, ("local", "ray"))
    asked = [argument for code in codes(local, sites) for argument in ("--site", code)]
    began = time.monotonic()
    done = subprocess.run([*command(local), *asked], capture_output=True, text=True, timeout=ENDS_WITHIN_S)
    local_s = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    with two_nodes() as (address, kill_one):
        began = time.monotonic()
        ray = ("--engine", "ray", "--ray-address", address, "--ray-cpus", "1")
        run = subprocess.Popen([*command(scattered), *asked, *ray], stdout=PIPE, stderr=PIPE, text=True)
        at_loss = _wait_for(scattered, after, run)
        kill_one()
        summary, said = run.communicate(timeout=ENDS_WITHIN_S)
        ray_s = time.monotonic() - began
    problems = [] if run.returncode == 0 else [f"the run ended with {run.returncode}: {said[-2000:]}"]
    problems += [*summary_problems(summary), *problems_of(local, scattered)]
    losses = said.count(" is lost; ")
    if not losses:
        problems.append("the run did not notice that a node was lost")
    return Told(_written(scattered), at_loss, losses, round(local_s, 1), round(ray_s, 1), tuple(problems))


def districts(folder: Path, size_m: float, names: tuple[str, ...]) -> list[Workspace]:
    """A drawn district, and a workspace over it by each of the names."""
    district = draw_district(folder / "district", seed=7, size_m=size_m)
    scenes = [describe(path) for path in district.scenes]
    read = read_sites(district.sites)
    made = []
    for name in names:
        workspace = Workspace.create(folder / name)
        with workspace.ledger() as ledger:
            ledger.put_sites(read.sites, source="drawn", stated=read.stated)
            for scene in scenes:
                ledger.add_scene(scene)
        made.append(workspace)
    return made


def codes(workspace: Workspace, most: int) -> list[str]:
    """The first sites of a ledger."""
    with workspace.ledger() as ledger:
        return [site.code for site in ledger.sites()][:most]


def command(workspace: Workspace) -> list[str]:
    """The call of `cvpipe run` in a workspace."""
    return [sys.executable, "-m", "cvpipe.cli", "run", "--workspace", str(workspace.folder), "--json"]


@contextmanager
def two_nodes() -> Iterator[tuple[str, Any]]:
    """The address of a cluster whose two nodes have a core each, and what kills one of them."""
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    try:
        for cores in (0, 1, 1):
            node = cluster.add_node(
                num_cpus=cores, object_store_memory=STORE_BYTES, include_dashboard=False, node_ip_address="127.0.0.1"
            )
        yield cluster.address, lambda: cluster.remove_node(node, allow_graceful=False)
    finally:
        cluster.shutdown()


def summary_problems(summary: str) -> list[str]:
    """What is wrong with what a run prints; Ray must not print between it."""
    try:
        told = json.loads(summary)
    except ValueError:
        return [f"the summary is no JSON: {summary[:500]}"]
    return [f"{len(told['failures'])} pairs failed"] if told["failures"] else []


def problems_of(local: Workspace, scattered: Workspace) -> list[str]:
    """What the second ledger says otherwise than the first, twice, or against its own rules."""
    with scattered.ledger() as ledger:
        found = list(ledger.verify().problems)
        keys = [one.assessment.key for one in ledger.assessments()]
    if len(set(keys)) != len(keys):
        found.append(f"{len(keys)} assessments have {len(set(keys))} keys")
    differs = difference(content(scattered), content(local))
    return found if differs is None else [*found, f"the ledgers differ: {differs}"]


def _wait_for(workspace: Workspace, assessments: int, run: subprocess.Popen[str]) -> int:
    """The assessments in the ledger as soon as they are so many; the run must not have ended by then."""
    began = time.monotonic()
    while (written := _written(workspace)) < assessments:
        assert run.poll() is None, f"the run ended with {run.returncode} before the node was lost"
        assert time.monotonic() - began < ENDS_WITHIN_S, "nothing is written"
        time.sleep(0.1)
    return written


def _written(workspace: Workspace) -> int:
    with Ledger.open(workspace.ledger_path) as ledger:
        return len(ledger.assessments())


if __name__ == "__main__":
    main()
