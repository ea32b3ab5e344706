"""Labelled pictures that training pairs are cut from.

Each source of pictures gives the same thing: RGB pixels, a label of surface codes (with NOT_STRUCTURE and IGNORE
where little or nothing is known), a ground sampling distance and a place. Splits are made by place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.domain import Surface
from cvpipe.errors import DatasetError
from cvpipe.geo import Bounds
from cvpipe.network.losses import IGNORE, NOT_STRUCTURE

Pixels = NDArray[np.uint8]
Job = TypeVar("Job")

#: Mask code of the Dubai tiles → surface; 0 is "unlabelled" there.
DUBAI_CODES = {
    0: IGNORE,
    1: Surface.STRUCTURE,
    2: Surface.BARE,
    3: Surface.PAVED,
    4: Surface.VEGETATION,
    5: Surface.WATER,
}

#: UC Merced scene classes without structures, and the surface that covers nearly all of such a scene.
STRUCTURE_FREE_SCENES = {
    "agricultural": NOT_STRUCTURE,
    "baseballdiamond": NOT_STRUCTURE,
    "beach": NOT_STRUCTURE,
    "chaparral": NOT_STRUCTURE,
    "forest": Surface.VEGETATION,
    "freeway": NOT_STRUCTURE,
    "golfcourse": NOT_STRUCTURE,
    "parkinglot": Surface.PAVED,
    "river": NOT_STRUCTURE,
    "runway": NOT_STRUCTURE,
}

#: A Dubai outline larger than this, px, that fills less than COMPACT of its hull is a block, not a structure.
LARGEST_STRUCTURE_PX, COMPACT = 4000, 0.85

#: Zoom level at which the drone mosaics are kept: Web Mercator zoom 20, about 0.15 m a pixel at the equator.
MOSAIC_ZOOM = 20


@dataclass(frozen=True)
class Picture:
    """RGB `pixels` (H, W, 3) uint8 and `surface` (H, W) uint8 label at `gsd_m` metres; `place` tells splits apart.

    `ground` is where it lies (degrees, WGS 84: west, south, east, north), None where that is not known.
    """

    pixels: Pixels
    surface: Pixels
    gsd_m: float
    place: str
    ground: Bounds | None = None

    def __post_init__(self) -> None:
        if self.pixels.shape[:2] != self.surface.shape:
            raise DatasetError(
                f"picture and label differ in size ({self.pixels.shape[:2]} and {self.surface.shape})",
                where=self.place,
                remedy="Replace one of them, or remove both.",
            )


@dataclass(frozen=True)
class EpochPair:
    """Two epochs of one place, with the labels (2, H, W) of structures removed and added: 1, 0 or IGNORE.

    `pixels` and `surface` hold the arrays of both epochs, as in a `Picture`.
    """

    pixels: tuple[Pixels, Pixels]
    surface: tuple[Pixels, Pixels]
    change: Pixels
    gsd_m: float
    place: str
    ground: Bounds | None = None

    def views(self) -> tuple[Picture, Picture]:
        """Each epoch by itself."""
        first, second = (
            Picture(p, s, self.gsd_m, self.place, self.ground) for p, s in zip(self.pixels, self.surface, strict=True)
        )
        return first, second


Item = Picture | EpochPair
"""What pairs are made from: change is simulated on a picture, and shown by two epochs."""


def dubai(folder: Path) -> list[Picture]:
    """Satellite tiles with five surfaces; a place is a tile of the original set, cut into parts there.

    Their pixel size is not published; it is taken as 0.5 m, which the width of lanes and cars suggests.
    """
    table = np.full(256, IGNORE, np.uint8)
    for code, surface in DUBAI_CODES.items():
        table[code] = surface

    def load(paths: tuple[Path, Path]) -> Picture:
        image, mask = paths
        surface = _without_blocks(table[_grey(mask)])
        return Picture(read_rgb(image), surface, gsd_m=0.5, place=f"dubai/{image.stem.split('_')[0]}")

    return _in_threads(load, list(_image_mask_paths(folder)))


def _without_blocks(surface: Pixels) -> Pixels:
    """Ignore outlines that run around whole blocks of houses: large, and winding as no single structure is."""
    count, ids, stats, _ = cv2.connectedComponentsWithStats((surface == Surface.STRUCTURE).astype(np.uint8))
    out = surface.copy()
    for i in range(1, count):
        if stats[i, cv2.CC_STAT_AREA] > LARGEST_STRUCTURE_PX:
            points = np.argwhere(ids == i).astype(np.int32)
            if len(points) < COMPACT * cv2.contourArea(cv2.convexHull(points)):
                out[ids == i] = IGNORE
    return out


def drone_mosaics(folder: Path) -> list[Picture]:
    """Drone mosaics with structure outlines, put together again from tiles named `…-X-Y-ZOOM`.

    Tiles at `MOSAIC_ZOOM` that touch become one picture and one place; the other zoom levels show the same ground.
    """
    groups: dict[str, dict[tuple[int, int], tuple[Path, Path]]] = defaultdict(dict)
    for image, mask in _image_mask_paths(folder):
        name, x, y, zoom = _tile_number(image)
        if zoom == MOSAIC_ZOOM:
            groups[name][x, y] = (image, mask)
    blocks = [(name, tiles, block) for name, tiles in groups.items() for block in _touching(set(tiles))]
    return [_mosaic(f"{folder.name}/{name}", tiles, block) for name, tiles, block in blocks]


def structure_free_scenes(folder: Path) -> list[Picture]:
    """Aerial scenes (UC Merced) of classes in which there is no structure; each scene is a place."""

    def load(scene: tuple[Path, int]) -> Picture:
        image, code = scene
        pixels = read_rgb(image)
        return Picture(pixels, np.full(pixels.shape[:2], code, np.uint8), gsd_m=0.3, place=f"ucmerced/{image.stem}")

    return _in_threads(
        load, [(p, STRUCTURE_FREE_SCENES[c]) for p, c in named_scenes(folder) if c in STRUCTURE_FREE_SCENES]
    )


def named_scenes(folder: Path) -> list[tuple[Path, str]]:
    """The pictures of UC Merced in order, each with its class. Raises DatasetError where they are not."""
    if not (folder / "images").is_dir():
        raise DatasetError("no images/ in it", where=folder, remedy="Check the path in the settings.")
    return [(path, path.stem.rstrip("0123456789")) for path in sorted((folder / "images").iterdir())]


def _mosaic(
    name: str, tiles: dict[tuple[int, int], tuple[Path, Path]], block: set[tuple[int, int]], side: int = 256
) -> Picture:
    x0, y0 = min(x for x, _ in block), min(y for _, y in block)
    x1, y1 = max(x for x, _ in block) + 1, max(y for _, y in block) + 1
    shape = ((y1 - y0) * side, (x1 - x0) * side)
    pixels, surface = np.zeros((*shape, 3), np.uint8), np.full(shape, IGNORE, np.uint8)
    for x, y in block:
        part = np.s_[(y - y0) * side : (y - y0 + 1) * side, (x - x0) * side : (x - x0 + 1) * side]
        pixels[part], structure = _tile(*tiles[x, y], side)
        surface[part] = np.where(structure, Surface.STRUCTURE, NOT_STRUCTURE)
    return Picture(pixels, surface, gsd_m=0.15, place=f"{name}-{x0}-{y0}")


def _tile_number(image: Path) -> tuple[str, int, int, int]:
    """Name of the mosaic, column, row and zoom level that a tile's name ends in."""
    try:
        name, x, y, zoom = image.stem.rsplit("-", 3)
        return name, int(x), int(y), int(zoom)
    except ValueError:
        raise DatasetError(
            "its name does not end in -X-Y-ZOOM", where=image, remedy="Rename it by its map tile, or remove it."
        ) from None


def _tile(image: Path, mask: Path, side: int) -> tuple[Pixels, NDArray[np.bool_]]:
    """RGB (side, side, 3) of a tile, and where structures stand in it."""
    pixels, structure = read_rgb(image), _grey(mask) > 127
    for path, shape in ((image, pixels.shape[:2]), (mask, structure.shape)):
        if shape != (side, side):
            raise DatasetError(
                f"a tile of {shape[1]} × {shape[0]} px, not {side} × {side}", where=path, remedy="Remove or replace it."
            )
    return pixels, structure


def _touching(cells: set[tuple[int, int]]) -> Iterator[set[tuple[int, int]]]:
    """Groups of cells that share an edge or a corner."""
    left = set(cells)
    while left:
        group, edge = set(), {left.pop()}
        while edge:
            group |= edge
            edge = {(x + i, y + j) for x, y in edge for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= edge
        yield group


def _image_mask_paths(folder: Path) -> Iterator[tuple[Path, Path]]:
    images, masks = folder / "images", folder / "masks"
    if not images.is_dir() or not masks.is_dir():
        raise DatasetError("no images/ and masks/ in it", where=folder, remedy="Check the path in the settings.")
    by_stem = {p.stem: p for p in masks.iterdir()}
    for image in sorted(images.iterdir()):
        if image.stem not in by_stem:
            raise DatasetError("picture without a mask", where=image, remedy=f"Put {image.stem}.png into {masks}.")
        yield image, by_stem[image.stem]


def read_rgb(path: Path) -> Pixels:
    """A picture file as RGB (H, W, 3) uint8. Raises DatasetError for one that cannot be read."""
    found = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if found is None:
        raise DatasetError("not a readable picture", where=path, remedy="Remove or replace it.")
    return cv2.cvtColor(found, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def _grey(path: Path) -> Pixels:
    found = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if found is None:
        raise DatasetError("not a readable mask", where=path, remedy="Remove or replace it.")
    return found.astype(np.uint8, copy=False)


def _in_threads(load: Callable[[Job], Picture], jobs: Sequence[Job]) -> list[Picture]:
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(load, jobs))
