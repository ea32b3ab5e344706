"""What a training job is told: the network, its data, and the numbers of the loop. Files: configs/train/*.yaml."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from cvpipe.settings import Settings

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
SurfaceName = Literal["other", "structure", "rubble", "bare", "net", "vegetation", "paved", "water"]


class DesignSettings(Settings):
    """The architecture; see `network.architecture.Design`."""

    encoder: str = "tu-mobilenetv2_100"
    decoder_channels: tuple[int, int, int, int] = (64, 48, 32, 24)
    change_channels: int = 32


class PictureSource(Settings):
    """Labelled or structure-free pictures on disk; pairs are simulated on them."""

    kind: Literal["dubai", "drone", "scenes"]
    folder: Path
    weight: Positive
    gsd_range_m: tuple[Positive, Positive]
    licence: str


class GuessedSource(Settings):
    """Pictures without labels that an earlier network labels where it is sure (`self_labels`); never held out.

    `guessed_by` is the checkpoint whose averaged network is asked.
    """

    kind: Literal["guessed"]
    folder: Path
    guessed_by: Path
    weight: Positive
    gsd_range_m: tuple[Positive, Positive]
    licence: str


class DrawnSource(Settings):
    """Patches of the drawn world; pairs are two of a patch's epochs."""

    kind: Literal["drawn"]
    patches: Annotated[int, Field(ge=1)]
    first_seed: int
    size_px: Annotated[int, Field(ge=256)] = 1024
    weight: Positive
    gsd_range_m: tuple[Positive, Positive]


class TrainSettings(Settings):
    """One training job, from starting weights to a released bundle."""

    name: str
    design: DesignSettings = Field(default_factory=DesignSettings)
    start_encoder: Path | None = None
    start_network: Path | None = None
    gsd_m: Positive = 0.3
    tile_px: Annotated[int, Field(ge=64, multiple_of=32)] = 512
    sources: tuple[Annotated[PictureSource | GuessedSource | DrawnSource, Field(discriminator="kind")], ...]
    held_out_places: tuple[str, ...]
    seed: int = 0
    steps: Annotated[int, Field(ge=1)]
    batch: Annotated[int, Field(ge=1)] = 8
    crop_px: Annotated[int, Field(ge=64, multiple_of=32)] = 256
    workers: Annotated[int, Field(ge=0)] = 1
    learning_rate: Positive = 1e-3
    encoder_rate_share: Share = 0.3
    frozen_encoder_stages: Annotated[int, Field(ge=0)] = 0
    weight_decay: float = 1e-2
    warmup_steps: int = 100
    ema_decay: Share = 0.995
    class_weights: dict[SurfaceName, Positive] = Field(default_factory=dict)
    change_weight: Positive = 1.0
    change_positive_weight: Positive = 3.0
    unchanged_share: Share = 0.5
    still_share: Share = 0.1
    coarse_share: Share = 0.0
    shift_px: tuple[Positive, Positive] = (2.0, 8.0)
    validate_every: Annotated[int, Field(ge=1)] = 500
    validation_pairs: Annotated[int, Field(ge=8)] = 96


def shared_path(path: Path) -> Path:
    """A path of the settings: absolute, or relative to the folder that CVPIPE_SHARED names (default `../shared`)."""
    if path.is_absolute() or path.exists():
        return path
    return Path(os.environ.get("CVPIPE_SHARED", "../shared")) / path
