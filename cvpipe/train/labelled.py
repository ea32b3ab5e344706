"""Folders of labelled pictures as material: what their masks say becomes surfaces and changes, the rest is ignored.

A set that labels structures alone teaches where structures stand and where none does; one that labels new structures
alone teaches nothing of demolition. Each pixel teaches only the heads that its labels speak of.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cvpipe.domain import ChangeKind, Surface
from cvpipe.errors import DatasetError
from cvpipe.imagery.reading import SceneReader
from cvpipe.network.losses import IGNORE, NOT_STRUCTURE
from cvpipe.train.folders import (
    STRUCTURE_KINDS,
    Dataset,
    DatasetSettings,
    LabelledPicture,
    LabelSettings,
    Target,
    described,
    read_dataset,
    read_label,
    targets_of,
)
from cvpipe.train.pictures import EpochPair, Item, Picture, Pixels, read_rgb
from cvpipe.train.settings import LabelledSource, shared_path
from cvpipe.train.simulate import Mask, edge_ignored


def labelled(source: LabelledSource) -> list[Item]:
    """The pictures of a source, each at its own pixel size. Places are named `FOLDER/PLACE`.

    Raises DatasetError, which names the file, where pictures and masks do not fit together or a pixel size is missing.
    """
    dataset = _dataset(source)
    name = dataset.folder.name
    return [_item(picture, dataset, name) for picture in dataset.pictures]


def change_and_surfaces(masks: dict[ChangeKind, Pixels], shape: tuple[int, int]) -> tuple[Pixels, list[Pixels]]:
    """Masks (H, W) of some kinds of change (1, 0, IGNORE) → change (2, H, W), surfaces (H, W) of both epochs.

    What is not labelled is IGNORE. A structure that was removed stood there before and, unless another was added on
    its spot, not after; green that was added is vegetation after. Outlines are ignored: no two people draw the same.
    """
    unknown = np.full(shape, IGNORE, np.uint8)
    removed, added = (edge_ignored(masks.get(kind, unknown)) for kind in STRUCTURE_KINDS)
    before, after = unknown.copy(), unknown.copy()
    after[removed == 1], before[added == 1] = NOT_STRUCTURE, NOT_STRUCTURE
    before[removed == 1], after[added == 1] = Surface.STRUCTURE, Surface.STRUCTURE
    for surface, kind in ((before, ChangeKind.GREEN_REMOVED), (after, ChangeKind.GREEN_ADDED)):
        surface[(edge_ignored(masks.get(kind, unknown)) == 1) & (surface == IGNORE)] = Surface.VEGETATION
    return np.stack([removed, added]), [before, after]


def _dataset(source: LabelledSource) -> Dataset:
    folder = shared_path(source.folder)
    if not source.labels:
        dataset = read_dataset(folder, gsd_m=source.gsd_m)
    else:
        settings = DatasetSettings(
            name=folder.name,
            kind="pairs" if source.kind == "pairs" else "surfaces",
            gsd_m=source.gsd_m,
            gsd_by_ending=source.gsd_by_ending,
            place=source.place,
            labels=source.labels,
        )
        dataset = described(settings, folder)
    _refuse_other_layout(dataset, source)
    return dataset


def _refuse_other_layout(dataset: Dataset, source: LabelledSource) -> None:
    is_pairs = any(picture.after is not None for picture in dataset.pictures)
    if is_pairs != (source.kind == "pairs"):
        raise DatasetError(
            f"holds {'pairs' if is_pairs else 'single pictures'}, not what kind `{source.kind}` means",
            where=dataset.folder,
            remedy="Write `kind: pairs` for A/ and B/, `kind: folder` for images/ and masks/.",
        )


def _item(picture: LabelledPicture, dataset: Dataset, name: str) -> Item:
    before, shown_before, gsd_m = _pixels(picture.before, picture.gsd_m)
    place = f"{name}/{picture.place}"
    if picture.after is None:
        surface = _surface(picture, dataset, before.shape[:2], "before")
        surface[~shown_before] = IGNORE
        return Picture(before, surface, gsd_m, place)
    after, shown_after, _ = _pixels(picture.after, picture.gsd_m)
    if before.shape != after.shape:
        found = f"is {after.shape[1]} × {after.shape[0]} pixels, its partner {before.shape[1]} × {before.shape[0]}"
        raise DatasetError(found, where=picture.after, remedy="Both epochs must lie on one grid.")
    shape = before.shape[:2]
    change, surfaces = change_and_surfaces(_changes(picture, dataset, shape), shape)
    for epoch, surface in zip(("before", "after"), surfaces, strict=True):
        told = _surface(picture, dataset, shape, epoch)
        surface[told != IGNORE] = told[told != IGNORE]
    for labels, shown in (
        (surfaces[0], shown_before),
        (surfaces[1], shown_after),
        (change.T, (shown_before & shown_after).T),
    ):
        labels[~shown] = IGNORE
    return EpochPair((before, after), (surfaces[0], surfaces[1]), change, gsd_m, place)


def _changes(picture: LabelledPicture, dataset: Dataset, shape: tuple[int, int]) -> dict[ChangeKind, Pixels]:
    """Masks by kind. A mask of several kinds together tells where none of them is; which one, others may tell."""
    masks: dict[ChangeKind, Pixels] = {}
    for label in sorted(dataset.labels, key=lambda label: -len(label.changes)):
        if not label.changes or label.folder not in picture.masks:
            continue
        mask = read_label(picture.masks[label.folder], label, Target(label.folder, label.changes), shape)
        if len(label.changes) > 1:
            mask = np.where(mask == 1, IGNORE, mask).astype(np.uint8)
        for kind in label.changes:
            known = masks.setdefault(kind, np.full(shape, IGNORE, np.uint8))
            known[mask != IGNORE] = mask[mask != IGNORE]
    return masks


def _surface(picture: LabelledPicture, dataset: Dataset, shape: tuple[int, int], epoch: str) -> Pixels:
    """Surface codes, NOT_STRUCTURE and IGNORE (H, W) of one epoch, from all masks that speak of it."""
    surface = np.full(shape, IGNORE, np.uint8)
    for label in dataset.labels:
        if label.epoch == epoch and label.folder in picture.masks:
            told = _told(picture.masks[label.folder], label, shape)
            surface[told != IGNORE] = told[told != IGNORE]
    return surface


def _told(path: Path, label: LabelSettings, shape: tuple[int, int]) -> Pixels:
    targets = targets_of(label, layout_is_single=True)
    names_structures = any(target.surface is Surface.STRUCTURE for target in targets)
    surface = np.full(shape, NOT_STRUCTURE if names_structures else IGNORE, np.uint8)
    for target in targets:
        assert target.surface is not None, "a label with an epoch has surfaces for targets"
        mask = read_label(path, label, target, shape)
        surface[mask == 1] = target.surface
        surface[mask == IGNORE] = IGNORE
    return surface


def _pixels(path: Path, gsd_m: float | None) -> tuple[Pixels, Mask, float]:
    """RGB (H, W, 3), where it shows something (H, W), and the pixel size, m: the given one, else the raster's own."""
    if gsd_m is not None:
        pixels = read_rgb(path)
        return pixels, np.ones(pixels.shape[:2], bool), gsd_m
    with SceneReader(path) as reader:
        patch = reader.read(reader.grid)
        return patch.pixels, patch.valid, reader.grid.ground_pixel_m()
