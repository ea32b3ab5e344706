"""A dense little scene for training, in epochs between which structures come and go and much else only seems to."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cvpipe.domain import Surface
from cvpipe.world import blocks, layout, light, scene, sensor
from cvpipe.world.canvas import Box, Canvas
from cvpipe.world.ground import Area
from cvpipe.world.scene import Clearance, Content, Plan
from cvpipe.world.structures import Structure
from cvpipe.world.style import USES, Style


@dataclass(frozen=True)
class DrawnEpoch:
    """One epoch of a drawn scene, with its truth.

    `pixels` uint8 (H, W, 3) RGB as the camera delivers them; `surface` uint8 (H, W) codes of `Surface`;
    `structure_id` int32 (H, W), 0 = no structure, equal numbers = the same structure in all epochs.
    """

    pixels: NDArray[np.uint8]
    surface: NDArray[np.uint8]
    structure_id: NDArray[np.int32]


@dataclass(frozen=True)
class DrawnPatch:
    """A drawn scene in its epochs, oldest first; `gsd_m` metres per pixel."""

    epochs: tuple[DrawnEpoch, ...]
    gsd_m: float


def draw_patch(
    seed: int, size_px: int = 1024, gsd_m: float = 0.3, style: Style | None = None, epochs: int = 2
) -> DrawnPatch:
    """Draw a square scene in `epochs` epochs without shift between them; equal arguments give equal pixels.

    Structures are removed (to bare soil, rubble, net, green, paving), added and replaced at the rate of
    `style.change_share`; light, season, traffic, crops, nets on soil and trees change whatever the style says.
    """
    rng = np.random.default_rng(seed)
    style = Style.random(rng) if style is None else style
    size_m = size_px * gsd_m
    plan, built = _planned(style, rng, size_m)
    contents = [plan.content]
    for _ in range(1, epochs):
        contents.append(_moved_on(plan, contents[-1], built, size_m))
    scene.uncover(contents, plan.roadways, size_m)
    drawn = [_photograph(content, style, epoch, seed, size_px, gsd_m) for epoch, content in enumerate(contents)]
    return DrawnPatch(tuple(drawn), gsd_m)


def _planned(style: Style, rng: np.random.Generator, size_m: float) -> tuple[Plan, list[Box]]:
    """The first epoch's plan and the blocks of the scene."""
    plan = Plan(style, rng)
    region = layout.covering(size_m, math.radians(style.angle_deg))
    streets = layout.street_plan(region, style.block_m, rng, first_width=int(rng.integers(0, 3)))
    weights = np.array(style.use_weights) / sum(style.use_weights)
    for number, block in enumerate(streets.blocks):
        # A scene without a single structure teaches nothing about change: one block is always built over.
        built_over = number == len(streets.blocks) // 2
        use = rng.choice(["village", "sheds"]) if built_over else rng.choice(USES, p=weights)
        blocks.fill(plan, block, str(use))
    layout.lay_roads(plan, streets)
    return plan, [block for block in streets.blocks if min(block.length, block.width) > 20]


def _moved_on(plan: Plan, before: Content, built: list[Box], size_m: float) -> Content:
    """The scene one epoch later."""
    after = Content(
        areas=[_aged(plan, area) for area in before.areas],
        structures=list(before.structures),
        vehicles=list(before.vehicles),
        trees=[tree for tree in before.trees if plan.rng.random() > 0.04],
    )
    share = plan.style.change_share
    for block in built:
        if plan.rng.random() < share * 0.4:
            _raze(plan, after, block)
    _touch_up(plan, after, share * 0.5)
    _build_anew(plan, before, after, built, int(plan.rng.poisson(share * 14)), size_m)
    return after


_SOILS = ("levelled", "dirt", "ploughed", "heaps")
_NETS = ("net", "net_dark", "net_light")
#: What the ground of a demolished structure becomes, with weights.
_REMAINS = {
    "levelled": 3.0, "dirt": 2.0, "rubble": 3.0, "net": 1.0, "net_dark": 0.6, "net_light": 0.6, "grass": 1.2,
    "saplings": 1.0, "weeds": 1.2, "paving": 0.8, "concrete": 0.8, "yard": 0.6, "old_asphalt": 0.4,
}  # fmt: skip


def _remains(plan: Plan) -> str:
    weights = np.array(list(_REMAINS.values()))
    return str(plan.rng.choice(list(_REMAINS), p=weights / weights.sum()))


def _aged(plan: Plan, area: Area) -> Area:
    """The same ground a season later: crops turned, nets laid or taken off, weeds grown."""
    surface, rng = area.cover.surface, plan.rng
    turn = rng.random()
    if blocks.is_field(area):
        if turn < 0.45:
            return blocks.turned_crop(plan, area)
    elif surface is Surface.NET and turn < 0.35:
        return plan.area(str(rng.choice(("levelled", "dirt", "weeds"))), area.outline, area.angle)
    elif surface is Surface.BARE and turn < 0.4:
        return plan.area(str(rng.choice((*_NETS, "weeds", "levelled"))), area.outline, area.angle)
    return area


def _raze(plan: Plan, content: Content, block: Box) -> None:
    """Demolish a whole block (or most of it) and cover its ground."""
    spared = plan.rng.random() * 0.3 if plan.rng.random() < 0.4 else 0.0
    inside = [s for s in content.structures if block.holds(s.box.x, s.box.y)]
    if not inside:
        return
    gone = {s.id for s in inside if plan.rng.random() >= spared}
    content.structures[:] = [s for s in content.structures if s.id not in gone]
    content.trees[:] = [t for t in content.trees if not block.holds(t.x, t.y) or plan.rng.random() < 0.2]
    content.vehicles[:] = [v for v in content.vehicles if not block.holds(v.box.x, v.box.y)]
    ground = blocks.inset(block, 2.0)
    name = _remains(plan)
    content.areas.append(plan.area("levelled" if name in ("rubble", "heaps") else name, ground.corners(), ground.angle))
    for _ in range(int(plan.rng.integers(0, 4)) + (name == "rubble") * 3):
        u, v = plan.rng.uniform(-0.35, 0.35, 2) * (ground.length, ground.width)
        size = plan.rng.uniform(0.15, 0.5, 2) * (ground.length, ground.width)
        spot = blocks.part(ground, u, v, *size)
        second = "rubble" if name == "rubble" else _remains(plan)
        content.areas.append(plan.area(second, blocks.blob(spot, plan.rng), ground.angle))
    if name in ("grass", "saplings"):
        _plant_young(plan, content, ground)


def _plant_young(plan: Plan, content: Content, ground: Box) -> None:
    """Young trees in rows on newly greened ground."""
    spacing = plan.rng.uniform(3.5, 7)
    for u in np.arange(-ground.length / 2 + 2, ground.length / 2 - 2, spacing):
        for v in np.arange(-ground.width / 2 + 2, ground.width / 2 - 2, spacing):
            x, y = np.array(ground.point(u, v)) + plan.rng.normal(0, 0.3, 2)
            content.trees.append(plan.tree(float(x), float(y), float(plan.rng.uniform(0.7, 1.6))))


def _touch_up(plan: Plan, content: Content, share: float) -> None:
    """Demolish single structures here and there; on some spots a new one goes up at once."""
    groups: dict[int, list[Structure]] = defaultdict(list)
    for structure in content.structures:
        groups[structure.id].append(structure)
    kept: list[Structure] = []
    for group in groups.values():
        if plan.rng.random() >= share:
            kept += group
            continue
        name = _remains(plan)
        for structure in group:
            _lay_bare(plan, content, structure.box, name)
        if plan.rng.random() < 0.25:
            kept.append(_successor(plan, group[0]))
    content.structures[:] = kept


def _lay_bare(plan: Plan, content: Content, box: Box, name: str) -> None:
    """Cover the ground of a demolished structure; a net lies on levelled soil, never quite to its edge."""
    outline = box.corners(grow_m=float(plan.rng.uniform(0.8, 3)))
    if name not in _NETS:
        content.areas.append(plan.area(name, outline, box.angle))
        return
    content.areas.append(plan.area("levelled", outline, box.angle))
    net = blocks.blob(box, plan.rng, float(plan.rng.uniform(0.9, 1.05)))
    content.areas.append(plan.area(name, net, box.angle + float(plan.rng.normal(0, 0.1))))


def _successor(plan: Plan, old: Structure) -> Structure:
    """A new structure on the spot of an old one, of another size and roof."""
    length, width = np.array([old.box.length, old.box.width]) * plan.rng.uniform(0.75, 1.15, 2)
    roof = str(plan.rng.choice(("gable", "hip", "flat", "shed")))
    place = replace(old.box, length=float(length), width=float(width))
    return plan.structure(place, roof, float(plan.rng.uniform(3, 12)))


def _build_anew(plan: Plan, before: Content, after: Content, built: list[Box], number: int, size_m: float) -> None:
    """Put up structures on open ground that was free before."""
    standing = [structure.box for structure in before.structures + after.structures]
    free = Clearance(standing + plan.roadways, size_m, size_m)
    for _ in range(number):
        block = built[int(plan.rng.integers(len(built)))]
        place, roof = _new_place(plan, block)
        reach = math.hypot(place.length, place.width) / 2 + 1
        if free.at(np.array([place.x]), np.array([place.y]))[0] < reach:
            continue
        after.structures.append(plan.structure(place, roof, float(plan.rng.uniform(2.8, 9))))
        if plan.rng.random() < 0.6:
            name = str(plan.rng.choice(("yard", "concrete", "dirt", "levelled")))
            after.areas.append(plan.area(name, place.corners(grow_m=float(plan.rng.uniform(1, 6))), place.angle))
        standing.append(place)
        free = Clearance(standing + plan.roadways, size_m, size_m)


def _new_place(plan: Plan, block: Box) -> tuple[Box, str]:
    """A chance place in a block for a new structure, and its kind of roof."""
    u, v = plan.rng.uniform(-0.4, 0.4, 2) * (block.length, block.width)
    roof = str(plan.rng.choice(("gable", "flat", "shed", "container"), p=(0.2, 0.25, 0.4, 0.15)))
    width = 6.0 if roof == "container" else float(plan.rng.uniform(5, 16))
    return blocks.part(block, u, v, 3.0 * round(float(plan.rng.uniform(2, 10))), width), roof


def _photograph(content: Content, style: Style, epoch: int, seed: int, size_px: int, gsd_m: float) -> DrawnEpoch:
    """Draw, light and photograph one epoch."""
    canvas = Canvas.blank(size_px, size_px, gsd_m)
    look, rng = style.look(epoch), np.random.default_rng((seed, epoch, 1))
    scene.draw(canvas, replace(content, vehicles=scene.traffic(content, rng)), style)
    pixels = sensor.photographed(light.lit(canvas, look), look, seed * 31 + epoch)
    return DrawnEpoch(sensor.compressed(pixels, look.jpeg_quality), canvas.surface, canvas.structure_id)
