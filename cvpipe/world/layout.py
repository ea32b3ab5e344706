"""From an empty rectangle to roads and blocks: cut in two again and again, a road along every cut."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cvpipe.world.canvas import Box
from cvpipe.world.scene import Plan


@dataclass(frozen=True)
class Streets:
    """Roads, each with its length along its direction, and the blocks between them."""

    roads: tuple[Box, ...]
    blocks: tuple[Box, ...]


@dataclass(frozen=True)
class _Cell:
    """A rectangle in the frame of the streets, metres."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def sides(self) -> tuple[float, float]:
        return self.right - self.left, self.bottom - self.top


#: Widths of roads in metres, from main road to lane, by how often the ground was cut before.
_ROAD_WIDTHS = (18.0, 14.0, 10.0, 8.0, 6.5, 5.5)


def street_plan(region: Box, block_m: float, rng: np.random.Generator, first_width: int = 0) -> Streets:
    """Cut `region` into blocks whose sides are about `block_m`; `first_width` skips the widest roads."""
    roads: list[Box] = []
    blocks: list[Box] = []

    def cut(cell: _Cell, depth: int) -> None:
        along, across = cell.sides
        longest = max(along, across)
        if longest < block_m * rng.uniform(1.2, 1.9):
            blocks.append(_placed(region, cell))
            return
        width = _ROAD_WIDTHS[min(depth // 2 + first_width, len(_ROAD_WIDTHS) - 1)]
        at = rng.uniform(0.36, 0.64) * longest
        first, road, second = _cuts(cell, at, width)
        roads.append(_road_box(region, road))
        cut(first, depth + 1)
        cut(second, depth + 1)

    half_u, half_v = region.length / 2, region.width / 2
    cut(_Cell(-half_u, -half_v, half_u, half_v), 0)
    return Streets(tuple(roads), tuple(blocks))


def _cuts(cell: _Cell, at: float, width: float) -> tuple[_Cell, _Cell, _Cell]:
    """The two halves of a cell and the road between them, cut across the longer side."""
    along, across = cell.sides
    if along >= across:
        near, far = cell.left + at - width / 2, cell.left + at + width / 2
        return (
            _Cell(cell.left, cell.top, near, cell.bottom),
            _Cell(near, cell.top, far, cell.bottom),
            _Cell(far, cell.top, cell.right, cell.bottom),
        )
    near, far = cell.top + at - width / 2, cell.top + at + width / 2
    return (
        _Cell(cell.left, cell.top, cell.right, near),
        _Cell(cell.left, near, cell.right, far),
        _Cell(cell.left, far, cell.right, cell.bottom),
    )


def _placed(region: Box, cell: _Cell) -> Box:
    x, y = region.point((cell.left + cell.right) / 2, (cell.top + cell.bottom) / 2)
    return Box(x, y, *cell.sides, region.angle)


def _road_box(region: Box, cell: _Cell) -> Box:
    """A cell as a box whose length is the longer side."""
    box = _placed(region, cell)
    if box.length >= box.width:
        return box
    return Box(box.x, box.y, box.width, box.length, box.angle + math.pi / 2)


def covering(size_m: float, angle: float) -> Box:
    """A box in a direction that covers a square scene of `size_m` with its corner at the origin."""
    side = size_m * (abs(math.cos(angle)) + abs(math.sin(angle))) + 20
    return Box(size_m / 2, size_m / 2, side, side, angle)


def lay_roads(plan: Plan, streets: Streets) -> None:
    """Ground, markings, traffic and trees of the roads."""
    for box in streets.roads:
        kind = "road" if box.width > 9 else str(plan.rng.choice(["asphalt", "old_asphalt", "concrete"]))
        plan.cover(kind, box.corners(), box.angle)
        plan.roadways.append(Box(box.x, box.y, box.length, box.width - 2.4, box.angle))
        _drive(plan, box)
        if box.width > 7 and plan.rng.random() < 0.75:
            _avenue(plan, box)


def _drive(plan: Plan, box: Box) -> None:
    """Moving vehicles, on the right side of the road."""
    for _ in range(int(plan.rng.poisson(box.length / 60 * plan.style.vehicle_density))):
        u = plan.rng.uniform(-box.length / 2, box.length / 2)
        side = int(plan.rng.choice((-1, 1)))
        x, y = box.point(u, side * box.width / 4)
        plan.park(x, y, box.angle + (0 if side > 0 else math.pi), plan.rng.random() < 0.12)


def _avenue(plan: Plan, box: Box) -> None:
    """A row of trees along each edge of a road."""
    kind, spacing = int(plan.rng.integers(6)), plan.rng.uniform(6, 11)
    radius = plan.rng.uniform(1.6, 3.2)
    for side in (-1, 1):
        for u in np.arange(-box.length / 2 + 4, box.length / 2 - 4, spacing):
            if plan.rng.random() > 0.8 * min(1.2, plan.style.tree_density):
                continue
            x, y = box.point(u + plan.rng.normal(0, 0.5), side * (box.width / 2 + 0.3))
            plan.plant(x, y, radius * plan.rng.uniform(0.75, 1.2), kind)
