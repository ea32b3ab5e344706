"""A split leaks where the same ground lies on both sides; then figures on held-out places are worth nothing.

Looked for between what is learnt and what is held out, and between what is learnt and the evaluation sets, in three
ways: by the names of places, by where they lie on the ground, and by what the pictures show (`fingerprints`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from shapely import STRtree
from shapely.geometry import box

from cvpipe.errors import DatasetError, InputError
from cvpipe.imagery.reading import SceneReader
from cvpipe.shipped import config_file
from cvpipe.train.fingerprints import Fingerprint, fingerprints, near_duplicates
from cvpipe.train.folders import Dataset, LabelledPicture, read_dataset
from cvpipe.train.materials import Material
from cvpipe.train.pictures import EpochPair, Item, read_rgb
from cvpipe.train.settings import TrainSettings

LOG = logging.getLogger(__name__)

#: Share of the smaller of two areas from which on they count as the same ground: neighbours may touch.
SAME_GROUND = 0.02
#: Pictures that a message names.
NAMED = 4


def refuse_leaks(learn: Sequence[Material], held: Sequence[Material], settings: TrainSettings) -> None:
    """Raise DatasetError that names the pictures where a place, a piece of ground or a picture is on both sides."""
    ours, theirs = _items(learn), _items(held)
    _refuse("held-out places", _shared_places(ours, theirs), settings, "is one place")
    _refuse("held-out places", _shared_ground(ours, theirs), settings, "shares ground")
    prints = list(_prints(ours))
    _refuse("held-out places", near_duplicates(prints, _prints(theirs)), settings, "shows the same")
    for dataset in evaluation_sets(settings):
        found = near_duplicates(prints, _prints_of(dataset))
        _refuse(f"the evaluation set {dataset.name}", found, settings, "shows the same")


def evaluation_sets(settings: TrainSettings) -> list[Dataset]:
    """The sets that `keep_apart` names and whose pictures are there, less those that say that they are trained on.

    Raises DatasetError for a path of `keep_apart` that leads nowhere: a slip of the pen must not switch the check off.
    """
    found = []
    for path in map(config_file, settings.keep_apart):
        if not path.exists():
            raise DatasetError(
                "nothing is there",
                where=f"{settings.name}: keep_apart: {path}",
                remedy="Name a description of a set, or a folder of such; [] keeps nothing apart.",
            )
        files = sorted(path.glob("*.yaml")) if path.is_dir() and not (path / "dataset.yaml").exists() else [path]
        for file in files:
            try:
                dataset = read_dataset(file)
            except InputError as error:
                LOG.warning("not held against %s: %s", file.name, error.found)
                continue
            if not dataset.seen_in_training:
                found.append(dataset)
    return found


def _items(materials: Sequence[Material]) -> list[Item]:
    return [item for material in materials for item in material.items]


def _shared_places(ours: Sequence[Item], theirs: Sequence[Item]) -> list[tuple[str, str]]:
    return [(place, place) for place in sorted({i.place for i in ours} & {i.place for i in theirs})]


def _shared_ground(ours: Sequence[Item], theirs: Sequence[Item]) -> list[tuple[str, str]]:
    lying, apart = ([item for item in items if item.ground] for items in (ours, theirs))
    if not lying or not apart:
        return []
    areas, others = ([box(*item.ground) for item in items if item.ground] for items in (lying, apart))
    pairs = zip(*STRtree(areas).query(others, predicate="intersects").tolist(), strict=True)
    return sorted(
        {
            (lying[j].place, apart[i].place)
            for i, j in pairs
            if areas[j].intersection(others[i]).area > SAME_GROUND * min(areas[j].area, others[i].area)
        }
    )


def _prints(items: Sequence[Item]) -> Iterator[Fingerprint]:
    """Of real pictures; drawings differ by their seeds."""
    for item in items:
        if item.place.startswith("drawn/"):
            continue
        for view in item.views() if isinstance(item, EpochPair) else (item,):
            yield from fingerprints(view.place, view.pixels)


def _prints_of(dataset: Dataset) -> Iterator[Fingerprint]:
    for picture in dataset.pictures:
        yield from (p for path in _files(picture) for p in _prints_of_file(path, f"{dataset.name}/{picture.stem}"))


def _files(picture: LabelledPicture) -> list[Path]:
    return [picture.before] if picture.after is None else [picture.before, picture.after]


def _prints_of_file(path: Path, name: str) -> Iterator[Fingerprint]:
    if path.suffix.lower() in (".tif", ".tiff"):
        with SceneReader(path, gsd_m=1.0) as reader:
            yield from fingerprints(name, reader.overview().pixels)
    else:
        yield from fingerprints(name, read_rgb(path))


def _refuse(side: str, found: Sequence[tuple[str, str]], settings: TrainSettings, how: str) -> None:
    if not found:
        return
    named = ", ".join(f"{one} = {other}" if one != other else one for one, other in found[:NAMED])
    more = f" (and {len(found) - NAMED} more)" if len(found) > NAMED else ""
    raise DatasetError(
        f"training leaks into {side}: what is learnt from {how}: {named}{more}",
        where=settings.name,
        remedy="Hold both out by `held_out_places`, or take one of them away.",
    )


__all__ = ["evaluation_sets", "refuse_leaks"]
