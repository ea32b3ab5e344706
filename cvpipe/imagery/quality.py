"""Whether two epochs of a site can be compared at all; "not assessable" is an answer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.domain import Reason, Registration
from cvpipe.imagery.alignment import MAX_SHIFT_PX, MIN_CONFIDENCE
from cvpipe.imagery.clouds import Mask, all_bands_within, cloud, grey, wide_areas
from cvpipe.imagery.reading import Patch

#: Saturated: all bands at the top of the scale, over at least this area in m². A white roof that dazzles the sensor is
#: still seen to be a roof; glint or a wrong exposure over more than that shows nothing.
SATURATED = 254
SATURATED_AREA_M2 = 2500.0

#: Deep shadow: all bands at most this bright (8 bit); nothing can be told apart there.
SHADOW_BRIGHTNESS = 18

#: Limits of the verdict "not assessable", shares of the site's outline. Half the outline must be seen for a figure
#: about all of it; cloud hides structures altogether, hence the stricter limit.
MIN_VALID_SHARE = 0.5
MAX_CLOUD_SHARE = 0.2
MAX_SHADOW_SHARE = 0.5

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

#: Largest residual in pixels between the epochs after alignment; 2 px cost nine points of IoU, 4 px twenty-one.
MAX_RESIDUAL_PX = 2.0


@dataclass(frozen=True)
class Quality:
    """What one epoch shows of a site. Shares (0..1) are of the site's outline.

    `blur` is the spread of the Laplacian (Pech-Pacheco et al. 2000) divided by that of the detail, in a picture brought
    to 0.5 m: high where edges are sharp, near zero where they are washed out; NaN for an even field.
    `reasons` names what makes this epoch unusable.
    """

    valid_share: float
    cloud_share: float
    shadow_share: float
    saturated_share: float
    blur: float
    reasons: tuple[Reason, ...]


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
    found = {*quality_of(before, inside, after).reasons, *quality_of(after, inside, before).reasons}
    if native_gsd_m > MAX_COARSENESS * before.grid.ground_pixel_m():
        found.add(Reason.TOO_COARSE)
    if registration.confidence >= MIN_CONFIDENCE and _is_misaligned(registration):
        found.add(Reason.MISALIGNED)
    return tuple(reason for reason in Reason if reason in found)


def quality_of(patch: Patch, inside: Mask, other: Patch | None = None) -> Quality:
    """The quality of one epoch inside a site's outline (H, W); `other` is the other epoch, if there is one."""
    valid = patch.valid & inside
    shares = (
        _share(valid, inside),
        _share(cloud(patch, other), inside),
        _share(_in_shadow(patch), inside),
        _share(_saturated(patch), inside),
    )
    blur = _sharpness(patch, inside)
    return Quality(*shares, blur, _reasons(*shares[:3], blur))


def _reasons(valid_share: float, cloud_share: float, shadow_share: float, blur: float) -> tuple[Reason, ...]:
    limits = (
        (Reason.NO_DATA, valid_share < MIN_VALID_SHARE),
        (Reason.CLOUD, cloud_share > MAX_CLOUD_SHARE),
        (Reason.SHADOW, shadow_share > MAX_SHADOW_SHARE),
        (Reason.BLURRED, blur < MIN_SHARPNESS),
    )
    return tuple(reason for reason, broken in limits if broken)


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


def _in_shadow(patch: Patch) -> Mask:
    return np.asarray(patch.valid & all_bands_within(patch.pixels, 0, SHADOW_BRIGHTNESS))


def _share(mask: Mask, inside: Mask) -> float:
    whole = np.count_nonzero(inside)
    return float(np.count_nonzero(mask & inside) / whole) if whole else 0.0
