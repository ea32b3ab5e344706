"""Training patches: masks that agree with each other, change where it is asked for, and nothing by accident."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cvpipe.domain import Surface
from cvpipe.world import DrawnPatch, Style, draw_patch


def test_planes_have_one_shape_and_known_codes(patch: DrawnPatch) -> None:
    assert len(patch.epochs) == 2
    for epoch in patch.epochs:
        assert epoch.pixels.shape == (512, 512, 3)
        assert epoch.surface.shape == epoch.structure_id.shape == (512, 512)
        assert [str(plane.dtype) for plane in (epoch.pixels, epoch.surface, epoch.structure_id)] == [
            "uint8",
            "uint8",
            "int32",
        ]
        assert set(np.unique(epoch.surface).tolist()) <= {int(s) for s in Surface if s is not Surface.NO_DATA}


def test_structure_surface_and_numbers_agree(patch: DrawnPatch) -> None:
    for epoch in patch.epochs:
        assert np.array_equal(epoch.surface == Surface.STRUCTURE, epoch.structure_id > 0)
        assert (epoch.structure_id > 0).mean() > 0.03


def test_structures_come_and_go_over_a_few_seeds() -> None:
    busy = replace(Style.random(np.random.default_rng(1)), change_share=0.5)
    removed = added = 0
    for seed in range(3):
        before, after = (e.structure_id for e in draw_patch(seed, size_px=384, style=busy).epochs)
        removed += int(np.count_nonzero((before > 0) & (after != before)))
        added += int(np.count_nonzero((after > 0) & (after != before)))
    assert removed > 3_000
    assert added > 500


def test_a_still_patch_changes_its_look_and_no_structure() -> None:
    still = replace(Style.random(np.random.default_rng(2)), change_share=0.0)
    before, after = draw_patch(4, size_px=384, style=still).epochs
    assert np.array_equal(before.structure_id, after.structure_id)
    assert np.abs(before.pixels.astype(int) - after.pixels).mean() > 4


def test_lasting_structures_keep_their_ground(patch: DrawnPatch) -> None:
    before, after = (epoch.structure_id for epoch in patch.epochs)
    lasting = np.intersect1d(before[before > 0], after[after > 0])
    assert lasting.size
    for number in lasting:
        both = np.count_nonzero((before == number) & (after == number))
        assert both >= 0.7 * np.count_nonzero(before == number)


def test_equal_seeds_draw_equal_patches() -> None:
    first, again = (draw_patch(11, size_px=256, epochs=3) for _ in range(2))
    assert len(first.epochs) == 3
    for ours, theirs in zip(first.epochs, again.epochs, strict=True):
        assert np.array_equal(ours.pixels, theirs.pixels)
        assert np.array_equal(ours.surface, theirs.surface)
        assert np.array_equal(ours.structure_id, theirs.structure_id)
    assert not np.array_equal(first.epochs[0].pixels, draw_patch(12, size_px=256).epochs[0].pixels)


@pytest.mark.parametrize("gsd_m", [0.2, 0.6, 1.0])
def test_patches_come_at_other_ground_sizes(gsd_m: float) -> None:
    drawn = draw_patch(5, size_px=256, gsd_m=gsd_m)
    assert drawn.gsd_m == gsd_m
    assert all(epoch.pixels.std() > 10 for epoch in drawn.epochs)
