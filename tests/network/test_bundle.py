"""A bundle that is written, loaded and asked; and what its digest stands for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cvpipe.domain import SURFACES, ChangeKind, Surface
from cvpipe.network.architecture import SiameseNetwork
from cvpipe.network.bundle import (
    BundleSettings,
    Network,
    check_golden,
    describe_bundles,
    find_bundle,
    load_bundle,
    write_bundle,
)
from cvpipe.network.fusing import folded
from tests.network.damage import edit_settings, edit_tensors, sign_weights


@pytest.fixture(scope="module")
def loaded(released: Path) -> Network:
    """The tiny bundle, loaded."""
    return load_bundle(released, device="cpu")


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)


def digest_of(folder: Path) -> str:
    return load_bundle(folder, device="cpu").digest


def test_a_loaded_bundle_says_what_was_written(loaded: Network, settings: BundleSettings) -> None:
    assert (loaded.name, loaded.gsd_m, loaded.tile_px) == ("tiny", 0.3, 64)
    assert loaded.thresholds == dict.fromkeys(ChangeKind, 0.5)
    assert loaded.min_area_m2 == settings.min_area_m2


def test_the_folder_holds_no_pickle_and_four_files(released: Path) -> None:
    assert {p.name for p in released.iterdir()} == {"weights.safetensors", "item.json", "golden.safetensors", "CARD.md"}


def test_the_golden_tile_is_answered_as_at_release(loaded: Network, released: Path) -> None:
    change, surface = check_golden(loaded, released)
    assert change < 1e-3  # the answer is kept as float16
    assert surface == 0


def test_the_answer_is_that_of_the_network_that_was_written(
    loaded: Network, random_network: SiameseNetwork, golden_pair: tuple[np.ndarray, np.ndarray]
) -> None:
    before, after = (torch.from_numpy(tile).permute(2, 0, 1)[None].float() / 127.5 - 1 for tile in golden_pair)
    with torch.inference_mode():
        logits = random_network(before, after)
    found = loaded.predict(*(tile[None] for tile in golden_pair))
    # bfloat16, where the processor has it, is off by a few thousandths
    assert np.abs(found.change - torch.sigmoid(logits.change).numpy()).mean() < 0.01
    assert np.abs(found.surface_after - torch.softmax(logits.surface_after, 1).numpy()).mean() < 0.01


def test_weights_in_channels_last_memory_are_written_in_their_own_order(
    loaded: Network,
    network: SiameseNetwork,
    settings: BundleSettings,
    golden_pair: tuple[np.ndarray, np.ndarray],
    tmp_path: Path,
) -> None:
    trained = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    digest = write_bundle(tmp_path / "tiny", trained, settings, golden_pair, {}, "# tiny\n")
    assert digest == loaded.digest


def test_an_offset_lifts_its_surface(network: SiameseNetwork, settings: BundleSettings) -> None:
    lifted = tuple(100.0 if surface is Surface.NET else 0.0 for surface in SURFACES)
    offset = settings.model_copy(update={"surface_bias": lifted})
    found = Network(network, offset, "", torch.device("cpu")).predict(noise(1, 32, 32), noise(1, 32, 32, seed=1))
    assert (found.surface_before.argmax(axis=1) == Surface.NET).all()
    assert (found.surface_after.argmax(axis=1) == Surface.NET).all()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (33, 1), (33, 70), (64, 64)])
def test_tiles_of_any_size(loaded: Network, height: int, width: int) -> None:
    found = loaded.predict(noise(2, height, width), noise(2, height, width, seed=1))
    assert found.change.shape == (2, 2, height, width)
    for surface in (found.surface_before, found.surface_after):
        assert surface.shape == (2, len(SURFACES), height, width)
        assert surface.dtype == np.float32
        np.testing.assert_allclose(surface.sum(axis=1), 1, atol=1e-3)
    assert found.change.dtype == np.float32
    assert 0 <= found.change.min() <= found.change.max() <= 1


def test_odd_sizes_are_mirrored_out_to_whole_strides(loaded: Network) -> None:
    pair = noise(1, 33, 70), noise(1, 33, 70, seed=1)
    wide = [np.pad(tile, ((0, 0), (0, 31), (0, 26), (0, 0)), mode="symmetric") for tile in pair]
    np.testing.assert_allclose(loaded.predict(*pair).change, loaded.predict(*wide).change[..., :33, :70], atol=1e-5)


def test_what_is_asked_is_left_as_it_was(loaded: Network) -> None:
    before, after = noise(1, 33, 33), noise(1, 33, 33, seed=1)
    kept = before.copy(), after.copy()
    loaded.predict(before, after)
    assert np.array_equal(before, kept[0])
    assert np.array_equal(after, kept[1])


def test_a_higher_temperature_makes_answers_less_sure(
    loaded: Network, network: SiameseNetwork, settings: BundleSettings
) -> None:
    mild = settings.model_copy(update={"surface_temperature": 50.0, "change_temperature": 50.0})
    unsure = Network(network, mild, "", torch.device("cpu")).predict(noise(1, 32, 32), noise(1, 32, 32, seed=1))
    sure = loaded.predict(noise(1, 32, 32), noise(1, 32, 32, seed=1))
    assert np.abs(unsure.change - 0.5).max() < np.abs(sure.change - 0.5).max() / 10
    assert np.ptp(unsure.surface_before) < np.ptp(sure.surface_before) / 10


class TestDigest:
    def test_stays_where_the_folder_is_renamed(self, loaded: Network, bundle: Path) -> None:
        assert digest_of(bundle.rename(bundle.with_name("another-name"))) == loaded.digest

    def test_stays_where_the_bundle_is_written_again(
        self,
        loaded: Network,
        tmp_path: Path,
        random_network: SiameseNetwork,
        settings: BundleSettings,
        golden_pair: tuple[np.ndarray, np.ndarray],
    ) -> None:
        written = write_bundle(tmp_path / "again", random_network, settings, golden_pair, {"license": "other"}, "")
        assert written == loaded.digest

    def test_changes_with_a_threshold(self, loaded: Network, bundle: Path) -> None:
        edit_settings(bundle, thresholds={**dict.fromkeys(ChangeKind, 0.5), ChangeKind.STRUCTURE_ADDED: 0.6})
        assert digest_of(bundle) != loaded.digest

    def test_changes_with_one_weight(self, loaded: Network, bundle: Path) -> None:
        def nudge(tensors: dict[str, np.ndarray]) -> None:
            tensors["change_head.answer.bias"] = tensors["change_head.answer.bias"] + np.float32(1e-6)

        edit_tensors(bundle / "weights.safetensors", nudge)
        sign_weights(bundle)
        assert digest_of(bundle) != loaded.digest


def test_a_bundle_is_found_by_its_name(released: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CVPIPE_MODELS", str(released.parent))
    assert find_bundle("tiny") == released


def test_bundles_are_listed_without_being_loaded(
    released: Path, loaded: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CVPIPE_MODELS", str(released.parent))
    (row,) = describe_bundles()
    assert (row["name"], row["gsd_m"], row["digest"], row["folder"]) == ("tiny", 0.3, loaded.digest, str(released))
    assert 1 < row["size_mb"] < 5


class TestFolding:
    def test_the_encoder_answers_the_same_without_its_norms(self, network: SiameseNetwork) -> None:
        pair = torch.rand(2, 1, 3, 64, 64, generator=torch.Generator().manual_seed(2)) * 2 - 1
        with torch.inference_mode():
            before = network(*pair)
        folded(network.encoder)
        assert not any(isinstance(m, nn.BatchNorm2d) for m in network.encoder.modules())
        with torch.inference_mode():
            after = network(*pair)
        for one, other in zip(before, after, strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)

    def test_a_bias_is_carried_along_and_other_norms_are_left(self) -> None:
        """conv: 2 x + 1; norm: (y - 3) / √4 · 10 + 5; at x = 4: (9 - 3) / 2 · 10 + 5 = 35."""
        conv, norm, lone = nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1, eps=0), nn.BatchNorm2d(1)
        assert conv.bias is not None
        assert norm.running_mean is not None
        assert norm.running_var is not None
        for tensor, value in (
            (conv.weight, 2),
            (conv.bias, 1),
            (norm.running_mean, 3),
            (norm.running_var, 4),
            (norm.weight, 10),
            (norm.bias, 5),
        ):
            nn.init.constant_(tensor, value)
        module = nn.Sequential(conv, norm, nn.ReLU(), lone).eval()
        folded(module)
        assert isinstance(module[1], nn.Identity)
        assert module[3] is lone
        assert module[:3](torch.full((1, 1, 1, 1), 4.0)).item() == pytest.approx(35)
