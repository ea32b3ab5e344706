"""Pixels of one site and one pair of epochs → areas in m²."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cvpipe.assess.spreads import Chances, Seen, spreads_of
from cvpipe.domain import SURFACES, ChangeKind, Measurements, Reason, Registration, Surface, VegetationIndex

Codes = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Index = NDArray[np.float32]

#: Vegetation index (NDVI) from which ground counts as green: shrubs and grass have 0.2 to 0.4, bare soil and roofs less
#: (Weier and Herring 2000, Measuring vegetation); the middle of that range.
GREEN_INDEX = 0.3

#: Ground counts as turned green only where its index rose by this much as well, so that ground near the limit does not
#: turn with the light. Chosen, not measured: no labelled pairs with near infrared are at hand.
INDEX_GAIN = 0.1

_STRUCTURE_CHANGES = frozenset({ChangeKind.STRUCTURE_REMOVED, ChangeKind.STRUCTURE_ADDED})
_NOT_ASSESSABLE = 255
"""A change band's value where it says nothing."""


def measure(
    *,
    surface_before: Codes,
    surface_after: Codes,
    change: Mapping[ChangeKind, Codes],
    usable: Mask,
    inside: Mask,
    retained: Mask | None,
    pixel_area_m2: float,
    registration: Registration,
    reasons: tuple[Reason, ...],
    chances: Chances | None = None,
    native_gsd_m: float | None = None,
    index: tuple[Index | None, Index | None] = (None, None),
) -> Measurements:
    """Count the pixels inside the site's outline and give their areas on the ground.

    All arrays are (H, W) on one grid. `surface_*` hold surface codes (255 no data), `change` one array for each
    kind with 1 change, 0 none, 255 not assessable. `usable` is true where both pictures can be relied on,
    `inside` within the outline, `retained` within outlines of structures that stay. Only pixels that are inside,
    usable and known in every array are counted in areas; `valid_share` tells how many of the outline those are.

    `chances` are the probabilities that the maps were decided from; without them the areas have no spreads.
    `native_gsd_m` is the ground pixel of the coarser scene where that is known: coarse pictures widen the spreads.

    `index` is the vegetation index of both epochs (H, W; NaN where unknown), None where one has no near infrared.

    Structure within `retained` is in `retained_m2` (later epoch) and in no other figure. Green counts as added
    only where the later surface is vegetation, so that a net never does.
    """
    valid = inside & usable & _known(surface_before, surface_after, change)
    kept = np.zeros_like(inside) if retained is None else retained

    def area(mask: Mask) -> float:
        return float(np.count_nonzero(mask & valid)) * pixel_area_m2

    coarseness = max((native_gsd_m or 0.0) / math.sqrt(pixel_area_m2), 1.0)
    seen = Seen(surface_before, surface_after, change, valid, kept, pixel_area_m2, coarseness)
    outline_px = int(np.count_nonzero(inside))
    return Measurements(
        site_area_m2=outline_px * pixel_area_m2,
        valid_share=float(np.count_nonzero(valid)) / outline_px if outline_px else 0.0,
        surface_before_m2={s: area(_covered(surface_before, s, kept)) for s in SURFACES},
        surface_after_m2={s: area(_covered(surface_after, s, kept)) for s in SURFACES},
        change_m2={kind: area(_changed(change[kind], kind, surface_after, kept)) for kind in ChangeKind},
        retained_m2=area((surface_after == Surface.STRUCTURE) & kept),
        registration=registration,
        reasons=reasons,
        spreads={} if chances is None else spreads_of(seen, chances, registration),
        index=_by_index(index, valid, pixel_area_m2),
    )


def _by_index(index: tuple[Index | None, Index | None], valid: Mask, pixel_area_m2: float) -> VegetationIndex | None:
    """Green by near infrared on the pixels that count, where both epochs know it for some of them."""
    before, after = index
    if before is None or after is None:
        return None
    seen = valid & np.isfinite(before) & np.isfinite(after)
    if not seen.any():
        return None
    was, now = before[seen] >= GREEN_INDEX, after[seen] >= GREEN_INDEX
    gained = now & ~was & (after[seen] - before[seen] >= INDEX_GAIN)
    return VegetationIndex(float(was.mean()), float(now.mean()), float(np.count_nonzero(gained)) * pixel_area_m2)


def _known(before: Codes, after: Codes, change: Mapping[ChangeKind, Codes]) -> Mask:
    known: Mask = (before != Surface.NO_DATA) & (after != Surface.NO_DATA)
    for band in change.values():
        known = known & (band != _NOT_ASSESSABLE)
    return known


def _covered(surface: Codes, wanted: Surface, kept: Mask) -> Mask:
    covered: Mask = surface == wanted
    if wanted is Surface.STRUCTURE:
        covered = covered & ~kept
    return covered


def _changed(band: Codes, kind: ChangeKind, surface_after: Codes, kept: Mask) -> Mask:
    changed: Mask = band == 1
    if kind in _STRUCTURE_CHANGES:
        changed = changed & ~kept
    elif kind is ChangeKind.GREEN_ADDED:
        changed = changed & (surface_after == Surface.VEGETATION)
    return changed


__all__ = ["measure"]
