"""Pictures of single cases: before, after, label, answer, side by side; the best, the worst, and some drawn by lot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.train.answers import Method, answer_to, carried
from cvpipe.train.evaluation import LabelledPair
from cvpipe.train.folders import Dataset, Target
from cvpipe.train.metrics import IGNORE, Mask, figures
from cvpipe.train.scores import MethodScore, PictureScore

Pixels = NDArray[np.uint8]

#: How many of each sort are shown, and the seed of the lot.
EACH, SEED = 2, 20240501

#: Side of each of the four pictures in a row, px.
SIDE_PX = 300
GAP_PX = 6

#: What a colour says: right, false alarm, missed (Okabe & Ito 2008).
RIGHT, WRONG, MISSED = (0, 158, 115), (213, 94, 0), (0, 114, 178)
LABEL = (240, 228, 66)


@dataclass(frozen=True)
class Case:
    """One picture of a data set, why it is shown, and what was scored there."""

    sort: str
    stem: str
    note: str


def cases_of(score: MethodScore, target: Target) -> list[Case]:
    """`EACH` of the best, the worst and random pictures; no picture twice.

    Best: the highest F1 among those with something to find. Worst: the most wrong ground, missed and falsely reported.
    """
    seen = [p for p in score.pictures if target.name in p.tallies]
    labelled = [p for p in seen if p.tallies[target.name].pixels.labelled]
    best = sorted(labelled, key=lambda p: -(figures(p.tallies[target.name]).f1 or 0.0))
    worst = sorted(seen, key=lambda p: -_wrong_share(p, target))
    lot = [seen[i] for i in np.random.default_rng(SEED).permutation(len(seen))]
    cases: list[Case] = []
    for sort, ranked in (("best", best), ("worst", worst), ("random", lot)):
        fresh = [p for p in ranked if p.stem not in {case.stem for case in cases}][:EACH]
        cases += [Case(sort, p.stem, _note(p, target)) for p in fresh]
    return cases


def draw_case(dataset: Dataset, method: Method, target: Target, stem: str, *, align: bool = True) -> Pixels:
    """RGB (H, W, 3): before, after, the label on it, and the answer in the colours of right, wrong and missed.

    A single picture is shown once, with its label and answer.
    """
    picture = next(p for p in dataset.pictures if p.stem == stem)
    pair = LabelledPair(dataset, picture, align=align)
    with pair.readers() as (before, after):
        (one, other), _ = own = pair.aligned(before, after, before.grid)
        label = pair.labels(own[0])[target]
        asked, _ = pair.aligned(before, after, pair.grid_of(method, before, after))
        answer = answer_to(method.answer(*asked), target)
        assert answer is not None, "only what a method answers is shown"
        found = carried(answer, asked[0].grid, before.grid)
    ground = one.pixels if target.epoch == "before" and target.surface is not None else other.pixels
    panels = [one.pixels, other.pixels] if picture.after is not None else [one.pixels]
    return _row([*panels, _labelled(ground, label), _answered(ground, label, found)])


def _wrong_share(picture: PictureScore, target: Target) -> float:
    p = picture.tallies[target.name].pixels
    return (p.false_positive + p.false_negative) / max(p.labelled + p.unlabelled, 1)


def _note(picture: PictureScore, target: Target) -> str:
    tally = picture.tallies[target.name]
    o, f1 = tally.objects, figures(tally).f1
    score = "nothing to find" if f1 is None else f"F1 {f1:.2f}"
    return f"{score}, {o.found} of {o.labelled} objects found, {o.predicted - o.right} false alarms"


def _row(panels: Sequence[Pixels]) -> Pixels:
    fitted = [_fitted(panel) for panel in panels]
    gap = np.full((fitted[0].shape[0], GAP_PX, 3), 255, np.uint8)
    parts = [part for panel in fitted for part in (panel, gap)][:-1]
    return np.concatenate(parts, axis=1)


def _fitted(panel: Pixels) -> Pixels:
    scale = SIDE_PX / max(panel.shape[:2])
    size = max(round(panel.shape[1] * scale), 1), max(round(panel.shape[0] * scale), 1)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(panel, size, interpolation=how), np.uint8)


def _labelled(ground: Pixels, label: Mask) -> Pixels:
    shown = _tinted(ground, label == 1, LABEL)
    shown[label == IGNORE] = shown[label == IGNORE] // 2 + 64
    return shown


def _answered(ground: Pixels, label: Mask, found: Mask) -> Pixels:
    yes = found == 1
    shown = _tinted(ground, yes & (label == 1), RIGHT)
    shown = _tinted(shown, yes & (label == 0), WRONG)
    return _tinted(shown, ~yes & (label == 1), MISSED)


def _tinted(ground: Pixels, mask: NDArray[np.bool_], colour: tuple[int, int, int]) -> Pixels:
    shown = ground.copy()
    shown[mask] = (0.45 * shown[mask] + 0.55 * np.array(colour)).astype(np.uint8)
    return shown


__all__ = ["Case", "cases_of", "draw_case"]
