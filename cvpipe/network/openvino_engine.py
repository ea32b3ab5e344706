"""A bundle run by OpenVINO: about three times as fast as torch on two processor cores, faster still in int8.

Without an exported graph the bundle's own weights are translated when it is loaded, in memory. `cvpipe models export`
writes a graph beside the bundle, which loads at once, and can quantise it to int8: its answers then differ a little, so
that it has a digest of its own, and work done with the other is not taken for work done with it.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cvpipe.network.bundle import BundleSettings, Network, read_module
from cvpipe.network.exporting import INPUTS, OUTPUTS, Answering, Distance, asked, needed, traced_with
from cvpipe.network.graph_files import GRAPH, GRAPH_WEIGHTS, Graph, Measured, note
from cvpipe.network.probabilities import Probabilities

#: Names of the parts that are not quantised.
IN_FLOAT = (".*change_head.*", ".*surface_head.*")

Tiles = tuple[np.ndarray, np.ndarray]


class OpenVinoNetwork(Network):
    """Answers as `Network` does, on the processor."""

    def __init__(self, model: Any, settings: BundleSettings, digest: str, *, answers_surfaces: bool) -> None:
        self._describe(settings, digest, torch.device("cpu"), answers_surfaces=answers_surfaces)
        self.step = 1
        self._compiled = _openvino().Core().compile_model(model, "CPU")

    def logits(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """As `Network.logits`, of a graph that answers in probabilities, for each pixel."""
        found = self._compiled([np.ascontiguousarray(tile) for tile in (before, after)])
        return Probabilities(*(found[i] for i in range(len(OUTPUTS)))).logits()


def openvino_network(folder: Path, settings: BundleSettings, digest: str) -> Network:
    """The bundle in `folder`, from its exported graph where there is one, else from its weights.

    Raises UsageError where OpenVINO is not installed, BundleError for a graph that was not made from this bundle.
    """
    module = read_module(folder)
    if not (folder / GRAPH).is_file():
        model = translated(Answering(module, settings))
        return OpenVinoNetwork(model, settings, digest, answers_surfaces=module.has_surfaces)
    own = Graph.read(folder, digest).digest
    model = _openvino().Core().read_model(folder / GRAPH, folder / GRAPH_WEIGHTS)
    return OpenVinoNetwork(model, settings, own, answers_surfaces=module.has_surfaces)


def translated(answering: Answering) -> Any:
    """OpenVINO's model of a network, in memory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # OpenVINO traces, which torch calls deprecated
        model = _openvino().convert_model(answering, example_input=traced_with())
    for port, name in zip([*model.inputs, *model.outputs], [*INPUTS, *OUTPUTS], strict=True):
        port.get_tensor().set_names({name})
    return model


def quantised(model: Any, tiles: Sequence[Tiles]) -> Any:
    """The model in int8, its ranges taken from `tiles`, each a pair of uint8 (N, H, W, 3). Needs NNCF.

    The heads stay in float: they are small, and with them in int8 a golden tile is answered too far off.
    """
    nncf = needed("nncf", "openvino")
    nncf.set_log_level(logging.ERROR)
    data = nncf.Dataset([list(pair) for pair in tiles])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # divisions by zero in the statistics of channels that are always silent
        return nncf.quantize(
            model,
            data,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(tiles),
            ignored_scope=nncf.IgnoredScope(patterns=list(IN_FLOAT), validate=False),
        )


def distance(model: Any, answering: Answering, tiles: Tiles) -> Distance:
    """How far the compiled model's answers lie from torch's."""
    compiled = _openvino().Core().compile_model(model, "CPU")
    found = compiled(list(tiles))
    return Distance.of([found[i] for i in range(len(OUTPUTS))], asked(answering, tiles))


def speeds(model: Any, own: Network, side_px: int, *, repeats: int = 5) -> tuple[float, float]:
    """Median milliseconds of torch, as it runs the bundle here, and of OpenVINO for one pair of tiles."""
    one, other = np.random.default_rng(0).integers(0, 256, (2, 1, side_px, side_px, 3), dtype=np.uint8)
    compiled = _openvino().Core().compile_model(model, "CPU")
    return _median_ms(lambda: own.logits(one, other), repeats), _median_ms(lambda: compiled([one, other]), repeats)


def _median_ms(work: Callable[[], object], repeats: int) -> float:
    work()
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return 1000 * sorted(taken)[repeats // 2]


def write_graph(model: Any, folder: Path, digest: str, measured: Measured, *, int8: bool) -> str:
    """Write the graph into a folder (the bundle's own: it is then what the runtime takes), and its digest.

    The digest of a float graph is the bundle's.
    """
    _openvino().save_model(model, folder / GRAPH, compress_to_fp16=False)
    return note(folder, digest, measured, int8=int8)


def _openvino() -> Any:
    return needed("openvino", "openvino")


__all__ = [
    "distance",
    "openvino_network",
    "quantised",
    "speeds",
    "translated",
    "write_graph",
]
