"""A bundle run by OpenVINO: about three times as fast as torch on two processor cores, faster still in int8.

Without an exported graph the bundle's own weights are translated when it is loaded, in memory. `cvpipe models export`
writes a graph beside the bundle, which loads at once, and can quantise it to int8: its answers then differ a little, so
that it has a digest of its own, and work done with the other is not taken for work done with it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cvpipe.errors import BundleError, UsageError
from cvpipe.network.bundle import BundleSettings, Network, read_module
from cvpipe.network.exporting import INPUTS, OUTPUTS, Answering, Distance, asked, needed, traced_with
from cvpipe.network.processor import autocast

#: The exported graph in a bundle's folder: OpenVINO's two files, and what they were made from.
GRAPH, GRAPH_WEIGHTS, MADE_FROM = "openvino.xml", "openvino.bin", "openvino.json"

#: Names of the parts that are not quantised.
IN_FLOAT = (".*change_head.*", ".*surface_head.*")

Tiles = tuple[np.ndarray, np.ndarray]


class OpenVinoNetwork(Network):
    """Answers as `Network` does, on the processor."""

    def __init__(self, model: Any, settings: BundleSettings, digest: str, *, answers_surfaces: bool) -> None:
        self._describe(settings, digest, torch.device("cpu"), answers_surfaces=answers_surfaces)
        self._compiled = _openvino().Core().compile_model(model, "CPU")

    def _answers(self, before: np.ndarray, after: np.ndarray) -> list[np.ndarray]:
        found = self._compiled([np.ascontiguousarray(tile) for tile in (before, after)])
        return [np.array(found[i]) for i in range(len(OUTPUTS))]


def openvino_network(folder: Path, settings: BundleSettings, digest: str, device: str) -> Network:
    """The bundle in `folder`, from its exported graph where there is one, else from its weights.

    Raises UsageError where OpenVINO is not installed or CUDA is asked for, BundleError for a graph that was not made
    from this bundle.
    """
    if device == "cuda":
        raise UsageError("OpenVINO runs on the processor", remedy="Use --device cpu, or CVPIPE_ENGINE=torch.")
    module = read_module(folder)
    if not (folder / GRAPH).is_file():
        model = translated(Answering(module, settings))
        return OpenVinoNetwork(model, settings, digest, answers_surfaces=module.has_surfaces)
    own = graph_digest(folder, digest)
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


def speeds(model: Any, answering: Answering, side_px: int, *, repeats: int = 5) -> tuple[float, float]:
    """Median milliseconds of torch (as `Network` runs it, less the batch) and of OpenVINO for one pair of tiles."""
    one, other = np.random.default_rng(0).integers(0, 256, (2, 1, side_px, side_px, 3), dtype=np.uint8)
    compiled = _openvino().Core().compile_model(model, "CPU")

    def by_torch() -> None:
        with torch.inference_mode(), autocast(torch.device("cpu")):
            answering(torch.from_numpy(one), torch.from_numpy(other))

    return _median_ms(by_torch, repeats), _median_ms(lambda: compiled([one, other]), repeats)


def _median_ms(work: Callable[[], object], repeats: int) -> float:
    work()
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return 1000 * sorted(taken)[repeats // 2]


def write_graph(model: Any, folder: Path, digest: str, *, int8: bool) -> str:
    """Write the graph into a folder (the bundle's own: it is then what the engine runs), and its digest.

    The digest of a float graph is the bundle's.
    """
    _openvino().save_model(model, folder / GRAPH, compress_to_fp16=False)
    own = _int8_digest(folder, digest) if int8 else digest
    made = {"bundle": digest, "digest": own, "precision": "int8" if int8 else "float", "files": _files_digest(folder)}
    (folder / MADE_FROM).write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    return own


def graph_digest(folder: Path, digest: str) -> str:
    """The digest of an exported graph. BundleError where it was not made from this very bundle, or is not whole."""
    try:
        made = json.loads((folder / MADE_FROM).read_text(encoding="utf-8"))
        bundle, own, files = str(made["bundle"]), str(made["digest"]), str(made["files"])
        whole = files == _files_digest(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unfit(f"nothing tells what it was made from ({type(error).__name__})", folder) from error
    if bundle != digest:
        raise _unfit("it was made from another bundle", folder)
    if not whole:
        raise _unfit("its files are damaged or were exchanged (another SHA-256)", folder)
    return own


def _unfit(found: str, folder: Path) -> BundleError:
    return BundleError(
        f"the exported graph cannot be used: {found}",
        where=folder / GRAPH,
        remedy=f"Export it anew (cvpipe models export {folder.name} --format openvino), or delete it.",
    )


def _int8_digest(folder: Path, digest: str) -> str:
    return hashlib.sha256((digest + _files_digest(folder)).encode()).hexdigest()


def _files_digest(folder: Path) -> str:
    whole = hashlib.sha256()
    for part in _chunks(folder):
        whole.update(part)
    return whole.hexdigest()


def _chunks(folder: Path) -> Iterator[bytes]:
    for name in (GRAPH, GRAPH_WEIGHTS):
        with (folder / name).open("rb") as file:
            yield name.encode()
            yield hashlib.file_digest(file, "sha256").digest()


def _openvino() -> Any:
    return needed("openvino", "openvino")


__all__ = [
    "GRAPH",
    "GRAPH_WEIGHTS",
    "MADE_FROM",
    "distance",
    "graph_digest",
    "openvino_network",
    "quantised",
    "speeds",
    "translated",
    "write_graph",
]
