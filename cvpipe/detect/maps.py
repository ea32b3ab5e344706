"""Blended probabilities become maps: surfaces, the probability of each change, and the changes themselves."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from cvpipe.detect.prediction import Cell, Mask, Network, Pixels, Strip, cells
from cvpipe.domain import SURFACES, ChangeKind, Surface
from cvpipe.errors import SceneError
from cvpipe.geo import Grid, Window
from cvpipe.imagery.quality import usable
from cvpipe.imagery.reading import Patch
from cvpipe.network.probabilities import FloatArray, sigmoid, soften

#: Probabilities are kept as uint8: 0..254 stand for 0..1, so a step is 0.4 %, finer than any calibration.
PROBABILITY_SCALE = 254

#: Value of change and probability maps where the pair cannot be judged, and of surface maps where an epoch cannot.
NO_DATA = int(Surface.NO_DATA)

#: Code of each place in the order of surfaces, as cv2.LUT wants it.
_CODES = np.zeros(256, np.uint8)
_CODES[: len(SURFACES)] = SURFACES
_VEGETATION = SURFACES.index(Surface.VEGETATION)


@dataclass(frozen=True)
class PairMaps:
    """All that is seen on one grid for one pair of epochs; arrays (H, W).

    `surface_before` and `surface_after` hold surface codes (uint8, 255 where that epoch is not usable), `change` 1, 0
    or 255 (not assessable: one of the epochs is not usable), `probability` the probability of each change in steps of
    1/254 (255 where not assessable), `chance_before` and `chance_after` that of each surface, uint8 (8, H, W) in the
    order of `domain.SURFACES` (255 where that epoch is not usable). `usable_before` and `usable_after` are bool. A
    pixel is a change where its stored probability exceeds the network's threshold, and the area of such pixels that it
    is joined to by their sides reaches the network's `min_area_m2`, their mean probability its `min_probability`.
    """

    grid: Grid
    surface_before: Pixels
    surface_after: Pixels
    change: dict[ChangeKind, Pixels]
    probability: dict[ChangeKind, Pixels]
    usable_before: Mask
    usable_after: Mask
    chance_before: Pixels
    chance_after: Pixels


@dataclass(frozen=True)
class CellMaps:
    """One cell's maps as in `Seen`: surface codes uint8 (H, W) of both epochs, probabilities uint8 (4, H, W) in domain
    order, and where they were asked for, those of each surface at both epochs, uint8 (2, 8, H, W)."""

    surface_before: Pixels
    surface_after: Pixels
    probability: Pixels
    chances: Pixels | None


@dataclass(frozen=True)
class Seen:
    """What the network says of two patches, before anything is decided; arrays as in `PairMaps`, probability (4, H, W).

    Each pixel stands for itself: a part of it is what would be seen of that part alone, but for what the network sees
    around it.
    """

    grid: Grid
    surface_before: Pixels
    surface_after: Pixels
    probability: Pixels
    usable_before: Mask
    usable_after: Mask
    chance_before: Pixels
    chance_after: Pixels

    def part(self, grid: Grid) -> Seen:
        """What lies on a smaller grid of the same lattice."""
        place = self.grid.window_of_grid(grid).slices
        arrays = (value[..., *place] for name, value in vars(self).items() if name != "grid")
        return Seen(grid, *(np.ascontiguousarray(array) for array in arrays))

    def decided(self, network: Network) -> PairMaps:
        """The changes by the network's thresholds, specks and doubtful patches left out."""
        by_kind = dict(zip(ChangeKind, self.probability, strict=True))
        change = {kind: decided(p, kind, network, self.grid.pixel_area_m2()) for kind, p in by_kind.items()}
        for kind, mask in change.items():
            _drop_doubtful(mask, by_kind[kind], network.min_probability[kind])
        return PairMaps(
            self.grid,
            self.surface_before,
            self.surface_after,
            change,
            by_kind,
            self.usable_before,
            self.usable_after,
            self.chance_before,
            self.chance_after,
        )


def compare(network: Network, before: Patch, after: Patch) -> PairMaps:
    """Compare two patches that already lie on one grid, one aligned to the other.

    For a site or a small pair: all maps are held in memory. Raises SceneError where the patches' shapes differ.
    """
    return see(network, before, after).decided(network)


def see(network: Network, before: Patch, after: Patch) -> Seen:
    """Ask the network about two patches that lie on one grid. Raises SceneError where their shapes differ."""
    if before.pixels.shape != after.pixels.shape:
        raise SceneError(
            f"the epochs differ in shape: {before.pixels.shape[:2]} and {after.pixels.shape[:2]}",
            remedy="Read both on one grid.",
        )
    grid, pair = before.grid, strip_of(before, after)
    surface_before, surface_after = (np.full(grid.shape, NO_DATA, np.uint8) for _ in range(2))
    chance_before, chance_after = (np.full((len(SURFACES), *grid.shape), NO_DATA, np.uint8) for _ in range(2))
    probability = np.full((len(ChangeKind), *grid.shape), NO_DATA, np.uint8)
    for cell in cells(network, grid.width, grid.height, pair.part):
        maps, place = cell_maps(cell, with_chances=True), cell.window.slices
        surface_before[place], surface_after[place] = maps.surface_before, maps.surface_after
        probability[:, *place] = maps.probability
        assert maps.chances is not None
        chance_before[:, *place], chance_after[:, *place] = maps.chances
    return Seen(
        grid,
        surface_before,
        surface_after,
        probability,
        pair.usable_before,
        pair.usable_after,
        chance_before,
        chance_after,
    )


def strip_of(before: Patch, after: Patch) -> Strip:
    """The patches' pixels with a judgement on each: what cloud or glare hides is as unusable as missing data."""
    return Strip(before.pixels, after.pixels, usable(before, after), usable(after, before))


def cell_maps(cell: Cell, *, with_chances: bool = False) -> CellMaps:
    """Surfaces and probabilities of a cell, 255 wherever an epoch (for changes: one of them) is not usable."""
    n, shape = len(SURFACES), (cell.window.height, cell.window.width)
    surfaces = np.full((2, *shape), NO_DATA, np.uint8)
    probability = np.full((len(ChangeKind), *shape), NO_DATA, np.uint8)
    chances = np.full((2, n, *shape), NO_DATA, np.uint8) if with_chances else None
    usable = np.stack([cell.strip.usable_before, cell.strip.usable_after])
    for rows, logits in cell.bands():
        seen = usable[:, rows]
        if not seen.any():
            continue
        green = []
        for epoch in range(2):
            own = logits[epoch * n : (epoch + 1) * n].copy()
            codes = np.asarray(cv2.LUT(_likeliest(own), _CODES), np.uint8)
            surfaces[epoch, rows] = np.where(seen[epoch], codes, NO_DATA)
            total = soften(own)
            green.append(own[_VEGETATION] / total)
            if chances is not None:
                chances[epoch, :, rows] = _stored(own / total, seen[epoch])
        changes = (*sigmoid(logits[2 * n :]), *_green(*green))
        probability[:, rows] = _stored(changes, seen[0] & seen[1])
    return CellMaps(surfaces[0], surfaces[1], probability, chances)


def least_stored(network: Network, kind: ChangeKind) -> int:
    """The lowest stored probability that makes a change."""
    return math.floor(network.thresholds[kind] * PROBABILITY_SCALE) + 1


def decided(probability: Pixels, kind: ChangeKind, network: Network, pixel_area_m2: float) -> Pixels:
    """1 where a stored probability (H, W) makes a change of this kind, 0 where not, 255 where not assessable.

    Patches below the network's `min_probability` are still in it: their mean is known only once they are seen whole.
    """
    change = (probability >= least_stored(network, kind)).view(np.uint8)
    np.putmask(change, probability == NO_DATA, NO_DATA)
    _drop_specks(change, network.min_area_m2[kind] / pixel_area_m2)
    return change


def _likeliest(logits: FloatArray) -> Pixels:
    """Index of the highest value of each pixel, the first of equals; numpy's argmax takes ten times as long."""
    highest = logits[0].copy()
    index = np.zeros(highest.shape, np.uint8)
    for i, values in enumerate(logits[1:], start=1):
        higher = (values > highest).view(np.uint8)
        np.maximum(index, higher * np.uint8(i), out=index)
        np.maximum(highest, values, out=highest)
    return index


def _green(before: FloatArray, after: FloatArray) -> tuple[FloatArray, FloatArray]:
    """green_added and green_removed (H, W): green at one epoch and not at the other, held to be independent."""
    return after * (1 - before), before * (1 - after)


def _stored(probabilities: Iterable[FloatArray], seen: Mask) -> Pixels:
    """Probabilities (H, W) as they are kept, uint8 (n, H, W)."""
    scaled = [cv2.convertScaleAbs(probability, alpha=PROBABILITY_SCALE) for probability in probabilities]
    stored = np.minimum(np.stack(scaled), PROBABILITY_SCALE, dtype=np.uint8)
    stored[:, ~seen] = NO_DATA
    return stored


def _drop_specks(change: Pixels, min_px: float) -> None:
    """Set areas of changed pixels (joined by their sides) that are smaller than `min_px` to 0, in place."""
    changed = (change == 1).view(np.uint8)
    left, top, width, height = cv2.boundingRect(changed)
    if min_px <= 1 or width == 0:
        return
    part = Window(left, top, width, height).slices
    _, labels, stats, _ = cv2.connectedComponentsWithStats(changed[part], connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < min_px
    small[0] = False  # the background
    if small.any():
        change[part][small[labels]] = 0


def _drop_doubtful(change: Pixels, probability: Pixels, least: float) -> None:
    """Set areas of changed pixels whose mean stored probability is below `least` (0..1) to 0, in place."""
    changed = (change == 1).view(np.uint8)
    left, top, width, height = cv2.boundingRect(changed)
    if least <= 0 or width == 0:
        return
    part = Window(left, top, width, height).slices
    count, labels = cv2.connectedComponents(changed[part], connectivity=4)
    numbers = labels.ravel()
    total = np.bincount(numbers, weights=probability[part].ravel(), minlength=count)
    doubtful = total / np.bincount(numbers, minlength=count) / PROBABILITY_SCALE < least
    doubtful[0] = False  # the background
    change[part][doubtful[labels]] = 0


__all__ = [
    "NO_DATA",
    "PROBABILITY_SCALE",
    "CellMaps",
    "PairMaps",
    "Seen",
    "cell_maps",
    "compare",
    "decided",
    "least_stored",
    "see",
    "strip_of",
]
