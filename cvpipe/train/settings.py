"""What a training job is told: the network, its data, and the numbers of the loop. Files: configs/train/*.yaml."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cvpipe.domain import SURFACES, ChangeKind
from cvpipe.settings import Settings
from cvpipe.train.folders import LabelSettings

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
SurfaceName = Literal["other", "structure", "rubble", "bare", "net", "vegetation", "paved", "water"]


class DesignSettings(Settings):
    """The architecture; see `network.architecture.Design`. The kinds stand in `network.designs`."""

    kind: Literal["siamese", "fc_siam_diff", "unet_concat"] = "siamese"
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

    `guessed_by` is a bundle, or the checkpoint whose averaged network is asked.
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


class LabelledSource(Settings):
    """Pictures with masks, as people keep them: `images/` and `masks/` (folder), or `A/`, `B/` and `label*/` (pairs).

    `folder` is such a folder, or the YAML file that describes one (configs/datasets). Where `labels` is given, the
    keys beside it describe the folder here: they mean what they mean in a description. `held_out_share` of the places
    are held out, always the same ones, besides those that `held_out_places` names.
    """

    kind: Literal["folder", "pairs"]
    folder: Path
    labels: tuple[LabelSettings, ...] = ()
    gsd_m: Positive | None = None
    gsd_by_ending: dict[str, float] = Field(default_factory=dict)
    place: str = ""
    held_out_share: Share = 0.0
    weight: Positive
    gsd_range_m: tuple[Positive, Positive]
    licence: str


class GeoSource(Settings):
    """GeoTIFFs of a folder with outlines in vector files (GeoPackage, GeoJSON, Shapefile).

    `before` and `after` are patterns below `folder`, whose files line up by order; without `after` the rasters are
    single epochs. `outlines` names one file for all rasters, or, with `{stem}` in it, one for each. `meanings` says
    what the values of `attribute` stand for: surfaces (of the one epoch) or kinds of change (of two); without
    `attribute` all outlines mean the first of it. Ground outside of all outlines is `rest`. Each raster is cut into
    squares of `place_m` metres, and these are the places.
    """

    kind: Literal["geo"]
    folder: Path
    before: str = "*.tif"
    after: str | None = None
    outlines: str
    layer: str | None = None
    attribute: str | None = None
    meanings: dict[str, str]
    rest: Literal["not_structure", "unchanged", "ignore"] | SurfaceName = "not_structure"
    place_m: Positive = 200.0
    held_out_share: Share = 0.0
    weight: Positive
    gsd_range_m: tuple[Positive, Positive]
    licence: str

    @model_validator(mode="after")
    def _meaningful(self) -> Self:
        kinds = {k.value for k in ChangeKind}
        known = kinds if self.after else {s.name.lower() for s in SURFACES}
        if not self.meanings or not set(self.meanings.values()) <= known:
            raise ValueError(f"`meanings` must give {'kinds of change' if self.after else 'surfaces'}: {sorted(known)}")
        if self.after and self.rest not in ("unchanged", "ignore"):
            raise ValueError("`rest` of two epochs is `unchanged` or `ignore`")
        if not self.after and self.rest == "unchanged":
            raise ValueError("`rest` of a single epoch is a surface, `not_structure` or `ignore`")
        return self


class LedgerSource(Settings):
    """Sites of a workspace whose assessments people confirmed or rejected (`reviewed_sites`); a place is a site.

    `margin_m` is the ground around a site that is shown but teaches nothing, m; `sites` picks some by code.
    """

    kind: Literal["ledger"]
    workspace: Path
    sites: tuple[str, ...] = ()
    margin_m: Annotated[float, Field(ge=0)] = 15.0
    held_out_share: Share = 0.0
    weight: Positive
    gsd_range_m: tuple[Positive, Positive]
    licence: str


Source = PictureSource | GuessedSource | DrawnSource | LabelledSource | GeoSource | LedgerSource


class TrainerSettings(Settings):
    """Where and how fast, never what is learnt: these keys may differ when a job goes on.

    `devices` processes on each of `nodes` machines share each batch; `strategy` is Lightning's name of how (auto: one
    process alone, or DDP). `precision` auto is bf16 where the processor multiplies it itself.
    """

    devices: Annotated[int, Field(ge=1)] | Literal["auto"] = 1
    nodes: Annotated[int, Field(ge=1)] = 1
    strategy: str = "auto"
    precision: Literal["auto", "bf16", "32"] = "auto"


class TrainSettings(Settings):
    """One training job, from starting weights to a released bundle.

    `start_encoder` is a file of encoder tensors, `encoder_weights` the published weights of the encoder, which are
    fetched over the network; `start_network` a checkpoint, a bundle's folder or a released bundle's
    name, and goes over both; `start_share` is its share in the weights that are released (`checkpoints.released`).
    `save_every` None: a checkpoint at each validation. `keep_apart` names the sets (descriptions, or folders of such)
    whose pictures must not be learnt from.
    """

    name: str
    design: DesignSettings = Field(default_factory=DesignSettings)
    start_encoder: Path | None = None
    encoder_weights: Literal["public"] | None = None
    start_network: Path | None = None
    start_share: Share = 0.0
    gsd_m: Positive = 0.3
    tile_px: Annotated[int, Field(ge=64, multiple_of=32)] = 512
    sources: tuple[Annotated[Source, Field(discriminator="kind")], ...] = Field(min_length=1)
    held_out_places: tuple[str, ...] = ()
    keep_apart: tuple[Path, ...] = (Path("configs/datasets"),)
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
    lean_share: Share = 0.0
    sun_share: Share = 0.0
    debris_share: Share = 0.0
    dark_share: Share = 0.0
    shift_px: tuple[Positive, Positive] = (2.0, 8.0)
    validate_every: Annotated[int, Field(ge=1)] = 500
    validation_pairs: Annotated[int, Field(ge=8)] = 96
    save_every: Annotated[int, Field(ge=1)] | None = None
    trainer: TrainerSettings = Field(default_factory=TrainerSettings)

    @model_validator(mode="after")
    def _starts_somewhere(self) -> Self:
        if self.start_share and self.start_network is None:
            raise ValueError("start_share is a share of start_network, which is not named")
        return self

    @property
    def recipe(self) -> dict[str, object]:
        """All that decides the weights, as plain data: a job may only go on with the recipe it began with."""
        return self.model_dump(mode="json", exclude={"trainer", "workers", "save_every", "keep_apart"})


def shared_path(path: Path) -> Path:
    """A path of the settings: absolute, or relative to the folder that CVPIPE_SHARED names (default `../shared`)."""
    if path.is_absolute() or path.exists():
        return path
    return Path(os.environ.get("CVPIPE_SHARED", "../shared")) / path
