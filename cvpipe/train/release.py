"""A trained network → a bundle: calibration and thresholds from held-out places, golden tile, card."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cvpipe.domain import SURFACES, ChangeKind
from cvpipe.network.architecture import SiameseNetwork
from cvpipe.network.bundle import FORMAT, BundleSettings, design_settings, write_bundle
from cvpipe.network.losses import IGNORE, NOT_STRUCTURE
from cvpipe.train.loop import picture
from cvpipe.train.pairs import Pair, PairDataset, banks_of, collated, materials_of
from cvpipe.train.pictures import Pixels
from cvpipe.train.settings import DrawnSource, TrainSettings

STRUCTURE_KINDS = (ChangeKind.STRUCTURE_REMOVED, ChangeKind.STRUCTURE_ADDED)

#: Thresholds that are tried. The one with the best F1 on held-out pairs is taken.
CANDIDATES = np.round(np.arange(0.2, 0.91, 0.05), 2)
#: Offsets that are tried for the logits of a rare surface, and the share of labelled ground below which one is rare.
OFFSETS = np.round(np.arange(-4.0, 1.01, 0.25), 2)
RARE_SHARE = 0.05
#: Green changes are read off two surface maps; each side is the likelier one above a half.
GREEN_THRESHOLD = 0.5
#: Smallest polygon of each kind, m²: a shed, and the crown, 2 m across, of a tree as it is planted beside parking.
MIN_AREA_M2 = {
    ChangeKind.STRUCTURE_REMOVED: 6.0,
    ChangeKind.STRUCTURE_ADDED: 6.0,
    ChangeKind.GREEN_ADDED: 3.0,
    ChangeKind.GREEN_REMOVED: 3.0,
}


@dataclass(frozen=True)
class Calibration:
    """Offsets of surface logits, temperatures of both heads, thresholds of the structure kinds, and the F1 reached."""

    surface_bias: tuple[float, ...]
    surface_temperature: float
    change_temperature: float
    thresholds: dict[ChangeKind, float]
    f1: dict[ChangeKind, float]
    pairs: int


@dataclass(frozen=True)
class _Answers:
    """Logits and labels of all held-out pairs, flattened: change (2, P), surface (8, P)."""

    change: Tensor
    change_labels: Tensor
    surface: Tensor
    surface_labels: Tensor


def calibrate(network: SiameseNetwork, pairs: PairDataset) -> Calibration:
    """Fit temperatures (Guo et al. 2017, "On calibration of modern neural networks"), then choose thresholds."""
    answers = _ask(network, pairs)
    bias = _surface_bias(answers)
    answers = replace(answers, surface=answers.surface + torch.tensor(bias)[:, None])
    change_t = _temperature(lambda t: _change_nll(answers, t))
    surface_t = _temperature(lambda t: _surface_nll(answers, t))
    thresholds, scores = {}, {}
    for i, kind in enumerate(STRUCTURE_KINDS):
        counted = answers.change_labels[i] != IGNORE
        p = torch.sigmoid(answers.change[i][counted] / change_t)
        truth = answers.change_labels[i][counted] == 1
        f1 = [_f1(p > t, truth) for t in CANDIDATES]
        best = int(np.argmax(f1))
        thresholds[kind], scores[kind] = float(CANDIDATES[best]), round(f1[best], 4)
    return Calibration(bias, surface_t, change_t, thresholds, scores, len(pairs))


def release(network: SiameseNetwork, settings: TrainSettings, folder: Path, cache: Path, steps: int) -> Calibration:
    """Calibrate on held-out places and write the bundle into `folder`."""
    _, held = materials_of(settings, cache)
    unseen = PairDataset(
        held, banks_of(held, settings.seed), settings, 4 * settings.validation_pairs, settings.seed + 2
    )
    found = calibrate(network, unseen)
    bundle = BundleSettings(
        format=FORMAT,
        name=settings.name,
        design=design_settings(network.design),
        gsd_m=settings.gsd_m,
        tile_px=settings.tile_px,
        surface_bias=found.surface_bias,
        surface_temperature=found.surface_temperature,
        change_temperature=found.change_temperature,
        thresholds={
            **found.thresholds,
            ChangeKind.GREEN_ADDED: GREEN_THRESHOLD,
            ChangeKind.GREEN_REMOVED: GREEN_THRESHOLD,
        },
        min_area_m2=MIN_AREA_M2,
    )
    card = folder / "CARD.md"
    text = card.read_text(encoding="utf-8") if card.exists() else _first_card(settings)
    write_bundle(folder, network, bundle, _golden(unseen), _properties(settings, steps), text)
    return found


def _ask(network: SiameseNetwork, pairs: PairDataset) -> _Answers:
    network.eval()
    parts: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    cpu = torch.device("cpu")
    for start in range(0, len(pairs), 8):
        batch = collated([pairs[i] for i in range(start, min(start + 8, len(pairs)))])
        with torch.inference_mode():
            logits = network(*(picture(batch[k], cpu) for k in ("before", "after")))
        # every fourth pixel along both axes: neighbours say the same, and memory is saved
        thin = np.s_[..., ::4, ::4]
        parts.append(
            (
                logits.change[thin].transpose(0, 1).flatten(1),
                batch["change"][thin].transpose(0, 1).flatten(1),
                torch.cat([logits.surface_before, logits.surface_after])[thin].transpose(0, 1).flatten(1),
                torch.cat([batch["surface_before"], batch["surface_after"]])[thin].flatten(),
            )
        )
    change, change_labels, surface, surface_labels = zip(*parts, strict=True)
    return _Answers(torch.cat(change, 1), torch.cat(change_labels, 1), torch.cat(surface, 1), torch.cat(surface_labels))


def _surface_bias(answers: _Answers) -> tuple[float, ...]:
    """Offsets of the surface logits that undo what class weights did to rare surfaces.

    Logit adjustment (Menon et al. 2021, "Long-tail learning via logit adjustment"), with each surface's offset chosen
    for its own IoU on the known labels, rarest surface first. A surface that is not labelled keeps its logits.
    """
    known = answers.surface_labels < NOT_STRUCTURE
    logits, labels = answers.surface[:, known].float(), answers.surface_labels[known].long()
    share = torch.bincount(labels, minlength=len(SURFACES)).float() / max(len(labels), 1)
    bias = torch.zeros(len(SURFACES))
    for surface in share.argsort().tolist():
        if 0 < share[surface] < RARE_SHARE:
            others = (logits + bias[:, None]).index_fill(0, torch.tensor([surface]), -torch.inf).amax(0)
            scores = [_iou(logits[surface] + offset > others, labels == surface) for offset in OFFSETS]
            bias[surface] = float(OFFSETS[int(np.argmax(scores))])
    return tuple(round(b, 2) for b in bias.tolist())


def _iou(found: Tensor, truth: Tensor) -> float:
    return int((found & truth).sum()) / max(int((found | truth).sum()), 1)


def _temperature(loss: Callable[[float], float]) -> float:
    """The temperature between 0.5 and 3 with the least loss, to two digits."""
    tried = np.round(np.exp(np.linspace(np.log(0.5), np.log(3.0), 40)), 2)
    return min((float(t) for t in tried), key=loss)


def _change_nll(answers: _Answers, temperature: float) -> float:
    counted = answers.change_labels != IGNORE
    target = (answers.change_labels[counted] == 1).float()
    return F.binary_cross_entropy_with_logits(answers.change[counted].float() / temperature, target).item()


def _surface_nll(answers: _Answers, temperature: float) -> float:
    known = answers.surface_labels < NOT_STRUCTURE
    logits = answers.surface[:, known].float() / temperature
    return F.cross_entropy(logits.T, answers.surface_labels[known].long()).item()


def _f1(found: Tensor, truth: Tensor) -> float:
    hits = int((found & truth).sum())
    return 2 * hits / max(int(found.sum()) + int(truth.sum()), 1)


def _golden(pairs: PairDataset, side: int = 128) -> tuple[Pixels, Pixels]:
    """The middle of the first drawn pair that shows a change: ours to publish, and telling."""
    for i in range(len(pairs)):
        pair: Pair = pairs.pair(i)
        top = (pair.before.shape[0] - side) // 2
        part = np.s_[top : top + side, top : top + side]
        if _is_drawn(pair) and (pair.change[:, *part] == 1).mean() > 0.05:
            return np.ascontiguousarray(pair.before[part]), np.ascontiguousarray(pair.after[part])
    raise AssertionError("held-out pairs show no change at all")


def _is_drawn(pair: Pair) -> bool:
    """Only drawn pairs have labels without unknowns of the structure-only kind."""
    return not np.isin(pair.surface_before, (NOT_STRUCTURE, IGNORE)).any()


def _properties(settings: TrainSettings, steps: int) -> Mapping[str, Any]:
    sources = [
        {"kind": s.kind, "licence": "drawn by cvpipe" if isinstance(s, DrawnSource) else s.licence}
        for s in settings.sources
    ]
    return {
        "license": "Apache-2.0",
        "mlm:pretrained": settings.start_encoder is not None,
        "mlm:pretrained_source": "ImageNet" if settings.start_encoder else None,
        "cvpipe:training": {
            "settings": json.loads(settings.model_dump_json()),
            "steps": steps,
            "sources": sources,
        },
    }


def _first_card(settings: TrainSettings) -> str:
    return f"# {settings.name}\n\nFigures: `python scripts/evaluate_all.py {settings.name}`.\n"
