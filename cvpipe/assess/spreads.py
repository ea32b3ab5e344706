"""How far measured areas may be off, from the network's probabilities, the areas' outlines and the shift left over.

An area is a sum of pixels that are each right or wrong. Errors of neighbouring pixels are alike (a roof is missed
whole), so that they do not cancel as independent ones would: the variance of the sum is Σᵢⱼ ρ(dᵢⱼ) sᵢ sⱼ with
sᵢ² = pᵢ (1 − pᵢ) and a correlation ρ that falls with distance (Wadoux & Heuvelink 2023, Methods Ecol. Evol. 14, on the
uncertainty of totals of maps). Two errors are not in the probabilities: where an outline lies within a pixel (the
epsilon band of Perkal 1956), and the shift that alignment left. How much of these makes an interval of 90 % was fitted
on drawn truth (`Rules.intervals`; `scripts/validate_rules.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.domain import SURFACES, ChangeKind, Figure, Registration, Spread, Surface

Codes = NDArray[np.uint8]
Mask = NDArray[np.bool_]
FloatArray = NDArray[np.float32]

#: Distance over which errors are alike, m: ρ(d) = exp(−d² / 2 L²). Of 1, 3 and 8 m the one whose intervals were
#: narrowest at equal coverage on drawn sites; it is about the width of a shed's roof side.
CORRELATION_M = 3.0

#: Pixels of shift that are taken where none could be found: the most with which a pair is judged at all.
UNKNOWN_SHIFT_PX = 2.0

#: An outline along pixel sides is longer than the line it stands for by 4/π, over all directions.
_STAIRS = math.pi / 4


@dataclass(frozen=True)
class Chances:
    """The network's probabilities in steps of 1 / `steps`: uint8 (8, H, W) in the order of SURFACES for each epoch, and
    (H, W) for each change. Values above `steps` stand for no answer.
    """

    before: Codes
    after: Codes
    change: Mapping[ChangeKind, Codes]
    steps: int


@dataclass(frozen=True)
class Seen:
    """One site's maps on one grid, arrays (H, W): surfaces, changes (1 change), pixels that count, retained pixels.

    `coarseness` is how many pixels of the grid the coarser epoch's own pixel measures, at least 1.
    """

    before: Codes
    after: Codes
    change: Mapping[ChangeKind, Codes]
    valid: Mask
    kept: Mask
    pixel_area_m2: float
    coarseness: float = 1.0


def spreads_of(seen: Seen, chances: Chances, registration: Registration) -> dict[Figure, Spread]:
    """The spread of every figure inside the site. Nothing outside `seen.valid` plays a part."""
    if not seen.valid.any():
        return {}
    seen, chances = _cut_out(seen, chances)
    residual = registration.residual_px if math.isfinite(registration.residual_px) else UNKNOWN_SHIFT_PX
    shift_m = residual * math.sqrt(seen.pixel_area_m2)
    return {figure: _spread(seen, *pair, shift_m) for figure, pair in _figures(seen, chances).items()}


def _cut_out(seen: Seen, chances: Chances) -> tuple[Seen, Chances]:
    """Both within the box around the pixels that count."""
    left, top, width, height = cv2.boundingRect(seen.valid.astype(np.uint8))
    box = slice(top, top + height), slice(left, left + width)
    changes = {kind: band[box] for kind, band in seen.change.items()}
    maps = seen.before[box], seen.after[box], changes, seen.valid[box], seen.kept[box]
    small = Seen(*maps, seen.pixel_area_m2, seen.coarseness)
    bands = {kind: band[box] for kind, band in chances.change.items()}
    return small, Chances(chances.before[:, *box], chances.after[:, *box], bands, chances.steps)


def _figures(seen: Seen, chances: Chances) -> dict[Figure, tuple[Mask, FloatArray]]:
    """Where each figure's area lies, and the probability of every pixel to belong to it."""
    free = ~seen.kept
    removed_band, added_band = (seen.change[k] == 1 for k in (ChangeKind.STRUCTURE_REMOVED, ChangeKind.STRUCTURE_ADDED))
    stood, stands = (seen.before == Surface.STRUCTURE) & free, (seen.after == Surface.STRUCTURE) & free
    rubble, green = seen.after == Surface.RUBBLE, seen.after == Surface.VEGETATION

    def surface(of: Codes, wanted: Surface) -> FloatArray:
        return _share(of[SURFACES.index(wanted)], chances.steps)

    def change(kind: ChangeKind) -> FloatArray:
        return _share(chances.change[kind], chances.steps)

    was, now = (surface(of, Surface.STRUCTURE) * free for of in (chances.before, chances.after))
    went, came = (change(k) * free for k in (ChangeKind.STRUCTURE_REMOVED, ChangeKind.STRUCTURE_ADDED))
    heap = surface(chances.after, Surface.RUBBLE)
    return {
        Figure.STRUCTURE_BEFORE: (stood, was),
        Figure.STRUCTURE_AFTER: (stands, now),
        Figure.STRUCTURE_REMOVED: (removed_band & free, went),
        Figure.STRUCTURE_ADDED: (added_band & free, came),
        Figure.STRUCTURE_UNREMOVED: (stood & ~removed_band, np.maximum(was - went, 0)),
        Figure.STRUCTURE_STANDING: (stands & ~added_band, np.maximum(now - came, 0)),
        Figure.RUBBLE: (rubble, heap),
        Figure.LEFT: (stands | rubble, now + heap),
        Figure.GREEN: (green, surface(chances.after, Surface.VEGETATION)),
        Figure.GREEN_ADDED: ((seen.change[ChangeKind.GREEN_ADDED] == 1) & green, change(ChangeKind.GREEN_ADDED)),
    }


def _share(stored: Codes, steps: int) -> FloatArray:
    return np.where(stored > steps, 0, stored).astype(np.float32) / np.float32(steps)


def _spread(seen: Seen, covered: Mask, probability: FloatArray, shift_m: float) -> Spread:
    """All parts grow with the coarseness: the network does not know what detail the picture lacks.

    Scenes of 0.6 m, judged at 0.3 m, needed twice the spread for the coverage that scenes of 0.3 m had without.
    """
    p = np.where(seen.valid, np.clip(probability, 0, 1), 0).astype(np.float32)
    pixel_m = math.sqrt(seen.pixel_area_m2)
    edge_m = edge_px(covered & seen.valid, seen.valid) * _STAIRS * pixel_m * seen.coarseness
    return Spread(
        expected_m2=float(p.sum(dtype=np.float64)) * seen.pixel_area_m2,
        chance_m2=chance_sd_px(p, CORRELATION_M / pixel_m) * seen.pixel_area_m2 * seen.coarseness,
        edge_m=edge_m,
        # a piece of outline at an angle θ to the shift is crossed by |cos θ| of it: 2/π on average, half each way
        shift_m2=shift_m * edge_m / math.pi,
    )


def chance_sd_px(probability: FloatArray, correlation_px: float) -> float:
    """Standard deviation of the number of pixels of an area, from the probability (H, W) of each to belong to it.

    The sum over all pairs of pixels is a Gaussian blur of the pixels' deviations times these; a correlation far shorter
    than a pixel leaves the pixels independent.
    """
    deviation = np.sqrt(probability * (1 - probability)).astype(np.float32)
    independent = float(np.square(deviation).sum(dtype=np.float64))
    if correlation_px < 0.5:
        return math.sqrt(independent)
    blurred = cv2.GaussianBlur(deviation, (0, 0), correlation_px, borderType=cv2.BORDER_CONSTANT)
    pairs = float((blurred * deviation).sum(dtype=np.float64)) * 2 * math.pi * correlation_px**2
    return math.sqrt(max(pairs, independent))


def edge_px(covered: Mask, valid: Mask) -> int:
    """Number of pixel sides between covered and uncovered pixels that both count; the site's own outline is no edge."""
    across = (covered[:, 1:] != covered[:, :-1]) & valid[:, 1:] & valid[:, :-1]
    down = (covered[1:] != covered[:-1]) & valid[1:] & valid[:-1]
    return int(np.count_nonzero(across) + np.count_nonzero(down))


__all__ = ["CORRELATION_M", "UNKNOWN_SHIFT_PX", "Chances", "Seen", "chance_sd_px", "edge_px", "spreads_of"]
