"""Pixels of one site and one pair of epochs → areas in m²."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cvpipe.domain import SURFACES, ChangeKind, Measurements, Reason, Registration, Surface

Codes = NDArray[np.uint8]
Mask = NDArray[np.bool_]

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
) -> Measurements:
    """Count the pixels inside the site's outline and give their areas on the ground.

    All arrays are (H, W) on one grid. `surface_*` hold surface codes (255 no data), `change` one array for each
    kind with 1 change, 0 none, 255 not assessable. `usable` is true where both pictures can be relied on,
    `inside` within the outline, `retained` within outlines of structures that stay. Only pixels that are inside,
    usable and known in every array are counted in areas; `valid_share` tells how many of the outline those are.

    Structure within `retained` is in `retained_m2` (later epoch) and in no other figure. Green counts as added
    only where the later surface is vegetation, so that a net never does.
    """
    valid = inside & usable & _known(surface_before, surface_after, change)
    kept = np.zeros_like(inside) if retained is None else retained

    def area(mask: Mask) -> float:
        return float(np.count_nonzero(mask & valid)) * pixel_area_m2

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
    )


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
