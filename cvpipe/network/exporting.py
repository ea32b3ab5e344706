"""A bundle's network for other programs: from uint8 pixels to calibrated probabilities in one graph.

What stands around the network in use (scaling, offsets, temperatures) is part of the graph, so that nobody has to
rebuild it. Inputs `before` and `after` are uint8 (N, H, W, 3) RGB, H and W multiples of 32; outputs `surface_before`,
`surface_after` (N, 8, H, W) and `change` (N, 2, H, W) float32.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cvpipe.errors import BundleError, UsageError
from cvpipe.folders import written_whole
from cvpipe.network.architecture import ChangeNetwork
from cvpipe.network.bundle import GOLDEN_PROBABILITY, GOLDEN_SURFACE, BundleSettings
from cvpipe.network.fusing import folded

INPUTS = ("before", "after")
OUTPUTS = ("surface_before", "surface_after", "change")

#: Side of the tiles that a graph is traced with, px; it then takes others too.
TRACED_PX = 64

#: How far an exported graph may lie off in float32: it is the same arithmetic in another order.
EXPORTED = 1e-3

#: ONNX operator set: the newest that TensorRT 8, ONNX Runtime 1.14 and OpenVINO 2023 all read.
OPSET = 17


class Answering(nn.Module):
    """A network with its scaling and calibration (see the module's text)."""

    def __init__(self, module: ChangeNetwork, settings: BundleSettings) -> None:
        super().__init__()
        folded(module.encoder)
        self.module = module
        self.register_buffer("surface_bias", torch.tensor(settings.surface_bias).view(1, -1, 1, 1))
        self.temperatures = settings.surface_temperature, settings.change_temperature
        self.eval()  # as a whole: the exporter puts all parts back into the mode of the outermost

    def forward(self, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Probabilities of both surfaces and of the changes."""
        surface, change = self.temperatures
        logits = self.module(*(tile.permute(0, 3, 1, 2).float() / 127.5 - 1 for tile in (before, after)))
        bias = self.surface_bias
        return (
            torch.softmax((logits.surface_before + bias) / surface, 1),
            torch.softmax((logits.surface_after + bias) / surface, 1),
            torch.sigmoid(logits.change / change),
        )


@dataclass(frozen=True)
class Distance:
    """How far two answers lie apart: mean and largest difference of change probabilities, share of other surfaces."""

    mean: float
    largest: float
    other_surfaces: float

    @classmethod
    def of(cls, found: Sequence[np.ndarray], due: Sequence[np.ndarray]) -> Distance:
        """From (surface_before, surface_after, change) of the same tiles."""
        off = np.abs(found[2] - due[2])
        other = np.mean([np.mean(f.argmax(1) != d.argmax(1)) for f, d in zip(found[:2], due[:2], strict=True)])
        return cls(float(off.mean()), float(off.max()), float(other))

    @property
    def sound(self) -> bool:
        """Whether a bundle that answers so would be taken for the same; NaN passes no comparison."""
        return self.mean <= GOLDEN_PROBABILITY and self.other_surfaces <= GOLDEN_SURFACE


def export_onnx(answering: Answering, file: Path, tiles: tuple[np.ndarray, np.ndarray]) -> Distance:
    """Write an ONNX graph to `file` and hold its answers for `tiles` (N, H, W, 3) against torch's.

    Needs the extra `onnx`. Raises BundleError where the graph answers otherwise; nothing is written then.
    """
    onnxruntime = needed("onnxruntime", "onnx")
    needed("onnx", "onnx")
    with written_whole(file) as part:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tracing exporter is called legacy; it needs no further package
            torch.onnx.export(
                answering,
                traced_with(),
                str(part),
                dynamo=False,
                opset_version=OPSET,
                input_names=list(INPUTS),
                output_names=list(OUTPUTS),
                dynamic_axes={
                    **{name: {0: "n", 1: "height", 2: "width"} for name in INPUTS},
                    **{name: {0: "n", 2: "height", 3: "width"} for name in OUTPUTS},
                },
            )
        session = onnxruntime.InferenceSession(str(part), providers=["CPUExecutionProvider"])
        found = session.run(list(OUTPUTS), dict(zip(INPUTS, tiles, strict=True)))
        off = Distance.of(found, asked(answering, tiles))
        if not off.largest <= EXPORTED:
            raise BundleError(
                f"the ONNX graph answers otherwise (probability off by up to {off.largest:.4f})",
                where=file,
                remedy="Another version of torch or onnx may translate the design rightly.",
            )
    return off


def asked(answering: Answering, tiles: tuple[np.ndarray, np.ndarray]) -> list[np.ndarray]:
    """What torch answers in float32."""
    with torch.inference_mode():
        return [answer.numpy() for answer in answering(*(torch.from_numpy(np.ascontiguousarray(t)) for t in tiles))]


def traced_with() -> tuple[Tensor, Tensor]:
    """Tiles to trace a graph with."""
    one, other = torch.randint(0, 256, (2, 1, TRACED_PX, TRACED_PX, 3), dtype=torch.uint8).unbind()
    return one, other


def needed(module: str, extra: str) -> Any:
    """An optional library. Raises UsageError that names the extra which brings it.

    OpenVINO and NNCF report their use to their maker unless their telemetry cannot be imported: here it cannot.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UsageError(f"needs the package {module}", remedy=f"pip install 'cvpipe[{extra}]'") from error


__all__ = ["INPUTS", "OUTPUTS", "Answering", "Distance", "asked", "export_onnx", "needed", "traced_with"]
