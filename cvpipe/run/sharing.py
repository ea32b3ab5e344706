"""Sites that lie close together, looked at as one: their ground is read, aligned and shown to the network once.

Which sites go together follows from what a run plans for them, whether it is pending or known: a run that was killed
goes on with the very same ground, and so with the same answers. Ground is shared by pairs of the same scenes where
that costs less than looking at each site alone. What is decided of a site is decided on its own window.

A site whose neighbours are others sees the same pixels in other surroundings and by another alignment, so that its
areas may come out a little different: `tests/run/test_sharing.py` holds by how much.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray

from cvpipe.detect.prediction import OVERLAP_SHARE, tiles_of
from cvpipe.domain import Site
from cvpipe.geo import array_of
from cvpipe.imagery import ALIGNMENT_MARGIN_M
from cvpipe.run.nearby import LEAST_M_PER_DEGREE
from cvpipe.run.sites import SitePair

#: Largest side of shared ground in pixels: what one alignment answers for (`cvpipe.detect.alignment.WINDOW_PX`).
MOST_PX = 1024

#: What costs as much processor time as so many pixels of the network: an alignment, whatever its size (37 ms), and a
#: pixel that is read for it at both epochs (30 ns, against 680 of the network's). One thread, cvpipe-s.
ALIGNMENT_PX, READ_PX = 55_000, 0.045

#: Open groups that a site is tried with, the last ones on a curve that keeps neighbours together.
MOST_OPEN = 8


@dataclass(frozen=True)
class Scale:
    """Sizes of what is read around sites: the network's pixel and usual tile, and the margin."""

    gsd_m: float
    margin_m: float
    tile_px: int


Identities = tuple[str, ...]
"""The content hashes of an epoch's scenes, best first."""


@dataclass(frozen=True)
class Ground:
    """Pairs, by their number, that are looked at as one, and how far their sites reach without any margin, m."""

    members: tuple[int, ...]
    width_m: float
    height_m: float


_Box = tuple[float, float, float, float]
"""Left, bottom, right and top in metres from a common origin."""


@dataclass
class _Group:
    members: list[int]
    box: _Box
    cost: float


def shared(pairs: Sequence[SitePair], scale: Scale) -> list[SitePair]:
    """The pairs with what they share; those that share ground follow each other, the first of them in its old place."""
    several = [ground.members for ground in grounds(pairs, scale) if len(ground.members) > 1]
    together = {number: members for members in several for number in members}
    out, done = list[SitePair](), set[int]()
    for number in range(len(pairs)):
        if number in done:
            continue
        members = together.get(number, (number,))
        sites = tuple(pairs[n].site for n in members) if len(members) > 1 else ()
        out += [replace(pairs[n], together=sites) for n in members]
        done.update(members)
    return out


def grounds(pairs: Sequence[SitePair], scale: Scale) -> list[Ground]:
    """The ground of all pairs that have any, each once."""
    alike = defaultdict[tuple[Identities, Identities], list[int]](list)
    for number, pair in enumerate(pairs):
        if pair.before is not None and pair.after is not None and not pair.site.geometry.is_empty:
            alike[pair.before.hashes, pair.after.hashes].append(number)
    found, known = list[Ground](), dict[tuple[str, ...], list[_Group]]()
    for numbers in alike.values():
        sites = tuple(pairs[n].site.code for n in numbers)
        if sites not in known:  # other epochs of the same sites go together in the same way
            known[sites] = _groups([pairs[n].site for n in numbers], scale)
        for group in known[sites]:
            left, bottom, right, top = group.box
            found.append(Ground(tuple(numbers[i] for i in sorted(group.members)), right - left, top - bottom))
    return found


def _groups(sites: Sequence[Site], scale: Scale) -> list[_Group]:
    """Sites by their number; which go together does not hang on the order in which they come.

    `cvpipe.run.grouping` does the same for many lists of sites at once.
    """
    table = boxes_of(sites)
    boxes = [tuple(box) for box in table.tolist()]
    open_, done, costs = list[_Group](), list[_Group](), _Costs(scale)
    for number in in_order(sites, table, scale):
        box = boxes[number]
        alone = costs.of(box)
        best, joined, cost, saved = None, box, alone, 0.0
        for group in open_:
            both = _around(group.box, box)
            if costs.is_too_large(both):
                continue
            of_both = costs.of(both)
            if group.cost + alone - of_both > saved:
                best, joined, cost, saved = group, both, of_both, group.cost + alone - of_both
        if best is not None:
            best.members.append(number)
            best.box, best.cost = joined, cost
            continue
        open_.append(_Group([number], box, alone))
        if len(open_) > MOST_OPEN:
            done.append(open_.pop(0))
    return [*done, *open_]


def _around(one: _Box, other: _Box) -> _Box:
    (left, bottom, right, top), (west, south, east, north) = one, other
    return (  # min and max would be calls, and this is asked some times for each site
        left if left < west else west,
        bottom if bottom < south else south,
        right if right > east else east,
        top if top > north else north,
    )


def most_m(scale: Scale) -> float:
    """The largest side of shared ground without its margin, m."""
    return MOST_PX * scale.gsd_m - 2 * scale.margin_m


class _Costs:
    """What looking at a box costs, in pixels of the network; each size is worked out once."""

    def __init__(self, scale: Scale) -> None:
        self._scale, self._most_m = scale, most_m(scale)
        self._known: dict[tuple[int, int], float] = {}

    def is_too_large(self, box: _Box) -> bool:
        """For one look."""
        return box[2] - box[0] > self._most_m or box[3] - box[1] > self._most_m

    def of(self, box: _Box) -> float:
        """Of a box with its margin."""
        gsd, around = self._scale.gsd_m, 2 * self._scale.margin_m
        size = math.ceil((box[2] - box[0] + around) / gsd) or 1, math.ceil((box[3] - box[1] + around) / gsd) or 1
        if size not in self._known:
            self._known[size] = _cost(*size, self._scale)
        return self._known[size]


def _cost(width: int, height: int, scale: Scale) -> float:
    """Of looking at so many pixels, in pixels of the network."""
    return cost_of(along(width, scale.tile_px) * along(height, scale.tile_px), width, height, scale)


Size = TypeVar("Size", float, NDArray[np.float64])
"""Of one box, or of many (N,)."""


def cost_of(thought: Size, width: Size, height: Size, scale: Scale) -> Size:
    """Of looking at boxes of so many pixels, in pixels of the network, which thinks about those `thought` of."""
    around = 2 * max(ALIGNMENT_MARGIN_M - scale.margin_m, 0) / scale.gsd_m
    return thought + ALIGNMENT_PX + READ_PX * (width + around) * (height + around)


@lru_cache(maxsize=10_000)
def along(length: int, tile_px: int) -> int:
    """Pixels of all tiles along a line of so many."""
    tiles = tiles_of(length, 1, tile_px, tile_px // OVERLAP_SHARE)
    return len(tiles) * tiles[0].width


def in_order(sites: Sequence[Site], boxes: NDArray[np.float64], scale: Scale) -> list[int]:
    """The numbers of sites in these boxes in the order in which they are put together."""
    places = _along_curve(boxes, scale)
    return sorted(range(len(sites)), key=lambda n: (places[n], sites[n].code))


def boxes_of(sites: Sequence[Site]) -> NDArray[np.float64]:
    """The sites' bounding boxes (N, 4) in metres on one plane, from the middle parallel of them all."""
    bounds = shapely.bounds(array_of(site.geometry for site in sites))
    middle = (bounds[:, 1].min() + bounds[:, 3].max()) / 2
    dy = LEAST_M_PER_DEGREE
    dx = dy * max(math.cos(math.radians(middle)), 0.01)
    around = [0.0 if site.geometry.geom_type in ("Polygon", "MultiPolygon") else site.buffer_m for site in sites]
    wide = np.array(around)[:, None] * (-1.0, -1.0, 1.0, 1.0)
    return np.asarray(bounds * (dx, dy, dx, dy) + wide, np.float64)


def _along_curve(boxes: NDArray[np.float64], scale: Scale) -> list[int]:
    """The places of boxes' middles on a Z-order curve (Morton 1966) over squares of an eighth of the largest ground."""
    step = MOST_PX * scale.gsd_m / 8
    cells = ((boxes[:, :2] + boxes[:, 2:]) / 2 // step).astype(np.int64) + (1 << 30)
    places: list[int] = (_spread(cells[:, 0]) | _spread(cells[:, 1]) << np.uint64(1)).tolist()
    return places


def _spread(numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A zero after each of their 32 bits."""
    found = numbers.astype(np.uint64)
    for shift, mask in ((16, 0x0000FFFF0000FFFF), (8, 0x00FF00FF00FF00FF), (4, 0x0F0F0F0F0F0F0F0F)):
        found = (found | found << np.uint64(shift)) & np.uint64(mask)
    found = (found | found << np.uint64(2)) & np.uint64(0x3333333333333333)
    return (found | found << np.uint64(1)) & np.uint64(0x5555555555555555)


__all__ = [
    "MOST_OPEN",
    "MOST_PX",
    "Ground",
    "Scale",
    "along",
    "boxes_of",
    "cost_of",
    "grounds",
    "in_order",
    "most_m",
    "shared",
]
