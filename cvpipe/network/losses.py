"""Losses for labels that are partial, rare and uncertain at their edges."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cvpipe.domain import Surface

#: Label code: this pixel teaches nothing.
IGNORE = 255
#: Label code: certainly no structure, but the surface is not known (structure-only label sets).
NOT_STRUCTURE = 254


def surface_loss(logits: Tensor, labels: Tensor, class_weights: Tensor) -> Tensor:
    """Cross-entropy over the surfaces, with partly known labels; a scalar.

    `logits` (N, 8, H, W) float; `labels` (N, H, W) int64: surface codes, NOT_STRUCTURE or IGNORE;
    `class_weights` (8,). A pixel known only not to be structure is charged -log(1 - p(structure)), the marginal
    likelihood of what is known (Fang & Li 2020, "Multi-organ segmentation over partially labeled datasets").
    """
    log_p = F.log_softmax(logits.float(), dim=1)
    known = labels < logits.shape[1]
    target = labels.clamp(max=logits.shape[1] - 1)
    exact = -log_p.gather(1, target[:, None])[:, 0] * class_weights[target]
    log_structure = log_p[:, Surface.STRUCTURE]
    negative = -torch.log1p(-log_structure.exp().clamp(max=1 - 1e-6))
    per_pixel = torch.where(known, exact, negative * (labels == NOT_STRUCTURE))
    counted = known | (labels == NOT_STRUCTURE)
    weight = torch.where(known, class_weights[target], torch.ones_like(per_pixel)) * counted
    return per_pixel.sum() / weight.sum().clamp(min=1.0)


def change_loss(logits: Tensor, labels: Tensor, *, positive_weight: float) -> Tensor:
    """Weighted binary cross-entropy plus soft Dice for rare change; a scalar.

    `logits` (N, 2, H, W); `labels` (N, 2, H, W) with 0, 1 or IGNORE. Dice is taken over the whole batch, so that
    pictures without change pull no gradient of their own (Milletari et al. 2016, "V-Net").
    """
    counted = (labels != IGNORE).float()
    target = (labels == 1).float()
    weight = counted * (1 + (positive_weight - 1) * target)
    bce = F.binary_cross_entropy_with_logits(logits.float(), target, reduction="none")
    bce = (bce * weight).sum() / weight.sum().clamp(min=1.0)
    p = torch.sigmoid(logits.float()) * counted
    axes = (0, 2, 3)
    overlap = (p * target).sum(axes)
    dice = 1 - (2 * overlap + 1) / (p.sum(axes) + target.sum(axes) + 1)
    return bce + dice.mean()


def structure_dice(logits: Tensor, labels: Tensor) -> Tensor:
    """Soft Dice of the structure class over the batch; a scalar. Shapes as in `surface_loss`."""
    counted = (labels != IGNORE).float()
    target = (labels == Surface.STRUCTURE).float()
    p = torch.softmax(logits.float(), dim=1)[:, Surface.STRUCTURE] * counted
    return 1 - (2 * (p * target).sum() + 1) / (p.sum() + target.sum() + 1)
