"""What stands in a scene at one epoch, and how it gets onto the canvas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.world import ground, plants, structures, vehicles
from cvpipe.world.canvas import Box, Canvas, Points
from cvpipe.world.ground import Area
from cvpipe.world.plants import Tree
from cvpipe.world.structures import Structure
from cvpipe.world.style import Style
from cvpipe.world.vehicles import Vehicle

#: Kinds of tree as often as they come up.
_KINDS = (0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, 5)


@dataclass
class Content:
    """The things of a scene in the order in which they are drawn."""

    areas: list[Area] = field(default_factory=list)
    structures: list[Structure] = field(default_factory=list)
    vehicles: list[Vehicle] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)

    def extend(self, other: Content) -> None:
        """Take in the things of another content, on top of one's own."""
        self.areas += other.areas
        self.structures += other.structures
        self.vehicles += other.vehicles
        self.trees += other.trees


@dataclass
class Plan:
    """A scene being planned: its style, the source of chance, what has been placed, the next structure's number."""

    style: Style
    rng: np.random.Generator
    content: Content = field(default_factory=Content)
    next_id: int = 1
    roadways: list[Box] = field(default_factory=list)
    """Where nothing grows: roads and water."""

    def cover(self, name: str, outline: Points, angle: float = 0.0) -> None:
        """Lay a ground cover by name."""
        self.content.areas.append(self.area(name, outline, angle))

    def area(self, name: str, outline: Points, angle: float = 0.0) -> Area:
        """A ground cover by name with chance details, not yet laid."""
        return Area(outline, ground.cover(name, self.style), int(self.rng.integers(1 << 20)), angle)

    def build(self, box: Box, roof: str, height_m: float, *, number: int | None = None) -> Structure:
        """Put up a structure; with `number` it is a wing of the structure of that number."""
        structure = self.structure(box, roof, height_m, number=number)
        self.content.structures.append(structure)
        return structure

    def structure(self, box: Box, roof: str, height_m: float, *, number: int | None = None) -> Structure:
        """A structure with chance colour and details, not yet put up."""
        if number is None:
            number, self.next_id = self.next_id, self.next_id + 1
        return structures.random_structure(number, box, roof, height_m, self.rng, self.style)

    def plant(self, x: float, y: float, radius_m: float, kind: int | None = None) -> None:
        """Plant a tree."""
        self.content.trees.append(self.tree(x, y, radius_m, kind))

    def tree(self, x: float, y: float, radius_m: float, kind: int | None = None) -> Tree:
        """A tree with chance shape and tint, not yet planted."""
        chosen = _KINDS[int(self.rng.integers(len(_KINDS)))] if kind is None else kind
        return Tree(x, y, radius_m, chosen, int(self.rng.integers(1 << 20)))

    def park(self, x: float, y: float, angle: float, lorry: bool = False) -> None:
        """Leave a car or a lorry standing."""
        make = vehicles.random_lorry if lorry else vehicles.random_car
        self.content.vehicles.append(make(x, y, angle, self.rng))


def draw(canvas: Canvas, content: Content, style: Style) -> None:
    """Draw everything: the ground, what stands on it, what parks between, and the crowns above."""
    for area in content.areas:
        ground.paint(canvas, area)
    for structure in content.structures:
        structures.draw(canvas, structure)
    for vehicle in content.vehicles:
        vehicles.draw(canvas, vehicle)
    for tree in content.trees:
        plants.draw(canvas, tree, style)


class Clearance:
    """How far each place of a scene is from the nearest of some boxes."""

    _CELL_M = 0.6

    def __init__(self, boxes: Iterable[Box], width_m: float, height_m: float) -> None:
        shape = int(height_m / self._CELL_M) + 2, int(width_m / self._CELL_M) + 2
        free = np.full(shape, 255, np.uint8)
        for box in boxes:
            corners = np.round(box.corners() / self._CELL_M * 16).astype(np.int32)
            cv2.fillConvexPoly(free, corners, 0, shift=4)
        self._distance = cv2.distanceTransform(free, cv2.DIST_L2, 3) * np.float32(self._CELL_M)

    def at(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float32]:
        """Metres from each place to the nearest box; places outside the scene count as the nearest edge."""
        rows, cols = self._distance.shape
        row, col = (y / self._CELL_M).astype(int), (x / self._CELL_M).astype(int)
        return np.asarray(self._distance[row.clip(0, rows - 1), col.clip(0, cols - 1)], np.float32)

    def trees(self, trees: Sequence[Tree], overhang: float) -> list[Tree]:
        """The trees that stand clear; `overhang` is the share of the crown's radius that may reach over a box."""
        x, y, radius = np.array([(t.x, t.y, t.radius_m) for t in trees]).reshape(-1, 3).T
        clear = self.at(x, y) > radius * (1 - overhang) + 0.3
        return [tree for tree, is_clear in zip(trees, clear, strict=True) if is_clear]

    def vehicles(self, parked: Sequence[Vehicle]) -> list[Vehicle]:
        """The vehicles that stand clear."""
        x, y, length = np.array([(v.box.x, v.box.y, v.box.length) for v in parked]).reshape(-1, 3).T
        clear = self.at(x, y) > length / 2 + 0.4
        return [vehicle for vehicle, is_clear in zip(parked, clear, strict=True) if is_clear]


def uncover(contents: list[Content], roadways: list[Box], size_m: float) -> None:
    """Take away vehicles on roofs, trees on roads, and trees that would hide a structure, from the epochs of a scene.

    A tree that stands in all epochs may reach over a roof, as real crowns do; one that comes or goes may not, since
    its crown would make an unchanged structure seem to change.
    """
    roads = Clearance(roadways, size_m, size_m)
    each = [Clearance((s.box for s in content.structures), size_m, size_m) for content in contents]
    lasting = set(contents[0].trees).intersection(*(content.trees for content in contents[1:]))
    allowed = roads.trees(sorted(lasting, key=lambda tree: (tree.x, tree.y)), overhang=1.0)
    for houses in each:
        allowed = houses.trees(allowed, overhang=0.45)
    keep = set(allowed)
    for content, houses in zip(contents, each, strict=True):
        passing = roads.trees([tree for tree in content.trees if tree not in lasting], overhang=1.0)
        keep_now = keep.union(houses.trees(passing, overhang=-0.2))
        content.trees = [tree for tree in content.trees if tree in keep_now]
        content.vehicles = houses.vehicles(content.vehicles)


def traffic(content: Content, rng: np.random.Generator, taken: float = 0.6) -> list[Vehicle]:
    """Which of the places for vehicles are taken at one epoch (a share of them), and by what."""
    present = []
    for place in (vehicle.box for vehicle in content.vehicles if rng.random() < taken):
        make = vehicles.random_car if place.length < 6 else vehicles.random_lorry
        present.append(make(place.x + rng.normal(0, 0.3), place.y + rng.normal(0, 0.3), place.angle, rng))
    return present
