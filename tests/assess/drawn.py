"""Small drawn sites whose areas one counts by eye."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from shapely import Point

from cvpipe.assess import measure
from cvpipe.domain import (
    SURFACES,
    ChangeKind,
    Figure,
    Measurements,
    Plan,
    Reason,
    Registration,
    Site,
    Spread,
    Surface,
)

SIDE = 20
"""Pixels along a drawn site; with 1 m² a pixel the site has 400 m²."""


@dataclass
class DrawnPair:
    """Two epochs of one place, bare ground all over, to be drawn on."""

    before: NDArray[np.uint8] = field(default_factory=lambda: _ground())
    after: NDArray[np.uint8] = field(default_factory=lambda: _ground())
    usable: NDArray[np.bool_] = field(default_factory=lambda: np.ones((SIDE, SIDE), bool))
    inside: NDArray[np.bool_] = field(default_factory=lambda: np.ones((SIDE, SIDE), bool))
    retained: NDArray[np.bool_] | None = None

    @property
    def change(self) -> dict[ChangeKind, NDArray[np.uint8]]:
        """Changes as they follow from the two surfaces."""
        was, now = self.before == Surface.STRUCTURE, self.after == Surface.STRUCTURE
        green, greener = self.before == Surface.VEGETATION, self.after == Surface.VEGETATION
        return {
            ChangeKind.STRUCTURE_REMOVED: (was & ~now).astype(np.uint8),
            ChangeKind.STRUCTURE_ADDED: (now & ~was).astype(np.uint8),
            ChangeKind.GREEN_ADDED: (greener & ~green).astype(np.uint8),
            ChangeKind.GREEN_REMOVED: (green & ~greener).astype(np.uint8),
        }

    def measured(self, *, pixel_area_m2: float = 1.0, reasons: tuple[Reason, ...] = ()) -> Measurements:
        """What `measure` says of the pair."""
        return measure(
            surface_before=self.before,
            surface_after=self.after,
            change=self.change,
            usable=self.usable,
            inside=self.inside,
            retained=self.retained,
            pixel_area_m2=pixel_area_m2,
            registration=Registration(),
            reasons=reasons,
        )


def site(plan: Plan | None = None) -> Site:
    """A site with a plan; its geometry plays no part in the rules."""
    return Site("A-1", Point(116.2, 39.9), plan=plan or Plan())


def areas(
    *,
    before: dict[Surface, float] | None = None,
    after: dict[Surface, float] | None = None,
    change: dict[ChangeKind, float] | None = None,
    site_area_m2: float = 1000.0,
    valid_share: float = 1.0,
    residual_px: float = 0.0,
    chance_m2: float | None = None,
) -> Measurements:
    """Measurements by hand; what is not named is 0 m², and ground that is not named is bare.

    `chance_m2` is the standard deviation of every figure; None for exact ones.
    """
    return Measurements(
        site_area_m2=site_area_m2,
        valid_share=valid_share,
        surface_before_m2=_filled(before or {}, site_area_m2),
        surface_after_m2=_filled(after or {}, site_area_m2),
        change_m2=dict.fromkeys(ChangeKind, 0.0) | (change or {}),
        registration=Registration(residual_px=residual_px),
        spreads={} if chance_m2 is None else dict.fromkeys(Figure, Spread(0.0, chance_m2, 0.0, 0.0)),
    )


def _filled(named: dict[Surface, float], total: float) -> dict[Surface, float]:
    bare = max(total - sum(named.values()), 0.0)
    return dict.fromkeys(SURFACES, 0.0) | {Surface.BARE: bare} | named


def _ground() -> NDArray[np.uint8]:
    return np.full((SIDE, SIDE), Surface.BARE, np.uint8)
