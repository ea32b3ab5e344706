"""Scenes of one day read as one."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from cvpipe.imagery import MosaicReader, SceneReader
from tests.detect.conftest import ORIGIN, chequers, write_geotiff

WHOLE = chequers()


@pytest.fixture
def readers(tmp_path: Path) -> tuple[SceneReader, SceneReader, SceneReader]:
    """A whole scene, its left 170 columns a shade darker, and its right 170 columns."""
    parts = {"whole": (WHOLE, 0), "left": (WHOLE[:, :170] - 5, 0), "right": (WHOLE[:, 130:], 130)}
    with ExitStack() as stack:
        opened = [
            stack.enter_context(
                SceneReader(write_geotiff(tmp_path / f"{name}.tif", part, ORIGIN * Affine.translation(col, 0)))
            )
            for name, (part, col) in parts.items()
        ]
        stack.pop_all()
    return opened[0], opened[1], opened[2]


def test_the_first_goes_before_the_others_where_it_is_valid(
    readers: tuple[SceneReader, SceneReader, SceneReader],
) -> None:
    whole, left, right = readers
    seen = MosaicReader([left, right]).read(whole.grid)
    assert seen.valid.all()
    assert (seen.pixels[:, :170] == WHOLE[:, :170] - 5).all()
    assert (seen.pixels[:, 170:] == WHOLE[:, 170:]).all()
    other = MosaicReader([right, left]).read(whole.grid)
    assert (other.pixels[:, 130:] == WHOLE[:, 130:]).all()


def test_what_none_shows_is_not_valid(readers: tuple[SceneReader, SceneReader, SceneReader]) -> None:
    whole, left, _ = readers
    seen = MosaicReader([left]).read(whole.grid)
    assert seen.valid[:, :170].all()
    assert not seen.valid[:, 170:].any()
    assert (seen.pixels[:, 170:] == 0).all()


def test_scenes_of_another_pixel_size_fill_too(tmp_path: Path) -> None:
    fine = write_geotiff(tmp_path / "fine.tif", WHOLE[:, :170])
    shrunk = np.ascontiguousarray(WHOLE[::2, 130::2])
    coarse = write_geotiff(tmp_path / "coarse.tif", shrunk, ORIGIN * Affine.translation(130, 0) * Affine.scale(2))
    with (
        SceneReader(fine) as one,
        SceneReader(coarse) as other,
        SceneReader(write_geotiff(tmp_path / "whole.tif", WHOLE)) as whole,
    ):
        seen = MosaicReader([one, other]).read(whole.grid)
    assert seen.valid[2:-2, 2:-2].all()
    assert (seen.pixels[:, :170] == WHOLE[:, :170]).all()
    assert np.abs(seen.pixels[:, 180:].astype(int) - WHOLE[:, 180:]).mean() < 6
