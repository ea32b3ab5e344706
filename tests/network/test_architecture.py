"""What the network answers, what it must not care about, and which of its weights stay."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from cvpipe.domain import SURFACES, Surface
from cvpipe.errors import BundleError
from cvpipe.network.architecture import Logits, SiameseNetwork, load_encoder, structure_margin


@pytest.fixture
def epochs() -> tuple[Tensor, Tensor]:
    """Two batches (2, 3, 64, 96) in -1..1."""
    before, after = torch.rand(2, 2, 3, 64, 96, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return before, after


@torch.inference_mode()
def answer(network: SiameseNetwork, before: Tensor, after: Tensor) -> Logits:
    logits: Logits = network(before, after)
    return logits


def encoder_tensors(network: SiameseNetwork) -> dict[str, np.ndarray]:
    return {k: v.numpy().copy() for k, v in network.encoder.model.state_dict().items()}


def test_logits_are_as_large_as_the_input(random_network: SiameseNetwork, epochs: tuple[Tensor, Tensor]) -> None:
    logits = answer(random_network, *epochs)
    assert logits.surface_before.shape == logits.surface_after.shape == (2, len(SURFACES), 64, 96)
    assert logits.change.shape == (2, 2, 64, 96)


def test_a_surface_does_not_depend_on_which_epoch_it_is(
    random_network: SiameseNetwork, epochs: tuple[Tensor, Tensor]
) -> None:
    forth, back = answer(random_network, *epochs), answer(random_network, *reversed(epochs))
    torch.testing.assert_close(forth.surface_before, back.surface_after, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(forth.surface_after, back.surface_before, atol=1e-4, rtol=1e-4)


def test_a_change_does_depend_on_the_order(random_network: SiameseNetwork, epochs: tuple[Tensor, Tensor]) -> None:
    forth, back = answer(random_network, *epochs), answer(random_network, *reversed(epochs))
    assert (forth.change - back.change).abs().max() > 1e-2


def test_pairs_of_a_batch_do_not_see_each_other(random_network: SiameseNetwork, epochs: tuple[Tensor, Tensor]) -> None:
    together, alone = answer(random_network, *epochs), answer(random_network, *(e[1:] for e in epochs))
    for both, one in zip(together, alone, strict=True):
        torch.testing.assert_close(both[1:], one, atol=1e-4, rtol=1e-4)


def test_margin_of_structure_against_seven_equal_surfaces() -> None:
    logits = torch.zeros(1, 8, 1, 2)
    logits[0, Surface.STRUCTURE, 0, 1] = 5.0
    assert structure_margin(logits).flatten().tolist() == pytest.approx([-math.log(7), 5 - math.log(7)])


def test_encoder_takes_given_tensors_and_leaves_a_head_out(network: SiameseNetwork) -> None:
    given = {k: v + 1 for k, v in encoder_tensors(network).items()}
    load_encoder(network, {**given, "classifier.weight": np.zeros((1000, 1280), np.float32)})
    found = encoder_tensors(network)
    assert "classifier.weight" not in found
    assert np.array_equal(found["conv_stem.weight"], given["conv_stem.weight"])
    assert np.array_equal(found["bn1.running_var"], given["bn1.running_var"])


@pytest.mark.parametrize("damage", ["missing", "another shape"])
def test_encoder_refuses_tensors_that_do_not_fit(network: SiameseNetwork, damage: str) -> None:
    given = encoder_tensors(network)
    stem = given.pop("conv_stem.weight")
    if damage == "another shape":
        given["conv_stem.weight"] = stem[:, :1]
    with pytest.raises(BundleError, match=r"1 of \d+ encoder tensors .* first 'conv_stem.weight'"):
        load_encoder(network, {k: v * 0 for k, v in given.items()})
    assert np.array_equal(encoder_tensors(network)["conv_stem.weight"], stem)


def test_freezing_keeps_the_stem_and_the_first_stages(network: SiameseNetwork) -> None:
    network.freeze_encoder_stages(2)
    model = network.encoder.model
    frozen = [model.conv_stem, model.bn1, model.blocks[0], model.blocks[1]]
    assert not any(p.requires_grad for part in frozen for p in part.parameters())
    assert all(p.requires_grad for p in model.blocks[2:].parameters())
    assert all(p.requires_grad for p in network.decoder.parameters())


def test_freezing_no_stage_freezes_nothing(network: SiameseNetwork) -> None:
    network.freeze_encoder_stages(0)
    assert all(p.requires_grad for p in network.parameters())


def test_frozen_statistics_stay_while_the_decoder_learns_its_own(
    network: SiameseNetwork, epochs: tuple[Tensor, Tensor]
) -> None:
    before = {k: v.clone() for k, v in network.state_dict().items() if k.endswith("running_mean")}
    network.train()
    network.freeze_encoder_statistics()
    network(*epochs)
    moved = {k for k, v in network.state_dict().items() if k in before and not torch.equal(v, before[k])}
    assert moved == {k for k in before if not k.startswith("encoder.")}
