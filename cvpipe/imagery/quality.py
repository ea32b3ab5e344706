"""Whether two epochs of a site can be compared at all; "not assessable" is an answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.domain import Reason, Registration
from cvpipe.imagery.alignment import MAX_SHIFT_PX, MIN_CONFIDENCE
from cvpipe.imagery.clouds import Mask, all_bands_within, cloud, grey, most_white, white, wide_areas
from cvpipe.imagery.reading import Patch

#: Saturated: all bands at the top of the scale, over at least this area in m². A white roof that dazzles the sensor is
#: still seen to be a roof; glint or a wrong exposure over more than that shows nothing.
SATURATED = 254
SATURATED_AREA_M2 = 2500.0

#: Deep shadow: all bands at most this bright (8 bit); nothing can be told apart there.
SHADOW_BRIGHTNESS = 18

#: Snow: this share of everything in view is white and was not at the other epoch. White halls fill a picture of 50 m
#: to 82 %; a site is looked at with its surroundings, which no hall covers. Snow leaves trees and walls uncovered: a
#: picture as white without sharp detail is cloud.
SNOW_SHARE = 0.85

#: Haze lifts the darkest band of the darkest pixel within this many metres (He et al. 2009, Dark channel prior): the
#: median of that, 0..1, is up to 0.43 on clear fields and 0.58 on beaches (five sets), where the ground itself is
#: light; it lowers the score from the first number to nothing at the second, but is no reason by itself.
HAZE_M = 15.0
HAZE_RANGE = (0.45, 0.75)

#: Limits of the verdict "not assessable", shares of the site's outline. Half the outline must be seen for a figure
#: about all of it; cloud hides structures altogether, hence the stricter limit.
MIN_VALID_SHARE = 0.5
MAX_CLOUD_SHARE = 0.2
MAX_SHADOW_SHARE = 0.5
MAX_SNOW_SHARE = 0.5

#: Sharpness below which an epoch counts as blurred (see `Quality.blur`). Measured on 300 pictures of six aerial and
#: satellite sets: 0.63 to 2.7 as they are; 0.18 to 0.30 after blurring by 0.75 m (standard deviation), about 0.16 by
#: 1 m, about 0.11 by 1.5 m.
MIN_SHARPNESS = 0.16

#: Detail is what remains without shades wider than this (pixels of 0.5 m); with less contrast in it than this
#: (standard deviation of grey levels), or fewer pixels, sharpness cannot be judged: an even field is not blurred.
DETAIL_PX = 10.0
MIN_CONTRAST = 5.0
MIN_SHARPNESS_PIXELS = 400

#: Native pixels this many times larger than the network's hide the structures that it was trained to see.
MAX_COARSENESS = 3.0

#: Largest residual in pixels between the epochs after alignment; 2 px cost nine points of IoU, 4 px twenty-one. A
#: site's own surroundings show a shift more exactly than that or none at all (`alignment.MAX_ERROR_PX`); where they
#: show none, the scenes as a whole decide, and those can be bent against each other by more.
MAX_RESIDUAL_PX = 2.0


@dataclass(frozen=True)
class Limit:
    """What makes an epoch unusable: `measure` of `Quality`, in `unit`, below or above `value`, and why just there."""

    reason: Reason
    measure: str
    unit: str
    value: float
    at_least: bool
    why: str

    def is_broken(self, found: float) -> bool:
        """Whether what was measured of an epoch lies on the wrong side; what could not be (NaN) does not."""
        return found < self.value if self.at_least else found > self.value


@dataclass(frozen=True)
class Quality:
    """What one epoch shows of a site. Shares (0..1) are of the site's outline.

    `blur` is the spread of the Laplacian (Pech-Pacheco et al. 2000) divided by that of the detail, in a picture brought
    to 0.5 m: high where edges are sharp, near zero where they are washed out; NaN for an even field.
    `haze` (0..1) is the dark channel, `coarseness` native pixels per pixel of the grid, both as told above.
    `reasons` names what makes this epoch unusable.
    """

    valid_share: float
    cloud_share: float
    shadow_share: float
    saturated_share: float
    snow_share: float
    haze: float
    blur: float
    coarseness: float
    reasons: tuple[Reason, ...]

    @property
    def score(self) -> float:
        """One number to choose epochs by, 0..1: the share of the site that can be judged, times how clearly.

        0 for an unusable epoch. Haze, blur from half the limit upwards and coarse pixels take off their part.
        """
        if self.reasons:
            return 0.0
        hidden = self.cloud_share + self.shadow_share + self.saturated_share + self.snow_share
        clear = 1 - _within(self.haze, HAZE_RANGE)
        sharp = 1.0 if math.isnan(self.blur) else 0.5 + _within(self.blur, (MIN_SHARPNESS, 2 * MIN_SHARPNESS)) / 2
        fine = 1 - _within(self.coarseness, (1.0, MAX_COARSENESS)) / 2
        return round(max(self.valid_share - hidden, 0.0) * clear * sharp * fine, 3)


def usable(patch: Patch, other: Patch | None = None) -> Mask:
    """Pixels that can be judged, bool (H, W): valid and neither under cloud nor saturated.

    With the `other` epoch on the same grid, what looks like cloud in both is taken for ground.
    """
    hidden = cloud(patch, other)
    hidden |= _saturated(patch)
    return np.asarray(patch.valid & ~hidden)


def judge(
    before: Patch,
    after: Patch,
    inside: Mask,
    registration: Registration,
    *,
    native_gsd_m: float = 0.0,
) -> tuple[Reason, ...]:
    """Why the two epochs of a site cannot be compared; empty where they can.

    Both patches on one grid, `inside` (H, W) the site's outline there, `native_gsd_m` the coarser ground pixel of the
    two scenes in metres. An alignment that was not found is no reason: the scenes' own georeference then holds.
    """
    pairs = ((before, after), (after, before))
    found = {r for one, other in pairs for r in _reasons(_limited(one, inside, other, native_gsd_m))}
    if registration.confidence >= MIN_CONFIDENCE and _is_misaligned(registration):
        found.add(Reason.MISALIGNED)
    return tuple(reason for reason in Reason if reason in found)


def quality_of(patch: Patch, inside: Mask, other: Patch | None = None, *, native_gsd_m: float = 0.0) -> Quality:
    """The quality of one epoch inside a site's outline (H, W); `other` is the other epoch, if there is one.

    `native_gsd_m` is the ground pixel of the scene in metres, 0 where it does not matter.
    """
    limited = _limited(patch, inside, other, native_gsd_m)
    glint = _share(_saturated(patch), inside)
    return Quality(**limited, saturated_share=glint, haze=_haze(patch), reasons=_reasons(limited))


def _limited(patch: Patch, inside: Mask, other: Patch | None, native_gsd_m: float) -> dict[str, float]:
    """Those of the measures that have a limit."""
    snow = _snow(patch, other)
    return {
        "valid_share": _share(patch.valid, inside),
        "cloud_share": _share(cloud(patch, other) & ~snow, inside),
        "shadow_share": _share(_in_shadow(patch), inside),
        "snow_share": _share(snow, inside),
        "blur": _sharpness(patch, inside),
        "coarseness": native_gsd_m / patch.grid.ground_pixel_m(),
    }


#: Each limit of an epoch by itself; that of two epochs together is `MAX_RESIDUAL_PX`. Glint and haze only lower the
#: score: glint hides what it covers (see `usable`), and haze alone has made no site unreadable.
LIMITS = (
    Limit(Reason.NO_DATA, "valid_share", "share of the outline", MIN_VALID_SHARE, True, "half of it must be seen"),
    Limit(Reason.CLOUD, "cloud_share", "share of the outline", MAX_CLOUD_SHARE, False, "cloud hides structures"),
    Limit(Reason.SHADOW, "shadow_share", "share of the outline", MAX_SHADOW_SHARE, False, "half of it must be seen"),
    Limit(Reason.TOO_COARSE, "coarseness", "pixels", MAX_COARSENESS, False, "what the network knows has gone"),
    Limit(Reason.BLURRED, "blur", "spread of edges by that of detail", MIN_SHARPNESS, True, "a blur of 1 m and more"),
    Limit(Reason.SNOW, "snow_share", "share of the outline", MAX_SNOW_SHARE, False, "half of it must be seen"),
)


def _reasons(limited: Mapping[str, float]) -> tuple[Reason, ...]:
    return tuple(limit.reason for limit in LIMITS if limit.is_broken(limited[limit.measure]))


def _is_misaligned(registration: Registration) -> bool:
    return max(map(abs, registration.shift_px)) >= MAX_SHIFT_PX or registration.residual_px > MAX_RESIDUAL_PX


def _sharpness(patch: Patch, inside: Mask) -> float:
    level = _at_half_metre(grey(patch.pixels), patch)
    seen = _at_half_metre((patch.valid & inside).astype(np.float32), patch) > 0.99
    if seen.sum() < MIN_SHARPNESS_PIXELS:
        return math.nan
    detail = level - np.asarray(cv2.GaussianBlur(level, (0, 0), DETAIL_PX))
    contrast = float(detail[seen].std())
    if contrast < MIN_CONTRAST:
        return math.nan
    return float(np.asarray(cv2.Laplacian(level, cv2.CV_32F))[seen].std()) / contrast


def _at_half_metre(picture: NDArray[np.float32], patch: Patch) -> NDArray[np.float32]:
    scale = patch.grid.ground_pixel_m() / 0.5
    if scale >= 1:
        return picture
    size = max(round(picture.shape[1] * scale), 1), max(round(picture.shape[0] * scale), 1)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)


def _saturated(patch: Patch) -> Mask:
    dazzling = all_bands_within(patch.pixels, SATURATED, 255)
    return wide_areas(dazzling, SATURATED_AREA_M2 / patch.grid.pixel_area_m2())


def _snow(patch: Patch, other: Patch | None) -> Mask:
    """White ground where nearly all that is in view is white, bool (H, W); not where it is white at the other epoch."""
    least = SNOW_SHARE * max(int(np.count_nonzero(patch.valid)), 1)
    if most_white(patch) < least:  # nearly always so
        return np.zeros_like(patch.valid)
    covered = white(patch) & patch.valid
    if np.count_nonzero(covered) < least:
        return np.zeros_like(covered)
    if not _sharpness(patch, patch.valid) >= 2 * MIN_SHARPNESS:  # not a number: nothing to see
        return np.zeros_like(covered)
    return covered if other is None else covered & ~white(other)


def _haze(patch: Patch) -> float:
    """Median of the dark channel, 0..1, on valid ground."""
    side = max(round(HAZE_M / patch.grid.ground_pixel_m()), 3)
    red, green, blue = cv2.split(patch.pixels)
    lowest = np.asarray(cv2.min(cv2.min(red, green), blue))  # numpy's minimum along bands takes fifty times as long
    darkest = np.where(patch.valid, lowest, np.uint8(255)).astype(np.uint8)
    step = max(side // 8, 1)  # the minimum over 15 m needs no finer samples than an eighth of that
    thinned = cv2.erode(darkest, np.ones((step, step), np.uint8))[::step, ::step]
    channel = np.asarray(cv2.erode(thinned, np.ones((8, 8), np.uint8) if step > 1 else np.ones((side, side), np.uint8)))
    seen = channel[patch.valid[::step, ::step]]
    return float(np.median(seen)) / 255 if seen.size else 0.0


def _within(value: float, limits: tuple[float, float]) -> float:
    """0 at the lower limit, 1 at the upper one."""
    return min(max((value - limits[0]) / (limits[1] - limits[0]), 0.0), 1.0)


def _in_shadow(patch: Patch) -> Mask:
    return np.asarray(patch.valid & all_bands_within(patch.pixels, 0, SHADOW_BRIGHTNESS))


def _share(mask: Mask, inside: Mask) -> float:
    whole = np.count_nonzero(inside)
    return float(np.count_nonzero(mask & inside) / whole) if whole else 0.0
