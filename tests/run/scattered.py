"""Scenes at random, as planning meets them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from shapely import affinity, box

from cvpipe.domain import Scene
from cvpipe.geo import Bounds


@dataclass(frozen=True)
class Scatter:
    """How many scenes there may be, the ground that all of them could show, how far in from the west and how far turned
    they lie (degrees), and on which days from the first."""

    count: tuple[int, int]
    ground: Bounds
    lefts: Sequence[float]
    turns: Sequence[float]
    days: Sequence[int]


def scattered(dice: random.Random, scatter: Scatter) -> list[Scene]:
    """Some over all of the ground, some over a part of it, some of one day."""
    found = list[Scene]()
    west, south, east, north = scatter.ground
    for number in range(dice.randint(*scatter.count)):
        left = dice.choice(scatter.lefts)
        ground = affinity.rotate(box(west + left, south, east, north), dice.choice(scatter.turns), "centroid")
        day = date(2022, 1, 15) + timedelta(days=dice.choice(scatter.days))
        gsd = dice.choice([0.3, 0.5])
        found.append(Scene(f"/{number}.tif", day, f"{number:064}", ground, gsd, "EPSG:32650", 10, 10, 3, "uint8"))
    return found
