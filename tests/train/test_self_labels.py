"""Labels that a network gives: only what it is sure of, whichever way the picture lies, and kept on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cvpipe.domain import SURFACES, Surface
from cvpipe.errors import DatasetError
from cvpipe.network.losses import IGNORE, NOT_STRUCTURE
from cvpipe.train.loop import train
from cvpipe.train.materials import materials_of
from cvpipe.train.self_labels import guessed, guessed_scenes, structure_probability
from cvpipe.train.settings import TrainSettings


class Redness(nn.Module):
    """A network that holds red for structure: sure of full red, unsure of half."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Identity(), nn.Identity()
        self.asked = 0

    def surface_head(self, features: Tensor) -> Tensor:
        self.asked += 1
        logits = torch.zeros(features.shape[0], len(SURFACES), *features.shape[2:])
        logits[:, Surface.STRUCTURE] = 6 * features[:, 0].float() + 2
        return logits


def red_roof(red: int = 255) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A picture of 40 × 56 px with a roof of 12 × 20 px in its upper left, and one of 3 × 3 px."""
    pixels = np.zeros((40, 56, 3), np.uint8)
    pixels[4:16, 8:28, 0] = red
    pixels[30:33, 40:43, 0] = red
    return pixels


def network() -> Any:
    return Redness()


def test_what_it_is_sure_of_is_labelled_in_its_place() -> None:
    label = guessed(red_roof(), network())
    assert label.shape == (40, 56)
    assert (label[4:16, 8:28] == Surface.STRUCTURE).all()
    assert (label[20:28] == NOT_STRUCTURE).all()
    assert not (label[28:] == Surface.STRUCTURE).any(), "a scrap teaches nothing"


def test_what_it_is_not_sure_of_teaches_nothing() -> None:
    label = guessed(red_roof(red=120), network())
    assert (label[4:16, 8:28] == IGNORE).all()


def test_the_mean_does_not_depend_on_how_the_picture_lies() -> None:
    upright = structure_probability(red_roof(), network())
    turned = structure_probability(np.ascontiguousarray(np.rot90(red_roof())), network())
    np.testing.assert_allclose(np.rot90(upright), turned, atol=1e-3)


def test_labels_are_kept_under_the_weights_that_gave_them(sources: Path, tmp_path: Path) -> None:
    asked = network()
    (first,) = guessed_scenes(sources / "scenes", asked, tmp_path)
    (again,) = guessed_scenes(sources / "scenes", asked, tmp_path)
    assert first.place == "ucmerced/denseresidential00"
    assert np.array_equal(first.surface, again.surface)
    assert asked.asked == 1, "read, not asked again"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no images/"):
        guessed_scenes(tmp_path, network(), tmp_path)


class TestSource:
    def test_a_job_learns_from_another_jobs_guesses(
        self, settings: TrainSettings, raw_settings: dict[str, Any], tmp_path: Path
    ) -> None:
        train(settings, tmp_path / "teacher", device=torch.device("cpu"))
        learn, held = materials_of(self.with_guesses(raw_settings, tmp_path), tmp_path / "cache")
        assert {item.place for m in learn for item in m.items} >= {"ucmerced/denseresidential00"}
        assert not {item.place for m in held for item in m.items} & {"ucmerced/denseresidential00"}

    def test_guesses_never_measure(self, settings: TrainSettings, raw_settings: dict[str, Any], tmp_path: Path) -> None:
        train(settings, tmp_path / "teacher", device=torch.device("cpu"))
        asked = self.with_guesses(raw_settings, tmp_path)
        kept_out = (*asked.held_out_places, "ucmerced/denseresidential")
        sides = materials_of(asked.model_copy(update={"held_out_places": kept_out}), tmp_path / "cache")
        assert "ucmerced/denseresidential00" not in {item.place for side in sides for m in side for item in m.items}

    def test_a_missing_teacher_is_named(self, raw_settings: dict[str, Any], tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match=r"teacher.last\.pt: no checkpoint"):
            materials_of(self.with_guesses(raw_settings, tmp_path), tmp_path / "cache")

    @staticmethod
    def with_guesses(raw: dict[str, Any], folder: Path) -> TrainSettings:
        scenes = next(s for s in raw["sources"] if s["kind"] == "scenes")
        guesses = {**scenes, "kind": "guessed", "guessed_by": str(folder / "teacher" / "last.pt")}
        return TrainSettings.model_validate({**raw, "sources": [*raw["sources"], guesses]})
