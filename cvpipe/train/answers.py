"""What a method says of a pair, and how it is brought to what a label asks and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cvpipe.detect.maps import PROBABILITY_SCALE, PairMaps, compare
from cvpipe.detect.prediction import Network
from cvpipe.domain import SURFACES, ChangeKind, Surface
from cvpipe.errors import DatasetError
from cvpipe.geo import Grid
from cvpipe.imagery.reading import Patch
from cvpipe.imagery.warping import same_crs
from cvpipe.train.folders import STRUCTURE_KINDS, Target
from cvpipe.train.metrics import Mask
from cvpipe.train.reliability import untempered, untempered_class

NOT_ASSESSABLE = 255


@dataclass(frozen=True)
class Answer:
    """What a method says of a pair on the grid it was asked on, arrays uint8 (H, W).

    `surface_before` and `surface_after` hold surface codes, `change` 1, 0 or 255 per kind; 255 = not assessable.
    Surfaces that are None and kinds that are missing are no business of the method's; it is not scored on them.
    """

    surface_before: Mask | None = None
    surface_after: Mask | None = None
    change: Mapping[ChangeKind, Mask] = field(default_factory=dict)
    chances: Chances | None = None


@dataclass(frozen=True)
class Chances:
    """How sure a method is, uint8 (H, W) in steps of 1/254, 255 = not assessable: structure at both epochs, changes.

    `plain_…` are the same without the temperatures that calibrate them.
    """

    structure: tuple[Mask, Mask]
    plain_structure: tuple[Mask, Mask]
    change: Mapping[ChangeKind, Mask]
    plain_change: Mapping[ChangeKind, Mask]

    @classmethod
    def of(cls, maps: PairMaps, temperatures: tuple[float, float]) -> Chances:
        """From a comparison, and the temperatures of surfaces and changes that are in it."""
        epochs = maps.chance_before, maps.chance_after
        index, (of_surface, of_change) = SURFACES.index(Surface.STRUCTURE), temperatures
        plain = [
            _stored(untempered_class(c / PROBABILITY_SCALE, index, of_surface), c[index] == NOT_ASSESSABLE)
            for c in epochs
        ]
        kinds = {kind: maps.probability[kind] for kind in STRUCTURE_KINDS}
        return cls(
            (epochs[0][index], epochs[1][index]),
            (plain[0], plain[1]),
            kinds,
            {k: _stored(untempered(p / PROBABILITY_SCALE, of_change), p == NOT_ASSESSABLE) for k, p in kinds.items()},
        )


class Method(Protocol):
    """Anything that can be scored. `gsd_m` (m) is the pixel size it wants; None takes pictures as they are."""

    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def gsd_m(self) -> float | None: ...

    def answer(self, before: Patch, after: Patch) -> Answer:
        """Answer for two aligned patches on one grid."""
        ...


@dataclass(frozen=True)
class NetworkMethod:
    """A network, asked as `cvpipe detect` asks it. `temperatures`: those of its surfaces and changes."""

    network: Network
    temperatures: tuple[float, float] = (1.0, 1.0)

    @property
    def name(self) -> str:
        """The bundle's name."""
        return self.network.name

    @property
    def digest(self) -> str:
        """The bundle's digest."""
        return self.network.digest

    @property
    def gsd_m(self) -> float | None:
        """The pixel size that the network was trained for, m."""
        return self.network.gsd_m

    def answer(self, before: Patch, after: Patch) -> Answer:
        """Surfaces and changes of `detect.compare`."""
        maps = compare(self.network, before, after)
        chances = Chances.of(maps, self.temperatures)
        if not getattr(self.network, "answers_surfaces", True):
            return Answer(change={kind: maps.change[kind] for kind in STRUCTURE_KINDS}, chances=chances)
        return Answer(maps.surface_before, maps.surface_after, maps.change, chances)


def answer_to(answer: Answer, target: Target) -> Mask | None:
    """The answer to one target, uint8 (H, W): 1, 0, 255 not assessable. Of several kinds of change any one will do.

    None where the method says nothing of it.
    """
    if target.surface is not None:
        codes = answer.surface_before if target.epoch == "before" else answer.surface_after
        if codes is None:
            return None
        return np.where(codes == NOT_ASSESSABLE, NOT_ASSESSABLE, codes == target.surface).astype(np.uint8)
    if not set(target.changes) <= set(answer.change):
        return None
    kinds = np.stack([answer.change[kind] for kind in target.changes])
    unknown = (kinds == NOT_ASSESSABLE).all(axis=0)
    return np.where(unknown, NOT_ASSESSABLE, (kinds == 1).any(axis=0)).astype(np.uint8)


def carried(mask: Mask, source: Grid, target: Grid) -> Mask:
    """`mask` (H, W) on `source` brought to the pixels of `target` by nearest neighbour; 255 outside of `source`.

    Both grids share a CRS and are not turned against each other. Raises DatasetError where they are: a label's grid
    must be the one that its picture is compared on.
    """
    step = ~source.transform * target.transform
    if not same_crs(source.crs, target.crs) or abs(step.b) + abs(step.d) > 1e-6:
        raise DatasetError(
            "the labels' grid is turned or in a CRS that is no good for areas",
            remedy="Reproject pictures and labels to a metric CRS first (gdalwarp).",
        )
    cols = np.floor(step.a * (np.arange(target.width) + 0.5) + step.c).astype(int)
    rows = np.floor(step.e * (np.arange(target.height) + 0.5) + step.f).astype(int)
    inside = np.outer((rows >= 0) & (rows < source.height), (cols >= 0) & (cols < source.width))
    nearest = mask[np.ix_(rows.clip(0, source.height - 1), cols.clip(0, source.width - 1))]
    return np.where(inside, nearest, NOT_ASSESSABLE).astype(np.uint8)


def chances_of(chances: Chances, target: Target) -> tuple[Mask, Mask] | None:
    """Stored probabilities of a target with and without temperature; of any of several kinds, held to be exclusive."""
    if target.surface is not None:
        epoch = int(target.epoch == "after")
        known = target.surface is Surface.STRUCTURE
        return (chances.structure[epoch], chances.plain_structure[epoch]) if known else None
    if not set(target.changes) <= set(chances.change):
        return None
    summed = [_any([of[kind] for kind in target.changes]) for of in (chances.change, chances.plain_change)]
    return summed[0], summed[1]


def _any(chances: Sequence[Mask]) -> Mask:
    total = np.minimum(sum(chance.astype(np.int64) for chance in chances), PROBABILITY_SCALE)
    return np.where(chances[0] == NOT_ASSESSABLE, NOT_ASSESSABLE, total).astype(np.uint8)


def _stored(chance: NDArray[np.floating], unknown: NDArray[np.bool_]) -> Mask:
    return np.where(unknown, NOT_ASSESSABLE, np.rint(chance * PROBABILITY_SCALE)).astype(np.uint8)


__all__ = ["NOT_ASSESSABLE", "Answer", "Chances", "Method", "NetworkMethod", "answer_to", "carried", "chances_of"]
