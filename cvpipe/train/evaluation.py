"""Score networks and baselines on labelled pictures, through the same steps that users' pictures take.

Each picture is read on the method's own pixel size, the later epoch is aligned, the method answers, and the answer is
carried back to the label's pixels (nearest neighbour), where it is counted. Networks answer through `detect.compare`,
so tiling, blending and thresholds are those of `cvpipe detect`. Single pictures are compared with themselves.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cvpipe.detect.alignment import registration
from cvpipe.detect.maps import PROBABILITY_SCALE, PairMaps, compare
from cvpipe.detect.prediction import Network
from cvpipe.domain import SURFACES, ChangeKind, Registration, Surface
from cvpipe.errors import DatasetError
from cvpipe.geo import Grid
from cvpipe.imagery.later import read_later
from cvpipe.imagery.pairing import common_grid
from cvpipe.imagery.reading import Patch, SceneReader
from cvpipe.imagery.warping import same_crs
from cvpipe.train import metrics
from cvpipe.train.disturbance import Disturbance
from cvpipe.train.folders import STRUCTURE_KINDS, Dataset, LabelledPicture, Target, read_label, targets_of
from cvpipe.train.metrics import IGNORE, AreaErrors, Interval, Mask, Tally
from cvpipe.train.reliability import Reliability, untempered, untempered_class

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


@dataclass(frozen=True)
class Reliabilities:
    """How sure a method was of one target, pixel by pixel, with temperature and without; and of whole polygons."""

    pixels: Reliability
    plain_pixels: Reliability
    polygons: Reliability

    def __add__(self, other: Reliabilities) -> Reliabilities:
        return Reliabilities(
            self.pixels + other.pixels, self.plain_pixels + other.plain_pixels, self.polygons + other.polygons
        )


@dataclass(frozen=True)
class PictureScore:
    """One method's counts on one picture, by the name of the target.

    `assessed_share` is the part of the labelled ground that the method answered for, `shift_px` what was taken off the
    later epoch (x, y; pixels of the method's grid), `seconds` the time of the answer without reading. `reliability`
    holds what was said how surely, by the target's name with and without temperature, and of its polygons.
    """

    stem: str
    place: str
    area_m2: float
    assessed_share: float
    shift_px: tuple[float, float]
    seconds: float
    tallies: Mapping[str, Tally]
    reliability: Mapping[str, Reliabilities] = field(default_factory=dict)


@dataclass(frozen=True)
class MethodScore:
    """One method's counts on all pictures of a data set."""

    method: str
    digest: str
    gsd_m: float | None
    pictures: tuple[PictureScore, ...]

    def total(self, target: str) -> Tally:
        """Summed counts of one target over the pictures that have its label."""
        return sum((p.tallies[target] for p in self.pictures if target in p.tallies), Tally())

    def intervals(self, target: str) -> dict[str, Interval | None]:
        """Bootstrap interval of each figure over places (`metrics.intervals`)."""
        places: dict[str, Tally] = {}
        for picture in self.pictures:
            if target in picture.tallies:
                places[picture.place] = places.get(picture.place, Tally()) + picture.tallies[target]
        return metrics.intervals(list(places.values()))

    def areas(self, target: str) -> AreaErrors | None:
        """Errors of area over the pictures that show enough of it."""
        return AreaErrors.of([p.tallies[target] for p in self.pictures if target in p.tallies])

    def reliability(self, target: str) -> Reliabilities | None:
        """Summed over the pictures; None where the method does not say how sure it is."""
        parts = [p.reliability[target] for p in self.pictures if target in p.reliability]
        return sum(parts[1:], parts[0]) if parts else None

    def pictures_with(self, target: str) -> int:
        """Number of pictures that have this target's label."""
        return sum(target in p.tallies for p in self.pictures)

    @property
    def assessed_share(self) -> float:
        """Part of the ground that the method answered for."""
        area = sum(p.area_m2 for p in self.pictures)
        return sum(p.assessed_share * p.area_m2 for p in self.pictures) / area if area else 1.0

    @property
    def seconds(self) -> float:
        """Time of all answers, without reading."""
        return sum(p.seconds for p in self.pictures)


@dataclass(frozen=True)
class Evaluation:
    """All methods' scores on one data set; the first is the one that was asked for, the others its baselines."""

    dataset: Dataset
    targets: tuple[Target, ...]
    scores: tuple[MethodScore, ...]

    @property
    def area_m2(self) -> float:
        """Ground looked at, m²."""
        return sum(p.area_m2 for p in self.scores[0].pictures)

    def as_json(self) -> dict[str, Any]:
        """Everything as plain data: figures and intervals per method and target, and each picture's counts."""
        return {
            "dataset": self.dataset.name,
            "provenance": self.dataset.provenance.value,
            "licence": self.dataset.licence,
            "seen_in_training": self.dataset.seen_in_training,
            "pictures": len(self.scores[0].pictures),
            "area_m2": round(self.area_m2, 1),
            "rules": {
                "min_object_m2": metrics.MIN_OBJECT_M2,
                "found_share": metrics.FOUND_SHARE,
                "match_iou": metrics.MATCH_IOU,
                "size_classes_m2": list(metrics.SIZE_CLASSES),
                "interval": {"level": metrics.LEVEL, "resamples": metrics.RESAMPLES, "seed": metrics.SEED},
            },
            "methods": [_method_json(score, self.targets) for score in self.scores],
        }


def evaluate(
    dataset: Dataset,
    methods: Sequence[Method],
    *,
    align: bool = True,
    limit: int | None = None,
    disturbance: Disturbance | None = None,
    margin_m: float = 0.0,
    step: Callable[[str], None] = lambda _: None,
) -> Evaluation:
    """Score `methods` on `dataset`, at most `limit` pictures of it; `step(stem)` is called after each picture.

    The later epoch (the one picture, where there is no other) is seen through `disturbance`. `margin_m`: ground within
    this distance of a picture's edge is not scored, so that a shift changes nothing about what is.
    Raises DatasetError (SceneError for pictures) that names the file which does not fit.
    """
    pictures = dataset.limited(limit)
    scores: list[list[PictureScore]] = [[] for _ in methods]
    for picture in pictures:
        seen = LabelledPair(dataset, picture, align=align, disturbance=disturbance, margin_m=margin_m)
        for column, score in zip(scores, seen.scores(methods), strict=True):
            column.append(score)
        step(picture.stem)
    columns = [MethodScore(m.name, m.digest, m.gsd_m, tuple(column)) for m, column in zip(methods, scores, strict=True)]
    return Evaluation(dataset, _targets(dataset), tuple(columns))


def main_target(evaluation: Evaluation) -> Target | None:
    """What a data set is judged by: the first target that the first method answers, a change where one is labelled."""
    first = evaluation.scores[0]
    answered = [t for t in evaluation.targets if first.pictures_with(t.name)]
    return next((t for t in answered if t.changes), answered[0] if answered else None)


def _targets(dataset: Dataset) -> tuple[Target, ...]:
    single = all(p.after is None for p in dataset.pictures)
    found = [target for label in dataset.labels for target in targets_of(label, single)]
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class LabelledPair:
    """One picture or pair of a data set, and how it is looked at (see `evaluate`)."""

    dataset: Dataset
    picture: LabelledPicture
    align: bool = True
    disturbance: Disturbance | None = None
    margin_m: float = 0.0

    def scores(self, methods: Sequence[Method]) -> Iterator[PictureScore]:
        """Each method's counts, in order."""
        with self.readers() as (before, after):
            own, _ = self.aligned(before, after, before.grid)
            labels = self.labels(own)
            for method in methods:
                found = self.aligned(before, after, self.grid_of(method, before, after))
                yield _score(method, self.picture, labels, found, before.grid)

    @contextmanager
    def readers(self) -> Iterator[tuple[SceneReader, SceneReader]]:
        """Both epochs, open; a single picture is both."""
        later = self.picture.before if self._still else self.picture.after
        with ExitStack() as stack:
            before = stack.enter_context(self._open(self.picture.before, disturbed=later is None))
            after = before if later is None else stack.enter_context(self._open(later, disturbed=True))
            _refuse_unequal(before, after)
            yield before, after

    def aligned(self, before: SceneReader, after: SceneReader, grid: Grid) -> Aligned:
        """Both epochs on one grid, and the shift that was taken off the later one."""
        return _aligned(before, after, grid, self.align and before is not after)

    @staticmethod
    def grid_of(method: Method, before: SceneReader, after: SceneReader) -> Grid:
        """The grid that a method is asked on."""
        return before.grid if method.gsd_m is None else common_grid(before, after, method.gsd_m)

    def labels(self, seen: tuple[Patch, Patch]) -> Labels:
        """The masks of every target; ground that an epoch does not show, and the margin, are ignored."""
        inside = seen[0].valid & seen[1].valid
        margin = math.ceil(self.margin_m / seen[0].grid.ground_pixel_m())
        if margin:
            inner = np.zeros_like(inside)
            inner[margin:-margin, margin:-margin] = True
            inside &= inner
        masks = _labels(self.dataset, self.picture, inside)
        if self._still:
            return {t: np.where(mask == IGNORE, IGNORE, 0).astype(np.uint8) for t, mask in masks.items() if t.changes}
        return masks

    @property
    def _still(self) -> bool:
        return self.disturbance is not None and self.disturbance.still

    def _open(self, path: Path, *, disturbed: bool) -> SceneReader:
        if self.disturbance is None or not disturbed:
            return SceneReader(path, gsd_m=self.picture.gsd_m)
        return self.disturbance.open(path, self.picture.gsd_m, self.picture.stem)


def _refuse_unequal(before: SceneReader, after: SceneReader) -> None:
    if before.grid.crs is None and after.grid.crs is None and before.grid.shape != after.grid.shape:
        (h0, w0), (h1, w1) = before.grid.shape, after.grid.shape
        raise DatasetError(
            f"is {w1} × {h1} pixels, its partner {before.path} {w0} × {h0}",
            where=after.path,
            remedy="Both epochs of a plain pair must have one size.",
        )


Aligned = tuple[tuple[Patch, Patch], Registration]


def _aligned(before: SceneReader, after: SceneReader, grid: Grid, align: bool) -> Aligned:
    """Both epochs on one grid; the later one is moved back by the shift that was found."""
    found = registration(before, after, grid) if align else Registration()
    return (before.read(grid), read_later(after, grid, found, grid)), found


Labels = Mapping[Target, Mask]


def _labels(dataset: Dataset, picture: LabelledPicture, seen: np.ndarray[Any, np.dtype[np.bool_]]) -> Labels:
    """The masks of every target that this picture has a label for; ground without pixels at an epoch is ignored."""
    masks: dict[Target, Mask] = {}
    for label in dataset.labels:
        if label.folder not in picture.masks:
            continue
        for target in targets_of(label, picture.after is None):
            mask = read_label(picture.masks[label.folder], label, target, (seen.shape[0], seen.shape[1]))
            mask[~seen] = IGNORE
            masks[target] = mask
    return masks


def _score(
    method: Method,
    picture: LabelledPicture,
    labels: Labels,
    aligned: Aligned,
    label_grid: Grid,
) -> PictureScore:
    (before, after), found = aligned
    started = time.perf_counter()
    answer = method.answer(before, after)
    seconds = time.perf_counter() - started
    said = {t: carried(mask, before.grid, label_grid) for t in labels if (mask := answer_to(answer, t)) is not None}
    pixel_m2 = label_grid.pixel_area_m2()
    return PictureScore(
        stem=picture.stem,
        place=picture.place,
        area_m2=label_grid.width * label_grid.height * pixel_m2,
        assessed_share=_assessed_share(labels, said),
        shift_px=found.shift_px,
        seconds=seconds,
        tallies={t.name: metrics.tally(labels[t], mask, pixel_m2) for t, mask in said.items()},
        reliability={
            t.name: sure
            for t, mask in said.items()
            if (sure := _reliability(t, labels[t], mask, answer, before.grid, label_grid)) is not None
        },
    )


def _reliability(
    target: Target, label: Mask, said: Mask, answer: Answer, source: Grid, label_grid: Grid
) -> Reliabilities | None:
    pair = None if answer.chances is None else _chances(answer.chances, target)
    if pair is None:
        return None
    chance, plain = (carried(mask, source, label_grid) for mask in pair)
    counted = (label != IGNORE) & (chance != NOT_ASSESSABLE)
    truth = label[counted] == 1
    per_object = metrics.object_chances(label, said, chance / PROBABILITY_SCALE, label_grid.pixel_area_m2())
    return Reliabilities(
        Reliability.of(chance[counted] / PROBABILITY_SCALE, truth),
        Reliability.of(plain[counted] / PROBABILITY_SCALE, truth),
        Reliability.of(*per_object),
    )


def _chances(chances: Chances, target: Target) -> tuple[Mask, Mask] | None:
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


def _assessed_share(labels: Labels, said: Labels) -> float:
    """Part of the labelled pixels, over all targets, that the method gave an answer for; 1 where none are labelled."""
    asked = answered = 0
    for target, mask in said.items():
        labelled = labels[target] != IGNORE
        asked += int(labelled.sum())
        answered += int((labelled & (mask != NOT_ASSESSABLE)).sum())
    return answered / asked if asked else 1.0


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


def _method_json(score: MethodScore, targets: Sequence[Target]) -> dict[str, Any]:
    return {
        "method": score.method,
        "digest": score.digest,
        "gsd_m": score.gsd_m,
        "seconds": round(score.seconds, 3),
        "assessed_share": round(score.assessed_share, 4),
        "targets": {t.name: _target_json(score, t.name) for t in targets if score.pictures_with(t.name)},
        "pictures": [_picture_json(picture) for picture in score.pictures],
    }


def _picture_json(picture: PictureScore) -> dict[str, Any]:
    """A picture's counts; how sure the method was is summed up elsewhere."""
    return asdict(replace(picture, reliability={}))


def _calibration_json(found: Reliabilities | None) -> dict[str, Any] | None:
    if found is None:
        return None
    parts = {"pixels": found.pixels, "without_temperature": found.plain_pixels, "polygons": found.polygons}
    return {
        name: {"ece": one.ece, "ece_unsure": one.unsure_ece, "said_so_count": one.points()}
        for name, one in parts.items()
    }


def _target_json(score: MethodScore, target: str) -> dict[str, Any]:
    total = score.total(target)
    sizes = zip(metrics.SIZE_CLASSES, total.by_size, strict=True)
    return {
        "pictures": score.pictures_with(target),
        "figures": asdict(metrics.figures(total)),
        "intervals": score.intervals(target),
        "area_errors": None if (areas := score.areas(target)) is None else asdict(areas),
        "calibration": _calibration_json(score.reliability(target)),
        "pixels": asdict(total.pixels),
        "objects": asdict(total.objects),
        "objects_by_size_m2": {name: asdict(counts) for name, counts in sizes},
        "unchanged_m2": round(total.unchanged_m2, 1),
    }


__all__ = [
    "Answer",
    "Chances",
    "Evaluation",
    "LabelledPair",
    "Method",
    "MethodScore",
    "NetworkMethod",
    "PictureScore",
    "Reliabilities",
    "answer_to",
    "carried",
    "evaluate",
    "main_target",
]
