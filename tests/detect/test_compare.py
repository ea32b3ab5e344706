"""`compare`: the same answer whatever the tiles, and 255 wherever an epoch cannot be judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from cvpipe.detect import compare, prediction
from cvpipe.detect.maps import see
from cvpipe.domain import SURFACES, ChangeKind, Surface
from cvpipe.errors import SceneError
from cvpipe.imagery.reading import Patch
from tests.detect.conftest import GREEN, RED, Pixels
from tests.detect.networks import CoarseNetwork, FickleNetwork, PaintedNetwork

MakePatch = Callable[[Pixels], Patch]


@pytest.fixture
def noise(patch: MakePatch) -> tuple[Patch, Patch]:
    """Two epochs of random colours, 150 × 210: every pixel has its own answer."""
    values = np.random.default_rng(3).integers(0, 250, (2, 150, 210, 3), dtype=np.uint8)
    return patch(values[0]), patch(values[1])


@pytest.mark.parametrize("tile_px", [32, 96, 256])
def test_a_network_that_sees_single_pixels_gives_one_answer_for_any_tiles(
    noise: tuple[Patch, Patch], tile_px: int
) -> None:
    expected, found = (compare(PaintedNetwork(tile_px=size), *noise) for size in (64, tile_px))

    assert np.array_equal(found.surface_before, expected.surface_before)
    assert np.array_equal(found.surface_after, expected.surface_after)
    for kind in ChangeKind:
        assert np.array_equal(found.probability[kind], expected.probability[kind])
        assert np.array_equal(found.change[kind], expected.change[kind])
        assert 0 < (found.change[kind] == 1).mean() < 1


@pytest.mark.parametrize("tiles", [1, 3])
def test_the_size_of_batches_does_not_matter(
    noise: tuple[Patch, Patch], tiles: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, network = compare(PaintedNetwork(), *noise), PaintedNetwork(tile_px=32)
    monkeypatch.setattr(prediction, "BATCH", 9 * tiles)  # of 32 × 32 px, where a tile has 96 × 96
    found = compare(network, *noise)

    assert max(network.batches) == tiles
    assert all(np.array_equal(found.probability[kind], expected.probability[kind]) for kind in ChangeKind)


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (300, 40, [(0, 0, 320, 64)]),
        (768, 512, [(0, 0, 768, 512)]),
        (1536, 1500, [(0, 0, 1536, 1504)]),
        (1700, 100, [(0, 0, 928, 128), (800, 0, 928, 128)]),
        (4224, 1, [(0, 0, 1504, 32), (1376, 0, 1504, 32), (2752, 0, 1504, 32)]),
    ],
)
def test_tiles_fit_the_raster(width: int, height: int, expected: list[tuple[int, int, int, int]]) -> None:
    """A small raster is one tile of its own size; along a longer one, equal tiles share 128 px and hardly overhang."""
    tiles = prediction.tiles_of(width, height, tile_px=512, overlap=128)
    assert [(tile.col, tile.row, tile.width, tile.height) for tile in tiles] == expected


@pytest.mark.parametrize("length", [1, 65, 97, 150, 200, 431, 1000])
def test_tiles_cover_the_raster_and_waste_little(length: int) -> None:
    tiles = prediction.tiles_of(length, 32, tile_px=64, overlap=16)
    starts, side = [tile.col for tile in tiles], tiles[0].width
    assert starts[-1] + 16 * (len(tiles) > 1) < length <= starts[-1] + side
    assert starts == [i * (side - 16) for i in range(len(tiles))]
    assert len(tiles) * side < length + 16 * (len(tiles) - 1) + 32 * len(tiles)


def test_seams_leave_no_trace(patch: MakePatch) -> None:
    """Neighbouring tiles of other opinions pass into each other, in log-odds no steeper than the raised cosine."""
    grey = patch(np.full((200, 200, 3), 90, np.uint8))
    overlap = 64 // prediction.OVERLAP_SHARE
    probability = compare(FickleNetwork(), grey, grey).probability[ChangeKind.STRUCTURE_ADDED] / 254

    assert probability.min() == pytest.approx(0.25, abs=1 / 254)
    assert probability.max() == pytest.approx(0.75, abs=1 / 254)
    most = (np.log(3) - np.log(1 / 3)) / 4  # probability for all of the log-odds between the two, where it is steepest
    for axis in (0, 1):
        steepest = np.abs(np.diff(probability, axis=axis)).max()
        assert steepest <= most * np.pi / 2 / overlap + 1 / 254


@pytest.mark.parametrize("shape", [(200, 200), (97, 331), (130, 65)])
def test_answers_coarser_than_pixels_are_interpolated_across_tiles(shape: tuple[int, int], patch: MakePatch) -> None:
    """As if there were one tile, to the last pixel: no cell has an edge of its own."""
    rng = np.random.default_rng(4)
    before, after = (patch(rng.integers(60, 200, (*shape, 3), np.uint8)) for _ in range(2))
    in_tiles, at_once = (see(CoarseNetwork(tile_px=side), before, after) for side in (32, 512))
    for name, values in vars(in_tiles).items():
        if name != "grid":
            assert np.array_equal(values, getattr(at_once, name)), name
    assert len(np.unique(at_once.probability)) > 50


@pytest.mark.parametrize("shape", [(1, 1), (1, 70), (5, 3), (63, 64), (64, 65), (100, 49), (113, 200)])
def test_pictures_of_any_size(shape: tuple[int, int], patch: MakePatch, network: PaintedNetwork) -> None:
    before = patch(np.full((*shape, 3), GREEN, np.uint8))
    after = patch(np.full((*shape, 3), RED, np.uint8))
    maps = compare(network, before, after)

    assert maps.surface_before.shape == shape
    assert (maps.surface_before == Surface.VEGETATION).all()
    assert (maps.surface_after == Surface.STRUCTURE).all()
    assert {kind: set(np.unique(change)) for kind, change in maps.change.items()} == {
        ChangeKind.STRUCTURE_REMOVED: {0},
        ChangeKind.STRUCTURE_ADDED: {1},
        ChangeKind.GREEN_ADDED: {0},
        ChangeKind.GREEN_REMOVED: {1},
    }


@pytest.mark.parametrize("shape", [(100, 100), (70, 700), (700, 70), (900, 900)])
def test_rasters_narrower_than_two_overlaps_of_the_released_tile(shape: tuple[int, int], patch: MakePatch) -> None:
    pixels = np.full((*shape, 3), 60, np.uint8)
    pixels[20:50, 20:50] = RED
    maps = compare(PaintedNetwork(tile_px=512), patch(pixels), patch(np.full_like(pixels, 60)))
    assert maps.change[ChangeKind.STRUCTURE_REMOVED].sum() == 30 * 30


def test_green_is_added_where_it_is_now_and_was_not_before(patch: MakePatch, network: PaintedNetwork) -> None:
    before, after = np.zeros((1, 4, 3), np.uint8), np.zeros((1, 4, 3), np.uint8)
    before[0, :, 1], after[0, :, 1] = (0, 255, 255, 51), (255, 255, 0, 204)
    maps = compare(network, patch(before), patch(after))

    # The last pixel: 0.8 green now, 0.2 green before: 0.8 * (1 - 0.2) = 0.64, and 0.2 * (1 - 0.8) = 0.04 the other way.
    assert maps.probability[ChangeKind.GREEN_ADDED][0].tolist() == [254, 0, 0, round(0.64 * 254)]
    assert maps.probability[ChangeKind.GREEN_REMOVED][0].tolist() == [0, 0, 254, round(0.04 * 254)]
    assert maps.change[ChangeKind.GREEN_ADDED][0].tolist() == [1, 0, 0, 1]


def test_what_one_epoch_does_not_show_is_not_assessable(patch: MakePatch, network: PaintedNetwork) -> None:
    before = patch(np.full((90, 100, 3), GREEN, np.uint8))
    after = patch(np.full((90, 100, 3), RED, np.uint8))
    after.valid[:, :30] = False
    before.valid[:20] = False
    maps = compare(network, before, after)

    assert np.array_equal(maps.usable_before, before.valid)
    assert np.array_equal(maps.surface_after == 255, ~after.valid)
    for kind in ChangeKind:
        hidden = ~(before.valid & after.valid)
        assert np.array_equal(maps.change[kind] == 255, hidden)
        assert np.array_equal(maps.probability[kind] == 255, hidden)


def test_tiles_without_a_usable_pixel_are_not_predicted(patch: MakePatch, network: PaintedNetwork) -> None:
    empty = patch(np.zeros((64, 160, 3), np.uint8))
    empty.valid[:, 40:] = False
    maps = compare(network, empty, empty)

    assert sum(network.batches) == 1
    assert (maps.surface_before[:, 40:] == 255).all()
    assert (maps.surface_before[:, :40] == Surface.BARE).all()


def test_changes_below_the_minimum_area_are_dropped(patch: MakePatch) -> None:
    """Pixels of 0.25 m²: a square of 16 pixels has 4 m², one of 9 pixels 2.25 m²."""
    before, after = np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40, 3), np.uint8)
    after[4:8, 4:8] = after[20:23, 20:23] = RED
    strict = replace(PaintedNetwork(), min_area_m2=dict.fromkeys(ChangeKind, 3.9))
    change = compare(strict, patch(before), patch(after)).change[ChangeKind.STRUCTURE_ADDED]

    assert (change[4:8, 4:8] == 1).all()
    assert change.sum() == 16


def test_changes_that_are_doubtful_on_the_whole_are_dropped(patch: MakePatch) -> None:
    """Red 0.7 is above the threshold of a half; the square around a sure middle has a mean of 0.78."""
    before, after = np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40, 3), np.uint8)
    after[4:10, 4:10, 0] = after[20:26, 20:26, 0] = round(0.7 * 255)
    after[22:24, 20:26, 0] = 255
    usual, strict = (replace(PaintedNetwork(), min_probability=dict.fromkeys(ChangeKind, p)) for p in (0.0, 0.75))
    all_of_it, likely = (
        compare(n, patch(before), patch(after)).change[ChangeKind.STRUCTURE_ADDED] for n in (usual, strict)
    )

    assert all_of_it.sum() == 72
    assert (likely[20:26, 20:26] == 1).all()
    assert likely.sum() == 36


def test_epochs_of_different_shape_are_refused(patch: MakePatch, network: PaintedNetwork) -> None:
    with pytest.raises(SceneError, match=r"differ in shape: \(4, 4\) and \(4, 5\)"):
        compare(network, patch(np.zeros((4, 4, 3), np.uint8)), patch(np.zeros((4, 5, 3), np.uint8)))


def test_probabilities_of_surfaces_are_kept_for_each_epoch(patch: MakePatch) -> None:
    """Half a pixel's red is half a chance of structure; an epoch that is not usable answers nothing."""
    before, after = np.zeros((2, 40, 60, 3), np.uint8)
    before[:, :30, 0] = 127
    first, second = patch(before), patch(after)
    valid = first.valid.copy()
    valid[:10] = False
    maps = compare(PaintedNetwork(), replace(first, valid=valid), second)
    structure = SURFACES.index(Surface.STRUCTURE)
    assert maps.chance_before.shape == (len(SURFACES), 40, 60)
    assert (maps.chance_before[:, :10] == 255).all()
    assert maps.chance_before[structure, 20, 10] == pytest.approx(127, abs=1)
    assert maps.chance_before[structure, 20, 50] == 0
    assert (maps.chance_after[structure] == 0).all()
