"""Real pictures made worse in one way at a time: each measure sees its own, and what is unusable says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cvpipe.domain import Reason
from cvpipe.imagery.quality import LIMITS, Quality, quality_of
from cvpipe.imagery.reading import Patch, SceneReader

RGB = NDArray[np.uint8]
Worse = Callable[[RGB], RGB]

PLACES = (
    ("fotbcd_public", "instances_train_895.png", 0.2),
    ("fotbcd_public", "binary_train_13825.png", 0.2),
    ("levir_public", "val_27_0000_0256.png", 0.5),
)


@pytest.fixture(params=PLACES, ids=[name for _, name, _ in PLACES])
def clear(request: pytest.FixtureRequest, shared_pictures: Path) -> Patch:
    folder, name, gsd_m = request.param
    with SceneReader(shared_pictures / folder / "B" / name, gsd_m=gsd_m) as reader:
        return reader.read(reader.grid)


def mixed(pixels: RGB, other: NDArray[np.float64] | float, share: NDArray[np.float64] | float) -> RGB:
    return np.clip(np.rint(pixels * (1.0 - share) + np.asarray(other) * share), 0, 255).astype(np.uint8)


def clouded(pixels: RGB) -> RGB:
    """A bank of cloud from the left to the middle that thins out over some tens of pixels."""
    across = np.linspace(0, 1, pixels.shape[1])
    cover = 1 / (1 + np.exp((across - 0.5) / 0.06))
    return mixed(pixels, 232.0, np.broadcast_to(cover[None, :, None], pixels.shape))


def hazy(pixels: RGB) -> RGB:
    return mixed(pixels, 200.0, 0.7)


def dark(pixels: RGB) -> RGB:
    """The shadow of a tall house over all but the upper quarter."""
    shaded = pixels.copy()
    rows = pixels.shape[0] // 4
    shaded[rows:] = shaded[rows:] * 0.06
    return shaded


def snowed(pixels: RGB) -> RGB:
    """Snow over everything; what stands out of it keeps its edges."""
    stands_out = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) < 45
    white = mixed(pixels, 214.0, 0.9)
    white[..., 2] = np.clip(white[..., 2].astype(int) + 4, 0, 255)
    return np.where(np.asarray(stands_out)[..., None], pixels, white).astype(np.uint8)


def blown_out(pixels: RGB) -> RGB:
    """The exposure was wrong for the right half."""
    blown = pixels.copy()
    blown[:, pixels.shape[1] // 2 :] = 255
    return blown


def judged(patch: Patch, worse: Worse) -> Quality:
    return quality_of(replace(patch, pixels=worse(patch.pixels)), patch.valid, patch)


def test_cloud(clear: Patch) -> None:
    seen = judged(clear, clouded)
    assert seen.cloud_share > 0.3
    assert Reason.CLOUD in seen.reasons


def test_haze_lowers_the_score_only(clear: Patch) -> None:
    before, seen = quality_of(clear, clear.valid), judged(clear, hazy)
    assert seen.haze > before.haze + 0.2
    assert seen.reasons == ()
    assert seen.score < 0.85 * before.score


def test_deep_shadow(clear: Patch) -> None:
    seen = judged(clear, dark)
    assert seen.shadow_share > 0.6
    assert Reason.SHADOW in seen.reasons


def test_blur(clear: Patch) -> None:
    metre = clear.grid.ground_pixel_m()
    seen = judged(clear, lambda pixels: np.asarray(cv2.GaussianBlur(pixels, (0, 0), 1.5 / metre), np.uint8))
    assert seen.blur < quality_of(clear, clear.valid).blur / 3
    assert Reason.BLURRED in seen.reasons


def test_saturation(clear: Patch) -> None:
    """What is blown out over more than 2,500 m² counts as hidden."""
    seen = judged(clear, blown_out)
    large = clear.valid.size / 2 * clear.grid.pixel_area_m2() > 2500
    assert seen.saturated_share == pytest.approx(0.5 if large else 0.0, abs=0.02)
    if large:
        assert seen.score < 0.6


def test_a_coarse_scene(clear: Patch) -> None:
    metre = clear.grid.ground_pixel_m()
    assert quality_of(clear, clear.valid, native_gsd_m=4 * metre).reasons == (Reason.TOO_COARSE,)
    assert quality_of(clear, clear.valid, native_gsd_m=2 * metre).score < quality_of(clear, clear.valid).score


def test_a_part_without_data(clear: Patch) -> None:
    valid = clear.valid.copy()
    valid[:, : valid.shape[1] * 6 // 10] = False
    seen = quality_of(replace(clear, valid=valid), np.ones_like(valid))
    assert seen.valid_share == pytest.approx(0.4, abs=0.01)
    assert seen.reasons[0] is Reason.NO_DATA


def test_every_limit_names_a_measure_and_why() -> None:
    assert {limit.reason for limit in LIMITS} | {Reason.NO_SCENE, Reason.MISALIGNED} == set(Reason)
    assert all(limit.measure in Quality.__dataclass_fields__ and limit.unit and limit.why for limit in LIMITS)
