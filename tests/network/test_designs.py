"""The published designs: the Siamese one sees differences, the other one both epochs; neither names surfaces."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from cvpipe.domain import ChangeKind, Surface
from cvpipe.errors import BundleError
from cvpipe.network.architecture import Design, load_encoder
from cvpipe.network.bundle import BundleSettings, design_settings, load_bundle, write_bundle
from cvpipe.network.designs import ConcatUnet, FcSiamDiff, build_network
from tests.network.conftest import TINY

PUBLISHED = ("fc_siam_diff", "unet_concat")


def design(kind: str) -> Design:
    return dataclasses.replace(TINY, kind=kind)


@pytest.mark.parametrize("kind", PUBLISHED)
def test_they_answer_change_and_no_surface(kind: str) -> None:
    torch.manual_seed(1)
    network = build_network(design(kind)).eval()
    before, after = torch.rand(2, 2, 3, 64, 96)
    with torch.inference_mode():
        answer = network(before, after)
    assert answer.change.shape == (2, 2, 64, 96)
    assert (answer.surface_before.argmax(1) == Surface.OTHER).all()
    assert answer.change.std() > 0
    assert not network.has_surfaces


def test_fc_siam_diff_takes_differences_of_every_skip() -> None:
    torch.manual_seed(1)
    network = build_network(design("fc_siam_diff")).eval()
    assert isinstance(network, FcSiamDiff)
    seen: list[list[torch.Tensor]] = []
    network.decoder.register_forward_pre_hook(lambda _, given: seen.append(list(given[0])))
    same = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        network(same, same)
    *skips, deepest = seen[0]
    assert all((skip == 0).all() for skip in skips), "of one picture twice nothing differs"
    assert deepest.abs().sum() > 0, "the decoder starts from the later epoch"


def test_the_concatenating_unet_starts_from_both_halves_of_given_weights() -> None:
    network = build_network(design("unet_concat"))
    assert isinstance(network, ConcatUnet)
    given = {k: v.numpy().copy() for k, v in build_network(TINY).encoder.model.state_dict().items()}
    load_encoder(network, given)
    stem = network.encoder.model.conv_stem.weight.detach().numpy()
    assert stem.shape[1] == 6
    assert np.allclose(stem[:, :3] + stem[:, 3:], given["conv_stem.weight"], atol=1e-6)


@pytest.mark.parametrize("kind", PUBLISHED)
def test_a_bundle_of_one_is_read_and_says_that_it_names_no_surfaces(
    kind: str, settings: BundleSettings, golden_pair: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    torch.manual_seed(1)
    network = build_network(design(kind))
    told = settings.model_copy(update={"name": kind, "design": design_settings(network.design)})
    write_bundle(tmp_path / kind, network, told, golden_pair, {}, "card")
    loaded = load_bundle(tmp_path / kind, "cpu")
    assert not loaded.answers_surfaces
    found = loaded.predict(golden_pair[0][None], golden_pair[1][None])
    assert (found.surface_after[0].argmax(0) == Surface.OTHER).all()
    assert set(loaded.thresholds) >= {ChangeKind.STRUCTURE_REMOVED, ChangeKind.STRUCTURE_ADDED}
    item = (tmp_path / kind / "item.json").read_text(encoding="utf-8")
    assert '"name": "surface_before"' not in item
    assert '"name": "change"' in item


def test_an_unknown_kind_is_refused(
    settings: BundleSettings, golden_pair: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    write_bundle(tmp_path / "b", build_network(TINY), settings, golden_pair, {}, "card")
    item = tmp_path / "b" / "item.json"
    item.write_text(item.read_text(encoding="utf-8").replace('"kind": "siamese"', '"kind": "oracle"'), encoding="utf-8")
    with pytest.raises(BundleError, match="oracle"):
        load_bundle(tmp_path / "b", "cpu")


def test_only_encoders_with_block_groups_can_be_frozen() -> None:
    network = build_network(Design("resnet18", (16, 12, 8, 8), 8))
    network.freeze_encoder_stages(0)
    with pytest.raises(BundleError, match="resnet18: has no stem and block groups"):
        network.freeze_encoder_stages(2)
