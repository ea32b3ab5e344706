"""The training loop, one visible sequence: pairs → losses → weights, validated on held-out places, resumable.

Everything that decides the result is in the settings; a job that was killed goes on from its last checkpoint with
the very pairs that it would have seen.
"""

from __future__ import annotations

import csv
import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from cvpipe.domain import SURFACES, Surface
from cvpipe.errors import DatasetError
from cvpipe.network.architecture import Design, Logits, SiameseNetwork, load_encoder
from cvpipe.network.losses import IGNORE, change_loss, structure_dice, surface_loss
from cvpipe.network.processor import autocast, tune_allocator
from cvpipe.train.checkpoints import load_average
from cvpipe.train.pairs import PairDataset, banks_of, collated, materials_of
from cvpipe.train.settings import TrainSettings, shared_path

LOG = logging.getLogger(__name__)

CHECKPOINT, LOG_FILE = "last.pt", "log.csv"
#: What is measured on held-out pairs, in the order of `validate`.
FIGURES = ("structure_iou", "removed_f1", "added_f1")


@dataclass(frozen=True)
class Trained:
    """A finished or paused job: the averaged network, how far it came, and the last validation figures."""

    network: SiameseNetwork
    step: int
    finished: bool
    figures: dict[str, float]


@dataclass
class _State:
    """All that a checkpoint holds."""

    network: SiameseNetwork
    average: SiameseNetwork
    optimiser: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0


def train(
    settings: TrainSettings,
    folder: Path,
    *,
    device: torch.device,
    minutes: float | None = None,
    on_step: Callable[[int, dict[str, float]], None] | None = None,
) -> Trained:
    """Train, or go on with training, in `folder`; stop after `minutes` with a checkpoint where they are given.

    Writes `last.pt` (to go on from) and `log.csv`; drawn patches are cached in `folder/../drawn`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(0)  # a worker that is forked off a process with OpenCV threads waits for them forever
    learn, held = materials_of(settings, folder.parent / "drawn")
    banks = banks_of(learn, settings.seed)
    state = _start(settings, folder, device)
    pairs = PairDataset(learn, banks, settings, settings.steps * settings.batch, settings.seed)
    # held-out pairs are simulated with held-out structures only, and seen under their own seed
    unseen = PairDataset(held, banks_of(held, settings.seed), settings, settings.validation_pairs, settings.seed + 1)
    log = _Log(folder / LOG_FILE)
    until = math.inf if minutes is None else time.monotonic() + 60 * minutes
    begun, figures = time.monotonic() - state.seconds, {}
    for batch in _batches(pairs, settings, state.step):
        losses = _learn(state, batch, settings, device)
        state.step += 1
        if on_step:
            on_step(state.step, losses)
        last = state.step == settings.steps
        paused = time.monotonic() > until
        if state.step % settings.validate_every == 0 or last or paused:
            figures = validate(state.average, unseen, device)
            state.seconds = time.monotonic() - begun
            log.write({"step": state.step, "seconds": round(state.seconds), **losses, **figures})
            _save(state, folder, settings)
        if paused:
            break
    state.average.to("cpu")
    return Trained(state.average, state.step, state.step >= settings.steps, figures or log.last())


def validate(network: SiameseNetwork, pairs: PairDataset, device: torch.device) -> dict[str, float]:
    """IoU of structures and F1 of removed and added over the pixels of all pairs, at a threshold of 0.5."""
    counts = np.zeros((3, 3))  # structure, removed, added × hits, false alarms, misses
    network.eval()
    for start in range(0, len(pairs), 8):
        batch = collated([pairs[i] for i in range(start, min(start + 8, len(pairs)))])
        with torch.inference_mode(), autocast(device):
            logits = network(*(picture(batch[k], device) for k in ("before", "after")))
        counts += _counts(logits, batch)
    hits, alarms, misses = counts.T
    iou = hits / np.maximum(hits + alarms + misses, 1)
    f1 = 2 * hits / np.maximum(2 * hits + alarms + misses, 1)
    return {name: round(float(value), 4) for name, value in zip(FIGURES, (iou[0], f1[1], f1[2]), strict=True)}


def picture(pixels: Tensor, device: torch.device) -> Tensor:
    """uint8 (N, 3, H, W) → float in -1..1, as the network takes it."""
    tensor = pixels.to(device, non_blocking=True).float().div_(127.5).sub_(1)
    return tensor.contiguous(memory_format=torch.channels_last)


def _learn(state: _State, batch: dict[str, Tensor], settings: TrainSettings, device: torch.device) -> dict[str, float]:
    """One step: forward, losses, backward, update, average."""
    state.network.train()
    state.network.freeze_encoder_statistics()
    for group in state.optimiser.param_groups:
        group["lr"] = group["base_lr"] * _rate(state.step, settings)
    with autocast(device):
        logits = state.network(*(picture(batch[k], device) for k in ("before", "after")))
    labels = {k: batch[k].to(device).long() for k in ("surface_before", "surface_after", "change")}
    surface = _surface_losses(logits, labels, settings)
    change = change_loss(logits.change, labels["change"], positive_weight=settings.change_positive_weight)
    loss = surface + settings.change_weight * change
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
    if torch.isfinite(norm):  # a step without a usable gradient is left out; see _separable for one cause
        state.optimiser.step()
        _average(state, settings.ema_decay)
    else:
        LOG.warning("step %d left out: its gradient is not finite", state.step + 1)
    return {"surface_loss": round(surface.item(), 4), "change_loss": round(change.item(), 4)}


def _surface_losses(logits: Logits, labels: dict[str, Tensor], settings: TrainSettings) -> Tensor:
    both = torch.cat([logits.surface_before, logits.surface_after])
    labels_both = torch.cat([labels["surface_before"], labels["surface_after"]])
    named: dict[str, float] = {str(name): weight for name, weight in settings.class_weights.items()}
    weights = torch.tensor([named.get(s.name.lower(), 1.0) for s in SURFACES], device=both.device)
    return surface_loss(both, labels_both, weights) + 0.5 * structure_dice(both, labels_both)


def _rate(step: int, settings: TrainSettings) -> float:
    """Share of the learning rate at a step: linear warm-up, then half a cosine down to 2 %."""
    if step < settings.warmup_steps:
        return (step + 1) / settings.warmup_steps
    done = (step - settings.warmup_steps) / max(settings.steps - settings.warmup_steps, 1)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done))


@torch.no_grad()
def _average(state: _State, decay: float) -> None:
    """Exponential moving average of weights; statistics of batch norms are copied. The decay grows from zero."""
    decay = min(decay, (1 + state.step) / (10 + state.step))
    for mean, value in zip(state.average.state_dict().values(), state.network.state_dict().values(), strict=True):
        if mean.dtype.is_floating_point:
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)


def _batches(pairs: PairDataset, settings: TrainSettings, step: int) -> Iterator[dict[str, Tensor]]:
    left = Subset(pairs, range(step * settings.batch, settings.steps * settings.batch))
    return iter(
        DataLoader(
            left,
            batch_size=settings.batch,
            num_workers=settings.workers,
            collate_fn=collated,
            worker_init_fn=_one_thread,
            persistent_workers=settings.workers > 0,
            prefetch_factor=4 if settings.workers else None,
            pin_memory=torch.cuda.is_available(),
        )
    )


def _one_thread(_worker: int) -> None:
    torch.set_num_threads(1)


def _start(settings: TrainSettings, folder: Path, device: torch.device) -> _State:
    torch.manual_seed(settings.seed)
    if device.type == "cpu":
        tune_allocator()
    network = SiameseNetwork(Design(**settings.design.model_dump()))
    if settings.start_encoder is not None:
        path = shared_path(settings.start_encoder)
        if not path.is_file():
            raise DatasetError(
                "no starting weights there", where=path, remedy="Correct `start_encoder` or leave it out."
            )
        with np.load(path) as tensors:
            load_encoder(network, dict(tensors))
    if settings.start_network is not None:
        load_average(network, settings.start_network)
    network.freeze_encoder_stages(settings.frozen_encoder_stages)
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    state = _State(network, deepcopy(network).requires_grad_(False), _optimiser(network, settings))
    if (folder / CHECKPOINT).exists():
        _resume(state, folder / CHECKPOINT, settings, device)
    return state


def _optimiser(network: SiameseNetwork, settings: TrainSettings) -> torch.optim.Optimizer:
    """AdamW; the encoder, which has learnt already, moves more slowly."""
    encoder = {id(p) for p in network.encoder.parameters()}
    groups: list[dict[str, Any]] = [
        {
            "params": [p for p in network.parameters() if p.requires_grad and (id(p) in encoder) == is_encoder],
            "base_lr": settings.learning_rate * (settings.encoder_rate_share if is_encoder else 1.0),
        }
        for is_encoder in (True, False)
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, weight_decay=settings.weight_decay)


def _save(state: _State, folder: Path, settings: TrainSettings) -> None:
    content = {
        "network": state.network.state_dict(),
        "average": state.average.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "step": state.step,
        "seconds": state.seconds,
        "settings": settings.model_dump_json(),
    }
    part = folder / (CHECKPOINT + ".part")
    torch.save(content, part)
    part.rename(folder / CHECKPOINT)


def _resume(state: _State, path: Path, settings: TrainSettings, device: torch.device) -> None:
    content = torch.load(path, map_location=device, weights_only=True)
    theirs, ours = json.loads(content["settings"]), json.loads(settings.model_dump_json())
    other = sorted(k for k in ours.keys() | theirs.keys() if ours.get(k) != theirs.get(k))
    if other:
        raise DatasetError(
            f"a checkpoint of other settings ({', '.join(other)})",
            where=path,
            remedy="Take the settings back, or train into another --out folder.",
        )
    state.network.load_state_dict(content["network"])
    state.average.load_state_dict(content["average"])
    state.optimiser.load_state_dict(content["optimiser"])
    state.step, state.seconds = content["step"], content["seconds"]
    LOG.info("going on from step %d", state.step)


def _counts(logits: Logits, batch: dict[str, Tensor]) -> np.ndarray:
    """Hits, false alarms and misses (3, 3) of structures (both epochs), removed and added."""
    structure = [x.argmax(1).cpu() == Surface.STRUCTURE for x in (logits.surface_before, logits.surface_after)]
    rows = [
        _hits(torch.cat(structure), torch.cat([batch["surface_before"], batch["surface_after"]]), Surface.STRUCTURE),
        *(_hits(logits.change[:, i].cpu() > 0, batch["change"][:, i], 1) for i in range(2)),
    ]
    return np.array(rows)


def _hits(found: Tensor, labels: Tensor, positive: int) -> list[int]:
    counted, true = labels != IGNORE, labels == positive
    return [
        int((found & true).sum()),
        int((found & ~true & counted).sum()),
        int((~found & true).sum()),
    ]


class _Log:
    """`log.csv`: one row per validation, appended, so that a resumed job keeps its history."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, row: dict[str, Any]) -> None:
        new = not self._path.exists()
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)
        LOG.info("%s", row)

    def last(self) -> dict[str, float]:
        if not self._path.exists():
            return {}
        with self._path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return {k: float(rows[-1][k]) for k in FIGURES} if rows else {}
