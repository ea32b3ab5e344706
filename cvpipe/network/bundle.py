"""A released model as a folder: weights, what they need to be used rightly, and a golden tile that proves it.

    weights.safetensors   tensors by name; no pickle, nothing in it is ever executed
    item.json             STAC item with the MLM extension: design, pixel size, thresholds, calibration, digests
    golden.safetensors    a pair of tiles and the answer that the network gave when it was released
    CARD.md               for people: what it was trained on, what it is good for, measured figures

The digest of a bundle covers weights and item settings; it is part of each assessment's idempotency key.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pystac
import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch import nn

from cvpipe.domain import SURFACES, ChangeKind
from cvpipe.errors import BundleError
from cvpipe.network.architecture import STRIDE, Design, SiameseNetwork
from cvpipe.network.probabilities import Probabilities
from cvpipe.network.processor import autocast, pick_device, tune_allocator
from cvpipe.settings import Settings, parse_settings

WEIGHTS, ITEM, GOLDEN, CARD = "weights.safetensors", "item.json", "golden.safetensors", "CARD.md"
MLM_SCHEMA = "https://stac-extensions.github.io/mlm/v1.4.0/schema.json"
FILE_SCHEMA = "https://stac-extensions.github.io/file/v2.1.0/schema.json"

#: Bands of the pictures that a network is shown, in the order of its channels.
BANDS = ("red", "green", "blue")

#: Version of the folder's layout and of the meaning of its settings; another one is refused.
FORMAT = 1
#: How far a golden answer may lie off on another processor or in bfloat16: mean absolute difference of change
#: probabilities, and share of pixels with another surface. Float32 and bfloat16 differ by about 0.002 and 0.5 %.
GOLDEN_PROBABILITY, GOLDEN_SURFACE = 0.01, 0.03


class BundleSettings(Settings):
    """What item.json says beside the field's own MLM keys, under `cvpipe:bundle`."""

    format: int
    name: str
    design: dict[str, Any]
    gsd_m: float = Field(gt=0)
    tile_px: int = Field(gt=0, multiple_of=STRIDE)
    surface_bias: tuple[float, ...] = Field(min_length=len(SURFACES), max_length=len(SURFACES))
    surface_temperature: float = Field(gt=0)
    change_temperature: float = Field(gt=0)
    thresholds: dict[ChangeKind, float]
    min_area_m2: dict[ChangeKind, float]


@dataclass(frozen=True)
class Golden:
    """A pair of tiles uint8 (H, W, 3) and what the released network answered for it."""

    before: np.ndarray
    after: np.ndarray
    surface_before: np.ndarray
    surface_after: np.ndarray
    change: np.ndarray


class Network:
    """A trained network ready to answer; made by `load_bundle`."""

    def __init__(self, module: SiameseNetwork, settings: BundleSettings, digest: str, device: torch.device) -> None:
        self.name, self.digest = settings.name, digest
        self.gsd_m, self.tile_px = settings.gsd_m, settings.tile_px
        self.thresholds: Mapping[ChangeKind, float] = settings.thresholds
        self.min_area_m2: Mapping[ChangeKind, float] = settings.min_area_m2
        self.device = device
        self._temperatures = settings.surface_temperature, settings.change_temperature
        self._surface_bias = torch.tensor(settings.surface_bias, device=device).view(-1, 1, 1)
        if device.type == "cpu":
            tune_allocator()
        folded(module.encoder)
        self._module = module.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def predict(self, before: np.ndarray, after: np.ndarray) -> Probabilities:
        """Probabilities for pairs of RGB uint8 tiles (N, H, W, 3) on one grid; any H and W."""
        height, width = before.shape[1:3]
        with autocast(self.device):
            logits = self._module(*(self._input(x) for x in (before, after)))
        surface, change = self._temperatures
        answers = [
            torch.softmax((logits.surface_before.float() + self._surface_bias) / surface, 1),
            torch.softmax((logits.surface_after.float() + self._surface_bias) / surface, 1),
            torch.sigmoid(logits.change.float() / change),
        ]
        return Probabilities(*(a[..., :height, :width].cpu().numpy() for a in answers))

    def _input(self, pixels: np.ndarray) -> torch.Tensor:
        """uint8 (N, H, W, 3) → float (N, 3, H', W') in -1..1, mirrored out to multiples of the stride."""
        right, below = (-pixels.shape[2]) % STRIDE, (-pixels.shape[1]) % STRIDE
        if right or below:
            pixels = np.pad(pixels, ((0, 0), (0, below), (0, right), (0, 0)), mode="symmetric")
        tensor = torch.from_numpy(np.ascontiguousarray(pixels)).to(self.device)
        return tensor.permute(0, 3, 1, 2).float().div_(127.5).sub_(1).contiguous(memory_format=torch.channels_last)


def load_bundle(name_or_dir: str | Path, device: str = "auto") -> Network:
    """Load a bundle by its folder or by its name under `models_dir()`, check its digests and its golden tile.

    Raises BundleError that says what is missing, damaged or answered wrongly, SettingsError for an unknown key in the
    bundle's settings.
    """
    folder = find_bundle(name_or_dir)
    settings, digest = _checked_settings(folder)
    network = Network(_module(folder, settings), settings, digest, pick_device(device))
    check_golden(network, folder)
    return network


def find_bundle(name_or_dir: str | Path) -> Path:
    """The bundle's folder. BundleError lists what there is where none fits."""
    for folder in (Path(name_or_dir), models_dir() / str(name_or_dir)):
        if (folder / ITEM).is_file():
            return folder
    known = ", ".join(p.parent.name for p in sorted(models_dir().glob(f"*/{ITEM}"))) or "none"
    raise BundleError(
        "no such bundle",
        where=name_or_dir,
        remedy=f"Give a bundle's folder, or a name from {models_dir()} (CVPIPE_MODELS moves it): {known}.",
    )


def models_dir() -> Path:
    """Where released bundles lie: CVPIPE_MODELS, else `models/` beside the package."""
    return Path(os.environ.get("CVPIPE_MODELS", Path(__file__).resolve().parents[2] / "models"))


def describe_bundles() -> list[dict[str, Any]]:
    """Name, pixel size, size on disk, digest and folder of each bundle in `models_dir()`; nothing is loaded."""
    found = []
    for item in sorted(models_dir().glob(f"*/{ITEM}")):
        settings, digest = _checked_settings(item.parent)
        size = sum(p.stat().st_size for p in item.parent.iterdir()) / 1e6
        row = {"name": settings.name, "gsd_m": settings.gsd_m, "size_mb": round(size, 1), "digest": digest}
        found.append({**row, "folder": str(item.parent)})
    return found


def write_bundle(
    folder: Path,
    module: SiameseNetwork,
    settings: BundleSettings,
    golden: tuple[np.ndarray, np.ndarray],
    properties: Mapping[str, Any],
    card: str,
) -> str:
    """Write a bundle; `golden` is a pair of uint8 tiles (H, W, 3), `properties` go into the STAC item. Its digest.

    An older bundle there is replaced when the new one is whole.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as name:
        stage = Path(name) / "new"
        stage.mkdir()
        digest = _write_parts(stage, module, settings, properties)
        _write_golden(stage, golden)
        (stage / CARD).write_text(card, encoding="utf-8")
        if folder.exists():
            folder.rename(Path(name) / "old")
        for part in stage.iterdir():
            part.chmod(0o644)
        stage.rename(folder)
    return digest


def _write_parts(folder: Path, module: SiameseNetwork, settings: BundleSettings, properties: Mapping[str, Any]) -> str:
    # safetensors writes an array's memory as it lies: channels-last weights must be laid out anew first
    tensors = {k: np.array(v.detach().cpu().numpy(), order="C") for k, v in module.state_dict().items()}
    save_file(tensors, folder / WEIGHTS)
    item = _item(settings, _sha256(folder / WEIGHTS), properties)
    (folder / ITEM).write_text(json.dumps(item.to_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return _checked_settings(folder)[1]


def _write_golden(folder: Path, golden: tuple[np.ndarray, np.ndarray]) -> None:
    """The golden answer, made from the files just written: what is shipped is what was asked."""
    settings, digest = _checked_settings(folder)
    network = Network(_module(folder, settings), settings, digest, torch.device("cpu"))
    found = network.predict(*(tile[None] for tile in golden))
    answer = {
        "before": golden[0],
        "after": golden[1],
        "surface_before": found.surface_before[0].argmax(0).astype(np.uint8),
        "surface_after": found.surface_after[0].argmax(0).astype(np.uint8),
        "change": found.change[0].astype(np.float16),
    }
    save_file({k: np.ascontiguousarray(v) for k, v in answer.items()}, folder / GOLDEN)


def check_golden(network: Network, folder: Path) -> tuple[float, float]:
    """Ask the golden pair again: (mean difference of change probability, share of other surfaces).

    Raises BundleError where the answer is not the one given at release.
    """
    golden = _golden(folder)
    found = network.predict(golden.before[None], golden.after[None])
    change = float(np.abs(found.change[0] - golden.change.astype(np.float32)).mean())
    pairs = ((found.surface_before, golden.surface_before), (found.surface_after, golden.surface_after))
    surface = float(np.mean([np.mean(f[0].argmax(0) != g) for f, g in pairs]))
    if not (change <= GOLDEN_PROBABILITY and surface <= GOLDEN_SURFACE):  # NaN passes no comparison
        raise BundleError(
            f"the golden tile is answered wrongly (probability off by {change:.3f}, {surface:.1%} other surfaces)",
            where=folder,
            remedy="The weights do not fit this version of cvpipe or its libraries; take the bundle released with it.",
        )
    return change, surface


def _golden(folder: Path) -> Golden:
    tensors = _tensors(folder / GOLDEN)
    if tensors.keys() != Golden.__dataclass_fields__.keys():
        raise BundleError(
            f"not a golden tile and its answer (it holds {', '.join(sorted(tensors)) or 'nothing'})",
            where=folder / GOLDEN,
            remedy="The file was exchanged; take the bundle anew.",
        )
    return Golden(**tensors)


def folded(module: nn.Module) -> None:
    """Fold each batch norm that follows a convolution into it, in place; answers stay the same in evaluation mode.

    timm's BatchNormAct2d leaves its activation behind.
    """
    for parent in list(module.modules()):
        children = list(parent.named_children())
        for (_, conv), (name, norm) in itertools.pairwise(children):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                _fold(conv, norm)
                setattr(parent, name, getattr(norm, "act", nn.Identity()))


def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    with torch.no_grad():
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        bias = conv.bias if conv.bias is not None else torch.zeros_like(norm.running_mean)
        conv.weight.mul_(scale.view(-1, 1, 1, 1))
        conv.bias = nn.Parameter((bias - norm.running_mean) * scale + norm.bias)


def _module(folder: Path, settings: BundleSettings) -> SiameseNetwork:
    try:
        raw: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.design.items()}
        module = SiameseNetwork(Design(**raw))
    except (TypeError, AssertionError, RuntimeError, KeyError, ValueError) as error:
        raise BundleError(
            f"unknown design ({error})", where=folder / ITEM, remedy="Take a bundle made for this version."
        ) from error
    tensors = {k: torch.from_numpy(v) for k, v in _tensors(folder / WEIGHTS).items()}
    own = module.state_dict()
    wrong = [
        k for k in own.keys() | tensors.keys() if k not in own or k not in tensors or own[k].shape != tensors[k].shape
    ]
    if wrong:
        raise BundleError(
            f"{len(wrong)} tensors are missing, unknown or of another shape, first '{min(wrong)}'",
            where=folder / WEIGHTS,
            remedy="Weights and item.json are not of one bundle; take both from one release.",
        )
    module.load_state_dict(tensors)
    return module


def _checked_settings(folder: Path) -> tuple[BundleSettings, str]:
    try:
        item = json.loads((folder / ITEM).read_text(encoding="utf-8"))
        raw, checksum = item["properties"]["cvpipe:bundle"], item["assets"]["weights"]["file:checksum"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(
            f"no usable description ({type(error).__name__}: {error})",
            where=folder / ITEM,
            remedy="Take the bundle anew.",
        ) from error
    # before the rest is read: another format has other keys, which would be called wrong
    if isinstance(raw, dict) and raw.get("format", FORMAT) != FORMAT:
        raise BundleError(
            f"bundle format {raw['format']}, this cvpipe reads {FORMAT}",
            where=folder / ITEM,
            remedy="Take the bundle released with this version.",
        )
    settings = parse_settings(raw, BundleSettings, where=folder / ITEM)
    if not (folder / WEIGHTS).is_file():
        raise BundleError("no weights", where=folder / WEIGHTS, remedy="Take the bundle anew.")
    if checksum != _multihash(_sha256(folder / WEIGHTS)):
        raise BundleError(
            "the weights are not those that item.json names (another SHA-256)",
            where=folder / WEIGHTS,
            remedy="The file is damaged or was exchanged; take the bundle anew.",
        )
    content = json.dumps([checksum, settings.model_dump(mode="json")], sort_keys=True)
    return settings, hashlib.sha256(content.encode()).hexdigest()


def _item(settings: BundleSettings, weights_sha256: str, properties: Mapping[str, Any]) -> pystac.Item:
    """The STAC item with the MLM extension (https://github.com/stac-extensions/mlm).

    MLM wants the bands of its inputs described in the item, which STAC 1.1 allows only where an asset has them too.
    """
    change = [k.value for k in (ChangeKind.STRUCTURE_REMOVED, ChangeKind.STRUCTURE_ADDED)]
    surfaces = [s.name.lower() for s in SURFACES]
    bands = [{"name": band} for band in BANDS]
    side = settings.tile_px
    item = pystac.Item(
        id=settings.name,
        geometry={"type": "Polygon", "coordinates": [[[-180, -90], [180, -90], [180, 90], [-180, 90], [-180, -90]]]},
        bbox=[-180, -90, 180, 90],
        datetime=datetime.now(UTC).replace(microsecond=0),
        properties={
            "mlm:name": settings.name,
            "mlm:architecture": "Siamese U-Net",
            "mlm:framework": "PyTorch",
            "mlm:framework_version": torch.__version__.split("+")[0],
            "mlm:tasks": ["semantic-segmentation"],
            "bands": bands,
            "mlm:input": [_input_spec(epoch, settings) for epoch in ("before", "after")],
            "mlm:output": [
                _output_spec("surface_before", surfaces, side, "argmax"),
                _output_spec("surface_after", surfaces, side, "argmax"),
                _output_spec("change", change, side, "threshold"),
            ],
            **properties,
            "cvpipe:bundle": settings.model_dump(mode="json"),
        },
        stac_extensions=[MLM_SCHEMA, FILE_SCHEMA],
    )
    item.add_asset(
        "weights",
        pystac.Asset(
            f"./{WEIGHTS}",
            media_type="application/octet-stream; framework=pytorch",
            roles=["mlm:model", "mlm:weights"],
            extra_fields={
                "bands": bands,
                "mlm:artifact_type": "safetensors",
                "file:checksum": _multihash(weights_sha256),
            },
        ),
    )
    item.add_asset("golden", pystac.Asset(f"./{GOLDEN}", title="golden tile and its answer", roles=["data"]))
    item.add_asset("card", pystac.Asset(f"./{CARD}", media_type="text/markdown", roles=["metadata"]))
    return item


def _input_spec(name: str, settings: BundleSettings) -> dict[str, Any]:
    return {
        "name": name,
        "bands": list(BANDS),
        "input": {
            "shape": [-1, 3, settings.tile_px, settings.tile_px],
            "dim_order": ["batch", "bands", "height", "width"],
            "data_type": "float32",
        },
        "description": f"RGB / 127.5 - 1 at {settings.gsd_m} m a pixel; both epochs on one grid, aligned",
        "value_scaling": [{"type": "z-score", "mean": 127.5, "stddev": 127.5}],
        "pre_processing_function": None,
    }


def _output_spec(name: str, classes: list[str], side: int, reading: str) -> dict[str, Any]:
    return {
        "name": name,
        "tasks": ["semantic-segmentation"],
        "result": {
            "shape": [-1, len(classes), side, side],
            "dim_order": ["batch", "class", "height", "width"],
            "data_type": "float32",
        },
        "description": f"probabilities, read by {reading}",
        "classification:classes": [
            {"value": i, "name": c, "description": c.replace("_", " ")} for i, c in enumerate(classes)
        ],
    }


def _tensors(path: Path) -> dict[str, np.ndarray]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise BundleError(
            f"not readable as safetensors ({error})", where=path, remedy="The file is damaged; take the bundle anew."
        ) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _multihash(sha256: str) -> str:
    """SHA-256 as STAC's file extension writes it: algorithm 0x12, length 0x20, digest."""
    return f"1220{sha256}"


def design_settings(design: Design) -> dict[str, Any]:
    """A design as plain data for `BundleSettings.design`."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(design).items()}
