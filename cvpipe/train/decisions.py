"""Which pixels and which polygons are reported as change: chosen on held-out pairs, kept in the bundle.

A kind of change is decided by three numbers: the probability that its pixels exceed, and the area and the mean
probability that a polygon of such pixels needs to be reported at all. They are chosen together, since what one lets
through the other can stop.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.train.metrics import FOUND_SHARE, IGNORE, MIN_OBJECT_M2

Pixels = NDArray[np.uint8]
Counts = NDArray[np.int64]

#: Stored probabilities, as `detect.maps` keeps them: 0..254 stand for 0..1.
SCALE = 254

#: What is tried for structures. Above 12 m² sheds would be lost, below 4 m² no object is scored. Thresholds below 0.4
#: would make up for structures that are missed by drawing the found ones too wide: right in the sum, wrong on each
#: site.
THRESHOLDS = tuple(float(t) for t in np.round(np.arange(0.4, 0.81, 0.05), 2))
MIN_AREAS_M2 = (4.0, 6.0, 8.0, 12.0)
MIN_PROBABILITIES = (0.0, *(float(p) for p in np.round(np.arange(0.4, 0.91, 0.025), 3)))

#: What is taken without a choice: 6 m² (a shed), and any mean probability.
USUAL_AREA_M2, USUAL_PROBABILITY = 6.0, 0.0

#: Decisions whose score lies this close to the best are held to be equally good; the fewest false alarms decide, then
#: the usual area. A wider choice ends at probabilities that only ground like that of training ever reaches.
EQUALLY_GOOD = 0.002

#: Thresholds that are tried for green areas.
GREEN_THRESHOLDS = tuple(float(t) for t in np.round(np.arange(0.15, 0.81, 0.025), 3))


@dataclass(frozen=True)
class Decision:
    """When a kind of change is reported: see the module's text. `min_probability` 0 lets every polygon pass."""

    threshold: float
    min_area_m2: float
    min_probability: float = USUAL_PROBABILITY


@dataclass(frozen=True)
class Outcome:
    """What a decision gives on labelled pairs; `area_ratio` is area reported by area labelled (NaN: none labelled)."""

    object_f1: float
    pixel_f1: float
    false_alarms_per_10000_m2: float
    area_ratio: float

    @property
    def score(self) -> float:
        """Mean of both F1: objects are what people look at, pixels make the areas."""
        return (self.object_f1 + self.pixel_f1) / 2


@dataclass(frozen=True)
class Patches:
    """Pixels above one threshold, joined by their sides, in many pairs; one entry per patch.

    `px`, `hit_px` (of them labelled yes) and `mean` (probability 0..1) describe a patch; `right` where labels cover
    `FOUND_SHARE` of it. Patches that lie by half on ignored ground are left out. `shared` (n, 3) lists patch, labelled
    object and the pixels that they share; `object_px` are the objects' sizes. Joined by sides, as polygons are traced.
    """

    px: Counts
    hit_px: Counts
    mean: NDArray[np.float64]
    shared: Counts
    object_px: Counts
    labelled_px: int
    unchanged_px: int
    pixel_m2: float

    @classmethod
    def above(cls, threshold: float, stored: Pixels, labels: Pixels, pixel_m2: float) -> Patches:
        """Patches of stored probabilities uint8 (N, H, W) above a threshold; `labels` (N, H, W) are 1, 0 or 255."""
        parts = [_of_one(s, label, threshold, pixel_m2) for s, label in zip(stored, labels, strict=True)]
        patches, objects = 0, 0
        shared = []
        for part in parts:
            shared.append(part.shared + np.array([patches, objects, 0]))
            patches, objects = patches + len(part.px), objects + len(part.object_px)
        return cls(
            px=np.concatenate([p.px for p in parts]),
            hit_px=np.concatenate([p.hit_px for p in parts]),
            mean=np.concatenate([p.mean for p in parts]),
            shared=np.concatenate(shared),
            object_px=np.concatenate([p.object_px for p in parts]),
            labelled_px=sum(p.labelled_px for p in parts),
            unchanged_px=sum(p.unchanged_px for p in parts),
            pixel_m2=pixel_m2,
        )

    def outcome(self, min_area_m2: float, min_probability: float) -> Outcome:
        """What is reported where patches below these are dropped."""
        kept = (self.px * self.pixel_m2 >= min_area_m2 * (1 - 1e-9)) & (self.mean >= min_probability)
        right = kept & (self.hit_px >= FOUND_SHARE * self.px)
        found = self._found(kept)
        reported, hits = int(self.px[kept].sum()), int(self.hit_px[kept].sum())
        precision, recall = _share(right.sum(), kept.sum()), _share(found.sum(), len(found))
        return Outcome(
            object_f1=_share(2 * precision * recall, precision + recall),
            pixel_f1=_share(2 * hits, reported + self.labelled_px),
            false_alarms_per_10000_m2=_share(1e4 * (kept & ~right).sum(), self.unchanged_px * self.pixel_m2),
            area_ratio=reported / self.labelled_px if self.labelled_px else float("nan"),
        )

    def _found(self, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether each labelled object is covered enough by the kept patches."""
        those = self.shared[kept[self.shared[:, 0]]]
        covered = np.bincount(those[:, 1], weights=those[:, 2], minlength=len(self.object_px))
        return np.asarray(covered >= FOUND_SHARE * self.object_px, np.bool_)


def choose_structures(stored: Pixels, labels: Pixels, pixel_m2: float) -> tuple[Decision, Outcome, Outcome]:
    """The decision for a kind of structure change, what it gives, and what the best threshold alone gives.

    `stored` are probabilities uint8 (N, H, W) in steps of 1/254, `labels` (N, H, W) 1, 0 or 255. Of all decisions that
    keep the object F1 of the best threshold alone, those within `EQUALLY_GOOD` of the best score are looked at, and
    the one with the fewest false alarms is taken. Where nothing is labelled yes there is nothing to choose by: 0.5.
    """
    if not (labels == 1).any():
        nothing = Patches.above(0.5, stored, labels, pixel_m2).outcome(USUAL_AREA_M2, USUAL_PROBABILITY)
        return Decision(0.5, USUAL_AREA_M2), nothing, nothing
    tried: dict[Decision, Outcome] = {}
    for threshold in THRESHOLDS:
        patches = Patches.above(threshold, stored, labels, pixel_m2)
        for area, probability in itertools.product(MIN_AREAS_M2, MIN_PROBABILITIES):
            if probability == USUAL_PROBABILITY or probability > threshold:
                tried[Decision(threshold, area, probability)] = patches.outcome(area, probability)
    plain = [tried[Decision(t, USUAL_AREA_M2)] for t in THRESHOLDS]
    usual = max(plain, key=lambda outcome: outcome.pixel_f1)
    good = {d: o for d, o in tried.items() if o.object_f1 >= usual.object_f1}
    best = max(o.score for o in good.values())
    equal = [d for d, o in good.items() if o.score >= best - EQUALLY_GOOD]
    chosen = min(equal, key=lambda d: (tried[d].false_alarms_per_10000_m2, -tried[d].score, _unusual(d)))
    return chosen, tried[chosen], usual


def _unusual(decision: Decision) -> float:
    return abs(decision.min_area_m2 - USUAL_AREA_M2)


def choose_green(stored: Pixels, labels: Pixels, pixel_m2: float, min_area_m2: float) -> tuple[Decision, Outcome]:
    """The threshold at which the area reported over all pairs is the area labelled; 0.5 where none is labelled.

    Green is counted in m² against a plan, so its area must be right on the whole; its outlines are soft anyway.
    """
    tried: dict[float, Outcome] = {}
    for threshold in GREEN_THRESHOLDS:
        tried[threshold] = Patches.above(threshold, stored, labels, pixel_m2).outcome(min_area_m2, USUAL_PROBABILITY)
    if np.isnan(tried[GREEN_THRESHOLDS[0]].area_ratio):
        return Decision(0.5, min_area_m2), tried[0.5]
    chosen = min(tried, key=lambda t: abs(tried[t].area_ratio - 1))
    return Decision(chosen, min_area_m2), tried[chosen]


def _of_one(stored: Pixels, label: Pixels, threshold: float, pixel_m2: float) -> Patches:
    lowest = int(np.floor(threshold * SCALE)) + 1
    counted = label != IGNORE
    count, numbers = cv2.connectedComponents((stored >= lowest).astype(np.uint8), connectivity=4)
    flat = numbers.ravel()
    px = np.bincount(flat, minlength=count)
    labelled_ground = np.bincount(flat[counted.ravel()], minlength=count)
    hit = np.bincount(flat[(label == 1).ravel()], minlength=count)
    mean = np.bincount(flat, weights=stored.ravel(), minlength=count) / np.maximum(px, 1) / SCALE
    keep = labelled_ground > px / 2
    keep[0] = False
    renumbered = np.cumsum(keep) - 1
    object_px, shared = _objects(label, numbers, keep, pixel_m2)
    shared[:, 0] = renumbered[shared[:, 0]]
    return Patches(
        px=labelled_ground[keep],
        hit_px=hit[keep],
        mean=mean[keep],
        shared=shared,
        object_px=object_px,
        labelled_px=int((label == 1).sum()),
        unchanged_px=int((label == 0).sum()),
        pixel_m2=pixel_m2,
    )


def _objects(label: Pixels, numbers: NDArray[Any], keep: NDArray[np.bool_], pixel_m2: float) -> tuple[Counts, Counts]:
    """Sizes of the labelled objects that are big enough to be scored, and (patch, object, pixels) of each overlap."""
    count, objects = cv2.connectedComponents((label == 1).astype(np.uint8), connectivity=8)
    sizes = np.bincount(objects.ravel(), minlength=count)
    scored = sizes * pixel_m2 >= MIN_OBJECT_M2 * (1 - 1e-9)
    scored[0] = False
    both = scored[objects] & keep[numbers]
    pairs, shared = np.unique(np.stack([numbers[both], objects[both]]), axis=1, return_counts=True)
    triples = np.column_stack([pairs.T, shared]).astype(np.int64)
    triples[:, 1] = (np.cumsum(scored) - 1)[triples[:, 1]]
    return sizes[scored].astype(np.int64), triples


def _share(above: float, below: float) -> float:
    return float(above) / float(below) if below else 0.0


__all__ = ["Decision", "Outcome", "Patches", "choose_green", "choose_structures"]
