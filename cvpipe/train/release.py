"""A trained network → a bundle: calibration and thresholds from held-out places, golden tile, card."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cvpipe.network.architecture import Design
from cvpipe.network.bundle import CARD, FORMAT, BundleSettings, design_settings, write_bundle
from cvpipe.train.calibration import Calibration, calibrate
from cvpipe.train.card import card
from cvpipe.train.datasheet import datasheet, licence_of
from cvpipe.train.drawn import drawn_pair
from cvpipe.train.loop import Trained
from cvpipe.train.materials import Material, materials_of
from cvpipe.train.pairs import PairDataset, banks_of
from cvpipe.train.pictures import Pixels
from cvpipe.train.settings import TrainSettings

#: Seed of the drawn patch that the golden tile is cut from, far from those of training and of the demo; its side, px.
GOLDEN_SEED, GOLDEN_PX = 990_001, 128


def release(trained: Trained, settings: TrainSettings, folder: Path, cache: Path) -> Calibration:
    """Calibrate on held-out places and write the bundle into `folder`, with a draft of its card where it has none."""
    learn, held = materials_of(settings, cache)
    found = calibrate(trained.network, unseen_pairs(held, settings), settings.gsd_m)
    bundle = bundle_settings(trained.network.design, settings, found)
    sheets = datasheet(learn, held, settings)
    draft = card(settings, sheets, trained.figures, found.f1, steps=trained.step, pairs=found.pairs)
    written = folder / CARD
    text = written.read_text(encoding="utf-8") if written.exists() else draft
    properties = {**_properties(settings, trained.step), **found.properties()}
    write_bundle(folder, trained.network, bundle, golden_pair(settings.gsd_m), properties, text)
    return found


def bundle_settings(design: Design, settings: TrainSettings, found: Calibration) -> BundleSettings:
    """What a bundle says of itself: the job's numbers, and what was chosen on held-out places."""
    return BundleSettings(
        format=FORMAT,
        name=settings.name,
        design=design_settings(design),
        gsd_m=settings.gsd_m,
        tile_px=settings.tile_px,
        surface_bias=found.surface_bias,
        surface_temperature=found.surface_temperature,
        change_temperature=found.change_temperature,
        thresholds=found.thresholds,
        min_area_m2={kind: decision.min_area_m2 for kind, decision in found.decisions.items()},
        min_probability={kind: decision.min_probability for kind, decision in found.decisions.items()},
    )


def unseen_pairs(held: Sequence[Material], settings: TrainSettings) -> PairDataset:
    """Pairs of held-out places at the pixel size of use: areas are then areas on the ground."""
    in_use = [replace(material, gsd_range_m=(settings.gsd_m, settings.gsd_m)) for material in held]
    return PairDataset(
        in_use, banks_of(held, settings.seed), settings, 4 * settings.validation_pairs, settings.seed + 2
    )


def golden_pair(gsd_m: float, side: int = GOLDEN_PX) -> tuple[Pixels, Pixels]:
    """The part of a drawn patch with the most change in it: ours to publish, and telling."""
    drawn = drawn_pair(GOLDEN_SEED, 4 * side, gsd_m)
    changed = cv2.boxFilter(drawn.change.max(axis=0).astype(np.float32), -1, (side, side))
    inside = changed[side // 2 : -side // 2, side // 2 : -side // 2]
    row, col = (int(n) for n in np.unravel_index(int(inside.argmax()), inside.shape))
    part = np.s_[row : row + side, col : col + side]
    return np.ascontiguousarray(drawn.pixels[0][part]), np.ascontiguousarray(drawn.pixels[1][part])


def _properties(settings: TrainSettings, steps: int) -> Mapping[str, Any]:
    source = str(settings.start_network) if settings.start_network else None
    if source is None and (settings.start_encoder or settings.encoder_weights):
        source = "ImageNet"
    sources = [{"kind": s.kind, "licence": licence_of(s)} for s in settings.sources]
    return {
        "license": "Apache-2.0",
        "mlm:pretrained": source is not None,
        "mlm:pretrained_source": source,
        "cvpipe:training": {
            "settings": json.loads(settings.model_dump_json()),
            "steps": steps,
            "sources": sources,
        },
    }
