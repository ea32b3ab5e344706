"""Place and light: labels go where their pixels go, and light moves nothing."""

from __future__ import annotations

import numpy as np
import pytest

from cvpipe.network.losses import IGNORE
from cvpipe.train.augment import Cut, Light, crop, deepened, displaced, hazed, seasoned, shaded
from cvpipe.train.pictures import Picture
from tests.train.drawing import Pixels, painted, town


@pytest.fixture(scope="module")
def drawn() -> tuple[Pixels, Pixels]:
    """White structures on black ground (200, 200), and their label: 1 and 0."""
    _, codes = town(200, seed=4, structure=1, grounds=(0,))
    return np.repeat(codes[..., None] * 255, 3, axis=2).astype(np.uint8), codes


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def assert_fits(pixels: Pixels, label: Pixels) -> None:
    """White is labelled 1 and black 0, but for pixels that are neither: edges are blended, labels are not."""
    seen = label != IGNORE
    wrong = seen & ((pixels[..., 0] > 127) != (label == 1))
    assert (label == 1).sum() > 200, "there is something to see"
    assert np.abs(pixels[wrong].astype(int) - 127).max(initial=0) < 80


class TestCrop:
    def test_at_its_own_scale_and_upright_it_is_a_slice(self) -> None:
        codes = np.arange(100, dtype=np.uint8).reshape(10, 10)
        pixels, label = crop(painted(codes), codes, 0.5, Cut((5, 5), 0, False, 0.5), 4)
        assert label.tolist() == codes[3:7, 3:7].tolist()
        assert np.array_equal(pixels, painted(codes)[3:7, 3:7])

    def test_mirrored_it_runs_from_right_to_left(self) -> None:
        codes = np.arange(100, dtype=np.uint8).reshape(10, 10)
        pixels, label = crop(painted(codes), codes, 0.5, Cut((5, 5), 0, True, 0.5), 4)
        assert label.tolist() == codes[3:7, 3:7][:, ::-1].tolist()
        assert np.array_equal(pixels, painted(label))

    @pytest.mark.parametrize("angle", [0, 90, 33.3, 200])
    @pytest.mark.parametrize("gsd_m", [0.2, 0.5, 0.7])
    @pytest.mark.parametrize("mirrored", [False, True])
    def test_labels_move_with_pixels(
        self, drawn: tuple[Pixels, Pixels], angle: float, gsd_m: float, mirrored: bool
    ) -> None:
        assert_fits(*crop(*drawn, 0.5, Cut((100, 90), angle, mirrored, gsd_m), 96))

    @pytest.mark.parametrize("gsd_m", [1.0, 1.5])
    def test_labels_stay_within_half_a_pixel_where_the_picture_is_shrunk(
        self, drawn: tuple[Pixels, Pixels], gsd_m: float
    ) -> None:
        pixels, label = crop(*drawn, 0.5, Cut((100, 100), 0, False, gsd_m), 64)
        shown, named = pixels[..., 0] / 255 * (label != IGNORE), (label == 1).astype(float)
        for axis in (0, 1):
            centre_of = [np.average(np.indices(label.shape)[axis], weights=w) for w in (shown, named)]
            assert abs(centre_of[0] - centre_of[1]) < 0.5

    def test_beyond_the_edge_nothing_is_known(self) -> None:
        codes = np.full((10, 10), 3, np.uint8)
        _, label = crop(painted(codes), codes, 0.5, Cut((0, 5), 0, False, 0.5), 6)
        assert (label[:, :3] == IGNORE).all()
        assert (label[:, 3:] == 3).all()

    def test_several_labels_move_as_one(self) -> None:
        codes = town(60, seed=1, structure=1, grounds=(3, 5))[1]
        stack = np.dstack([codes, 255 - codes, codes, codes])
        _, label = crop(painted(codes), stack, 0.5, Cut((30, 30), 20, True, 0.4), 32)
        assert label.shape == (32, 32, 4)
        inside = label[..., 0] != IGNORE
        assert np.array_equal(label[inside][:, 1], 255 - label[inside][:, 0])


class TestCut:
    def test_crops_that_fit_stay_inside_and_within_the_pixel_sizes(self) -> None:
        codes = np.full((400, 300), 3, np.uint8)
        picture = Picture(painted(codes), codes, 0.3, "somewhere")
        chance = rng(5)
        for _ in range(40):
            cut = Cut.random(picture, (0.2, 0.4), 64, chance)
            assert 0.2 <= cut.gsd_m <= 0.4
            if cut.angle % 90 == 0:
                _, label = crop(picture.pixels, codes, 0.3, cut, 64)
                # at odd places a right-angled turn starts half a pixel off
                assert (label[1:-1, 1:-1] == 3).all()

    def test_a_picture_smaller_than_the_crop_is_taken_from_its_middle(self) -> None:
        codes = np.full((20, 30), 3, np.uint8)
        cut = Cut.random(Picture(painted(codes), codes, 0.3, "somewhere"), (0.3, 0.3), 64, rng())
        assert cut.centre == pytest.approx((15, 10))
        pixels, label = crop(painted(codes), codes, 0.3, Cut(cut.centre, 0, False, 0.3), 64)
        assert pixels.shape == (64, 64, 3)
        assert (label == 3).sum() == 20 * 30


class TestDisplaced:
    @pytest.mark.parametrize(("dx", "dy"), [(3, -2), (-8, 5)])
    def test_whole_pixels_are_moved_right_and_down(self, drawn: tuple[Pixels, Pixels], dx: int, dy: int) -> None:
        pixels, label = displaced(*drawn, (dx, dy), relief_px=0, rng=rng())
        inner = np.s_[10:-10, 10:-10]
        for moved, still in ((pixels, drawn[0]), (label, drawn[1])):
            assert np.array_equal(moved[inner], np.roll(still, (dy, dx), axis=(0, 1))[inner])

    @pytest.mark.parametrize("seed", range(4))
    def test_labels_fit_the_pixels_whatever_the_relief(self, drawn: tuple[Pixels, Pixels], seed: int) -> None:
        pixels, label = displaced(*drawn, (2.3, -4.6), relief_px=2, rng=rng(seed))
        assert not np.array_equal(label, drawn[1])
        assert_fits(pixels, label)

    def test_what_comes_in_from_outside_is_unknown(self, drawn: tuple[Pixels, Pixels]) -> None:
        _, label = displaced(*drawn, (5, 0), relief_px=0, rng=rng())
        assert (label[:, :5] == IGNORE).all()
        assert (label[:, 5:] != IGNORE).all()

    def test_nothing_moves_by_more_than_shift_and_relief(self) -> None:
        column = np.tile(np.arange(200, dtype=np.uint8), (200, 1))
        _, label = displaced(painted(column), column, (0, 0), relief_px=2, rng=rng(1))
        seen = label != IGNORE
        # cubic interpolation between the knots swings a little beyond them
        assert np.abs(label[seen].astype(int) - column[seen]).max() <= 3


class TestLight:
    def test_the_same_chance_gives_the_same_light(self) -> None:
        pixels = town(64, seed=1, structure=1, grounds=(3, 5))[0]
        for seed in range(12):
            first, second = (Light()(pixels, rng(seed)) for _ in range(2))
            assert np.array_equal(first, second)

    def test_it_changes_the_light_of_most_pictures_and_the_shape_of_none(self) -> None:
        pixels, light, chance = town(64, seed=1, structure=1, grounds=(3, 5))[0], Light(), rng(3)
        kept = pixels.copy()
        seen = [light(pixels, chance) for _ in range(20)]
        assert np.array_equal(pixels, kept), "what it is given stays as it is"
        assert {(p.shape, p.dtype.name) for p in seen} == {((64, 64, 3), "uint8")}
        assert sum(not np.array_equal(p, pixels) for p in seen) > 15

    def test_edges_stay_within_two_pixels(self) -> None:
        """Coarser sampling (nearest neighbour) moves an edge by up to two pixels, all else by none."""
        pixels = np.full((64, 64, 3), 60, np.uint8)
        pixels[:, 32:] = 180
        light, chance = Light(), rng(8)
        edges = []
        for _ in range(60):
            grey = light(pixels, chance).astype(float).mean(axis=(0, 2))
            edges.append(int((grey > (grey[:24].mean() + grey[40:].mean()) / 2).argmax()))
        assert set(edges) <= {32, 33, 34}
        assert edges.count(32) > 50

    def test_deep_tones_are_darker_where_it_is_dark(self) -> None:
        ramp = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
        deep = deepened(ramp, 1.8)[0, :, 0].astype(int)
        assert (deep[0], deep[255]) == (0, 255)
        assert (np.diff(deep) >= 0).all()
        assert deep[64] < 64 * 0.4
        assert deep[230] > 230 * 0.85

    def test_deep_tones_come_as_often_as_asked_for(self) -> None:
        pixels = np.full((16, 16, 3), 120, np.uint8)
        darker = [Light(share)(pixels, rng(seed)).mean() for share in (0.0, 1.0) for seed in range(40)]
        assert np.mean(darker[40:]) < np.mean(darker[:40]) - 30


class TestSeason:
    GREEN, GREY = [60, 120, 50], [110, 110, 110]

    def seen(self, strength: float) -> tuple[list[int], list[int]]:
        green, grey = seasoned(np.array([[self.GREEN, self.GREY]], np.uint8), strength)[0].tolist()
        return green, grey

    @pytest.mark.parametrize("strength", [-1, -0.3, 0.3, 1])
    def test_what_is_not_green_keeps_its_colour(self, strength: float) -> None:
        assert self.seen(strength)[1] == self.GREY

    def test_dry_plants_are_more_red_than_green(self) -> None:
        red, green, _ = self.seen(1)[0]
        assert red > green

    def test_lush_plants_are_darker_and_greener(self) -> None:
        red, green, blue = self.seen(-1)[0]
        assert green < self.GREEN[1]
        assert green / (red + blue) > self.GREEN[1] / (self.GREEN[0] + self.GREEN[2])

    def test_no_strength_changes_nothing(self) -> None:
        assert self.seen(0)[0] == self.GREEN


def test_haze_lifts_the_dark() -> None:
    black = np.zeros((20, 20, 3), np.uint8)
    thin, thick = (hazed(black, density, rng()).min() for density in (0.1, 0.3))
    assert 0 < thin < thick


def test_shade_only_darkens_and_only_a_part() -> None:
    white = np.full((64, 64, 3), 200, np.uint8)
    dark = shaded(white, rng(2))
    assert dark.max() == 200
    assert 20 < (dark[..., 0] < 190).sum() < 64 * 64 * 0.9
    deepest = dark.reshape(-1, 3)[dark[..., 0].argmin()]
    assert deepest[2] > deepest[0], "shade is blue"
