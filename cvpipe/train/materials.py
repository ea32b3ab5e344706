"""What pairs are made from: the pictures of all sources, split by place into those to learn from and those held out."""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cvpipe.errors import DatasetError
from cvpipe.train import pictures
from cvpipe.train.checkpoints import averaged_network
from cvpipe.train.drawn import drawn_pairs
from cvpipe.train.georeferenced import georeferenced
from cvpipe.train.labelled import labelled
from cvpipe.train.pictures import EpochPair, Item, Picture, Pixels
from cvpipe.train.reviewed_sites import reviewed_sites
from cvpipe.train.self_labels import guessed_scenes
from cvpipe.train.settings import (
    DrawnSource,
    GeoSource,
    GuessedSource,
    LabelledSource,
    LedgerSource,
    PictureSource,
    Source,
    TrainSettings,
    shared_path,
)

LOG = logging.getLogger(__name__)

READERS: dict[str, Callable[[Path], Sequence[Picture]]] = {
    "dubai": pictures.dubai,
    "drone": pictures.drone_mosaics,
    "scenes": pictures.structure_free_scenes,
}


@dataclass(frozen=True)
class Material:
    """All that pairs of one source are made from. `number` is the source's place in the settings."""

    items: Sequence[Item]
    weight: float
    gsd_range_m: tuple[float, float]
    number: int = 0


def materials_of(settings: TrainSettings, cache: Path) -> tuple[list[Material], list[Material]]:
    """Load all sources, split by place: (to learn from, held out). Drawn patches are kept in `cache`.

    Raises DatasetError for a source without pictures, a held-out place that no source has (a slip of the pen would
    leak it), and a split with an empty side.
    """
    learn: list[Material] = []
    held: list[Material] = []
    seen: set[str] = set()
    for number, source in enumerate(settings.sources):
        items = _items(source, cache)
        if not items:
            raise DatasetError("source without pictures", where=_named(source), remedy="Correct or remove it.")
        apart = _held_out(items, source, settings)
        seen |= {item.place for item in items}
        for materials, kept in ((learn, False), (held, True)):
            chosen = [item for item in items if (item.place in apart) == kept]
            if chosen and not (kept and isinstance(source, GuessedSource)):  # guesses are no measure
                materials.append(Material(chosen, source.weight, source.gsd_range_m, number))
        LOG.info("%s: %d pictures", source.kind, len(items))
    _refuse_empty(learn, held, settings)
    _refuse_unknown_places(seen, settings)
    return learn, held


def digest_of(materials: Iterable[Material], settings: TrainSettings) -> str:
    """Digest of the pictures and labels that people gave; drawn pairs and guesses follow from the settings."""
    digest = hashlib.sha256()
    for material in materials:
        if isinstance(settings.sources[material.number], DrawnSource | GuessedSource):
            continue
        for item in material.items:
            digest.update(f"{item.place} {item.gsd_m}".encode())
            for array in _arrays(item):
                digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _arrays(item: Item) -> Iterator[Pixels]:
    if isinstance(item, EpochPair):
        yield item.change
    for view in item.views() if isinstance(item, EpochPair) else (item,):
        yield view.pixels
        yield view.surface


def _refuse_empty(learn: Sequence[Material], held: Sequence[Material], settings: TrainSettings) -> None:
    if not learn or not held:
        side = "to learn from" if not learn else "held out"
        remedy = "Correct `held_out_places`, or `held_out_share` of a source."
        raise DatasetError(f"no place is {side}", where=settings.name, remedy=remedy)


def _refuse_unknown_places(places: Iterable[str], settings: TrainSettings) -> None:
    known = sorted(places)
    unknown = [start for start in settings.held_out_places if not any(p.startswith(start) for p in known)]
    if unknown:
        raise DatasetError(
            f"no place begins with '{unknown[0]}'",
            where=f"{settings.name}: held_out_places",
            remedy=f"There are such as {', '.join(known[:: max(len(known) // 4, 1)][:5])}.",
        )


def _held_out(items: Sequence[Item], source: Source, settings: TrainSettings) -> set[str]:
    """Places that begin with one of `held_out_places`, and the source's share of the others: those of least hash."""
    places = {item.place for item in items}
    named = {place for place in places if place.startswith(settings.held_out_places)}
    share = getattr(source, "held_out_share", 0.0)
    ranked = sorted(places - named, key=lambda place: hashlib.sha256(place.encode()).digest())
    return named | set(ranked[: math.ceil(share * len(ranked))])


def _items(source: Source, cache: Path) -> Sequence[Item]:
    if isinstance(source, DrawnSource):
        return drawn_pairs(source, cache)
    if isinstance(source, GuessedSource):
        return guessed_scenes(shared_path(source.folder), averaged_network(source.guessed_by), cache)
    if isinstance(source, LabelledSource):
        return labelled(source)
    if isinstance(source, GeoSource):
        return georeferenced(source)
    if isinstance(source, LedgerSource):
        return reviewed_sites(source)
    assert isinstance(source, PictureSource)
    return READERS[source.kind](shared_path(source.folder))


def _named(source: Source) -> str:
    place = source.workspace if isinstance(source, LedgerSource) else getattr(source, "folder", "")
    return f"{source.kind} {place}".strip()


__all__ = ["Material", "digest_of", "materials_of"]
