"""Pairs by number: the same ones everywhere, made of the right places, with labels that fit."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
import torch
from torch import Tensor

from cvpipe.domain import Surface
from cvpipe.errors import DatasetError
from cvpipe.network.losses import IGNORE
from cvpipe.train.materials import Material, materials_of
from cvpipe.train.pairs import Pair, PairDataset, banks_of, collated
from cvpipe.train.pictures import EpochPair, Picture
from cvpipe.train.settings import TrainSettings
from cvpipe.train.simulate import Banks
from tests.train.drawing import painted, town

S = Surface.STRUCTURE


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    """Three pictures (300, 300) with nine structures each on soil, plants and paving."""
    grounds = (Surface.BARE, Surface.VEGETATION, Surface.PAVED)
    towns = (town(300, seed=seed, structure=S, grounds=grounds) for seed in range(3))
    return [Picture(pixels, codes, 0.3, f"town/{i}") for i, (pixels, codes) in enumerate(towns)]


@pytest.fixture(scope="module")
def banks(pictures: list[Picture]) -> Banks:
    """What the pictures hold, and wide fields of soil, plants and paving."""
    codes = np.repeat(np.array([[Surface.BARE, Surface.VEGETATION, Surface.PAVED]], np.uint8), 200, axis=1)
    fields = Picture(painted(codes.repeat(200, axis=0)), codes.repeat(200, axis=0), 0.3, "fields")
    return banks_of([Material([*pictures, fields], 1, (0.3, 0.3))], seed=1)


class PairsOf(Protocol):
    """Makes a data set of 64-px pairs of the given items, with some settings changed."""

    def __call__(self, items: Sequence[Picture | EpochPair], seed: int = 5, **changed: Any) -> PairDataset: ...


@pytest.fixture
def pairs_of(raw_settings: dict[str, Any], banks: Banks) -> PairsOf:
    """Makes a data set of 64-px pairs of the given items."""

    def make(items: Sequence[Picture | EpochPair], seed: int = 5, **changed: Any) -> PairDataset:
        settings = TrainSettings.model_validate({**raw_settings, **changed})
        return PairDataset([Material(items, 1.0, (0.25, 0.4))], banks, settings, 1000, seed)

    return make


def drawn_pair(*, removed: bool) -> EpochPair:
    """A patch whose nine structures all go, or all come."""
    empty = np.full((300, 300), Surface.BARE, np.uint8)
    _, full = town(300, seed=1, structure=S, grounds=(Surface.BARE,))
    surfaces = (full, empty) if removed else (empty, full)
    gone = [(a == S) & (b != S) for a, b in (surfaces, surfaces[::-1])]
    first, second = (painted(s) for s in surfaces)
    return EpochPair((first, second), surfaces, np.stack(gone).astype(np.uint8), 0.3, "drawn/1")


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def pixel_dump(pickled: bytes, numbers: list[int]) -> dict[int, bytes]:
    """Bytes of some pairs of a pickled data set; run in a worker."""
    pairs: PairDataset = pickle.loads(pickled)
    return {i: b"".join(t.numpy().tobytes() for t in pairs[i].values()) for i in numbers}


class TestNumbers:
    def test_a_pair_is_the_same_whatever_was_asked_before(self, pairs_of: PairsOf, pictures: list[Picture]) -> None:
        one, other = pairs_of(pictures), pairs_of(pictures)
        forth = [one[i] for i in range(12)]
        back = [other[i] for i in reversed(range(12))][::-1]
        assert all(same(a, b) for a, b in zip(forth, back, strict=True))

    def test_a_pair_is_the_same_in_another_process(self, pairs_of: PairsOf, pictures: list[Picture]) -> None:
        pairs, numbers = pickle.dumps(pairs_of(pictures)), [7, 2, 11, 30]
        with get_context("spawn").Pool(1) as pool:
            theirs = pool.apply(pixel_dump, (pairs, numbers[::-1]))
        assert pixel_dump(pairs, numbers) == theirs

    def test_other_numbers_and_other_seeds_are_other_pairs(self, pairs_of: PairsOf, pictures: list[Picture]) -> None:
        pairs = pairs_of(pictures)
        assert not same(pairs[1], pairs[2])
        assert not same(pairs[1], pairs_of(pictures, seed=6)[1])


class TestShapes:
    def test_tensors_are_channels_first_and_bytes(self, pairs_of: PairsOf, pictures: list[Picture]) -> None:
        batch = collated([pairs_of(pictures)[i] for i in range(3)])
        assert {k: tuple(v.shape) for k, v in batch.items()} == {
            "before": (3, 3, 64, 64),
            "after": (3, 3, 64, 64),
            "surface_before": (3, 64, 64),
            "surface_after": (3, 64, 64),
            "change": (3, 2, 64, 64),
        }
        assert {v.dtype for v in batch.values()} == {torch.uint8}

    def test_channels_keep_their_place(self) -> None:
        pixels = np.zeros((2, 2, 3), np.uint8)
        pixels[0, 1] = (1, 2, 3)
        flat = np.zeros((2, 2), np.uint8)
        tensors = Pair(pixels, pixels, flat, flat, np.stack([flat, flat])).tensors()
        assert tensors["before"][:, 0, 1].tolist() == [1, 2, 3]


class TestSimulated:
    def test_unchanged_pairs_carry_no_change(self, pairs_of: PairsOf, pictures: list[Picture]) -> None:
        pairs = pairs_of(pictures, unchanged_share=1.0)
        for i in range(30):
            assert not (pairs.pair(i).change == 1).any()

    def test_half_of_the_pairs_change_where_half_are_meant_to(self, pairs_of: PairsOf, pictures: list[Picture]) -> None:
        pairs = pairs_of(pictures, unchanged_share=0.5)
        changed = sum((pairs.pair(i).change == 1).any() for i in range(80))
        assert 15 < changed < 50  # some edits find nothing to alter in so small a crop

    @pytest.mark.parametrize("still_share", [0.0, 1.0])
    def test_changes_lie_on_structures_of_their_own_epoch(
        self, pairs_of: PairsOf, pictures: list[Picture], still_share: float
    ) -> None:
        """What was added is looked for in the later picture's place, also where that one lies displaced."""
        pairs, seen = pairs_of(pictures, unchanged_share=0.0, still_share=still_share, shift_px=(6.0, 8.0)), set()
        for i in range(40):
            pair = pairs.pair(i)
            removed, added = pair.change == 1
            assert (pair.surface_before[removed] == S).all()
            assert (pair.surface_after[added] == S).all()
            seen |= {kind for kind, mask in (("removed", removed), ("added", added)) if mask.any()}
        assert seen == {"removed", "added"}

    def test_structures_that_lean_and_shade_elsewhere_did_not_change(
        self, pairs_of: PairsOf, pictures: list[Picture]
    ) -> None:
        """Another view and another sun move roofs and their labels, and add no change."""
        pairs = pairs_of(pictures, unchanged_share=1.0, still_share=0.0, lean_share=1.0, sun_share=1.0)
        plain = pairs_of(pictures, unchanged_share=1.0, still_share=0.0)
        for i in range(20):
            pair = pairs.pair(i)
            assert not (pair.change == 1).any()
            assert np.array_equal(pair.surface_before, plain.pair(i).surface_before), "the earlier one does not lean"

    def test_what_was_added_leans_with_its_label(self, pairs_of: PairsOf, pictures: list[Picture]) -> None:
        pairs, seen = pairs_of(pictures, unchanged_share=0.0, still_share=0.0, lean_share=1.0, sun_share=1.0), 0
        for i in range(30):
            pair = pairs.pair(i)
            added = pair.change[1] == 1
            assert (pair.surface_after[added] == S).all()
            seen += added.any()
        assert seen > 3

    def test_a_still_unchanged_pair_is_one_picture_but_for_its_ground(
        self, pairs_of: PairsOf, pictures: list[Picture]
    ) -> None:
        pairs, equal = pairs_of(pictures, unchanged_share=1.0, still_share=1.0), 0
        for i in range(20):
            pair = pairs.pair(i)
            assert np.array_equal(pair.surface_before == S, pair.surface_after == S)
            equal += np.array_equal(pair.before, pair.after)
        assert 8 < equal < 20

    def test_the_later_epoch_is_displaced_by_no_more_than_told(
        self, pairs_of: PairsOf, pictures: list[Picture]
    ) -> None:
        pairs = pairs_of(pictures, unchanged_share=1.0, still_share=0.0, shift_px=(2.0, 2.0))
        for i in range(20):
            pair = pairs.pair(i)
            away = np.isin(pair.surface_before, [S, IGNORE])
            for dy in range(-5, 6):  # 2 px of shift, 2 of relief, 1 of rounding
                for dx in range(-5, 6):
                    away = away | np.isin(np.roll(pair.surface_before, (dy, dx), (0, 1)), [S, IGNORE])
            assert not (pair.surface_after == S)[6:-6, 6:-6][~away[6:-6, 6:-6]].any()


class TestDrawn:
    @pytest.mark.parametrize("removed", [True, False])
    def test_epochs_are_taken_in_either_order_with_the_labels_that_fit(self, pairs_of: PairsOf, removed: bool) -> None:
        pairs, kinds = pairs_of([drawn_pair(removed=removed)], still_share=1.0, unchanged_share=0.4), set()
        for i in range(40):
            pair = pairs.pair(i)
            gone, come = pair.change == 1
            assert np.array_equal(gone, (pair.surface_before == S) & (pair.surface_after != S))
            assert np.array_equal(come, (pair.surface_after == S) & (pair.surface_before != S))
            kinds.add((bool(gone.any()), bool(come.any())))
        assert kinds == {(True, False), (False, True), (False, False)}


class TestMaterials:
    def test_held_out_places_are_never_learnt_from(self, settings: TrainSettings, tmp_path: Path) -> None:
        learn, held = materials_of(settings, tmp_path)
        places = [{item.place for m in side for item in m.items} for side in (learn, held)]
        assert places == [
            {"dubai/Tile1", "drone/a_OAM-70-500", "ucmerced/forest00"},
            {"dubai/Tile8", "drone/b_OAM-90-500", "ucmerced/forest90"},
        ]

    @pytest.mark.parametrize(
        ("held_out", "match"), [((), "no place is held out"), (("d", "u"), "no place is to learn from")]
    )
    def test_both_sides_need_a_place(
        self, settings: TrainSettings, tmp_path: Path, held_out: tuple[str, ...], match: str
    ) -> None:
        with pytest.raises(DatasetError, match=f"tiny: {match}"):
            materials_of(settings.model_copy(update={"held_out_places": held_out}), tmp_path)

    def test_drawn_patches_are_drawn_once_and_kept(self, raw_settings: dict[str, Any], tmp_path: Path) -> None:
        drawn = {
            "kind": "drawn",
            "patches": 1,
            "first_seed": 42,
            "size_px": 256,
            "weight": 1,
            "gsd_range_m": [0.3, 0.4],
        }
        raw_settings["sources"] = [*raw_settings["sources"][:1], drawn]
        settings = TrainSettings.model_validate({**raw_settings, "held_out_places": ["drawn/42"]})
        _, (first,) = materials_of(settings, tmp_path / "drawn")
        kept = {p: p.stat().st_mtime_ns for p in (tmp_path / "drawn").iterdir()}
        _, (second,) = materials_of(settings, tmp_path / "drawn")
        assert {p: p.stat().st_mtime_ns for p in (tmp_path / "drawn").iterdir()} == kept
        (one,), (other,) = first.items, second.items
        assert isinstance(one, EpochPair)
        assert isinstance(other, EpochPair)
        assert one.place == "drawn/42"
        assert np.array_equal(one.pixels[1], other.pixels[1])
        for label, surface in zip(one.change, one.surface, strict=True):
            assert (surface[label == 1] == S).all()


class TestBanks:
    def test_textures_show_one_surface_alone(self, banks: Banks) -> None:
        assert set(banks.textures) == {Surface.BARE, Surface.VEGETATION, Surface.PAVED}
        for surface, textures in banks.textures.items():
            colour = painted(np.array([[surface]], np.uint8))[0, 0]
            for texture in textures:
                assert (texture == colour).all(axis=2).mean() > 0.96

    def test_each_structure_that_stands_alone_and_whole_is_cut_out(self, pictures: list[Picture], banks: Banks) -> None:
        assert len(banks.cutouts) == 9 * len(pictures)
        roof = painted(np.array([[S]], np.uint8))[0, 0]
        for cutout in banks.cutouts:
            assert cutout.mask.shape == (16, 20)
            assert cutout.mask.all()
            assert (cutout.pixels == roof).all()

    @pytest.mark.parametrize(
        ("height", "width", "top", "why"),
        [(16, 20, 0, "cut off by the edge"), (5, 20, 30, "narrower than 3 m"), (20, 250, 30, "longer than 60 m")],
    )
    def test_others_are_not(self, height: int, width: int, top: int, why: str) -> None:
        codes = np.zeros((300, 300), np.uint8)
        codes[top : top + height, 20 : 20 + width] = S
        picture = Picture(painted(codes), codes, 0.3, "somewhere")
        assert banks_of([Material([picture], 1, (0.3, 0.3))], seed=0).cutouts == [], why
