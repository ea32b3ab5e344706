"""Sites under remediation as drawn: a compound at the baseline, and what has become of it at two later epochs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from shapely.geometry import LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry

from cvpipe.world import blocks
from cvpipe.world.canvas import Box, Points
from cvpipe.world.scene import Content, Plan
from cvpipe.world.structures import Structure

Roll = tuple[tuple[str, str], ...]
"""The sites of a district: the case of each, and its shape in the ledger."""

#: The sites that are drawn where nothing else is asked for. Small districts hold the first of them only.
ROLL: Roll = (
    ("cleared", "polygon"), ("rubble", "polygon"), ("partial", "polygon"), ("untouched", "point"),
    ("greened", "polygon"), ("net", "line"), ("green_parking", "polygon"), ("rebuilt", "polygon"),
    ("retained", "polygon"), ("cloud", "polygon"), ("outside", "point"),
    ("cleared", "line"), ("rubble", "point"), ("partial", "line"), ("untouched", "polygon"), ("greened", "point"),
    ("net", "polygon"), ("green_parking", "polygon"), ("rebuilt", "polygon"), ("retained", "polygon"),
    ("cloud", "polygon"), ("cleared", "point"), ("rubble", "polygon"), ("partial", "polygon"),
    ("greened", "polygon"), ("net", "polygon"), ("cleared", "polygon"), ("greened", "polygon"),
)  # fmt: skip

CASES = frozenset(case for case, _ in ROLL)

#: Structures cover at least this share of a compound at the baseline, so that every figure has something to measure.
_MIN_COVERED = 0.25
#: Width of the road around a compound, metres; with the street beside it neighbours stand some 20 m away.
_ROAD_M = 7.0
#: Largest buffer of a point, metres; a line has half of it.
_MAX_BUFFER_M = 45.0
#: New structure on a site that is filled again, m².
_REBUILT_M2 = 450.0
#: Share of a compound's structures that a plan keeps.
_RETAINED_SHARE = 0.15


@dataclass(frozen=True)
class Compound:
    """A site as it is drawn: case, the box it fills, its outline in the ledger, one content per epoch.

    `outline` is a polygon, or a line or point to be widened by `buffer_m`, in metres of the scene's frame; so is the
    polygon `retained`.
    """

    case: str
    box: Box
    outline: BaseGeometry
    buffer_m: float
    epochs: tuple[Content, Content, Content]
    retained: Polygon | None = None


@dataclass(frozen=True)
class _Yard:
    """A compound on the drawing board: its plan, box, what of it the ledger's outline covers, and the baseline."""

    plan: Plan
    box: Box
    covered: BaseGeometry
    baseline: Content

    @property
    def ground(self) -> Points:
        """All of the compound but a strip along its fence."""
        return self.box.corners(grow_m=-0.5)

    def weight(self, structure: Structure) -> float:
        """How much of a structure the ledger's outline covers, m²."""
        return float(Polygon(structure.box.corners()).intersection(self.covered).area)

    def laid(self, name: str) -> Content:
        """The ground under one cover, everything gone but some trees at the edge."""
        edge = [t for t in self.baseline.trees if t.seed % 4 == 0 and not blocks.inset(self.box, 5).holds(t.x, t.y)]
        area = self.plan.area(name, self.ground, self.box.angle)
        return Content([*self.baseline.areas, replace(area, cover=replace(area.cover, ragged_m=0.0))], trees=edge)


def compound(plan: Plan, block: Box, case: str, shape: str) -> Compound:
    """Draw up a site in a block, with a road around it."""
    plan.cover("old_asphalt", block.corners(), block.angle)
    box = blocks.inset(block, _ROAD_M)
    outline, buffer_m = _outline(box, shape)
    covered = outline if shape == "polygon" else outline.buffer(buffer_m)
    yard = _Yard(plan, box, covered, _baseline(plan, box, covered))
    later, latest, retained = _FATES[case](yard)
    return Compound(case, box, outline, buffer_m, (yard.baseline, later, latest), retained)


def _outline(box: Box, shape: str) -> tuple[BaseGeometry, float]:
    """The site as the ledger has it, and the buffer of points and lines in metres."""
    if shape == "point":
        return Point(box.x, box.y), float(math.floor(min(_MAX_BUFFER_M, min(box.length, box.width) / 2)))
    if shape == "line":
        long = box if box.length > box.width else Box(box.x, box.y, box.width, box.length, box.angle + math.pi / 2)
        buffer_m = float(math.floor(min(_MAX_BUFFER_M, long.width) / 2))
        half = long.length / 2 - buffer_m
        return LineString(long.at(np.array([[-half, 0.0], [half, 0.0]]))), buffer_m
    return Polygon(box.corners()), 15.0


def _baseline(plan: Plan, box: Box, covered: BaseGeometry) -> Content:
    """The compound before remediation: sheds or courtyards on a yard."""
    for _ in range(20):
        attempt = Plan(plan.style, plan.rng, next_id=plan.next_id)
        use = "village" if box.width < 22 or plan.rng.random() < 0.4 else "sheds"
        blocks.FILLS[use](attempt, box)
        yard = _Yard(attempt, box, covered, attempt.content)
        if sum(yard.weight(s) for s in attempt.content.structures) >= _MIN_COVERED * covered.area:
            break
    plan.next_id = attempt.next_id
    return attempt.content


#: The second and the third epoch of a site, and the outline of what its plan retains.
Fate = tuple[Content, Content, Polygon | None]


def _cleared(yard: _Yard) -> Fate:
    first = yard.laid("levelled")
    return first, _worn(yard, first), None


def _worn(yard: _Yard, before: Content) -> Content:
    """The same ground a year on: a sandy patch or two, never green."""
    rng = yard.plan.rng
    spots = [yard.plan.area("dirt", blocks.blob(_spot(yard, 0.2, 0.35), rng), yard.box.angle) for _ in range(2)]
    return replace(before, areas=[*before.areas, *spots])


def _spot(yard: _Yard, least: float, most: float) -> Box:
    """A chance place inside the compound whose sides are a share of the compound's."""
    rng = yard.plan.rng
    share = rng.uniform(least, most, 2)
    room = (1 - share) * 0.4
    u, v = rng.uniform(-room, room) * (yard.box.length, yard.box.width)
    return blocks.part(yard.box, u, v, share[0] * yard.box.length, share[1] * yard.box.width)


def _rubble(yard: _Yard) -> Fate:
    """Structures pulled down and left lying; a year later half of it is still there."""
    first = yard.laid("levelled")
    heaps = [yard.plan.area("rubble", s.box.corners(grow_m=1.5), s.box.angle) for s in yard.baseline.structures]
    heaps += [yard.plan.area("rubble", blocks.blob(_spot(yard, 0.25, 0.4), yard.plan.rng))]
    return (
        replace(first, areas=first.areas + heaps),
        replace(first, areas=first.areas + heaps[len(heaps) // 2 :]),
        None,
    )


def _partial(yard: _Yard) -> Fate:
    """About half of the structures' area gone, whole structures at a time."""
    kept, gone = _halves(yard)
    bare = [yard.plan.area("levelled", s.box.corners(grow_m=1.2), s.box.angle) for s in gone]
    state = replace(yard.baseline, areas=[*yard.baseline.areas, *bare], structures=kept)
    return state, state, None


def _halves(yard: _Yard) -> tuple[list[Structure], list[Structure]]:
    """The structures in two lots of about equal area, no structure torn apart: (kept, gone)."""
    areas: dict[int, float] = {}
    for s in yard.baseline.structures:
        areas[s.id] = areas.get(s.id, 0.0) + yard.weight(s)
    lot: set[int] = set()
    for number in sorted(areas, key=lambda n: (-areas[n], n)):
        if sum(areas[n] for n in lot) + areas[number] <= 0.55 * sum(areas.values()):
            lot.add(number)
    inside = yard.baseline.structures
    return [s for s in inside if s.id not in lot], [s for s in inside if s.id in lot]


def _untouched(yard: _Yard) -> Fate:
    return yard.baseline, yard.baseline, None


def _greened(yard: _Yard) -> Fate:
    """Levelled, then a small park: lawn, rows of young trees, a path."""
    first = yard.laid("levelled")
    green = yard.laid("saplings")
    path = blocks.part(yard.box, 0, 0, yard.box.length * 0.9, 3.0)
    green.areas.append(yard.plan.area("paving", path.corners(), path.angle))
    for u in np.arange(-yard.box.length / 2 + 5, yard.box.length / 2 - 4, 6.5):
        for v in np.arange(-yard.box.width / 2 + 5, yard.box.width / 2 - 4, 6.5):
            if abs(v) > 3.5:
                _plant(yard, green, u, v, (0.9, 2.2))
    return (green, green, None) if yard.plan.rng.random() < 0.4 else (first, green, None)


def _plant(yard: _Yard, content: Content, u: float, v: float, radius_m: tuple[float, float]) -> None:
    x, y = np.array(yard.box.point(u, v)) + yard.plan.rng.normal(0, 0.3, 2)
    content.trees.append(yard.plan.tree(float(x), float(y), float(yard.plan.rng.uniform(*radius_m))))


def _net(yard: _Yard) -> Fate:
    """A dust net over nearly all of the soil."""
    state = yard.laid("levelled")
    name = str(yard.plan.rng.choice(("net", "net_dark", "net_light")))
    middle = yard.ground.mean(axis=0)
    state.areas.append(yard.plan.area(name, middle + (yard.ground - middle) * 0.94, yard.box.angle))
    return state, _holed(yard, state), None


def _holed(yard: _Yard, before: Content) -> Content:
    """The net a year on, torn open in one place."""
    spot = yard.plan.area("levelled", blocks.blob(_spot(yard, 0.15, 0.25), yard.plan.rng), yard.box.angle)
    return replace(before, areas=[*before.areas, spot])


def _green_parking(yard: _Yard) -> Fate:
    """Levelled, then a car park with rows of well-grown trees."""
    first = yard.laid("levelled")
    lot = Plan(yard.plan.style, yard.plan.rng)
    blocks.parking(lot, blocks.inset(yard.box, 2.0), trees=False)
    parked = yard.laid("old_asphalt")
    parked.extend(lot.content)
    for v in np.arange(-yard.box.width / 2 // 16.4, yard.box.width / 2 // 16.4 + 1) * 16.4:
        if abs(v) < yard.box.width / 2 - 3:
            for u in np.arange(-yard.box.length / 2 + 4, yard.box.length / 2 - 3, 5.2):
                _plant(yard, parked, u, v, (1.9, 2.5))
    return first, parked, None


def _rebuilt(yard: _Yard) -> Fate:
    """Cleared, then filled with sheds again, where no structure stood before as far as there is room."""
    first = yard.laid("levelled")
    later = replace(first, structures=[], areas=list(first.areas))
    before = [s.box for s in yard.baseline.structures]
    for taken in (before, []):
        for _ in range(300):
            _put_up(yard, later, taken)
            if sum(s.box.length * s.box.width for s in later.structures) >= _REBUILT_M2:
                return first, later, None
    return first, later, None


def _put_up(yard: _Yard, content: Content, taken: list[Box]) -> None:
    """Put up a shed at a chance place of the compound if it fits in there."""
    rng, box = yard.plan.rng, yard.box
    u, v = rng.uniform(-0.5, 0.5, 2) * (box.length, box.width)
    place = blocks.part(box, u, v, 3.0 * int(rng.integers(3, 8)), float(rng.choice((6.0, 8.0, 10.0))))
    if _fits(place, box, [*taken, *(s.box for s in content.structures)]):
        content.structures.append(yard.plan.structure(place, str(rng.choice(("shed", "container"))), 3.5))


def _fits(place: Box, inside: Box, others: list[Box]) -> bool:
    """Whether a box lies in another one and apart from some of the same direction, by at least a metre."""
    if not all(inside.holds(float(x), float(y)) for x, y in place.corners(grow_m=1.0)):
        return False
    cos, sin = math.cos(inside.angle), math.sin(inside.angle)
    for other in others:
        low, high = _extent(other, cos, sin)
        mine_low, mine_high = _extent(place, cos, sin)
        if np.all(mine_high > low - 1.0) and np.all(mine_low < high + 1.0):
            return False
    return True


def _extent(box: Box, cos: float, sin: float) -> tuple[Points, Points]:
    turned = box.corners() @ np.array([[cos, -sin], [sin, cos]])
    return turned.min(axis=0), turned.max(axis=0)


def _retained(yard: _Yard) -> Fate:
    """All gone but one structure that the plan keeps: large enough to be seen, leaving enough to demolish."""
    numbers = [s.id for s in yard.baseline.structures]
    alone = [s for s in yard.baseline.structures if numbers.count(s.id) == 1] or yard.baseline.structures
    wanted = _RETAINED_SHARE * sum(yard.weight(s) for s in yard.baseline.structures)
    kept = min(alone, key=lambda s: abs(yard.weight(s) - wanted))
    first = yard.laid("levelled")
    state = replace(first, structures=[kept])
    return state, _worn(yard, state), Polygon(kept.box.corners(grow_m=1.0))


_FATES: dict[str, Callable[[_Yard], Fate]] = {
    "cleared": _cleared,
    "rubble": _rubble,
    "partial": _partial,
    "untouched": _untouched,
    "greened": _greened,
    "net": _net,
    "green_parking": _green_parking,
    "rebuilt": _rebuilt,
    "retained": _retained,
    "cloud": _cleared,
}
