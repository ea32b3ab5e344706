"""What a job learns from, source by source: pictures, places, ground, surfaces, licences, and what is held out.

After Gebru et al. 2021, "Datasheets for datasets", as far as pixels can tell it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cvpipe.domain import SURFACES
from cvpipe.network.losses import IGNORE, NOT_STRUCTURE
from cvpipe.train.materials import Material
from cvpipe.train.pictures import EpochPair, Item
from cvpipe.train.settings import DrawnSource, LedgerSource, Source, TrainSettings

#: Licence of what cvpipe draws itself.
DRAWN_LICENCE = "drawn by cvpipe"


@dataclass(frozen=True)
class SourceSheet:
    """One source. Areas in m² of both epochs where there are two; shares of the ground that is labelled, by word.

    `share` is how often a pair comes from the source. `changed` counts the places where a structure was removed or
    added between two epochs; on single pictures change is simulated.
    """

    kind: str
    name: str
    licence: str
    share: float
    learnt: int
    held_out: int
    places: int
    places_held_out: tuple[str, ...]
    area_m2: float
    labelled: float
    surfaces: dict[str, float]
    changed: int


def datasheet(learn: Sequence[Material], held: Sequence[Material], settings: TrainSettings) -> list[SourceSheet]:
    """A sheet for each source, in the order of the settings."""
    total = sum(source.weight for source in settings.sources)
    return [
        _sheet(source, _of(learn, number), _of(held, number), source.weight / total)
        for number, source in enumerate(settings.sources)
    ]


def licence_of(source: Source) -> str:
    """The licence of a source's pictures, in one line."""
    return DRAWN_LICENCE if isinstance(source, DrawnSource) else source.licence


def name_of(source: Source) -> str:
    """What people call a source: the last part of its folder."""
    if isinstance(source, DrawnSource):
        return f"seeds {source.first_seed} to {source.first_seed + source.patches - 1}"
    return source.workspace.name if isinstance(source, LedgerSource) else source.folder.stem


def _of(materials: Sequence[Material], number: int) -> list[Item]:
    return [item for material in materials if material.number == number for item in material.items]


def _sheet(source: Source, learn: Sequence[Item], held: Sequence[Item], share: float) -> SourceSheet:
    items = [*learn, *held]
    counts = np.zeros(256)
    area = 0.0
    for item in items:
        found = sum(np.bincount(surface.ravel(), minlength=256) for surface in _surfaces(item))
        counts += found * item.gsd_m**2
        area += float(np.sum(found)) * item.gsd_m**2
    known = area - float(counts[IGNORE])
    return SourceSheet(
        kind=source.kind,
        name=name_of(source),
        licence=licence_of(source),
        share=share,
        learnt=len(learn),
        held_out=len(held),
        places=len({item.place for item in items}),
        places_held_out=tuple(sorted({item.place for item in held})),
        area_m2=area,
        labelled=known / area if area else 0.0,
        surfaces=_shares(counts, known),
        changed=sum(isinstance(item, EpochPair) and bool((item.change == 1).any()) for item in items),
    )


def _surfaces(item: Item) -> tuple[np.ndarray, ...]:
    return item.surface if isinstance(item, EpochPair) else (item.surface,)


def _shares(counts: np.ndarray, known: float) -> dict[str, float]:
    codes = {**{s.name.lower(): int(s) for s in SURFACES}, "not structure": NOT_STRUCTURE}
    return {word: float(counts[code]) / known for word, code in codes.items() if known and counts[code]}


__all__ = ["DRAWN_LICENCE", "SourceSheet", "datasheet", "licence_of", "name_of"]
