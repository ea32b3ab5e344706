"""What a cluster gains and costs: one drawn district assessed by one process, and by one and two Ray workers.

python -m scripts.benchmark_ray [--size 800] [--sites 23] [--cpus 1]

Every run is the command `cvpipe run` in a workspace of its own, in turn, on this machine, with as many threads as a
worker has cores. *seconds* is the whole command; *at work* is the time that the run itself tells, from the first
question to the ledger to the last, in which the cluster's and the workers' start lies too; *speed-up* is that of the
whole command against the local one. The Ray engine starts a cluster of its own, so that its start counts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvpipe.ledger import Workspace
from scripts.lose_node import codes, command, districts, problems_of, set_up_ray


@dataclass(frozen=True)
class Timed:
    """A run: what it is called, what it told, and the seconds of the whole command."""

    name: str
    told: dict[str, Any]
    seconds: float


def main() -> None:
    """Run three times and print the table; fail where the ledgers differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=float, default=800.0, help="side of the district, m")
    parser.add_argument("--sites", type=int, default=23)
    parser.add_argument("--cpus", type=int, default=1, help="cores of each worker, and threads of the local run")
    args = parser.parse_args()
    set_up_ray()
    with tempfile.TemporaryDirectory() as folder:
        workspaces = districts(Path(folder), args.size, ("local", "one", "two"))
        asked = [argument for code in codes(workspaces[0], args.sites) for argument in ("--site", code)]
        timed = [_timed(one, asked, workers, args.cpus) for workers, one in enumerate(workspaces)]
        problems = [problem for one in workspaces[1:] for problem in problems_of(workspaces[0], one)]
    print("\n".join(table(timed)))
    if problems:
        raise SystemExit("\n".join(problems))


def table(timed: list[Timed]) -> list[str]:
    """The runs, the first of which is the local one, with their speed-up and overhead."""
    local = timed[0]
    rows = [
        f"| {one.name} | {one.told['assessed']} | {one.told['megapixels']:.1f} | {one.seconds:.1f} | "
        f"{one.told['seconds']:.1f} | {one.told['megapixels'] / one.told['seconds']:.2f} | "
        f"{local.seconds / one.seconds:.2f} |"
        for one in timed
    ]
    head = "| run | pairs | Mpx | seconds | at work s | Mpx/s at work | speed-up |"
    return [head, "|---|---|---|---|---|---|---|", *rows]


def _timed(workspace: Workspace, asked: list[str], workers: int, cpus: int) -> Timed:
    """A run by so many workers; 0 for the local engine."""
    ray = ["--engine", "ray", "--ray-cpus", str(cpus), "--ray-workers", str(workers)] if workers else []
    threads = {name: str(cpus) for name in ("OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")}
    began = time.monotonic()
    done = subprocess.run(
        [*command(workspace), *asked, *ray], capture_output=True, text=True, check=False, env=os.environ | threads
    )
    seconds = time.monotonic() - began
    assert done.returncode == 0, done.stderr[-3000:]
    return Timed(f"Ray, {workers} workers" if workers else "local", json.loads(done.stdout), seconds)


if __name__ == "__main__":
    main()
