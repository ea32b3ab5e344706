"""Which sites look at their ground together (`cvpipe.run.sharing`), for many lists of sites in lockstep.

A plan asks this of all of its sites. Within a list each step hangs on the one before, so that the lists, not the sites,
are what is done at once: the first site of each, then the second of each. Answers are those of the lists one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvpipe.domain import Site
from cvpipe.run.sharing import MOST_OPEN, Scale, along, boxes_of, cost_of, in_order, most_m

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Grouped:
    """The group of each site (N,), all lists after each other, and the groups' boxes (G, 4): left, bottom, right, top
    in metres without any margin."""

    group: Numbers
    boxes: Floats


def grouped(lists: Sequence[Sequence[Site]], scale: Scale) -> Grouped:
    """The sites of each list that look at their ground together. Lists are of one site or more."""
    boxes = [boxes_of(sites) for sites in lists]
    orders = [in_order(sites, table, scale) for sites, table in zip(lists, boxes, strict=True)]
    lengths = np.array([len(sites) for sites in lists], np.int64)
    starts = np.cumsum(lengths) - lengths
    order = np.concatenate([np.asarray(one) + start for one, start in zip(orders, starts.tolist(), strict=True)])
    found = _Lockstep(np.concatenate(boxes)[order], starts, lengths, scale).grouped()
    group = np.empty_like(found.group)
    group[order] = found.group
    return Grouped(group, found.boxes)


class _Lockstep:
    """Open groups of each list, the oldest first, in up to `MOST_OPEN` places and one for the moment."""

    def __init__(self, boxes: Floats, starts: Numbers, lengths: Numbers, scale: Scale) -> None:
        longest_first = np.argsort(-lengths, kind="stable")
        self._starts, self._lengths = starts[longest_first], lengths[longest_first]
        self._boxes, self._scale = boxes, scale
        self._alone = self._costs(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
        lists, places = len(lengths), MOST_OPEN + 1
        self._count = np.zeros(lists, np.int64)
        self._open, self._cost = np.zeros((lists, places, 4)), np.zeros((lists, places))
        self._ids = np.zeros((lists, places), np.int64)
        self._group, self._found = np.zeros(len(boxes), np.int64), np.zeros_like(boxes)
        self._groups = 0

    def grouped(self) -> Grouped:
        """Step by step."""
        for step in range(int(self._lengths[0])):
            lists = int(np.searchsorted(-self._lengths, -step))  # those that have so many sites
            self._step(self._starts[:lists] + step)
        return Grouped(self._group, self._found[: self._groups])

    def _step(self, sites: Numbers) -> None:
        """One site of each of the first lists: it joins the group that saves most, else it opens one."""
        lists, box, most = len(sites), self._boxes[sites], most_m(self._scale)
        lows = np.minimum(self._open[:lists, :, :2], box[:, None, :2])
        highs = np.maximum(self._open[:lists, :, 2:], box[:, None, 2:])
        sides = highs - lows
        fits = (sides <= most).all(axis=2) & (np.arange(MOST_OPEN + 1) < self._count[:lists, None])
        row, place = np.nonzero(fits)
        costs, saved = np.zeros((2, lists, MOST_OPEN + 1))
        costs[row, place] = self._costs(sides[row, place, 0], sides[row, place, 1])
        saved[row, place] = self._cost[row, place] + self._alone[sites[row]] - costs[row, place]
        best = saved.argmax(axis=1)
        joins = saved[np.arange(lists), best] > 0
        row, place = np.flatnonzero(joins), best[joins]
        both = np.concatenate([lows[row, place], highs[row, place]], axis=1)
        self._set(row, place, self._ids[row, place], both, costs[row, place], sites[row])
        self._open_groups(np.flatnonzero(~joins), box, sites)

    def _open_groups(self, row: Numbers, box: Floats, sites: Numbers) -> None:
        """Groups of one site each; the oldest of more than `MOST_OPEN` is closed."""
        ids = np.arange(self._groups, self._groups + len(row))
        self._groups += len(row)
        self._set(row, self._count[row], ids, box[row], self._alone[sites[row]], sites[row])
        self._count[row] += 1
        full = row[self._count[row] > MOST_OPEN]
        for table in (self._open, self._cost, self._ids):
            table[full, :-1] = table[full, 1:]
        self._count[full] = MOST_OPEN

    def _set(self, row: Numbers, place: Numbers, ids: Numbers, box: Floats, cost: Floats, sites: Numbers) -> None:
        self._open[row, place], self._cost[row, place], self._ids[row, place] = box, cost, ids
        self._group[sites], self._found[ids] = ids, box

    def _costs(self, width_m: Floats, height_m: Floats) -> Floats:
        """What looking at boxes with their margin costs (N,)."""
        around = 2 * self._scale.margin_m
        width, height = (np.maximum(np.ceil((side + around) / self._scale.gsd_m), 1) for side in (width_m, height_m))
        return cost_of(self._along(width) * self._along(height), width, height, self._scale)

    def _along(self, lengths: Floats) -> Floats:
        known, at = np.unique(lengths, return_inverse=True)
        return np.array([along(int(length), self._scale.tile_px) for length in known], np.float64)[at]


__all__ = ["Grouped", "grouped"]
