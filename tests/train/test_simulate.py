"""Edits that make a pair out of one picture: what they may touch, and what they must say of it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from cvpipe.domain import Surface
from cvpipe.network.losses import IGNORE, NOT_STRUCTURE
from cvpipe.train.simulate import (
    Banks,
    Cutout,
    Epoch,
    alter_ground,
    change_labels,
    fill_structures,
    lay_ground,
    paste_structure,
    replace_structure,
    simulate_change,
)

S, G = int(Surface.STRUCTURE), int(Surface.VEGETATION)
ROOF, GRASS, SOIL, TILE = (200, 60, 50), (60, 120, 50), (190, 150, 110), (40, 60, 200)


@pytest.fixture
def banks() -> Banks:
    """Soil to lay down, and one blue structure of 12 × 20 px to set up."""
    soil = np.full((40, 40, 3), SOIL, np.uint8)
    house = np.full((12, 20, 3), TILE, np.uint8)
    return Banks({Surface.BARE: [soil], Surface.RUBBLE: [soil]}, [Cutout(house, np.ones((12, 20), bool), 0.3)])


def village() -> Epoch:
    """Grass (96 × 96) with four red structures of 16 × 16 px; two of them are four pixels apart."""
    surface = np.full((96, 96), G, np.uint8)
    for top, left in ((8, 8), (8, 28), (60, 10), (62, 66)):
        surface[top : top + 16, left : left + 16] = S
    return Epoch.untouched(np.where((surface == S)[..., None], ROOF, GRASS).astype(np.uint8), surface)


def pair() -> tuple[Epoch, Epoch]:
    return village(), village()


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def epoch_of(surface: list[list[int]], identity: list[list[int]] | None = None) -> Epoch:
    codes = np.array(surface, np.uint8)
    epoch = Epoch.untouched(np.zeros((*codes.shape, 3), np.uint8), codes)
    if identity is not None:
        epoch.identity = np.array(identity, np.uint8)
    return epoch


class TestLabels:
    def test_a_structure_that_is_gone(self) -> None:
        there, gone = epoch_of([[G, S, S, S, S, G]]), epoch_of([[G] * 6])
        x = IGNORE  # a pixel on either side of the outline
        assert change_labels(there, gone).tolist() == [[[x, x, 1, 1, x, x]], [[0] * 6]]
        assert change_labels(gone, there).tolist() == [[[0] * 6], [[x, x, 1, 1, x, x]]]

    def test_without_ignored_edges(self) -> None:
        there, gone = epoch_of([[G, S, S, G]]), epoch_of([[G] * 4])
        assert change_labels(there, gone, edge_px=0)[0].tolist() == [[0, 1, 1, 0]]

    def test_one_structure_in_place_of_another_is_removed_and_added(self) -> None:
        old, new = epoch_of([[S, S, S]]), epoch_of([[S, S, S]], [[7, 7, 7]])
        assert change_labels(old, new, edge_px=0).tolist() == [[[1, 1, 1]], [[1, 1, 1]]]

    def test_what_is_unknown_at_one_epoch_is_ignored(self) -> None:
        before, after = epoch_of([[IGNORE, S, G]]), epoch_of([[S, G, IGNORE]])
        after.pixels += 1
        assert change_labels(before, after, edge_px=0)[:, 0].tolist() == [[IGNORE, 1, IGNORE], [IGNORE, 0, IGNORE]]

    def test_pixels_that_nobody_touched_did_not_change_whatever_lies_there(self) -> None:
        before, after = epoch_of([[IGNORE, IGNORE]]), epoch_of([[IGNORE, IGNORE]])
        after.pixels[0, 1] = 9
        assert change_labels(before, after, edge_px=0)[:, 0].tolist() == [[0, IGNORE], [0, IGNORE]]

    def test_ground_that_alters_is_no_change(self) -> None:
        labels = change_labels(
            epoch_of([[G, Surface.BARE, NOT_STRUCTURE]]), epoch_of([[Surface.NET, G, Surface.PAVED]])
        )
        assert not labels.any()

    def test_an_untouched_pair_has_none(self) -> None:
        assert not change_labels(*pair()).any()


class TestFill:
    @pytest.mark.parametrize("seed", range(6))
    def test_filled_later_is_removed_and_filled_earlier_is_added(self, banks: Banks, seed: int) -> None:
        filled, whole = pair()
        fill_structures(filled, banks, rng(seed))
        removed, added = change_labels(whole, filled)
        assert (removed == 1).any()
        assert not (added == 1).any()
        assert whole.structure[removed == 1].all()
        assert not filled.structure[removed == 1].any()
        assert np.array_equal(change_labels(filled, whole), [added, removed]), "the other way round it was added"

    @pytest.mark.parametrize("seed", range(12))
    def test_a_structure_goes_as_a_whole_or_stays_as_a_whole(self, banks: Banks, seed: int) -> None:
        """Also where its neighbour, two pixels away, is filled with some ground around it."""
        row = np.full((30, 96), G, np.uint8)
        for left in (4, 22, 40, 58):
            row[8:24, left : left + 16] = S
        epoch = Epoch.untouched(np.zeros((30, 96, 3), np.uint8), row)
        fill_structures(epoch, banks, rng(seed))
        standing = [epoch.structure[8:24, left : left + 16].mean() for left in (4, 22, 40, 58)]
        assert set(standing) <= {0.0, 1.0}
        assert 0.0 in standing

    def test_its_pixels_go_with_it(self, banks: Banks) -> None:
        for seed in range(12):
            epoch = village()
            fill_structures(epoch, banks, rng(seed))
            gone = cv2.erode((village().structure & ~epoch.structure).astype(np.uint8), np.ones((7, 7))) > 0
            left = np.abs(epoch.pixels[gone].astype(int) - ROOF).max(axis=1)
            assert left.min() > 40, "no red roof is left inside"

    def test_scraps_are_left_alone(self, banks: Banks) -> None:
        epoch = epoch_of([[S] * 4 + [G] * 20] * 4)
        fill_structures(epoch, banks, rng())
        assert (epoch.surface == S).sum() == 16


class TestGround:
    def test_a_texture_brings_its_surface(self, banks: Banks) -> None:
        epoch, area = village(), np.zeros((96, 96), bool)
        area[34:54, 60:90] = True
        lay_ground(epoch, area, Surface.BARE, banks, rng())
        assert (epoch.surface[area] == Surface.BARE).all()
        assert np.array_equal(epoch.surface[~area], village().surface[~area])
        soil = epoch.pixels[44, 75].astype(float)
        assert soil[0] > soil[1] > soil[2], "soil is brown, grass was not"

    @pytest.mark.parametrize("fill", ["around", Surface.NET])
    def test_without_a_texture_it_is_only_known_to_be_no_structure(self, banks: Banks, fill: Surface | str) -> None:
        epoch, area = village(), np.zeros((96, 96), bool)
        area[34:54, 60:90] = True
        lay_ground(epoch, area, fill, banks, rng())
        assert (epoch.surface[area] == NOT_STRUCTURE).all()

    def test_far_from_the_area_no_pixel_changes(self, banks: Banks) -> None:
        epoch, area = village(), np.zeros((96, 96), bool)
        area[34:54, 60:90] = True
        lay_ground(epoch, area, Surface.BARE, banks, rng())
        far = cv2.dilate(area.astype(np.uint8), np.ones((21, 21))) == 0
        assert np.array_equal(epoch.pixels[far], village().pixels[far])

    def test_no_area_changes_nothing(self, banks: Banks) -> None:
        epoch = village()
        lay_ground(epoch, np.zeros((96, 96), bool), Surface.BARE, banks, rng())
        assert np.array_equal(epoch.pixels, village().pixels)

    @pytest.mark.parametrize("seed", range(8))
    def test_ground_alters_where_no_structure_stands_and_is_no_change(self, banks: Banks, seed: int) -> None:
        before, after = pair()
        alter_ground(after, banks, rng(seed))
        assert np.array_equal(after.structure, before.structure)
        assert not change_labels(before, after).any()
        inside = cv2.erode(before.structure.astype(np.uint8), np.ones((5, 5))) > 0
        assert np.abs(after.pixels[inside].astype(int) - before.pixels[inside]).max() <= 3, "roofs keep their look"

    def test_ground_does_alter(self, banks: Banks) -> None:
        altered = 0
        for seed in range(8):
            epoch = village()
            alter_ground(epoch, banks, rng(seed))
            altered += not np.array_equal(epoch.surface, village().surface)
        assert altered >= 4


class TestPaste:
    @pytest.mark.parametrize("seed", range(8))
    def test_a_pasted_structure_is_added_on_free_ground(self, banks: Banks, seed: int) -> None:
        before, after = pair()
        paste_structure(after, banks, 0.3, rng(seed))
        pasted = after.identity > 0
        labels = change_labels(before, after)
        assert not (labels[0] == 1).any()
        assert pasted[labels[1] == 1].all()
        assert (after.structure & ~before.structure == pasted).all(), "it covers no other structure"
        if pasted.any():
            colour = np.median(after.pixels[cv2.erode(pasted.astype(np.uint8), np.ones((3, 3))) > 0], axis=0)
            assert colour[2] > 2 * colour[0], "it looks as it did where it was cut out"

    def test_most_tries_find_a_place(self, banks: Banks) -> None:
        found = 0
        for seed in range(8):
            epoch = village()
            paste_structure(epoch, banks, 0.3, rng(seed))
            found += bool(epoch.identity.any())
        assert found >= 6

    def test_its_size_follows_the_pixel_size(self, banks: Banks) -> None:
        """12 × 20 px at 0.3 m, at another scale of 0.8 to 1.25 each time."""
        for gsd_m, px in ((0.3, 240), (0.6, 60)):
            areas = []
            for seed in range(12):
                epoch = village()
                paste_structure(epoch, banks, gsd_m, rng(seed))
                areas.append(int((epoch.identity > 0).sum()))
            assert 0.6 * px < max(areas) < 1.7 * px

    def test_nothing_to_paste_changes_nothing(self) -> None:
        epoch = village()
        paste_structure(epoch, Banks(), 0.3, rng())
        assert np.array_equal(epoch.pixels, village().pixels)

    def test_what_is_too_large_is_not_pasted(self) -> None:
        epoch = village()
        hall = Cutout(np.zeros((90, 90, 3), np.uint8), np.ones((90, 90), bool), 0.3)
        paste_structure(epoch, Banks({}, [hall]), 0.3, rng())
        assert not epoch.identity.any()


class TestReplace:
    def test_one_structure_is_removed_and_another_added_on_its_spot(self, banks: Banks) -> None:
        replaced = 0
        for seed in range(12):
            before, after = pair()
            replace_structure(after, banks, 0.3, rng(seed))
            removed, added = (label == 1 for label in change_labels(before, after))
            if after.identity.any():
                replaced += 1
                assert removed.any()
                assert (removed & added).any(), "both hold where one gave way to the other"
                assert cv2.connectedComponents(removed.astype(np.uint8))[0] <= 2, "its neighbours stay"
        assert replaced >= 6

    def test_without_structures_or_cutouts_nothing_changes(self, banks: Banks) -> None:
        meadow = epoch_of([[G] * 40] * 40)
        replace_structure(meadow, banks, 0.3, rng())
        epoch = village()
        replace_structure(epoch, Banks(), 0.3, rng())
        assert not meadow.identity.any()
        assert np.array_equal(epoch.pixels, village().pixels)


@pytest.mark.parametrize("seed", range(25))
def test_whatever_is_simulated_labels_agree_with_surfaces(banks: Banks, seed: int) -> None:
    before, after = pair()
    simulate_change(before, after, banks, 0.3, rng(seed), edits=5)
    removed, added = change_labels(before, after)
    assert before.structure[removed == 1].all()
    assert after.structure[added == 1].all()
    same = before.structure & after.structure & (before.identity == after.identity)
    assert not (same & ((removed == 1) | (added == 1))).any()
    sure_removed = before.structure & ~after.structure & (removed != IGNORE)
    sure_added = after.structure & ~before.structure & (added != IGNORE)
    assert (removed[sure_removed] == 1).all()
    assert (added[sure_added] == 1).all()


def test_both_directions_occur_equally_often(banks: Banks) -> None:
    found = np.zeros(2, int)
    for seed in range(60):
        before, after = pair()
        simulate_change(before, after, banks, 0.3, rng(seed), edits=1)
        found += (change_labels(before, after) == 1).any(axis=(1, 2))
    assert found.min() > 10
