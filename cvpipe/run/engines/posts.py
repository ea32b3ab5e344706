"""How many workers a cluster has room for, and what each of them needs: one network per GPU, else per some cores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cvpipe.errors import ClusterError

#: Cores of a worker without a GPU: one mostly reads and aligns, the network has the other. More cores per network gain
#: less than more networks do.
CPUS_PER_WORKER = 2


@dataclass(frozen=True)
class RayOptions:
    """Which cluster assesses the pairs, and with how many workers.

    `address` None: RAY_ADDRESS, else a cluster of this machine alone, started for the run. `cpus` are the cores of
    each worker that has no GPU, `workers` their number; None: as many as there is room for when the run begins.
    """

    address: str | None = None
    cpus: int | None = None
    workers: int | None = None


@dataclass(frozen=True)
class Post:
    """What one worker is given, and how many of them there are to be."""

    cpus: float
    gpus: int
    workers: int

    @property
    def device(self) -> str:
        return "cuda" if self.gpus else "cpu"

    @property
    def told(self) -> str:
        """What a worker has, in words."""
        return f"{self.cpus:g} cores and {self.gpus} GPU" if self.gpus else f"{self.cpus:g} cores"


def post_for(nodes: Sequence[Mapping[str, Any]], options: RayOptions, device: str) -> Post:
    """The workers for the nodes of a cluster as `ray.nodes` lists them; `device` is auto, cpu or cuda.

    `auto` takes GPUs where any node has one, and then leaves nodes without one alone. Raises ClusterError where no
    node has room and no number of workers was asked for.
    """
    rooms = [node["Resources"] for node in nodes if node["Alive"]]
    gpus = sum(int(room.get("GPU", 0)) for room in rooms)
    if device == "cuda" or (device == "auto" and gpus):
        return _post(options, _cpus_beside_a_gpu(rooms), 1, gpus, "GPU")
    largest = max((int(room.get("CPU", 0)) for room in rooms), default=0)
    wanted = options.cpus or CPUS_PER_WORKER
    cpus = min(wanted, largest) if largest else wanted
    return _post(options, cpus, 0, sum(int(room.get("CPU", 0)) // cpus for room in rooms), "core")


def _post(options: RayOptions, cpus: float, gpus: int, room: int, what: str) -> Post:
    if not room and options.workers is None:
        raise ClusterError(
            f"the cluster has no {what} for a worker",
            where=options.address,
            remedy="Start nodes that have some, or give --ray-workers N and the cluster's autoscaler time to come.",
        )
    return Post(cpus, gpus, options.workers or room)


def _cpus_beside_a_gpu(rooms: Sequence[Mapping[str, Any]]) -> float:
    """Cores for each GPU where they are scarcest, since all workers are alike; at least a part of one."""
    shares = [room.get("CPU", 0) / room["GPU"] for room in rooms if room.get("GPU")]
    return max(float(int(min(shares))), 0.5) if shares else 1.0
