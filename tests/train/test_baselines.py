"""Baselines on flat squares: what differs is found, what is all one is not."""

from __future__ import annotations

import numpy as np
from affine import Affine

from cvpipe.domain import ChangeKind, Surface
from cvpipe.geo import Grid
from cvpipe.imagery.reading import Patch
from cvpipe.train.baselines import Brightness, ImageDifference, all_baselines

SIDE = 60


def patch(background: int, bright: int | None = None, valid_cols: int = SIDE) -> Patch:
    """A flat picture, with a square (rows and columns 20 to 40) of another brightness if asked."""
    pixels = np.full((SIDE, SIDE, 3), background, np.uint8)
    if bright is not None:
        pixels[20:40, 20:40] = bright
    valid = np.zeros((SIDE, SIDE), bool)
    valid[:, :valid_cols] = True
    return Patch(pixels, valid, Grid(None, Affine.scale(0.5), SIDE, SIDE))


def test_a_square_that_appeared_is_changed_in_its_middle_and_nothing_far_off_is() -> None:
    changed = ImageDifference(match=False).answer(patch(80), patch(80, 200)).change[ChangeKind.STRUCTURE_ADDED]
    assert changed[25:35, 25:35].all()
    assert not changed[:10].any()


def test_image_difference_gives_both_kinds_one_mask_and_says_nothing_of_surfaces() -> None:
    answer = ImageDifference(match=False).answer(patch(80), patch(80, 200))
    assert set(answer.change) == {ChangeKind.STRUCTURE_REMOVED, ChangeKind.STRUCTURE_ADDED}
    assert answer.change[ChangeKind.STRUCTURE_REMOVED].any()
    assert answer.surface_before is None


def test_equal_pictures_hold_no_change() -> None:
    for baseline in (ImageDifference(match=True), ImageDifference(match=False)):
        answer = baseline.answer(patch(80, 200), patch(80, 200))
        assert not answer.change[ChangeKind.STRUCTURE_ADDED].any()


def test_matching_takes_a_change_of_light_off() -> None:
    before, darker = patch(100, 200), patch(50, 100)
    matched = ImageDifference(match=True).answer(before, darker).change[ChangeKind.STRUCTURE_ADDED]
    raw = ImageDifference(match=False).answer(before, darker).change[ChangeKind.STRUCTURE_ADDED]
    assert not matched.any()
    assert raw.any()


def test_pixels_without_data_are_no_change() -> None:
    answer = ImageDifference(match=False).answer(patch(80), patch(80, 200, valid_cols=30))
    changed = answer.change[ChangeKind.STRUCTURE_ADDED]
    assert changed[25:35, 22:28].all()
    assert not changed[:, 30:].any()


def test_brightness_takes_what_is_bright_for_structure() -> None:
    surface = Brightness().answer(patch(80, 200), patch(80)).surface_before
    assert surface is not None
    assert (surface[25:35, 25:35] == Surface.STRUCTURE).all()
    assert (surface[:10] == Surface.OTHER).all()


def test_baselines_have_names_of_their_own() -> None:
    names = [baseline.name for baseline in all_baselines()]
    assert len(set(names)) == len(names)
