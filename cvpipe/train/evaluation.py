"""Score networks and baselines on labelled pictures, through the same steps that users' pictures take.

Each picture is read on the method's own pixel size, the later epoch is aligned, the method answers, and the answer is
carried back to the label's pixels (nearest neighbour), where it is counted. Networks answer through `detect.compare`,
so tiling, blending and thresholds are those of `cvpipe detect`. Single pictures are compared with themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from cvpipe.detect.alignment import registration
from cvpipe.detect.maps import compare
from cvpipe.detect.prediction import Network
from cvpipe.domain import ChangeKind, Registration
from cvpipe.errors import DatasetError
from cvpipe.geo import Grid
from cvpipe.imagery.alignment import later_grid
from cvpipe.imagery.pairing import common_grid
from cvpipe.imagery.reading import Patch, SceneReader
from cvpipe.imagery.warping import same_crs
from cvpipe.train import metrics
from cvpipe.train.folders import Dataset, LabelledPicture, Target, read_label, targets_of
from cvpipe.train.metrics import IGNORE, Interval, Mask, Tally

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
    """A network, asked as `cvpipe detect` asks it."""

    network: Network

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
        return Answer(maps.surface_before, maps.surface_after, maps.change)


@dataclass(frozen=True)
class PictureScore:
    """One method's counts on one picture, by the name of the target.

    `assessed_share` is the part of the labelled ground that the method answered for, `shift_px` what was taken off the
    later epoch (x, y; pixels of the method's grid), `seconds` the time of the answer without reading.
    """

    stem: str
    place: str
    area_m2: float
    assessed_share: float
    shift_px: tuple[float, float]
    seconds: float
    tallies: Mapping[str, Tally]


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
    step: Callable[[str], None] = lambda _: None,
) -> Evaluation:
    """Score `methods` on `dataset`, at most `limit` pictures of it; `step(stem)` is called after each picture.

    Raises DatasetError (SceneError for pictures) that names the file which does not fit.
    """
    pictures = dataset.limited(limit)
    scores: list[list[PictureScore]] = [[] for _ in methods]
    for picture in pictures:
        for column, score in zip(scores, _picture_scores(dataset, picture, methods, align), strict=True):
            column.append(score)
        step(picture.stem)
    columns = [MethodScore(m.name, m.digest, m.gsd_m, tuple(column)) for m, column in zip(methods, scores, strict=True)]
    return Evaluation(dataset, _targets(dataset), tuple(columns))


def _targets(dataset: Dataset) -> tuple[Target, ...]:
    single = all(p.after is None for p in dataset.pictures)
    found = [target for label in dataset.labels for target in targets_of(label, single)]
    return tuple(dict.fromkeys(found))


def _picture_scores(
    dataset: Dataset, picture: LabelledPicture, methods: Sequence[Method], align: bool
) -> Iterator[PictureScore]:
    with ExitStack() as stack:
        before = stack.enter_context(SceneReader(picture.before, gsd_m=picture.gsd_m))
        after = before
        if picture.after is not None:
            after = stack.enter_context(SceneReader(picture.after, gsd_m=picture.gsd_m))
            _refuse_unequal(before, after)
        align = align and picture.after is not None
        own, _ = _aligned(before, after, before.grid, align)
        labels = _labels(dataset, picture, own[0].valid & own[1].valid)
        for method in methods:
            grid = before.grid if method.gsd_m is None else common_grid(before, after, method.gsd_m)
            yield _score(method, picture, labels, _aligned(before, after, grid, align), before.grid)


def _refuse_unequal(before: SceneReader, after: SceneReader) -> None:
    if before.grid.crs is None and after.grid.crs is None and before.grid.shape != after.grid.shape:
        (h0, w0), (h1, w1) = before.grid.shape, after.grid.shape
        raise DatasetError(
            f"is {w1} × {h1} pixels, its partner {before.path} {w0} × {h0}",
            where=after.path,
            remedy="Both epochs of a plain pair must have one size.",
        )


def _aligned(
    before: SceneReader, after: SceneReader, grid: Grid, align: bool
) -> tuple[tuple[Patch, Patch], Registration]:
    """Both epochs on one grid; the later one is moved back by the shift that was found."""
    found = registration(before, after, grid) if align else Registration()
    later = replace(after.read(later_grid(grid, found, grid)), grid=grid)
    return (before.read(grid), later), found


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
    aligned: tuple[tuple[Patch, Patch], Registration],
    label_grid: Grid,
) -> PictureScore:
    (before, after), found = aligned
    started = time.perf_counter()
    answer = method.answer(before, after)
    seconds = time.perf_counter() - started
    said = {t: carried(mask, before.grid, label_grid) for t in labels if (mask := _said(answer, t)) is not None}
    pixel_m2 = label_grid.pixel_area_m2()
    return PictureScore(
        stem=picture.stem,
        place=picture.place,
        area_m2=label_grid.width * label_grid.height * pixel_m2,
        assessed_share=_assessed_share(labels, said),
        shift_px=found.shift_px,
        seconds=seconds,
        tallies={t.name: metrics.tally(labels[t], mask, pixel_m2) for t, mask in said.items()},
    )


def _assessed_share(labels: Labels, said: Labels) -> float:
    """Part of the labelled pixels, over all targets, that the method gave an answer for; 1 where none are labelled."""
    asked = answered = 0
    for target, mask in said.items():
        labelled = labels[target] != IGNORE
        asked += int(labelled.sum())
        answered += int((labelled & (mask != NOT_ASSESSABLE)).sum())
    return answered / asked if asked else 1.0


def _said(answer: Answer, target: Target) -> Mask | None:
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
        "pictures": [asdict(picture) for picture in score.pictures],
    }


def _target_json(score: MethodScore, target: str) -> dict[str, Any]:
    total = score.total(target)
    sizes = zip(metrics.SIZE_CLASSES, total.by_size, strict=True)
    return {
        "pictures": score.pictures_with(target),
        "figures": asdict(metrics.figures(total)),
        "intervals": score.intervals(target),
        "pixels": asdict(total.pixels),
        "objects": asdict(total.objects),
        "objects_by_size_m2": {name: asdict(counts) for name, counts in sizes},
        "unchanged_m2": round(total.unchanged_m2, 1),
    }


__all__ = [
    "Answer",
    "Evaluation",
    "Method",
    "MethodScore",
    "NetworkMethod",
    "PictureScore",
    "carried",
    "evaluate",
]
