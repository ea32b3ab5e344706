"""The training loop, one visible sequence: pairs → losses → weights, validated on held-out places, resumable.

Everything that decides the result is in the settings; a job that was killed goes on from its last checkpoint with
the very pairs that it would have seen. One process or many take the same pairs in the same steps.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from cvpipe.domain import Surface
from cvpipe.errors import DatasetError
from cvpipe.network.architecture import ChangeNetwork, Logits, load_encoder
from cvpipe.network.losses import IGNORE
from cvpipe.network.processor import tune_allocator
from cvpipe.network.public_weights import load_public_encoder
from cvpipe.train import checkpoints
from cvpipe.train.checkpoints import State, load_average, network_of, released
from cvpipe.train.leakage import refuse_leaks
from cvpipe.train.logbook import Logbook, sample_picture
from cvpipe.train.materials import digest_of, materials_of
from cvpipe.train.optimising import Learner, optimiser_of, picture
from cvpipe.train.pairs import PairDataset, banks_of, collated
from cvpipe.train.pictures import Pixels
from cvpipe.train.processes import started
from cvpipe.train.settings import TrainSettings, shared_path

if TYPE_CHECKING:
    from lightning_fabric import Fabric

LOG = logging.getLogger(__name__)

CHECKPOINT = "last.pt"
#: What is measured on held-out pairs, in the order of `_figures`.
FIGURES = ("structure_iou", "removed_f1", "added_f1")
#: Held-out pairs that are shown in each sample picture, and how many are looked through for some with a change.
SAMPLES, SEARCHED = 4, 48
#: Pairs that are asked at once in validation.
VALIDATION_BATCH = 8


@dataclass(frozen=True)
class Trained:
    """A finished or paused job: the network to release, how far it came, and the last validation figures.

    `leads` is False in all processes of a job but one: what follows is that one's to do.
    """

    network: ChangeNetwork
    step: int
    finished: bool
    figures: dict[str, float] = field(default_factory=dict)
    leads: bool = True


def train(
    settings: TrainSettings,
    folder: Path,
    *,
    device: torch.device,
    minutes: float | None = None,
    on_step: Callable[[int, dict[str, float]], None] | None = None,
) -> Trained:
    """Train, or go on with training, in `folder`; stop after `minutes` with a checkpoint where they are given.

    Writes `last.pt` (to go on from), `log.csv`, `tensorboard/` and `samples/`; drawn patches are cached in
    `folder/../drawn`. Raises DatasetError for data that are missing, empty or leak between the sides of a split.
    """
    fabric = started(settings, device)
    cv2.setNumThreads(0)  # a worker that is forked off a process with OpenCV threads waits for them forever
    with fabric.rank_zero_first():  # the others find drawn patches and fetched weights where it left them
        folder.mkdir(parents=True, exist_ok=True)
        learn, held = materials_of(settings, folder.parent / "drawn")
        if fabric.is_global_zero:
            refuse_leaks(learn, held, settings)
        data = digest_of([*learn, *held], settings)
        state = _start(settings, folder, data, fabric.device)
    pairs = PairDataset(learn, banks_of(learn, settings.seed), settings, settings.steps * settings.batch, settings.seed)
    # held-out pairs are simulated with held-out structures only, and seen under their own seed
    unseen = PairDataset(held, banks_of(held, settings.seed), settings, settings.validation_pairs, settings.seed + 1)
    learner = Learner(state, settings, fabric)
    book = Logbook(folder, state.step) if fabric.is_global_zero else None
    clock = _Clock(state.seconds, minutes)
    figures: dict[str, float] = {}
    for batch in _batches(pairs, settings, state.step, fabric):
        losses = learner.step(batch)
        state.step += 1
        if book:
            book.learnt(state.step, losses)
            if on_step:
                on_step(state.step, losses)
        paused = fabric.broadcast(clock.is_over()) if minutes is not None else False
        ends = paused or state.step == settings.steps
        if state.step % settings.validate_every == 0 or ends:
            network = released(state.average, settings)
            figures = _figures(network, unseen, fabric)
            if book:
                row = {"step": state.step, "seconds": round(clock.seconds()), **losses}
                book.validated(row, figures, _sample(network, unseen, fabric))
        if fabric.is_global_zero and (ends or state.step % (settings.save_every or settings.validate_every) == 0):
            state.seconds = clock.seconds()
            checkpoints.save(state, folder / CHECKPOINT, settings, data)
        if paused:
            break
    if book:
        figures = figures or book.last(FIGURES)
        book.close()
    network = released(state.average, settings).to("cpu")
    return Trained(network, state.step, state.step >= settings.steps, figures, fabric.is_global_zero)


class _Clock:
    """Seconds of a job over all its stretches, and whether this stretch's `minutes` are over."""

    def __init__(self, seconds_before: float, minutes: float | None) -> None:
        self._begun = time.monotonic() - seconds_before
        self._until = math.inf if minutes is None else time.monotonic() + 60 * minutes

    def seconds(self) -> float:
        return time.monotonic() - self._begun

    def is_over(self) -> bool:
        return time.monotonic() > self._until


class _Order(Sampler[int]):
    """Numbers of the pairs that one process takes from `step` on: its part of each batch, batch after batch."""

    def __init__(self, settings: TrainSettings, step: int, rank: int, world: int) -> None:
        self._steps, self._batch = range(step, settings.steps), settings.batch
        self._rank, self._part = rank, settings.batch // world

    def __iter__(self) -> Iterator[int]:
        for step in self._steps:
            first = step * self._batch + self._rank * self._part
            yield from range(first, first + self._part)

    def __len__(self) -> int:
        return len(self._steps) * self._part


def _batches(pairs: PairDataset, settings: TrainSettings, step: int, fabric: Fabric) -> Iterator[dict[str, Tensor]]:
    return iter(
        DataLoader(
            pairs,
            batch_size=settings.batch // fabric.world_size,
            sampler=_Order(settings, step, fabric.global_rank, fabric.world_size),
            num_workers=settings.workers,
            collate_fn=collated,
            worker_init_fn=_one_thread,
            persistent_workers=settings.workers > 0,
            prefetch_factor=4 if settings.workers else None,
            pin_memory=fabric.device.type == "cuda",
        )
    )


def _one_thread(_worker: int) -> None:
    torch.set_num_threads(1)


def _start(settings: TrainSettings, folder: Path, data: str, device: torch.device) -> State:
    torch.manual_seed(settings.seed)
    if device.type == "cpu":
        tune_allocator()
    network, checkpoint = network_of(settings.design), folder / CHECKPOINT
    if not checkpoint.exists():
        _load_start(network, settings)
    network.freeze_encoder_stages(settings.frozen_encoder_stages)
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    state = State(network, deepcopy(network).requires_grad_(False), optimiser_of(network, settings))
    if checkpoint.exists():
        checkpoints.resume(state, checkpoint, settings, data, device)
        LOG.info("going on from step %d", state.step)
    return state


def _load_start(network: ChangeNetwork, settings: TrainSettings) -> None:
    """Starting weights; each line goes over the one before it."""
    if settings.encoder_weights is not None:
        load_public_encoder(network)
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


def _figures(network: ChangeNetwork, pairs: PairDataset, fabric: Fabric) -> dict[str, float]:
    """IoU of structures and F1 of removed and added over the pixels of all pairs, at a threshold of 0.5.

    The processes share the pairs; counts are whole numbers, so that their sum is the same for any number of them.
    """
    counts = torch.zeros((3, 3), dtype=torch.float64)  # structure, removed, added × hits, false alarms, misses
    network.eval()
    firsts = range(0, len(pairs), VALIDATION_BATCH)
    for first in firsts[fabric.global_rank :: fabric.world_size]:
        batch = collated([pairs[i] for i in range(first, min(first + VALIDATION_BATCH, len(pairs)))])
        counts += _counts(_asked(network, batch, fabric), batch, has_surfaces=network.has_surfaces)
    summed = fabric.all_reduce(counts.to(fabric.device), reduce_op="sum")
    assert isinstance(summed, Tensor)
    hits, alarms, misses = summed.cpu().numpy().T
    iou = hits / np.maximum(hits + alarms + misses, 1)
    f1 = 2 * hits / np.maximum(2 * hits + alarms + misses, 1)
    return {name: round(float(value), 4) for name, value in zip(FIGURES, (iou[0], f1[1], f1[2]), strict=True)}


def _asked(network: ChangeNetwork, batch: dict[str, Tensor], fabric: Fabric) -> Logits:
    with torch.inference_mode(), fabric.autocast():
        answer: Logits = network(*(picture(batch[k], fabric.device) for k in ("before", "after")))
    return answer


def _sample(network: ChangeNetwork, pairs: PairDataset, fabric: Fabric) -> Pixels:
    """The first held-out pairs that show a change (others where there are too few), with label and answer."""
    found = [pairs.pair(i) for i in range(min(SEARCHED, len(pairs)))]
    chosen = sorted(found, key=lambda pair: not (pair.change == 1).any())[:SAMPLES]
    answer = _asked(network, collated([pair.tensors() for pair in chosen]), fabric)
    changes = (answer.change > 0).cpu().numpy().astype(np.uint8)
    return sample_picture(chosen, list(changes))


def _counts(logits: Logits, batch: dict[str, Tensor], *, has_surfaces: bool) -> Tensor:
    """Hits, false alarms and misses (3, 3) of structures (both epochs), removed and added."""
    structure = [x.argmax(1).cpu() == Surface.STRUCTURE for x in (logits.surface_before, logits.surface_after)]
    labels = torch.cat([batch["surface_before"], batch["surface_after"]])
    rows = [
        hits(torch.cat(structure), labels, Surface.STRUCTURE) if has_surfaces else [0, 0, 0],
        *(hits(logits.change[:, i].cpu() > 0, batch["change"][:, i], 1) for i in range(2)),
    ]
    return torch.tensor(rows, dtype=torch.float64)


def hits(found: Tensor, labels: Tensor, positive: int) -> list[int]:
    """Hits, false alarms and misses of what was `found` among labels of the same shape; IGNORE counts nowhere."""
    counted, true = labels != IGNORE, labels == positive
    return [
        int((found & true).sum()),
        int((found & ~true & counted).sum()),
        int((~found & true).sum()),
    ]
