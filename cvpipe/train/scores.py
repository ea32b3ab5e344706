"""What methods scored: counts of each picture, and the figures of a data set that follow from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from cvpipe.train import metrics
from cvpipe.train.folders import Dataset, Target
from cvpipe.train.metrics import AreaErrors, Interval, Tally
from cvpipe.train.reliability import Reliability


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


def main_target(evaluation: Evaluation) -> Target | None:
    """What a data set is judged by: the first target that the first method answers, a change where one is labelled."""
    first = evaluation.scores[0]
    answered = [t for t in evaluation.targets if first.pictures_with(t.name)]
    return next((t for t in answered if t.changes), answered[0] if answered else None)


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


__all__ = ["Evaluation", "MethodScore", "PictureScore", "Reliabilities", "main_target"]
