"""Overviews show the most frequent of four codes, and the COG takes them over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from cvpipe.detect import outputs
from cvpipe.detect.overviews import halved
from cvpipe.geo import Grid
from tests.detect.conftest import ORIGIN, UTM


@pytest.mark.parametrize(
    ("four", "shown"),
    [((3, 3, 3, 3), 3), ((1, 2, 2, 5), 2), ((1, 2, 5, 1), 1), ((4, 7, 7, 4), 4), ((1, 2, 3, 3), 3), ((9, 8, 7, 6), 9)],
)
def test_the_most_frequent_code_is_shown_the_first_of_equals(four: tuple[int, ...], shown: int) -> None:
    assert halved(np.array(four, np.uint8).reshape(2, 2), 255).tolist() == [[shown]]


@pytest.mark.parametrize(("four", "shown"), [((255, 255, 255, 1), 1), ((255, 1, 2, 2), 2), ((255,) * 4, 255)])
def test_no_data_counts_only_where_there_is_nothing_else(four: tuple[int, ...], shown: int) -> None:
    assert halved(np.array(four, np.uint8).reshape(2, 2), 255).tolist() == [[shown]]


def test_odd_edges_are_kept() -> None:
    codes = np.array([[1, 1, 2], [1, 1, 2], [3, 3, 4]], np.uint8)
    assert halved(codes, 255).tolist() == [[1, 2], [3, 4]]


def test_a_cog_has_them(tmp_path: Path) -> None:
    """Four quarters of one code each: any level shows them."""
    grid = Grid(UTM, ORIGIN, 1024, 600)
    quarters = np.repeat(np.repeat(np.array([[1, 2], [3, 4]], np.uint8), 300, axis=0), 512, axis=1)
    with outputs.new_raster(tmp_path / outputs.SURFACE_AFTER_TIF, grid) as raster:
        raster.write(quarters, 1)
    outputs.write_cog(tmp_path / outputs.SURFACE_AFTER_TIF, tmp_path / "cog.tif")
    with rasterio.open(tmp_path / "cog.tif") as cog:
        assert cog.overviews(1) == [2, 4]
        assert cog.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert cog.colormap(1)[1] == (214, 69, 65, 255)
    for level, step in ((0, 2), (1, 4)):
        with rasterio.open(tmp_path / "cog.tif", overview_level=level) as overview:
            assert np.array_equal(overview.read(1), quarters[::step, ::step])
