"""How good a mask is: pixel counts, objects and their sizes, false alarms, and how far chance reaches.

Counts are kept and summed; figures are computed once, from the sums. So a picture with much to find weighs more than
an empty one, and an empty one still counts through its false alarms.

Masks are uint8 of one shape (H, W): 1 yes, 0 no; in labels 255 = ignore (not labelled, or of no matter); in
predictions 255 = not assessable, which is scored as "no": an unanswered question is a miss, never a pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]

IGNORE = 255

#: Objects smaller than this (m²) are left out, labelled or predicted: 2 m × 2 m is the smallest shed a person
#: outlines at 0.5 m; below it lie slivers of redrawn label edges.
MIN_OBJECT_M2 = 4.0

#: An object is found where at least this share of it is covered by the other side.
FOUND_SHARE = 0.25

#: An object is matched where its intersection over union with one object of the other side reaches this
#: (the rule of PASCAL VOC, Everingham 2010, and of the SpaceNet building challenges).
MATCH_IOU = 0.5

#: Upper ends (m²) of the size classes: sheds, houses, large houses, halls.
SIZE_LIMITS_M2 = (16.0, 64.0, 256.0)
SIZE_CLASSES = ("<16", "16-64", "64-256", ">256")

#: Labelled area below which a picture has no error of area, m²: a few pixels of edge would decide it.
SMALLEST_AREA_M2 = 100.0

#: Bootstrap over places: resamples, confidence level and seed. 1,000 resamples hold a 90 % interval to about ±1 %.
RESAMPLES = 1000
LEVEL = 0.90
SEED = 20240501


@dataclass(frozen=True)
class PixelCounts:
    """Pixels by what was labelled and what was predicted; ignored pixels are in none of them."""

    true_positive: int = 0
    false_positive: int = 0
    false_negative: int = 0
    true_negative: int = 0

    def __add__(self, other: PixelCounts) -> PixelCounts:
        return PixelCounts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def labelled(self) -> int:
        """Pixels labelled yes."""
        return self.true_positive + self.false_negative

    @property
    def unlabelled(self) -> int:
        """Pixels labelled no."""
        return self.false_positive + self.true_negative


@dataclass(frozen=True)
class ObjectCounts:
    """Objects of one size class: connected pixels (8 neighbours) of at least `MIN_OBJECT_M2`.

    A labelled object is `found` where predictions cover ≥ `FOUND_SHARE` of it, a predicted one is `right` where
    labels cover ≥ `FOUND_SHARE` of it, and a false alarm otherwise. `matched` ones also agree in outline
    (≥ `MATCH_IOU` with one single object). Labelled objects are classed by their own size, predicted ones by theirs.
    """

    labelled: int = 0
    found: int = 0
    matched: int = 0
    predicted: int = 0
    right: int = 0
    predicted_matched: int = 0

    def __add__(self, other: ObjectCounts) -> ObjectCounts:
        return ObjectCounts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True)
class Tally:
    """All counts of one question on one or more pictures; adds up.

    `by_size` holds one entry per class of `SIZE_CLASSES`; `unchanged_m2` is the ground labelled no.
    """

    pixels: PixelCounts = PixelCounts()
    by_size: tuple[ObjectCounts, ...] = (ObjectCounts(),) * len(SIZE_CLASSES)
    unchanged_m2: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        sizes = tuple(a + b for a, b in zip(self.by_size, other.by_size, strict=True))
        return Tally(self.pixels + other.pixels, sizes, self.unchanged_m2 + other.unchanged_m2)

    @property
    def objects(self) -> ObjectCounts:
        """Objects of all sizes."""
        return sum(self.by_size, ObjectCounts())


@dataclass(frozen=True)
class Figures:
    """What a tally says, each in 0..1 unless its name tells; None where nothing stands below the fraction line.

    Recall, F1 and IoU are None where nothing was labelled: they would measure the label, not the answer.
    """

    precision: float | None
    recall: float | None
    f1: float | None
    iou: float | None
    object_precision: float | None
    object_recall: float | None
    object_f1: float | None
    matched_f1: float | None
    false_alarms_per_10000_m2: float | None
    false_alarm_area_share: float | None


Interval = tuple[float, float]


def tally(label: Mask, predicted: Mask, pixel_area_m2: float) -> Tally:
    """Score one predicted mask against its label; `pixel_area_m2` is the ground area of a pixel of both."""
    assert label.shape == predicted.shape, "label and prediction lie on one grid"
    by_size = count_objects(label, predicted, pixel_area_m2)
    pixels = count_pixels(label, predicted)
    return Tally(pixels, by_size, pixels.unlabelled * pixel_area_m2)


def count_pixels(label: Mask, predicted: Mask) -> PixelCounts:
    """Pixels by label and prediction, those labelled 255 left out."""
    yes, no, said = label == 1, label == 0, predicted == 1
    hits, alarms = int((yes & said).sum()), int((no & said).sum())
    return PixelCounts(hits, alarms, int(yes.sum()) - hits, int(no.sum()) - alarms)


def count_objects(label: Mask, predicted: Mask, pixel_area_m2: float) -> tuple[ObjectCounts, ...]:
    """Objects per class of `SIZE_CLASSES`; a predicted one that lies by half or more on ignored ground is dropped."""
    labelled = _Objects.of(label == 1, pixel_area_m2)
    said = _Objects.of(predicted == 1, pixel_area_m2)
    said = said.kept(said.covered_by(label == IGNORE) < 0.5)
    best, said_best = _best_iou(labelled, said)
    found = labelled.covered_by(predicted == 1) >= FOUND_SHARE
    right = said.covered_by(label == 1) >= FOUND_SHARE
    matched, said_matched = best >= MATCH_IOU, said_best >= MATCH_IOU
    here, there = labelled.size_class, said.size_class
    return tuple(
        ObjectCounts(
            labelled=int((here == size).sum()),
            found=int((found & (here == size)).sum()),
            matched=int((matched & (here == size)).sum()),
            predicted=int((there == size).sum()),
            right=int((right & (there == size)).sum()),
            predicted_matched=int((said_matched & (there == size)).sum()),
        )
        for size in range(len(SIZE_CLASSES))
    )


def area_error(tally: Tally) -> float | None:
    """(predicted − labelled) / labelled area of one picture; None below `SMALLEST_AREA_M2` labelled, or on no ground.

    Pixels on ignored ground count on neither side.
    """
    p = tally.pixels
    if not p.unlabelled:
        return None
    pixel_m2 = tally.unchanged_m2 / p.unlabelled
    if p.labelled * pixel_m2 < SMALLEST_AREA_M2:
        return None
    return (p.false_positive - p.false_negative) / p.labelled


@dataclass(frozen=True)
class AreaErrors:
    """Relative errors of area over pictures: their number, median, and median and 90th percentile of their size."""

    pictures: int
    median: float
    median_size: float
    size_90: float

    @classmethod
    def of(cls, tallies: Sequence[Tally]) -> AreaErrors | None:
        """None where no picture has enough labelled area."""
        errors = np.array([e for t in tallies if (e := area_error(t)) is not None])
        if not len(errors):
            return None
        size_50, size_90 = np.quantile(np.abs(errors), [0.5, 0.9])
        return cls(len(errors), float(np.median(errors)), float(size_50), float(size_90))


def object_chances(
    label: Mask, predicted: Mask, chance: NDArray[np.floating], pixel_area_m2: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Mean of `chance` (H, W) over each predicted object, and whether the object is right (see `ObjectCounts`)."""
    said = _Objects.of(predicted == 1, pixel_area_m2)
    said = said.kept(said.covered_by(label == IGNORE) < 0.5)
    sums = np.bincount(said.numbers.ravel(), weights=chance.ravel(), minlength=int(said.numbers.max()) + 1)
    return np.asarray(sums[said.ids] / np.maximum(said.pixels, 1)), said.covered_by(label == 1) >= FOUND_SHARE


@dataclass(frozen=True)
class _Objects:
    """Connected pixels of a mask: `numbers` (H, W) int32, 0 = none; `ids` and `pixels` of those big enough."""

    numbers: NDArray[np.int32]
    ids: NDArray[np.int64]
    pixels: NDArray[np.int64]
    pixel_area_m2: float

    @classmethod
    def of(cls, mask: NDArray[np.bool_], pixel_area_m2: float) -> _Objects:
        _, numbers, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8, ltype=cv2.CV_32S)
        pixels = stats[:, cv2.CC_STAT_AREA].astype(np.int64)
        # A hair of tolerance: 100 pixels of 0.04 m² are 4 m², whatever the floating point says.
        big = pixels * pixel_area_m2 >= MIN_OBJECT_M2 * (1 - 1e-9)
        big[0] = False
        ids = np.flatnonzero(big)
        return cls(np.asarray(numbers, np.int32), ids, pixels[ids], pixel_area_m2)

    def kept(self, keep: NDArray[np.bool_]) -> _Objects:
        return _Objects(self.numbers, self.ids[keep], self.pixels[keep], self.pixel_area_m2)

    def covered_by(self, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Share of each object that lies on `mask`, 0..1."""
        inside = np.bincount(self.numbers[mask].ravel(), minlength=int(self.numbers.max()) + 1)
        return np.asarray(inside[self.ids] / np.maximum(self.pixels, 1), np.float64)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Pixels of the object with each number; 0 for those left out."""
        sizes = np.zeros(int(self.numbers.max()) + 1, np.int64)
        sizes[self.ids] = self.pixels
        return sizes

    @property
    def size_class(self) -> NDArray[np.int64]:
        """Index into `SIZE_CLASSES` of each object."""
        return np.asarray(np.digitize(self.pixels * self.pixel_area_m2, SIZE_LIMITS_M2), np.int64)


def _best_iou(labelled: _Objects, said: _Objects) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Best intersection over union of each labelled object with a predicted one, and the other way round.

    Only pairs that share a pixel are looked at: a noisy mask has thousands of objects on either side.
    """
    both = (labelled.numbers > 0) & (said.numbers > 0)
    pairs = np.stack([labelled.numbers[both], said.numbers[both]])
    (rows, columns), shared = np.unique(pairs, axis=1, return_counts=True)
    sizes_here, sizes_there = labelled.sizes, said.sizes
    iou = shared / np.maximum(sizes_here[rows] + sizes_there[columns] - shared, 1)
    iou[(sizes_here[rows] == 0) | (sizes_there[columns] == 0)] = 0.0
    best_here, best_there = np.zeros(len(sizes_here)), np.zeros(len(sizes_there))
    np.maximum.at(best_here, rows, iou)
    np.maximum.at(best_there, columns, iou)
    return best_here[labelled.ids], best_there[said.ids]


def figures(tally: Tally) -> Figures:
    """Precision, recall and the rest from summed counts."""
    p, o = tally.pixels, tally.objects
    precision, recall = _ratio(o.right, o.predicted), _ratio(o.found, o.labelled)
    matched = _f1(_ratio(o.predicted_matched, o.predicted), _ratio(o.matched, o.labelled))
    wrong = p.false_positive + p.false_negative
    anything = p.labelled > 0
    return Figures(
        precision=_ratio(p.true_positive, p.true_positive + p.false_positive),
        recall=_ratio(p.true_positive, p.labelled),
        f1=_ratio(2 * p.true_positive, 2 * p.true_positive + wrong) if anything else None,
        iou=_ratio(p.true_positive, p.true_positive + wrong) if anything else None,
        object_precision=precision,
        object_recall=recall,
        object_f1=_f1(precision, recall),
        matched_f1=matched,
        false_alarms_per_10000_m2=_ratio(10_000.0 * (o.predicted - o.right), tally.unchanged_m2),
        false_alarm_area_share=_ratio(p.false_positive, p.unlabelled),
    )


def intervals(
    tallies: Sequence[Tally], *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = SEED
) -> dict[str, Interval | None]:
    """Percentile bootstrap (Efron 1979) of every figure over places; one tally per place.

    None where there are fewer than two places, or where half of the resamples or more leave the figure undefined.
    The same seed gives the same interval.
    """
    names = [f.name for f in fields(Figures)]
    if len(tallies) < 2:
        return dict.fromkeys(names)
    counts = np.stack([_as_row(t) for t in tallies])
    draws = np.random.default_rng(seed).multinomial(len(tallies), np.full(len(tallies), 1 / len(tallies)), resamples)
    drawn = [figures(_from_row(row)) for row in draws @ counts]
    return {name: _interval([getattr(d, name) for d in drawn], level) for name in names}


def paired_intervals(
    ours: Sequence[Tally],
    theirs: Sequence[Tally],
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = SEED,
) -> dict[str, Interval | None]:
    """Bootstrap interval of each figure's difference, ours − theirs; one tally of either per place, in one order.

    Both are drawn from the same places each time, so that what a place adds to both cancels out. None as `intervals`.
    """
    names = [f.name for f in fields(Figures)]
    drawn = paired_draws(ours, theirs, resamples=resamples, seed=seed)
    return {name: _interval([_minus(a, b, name) for a, b in drawn], level) if drawn else None for name in names}


def paired_draws(
    ours: Sequence[Tally], theirs: Sequence[Tally], *, resamples: int = RESAMPLES, seed: int = SEED
) -> list[tuple[Figures, Figures]]:
    """Figures of both on the same resampled places, one pair a resample; none with fewer than two places."""
    assert len(ours) == len(theirs), "one tally of either per place"
    count = len(ours)
    if count < 2:
        return []
    rows = [np.stack([_as_row(t) for t in tallies]) for tallies in (ours, theirs)]
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), resamples)
    one, other = ([figures(_from_row(row)) for row in draws @ counts] for counts in rows)
    return list(zip(one, other, strict=True))


def _minus(one: Figures, other: Figures, name: str) -> float | None:
    a, b = getattr(one, name), getattr(other, name)
    return None if a is None or b is None else a - b


def _interval(values: Sequence[float | None], level: float) -> Interval | None:
    known = [v for v in values if v is not None]
    if len(known) <= len(values) / 2:
        return None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _as_row(tally: Tally) -> NDArray[np.float64]:
    parts: tuple[PixelCounts | ObjectCounts, ...] = (tally.pixels, *tally.by_size)
    counts = [getattr(part, f.name) for part in parts for f in fields(part)]
    return np.array([*counts, tally.unchanged_m2], np.float64)


def _from_row(row: NDArray[np.float64]) -> Tally:
    numbers = [int(value) for value in row[:-1]]
    first, width = len(fields(PixelCounts)), len(fields(ObjectCounts))
    sizes = tuple(ObjectCounts(*numbers[i : i + width]) for i in range(first, len(numbers), width))
    return Tally(PixelCounts(*numbers[:first]), sizes, float(row[-1]))


def _f1(precision: float | None, recall: float | None) -> float | None:
    """Harmonic mean; 0 where there is something to find and nothing was predicted."""
    if recall is None:
        return None
    total = (precision or 0.0) + recall
    return 2 * (precision or 0.0) * recall / total if total else 0.0


def _ratio(above: float, below: float) -> float | None:
    return float(above) / below if below else None


__all__ = [
    "FOUND_SHARE",
    "IGNORE",
    "LEVEL",
    "MATCH_IOU",
    "MIN_OBJECT_M2",
    "RESAMPLES",
    "SEED",
    "SIZE_CLASSES",
    "SIZE_LIMITS_M2",
    "SMALLEST_AREA_M2",
    "AreaErrors",
    "Figures",
    "Interval",
    "Mask",
    "ObjectCounts",
    "PixelCounts",
    "Tally",
    "area_error",
    "count_objects",
    "count_pixels",
    "figures",
    "intervals",
    "object_chances",
    "paired_draws",
    "paired_intervals",
    "tally",
]
