"""What is charged, by how much, and what teaches nothing; on pictures of one or two pixels."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from cvpipe.domain import SURFACES, Surface
from cvpipe.network.losses import IGNORE, NOT_STRUCTURE, change_loss, structure_dice, surface_loss

EVEN = torch.ones(len(SURFACES))


def labels_of(*codes: int) -> Tensor:
    """Surface labels (1, 1, N)."""
    return torch.tensor([[codes]])


def sure_of(*surfaces: int, height: float = 30.0) -> Tensor:
    """Logits (1, 8, 1, N) that are certain of one surface per pixel."""
    logits = torch.zeros(1, len(SURFACES), 1, len(surfaces))
    for i, surface in enumerate(surfaces):
        logits[0, surface, 0, i] = height
    return logits


def change_logits(*values: float) -> Tensor:
    """Logits (1, 2, 1, N) with equal values for removed and added."""
    return torch.tensor(values, dtype=torch.float32).expand(1, 2, 1, -1).clone()


def change_labels(*codes: int) -> Tensor:
    """Labels (1, 2, 1, N), equal for removed and added."""
    return torch.tensor(codes).expand(1, 2, 1, -1).clone()


def gradient(loss: Tensor, logits: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(loss, logits)
    return found


class TestSurface:
    def test_no_idea_costs_the_logarithm_of_eight(self) -> None:
        loss = surface_loss(torch.zeros(1, 8, 1, 2), labels_of(Surface.RUBBLE, Surface.WATER), EVEN)
        assert loss.item() == pytest.approx(math.log(8))

    def test_known_only_as_no_structure_costs_what_structure_gets(self) -> None:
        loss = surface_loss(torch.zeros(1, 8, 1, 1), labels_of(NOT_STRUCTURE), EVEN)
        assert loss.item() == pytest.approx(-math.log(7 / 8))

    @pytest.mark.parametrize("other", [s for s in SURFACES if s is not Surface.STRUCTURE])
    def test_no_structure_may_be_any_other_surface(self, other: Surface) -> None:
        assert surface_loss(sure_of(other), labels_of(NOT_STRUCTURE), EVEN).item() == pytest.approx(0, abs=1e-5)

    def test_no_structure_pushes_down_structure_alone(self) -> None:
        logits = torch.zeros(1, 8, 1, 1, requires_grad=True)
        pull = gradient(surface_loss(logits, labels_of(NOT_STRUCTURE), EVEN), logits).flatten()
        assert pull[Surface.STRUCTURE] > 0
        others = torch.cat([pull[: Surface.STRUCTURE], pull[Surface.STRUCTURE + 1 :]])
        assert others.max() < 0
        torch.testing.assert_close(others, others[:1].expand(7))

    def test_right_answers_cost_nothing(self) -> None:
        logits, labels = sure_of(Surface.STRUCTURE, Surface.NET), labels_of(Surface.STRUCTURE, Surface.NET)
        assert surface_loss(logits, labels, EVEN).item() == pytest.approx(0, abs=1e-5)

    def test_ignored_pixels_neither_cost_nor_pull(self) -> None:
        labels = labels_of(Surface.BARE, IGNORE)
        logits = sure_of(Surface.WATER, Surface.STRUCTURE).requires_grad_()
        loss = surface_loss(logits, labels, EVEN)
        assert loss.item() == pytest.approx(surface_loss(logits[..., :1], labels[..., :1], EVEN).item())
        pull = gradient(loss, logits)
        assert pull[..., 0].abs().max() > 0
        assert pull[..., 1].abs().max() == 0

    def test_a_class_of_double_weight_counts_twice_in_the_mean(self) -> None:
        weights = EVEN.clone()
        weights[Surface.STRUCTURE] = 2
        missed = surface_loss(sure_of(0, 0, height=9), labels_of(Surface.STRUCTURE, 0), weights)
        assert missed.item() == pytest.approx(9 * 2 / 3, rel=1e-3)


class TestChange:
    def test_right_answers_cost_nothing(self) -> None:
        loss = change_loss(change_logits(30, -30, -30), change_labels(1, 0, 0), positive_weight=3)
        assert loss.item() == pytest.approx(0, abs=1e-5)

    def test_a_missed_change_costs_more_than_a_false_alarm(self) -> None:
        missed = change_loss(change_logits(-5, -5), change_labels(1, 0), positive_weight=3)
        alarm = change_loss(change_logits(5, -5), change_labels(0, 0), positive_weight=3)
        assert missed > alarm

    def test_ignored_pixels_neither_cost_nor_pull(self) -> None:
        labels = change_labels(1, IGNORE)
        logits = change_logits(-2, 8).requires_grad_()
        loss = change_loss(logits, labels, positive_weight=3)
        alone = change_loss(logits[..., :1], labels[..., :1], positive_weight=3)
        assert loss.item() == pytest.approx(alone.item())
        pull = gradient(loss, logits)
        assert pull[..., 0].max() < 0
        assert pull[..., 1].abs().max() == 0


class TestDice:
    def test_all_right_is_nought_and_all_wrong_is_near_one(self) -> None:
        labels = torch.tensor([[[Surface.STRUCTURE] * 50 + [Surface.BARE] * 50]])
        right = sure_of(*([Surface.STRUCTURE] * 50 + [Surface.BARE] * 50))
        assert structure_dice(right, labels).item() == pytest.approx(0, abs=1e-5)
        assert structure_dice(right.flip(-1), labels).item() == pytest.approx(1 - 1 / 101, abs=1e-5)

    def test_ignored_pixels_are_left_out_and_no_structure_is_not(self) -> None:
        logits = sure_of(Surface.STRUCTURE, Surface.STRUCTURE)
        assert structure_dice(logits, labels_of(Surface.STRUCTURE, IGNORE)).item() == pytest.approx(0, abs=1e-5)
        # 1 - (2 · 1 + 1) / (2 + 1 + 1)
        assert structure_dice(logits, labels_of(Surface.STRUCTURE, NOT_STRUCTURE)).item() == pytest.approx(0.25)


@pytest.mark.parametrize("height", [1e4, -1e4])
def test_gradients_are_finite_for_extreme_logits(height: float) -> None:
    codes = (Surface.STRUCTURE, Surface.OTHER, NOT_STRUCTURE, IGNORE)
    surfaces = sure_of(*[Surface.STRUCTURE] * 4, height=height).requires_grad_()
    loss = surface_loss(surfaces, labels_of(*codes), EVEN) + structure_dice(surfaces, labels_of(*codes))
    assert gradient(loss, surfaces).isfinite().all()
    change = change_logits(height, height, height).requires_grad_()
    assert gradient(change_loss(change, change_labels(1, 0, IGNORE), positive_weight=3), change).isfinite().all()


def test_a_batch_that_knows_nothing_costs_nothing() -> None:
    surfaces = sure_of(Surface.STRUCTURE).requires_grad_()
    change = change_logits(5).requires_grad_()
    for loss, logits in (
        (surface_loss(surfaces, labels_of(IGNORE), EVEN), surfaces),
        (structure_dice(surfaces, labels_of(IGNORE)), surfaces),
        (change_loss(change, change_labels(IGNORE), positive_weight=3), change),
    ):
        assert loss.item() == 0
        assert gradient(loss, logits).abs().max() == 0
