"""A released model as a folder: weights, what they need to be used rightly, and a golden tile that proves it.

    weights.safetensors   tensors by name; no pickle, nothing in it is ever executed
    item.json             STAC item with the MLM extension: design, pixel size, thresholds, calibration, digests
    golden.safetensors    a pair of tiles and the answer that the network gave when it was released
    CARD.md               for people: what it was trained on, what it is good for, measured figures

The digest of a bundle covers weights and item settings; it is part of each assessment's idempotency key.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field, field_validator
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

import cvpipe
from cvpipe.domain import SURFACES, ChangeKind
from cvpipe.errors import BundleError
from cvpipe.network.architecture import STRIDE, ChangeNetwork, Design, Logits, SiameseNetwork
from cvpipe.network.designs import build_network
from cvpipe.network.fusing import folded, fused
from cvpipe.network.item import CARD, GOLDEN, ITEM, WEIGHTS, contradictions, item_of, multihash
from cvpipe.network.memory import FeatureMemory
from cvpipe.network.probabilities import Probabilities
from cvpipe.network.processor import autocast, has_fast_bf16, tune_allocator
from cvpipe.settings import Settings, parse_settings
from cvpipe.shipped import is_carried, shipped

#: Version of the folder's layout and of the meaning of its settings; another one is refused.
FORMAT = 1
#: All that may lie in a bundle's folder: its parts, and what `cvpipe models export` puts beside them.
KNOWN_FILES = {WEIGHTS, ITEM, GOLDEN, CARD, "network.onnx", "openvino.xml", "openvino.bin", "openvino.json"}
#: What an encoder may be called (no scheme, no path), and how wide a layer may be: eight times the widest in use.
ENCODER, MOST_CHANNELS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}"), 1024
#: How far a golden answer may lie off on another processor or in bfloat16: mean absolute difference of change
#: probabilities, and share of pixels with another surface. Float32 and bfloat16 differ by about 0.002 and 0.5 %.
GOLDEN_PROBABILITY, GOLDEN_SURFACE = 0.01, 0.03


Share = Annotated[float, Field(ge=0, le=1)]


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
    thresholds: dict[ChangeKind, Share]
    min_area_m2: dict[ChangeKind, Annotated[float, Field(ge=0)]]
    min_probability: dict[ChangeKind, Share] = Field(default_factory=dict)

    @field_validator("thresholds", "min_area_m2")
    @classmethod
    def _of_every_kind(cls, given: dict[ChangeKind, float]) -> dict[ChangeKind, float]:
        if missing := [kind.value for kind in ChangeKind if kind not in given]:
            raise ValueError(f"lacks {', '.join(missing)}")
        return given


@dataclass(frozen=True)
class Golden:
    """A pair of tiles uint8 (H, W, 3) and what the released network answered for it."""

    before: np.ndarray
    after: np.ndarray
    surface_before: np.ndarray
    surface_after: np.ndarray
    change: np.ndarray


class Network:
    """A trained network ready to answer; made by `load_bundle`.

    `temperatures` are those of surfaces and changes that are in its answers.
    """

    def __init__(self, module: ChangeNetwork, settings: BundleSettings, digest: str, device: torch.device) -> None:
        self._describe(settings, digest, device, answers_surfaces=module.has_surfaces)
        self._surface_bias = torch.tensor(settings.surface_bias, device=device).view(-1, 1, 1)
        if device.type == "cpu":
            tune_allocator()
            fused(module, torch.bfloat16 if has_fast_bf16() else torch.float32)
        else:
            folded(module)
        self.step = module.step
        self._module = module.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _describe(self, settings: BundleSettings, digest: str, device: torch.device, *, answers_surfaces: bool) -> None:
        self.name, self.digest = settings.name, digest
        self.gsd_m, self.tile_px = settings.gsd_m, settings.tile_px
        self.thresholds: Mapping[ChangeKind, float] = settings.thresholds
        self.min_area_m2: Mapping[ChangeKind, float] = settings.min_area_m2
        self.min_probability: Mapping[ChangeKind, float] = dict.fromkeys(ChangeKind, 0.0) | settings.min_probability
        self.answers_surfaces = answers_surfaces
        self.device = device
        #: What runs it, and in words where and why.
        self.runtime, self.runs_on = "torch", str(device)
        self.temperatures = settings.surface_temperature, settings.change_temperature
        #: Where features of earlier epochs are kept; used on the processor by networks with a shared trunk.
        self.memory: FeatureMemory | None = None

    @property
    def can_remember(self) -> bool:
        """Whether `memory` would save anything: a GPU computes features faster than a disk gives them."""
        return self.device.type == "cpu" and isinstance(getattr(self, "_module", None), SiameseNetwork)

    def remember(self, folder: Path, most_bytes: int) -> None:
        """Keep features of earlier epochs in a folder of at most so many bytes, where that `can_remember`."""
        if self.can_remember:
            made_by = f"{self.digest} torch {torch.__version__}, bf16 {has_fast_bf16()}"
            self.memory = FeatureMemory(folder, most_bytes, made_by)

    def predict(self, before: np.ndarray, after: np.ndarray) -> Probabilities:
        """Probabilities for pairs of RGB uint8 tiles (N, H, W, 3) on one grid; any H and W."""
        height, width = before.shape[1:3]
        wide = [_widened(pixels) for pixels in (before, after)]
        found = Probabilities.of(self.logits(*wide), *wide[0].shape[1:3])
        return Probabilities(*(values[..., :height, :width] for values in vars(found).values()))

    @torch.inference_mode()
    def logits(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Calibrated logits, float32 (N, 18, H / step, W / step), for RGB uint8 tiles (N, H, W, 3) of whole strides."""
        with autocast(self.device):
            found = self._logits(before, after)
        surface, change = self.temperatures
        parts = (
            _calibrated(found.surface_before, self._surface_bias, surface),
            _calibrated(found.surface_after, self._surface_bias, surface),
            _calibrated(found.change, 0.0, change),
        )
        return torch.cat(parts, 1).cpu().numpy()

    def _logits(self, before: np.ndarray, after: np.ndarray) -> Logits:
        """Logits, those of a shared trunk at half the size of the tiles.

        On the processor epoch by epoch: as fast as both at once, and half the memory.
        """
        module = self._module
        if not isinstance(module, SiameseNetwork):
            return module(self._input(before), self._input(after))  # type: ignore[no-any-return]
        if self.device.type != "cpu":
            both = torch.cat([self._input(before), self._input(after)])
            return module.judged(*module.features(both).chunk(2))
        return module.judged(self._remembered(module, before), module.features(self._input(after)))

    def _remembered(self, module: SiameseNetwork, tiles: np.ndarray) -> torch.Tensor:
        """Features of the earlier epoch, from memory where they are there."""
        if self.memory is None:
            return module.features(self._input(tiles))
        found = [self.memory.get(tile) for tile in tiles]
        for i, known in enumerate(found):
            if known is None:  # one by one: an answer must not hang on which of its neighbours were known
                (found[i],) = computed = module.features(self._input(tiles[i : i + 1]))
                self.memory.put(tiles[i], computed[0])
        return torch.stack([one for one in found if one is not None]).contiguous(memory_format=torch.channels_last)

    def _input(self, pixels: np.ndarray) -> torch.Tensor:
        """uint8 (N, H, W, 3) → float (N, 3, H, W) in -1..1."""
        tensor = torch.from_numpy(np.ascontiguousarray(pixels)).to(self.device)
        return tensor.permute(0, 3, 1, 2).float().div_(127.5).sub_(1).contiguous(memory_format=torch.channels_last)


def _calibrated(logits: torch.Tensor, bias: torch.Tensor | float, temperature: float) -> torch.Tensor:
    """Logits (N, C, h, w) with offset and temperature, float32, laid out channel by channel."""
    return logits.contiguous().float().add_(bias).div_(temperature)


def _widened(pixels: np.ndarray) -> np.ndarray:
    """uint8 (N, H, W, 3), mirrored out to multiples of the stride."""
    right, below = (-pixels.shape[2]) % STRIDE, (-pixels.shape[1]) % STRIDE
    if not (right or below):
        return pixels
    return np.pad(pixels, ((0, 0), (0, below), (0, right), (0, 0)), mode="symmetric")


def load_bundle(name_or_dir: str | Path, device: str = "auto", runtime: str = "auto") -> Network:
    """Load a bundle by its folder or by its name in `models_dirs()`, check its digests and its golden tile.

    `runtime` is what runs it: `torch`, `openvino`, or `auto`, which chooses (`cvpipe.network.runtime`); the network's
    `runs_on` tells in words. Raises BundleError that says what is missing, damaged or answered wrongly, SettingsError
    for an unknown key in the bundle's settings, UsageError for a runtime or a device that is not there.
    """
    from cvpipe.network.runtime import choose  # it knows of exported graphs, which are made from bundles

    folder = find_bundle(name_or_dir)
    settings, digest = checked_settings(folder)
    chosen = choose(folder, digest, runtime, device)
    if chosen.runtime == "torch":
        network = Network(_module(folder, settings), settings, digest, chosen.device)
    else:
        from cvpipe.network.openvino_engine import openvino_network

        network = openvino_network(folder, settings, digest)
    network.runtime, network.runs_on = chosen.runtime, chosen.why
    check_golden(network, folder)
    return network


def read_module(name_or_dir: str | Path) -> ChangeNetwork:
    """A bundle's network as it was trained, to be trained further: norms not folded, on the CPU.

    Raises BundleError as `load_bundle`.
    """
    folder = find_bundle(name_or_dir)
    return _module(folder, checked_settings(folder)[0])


def find_bundle(name_or_dir: str | Path) -> Path:
    """The bundle's folder. BundleError lists what there is where none fits."""
    for folder in (Path(name_or_dir), *(place / name_or_dir for place in models_dirs())):
        if (folder / ITEM).is_file():
            return folder
    known = ", ".join(folder.name for folder in bundle_folders()) or "none"
    places = " or ".join(str(place) for place in models_dirs())
    raise BundleError(
        "no such bundle",
        where=name_or_dir,
        remedy=f"Give a bundle's folder, or a name from {places} (CVPIPE_MODELS moves it): {known}.",
    )


def models_dir() -> Path:
    """Where new bundles are put: CVPIPE_MODELS, else `models/` of the checkout, else `models/` here.

    An installed package is never written to.
    """
    stated = os.environ.get("CVPIPE_MODELS")
    if stated:
        return Path(stated)
    return Path("models") if is_carried(shipped("models")) else shipped("models")


def models_dirs() -> tuple[Path, ...]:
    """Where bundles are looked up by name, in this order: CVPIPE_MODELS alone, else `models/` here and what ships."""
    if os.environ.get("CVPIPE_MODELS"):
        return (models_dir(),)
    here, ours = Path("models"), shipped("models")
    return (ours,) if here.resolve() == ours.resolve() else (here, ours)


def describe_bundles() -> list[dict[str, Any]]:
    """Name, pixel size, size on disk, digest and folder of each bundle in `models_dirs()`; nothing is loaded."""
    found = []
    for folder in bundle_folders():
        settings, digest = checked_settings(folder)
        size = sum(p.stat().st_size for p in folder.iterdir()) / 1e6
        row = {"name": settings.name, "gsd_m": settings.gsd_m, "size_mb": round(size, 1), "digest": digest}
        found.append({**row, "folder": str(folder)})
    return found


def bundle_folders() -> list[Path]:
    """Folders in `models_dirs()` that call themselves a bundle, sound or not; of one name the first."""
    found: dict[str, Path] = {}
    for place in models_dirs():
        for item in sorted(place.glob(f"*/{ITEM}")):
            if not item.parent.name.startswith("."):
                found.setdefault(item.parent.name, item.parent)
    return list(found.values())


def stac_item(folder: Path) -> dict[str, Any]:
    """A bundle's own STAC item, with the whole paths of its files."""
    item: dict[str, Any] = json.loads((folder / ITEM).read_text(encoding="utf-8"))
    for asset in item["assets"].values():
        asset["href"] = str((folder / asset["href"]).resolve())
    return item


def remarks(folder: Path) -> list[str]:
    """What is odd about a bundle that loads, a sentence each: other versions, another name, files it does not need."""
    settings, _ = checked_settings(folder)
    item = json.loads((folder / ITEM).read_text(encoding="utf-8"))["properties"]
    here = {"cvpipe": cvpipe.__version__, "torch": torch.__version__.split("+")[0]}
    there = {"cvpipe": item.get("cvpipe:version"), "torch": item.get("mlm:framework_version")}
    told = [
        f"released with {name} {there[name] or 'of a version that it does not tell'}, here is {here[name]}"
        for name in here
        if there[name] != here[name]
    ]
    if folder.resolve().name != settings.name:
        told.append(f"lies in a folder named {folder.resolve().name}, calls itself {settings.name}")
    unknown = sorted(p.name for p in folder.iterdir() if p.name not in KNOWN_FILES)
    if unknown:
        told.append(f"holds files that no bundle has, which are never opened: {', '.join(unknown)}")
    return told


def golden_tiles(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The golden pair as a batch of one, uint8 (1, H, W, 3)."""
    golden = _golden(folder)
    return golden.before[None], golden.after[None]


def write_bundle(
    folder: Path,
    module: ChangeNetwork,
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
        digest = _write_parts(stage, module, settings, golden, properties)
        (stage / CARD).write_text(card, encoding="utf-8")
        if folder.exists():
            folder.rename(Path(name) / "old")
        for part in stage.iterdir():
            part.chmod(0o644)
        stage.rename(folder)
    return digest


def _write_parts(
    folder: Path,
    module: ChangeNetwork,
    settings: BundleSettings,
    golden: tuple[np.ndarray, np.ndarray],
    properties: Mapping[str, Any],
) -> str:
    # safetensors writes an array's memory as it lies: channels-last weights must be laid out anew first
    tensors = {k: np.array(v.detach().cpu().numpy(), order="C") for k, v in module.state_dict().items()}
    save_file(tensors, folder / WEIGHTS)
    _write_golden(folder, golden, settings)
    item = item_of(settings, _sha256(folder / WEIGHTS), _sha256(folder / GOLDEN), properties)
    (folder / ITEM).write_text(json.dumps(item.to_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return checked_settings(folder)[1]


def _write_golden(folder: Path, golden: tuple[np.ndarray, np.ndarray], settings: BundleSettings) -> None:
    """The golden answer, made from the weights just written: what is shipped is what was asked."""
    network = Network(_module(folder, settings), settings, "", torch.device("cpu"))
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
    golden = Golden(**tensors)
    height, width = golden.before.shape[:2] if golden.before.ndim == 3 else (0, 0)
    fits = golden.before.shape == golden.after.shape == (height, width, 3)
    fits &= golden.surface_before.shape == golden.surface_after.shape == (height, width)
    if not (
        fits and golden.change.shape == (2, height, width) and golden.before.dtype == golden.after.dtype == np.uint8
    ):
        raise BundleError(
            "not a golden tile and its answer (shapes or types do not fit)",
            where=folder / GOLDEN,
            remedy="The file was exchanged; take the bundle anew.",
        )
    return golden


def _module(folder: Path, settings: BundleSettings) -> ChangeNetwork:
    try:
        raw: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.design.items()}
        module = build_network(Design(**raw))
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


def checked_settings(folder: Path) -> tuple[BundleSettings, str]:
    """What a bundle says of itself, and its digest. Raises BundleError where it is damaged, foreign or mislabelled."""
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
    _refuse_mislabelled(item, settings, folder)
    if not (folder / WEIGHTS).is_file():
        raise BundleError("no weights", where=folder / WEIGHTS, remedy="Take the bundle anew.")
    if checksum != multihash(_sha256(folder / WEIGHTS)):
        raise BundleError(
            "the weights are not those that item.json names (another SHA-256)",
            where=folder / WEIGHTS,
            remedy="The file is damaged or was exchanged; take the bundle anew.",
        )
    _refuse_other_golden(item, folder)
    # keys that a bundle does not use are left out: those made before a key was known keep their digest
    content = json.dumps([checksum, settings.model_dump(mode="json", exclude_defaults=True)], sort_keys=True)
    return settings, hashlib.sha256(content.encode()).hexdigest()


def _refuse_mislabelled(item: Mapping[str, Any], settings: BundleSettings, folder: Path) -> None:
    _refuse_wild(settings.design, folder)
    try:
        wrong = contradictions(item, settings)
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        wrong = [f"it is no description of a model ({type(error).__name__}: {error})"]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise BundleError(
            f"mislabelled: {wrong[0]}{more}",
            where=folder / ITEM,
            remedy="Take the bundle anew from where it was released.",
        )


def _refuse_wild(design: Mapping[str, Any], folder: Path) -> None:
    """Refuse a design that would fetch something from a hub, or fill the memory, before anything is built of it."""
    encoder = design.get("encoder", "")
    if not isinstance(encoder, str) or not ENCODER.fullmatch(encoder):
        raise BundleError(
            f"unknown design (the encoder {encoder!r} is no plain name)",
            where=folder / ITEM,
            remedy="Take a bundle made for this version; names of hubs and paths are not followed.",
        )
    channels = design.get("decoder_channels", ())
    widths = [design.get("change_channels", 1), *(channels if isinstance(channels, list | tuple) else [channels])]
    if not all(isinstance(width, int) and 0 < width <= MOST_CHANNELS for width in widths):
        raise BundleError(
            f"unknown design (channels beyond 1 to {MOST_CHANNELS})",
            where=folder / ITEM,
            remedy="Take a bundle made for this version.",
        )


def _refuse_other_golden(item: Mapping[str, Any], folder: Path) -> None:
    """The first bundles did not name the checksum of their golden tile."""
    stated = (item["assets"].get("golden") or {}).get("file:checksum")
    if stated is not None and (folder / GOLDEN).is_file() and stated != multihash(_sha256(folder / GOLDEN)):
        raise BundleError(
            "the golden tile is not the one that item.json names (another SHA-256)",
            where=folder / GOLDEN,
            remedy="The file is damaged or was exchanged; take the bundle anew.",
        )


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


def design_settings(design: Design) -> dict[str, Any]:
    """A design as plain data for `BundleSettings.design`."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(design).items()}


__all__ = [
    "CARD",
    "FORMAT",
    "GOLDEN",
    "ITEM",
    "WEIGHTS",
    "BundleSettings",
    "Network",
    "bundle_folders",
    "check_golden",
    "checked_settings",
    "describe_bundles",
    "design_settings",
    "find_bundle",
    "golden_tiles",
    "load_bundle",
    "models_dir",
    "models_dirs",
    "read_module",
    "remarks",
    "stac_item",
    "write_bundle",
]
