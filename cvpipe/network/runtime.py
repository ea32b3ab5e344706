"""What runs a network, and where: chosen by what is there, and told in words."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import torch

from cvpipe.errors import BundleError, UsageError
from cvpipe.network.graph_files import GRAPH, Graph
from cvpipe.network.processor import has_fast_bf16, pick_device

RUNTIMES = ("auto", "torch", "openvino")


@dataclass(frozen=True)
class Chosen:
    """torch or openvino, the device, and why these."""

    runtime: str
    device: torch.device
    why: str


def choose(folder: Path, digest: str, runtime: str = "auto", device: str = "auto") -> Chosen:
    """What is to run the bundle in `folder`, which has this digest.

    `auto` takes OpenVINO on the processor alone, and only a graph that was exported into the bundle in float and
    measured faster than torch there: it answers as torch does. One in int8 answers a little otherwise and has a digest
    of its own, so that sites would be assessed anew: it is for who asks for `openvino`. Raises UsageError for a runtime
    or a device that is not there.
    """
    if runtime not in RUNTIMES:
        raise UsageError(f"no such runtime '{runtime}'", remedy="Choose auto, torch or openvino.")
    if runtime == "openvino":
        if device == "cuda":
            raise UsageError("OpenVINO runs on the processor", remedy="Use --device cpu, or --runtime torch.")
        why = f"OpenVINO on the processor, as asked{_of_graph(folder, digest)}"
        return Chosen("openvino", torch.device("cpu"), why)
    place = pick_device(device)
    graph = _fitting(folder, digest) if runtime == "auto" and place.type == "cpu" else None
    if graph is not None and graph.is_faster and not graph.is_int8 and importlib.util.find_spec("openvino"):
        why = f"OpenVINO on the processor: {graph.told}"
        return Chosen("openvino", place, why)
    return Chosen("torch", place, f"torch on {_named(place, device)}{_left_aside(graph)}")


def _named(place: torch.device, wanted: str) -> str:
    if place.type == "cuda":
        return f"{torch.cuda.get_device_name(place)} in bfloat16"
    kind = "bfloat16, which it multiplies itself" if has_fast_bf16() else "float32: it has no fast bfloat16"
    return f"the processor in {kind}" + ("" if wanted == "cpu" else "; no CUDA device was found")


def _left_aside(graph: Graph | None) -> str:
    return "" if graph is None else f"; the exported graph is for --runtime openvino ({graph.told})"


def _of_graph(folder: Path, digest: str) -> str:
    if not (folder / GRAPH).is_file():
        return ", from the bundle's weights"
    return f": {Graph.read(folder, digest).told}"


def _fitting(folder: Path, digest: str) -> Graph | None:
    """The exported graph; None where there is none of this very bundle."""
    try:
        return Graph.read(folder, digest) if (folder / GRAPH).is_file() else None
    except BundleError:
        return None


__all__ = ["RUNTIMES", "Chosen", "choose"]
