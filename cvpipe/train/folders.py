"""Labelled pictures on disk: what a folder holds, and its labels as masks.

Two layouts: pairs in `A/` (before) and `B/` (after) with one or more label folders; single pictures in `images/` with
`masks/`. Files line up by stem. A `dataset.yaml` in the folder, or a YAML file that names a folder, says what the
labels mean; without one the usual names are understood (`read_dataset`). Labels are uint8 masks (metrics.Mask).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from string import Template
from typing import Literal, Self

import cv2
import numpy as np
from pydantic import Field, field_validator, model_validator

from cvpipe.domain import SURFACES, ChangeKind, Surface
from cvpipe.errors import DatasetError
from cvpipe.settings import Settings, read_settings
from cvpipe.train.metrics import IGNORE, Mask

PICTURE_SUFFIXES = frozenset({".png", ".webp", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"})

DESCRIPTION = "dataset.yaml"

STRUCTURE_KINDS = (ChangeKind.STRUCTURE_REMOVED, ChangeKind.STRUCTURE_ADDED)

#: What a change is called by who looks back in time.
BACKWARDS = {
    ChangeKind.STRUCTURE_REMOVED: ChangeKind.STRUCTURE_ADDED,
    ChangeKind.STRUCTURE_ADDED: ChangeKind.STRUCTURE_REMOVED,
    ChangeKind.GREEN_REMOVED: ChangeKind.GREEN_ADDED,
    ChangeKind.GREEN_ADDED: ChangeKind.GREEN_REMOVED,
}

#: What the usual names of label folders beside A/ and B/ mean; `label_<kind>` is understood for every kind of change.
USUAL_LABELS: dict[str, tuple[ChangeKind, ...]] = {
    "label": STRUCTURE_KINDS,
    "labels": STRUCTURE_KINDS,
    "label_removed": (ChangeKind.STRUCTURE_REMOVED,),
    "label_demolished": (ChangeKind.STRUCTURE_REMOVED,),
    "label_added": (ChangeKind.STRUCTURE_ADDED,),
    "label_new": (ChangeKind.STRUCTURE_ADDED,),
    **{f"label_{kind}": (kind,) for kind in ChangeKind},
}

Layout = Literal["pairs", "surfaces"]
Epoch = Literal["before", "after"]


class Provenance(StrEnum):
    """Where a data set's changes come from; figures of different provenance are never averaged."""

    REAL = "real"
    EDITED = "edited"
    DRAWN = "drawn"
    UNKNOWN = "unknown"


class LabelSettings(Settings):
    """One folder of masks: the kinds of change or the surfaces that it shows.

    `values` maps a pixel value to `yes`, `no` or `ignore` where `changes` are labelled, and to a surface, `other` (none
    of those named here) or `ignore` where surfaces are; without it 0 is no and the one other value is yes. `optional`:
    not every picture has such a mask.
    """

    folder: str
    changes: tuple[ChangeKind, ...] = ()
    epoch: Epoch | None = None
    values: dict[int, str] = Field(default_factory=dict)
    optional: bool = False

    @field_validator("values", mode="before")
    @classmethod
    def _words(cls, values: object) -> object:
        # YAML 1.1 reads bare yes and no as booleans.
        if not isinstance(values, dict):
            return values
        return {
            key: {True: "yes", False: "no"}[word] if isinstance(word, bool) else word for key, word in values.items()
        }

    @model_validator(mode="after")
    def _meaningful(self) -> Self:
        if bool(self.changes) == (self.epoch is not None):
            raise ValueError("give either `changes` or `epoch` (of a surface label)")
        known = {"yes", "no", "ignore"} if self.changes else {s.name.lower() for s in SURFACES} | {"ignore"}
        if unknown := set(self.values.values()) - known:
            raise ValueError(f"{sorted(unknown)} are none of {sorted(known)}")
        return self


class DatasetSettings(Settings):
    """A data set as its YAML describes it; the commented files in configs/datasets/ show every key.

    `reversed` reads its pairs the other way round: B first, and what is described as added was removed.
    """

    name: str
    folder: str = "."
    kind: Layout
    gsd_m: float | None = Field(default=None, gt=0)
    gsd_by_ending: dict[str, float] = Field(default_factory=dict)
    place: str = ""
    provenance: Provenance = Provenance.UNKNOWN
    licence: str = ""
    seen_in_training: bool = False
    reversed: bool = False
    labels: tuple[LabelSettings, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _of_two_epochs(self) -> Self:
        if self.reversed and self.kind != "pairs":
            raise ValueError("`reversed` is for pairs: a single picture has no order")
        return self

    @property
    def shown_labels(self) -> tuple[LabelSettings, ...]:
        """The labels in the order in which the epochs are shown."""
        return tuple(map(_mirrored, self.labels)) if self.reversed else self.labels

    @field_validator("place")
    @classmethod
    def _pattern(cls, place: str) -> str:
        re.compile(place)
        return place


@dataclass(frozen=True)
class Target:
    """What is scored: one or more kinds of change (their union), or one surface at one epoch."""

    name: str
    changes: tuple[ChangeKind, ...] = ()
    surface: Surface | None = None
    epoch: Epoch = "before"


@dataclass(frozen=True)
class LabelledPicture:
    """A pair (or a single picture, `after` None) with the mask files of its labels by folder name.

    `gsd_m` is the ground size of a pixel in metres; None is good for rasters that have a georeference only.
    """

    stem: str
    place: str
    gsd_m: float | None
    before: Path
    after: Path | None
    masks: Mapping[str, Path]


@dataclass(frozen=True)
class Dataset:
    """Pictures and what their labels mean. `unused` names folders that nothing is known of."""

    name: str
    folder: Path
    provenance: Provenance
    licence: str
    seen_in_training: bool
    labels: tuple[LabelSettings, ...]
    pictures: tuple[LabelledPicture, ...]
    unused: tuple[str, ...] = ()

    def limited(self, limit: int | None) -> Sequence[LabelledPicture]:
        """At most `limit` pictures, spread evenly over the set."""
        if limit is None or limit >= len(self.pictures):
            return self.pictures
        picked = np.linspace(0, len(self.pictures) - 1, limit).round().astype(int)
        return [self.pictures[i] for i in picked]


def read_dataset(path: Path, *, gsd_m: float | None = None) -> Dataset:
    """A data set from its folder or its YAML file; `gsd_m` (m) overrules what the description says.

    Raises DatasetError for a folder that is none and partners that are missing, SettingsError for a description that
    is wrong.
    """
    if not path.exists():
        raise DatasetError("no such data set", where=path, remedy="Give a folder of pictures or a YAML description.")
    if path.is_file():
        settings = read_settings(path, DatasetSettings)
        folder = _folder_of(settings, path)
    elif (path / DESCRIPTION).is_file():
        settings, folder = read_settings(path / DESCRIPTION, DatasetSettings), path
    else:
        settings, folder = _recognised(path), path
    return described(settings, folder, gsd_m=gsd_m)


def described(settings: DatasetSettings, folder: Path, *, gsd_m: float | None = None) -> Dataset:
    """The data set in a folder, as settings describe it. Errors as of `read_dataset`."""
    if not folder.is_dir():
        raise DatasetError("no such folder", where=folder, remedy="Correct the path of the data set.")
    pictures = _pictures(settings, folder, gsd_m)
    named = {label.folder for label in settings.labels}
    unused = sorted(
        p.name for p in folder.iterdir() if p.is_dir() and p.name.startswith("label") and p.name not in named
    )
    return Dataset(
        name=settings.name,
        folder=folder,
        provenance=settings.provenance,
        licence=settings.licence,
        seen_in_training=settings.seen_in_training,
        labels=settings.shown_labels,
        pictures=tuple(pictures),
        unused=tuple(unused),
    )


def targets_of(label: LabelSettings, layout_is_single: bool) -> tuple[Target, ...]:
    """What a label folder lets us score."""
    if label.changes:
        return (Target(_change_name(label.changes), changes=label.changes),)
    words = list(label.values.values()) if label.values else ["structure"]
    surfaces = [Surface[w.upper()] for w in dict.fromkeys(words) if w not in ("ignore", "other")]
    epoch: Epoch = label.epoch or "before"
    suffix = "" if layout_is_single else f" {epoch}"
    return tuple(Target(s.name.lower() + suffix, surface=s, epoch=epoch) for s in surfaces)


def read_label(path: Path, label: LabelSettings, target: Target, shape: tuple[int, int]) -> Mask:
    """The mask of one target, uint8 (H, W): 1 yes, 0 no, 255 ignore.

    Raises DatasetError, which names the file, where it is no mask, has another size than its picture (`shape`) or
    holds a value of unknown meaning.
    """
    codes = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if codes is None:
        raise DatasetError("cannot be read as a picture", where=path, remedy="Replace it by a whole PNG.")
    if codes.ndim == 3:
        codes = _one_band(np.asarray(codes), path)
    if codes.shape != shape:
        found = f"is {codes.shape[1]} × {codes.shape[0]} pixels, its picture {shape[1]} × {shape[0]}"
        raise DatasetError(found, where=path, remedy="Labels must have the size of their picture.")
    table = _meanings(label, target, np.unique(codes), path)
    mask = np.zeros(shape, np.uint8)
    for value, meaning in table.items():
        mask[codes == value] = meaning
    return mask


def _meanings(label: LabelSettings, target: Target, found: Iterable[int], path: Path) -> dict[int, int]:
    """Pixel value → 1, 0 or 255 for one target."""
    values = [int(v) for v in found]
    if not label.values:
        if len([v for v in values if v != 0]) > 1:
            raise DatasetError(
                f"holds the values {_listed(values)}, more than no and yes",
                where=path,
                remedy=f"Say what they mean under `values` in a {DESCRIPTION} beside the pictures.",
            )
        return {v: int(v != 0) for v in values}
    if unknown := [v for v in values if v not in label.values]:
        raise DatasetError(
            f"holds the values {_listed(unknown)}, which the data set does not describe",
            where=path,
            remedy=f"Known are {_listed(label.values)}: mend the mask or add them under `values`.",
        )
    yes = "yes" if target.surface is None else target.surface.name.lower()
    return {v: IGNORE if label.values[v] == "ignore" else int(label.values[v] == yes) for v in values}


def _one_band(codes: np.ndarray[tuple[int, ...], np.dtype[np.generic]], path: Path) -> Mask:
    """The band of a mask that was saved with three equal ones."""
    bands = codes[..., :3]
    if (bands != bands[..., :1]).any():
        raise DatasetError("is a coloured picture, not a mask", where=path, remedy="Save the label as one grey band.")
    return np.asarray(bands[..., 0], np.uint8)


def _recognised(folder: Path) -> DatasetSettings:
    """Settings of a folder with the usual names in it."""
    present = {p.name for p in folder.iterdir() if p.is_dir()}
    if {"A", "B"} <= present:
        labels = [LabelSettings(folder=n, changes=USUAL_LABELS[n]) for n in sorted(present) if n in USUAL_LABELS]
        if labels:
            return DatasetSettings(name=folder.resolve().name, kind="pairs", labels=tuple(labels))
        found = "has A/ and B/ but no label folder that is known"
        remedy = f"Name one of {', '.join(sorted(USUAL_LABELS))}, or describe the folder in a {DESCRIPTION}."
        raise DatasetError(found, where=folder, remedy=remedy)
    if {"images", "masks"} <= present:
        masks = LabelSettings(folder="masks", epoch="before")
        return DatasetSettings(name=folder.resolve().name, kind="surfaces", labels=(masks,))
    raise DatasetError(
        f"holds neither A/ B/ label*/ nor images/ masks/ (found: {', '.join(sorted(present)) or 'no folders'})",
        where=folder,
        remedy="Give the folder above them.",
    )


def _folder_of(settings: DatasetSettings, described_in: Path) -> Path:
    """The folder that a YAML file names: $CVPIPE_SHARED is filled in (default ../shared), relative to the file."""
    shared = os.environ.get("CVPIPE_SHARED", "../shared")
    named = Path(Template(settings.folder).safe_substitute(CVPIPE_SHARED=str(Path(shared).resolve())))
    folder = named if named.is_absolute() else described_in.parent / named
    if not folder.is_dir():
        remedy = "Correct `folder`, or set the environment variable CVPIPE_SHARED to where the data lie."
        raise DatasetError(f"names the folder {folder}, which is not there", where=described_in, remedy=remedy)
    return folder


def _pictures(settings: DatasetSettings, folder: Path, gsd_m: float | None) -> list[LabelledPicture]:
    pairs = settings.kind == "pairs"
    before = _by_stem(folder / ("A" if pairs else "images"))
    after = _by_stem(folder / "B") if pairs else {}
    if pairs:
        _refuse_lonely(before, after, folder / "B")
        _refuse_lonely(after, before, folder / "A")
    masks = {label.folder: _by_stem(folder / label.folder) for label in settings.labels}
    for label in settings.labels:
        if not label.optional:
            _refuse_lonely(before, masks[label.folder], folder / label.folder)
        _refuse_lonely(masks[label.folder], before, folder / ("A" if pairs else "images"))
    return [
        LabelledPicture(
            stem=stem,
            place=_place(settings, stem),
            gsd_m=_gsd(settings, stem, gsd_m),
            before=after[stem] if settings.reversed else path,
            after=path if settings.reversed else after.get(stem),
            masks={name: files[stem] for name, files in masks.items() if stem in files},
        )
        for stem, path in sorted(before.items())
    ]


def _mirrored(label: LabelSettings) -> LabelSettings:
    """The label as it reads with the later epoch first."""
    epochs: dict[Epoch, Epoch] = {"before": "after", "after": "before"}
    kinds = tuple(BACKWARDS[kind] for kind in label.changes)
    return label.model_copy(update={"changes": kinds, "epoch": label.epoch and epochs[label.epoch]})


def _by_stem(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise DatasetError("no such folder", where=folder, remedy="Add it, or correct the description.")
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in PICTURE_SUFFIXES:
            continue
        if path.stem in files:
            raise DatasetError(f"has the same stem as {files[path.stem].name}", where=path, remedy="Keep one of them.")
        files[path.stem] = path
    if not files:
        raise DatasetError("holds no pictures", where=folder, remedy=f"Known endings: {_listed(PICTURE_SUFFIXES)}.")
    return files


def _refuse_lonely(files: Mapping[str, Path], partners: Mapping[str, Path], partner_folder: Path) -> None:
    if lonely := sorted(files.keys() - partners.keys()):
        others = f" (and {len(lonely) - 1} more)" if len(lonely) > 1 else ""
        raise DatasetError(
            f"has no partner in {partner_folder}{others}",
            where=files[lonely[0]],
            remedy="Files line up by stem; add the partner, or mark the label `optional` in a description.",
        )


def _place(settings: DatasetSettings, stem: str) -> str:
    match = re.match(settings.place, stem) if settings.place else None
    return match.group(0) if match else stem


def _gsd(settings: DatasetSettings, stem: str, given: float | None) -> float | None:
    by_ending = next((size for ending, size in settings.gsd_by_ending.items() if stem.endswith(ending)), None)
    return given or by_ending or settings.gsd_m


def _change_name(kinds: Sequence[ChangeKind]) -> str:
    return "structure change" if set(kinds) == set(STRUCTURE_KINDS) else " or ".join(kinds)


def _listed(values: Iterable[object]) -> str:
    return ", ".join(str(v) for v in sorted(values, key=str))


__all__ = [
    "STRUCTURE_KINDS",
    "Dataset",
    "DatasetSettings",
    "LabelSettings",
    "LabelledPicture",
    "Provenance",
    "Target",
    "described",
    "read_dataset",
    "read_label",
    "targets_of",
]
