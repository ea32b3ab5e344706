"""From a batch to better weights: losses, learning rate, one update, and the average that is released."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cvpipe.domain import SURFACES
from cvpipe.network.architecture import ChangeNetwork, Logits
from cvpipe.network.losses import change_loss, structure_dice, surface_loss
from cvpipe.train.checkpoints import State
from cvpipe.train.settings import TrainSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from lightning_fabric.wrappers import _FabricModule, _FabricOptimizer

LOG = logging.getLogger(__name__)


def optimiser_of(network: ChangeNetwork, settings: TrainSettings) -> torch.optim.Optimizer:
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


class Learner:
    """The updates of one job; the processes of a job take them together, each with its part of the batch."""

    def __init__(self, state: State, settings: TrainSettings, fabric: Fabric) -> None:
        self._state, self._settings, self._fabric = state, settings, fabric
        joined = fabric.setup(state.network, state.optimiser, move_to_device=False)
        self._network: _FabricModule = joined[0]
        self._optimiser: _FabricOptimizer = joined[1]

    def step(self, batch: dict[str, Tensor]) -> dict[str, float]:
        """One step: forward, losses, backward, update, average. The losses of this process's part."""
        state, device = self._state, self._fabric.device
        torch.manual_seed(self._seed())
        self._network.train()
        state.network.freeze_encoder_statistics()
        for group in state.optimiser.param_groups:
            group["lr"] = group["base_lr"] * rate(state.step, self._settings)
        logits = self._network(*(picture(batch[k], device) for k in ("before", "after")))
        labels = {k: batch[k].to(device).long() for k in ("surface_before", "surface_after", "change")}
        loss, told = losses(logits, labels, self._settings, has_surfaces=state.network.has_surfaces)
        state.optimiser.zero_grad(set_to_none=True)
        self._fabric.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
        if torch.isfinite(
            norm
        ):  # a step without a usable gradient is left out; see architecture._separable for a cause
            self._optimiser.step()
            average(state, self._settings.ema_decay)
        else:
            LOG.warning("step %d left out: its gradient is not finite", state.step + 1)
        return told

    def _seed(self) -> int:
        """All chance of a step (dropout, where an encoder has it) comes from its number: nothing to keep for later."""
        fabric = self._fabric
        return (self._settings.seed * 1_000_003 + self._state.step) * fabric.world_size + fabric.global_rank


def losses(
    logits: Logits, labels: dict[str, Tensor], settings: TrainSettings, *, has_surfaces: bool
) -> tuple[Tensor, dict[str, float]]:
    """The loss of a batch, and its parts by name. A network without a surface head learns change alone."""
    change = change_loss(logits.change, labels["change"], positive_weight=settings.change_positive_weight)
    if not has_surfaces:
        return settings.change_weight * change, {"change_loss": round(change.item(), 4)}
    surface = _surface_losses(logits, labels, settings)
    told = {"surface_loss": round(surface.item(), 4), "change_loss": round(change.item(), 4)}
    return surface + settings.change_weight * change, told


def rate(step: int, settings: TrainSettings) -> float:
    """Share of the learning rate at a step: linear warm-up, then half a cosine down to 2 %."""
    if step < settings.warmup_steps:
        return (step + 1) / settings.warmup_steps
    done = (step - settings.warmup_steps) / max(settings.steps - settings.warmup_steps, 1)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done))


def picture(pixels: Tensor, device: torch.device) -> Tensor:
    """uint8 (N, 3, H, W) → float in -1..1, as the network takes it."""
    tensor = pixels.to(device, non_blocking=True).float().div_(127.5).sub_(1)
    return tensor.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def average(state: State, decay: float) -> None:
    """Exponential moving average of weights; counters of batch norms are copied. The decay grows from zero."""
    decay = min(decay, (1 + state.step) / (10 + state.step))
    for mean, value in zip(state.average.state_dict().values(), state.network.state_dict().values(), strict=True):
        if mean.dtype.is_floating_point:
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)


def _surface_losses(logits: Logits, labels: dict[str, Tensor], settings: TrainSettings) -> Tensor:
    both = torch.cat([logits.surface_before, logits.surface_after])
    labels_both = torch.cat([labels["surface_before"], labels["surface_after"]])
    named: dict[str, float] = {str(name): weight for name, weight in settings.class_weights.items()}
    weights = torch.tensor([named.get(s.name.lower(), 1.0) for s in SURFACES], device=both.device)
    return surface_loss(both, labels_both, weights) + 0.5 * structure_dice(both, labels_both)
