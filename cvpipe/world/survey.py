"""The plan of a district: streets, blocks, which of them are sites, what lasts and what each epoch adds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cvpipe.world import blocks, compounds, layout, scene
from cvpipe.world.canvas import Box
from cvpipe.world.compounds import ROLL, Compound, Roll
from cvpipe.world.plants import Tree
from cvpipe.world.scene import Clearance, Content, Plan
from cvpipe.world.sky import Cloud
from cvpipe.world.style import USES, Style

#: Sides of blocks that can hold a site, metres: compounds of about 2,000 to 20,000 m².
_SIDES_M = 62.0, 165.0
#: Sites keep this far from the edge of the scene, metres.
_EDGE_M = 20.0
#: No other site lies this near to a site under cloud, metres: neither the cloud nor its shadow shall reach it.
_CLOUD_REACH_M = 230.0


@dataclass(frozen=True)
class Survey:
    """A planned district.

    `lasting` is drawn once, `epochs` on top of it for each date. `compounds` has an entry for each site of the
    ledger, None for the one that lies outside the scenes. `clouds` are listed for each epoch.
    """

    lasting: Content
    epochs: tuple[Content, Content, Content]
    compounds: tuple[Compound | None, ...]
    clouds: tuple[list[Cloud], ...]


def survey(style: Style, seed: int, size_m: float, cloudy_epochs: tuple[int, ...], roll: Roll = ROLL) -> Survey:
    """Plan a square district of `size_m` with the sites of `roll`; equal arguments give equal plans."""
    rng = np.random.default_rng(seed)
    plan = Plan(style, rng)
    region = layout.covering(size_m, math.radians(style.angle_deg))
    streets = layout.street_plan(region, style.block_m, rng)
    chosen = _chosen(streets.blocks, rng, size_m, roll)
    for block in streets.blocks:
        if block not in chosen.values():
            blocks.fill(plan, block, _use(plan, block))
    layout.lay_roads(plan, streets)
    built = tuple(
        compounds.compound(plan, chosen[n], case, shape) if n in chosen else None
        for n, (case, shape) in enumerate(roll)
        if n in chosen or case == "outside"
    )
    sites = [compound for compound in built if compound is not None]
    clouds = tuple(_clouds(sites) if epoch in cloudy_epochs else [] for epoch in range(3))
    return Survey(*_in_time(plan, sites, size_m), built, clouds)


def _chosen(all_blocks: tuple[Box, ...], rng: np.random.Generator, size_m: float, roll: Roll) -> dict[int, Box]:
    """Which block each entry of `roll` gets; entries for which no block is left are missing.

    Sites under cloud come first and take the north-west, where the shadow of their cloud falls out of the scene.
    """
    free = [block for block in all_blocks if _suits(block, size_m)]
    free = [free[int(n)] for n in rng.permutation(len(free))]
    chosen: dict[int, Box] = {}
    for number, (case, _) in enumerate(roll):
        if case == "cloud" and free:
            chosen[number] = min(free, key=lambda block: block.x + block.y)
            free.remove(chosen[number])
    clouds = list(chosen.values())
    clear = [b for b in free if all(math.hypot(b.x - c.x, b.y - c.y) > _CLOUD_REACH_M for c in clouds)]
    for number, (case, _) in enumerate(roll):
        if case not in ("cloud", "outside") and clear:
            chosen[number] = _loneliest(clear, list(chosen.values()))
            clear.remove(chosen[number])
    return chosen


def _suits(block: Box, size_m: float) -> bool:
    corners = block.corners()
    inside = bool((corners > _EDGE_M).all() and (corners < size_m - _EDGE_M).all())
    return inside and _SIDES_M[0] <= min(block.length, block.width) and max(block.length, block.width) <= _SIDES_M[1]


def _loneliest(free: list[Box], taken: list[Box]) -> Box:
    """Of the first free blocks the one that is farthest from all that are taken: sites have neighbours that stay."""
    if not taken:
        return free[0]
    return max(free[:12], key=lambda b: min(math.hypot(b.x - t.x, b.y - t.y) for t in taken))


def _use(plan: Plan, block: Box) -> str:
    """What a block is used for: the style's mix, leaning to farms in one corner and to flats in another."""
    weights = np.array(plan.style.use_weights)
    lean = math.sin(block.x / 410 + 1.0) + math.cos(block.y / 370 - block.x / 900)
    for use, sign in (("field", 1), ("village", 0.6), ("vacant", 0.5), ("apartments", -1), ("offices", -0.8)):
        weights[USES.index(use)] *= math.exp(sign * lean)
    return str(plan.rng.choice(USES, p=weights / weights.sum()))


def _clouds(sites: list[Compound]) -> list[Cloud]:
    """A cloud over each site whose case is to be hidden."""
    return [
        Cloud(site.box.x, site.box.y, math.hypot(site.box.length, site.box.width) / 2 + 12, 40 + number)
        for number, site in enumerate(sites)
        if site.case == "cloud"
    ]


def _in_time(plan: Plan, sites: list[Compound], size_m: float) -> tuple[Content, tuple[Content, Content, Content]]:
    """What lasts (ground and structures outside the sites) and what each epoch draws over it."""
    whole = [Content(structures=list(plan.content.structures)) for _ in range(3)]
    for epoch, content in enumerate(whole):
        content.vehicles += plan.content.vehicles
        content.trees += plan.content.trees
        for site in sites:
            content.extend(site.epochs[epoch])
    scene.uncover(whole, plan.roadways, size_m)
    steady = _steady_trees(plan, whole, sites, size_m)
    lasting = Content(plan.content.areas, plan.content.structures, trees=steady)
    known = set(steady)
    for content in whole:
        content.trees = [tree for tree in content.trees if tree not in known]
    first, second, third = (_epoch(plan, content, sites, epoch) for epoch, content in enumerate(whole))
    return lasting, (first, second, third)


def _steady_trees(plan: Plan, whole: list[Content], sites: list[Compound], size_m: float) -> list[Tree]:
    """The trees of all epochs that no epoch paints over: away from sites and fields."""
    fields = [blocks.around(area) for area in plan.content.areas if blocks.is_field(area)]
    painted = Clearance([*(site.box for site in sites), *fields], size_m, size_m)
    everywhere = set(whole[0].trees).intersection(*(content.trees for content in whole[1:]))
    return painted.trees([tree for tree in whole[0].trees if tree in everywhere], overhang=-0.3)


def _epoch(plan: Plan, content: Content, sites: list[Compound], epoch: int) -> Content:
    """What one epoch draws over what lasts: crops, the sites, traffic and the other trees."""
    crops = [area for area in plan.content.areas if blocks.is_field(area)]
    turned = [blocks.turned_crop(plan, area) for area in crops if plan.rng.random() < 0.4] if epoch else []
    return Content(
        areas=turned + content.areas,
        structures=[structure for site in sites for structure in site.epochs[epoch].structures],
        vehicles=scene.traffic(content, plan.rng),
        trees=content.trees,
    )
