"""Pairs of epochs to learn from: cut from labelled pictures with simulated change, or from two real or drawn epochs.

Pair number i of a data set is always the same pair, whatever process makes it: all its chance comes from (seed, i).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from cvpipe.domain import Surface
from cvpipe.train.augment import Cut, Light, coarsened, crop, displaced
from cvpipe.train.heights import another_sun, leaned
from cvpipe.train.materials import Material
from cvpipe.train.pictures import EpochPair, Item, Picture, Pixels
from cvpipe.train.settings import TrainSettings
from cvpipe.train.simulate import Banks, Cutout, Epoch, alter_ground, change_labels, simulate_change

#: Side of the ground textures kept for filling, px, and how many of each surface are kept.
TEXTURE_PX, TEXTURES = 96, 160
#: How much coarser than the network's pixel a scene may be that is enlarged for it.
COARSENESS = (1.3, 2.2)
#: How far the highest roof of a pair leans over, px: at 0.3 m a pixel a house of 9 m seen 3 to 11 degrees off.
LEAN_PX = (1.5, 6.0)
#: Structures cut out for pasting: smallest and largest side, m, and how many are kept.
CUTOUT_SIDES_M, CUTOUTS = (3.0, 60.0), 1500


@dataclass(frozen=True)
class Pair:
    """One sample: RGB uint8 (H, W, 3) of both epochs, surface labels (H, W), change labels (2, H, W)."""

    before: Pixels
    after: Pixels
    surface_before: Pixels
    surface_after: Pixels
    change: Pixels

    def tensors(self) -> dict[str, Tensor]:
        """As the loop takes them: pictures (3, H, W) uint8, labels uint8."""
        chw = (2, 0, 1)
        return {
            "before": torch.from_numpy(self.before.transpose(chw).copy()),
            "after": torch.from_numpy(self.after.transpose(chw).copy()),
            "surface_before": torch.from_numpy(self.surface_before),
            "surface_after": torch.from_numpy(self.surface_after),
            "change": torch.from_numpy(self.change),
        }


class PairDataset(Dataset[dict[str, Tensor]]):
    """Pairs by number. `length` only bounds the numbers; each one is drawn afresh from the material."""

    def __init__(
        self, materials: Sequence[Material], banks: Banks, settings: TrainSettings, length: int, seed: int
    ) -> None:
        self._materials, self._settings = materials, settings
        self._banks = replace(banks, debris_share=settings.debris_share)
        self._length, self._seed = length, seed
        weights = np.array([m.weight for m in materials])
        self._shares = weights / weights.sum()
        self._light: Light | None = None

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return self.pair(index).tensors()

    def pair(self, index: int) -> Pair:
        """Pair number `index`."""
        self._light = self._light or Light(self._settings.dark_share)
        rng = np.random.default_rng((self._seed, index))
        material = self._materials[rng.choice(len(self._materials), p=self._shares)]
        item = material.items[int(rng.integers(len(material.items)))]
        if isinstance(item, EpochPair):
            before, after, change = self._from_epochs(item, material, rng)
        else:
            before, after, change = self._simulated(item, material, rng)
        return self._seen(before, after, change, rng)

    def _simulated(self, picture: Picture, material: Material, rng: np.random.Generator) -> tuple[Epoch, Epoch, Pixels]:
        cut = Cut.random(picture, material.gsd_range_m, self._settings.crop_px, rng)
        pixels, surface = crop(picture.pixels, picture.surface, picture.gsd_m, cut, self._settings.crop_px)
        before, after = (Epoch.untouched(pixels, surface) for _ in range(2))
        if rng.random() >= self._settings.unchanged_share:
            simulate_change(before, after, self._banks, cut.gsd_m, rng, edits=int(rng.integers(1, 6)))
        elif rng.random() < 0.3:
            alter_ground(after if rng.random() < 0.5 else before, self._banks, rng)
        return before, after, change_labels(before, after)

    def _from_epochs(
        self, seen: EpochPair, material: Material, rng: np.random.Generator
    ) -> tuple[Epoch, Epoch, Pixels]:
        first, second = (0, 1) if rng.random() < 0.5 else (1, 0)
        change = seen.change if first == 0 else seen.change[::-1]
        if rng.random() < self._settings.unchanged_share / 2:  # two epochs are unchanged for the greater part anyway
            second, change = first, np.zeros_like(seen.change)
        picture = Picture(seen.pixels[first], seen.surface[first], seen.gsd_m, seen.place)
        cut = Cut.random(picture, material.gsd_range_m, self._settings.crop_px, rng)
        labels = np.dstack([seen.surface[first], seen.surface[second], change[0], change[1]])
        size = self._settings.crop_px
        before_px, cropped = crop(seen.pixels[first], labels, seen.gsd_m, cut, size)
        after_px, _ = crop(seen.pixels[second], labels[..., :1], seen.gsd_m, cut, size)
        before, after = Epoch.untouched(before_px, cropped[..., 0]), Epoch.untouched(after_px, cropped[..., 1])
        return before, after, np.ascontiguousarray(cropped[..., 2:].transpose(2, 0, 1))

    def _seen(self, before: Epoch, after: Epoch, change: Pixels, rng: np.random.Generator) -> Pair:
        """Both epochs as two overflights saw them; what was added moves with the later one."""
        assert self._light is not None
        if self._settings.coarse_share and rng.random() < self._settings.coarse_share:
            factor = float(rng.uniform(*COARSENESS))
            before.pixels, after.pixels = coarsened(before.pixels, factor), coarsened(after.pixels, factor)
        if rng.random() < self._settings.still_share:
            return Pair(before.pixels, after.pixels, before.surface, after.surface, change)
        change = self._seen_from_elsewhere(before, after, change, rng)
        usual, rare = self._settings.shift_px
        reach = rare if rng.random() < 0.1 else usual
        shift = (float(rng.uniform(-reach, reach)), float(rng.uniform(-reach, reach)))
        labels = np.dstack([after.surface, change[1]])
        after_px, moved = displaced(after.pixels, labels, shift, relief_px=float(rng.uniform(0, 2)), rng=rng)
        return Pair(
            before=self._light(before.pixels, rng),
            after=self._light(after_px, rng),
            surface_before=before.surface,
            surface_after=np.ascontiguousarray(moved[..., 0]),
            change=np.stack([change[0], moved[..., 1]]),
        )

    def _seen_from_elsewhere(self, before: Epoch, after: Epoch, change: Pixels, rng: np.random.Generator) -> Pixels:
        """Structures as another view and another sun show them, in place; returns the change labels that fit."""
        if self._settings.sun_share and rng.random() < self._settings.sun_share:
            epoch = before if rng.random() < 0.5 else after
            epoch.pixels = another_sun(epoch.pixels, epoch.structure, rng)
        if self._settings.lean_share and rng.random() < self._settings.lean_share:
            reach = float(rng.uniform(*LEAN_PX))
            after.pixels, after.surface, added = leaned(
                after.pixels, after.surface, change[1], after.structure, reach, rng
            )
            return np.stack([change[0], added])
        return change


def banks_of(materials: Sequence[Material], seed: int) -> Banks:
    """Textures and cut-out structures from the pictures of `materials`, chosen with a seed."""
    rng = np.random.default_rng(seed)
    views = [v for m in materials for item in m.items for v in _views(item)]
    order = [views[i] for i in rng.permutation(len(views))]
    textures = {
        s: _textures(order, s) for s in (Surface.BARE, Surface.RUBBLE, Surface.VEGETATION, Surface.NET, Surface.PAVED)
    }
    cutouts = [cutout for view in order for cutout in _cutouts(view)]
    picked = rng.permutation(len(cutouts))[:CUTOUTS]
    return Banks({s: t for s, t in textures.items() if t}, [cutouts[i] for i in picked])


def _views(item: Item) -> Sequence[Picture]:
    return [item] if isinstance(item, Picture) else item.views()


def _textures(views: Sequence[Picture], surface: Surface) -> list[Pixels]:
    """Squares that the surface covers to 97 %, a few from each picture until there are enough."""
    out: list[Pixels] = []
    side = TEXTURE_PX if surface is not Surface.RUBBLE else TEXTURE_PX // 3
    for view in views:
        share = cv2.boxFilter((view.surface == surface).astype(np.float32), -1, (side, side))
        inner = share[side // 2 : -side // 2 or None : side // 2, side // 2 : -side // 2 or None : side // 2]
        for row, col in list(zip(*np.nonzero(inner > 0.97), strict=True))[:4]:
            top, left = row * (side // 2), col * (side // 2)
            out.append(view.pixels[top : top + side, left : left + side].copy())
        if len(out) >= TEXTURES:
            break
    return out


def _cutouts(view: Picture) -> list[Cutout]:
    """Each structure that stands alone and whole inside the picture."""
    mask = (view.surface == Surface.STRUCTURE).astype(np.uint8)
    count, ids, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    low, high = (side / view.gsd_m for side in CUTOUT_SIDES_M)
    out = []
    for i in range(1, count):
        x, y, w, h, area = (int(v) for v in stats[i])
        whole = x > 1 and y > 1 and x + w < mask.shape[1] - 1 and y + h < mask.shape[0] - 1
        if whole and low <= min(w, h) and max(w, h) <= high and area > 0.5 * w * h:
            part = np.s_[y : y + h, x : x + w]
            out.append(Cutout(view.pixels[part].copy(), ids[part] == i, view.gsd_m))
    return out


def collated(samples: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """A batch from samples of one size."""
    return {key: torch.stack([sample[key] for sample in samples]) for key in samples[0]}


__all__ = ["Pair", "PairDataset", "banks_of", "collated"]
