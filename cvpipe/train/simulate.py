"""Simulated change on real pictures: structures taken away, structures carried in, ground that alters.

A pair starts as the same picture twice. Edits then alter one epoch or the other: a structure that is filled over in
the later epoch was removed, one that is filled over in the earlier epoch was added; pasted structures likewise.
Ground edits (rubble hauled off, nets laid, grass sown) alter a surface but no structure, so that the network cannot
take the trace of an edit for the change itself. Similar in spirit to ChangeStar (Zheng et al. 2021) and
"copy-paste" augmentation (Ghiasi et al. 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.domain import Surface
from cvpipe.network.losses import IGNORE, NOT_STRUCTURE
from cvpipe.train.debris import strewn
from cvpipe.train.pictures import Pixels

Mask = NDArray[np.bool_]

#: Structures smaller than this, px, are left alone: their outline is mostly edge.
SMALLEST_STRUCTURE = 25
#: Share of fills by what takes a structure's place; AROUND copies ground from beside it.
AROUND = "around"
FILLS: dict[Surface | str, float] = {
    AROUND: 0.25,
    Surface.BARE: 0.25,
    Surface.RUBBLE: 0.2,
    Surface.VEGETATION: 0.15,
    Surface.NET: 0.1,
    Surface.PAVED: 0.05,
}


@dataclass
class Epoch:
    """One epoch while it is edited: RGB `pixels` (H, W, 3) and `surface` labels (H, W), both uint8.

    `identity` (H, W) uint8 tells structures on the same spot apart: 0 stood there from the start, others were pasted.
    """

    pixels: Pixels
    surface: Pixels
    identity: Pixels

    @classmethod
    def untouched(cls, pixels: Pixels, surface: Pixels) -> Epoch:
        """An epoch before any edit, with copies of what it is given."""
        return cls(pixels.copy(), surface.copy(), np.zeros(surface.shape, np.uint8))

    @property
    def structure(self) -> Mask:
        """Where a structure stands."""
        stands: Mask = self.surface == Surface.STRUCTURE
        return stands


@dataclass(frozen=True)
class Cutout:
    """A structure cut out of a picture: RGB pixels (h, w, 3), its mask (h, w) and the pixel size, m."""

    pixels: Pixels
    mask: Mask
    gsd_m: float


@dataclass(frozen=True)
class Banks:
    """What edits are made from: ground textures by surface, and cut-out structures.

    `debris_share` of what is covered with rubble gets broken cut-outs (`debris`), the rest a texture.
    """

    textures: dict[Surface, list[Pixels]] = field(default_factory=dict)
    cutouts: list[Cutout] = field(default_factory=list)
    debris_share: float = 0.0


def change_labels(before: Epoch, after: Epoch, edge_px: int = 1) -> Pixels:
    """Labels (2, H, W): structure removed, structure added; 1, 0, or IGNORE at edges and where a label is unknown.

    Pixels within `edge_px` of a change's outline are ignored: no two people draw the same edge. Where both epochs
    still hold the very same pixels nothing changed, whatever the ground is.
    """
    edited = (before.pixels != after.pixels).any(axis=2)
    unknown = ((before.surface == IGNORE) | (after.surface == IGNORE)) & edited
    same = before.structure & after.structure & (before.identity == after.identity)
    out = []
    for there in (before.structure, after.structure):
        changed = (there & ~same).astype(np.uint8)
        out.append(np.where(unknown, IGNORE, edge_ignored(changed, edge_px)).astype(np.uint8))
    return np.stack(out)


def edge_ignored(label: Pixels, edge_px: int = 1) -> Pixels:
    """A label (H, W) of 1, 0 and IGNORE with what lies within `edge_px` of an outline ignored."""
    yes = (label == 1).astype(np.uint8)
    rim = cv2.morphologyEx(yes, cv2.MORPH_GRADIENT, np.ones((2 * edge_px + 1,) * 2, np.uint8)) > 0
    return np.where(rim, IGNORE, label).astype(np.uint8)


def simulate_change(
    before: Epoch, after: Epoch, banks: Banks, gsd_m: float, rng: np.random.Generator, edits: int
) -> None:
    """Apply `edits` random edits in place, each to one epoch or the other."""
    for _ in range(edits):
        target = before if rng.random() < 0.5 else after
        kind = rng.choice(("fill", "paste", "replace", "ground"), p=(0.4, 0.3, 0.12, 0.18))
        if kind == "fill":
            fill_structures(target, banks, rng)
        elif kind == "paste":
            paste_structure(target, banks, gsd_m, rng)
        elif kind == "replace":
            replace_structure(target, banks, gsd_m, rng)
        else:
            alter_ground(target, banks, rng)


def fill_structures(epoch: Epoch, banks: Banks, rng: np.random.Generator) -> None:
    """Take away some of the structures of an epoch and put ground in their place, in place."""
    count, ids, stats, _ = cv2.connectedComponentsWithStats(epoch.structure.astype(np.uint8), connectivity=4)
    able = [i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] >= SMALLEST_STRUCTURE]
    if not able:
        return
    chosen = rng.choice(able, size=rng.integers(1, min(len(able), 5) + 1), replace=False)
    gone = np.isin(ids, chosen)
    # eaves and the foot of the shadow go with the structure
    grown = _dilated(gone, int(rng.integers(2, 5))) & (~epoch.structure | gone)
    lay_ground(epoch, grown, _random_fill(rng), banks, rng)


def alter_ground(epoch: Epoch, banks: Banks, rng: np.random.Generator) -> None:
    """Lay another ground over an irregular piece of an epoch that holds no structure, in place."""
    height, width = epoch.structure.shape
    blob = np.zeros((height, width), np.uint8)
    corners = rng.normal(rng.uniform(0, 1, 2) * (width, height), width / 10, (7, 2)).astype(np.int32)
    cv2.fillPoly(blob, [cv2.convexHull(corners)], 1)
    area = (blob > 0) & ~_dilated(epoch.structure, 3)
    lay_ground(epoch, area, _random_fill(rng), banks, rng)


def lay_ground(epoch: Epoch, area: Mask, fill: Surface | str, banks: Banks, rng: np.random.Generator) -> None:
    """Cover `area` (H, W) of an epoch with a ground, with a soft edge, and set its label, in place."""
    if not area.any():
        return
    if fill is Surface.RUBBLE and banks.cutouts and banks.debris_share and rng.random() < banks.debris_share:
        roof = banks.cutouts[rng.integers(len(banks.cutouts))]
        below = _ground_around(epoch, area, rng)
        ground, label = strewn(below, area, roof.pixels[roof.mask], rng), int(Surface.RUBBLE)
    elif isinstance(fill, Surface) and banks.textures.get(fill):
        ground = _texture(banks.textures[fill], area.shape, rng)
        label = int(fill)
    else:
        ground, label = _ground_around(epoch, area, rng), NOT_STRUCTURE
    weight = cv2.GaussianBlur(area.astype(np.float32), (0, 0), float(rng.uniform(0.7, 1.8)))[..., None]
    mixed = epoch.pixels * (1 - weight) + ground * weight
    epoch.pixels = np.clip(mixed, 0, 255).astype(np.uint8)
    epoch.surface[area] = label


def paste_structure(epoch: Epoch, banks: Banks, gsd_m: float, rng: np.random.Generator) -> None:
    """Carry a cut-out structure and its shadow onto ground without a structure, in place."""
    if not banks.cutouts:
        return
    piece = _turned(banks.cutouts[rng.integers(len(banks.cutouts))], gsd_m, rng)
    (h, w), (height, width) = piece.mask.shape, epoch.structure.shape
    if h >= height or w >= width or piece.mask.sum() < SMALLEST_STRUCTURE:
        return
    for _ in range(6):
        row, col = int(rng.integers(0, height - h)), int(rng.integers(0, width - w))
        spot = np.s_[row : row + h, col : col + w]
        if not (epoch.structure[spot] & piece.mask).any():
            _set_down(epoch, piece, row, col, rng)
            return


def replace_structure(epoch: Epoch, banks: Banks, gsd_m: float, rng: np.random.Generator) -> None:
    """Take one structure of an epoch away and set another down on its spot, in place: removed and added at once."""
    count, ids, stats, centres = cv2.connectedComponentsWithStats(epoch.structure.astype(np.uint8), connectivity=4)
    able = [i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] >= SMALLEST_STRUCTURE]
    if not able or not banks.cutouts:
        return
    chosen = int(rng.choice(able))
    piece = _alike(banks.cutouts, int(stats[chosen, cv2.CC_STAT_AREA]), gsd_m, rng)
    (h, w), (height, width) = piece.mask.shape, epoch.structure.shape
    x, y = centres[chosen] + rng.normal(0, 2, 2)
    row, col = round(y - h / 2), round(x - w / 2)
    if min(row, col) < 0 or row + h > height or col + w > width:
        return
    gone = ids == chosen
    others = epoch.structure & ~gone
    if (others[row : row + h, col : col + w] & piece.mask).any():
        return
    lay_ground(epoch, _dilated(gone, int(rng.integers(2, 5))) & ~others, _random_fill(rng), banks, rng)
    _set_down(epoch, piece, row, col, rng)


def _alike(cutouts: Sequence[Cutout], area_px: int, gsd_m: float, rng: np.random.Generator) -> Cutout:
    """Of some cut-outs the one whose area is most like `area_px`."""
    some = [_turned(cutouts[i], gsd_m, rng) for i in rng.integers(len(cutouts), size=4)]
    return min(some, key=lambda piece: abs(float(np.log(max(piece.mask.sum(), 1) / area_px))))


def _set_down(epoch: Epoch, piece: Cutout, row: int, col: int, rng: np.random.Generator) -> None:
    h, w = piece.mask.shape
    mask = np.zeros(epoch.structure.shape, bool)
    mask[row : row + h, col : col + w] = piece.mask
    shade = _shadow(mask, rng) & ~mask & ~epoch.structure
    darker = cv2.GaussianBlur(shade.astype(np.float32), (0, 0), 0.8)[..., None] * rng.uniform(0.3, 0.65)
    pixels = epoch.pixels * (1 - darker)
    pasted = pixels.copy()
    gain = rng.uniform(0.8, 1.2)
    pasted[row : row + h, col : col + w] = np.clip(piece.pixels.astype(np.float32) * gain, 0, 255)
    weight = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7)[..., None]
    epoch.pixels = np.clip(pixels * (1 - weight) + pasted * weight, 0, 255).astype(np.uint8)
    epoch.surface[mask] = Surface.STRUCTURE
    epoch.identity[mask] = rng.integers(1, 256)


def _shadow(mask: Mask, rng: np.random.Generator) -> Mask:
    """Ground that a structure with a random height and sun would shade."""
    angle, length = rng.uniform(0, 2 * np.pi), int(rng.integers(3, 18))
    out = np.zeros_like(mask)
    for step in range(2, length + 1, 2):
        move = np.array([[1, 0, np.cos(angle) * step], [0, 1, np.sin(angle) * step]], np.float32)
        out |= cv2.warpAffine(mask.astype(np.uint8), move, mask.shape[::-1], flags=cv2.INTER_NEAREST) > 0
    return out


def _turned(piece: Cutout, gsd_m: float, rng: np.random.Generator) -> Cutout:
    """The cut-out at another pixel size, angle and scale."""
    scale = piece.gsd_m / gsd_m * rng.uniform(0.8, 1.25)
    angle = rng.uniform(0, 360)
    h, w = piece.mask.shape
    side = int(np.ceil(np.hypot(h, w) * scale)) + 2
    matrix = np.asarray(cv2.getRotationMatrix2D((w / 2, h / 2), angle, scale), np.float64)
    matrix[:, 2] += side / 2 - np.array([w / 2, h / 2])
    smooth = cv2.INTER_AREA if scale < 0.7 else cv2.INTER_LINEAR
    pixels = cv2.warpAffine(piece.pixels, matrix, (side, side), flags=smooth, borderMode=cv2.BORDER_REFLECT_101)
    mask = cv2.warpAffine(piece.mask.astype(np.uint8), matrix, (side, side), flags=cv2.INTER_NEAREST) > 0
    return Cutout(pixels.astype(np.uint8, copy=False), mask, gsd_m)


def _ground_around(epoch: Epoch, area: Mask, rng: np.random.Generator) -> Pixels:
    """Ground for `area` from the same picture, copied from where the moved area holds no structure.

    Falls back on diffusion from the edge (Telea 2004) where every move meets a structure.
    """
    height, width = area.shape
    rows, cols = np.nonzero(area)
    for _ in range(12):
        dy, dx = (int(v) for v in rng.integers(-width // 2, width // 2, 2))
        inside = (rows + dy >= 0) & (rows + dy < height) & (cols + dx >= 0) & (cols + dx < width)
        if not inside.all() or np.hypot(dx, dy) < 8:
            continue
        source = epoch.surface[rows + dy, cols + dx]
        if not ((source == Surface.STRUCTURE) | (source == IGNORE)).any() and not area[rows + dy, cols + dx].any():
            ground = epoch.pixels.copy()
            ground[rows, cols] = epoch.pixels[rows + dy, cols + dx]
            return ground
    rough = cv2.inpaint(epoch.pixels, area.astype(np.uint8), 3, cv2.INPAINT_TELEA).astype(np.float32)
    np.add(rough, rng.normal(0, 6, (height, width, 1)), out=rough, casting="same_kind")
    return np.clip(rough, 0, 255).astype(np.uint8)


def _texture(bank: Sequence[Pixels], shape: tuple[int, int], rng: np.random.Generator) -> Pixels:
    """A piece of ground of `shape`, mirrored where the texture is too small, turned and toned at random."""
    texture = np.rot90(bank[int(rng.integers(len(bank)))], int(rng.integers(4)))
    pad = [(0, max(shape[i] - texture.shape[i], 0)) for i in (0, 1)]
    if any(p[1] for p in pad):
        texture = np.pad(texture, [*pad, (0, 0)], mode="symmetric")
    row, col = (int(rng.integers(0, texture.shape[i] - shape[i] + 1)) for i in (0, 1))
    piece = texture[row : row + shape[0], col : col + shape[1]].astype(np.float32)
    toned = piece * rng.uniform(0.8, 1.2) * rng.uniform(0.94, 1.06, 3)
    ground: Pixels = np.clip(toned, 0, 255).astype(np.uint8)
    return ground


def _random_fill(rng: np.random.Generator) -> Surface | str:
    names = list(FILLS)
    return names[rng.choice(len(names), p=list(FILLS.values()))]


def _dilated(mask: Mask, px: int) -> Mask:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * px + 1,) * 2)
    return cv2.dilate(mask.astype(np.uint8), kernel) > 0
