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

from cvpipe.detect.prediction import OVERLAP_SHARE, tiles_of
from cvpipe.domain import Site
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


@dataclass(frozen=True)
class _Box:
    """A rectangle in metres from a common origin."""

    left: float
    bottom: float
    right: float
    top: float

    def with_(self, other: _Box) -> _Box:
        return _Box(
            min(self.left, other.left),
            min(self.bottom, other.bottom),
            max(self.right, other.right),
            max(self.top, other.top),
        )

    def pixels(self, scale: Scale) -> tuple[int, int]:
        sides = self.right - self.left, self.top - self.bottom
        width, height = (math.ceil((side + 2 * scale.margin_m) / scale.gsd_m) for side in sides)
        return max(width, 1), max(height, 1)

    def cost(self, scale: Scale) -> float:
        """Of looking at it, in pixels of the network."""
        width, height = self.pixels(scale)
        tiles = tiles_of(width, height, scale.tile_px, scale.tile_px // OVERLAP_SHARE)
        around = 2 * max(ALIGNMENT_MARGIN_M - scale.margin_m, 0) / scale.gsd_m
        thought = len(tiles) * tiles[0].width * tiles[0].height
        return thought + ALIGNMENT_PX + READ_PX * (width + around) * (height + around)


@dataclass
class _Group:
    members: list[int]
    box: _Box
    cost: float


def shared(pairs: Sequence[SitePair], scale: Scale) -> list[SitePair]:
    """The pairs with what they share; those that share ground follow each other, the first of them in its old place."""
    alike = defaultdict[tuple[tuple[str, ...], ...], list[int]](list)
    for number, pair in enumerate(pairs):
        if pair.before is not None and pair.after is not None and not pair.site.geometry.is_empty:
            alike[pair.ground[1:]].append(number)
    groups = [members for numbers in alike.values() for members in _groups(pairs, numbers, scale)]
    together = {number: members for members in groups if len(members) > 1 for number in members}
    out, done = list[SitePair](), set[int]()
    for number in range(len(pairs)):
        if number in done:
            continue
        members = together.get(number, [number])
        sites = tuple(pairs[n].site for n in members) if len(members) > 1 else ()
        out += [replace(pairs[n], together=sites) for n in members]
        done.update(members)
    return out


def _groups(pairs: Sequence[SitePair], numbers: Sequence[int], scale: Scale) -> list[list[int]]:
    """Members of each group in their own order, whatever the order in which the sites come."""
    boxes = dict(zip(numbers, _boxes([pairs[n].site for n in numbers]), strict=True))
    open_, done = list[_Group](), list[_Group]()
    for number in sorted(numbers, key=lambda n: (_along_curve(boxes[n], scale), pairs[n].site.code)):
        one = _Group([number], boxes[number], boxes[number].cost(scale))
        best = max((_joined(group, one, scale) for group in open_), key=lambda found: found[0], default=None)
        if best is not None and best[0] > 0:
            _, group, box, cost = best
            group.members.append(number)
            group.box, group.cost = box, cost
            continue
        open_.append(one)
        if len(open_) > MOST_OPEN:
            done.append(open_.pop(0))
    return [sorted(group.members) for group in (*done, *open_)]


def _joined(group: _Group, one: _Group, scale: Scale) -> tuple[float, _Group, _Box, float]:
    """What is saved by looking at both as one, and what they then are; nothing where that would be too large."""
    box = group.box.with_(one.box)
    if max(box.pixels(scale)) > MOST_PX:
        return -math.inf, group, box, math.inf
    cost = box.cost(scale)
    return group.cost + one.cost - cost, group, box, cost


def _boxes(sites: Sequence[Site]) -> list[_Box]:
    """The sites' bounding boxes in metres on one plane, from the middle parallel of them all."""
    bounds = [site.geometry.bounds for site in sites]
    middle = (min(b[1] for b in bounds) + max(b[3] for b in bounds)) / 2
    dy = LEAST_M_PER_DEGREE
    dx = dy * max(math.cos(math.radians(middle)), 0.01)
    around = [0.0 if site.geometry.geom_type in ("Polygon", "MultiPolygon") else site.buffer_m for site in sites]
    return [
        _Box(left * dx - wide, bottom * dy - wide, right * dx + wide, top * dy + wide)
        for (left, bottom, right, top), wide in zip(bounds, around, strict=True)
    ]


def _along_curve(box: _Box, scale: Scale) -> int:
    """The place of a box's middle on a Z-order curve (Morton 1966) over squares of an eighth of the largest ground."""
    step = MOST_PX * scale.gsd_m / 8
    col, row = (int(v // step) + (1 << 30) for v in ((box.left + box.right) / 2, (box.bottom + box.top) / 2))
    return _spread(col) | _spread(row) << 1


def _spread(number: int) -> int:
    """A zero after each of its 32 bits."""
    for shift, mask in ((16, 0x0000FFFF0000FFFF), (8, 0x00FF00FF00FF00FF), (4, 0x0F0F0F0F0F0F0F0F)):
        number = (number | number << shift) & mask
    number = (number | number << 2) & 0x3333333333333333
    return (number | number << 1) & 0x5555555555555555


__all__ = ["MOST_PX", "Scale", "shared"]
