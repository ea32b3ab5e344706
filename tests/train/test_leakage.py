"""A split leaks by the name of a place, by its ground, or by what a picture shows; each is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cvpipe.domain import Surface
from cvpipe.errors import DatasetError
from cvpipe.train.fingerprints import fingerprints, near_duplicates
from cvpipe.train.leakage import refuse_leaks
from cvpipe.train.materials import Material
from cvpipe.train.pictures import EpochPair, Picture, Pixels
from cvpipe.train.settings import TrainSettings
from tests.train.drawing import town, write_picture


def scene(seed: int, side: int = 256) -> Pixels:
    """A picture with soft blobs of light, no two seeds alike."""
    coarse = np.random.default_rng(seed).uniform(30, 220, (9, 9, 3)).astype(np.float32)
    return np.clip(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def picture(place: str, pixels: Pixels, ground: tuple[float, float, float, float] | None = None) -> Picture:
    return Picture(pixels, np.full(pixels.shape[:2], Surface.BARE, np.uint8), 0.3, place, ground)


def side(*items: Picture | EpochPair) -> list[Material]:
    return [Material(items, 1.0, (0.3, 0.3))]


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    done, coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


class TestFingerprints:
    @pytest.mark.parametrize(
        "seen_again",
        [
            lambda p: jpeg(p, 30),
            lambda p: cv2.resize(p, (128, 128), interpolation=cv2.INTER_AREA),
            lambda p: (255 * (p / 255) ** 1.5).astype(np.uint8),
            lambda p: cv2.GaussianBlur(p, (0, 0), 2),
        ],
        ids=["jpeg", "half the size", "gamma", "blur"],
    )
    def test_find_a_scene_again(self, seen_again: Any) -> None:
        others = [f for seed in range(20) for f in fingerprints(f"other{seed}", scene(100 + seed))]
        ours = list(fingerprints("ours", scene(1)))
        assert near_duplicates(ours, [*others, *fingerprints("again", seen_again(scene(1)))]) == [("ours", "again")]

    def test_find_a_tile_that_was_cut_out(self) -> None:
        mosaic = np.block([[[scene(1)], [scene(2)]], [[scene(3)], [scene(4)]]])
        pair = near_duplicates(fingerprints("mosaic", mosaic), fingerprints("tile", scene(3)))
        assert pair == [("mosaic", "tile")]

    def test_tell_of_plain_ground_only_where_it_is_the_very_same(self) -> None:
        plain, other = (np.random.default_rng(seed).integers(88, 92, (64, 64, 3), np.uint8) for seed in (1, 2))
        theirs = [*fingerprints("same", plain.copy()), *fingerprints("alike", other)]
        assert near_duplicates(fingerprints("plain", plain), theirs) == [("plain", "same")]

    def test_say_nothing_of_empty_pictures(self) -> None:
        empty = np.zeros((64, 64, 3), np.uint8)
        assert list(fingerprints("empty", empty)) == []
        assert near_duplicates([], fingerprints("scene", scene(1))) == []


class TestSplit:
    def test_without_a_leak_is_taken(self, settings: TrainSettings) -> None:
        far, near = (8.0, 50.0, 8.1, 50.1), (8.1, 50.0, 8.2, 50.1)  # they touch, as neighbouring squares of a map do
        refuse_leaks(side(picture("a", scene(1), far)), side(picture("b", scene(2), near)), settings)

    def test_of_one_place_is_refused(self, settings: TrainSettings) -> None:
        with pytest.raises(DatasetError, match=r"tiny: training leaks into held-out places: .* is one place: a\. "):
            refuse_leaks(side(picture("a", scene(1))), side(picture("a", scene(2))), settings)

    def test_of_one_ground_is_refused(self, settings: TrainSettings) -> None:
        learnt = picture("a", scene(1), (8.0, 50.0, 8.1, 50.1))
        held = picture("b", scene(2), (8.05, 50.05, 8.2, 50.2))
        with pytest.raises(DatasetError, match="shares ground: a = b"):
            refuse_leaks(side(learnt), side(held), settings)

    def test_of_one_look_is_refused(self, settings: TrainSettings) -> None:
        held = picture("b", jpeg(scene(1), 60))
        with pytest.raises(DatasetError, match="shows the same: a = b"):
            refuse_leaks(side(picture("a", scene(1)), picture("c", scene(3))), side(held), settings)

    def test_either_epoch_gives_it_away(self, settings: TrainSettings) -> None:
        label = np.zeros((256, 256), np.uint8)
        pair = EpochPair((scene(5), scene(1)), (label, label), np.stack([label, label]), 0.3, "pair/1")
        with pytest.raises(DatasetError, match="shows the same: pair/1 = b"):
            refuse_leaks(side(pair), side(picture("b", scene(1))), settings)


class TestEvaluationSets:
    def described(self, folder: Path, *, seen_in_training: bool) -> Path:
        write_picture(folder / "set", "park.png", scene(1), town(256, seed=1, structure=255, grounds=(0,))[1])
        text = f"name: city\nfolder: {folder / 'set'}\nkind: surfaces\ngsd_m: 0.3\n"
        text += f"seen_in_training: {str(seen_in_training).lower()}\nlabels: [{{folder: masks, epoch: before}}]\n"
        (folder / "sets").mkdir()
        (folder / "sets" / "city.yaml").write_text(text, encoding="utf-8")
        (folder / "sets" / "gone.yaml").write_text(text.replace("/set\n", "/none\n"), encoding="utf-8")
        return folder / "sets"

    def test_are_kept_apart(self, raw_settings: dict[str, Any], tmp_path: Path) -> None:
        sets = self.described(tmp_path, seen_in_training=False)
        settings = TrainSettings.model_validate({**raw_settings, "keep_apart": [str(sets)]})
        with pytest.raises(DatasetError, match=r"leaks into the evaluation set city: .* shows the same: a = city/park"):
            refuse_leaks(side(picture("a", scene(1))), side(picture("b", scene(2))), settings)

    def test_that_are_trained_on_are_not(self, raw_settings: dict[str, Any], tmp_path: Path) -> None:
        sets = self.described(tmp_path, seen_in_training=True)
        settings = TrainSettings.model_validate({**raw_settings, "keep_apart": [str(sets)]})
        refuse_leaks(side(picture("a", scene(1))), side(picture("b", scene(2))), settings)

    def test_a_path_that_leads_nowhere_is_refused(self, raw_settings: dict[str, Any], tmp_path: Path) -> None:
        """A slip of the pen would switch the check off."""
        settings = TrainSettings.model_validate({**raw_settings, "keep_apart": [str(tmp_path / "sett")]})
        with pytest.raises(DatasetError, match=r"keep_apart: .*sett: nothing is there"):
            refuse_leaks(side(picture("a", scene(1))), side(picture("b", scene(2))), settings)
