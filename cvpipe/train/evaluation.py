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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cvpipe.detect.alignment import registration
from cvpipe.detect.maps import PROBABILITY_SCALE
from cvpipe.domain import Registration
from cvpipe.errors import DatasetError
from cvpipe.geo import Grid
from cvpipe.imagery.later import read_later
from cvpipe.imagery.pairing import common_grid
from cvpipe.imagery.reading import Patch, SceneReader
from cvpipe.train import metrics
from cvpipe.train.answers import NOT_ASSESSABLE, Answer, Method, answer_to, carried, chances_of
from cvpipe.train.disturbance import Disturbance
from cvpipe.train.folders import Dataset, LabelledPicture, Target, read_label, targets_of
from cvpipe.train.metrics import IGNORE, Mask
from cvpipe.train.reliability import Reliability
from cvpipe.train.scores import Evaluation, MethodScore, PictureScore, Reliabilities


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
    pair = None if answer.chances is None else chances_of(answer.chances, target)
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


def _assessed_share(labels: Labels, said: Labels) -> float:
    """Part of the labelled pixels, over all targets, that the method gave an answer for; 1 where none are labelled."""
    asked = answered = 0
    for target, mask in said.items():
        labelled = labels[target] != IGNORE
        asked += int(labelled.sum())
        answered += int((labelled & (mask != NOT_ASSESSABLE)).sum())
    return answered / asked if asked else 1.0


__all__ = ["LabelledPair", "evaluate"]
