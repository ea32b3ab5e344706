"""What cannot be judged is named: cloud, shadow, blur, missing data; white roofs are none of these."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cvpipe.domain import Reason, Registration
from cvpipe.imagery.clouds import cloud, most_white, white
from cvpipe.imagery.quality import judge, quality_of, usable
from cvpipe.imagery.reading import Patch, SceneReader

from .conftest import patch_of

SIZE = 400
EVERYWHERE = np.ones((SIZE, SIZE), bool)


@pytest.fixture(scope="module")
def ground() -> NDArray[np.uint8]:
    """Grey-green ground with fine texture, half a metre a pixel: 200 m x 200 m."""
    noise = np.random.default_rng(2).normal(0, 22, (SIZE, SIZE, 1))
    levels = np.clip(np.array([90.0, 105.0, 80.0]) + noise, 20, 255)
    return np.asarray(levels, np.uint8)


def with_cloud(ground: NDArray[np.uint8], radius: int = 110, softness: float = 25.0) -> NDArray[np.uint8]:
    """A round white cloud in the middle that fades out over some tens of pixels."""
    disc = cv2.circle(np.zeros((SIZE, SIZE), np.float32), (SIZE // 2, SIZE // 2), radius, 1.0, -1)
    cover = cv2.GaussianBlur(disc, (0, 0), softness)[:, :, None]
    return np.asarray(np.rint(ground * (1 - cover) + 235 * cover), np.uint8)


def with_roof(ground: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A white hall of 80 m x 60 m."""
    roofed = ground.copy()
    roofed[100:220, 120:280] = 235
    return roofed


def test_cloud_is_found_where_it_is(ground: NDArray[np.uint8]) -> None:
    mask = cloud(patch_of(with_cloud(ground)))
    rows, cols = np.indices(mask.shape)
    distance = np.hypot(rows - SIZE / 2, cols - SIZE / 2)
    assert mask[distance < 80].all()
    assert not mask[distance > 140].any()


def test_white_roof_is_no_cloud(ground: NDArray[np.uint8]) -> None:
    roofed = patch_of(with_roof(ground))
    assert not cloud(roofed).any()
    assert usable(roofed).all()
    assert judge(patch_of(ground), roofed, EVERYWHERE, Registration()) == ()


def test_white_ground_of_both_epochs_is_no_cloud(ground: NDArray[np.uint8]) -> None:
    salt = patch_of(with_cloud(ground))
    assert not cloud(salt, salt).any()
    assert cloud(salt, patch_of(ground)).any()


def test_small_bright_spot_is_no_cloud(ground: NDArray[np.uint8]) -> None:
    assert not cloud(patch_of(with_cloud(ground, radius=16, softness=2))).any()


def test_sand_is_no_cloud(ground: NDArray[np.uint8]) -> None:
    sand = with_cloud(ground)
    sand[:, :, 2] = (sand[:, :, 2] * 0.88).astype(np.uint8)
    assert not cloud(patch_of(sand)).any()


def test_site_under_cloud_cannot_be_assessed(ground: NDArray[np.uint8]) -> None:
    before, after = patch_of(ground), patch_of(with_cloud(ground))
    assert judge(before, after, EVERYWHERE, Registration()) == (Reason.CLOUD,)
    assert judge(after, before, EVERYWHERE, Registration()) == (Reason.CLOUD,)
    corner = np.zeros_like(EVERYWHERE)
    corner[:60, :60] = True
    assert judge(before, after, corner, Registration()) == ()


def test_missing_data(ground: NDArray[np.uint8]) -> None:
    valid = np.ones((SIZE, SIZE), bool)
    valid[:, : SIZE * 6 // 10] = False
    half = Patch(np.where(valid[:, :, None], ground, 0).astype(np.uint8), valid, patch_of(ground).grid)
    assert judge(patch_of(ground), half, EVERYWHERE, Registration()) == (Reason.NO_DATA,)
    assert judge(patch_of(ground), half, valid, Registration()) == ()


def test_deep_shadow(ground: NDArray[np.uint8]) -> None:
    dark = ground.copy()
    dark[:240] = dark[:240] // 12
    assert judge(patch_of(ground), patch_of(dark), EVERYWHERE, Registration()) == (Reason.SHADOW,)


def test_blur(ground: NDArray[np.uint8]) -> None:
    rng = np.random.default_rng(4)
    sharp = cv2.resize(
        rng.integers(20, 230, (SIZE // 16, SIZE // 16, 3), dtype=np.uint8), (SIZE, SIZE), interpolation=0
    )
    blurred = patch_of(np.asarray(cv2.GaussianBlur(sharp, (0, 0), 4), np.uint8))
    assert judge(patch_of(np.asarray(sharp)), blurred, EVERYWHERE, Registration()) == (Reason.BLURRED,)
    even = patch_of(np.full_like(ground, 90))
    assert judge(even, even, EVERYWHERE, Registration()) == ()


def test_glare_is_not_usable(ground: NDArray[np.uint8]) -> None:
    glaring = ground.copy()
    glaring[50:200, 50:200] = 255
    glaring[300:310, 300:310] = 255
    mask = usable(patch_of(glaring))
    assert not mask[50:200, 50:200].any()
    assert mask[250:].all()


def test_too_coarse_and_misaligned(ground: NDArray[np.uint8]) -> None:
    patch = patch_of(ground)
    assert judge(patch, patch, EVERYWHERE, Registration(), native_gsd_m=1.4) == ()
    assert judge(patch, patch, EVERYWHERE, Registration(), native_gsd_m=1.6) == (Reason.TOO_COARSE,)
    assert judge(patch, patch, EVERYWHERE, Registration((3, 4), 2.5, 0.9)) == (Reason.MISALIGNED,)
    assert judge(patch, patch, EVERYWHERE, Registration((0, 0), float("inf"), 0.1)) == ()


def test_shares_are_of_the_outline(ground: NDArray[np.uint8]) -> None:
    valid = np.ones((SIZE, SIZE), bool)
    valid[:, :100] = False
    quality = quality_of(Patch(ground, valid, patch_of(ground).grid), EVERYWHERE)
    assert (quality.valid_share, quality.cloud_share, quality.shadow_share) == (0.75, 0.0, 0.0)
    assert quality.reasons == ()


def test_snow_over_all_in_view(ground: NDArray[np.uint8]) -> None:
    """A white hall next to open ground is none; white in both epochs is salt or sand."""
    rng = np.random.default_rng(8)
    snowy = np.clip(rng.normal(205, 9, ground.shape[:2])[:, :, None] + np.array([0, 2, 5]), 0, 255).astype(np.uint8)
    snowy[::40, ::40] = 60
    assert judge(patch_of(ground), patch_of(snowy), EVERYWHERE, Registration()) == (Reason.SNOW,)
    assert quality_of(patch_of(snowy), EVERYWHERE, patch_of(snowy)).snow_share == 0
    assert quality_of(patch_of(with_roof(ground)), EVERYWHERE).snow_share == 0


def test_haze_lowers_the_score(ground: NDArray[np.uint8]) -> None:
    clear, hazy = patch_of(ground), patch_of((ground * 0.25 + 165).astype(np.uint8))
    assert quality_of(clear, EVERYWHERE).haze < 0.2
    assert quality_of(hazy, EVERYWHERE).haze > 0.6
    assert quality_of(clear, EVERYWHERE).score == 1.0
    assert quality_of(hazy, EVERYWHERE).score < 0.5


def test_score_tells_what_is_missing(ground: NDArray[np.uint8]) -> None:
    """Three quarters seen is 0.75 of the best; pixels twice too large take a quarter; an unusable epoch has none."""
    valid = np.ones((SIZE, SIZE), bool)
    valid[:, :100] = False
    partly = Patch(np.where(valid[:, :, None], ground, 0).astype(np.uint8), valid, patch_of(ground).grid)
    assert quality_of(partly, EVERYWHERE).score == pytest.approx(0.75)
    assert quality_of(patch_of(ground), EVERYWHERE, native_gsd_m=1.0).score == pytest.approx(0.75)
    unusable = quality_of(patch_of(ground), EVERYWHERE, native_gsd_m=2.0)
    assert (unusable.reasons, unusable.score) == ((Reason.TOO_COARSE,), 0.0)


@pytest.mark.parametrize(("folder", "gsd_m"), [("fotbcd_public", 0.2), ("levir_public", 0.5)])
def test_clear_real_pictures_are_not_flagged(shared_pictures: Path, folder: str, gsd_m: float) -> None:
    for path in sorted((shared_pictures / folder / "B").iterdir())[:5]:
        with SceneReader(path, gsd_m=gsd_m) as reader:
            patch = reader.read(reader.grid)
        quality = quality_of(patch, patch.valid)
        assert quality.reasons == (), path.name
        assert quality.score > 0.8, path.name


def test_two_epochs_are_judged_as_each_by_itself(ground: NDArray[np.uint8]) -> None:
    """Only what has a limit is measured for it: the reasons are those of `quality_of`."""
    snowy = np.clip(ground.astype(np.int32) // 12 + 200, 0, 255).astype(np.uint8)
    blurred = np.asarray(cv2.GaussianBlur(with_roof(ground), (0, 0), 6), np.uint8)
    dark, pictures = ground // 16, [ground, with_cloud(ground), snowy, blurred]
    for picture in [*pictures, dark]:
        one, other = patch_of(picture), patch_of(ground)
        each = {*quality_of(one, EVERYWHERE, other).reasons, *quality_of(other, EVERYWHERE, one).reasons}
        assert set(judge(one, other, EVERYWHERE, Registration())) == each


@pytest.mark.parametrize("metre", [0.07, 0.25, 0.3, 0.5, 1.0, 1.7])
def test_white_ground_is_never_more_than_is_told_ahead(metre: float) -> None:
    spots = np.random.default_rng(4).random((61, 47, 1)) < 0.3
    picture = np.asarray(np.repeat(np.where(spots, 230, 90), 3, axis=2), np.uint8)
    picture = np.repeat(np.repeat(picture, 5, axis=0), 5, axis=1)
    patch = patch_of(picture, pixel_m=metre)
    assert 0 < np.count_nonzero(white(patch)) <= most_white(patch)
