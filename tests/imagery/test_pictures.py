"""Chips for people, and the light of one epoch brought to that of the other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
from affine import Affine
from shapely.geometry import Point, box

from cvpipe.errors import InputError
from cvpipe.geo import WGS84, Grid, reproject
from cvpipe.imagery.chips import NO_DATA_GREY, shared_stretch, side_by_side, with_outlines, write_jpeg, write_png
from cvpipe.imagery.radiometry import matched, relighting
from cvpipe.settings import Light

from .conftest import metric_grid, patch_of

RED = (255, 0, 0)


def slope(low: int, high: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    line = np.linspace(low, high, 100).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(line[None, :, None], (100, 100, 3)))


def test_both_epochs_share_one_stretch() -> None:
    """Equal levels stay equal, and together the epochs reach from black to white."""
    before, after = shared_stretch(patch_of(slope(50, 120)), patch_of(slope(90, 160)))
    assert before[0, 99, 0] == pytest.approx(int(after[0, 43, 0]), abs=4)
    assert (before.min(), after.max()) == (0, 255)


def test_even_field_is_not_blown_up() -> None:
    (stretched,) = shared_stretch(patch_of(slope(100, 104)))
    assert np.ptp(stretched) <= 3 * 4 + 1


def test_no_data_is_light_grey() -> None:
    valid = np.zeros((100, 100), bool)
    valid[:, 50:] = True
    before, _ = shared_stretch(patch_of(slope(50, 120), valid=valid), patch_of(slope(50, 120)))
    assert (before[:, :50] == NO_DATA_GREY).all()


def test_outline_lies_on_the_edge_of_the_shape() -> None:
    grid = metric_grid(100, 100)
    assert grid.crs is not None
    left, _, _, top = grid.bounds
    square = box(left + 10, top - 40, left + 30, top - 20)
    drawn = with_outlines(np.full((100, 100, 3), 128, np.uint8), grid, [(reproject(square, grid.crs, WGS84), RED)], 1)
    red = (drawn[:, :, 0] > 200) & (drawn[:, :, 1] < 60)
    rows, cols = np.nonzero(red)
    assert (cols.min(), cols.max(), rows.min(), rows.max()) == pytest.approx((20, 60, 40, 80), abs=1)
    assert (drawn[50:70, 30:50] == 128).all()


def test_outline_on_a_plain_picture_is_in_its_metres() -> None:
    grid = Grid(None, Affine.scale(0.5), 100, 100)
    drawn = with_outlines(np.zeros((100, 100, 3), np.uint8), grid, [(box(10, 20, 30, 40), RED), (Point(45, 10), RED)])
    red = drawn[:, :, 0] > 200
    assert red[60, 20]
    assert red[20, 82]
    assert not red[60, 40]


def test_side_by_side() -> None:
    joined = side_by_side(np.zeros((10, 20, 3), np.uint8), np.full((10, 30, 3), 9, np.uint8), gap=4)
    assert joined.shape == (10, 54, 3)
    assert (joined[:, 20:24] == 255).all()


def test_pictures_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:, :, 0] = 200
    write_png(tmp_path / "chip.png", pixels)
    write_jpeg(tmp_path / "chip.jpg", pixels)
    assert np.array_equal(np.asarray(cv2.imread(str(tmp_path / "chip.png")))[:, :, ::-1], pixels)
    assert np.asarray(cv2.imread(str(tmp_path / "chip.jpg")))[5, 5, 2] == pytest.approx(200, abs=4)
    with pytest.raises(InputError, match="cannot be written"):
        write_png(tmp_path / "absent" / "chip.png", pixels)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["chip.jpg", "chip.png"]


def test_light_is_matched_and_change_is_kept() -> None:
    """The later epoch is darker and flatter; a new white roof on it stays white, the rest comes back."""
    rng = np.random.default_rng(6)
    before = rng.integers(60, 180, (120, 120, 3), dtype=np.uint8)
    after = (before * 0.8 + 5).astype(np.uint8)
    after[20:50, 20:50] = 230
    result = matched(patch_of(after), patch_of(before)).pixels.astype(int)
    same = np.ones((120, 120), bool)
    same[20:50, 20:50] = False
    off = np.abs(after.astype(int) - before)[same].mean()
    assert np.abs(result - before)[same].mean() < off / 4
    assert result[30:40, 30:40].min() > 215


def test_histograms_are_matched_and_change_is_kept() -> None:
    """The later epoch has another gamma, which moments cannot undo."""
    rng = np.random.default_rng(6)
    before = rng.integers(60, 180, (120, 120, 3), dtype=np.uint8)
    after = (255 * (before / 255.0) ** 1.4).astype(np.uint8)
    after[20:50, 20:50] = 230
    same = np.ones((120, 120), bool)
    same[20:50, 20:50] = False
    off = {
        light: np.abs(matched(patch_of(after), patch_of(before), light).pixels.astype(int) - before)[same].mean()
        for light in get_args(Light)
    }
    assert off["none"] == pytest.approx(np.abs(after.astype(int) - before)[same].mean())
    assert off["histogram"] < 2 < off["moments"] < off["none"]
    found = matched(patch_of(after), patch_of(before), "histogram").pixels
    assert found[30:40, 30:40].min() > 215


def test_one_change_of_light_holds_for_every_part() -> None:
    """What is found on one part of the ground is put on another, near infrared left as it is."""
    rng = np.random.default_rng(6)
    before = rng.integers(60, 180, (120, 120, 3), dtype=np.uint8)
    after = (before * 0.8 + 5).astype(np.uint8)
    relit = relighting([(patch_of(before), patch_of(after))], "moments")
    plane = np.full((120, 120), 7, np.float32)
    part = relit(replace(patch_of(after), nir=plane, red=plane))
    assert np.abs(part.pixels.astype(int) - before).mean() < 3
    assert part.nir is plane


def test_too_little_common_ground_is_left_alone() -> None:
    after = patch_of(slope(50, 120), valid=np.zeros((100, 100), bool))
    assert matched(after, patch_of(slope(90, 160))) is after
