"""What a job starts from: the large network, published weights, a bundle, a checkpoint, another design."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from cvpipe.errors import DatasetError, SettingsError
from cvpipe.network import public_weights
from cvpipe.network.bundle import read_module
from cvpipe.network.public_weights import load_public_encoder
from cvpipe.settings import read_settings
from cvpipe.train.checkpoints import averaged_network, load_average, network_of
from cvpipe.train.loop import CHECKPOINT, train
from cvpipe.train.materials import materials_of
from cvpipe.train.release import release
from cvpipe.train.settings import DesignSettings, TrainSettings

CPU = torch.device("cpu")
CONFIGS = Path(__file__).parents[2] / "configs" / "train"


def job(raw: dict[str, Any], **changed: Any) -> TrainSettings:
    return TrainSettings.model_validate({**raw, **changed})


@pytest.mark.slow
def test_the_large_network_learns(raw_settings: dict[str, Any], tmp_path: Path) -> None:
    large = read_settings(CONFIGS / "release-l.yaml", TrainSettings)
    small = {"steps": 2, "validate_every": 2, "validation_pairs": 8, "frozen_encoder_stages": 0}
    trained = train(job(raw_settings, design=large.design.model_dump(), **small), tmp_path / "job", device=CPU)
    assert trained.finished
    assert sum(p.numel() for p in trained.network.parameters()) > 15e6
    assert all(v.isfinite().all() for v in trained.network.state_dict().values())


@pytest.mark.parametrize("kind", ["fc_siam_diff", "unet_concat"])
def test_a_published_design_learns_and_is_released(kind: str, raw_settings: dict[str, Any], tmp_path: Path) -> None:
    settings = job(raw_settings, design={**raw_settings["design"], "kind": kind}, steps=3)
    trained = train(settings, tmp_path / "job", device=CPU)
    assert trained.figures["structure_iou"] == 0, "it names no structures"
    found = release(trained, settings, tmp_path / "bundle", tmp_path / "drawn")
    assert set(found.surface_bias) == {0.0}
    assert found.surface_temperature == 1.0
    assert "names no surfaces" in (tmp_path / "bundle" / "CARD.md").read_text(encoding="utf-8")


def test_a_bundle_is_trained_further(raw_settings: dict[str, Any], tmp_path: Path) -> None:
    settings = job(raw_settings, steps=2)
    first = train(settings, tmp_path / "first", device=CPU)
    release(first, settings, tmp_path / "bundle", tmp_path / "drawn")
    network = network_of(settings.design)
    load_average(network, tmp_path / "bundle")
    assert all(torch.equal(v, first.network.state_dict()[k]) for k, v in network.state_dict().items())
    further = train(job(raw_settings, steps=2, start_network=str(tmp_path / "bundle")), tmp_path / "second", device=CPU)
    stem = "encoder.model.conv_stem.weight"
    assert torch.equal(further.network.state_dict()[stem], read_module(tmp_path / "bundle").state_dict()[stem])


def test_what_is_released_lies_between_what_was_learnt_and_where_it_began(
    raw_settings: dict[str, Any], tmp_path: Path
) -> None:
    train(job(raw_settings, steps=2), tmp_path / "first", device=CPU)
    further = {"steps": 4, "start_network": str(tmp_path / "first" / CHECKPOINT)}
    learnt = train(job(raw_settings, **further), tmp_path / "learnt", device=CPU)
    between = train(job(raw_settings, **further, start_share=0.25), tmp_path / "between", device=CPU)
    start = averaged_network(tmp_path / "first" / CHECKPOINT).state_dict()
    for key, value in between.network.state_dict().items():
        end = learnt.network.state_dict()[key]
        expected = start[key] * 0.25 + end * 0.75 if value.is_floating_point() else end
        assert torch.allclose(value, expected, atol=1e-6), key
    head = "change_head.answer.weight"
    mixed = between.network.state_dict()[head]
    assert not torch.equal(mixed, learnt.network.state_dict()[head])
    again = train(job(raw_settings, **further, start_share=0.25), tmp_path / "between", device=CPU)
    assert torch.equal(again.network.state_dict()[head], mixed), "a finished job asked again"


def test_a_share_of_no_start_is_refused(raw_settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="start_network, which is not named"):
        job(raw_settings, start_share=0.5)


def test_a_checkpoint_is_asked_with_its_own_design(raw_settings: dict[str, Any], tmp_path: Path) -> None:
    train(job(raw_settings, steps=1), tmp_path / "job", device=CPU)
    network = averaged_network(tmp_path / "job" / CHECKPOINT)
    assert network.design.decoder_channels == (16, 12, 8, 8)


def test_a_checkpoint_that_knows_fewer_keys_can_still_be_gone_on_from(
    raw_settings: dict[str, Any], tmp_path: Path
) -> None:
    """Checkpoints that were written before a key was there have its usual value."""
    train(job(raw_settings), tmp_path / "job", device=CPU, minutes=0)
    path = tmp_path / "job" / CHECKPOINT
    content = torch.load(path, weights_only=True)
    old = json.loads(content["settings"])
    for key in ("encoder_weights", "keep_apart", "save_every", "trainer"):
        del old[key]
    del old["design"]["kind"]
    torch.save({**content, "settings": json.dumps(old)}, path)
    assert train(job(raw_settings), tmp_path / "job", device=CPU).finished


def test_a_checkpoint_that_learnt_from_other_pictures_is_refused(raw_settings: dict[str, Any], tmp_path: Path) -> None:
    train(job(raw_settings), tmp_path / "job", device=CPU, minutes=0)
    path = tmp_path / "job" / CHECKPOINT
    torch.save({**torch.load(path, weights_only=True), "data": "of pictures that were exchanged since"}, path)
    with pytest.raises(DatasetError, match=r"last.pt: a checkpoint that learnt from other pictures or labels"):
        train(job(raw_settings), tmp_path / "job", device=CPU)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04"])
def test_a_damaged_checkpoint_is_refused(content: bytes, raw_settings: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / CHECKPOINT).write_bytes(content)
    with pytest.raises(DatasetError, match=r"last.pt: no checkpoint or bundle of this design"):
        train(job(raw_settings), tmp_path / "job", device=CPU)


def test_an_encoder_that_there_is_not_is_refused() -> None:
    with pytest.raises(SettingsError, match="tu-no_such_net: an encoder that cannot be built"):
        network_of(DesignSettings(encoder="tu-no_such_net"))


class TestPublishedWeights:
    def test_go_into_the_encoder(self, settings: TrainSettings, monkeypatch: pytest.MonkeyPatch) -> None:
        plain = public_weights.encoders.get_encoder
        asked: list[str | None] = []

        def fetched(name: str, weights: str | None = None, **options: Any) -> Any:
            asked.append(weights)
            encoder = plain(name, weights=None, **options)
            for value in encoder.state_dict().values():
                value.fill_(1)
            return encoder

        network = network_of(settings.design)
        monkeypatch.setattr(public_weights.encoders, "get_encoder", fetched)
        load_public_encoder(network)
        assert asked == ["imagenet"]
        assert all((v == 1).all() for v in network.encoder.state_dict().values())

    def test_that_cannot_be_fetched_are_told_of(self, settings: TrainSettings, monkeypatch: pytest.MonkeyPatch) -> None:
        def offline(*_: Any, **__: Any) -> Any:
            raise OSError("no route to host")

        network = network_of(settings.design)
        monkeypatch.setattr(public_weights.encoders, "get_encoder", offline)
        with pytest.raises(DatasetError, match=r"could not be fetched \(OSError: no route to host\)"):
            load_public_encoder(network)


class TestSplit:
    def test_a_share_of_the_places_is_held_out_always_the_same(
        self, sources: Path, raw_settings: dict[str, Any]
    ) -> None:
        scenes = {"kind": "folder", "folder": str(sources / "dubai"), "gsd_m": 0.5, "held_out_share": 0.5}
        common = {"weight": 1, "gsd_range_m": [0.3, 0.5], "licence": "none"}
        labels = [
            {"folder": "masks", "epoch": "before", "values": {1: "structure", **dict.fromkeys((2, 3, 4), "other")}}
        ]
        settings = job(raw_settings, sources=[{**scenes, **common, "labels": labels}], held_out_places=[])
        sides = [materials_of(settings, sources) for _ in range(2)]
        names = [[[item.place for material in side for item in material.items] for side in sides_] for sides_ in sides]
        assert names[0] == names[1]
        assert [len(side) for side in names[0]] == [1, 1]

    def test_a_held_out_place_that_no_source_has_is_refused(self, raw_settings: dict[str, Any], tmp_path: Path) -> None:
        places = [*raw_settings["held_out_places"], "dubai/Tile88"]
        with pytest.raises(DatasetError, match="no place begins with 'dubai/Tile88'"):
            train(job(raw_settings, held_out_places=places), tmp_path / "job", device=CPU)
