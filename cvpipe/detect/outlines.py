"""Areas of runs become outlines along the edges of their pixels, all at once: cost goes with their edges.

Edges are directed, the changed pixels on their right (x right, y down), so that outer rings run clockwise to the eye
and holes against that. Where two pixels touch at a corner only, a ring that comes there turns right and stays with its
own pixel; if both are of one area, it turns left, so that what they enclose is a hole and no ring meets itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from cvpipe.detect.runs import Integers, Runs

_LEFT, _RIGHT, _UP, _DOWN = range(4)

#: Direction of an edge → the one that leaves a corner to its right.
_TURNED_RIGHT = np.array([_UP, _DOWN, _RIGHT, _LEFT])


@dataclass(frozen=True)
class _Edges:
    """Straight pieces of outlines from (x0, y0) to (x1, y1), the area of each, and its direction; arrays (n,)."""

    x0: Integers
    y0: Integers
    x1: Integers
    y1: Integers
    way: Integers
    area: Integers


def outlines(runs: Runs, areas: Integers) -> npt.NDArray[np.object_]:
    """The polygon of each area in pixels, with its holes; `areas` (n,) as `runs.areas_of` numbers the runs."""
    if not len(runs):
        return np.zeros(0, object)
    edges = _edges(runs, areas)
    order, ring = _in_rings(_following(edges))
    x, y = edges.x0[order], edges.y0[order]
    starts = np.flatnonzero(np.diff(ring, prepend=-1))
    nexts = np.arange(1, len(ring) + 1)
    nexts[np.append(starts[1:], len(ring)) - 1] = starts
    is_hole = np.add.reduceat(x * y[nexts] - x[nexts] * y, starts) < 0
    rings = shapely.linearrings(np.column_stack([x, y]).astype(np.float64), indices=ring)
    area = edges.area[order][starts]
    by_area = np.lexsort((is_hole, area))  # its outer ring first
    return np.asarray(shapely.polygons(rings[by_area], indices=area[by_area]))


def _edges(runs: Runs, areas: Integers) -> _Edges:
    parts = _upright(runs, areas), _level(runs, areas)
    return _Edges(*(np.concatenate([getattr(part, name) for part in parts]) for name in _Edges.__annotations__))


def _upright(runs: Runs, areas: Integers) -> _Edges:
    """The runs' ends; those that lie on one line are one edge."""
    x, row = np.concatenate([runs.starts, runs.ends]), np.tile(runs.rows, 2)
    way, area = np.repeat([_UP, _DOWN], len(runs)), np.tile(areas, 2)
    key = (x * 4 + way) * (int(runs.rows.max()) + 2) + row
    order = np.argsort(key)
    firsts = np.flatnonzero(np.diff(key[order], prepend=-2) != 1)
    first, last = order[firsts], order[np.append(firsts[1:], len(order)) - 1]
    top, bottom, is_up = row[first], row[last] + 1, way[first] == _UP
    return _Edges(
        x[first], np.where(is_up, bottom, top), x[first], np.where(is_up, top, bottom), way[first], area[first]
    )


def _level(runs: Runs, areas: Integers) -> _Edges:
    """Along a line between two rows, where one of both is changed: below it the edge goes right, above it left."""
    stride = int(runs.ends.max()) + 1
    starts, ends = runs.rows * stride + runs.starts, runs.rows * stride + runs.ends
    places = np.concatenate([starts, ends, starts + stride, ends + stride])
    steps = np.repeat([1, -1, -1, 1], len(runs))
    order = np.argsort(places)
    places, side = places[order], np.cumsum(steps[order])
    there = np.flatnonzero((side[:-1] != 0) & (places[1:] > places[:-1]))
    left, right, is_below = places[there], places[there + 1], side[there] > 0
    own = np.searchsorted(starts, np.where(is_below, left, left - stride), side="right") - 1
    y, x0 = np.divmod(left, stride)
    x1 = right - y * stride
    way = np.where(is_below, _RIGHT, _LEFT)
    return _Edges(np.where(is_below, x0, x1), y, np.where(is_below, x1, x0), y, way, areas[own])


def _following(edges: _Edges) -> Integers:
    """Index of the edge that follows each on its ring."""
    stride = int(edges.x0.max()) + 1
    corner = edges.y0 * stride + edges.x0
    leaving = np.argsort(corner * 4 + edges.way)
    arriving = np.argsort((edges.y1 * stride + edges.x1) * 4 + _TURNED_RIGHT[edges.way])
    one, other = leaving[:-1], leaving[1:]
    shared = np.flatnonzero((corner[one] == corner[other]) & (edges.area[one] == edges.area[other]))
    leaving[shared], leaving[shared + 1] = leaving[shared + 1], leaving[shared]
    following = np.empty_like(leaving)
    following[arriving] = leaving
    return following


def _in_rings(following: Integers) -> tuple[Integers, Integers]:
    """All edges ring by ring in their order, and the number of each one's ring (0, 1, …).

    Each round looks twice as far ahead (Wyllie 1979, list ranking by pointer jumping), so the longest ring of n edges
    takes log n of them.
    """
    first, ahead = np.arange(len(following)), following
    while not np.array_equal(least := np.minimum(first, first[ahead]), first):
        first, ahead = least, ahead[ahead]
    is_first = first == np.arange(len(first))
    left, ahead = np.where(is_first, 0, 1), np.where(is_first, first, following)  # edges to the ring's first one
    while not is_first[ahead].all():
        left, ahead = left + left[ahead], ahead[ahead]
    size = np.bincount(first, minlength=len(first))[first]
    ring: Integers = np.cumsum(is_first)[first] - 1
    order = np.lexsort(((size - left) % size, ring))
    return order, ring[order]


__all__ = ["outlines"]
