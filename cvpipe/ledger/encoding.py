"""Measurements and verdicts as plain data and back, without loss."""

from __future__ import annotations

import math
from typing import Any

from shapely import from_wkt, to_wkt

from cvpipe.domain import (
    ChangeKind,
    Criterion,
    Figure,
    Measurements,
    Outcome,
    Question,
    Reason,
    Registration,
    Remnant,
    Spread,
    Surface,
    VegetationIndex,
    Verdict,
)


def measurements_as_plain(measured: Measurements) -> dict[str, Any]:
    """Areas are keyed by the surface's name and the change's kind, as people read them."""
    return {
        "site_area_m2": float(measured.site_area_m2),
        "valid_share": float(measured.valid_share),
        "surface_before_m2": _surfaces_as_plain(measured.surface_before_m2),
        "surface_after_m2": _surfaces_as_plain(measured.surface_after_m2),
        "change_m2": {kind.value: float(area) for kind, area in measured.change_m2.items()},
        "retained_m2": float(measured.retained_m2),
        "registration": _registration_as_plain(measured.registration),
        "reasons": [reason.value for reason in measured.reasons],
        "spreads": {figure.value: _spread_as_plain(spread) for figure, spread in measured.spreads.items()},
        "left": [_remnant_as_plain(remnant) for remnant in measured.left],
        "index": None if measured.index is None else {n: float(value) for n, value in vars(measured.index).items()},
    }


def measurements_of(plain: dict[str, Any]) -> Measurements:
    """Inverse of `measurements_as_plain`."""
    return Measurements(
        site_area_m2=plain["site_area_m2"],
        valid_share=plain["valid_share"],
        surface_before_m2=_surfaces_of(plain["surface_before_m2"]),
        surface_after_m2=_surfaces_of(plain["surface_after_m2"]),
        change_m2={ChangeKind(kind): area for kind, area in plain["change_m2"].items()},
        retained_m2=plain["retained_m2"],
        registration=_registration_of(plain["registration"]),
        reasons=tuple(Reason(reason) for reason in plain["reasons"]),
        # not in ledgers before errors were estimated
        spreads={Figure(figure): Spread(**spread) for figure, spread in plain.get("spreads", {}).items()},
        left=tuple(_remnant_of(remnant) for remnant in plain.get("left", ())),
        index=VegetationIndex(**plain["index"]) if plain.get("index") else None,
    )


def verdict_as_plain(verdict: Verdict) -> dict[str, Any]:
    """A verdict with all its criteria."""
    return {
        "question": verdict.question.value,
        "outcome": verdict.outcome.value,
        "criteria": [_criterion_as_plain(criterion) for criterion in verdict.criteria],
        "reason": verdict.reason and verdict.reason.value,
        "explanation": verdict.explanation,
        "needs_review": bool(verdict.needs_review),
    }


def verdict_of(plain: dict[str, Any]) -> Verdict:
    """Inverse of `verdict_as_plain`."""
    return Verdict(
        question=Question(plain["question"]),
        outcome=Outcome(plain["outcome"]),
        criteria=tuple(_criterion_of(criterion) for criterion in plain["criteria"]),
        reason=None if plain["reason"] is None else Reason(plain["reason"]),
        explanation=plain["explanation"],
        needs_review=plain["needs_review"],
    )


def _criterion_as_plain(criterion: Criterion) -> dict[str, Any]:
    return {
        "name": criterion.name,
        "value": float(criterion.value),
        "unit": criterion.unit,
        "limit": None if criterion.limit is None else float(criterion.limit),
        "passed": None if criterion.passed is None else bool(criterion.passed),
        "interval": None if criterion.interval is None else [float(end) for end in criterion.interval],
    }


def _criterion_of(plain: dict[str, Any]) -> Criterion:
    """Ledgers before errors were estimated hold no interval."""
    interval = plain.get("interval")
    return Criterion(**(plain | {"interval": None if interval is None else tuple(interval)}))


def _spread_as_plain(spread: Spread) -> dict[str, float]:
    return {name: float(value) for name, value in vars(spread).items()}


def _remnant_as_plain(remnant: Remnant) -> dict[str, Any]:
    outline = to_wkt(remnant.geometry, rounding_precision=-1)  # all digits
    return {"surface": remnant.surface.name.lower(), "area_m2": float(remnant.area_m2), "outline": outline}


def _remnant_of(plain: dict[str, Any]) -> Remnant:
    return Remnant(Surface[plain["surface"].upper()], from_wkt(plain["outline"]), plain["area_m2"])


def _registration_as_plain(registration: Registration) -> dict[str, Any]:
    """A shift that could not be found has an infinite residual, which JSON does not know: null stands for it."""
    return {
        "shift_px": [float(shift) for shift in registration.shift_px],
        "residual_px": None if registration.residual_px == math.inf else float(registration.residual_px),
        "confidence": float(registration.confidence),
        "drift": [float(growth) for growth in registration.drift],
        "bend": [float(control) for control in registration.bend],
    }


def _registration_of(plain: dict[str, Any]) -> Registration:
    x, y = plain["shift_px"]
    residual = math.inf if plain["residual_px"] is None else plain["residual_px"]
    across_x, down_x, across_y, down_y = plain.get("drift", (0.0, 0.0, 0.0, 0.0))  # ledgers before it was told
    drift, bend = (across_x, down_x, across_y, down_y), tuple(plain.get("bend", ()))
    return Registration((x, y), residual, plain["confidence"], drift, bend)


def _surfaces_as_plain(areas: dict[Surface, float]) -> dict[str, float]:
    return {surface.name.lower(): float(area) for surface, area in areas.items()}


def _surfaces_of(plain: dict[str, float]) -> dict[Surface, float]:
    return {Surface[name.upper()]: area for name, area in plain.items()}
