"""The changes of a raster whose cells come one by one: kept as runs, specks and doubtful patches dropped on the way."""

from __future__ import annotations

import numpy as np

from cvpipe.detect.maps import NO_DATA, least_stored
from cvpipe.detect.polygons import Patches
from cvpipe.detect.prediction import Network, Pixels
from cvpipe.detect.runs import Runs, runs_of, together
from cvpipe.domain import ChangeKind
from cvpipe.geo import Window

#: Runs of a kind that are gathered before those of finished specks are dropped: 64 MB.
MOST_RUNS = 2_000_000


class Collected:
    """Changes by the network's thresholds; `seen` counts the pixels that could be assessed."""

    def __init__(self, network: Network, pixel_m2: float) -> None:
        self._kinds = {kind: _Kind(network, kind, pixel_m2) for kind in ChangeKind}
        self._row = 0
        self.seen = 0

    def add(self, probability: Pixels, window: Window) -> None:
        """Stored probabilities (4, H, W) in domain order of a cell; cells come row by row, each but once."""
        if window.row != self._row:
            self._row = window.row
            for kind in self._kinds.values():
                kind.drop_finished(window.row)
        for kind, values in zip(self._kinds.values(), probability, strict=True):
            kind.add(values, window)
        self.seen += probability[0].size - int(np.count_nonzero(probability[0] == NO_DATA))

    def patches(self) -> dict[ChangeKind, Patches]:
        """What is a change after all."""
        return {name: kind.patches() for name, kind in self._kinds.items()}


class _Kind:
    def __init__(self, network: Network, kind: ChangeKind, pixel_m2: float) -> None:
        self._lowest = least_stored(network, kind)
        self._min_px = network.min_area_m2[kind] / pixel_m2
        self._least = network.min_probability[kind]
        self._parts = list[Runs]()
        self._kept = 0

    def add(self, probability: Pixels, window: Window) -> None:
        changed = probability >= self._lowest
        changed &= probability != NO_DATA
        runs = runs_of(changed, probability, window.row, window.col)
        if len(runs):
            self._parts.append(runs)

    def drop_finished(self, row: int) -> None:
        """Forget what lies above a row, reaches nothing that is still to come, and is no change."""
        if sum(map(len, self._parts)) < self._kept + MOST_RUNS:
            return
        found = Patches.of(together(self._parts))
        runs = found.chosen(self._is_change(found) | found.reaching(row - 1)).runs
        self._parts, self._kept = [runs], len(runs)

    def patches(self) -> Patches:
        found = Patches.of(together(self._parts))
        return found.chosen(self._is_change(found))

    def _is_change(self, found: Patches) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return (found.pixels >= self._min_px) & (found.probability >= self._least)


__all__ = ["Collected"]
