"""What fills a block of the drawn city: one function for each use in `style.USES`."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from cvpipe.world import light
from cvpipe.world.canvas import Box, Points
from cvpipe.world.ground import BAY_DEPTH_M, BAY_PERIOD_M, BAY_WIDTH_M, Area
from cvpipe.world.scene import Plan


def fill(plan: Plan, block: Box, use: str) -> None:
    """Fill a block; its kerb is paved first."""
    plan.cover("kerb", block.corners(), block.angle)
    FILLS[use](plan, inset(block, 1.5))


def inset(box: Box, margin_m: float) -> Box:
    """The box with its edges moved inwards (at least one metre of it is left)."""
    length, width = max(1.0, box.length - 2 * margin_m), max(1.0, box.width - 2 * margin_m)
    return Box(box.x, box.y, length, width, box.angle)


def part(box: Box, u: float, v: float, length: float, width: float, turn: float = 0.0) -> Box:
    """A box inside another one: its centre in the outer one's own directions, its sides, its turn against it."""
    x, y = box.point(u, v)
    return Box(x, y, length, width, box.angle + turn)


def blob(box: Box, rng: np.random.Generator, share: float = 0.9) -> Points:
    """A rounded irregular outline that fills a share of the box."""
    turn = np.linspace(0, 2 * math.pi, 36, endpoint=False)
    swell = np.full(turn.shape, share)
    for wave in (2, 3, 5):
        swell += rng.normal(0, 0.09 / wave) * np.cos(wave * turn + rng.uniform(0, 6.3)) * share
    flat = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.7, np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** 0.7
    return box.at(np.stack([flat[0] * swell * box.length / 2, flat[1] * swell * box.width / 2], axis=1))


def scatter_trees(plan: Plan, box: Box, per_hectare: float, radius_m: tuple[float, float] = (1.5, 4.0)) -> None:
    """Trees at chance places of a box."""
    number = plan.rng.poisson(box.length * box.width / 10_000 * per_hectare * plan.style.tree_density)
    for u, v in plan.rng.uniform(-0.5, 0.5, (int(number), 2)):
        x, y = box.point(u * box.length, v * box.width)
        plan.plant(x, y, float(plan.rng.uniform(*radius_m)))


def hedge(plan: Plan, box: Box, spacing_m: float = 4.0, radius_m: float = 1.8) -> None:
    """Trees along the edges of a box, with gaps."""
    kind = int(plan.rng.integers(light.TREES))
    for length, across, turn in ((box.length, box.width, 0.0), (box.width, box.length, math.pi / 2)):
        for side in (-0.5, 0.5):
            if plan.rng.random() < 0.35:
                continue
            row = Box(box.x, box.y, length, across, box.angle + turn)
            for u in np.arange(-length / 2 + 1, length / 2 - 1, spacing_m):
                if plan.rng.random() < 0.75 * min(1.2, plan.style.tree_density):
                    x, y = row.point(u + plan.rng.normal(0, 0.4), side * (across - 2))
                    plan.plant(x, y, radius_m * float(plan.rng.uniform(0.7, 1.25)), kind)


def wall(plan: Plan, box: Box) -> None:
    """A wall around a yard, with a gate on one long side."""
    gate = plan.rng.uniform(-0.3, 0.3) * box.length
    half_u, half_v = box.length / 2, box.width / 2
    runs = ((-half_u, gate - 4, -half_v), (gate + 4, half_u, -half_v), (-half_u, half_u, half_v))
    for first, last, v in runs:
        if last > first:
            plan.cover("wall", part(box, (first + last) / 2, v, last - first, 0.45).corners())
    for u in (-half_u, half_u):
        plan.cover("wall", part(box, u, 0, 0.45, box.width).corners())


def _askew(plan: Plan) -> float:
    """By how much a structure is out of line with its plot, radians: most of them hardly, some clearly."""
    return float(plan.rng.normal(0, plan.rng.choice((0.008, 0.05), p=(0.8, 0.2))))


def _roof(plan: Plan) -> str:
    gable, flat, shed = plan.style.roof_mix
    total = gable + flat + shed
    weights = np.array([gable * 0.8, gable * 0.2, flat, shed]) / total
    return str(plan.rng.choice(["gable", "hip", "flat", "shed"], p=weights))


def village(plan: Plan, block: Box) -> None:
    """Courtyard houses in rows along lanes."""
    rng = plan.rng
    plan.cover(str(rng.choice(["yard", "concrete", "dirt"], p=(0.55, 0.25, 0.2))), block.corners(), block.angle)
    depth = rng.uniform(13, 19)
    for v in np.arange(-block.width / 2 + depth / 2, block.width / 2 - depth / 2 + 0.1, depth):
        u = -block.length / 2 + rng.uniform(0, 2)
        while u < block.length / 2 - 8:
            plot = rng.uniform(9, 17)
            if u + plot > block.length / 2:
                break
            if rng.random() < 0.92:
                sides = plot - rng.uniform(0.3, 1.6), depth - rng.uniform(2.2, 4)
                _courtyard(plan, part(block, u + plot / 2, float(v), *sides))
            u += plot
    scatter_trees(plan, block, 35, (1.2, 3.2))


def _courtyard(plan: Plan, plot: Box) -> None:
    """A main house at the back of a plot, perhaps wings at its sides, a yard with a tree."""
    rng = plan.rng
    deep = min(plot.width - 1, rng.uniform(5.5, 8))
    roof = _roof(plan)
    height = rng.uniform(3, 4.2) if roof != "flat" else rng.uniform(3.2, 7.5)
    main = plan.build(part(plot, 0, -(plot.width - deep) / 2, plot.length, deep, _askew(plan)), roof, height)
    left = plot.width - deep
    for side in (-1, 1):
        if rng.random() < 0.5 and left > 3.5:
            wing = rng.uniform(2.6, 4)
            place = part(plot, side * (plot.length - wing) / 2, deep / 2, left, wing, math.pi / 2)
            number = None if rng.random() < 0.5 else main.id
            plan.build(place, str(rng.choice(["flat", "gable", "shed"])), 2.8, number=number)
    if rng.random() < 0.2:
        x, y = plot.point(0, plot.width / 2 - 2)
        plan.plant(x, y, float(rng.uniform(1.2, 2.4)))


def sheds(plan: Plan, block: Box) -> None:
    """A works yard: long sheet-metal sheds in rows, containers, lorries, stockpiles."""
    rng = plan.rng
    ground = str(rng.choice(["yard", "concrete", "dirt", "old_asphalt"], p=(0.5, 0.2, 0.2, 0.1)))
    plan.cover(ground, block.corners(), block.angle)
    wall(plan, block)
    v = -block.width / 2 + rng.uniform(2, 5)
    while v < block.width / 2 - 9:
        deep = min(rng.uniform(9, 30), block.width / 2 - 2 - v)
        _shed_row(plan, block, v + deep / 2, deep)
        v += deep + rng.uniform(4, 12)
    hedge(plan, block, 5.0)
    _yard_goods(plan, block)


def _shed_row(plan: Plan, block: Box, v: float, deep: float) -> None:
    rng = plan.rng
    u = -block.length / 2 + rng.uniform(2, 6)
    while u < block.length / 2 - 10:
        long = min(rng.uniform(14, 62), block.length / 2 - 2 - u)
        if long > 6 and rng.random() < 0.88:
            roof = str(rng.choice(["shed", "flat", "gable"], p=(0.8, 0.14, 0.06)))
            place = part(block, u + long / 2, v, long, deep, _askew(plan))
            if long < deep:
                place = part(block, u + long / 2, v, deep, long, math.pi / 2)
            plan.build(place, roof, float(rng.uniform(4, 8.5)))
        u += long + rng.uniform(0.8, 9)


def _yard_goods(plan: Plan, block: Box) -> None:
    """Lorries and cars at chance places of a yard."""
    for _ in range(int(plan.rng.poisson(4 * plan.style.vehicle_density))):
        u, v = plan.rng.uniform(-0.45, 0.45, 2) * (block.length, block.width)
        x, y = block.point(u, v)
        plan.park(x, y, block.angle + plan.rng.choice([0, 0.5]) * math.pi, plan.rng.random() < 0.5)


def apartments(plan: Plan, block: Box) -> None:
    """Slabs of flats between lawns, paths and parked cars."""
    rng = plan.rng
    plan.cover("lawn", block.corners(), block.angle)
    spacing, deep, tall = rng.uniform(24, 34), rng.uniform(11, 15), rng.uniform(12, 24)
    roof = str(rng.choice(["flat", "hip"], p=(0.75, 0.25)))
    for v in np.arange(-block.width / 2 + deep / 2 + 4, block.width / 2 - deep / 2 - 2, spacing):
        plan.cover("paving", part(block, 0, v + deep / 2 + 5, block.length, 5).corners(), block.angle)
        u = -block.length / 2 + 4
        while u < block.length / 2 - 16:
            long = min(rng.uniform(24, 56), block.length / 2 - 4 - u)
            if long > 12:
                plan.build(part(block, u + long / 2, float(v), long, deep), roof, float(tall))
            u += long + rng.uniform(6, 12)
        for u_car in np.arange(-block.length / 2 + 4, block.length / 2 - 4, 3.0):
            if rng.random() < 0.45 * plan.style.vehicle_density:
                x, y = block.point(u_car, v + deep / 2 + 4.6)
                plan.park(x, y, block.angle + math.pi / 2)
    scatter_trees(plan, block, 130, (1.6, 3.6))


def offices(plan: Plan, block: Box) -> None:
    """One or two large flat-roofed buildings on paved ground, with lawns and parking."""
    rng = plan.rng
    plan.cover(str(rng.choice(["paving", "concrete"])), block.corners(), block.angle)
    plan.cover("lawn", part(block, 0, -block.width / 2 + 4, block.length - 4, 6).corners(), block.angle)
    long, deep = block.length * rng.uniform(0.45, 0.7), block.width * rng.uniform(0.25, 0.45)
    height = float(rng.uniform(7, 18))
    main = plan.build(part(block, 0, -block.width * 0.1, long, deep), "flat", height)
    if rng.random() < 0.6:
        wing = part(block, -long / 2 + deep * 0.3, block.width * 0.14, deep * 0.6, block.width * 0.24, 0)
        plan.build(wing, "flat", height * 0.7, number=main.id)
    lot = part(block, block.length * 0.12, block.width / 2 - 9.5, block.length * 0.7, BAY_PERIOD_M)
    parking(plan, lot, trees=False)
    hedge(plan, block, 5.5, 2.2)


def field(plan: Plan, block: Box) -> None:
    """Strips of crops and ploughed land."""
    rng = plan.rng
    strips = int(rng.integers(1, 5))
    edges = np.linspace(-block.width / 2, block.width / 2, strips + 1)
    turn = float(rng.choice([0, math.pi / 2]))
    plan.cover("weeds", block.corners(), block.angle)
    for low, high in pairwise(edges):
        name = "ploughed" if rng.random() < 0.25 else f"crop{int(rng.integers(light.CROPS))}"
        strip = part(block, 0, float(low + high) / 2, block.length - 1.5, float(high - low) - 1.5)
        plan.cover(name, strip.corners(), block.angle + turn)
    if rng.random() < 0.4:
        hedge(plan, block, 4.5, 2.2)


def is_field(area: Area) -> bool:
    """Whether an area is farmed."""
    return area.cover.material in range(light.CROP, light.CROP + light.CROPS) or area.cover.pattern == "furrows"


def around(area: Area) -> Box:
    """The smallest box in the area's direction that holds it."""
    upright = Box(0, 0, 0, 0, -area.angle).at(area.outline)
    low, high = upright.min(axis=0), upright.max(axis=0)
    x, y = Box(0, 0, 0, 0, area.angle).at(((low + high) / 2)[None])[0]
    return Box(float(x), float(y), float(high[0] - low[0]), float(high[1] - low[1]), area.angle)


def turned_crop(plan: Plan, area: Area) -> Area:
    """A farmed area with another crop on it, or ploughed."""
    name = "ploughed" if plan.rng.random() < 0.35 else f"crop{int(plan.rng.integers(light.CROPS))}"
    return plan.area(name, area.outline, area.angle)


def park(plan: Plan, block: Box) -> None:
    """Grass, groves, a winding path, perhaps a pond."""
    rng = plan.rng
    plan.cover("grass", block.corners(), block.angle)
    t = np.linspace(-0.5, 0.5, 24)
    sway = rng.uniform(0.1, 0.3) * np.sin(t * rng.uniform(4, 9) + rng.uniform(0, 6)) * block.width
    sides = [np.stack([t * block.length, sway + side], axis=1) for side in (-1.2, 1.2)]
    plan.cover("paving", block.at(np.concatenate([sides[0], sides[1][::-1]])), block.angle)
    if rng.random() < 0.3:
        pond(plan, part(block, 0, 0, block.length * 0.5, block.width * 0.5))
    for _ in range(int(rng.integers(2, 6))):
        u, v = rng.uniform(-0.35, 0.35, 2) * (block.length, block.width)
        scatter_trees(plan, part(block, u, v, block.length * 0.3, block.width * 0.3), 420, (2, 5))
    scatter_trees(plan, block, 40, (1.6, 4.5))


def parking(plan: Plan, block: Box, trees: bool = True) -> None:
    """A car park: marked bays, most of them taken, rows of trees between."""
    rng = plan.rng
    plan.cover("parking", block.corners(), block.angle)
    taken = float(rng.uniform(0.2, 0.85)) * min(1.0, plan.style.vehicle_density)
    rows = math.ceil(block.width / BAY_PERIOD_M)
    for row in range(-rows, rows + 1):
        for side in (-1, 1):
            v = row * BAY_PERIOD_M + side * BAY_DEPTH_M / 2
            if abs(v) > block.width / 2 - BAY_DEPTH_M / 2:
                continue
            for u in np.arange(-block.length / 2 // BAY_WIDTH_M + 1, block.length / 2 // BAY_WIDTH_M) * BAY_WIDTH_M:
                if rng.random() < taken:
                    x, y = block.point(u + BAY_WIDTH_M / 2, v)
                    plan.park(x, y, block.angle + side * math.pi / 2)
        if trees and abs(row * BAY_PERIOD_M) < block.width / 2 - 1:
            for u in np.arange(-block.length / 2 + 3, block.length / 2 - 3, 2 * BAY_WIDTH_M):
                x, y = block.point(u, row * BAY_PERIOD_M)
                plan.plant(x, y, float(rng.uniform(0.9, 1.9)))


def vacant(plan: Plan, block: Box) -> None:
    """Waste ground: weeds and bare soil, perhaps a stockpile."""
    rng = plan.rng
    plan.cover(str(rng.choice(["weeds", "dirt", "levelled"])), block.corners(), block.angle)
    for _ in range(int(rng.integers(1, 4))):
        u, v = rng.uniform(-0.3, 0.3, 2) * (block.length, block.width)
        spot = part(block, u, v, block.length * rng.uniform(0.2, 0.5), block.width * rng.uniform(0.2, 0.5))
        plan.cover(str(rng.choice(["weeds", "dirt", "heaps", "grass"])), blob(spot, rng), block.angle)
    scatter_trees(plan, block, 25, (1, 3))


def works(plan: Plan, block: Box) -> None:
    """A building site: levelled soil, dust nets, heaps, container rooms, diggers."""
    rng = plan.rng
    plan.cover("levelled", block.corners(), block.angle)
    net = str(rng.choice(["net", "net_dark", "net_light"]))
    for _ in range(int(rng.integers(1, 4))):
        u, v = rng.uniform(-0.25, 0.25, 2) * (block.length, block.width)
        spot = part(block, u, v, block.length * rng.uniform(0.3, 0.6), block.width * rng.uniform(0.25, 0.6))
        plan.cover(net, blob(spot, rng), block.angle + rng.normal(0, 0.2))
    for name in ("heaps", "rubble"):
        if rng.random() < 0.5:
            u, v = rng.uniform(-0.35, 0.35, 2) * (block.length, block.width)
            plan.cover(name, blob(part(block, u, v, rng.uniform(10, 26), rng.uniform(8, 18)), rng), 0)
    rooms = part(block, 0, -block.width / 2 + 5, 3.0 * int(rng.integers(3, 12)), 6.0)
    plan.build(rooms, "container", float(rng.choice([2.8, 5.6])))
    _yard_goods(plan, block)


def pond(plan: Plan, block: Box) -> None:
    """Water with a grown bank."""
    plan.cover("grass", blob(block, plan.rng, 0.98), block.angle)
    plan.cover("water", blob(block, plan.rng, 0.8), block.angle)
    plan.roadways.append(part(block, 0, 0, block.length * 0.8, block.width * 0.8))
    scatter_trees(plan, block, 60)


def school(plan: Plan, block: Box) -> None:
    """A school: a winged building, a court, a lawn."""
    plan.cover("paving", block.corners(), block.angle)
    long, deep = block.length, block.width
    plan.cover("lawn", part(block, long * 0.2, deep * 0.2, long * 0.55, deep * 0.5).corners())
    main = plan.build(part(block, 0, -deep / 2 + 9, long * 0.8, 12), "flat", 11)
    wing = part(block, -long * 0.4 + 6, -deep / 2 + 15 + deep * 0.15, deep * 0.3, 11, math.pi / 2)
    plan.build(wing, "flat", 11, number=main.id)
    court = part(block, long * 0.2, deep * 0.2, 30, 18)
    plan.cover("court", court.corners(), court.angle)
    hedge(plan, block, 5, 2.2)


FILLS: dict[str, Callable[[Plan, Box], None]] = {
    "village": village,
    "sheds": sheds,
    "apartments": apartments,
    "offices": offices,
    "field": field,
    "park": park,
    "parking": parking,
    "vacant": vacant,
    "works": works,
    "pond": pond,
    "school": school,
}
