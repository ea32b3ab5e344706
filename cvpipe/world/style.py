"""Everything random about the look of a drawn scene, in one value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: What a block of the drawn city can be used for.
USES = (
    "village",
    "sheds",
    "apartments",
    "offices",
    "field",
    "park",
    "parking",
    "vacant",
    "works",
    "pond",
    "school",
)


@dataclass(frozen=True)
class Look:
    """One epoch's light, season and camera.

    Azimuth clockwise from north and elevation above the horizon, degrees. `greenness` 0 (parched) .. 1 (lush);
    `autumn` 0 .. 1 turns leaves yellow and red. `haze` is the share of white veil; `brightness` a factor,
    `contrast` a factor about mid grey, `warmth` moves red against blue. `blur_px` is the deviation of the
    camera's blur, `noise` that of its noise in grey values, `jpeg_quality` 1 .. 100.
    """

    sun_azimuth_deg: float = 150.0
    sun_elevation_deg: float = 50.0
    greenness: float = 0.7
    autumn: float = 0.0
    haze: float = 0.06
    brightness: float = 1.0
    contrast: float = 1.0
    warmth: float = 0.0
    blur_px: float = 0.6
    noise: float = 2.5
    jpeg_quality: int = 88

    @classmethod
    def random(cls, rng: np.random.Generator) -> Look:
        """A look as northern mid-latitude flights bring home from April to October, morning to afternoon."""
        return cls(
            sun_azimuth_deg=float(rng.uniform(95, 265)),
            sun_elevation_deg=float(rng.uniform(28, 68)),
            greenness=float(rng.beta(2.2, 1.6)),
            autumn=float(rng.choice([0.0, 0.0, 0.0, rng.uniform(0.2, 1.0)])),
            haze=float(rng.beta(1.3, 9)),
            brightness=float(rng.uniform(0.78, 1.22)),
            contrast=float(rng.uniform(0.82, 1.2)),
            warmth=float(rng.normal(0, 0.05)),
            blur_px=float(rng.uniform(0.35, 1.1)),
            noise=float(rng.uniform(0.8, 6.0)),
            jpeg_quality=int(rng.integers(62, 97)),
        )


@dataclass(frozen=True)
class Style:
    """The look of a place and of its epochs.

    `looks` holds one look per epoch and is gone round where more epochs are asked for. `block_m` is the typical
    side of a block, `angle_deg` the direction of the streets. `use_weights` go with USES. Densities are
    factors about 1. `roof_mix` are weights of (gable, flat, shed) among free-standing structures.
    `soil`, `concrete`, `leaf` are RGB factors on the palette. `change_share` is the share of structures that
    come, go or give way to others from one epoch to the next in a training patch; 0 draws unchanged pairs.
    """

    looks: tuple[Look, ...]
    block_m: float = 95.0
    angle_deg: float = 6.0
    use_weights: tuple[float, ...] = (3, 3, 1.5, 1.5, 1.2, 0.8, 0.8, 1, 0.8, 0.3, 0.4)
    tree_density: float = 1.0
    vehicle_density: float = 1.0
    roof_mix: tuple[float, float, float] = (0.35, 0.3, 0.35)
    soil: tuple[float, float, float] = (1.0, 1.0, 1.0)
    concrete: tuple[float, float, float] = (1.0, 1.0, 1.0)
    leaf: tuple[float, float, float] = (1.0, 1.0, 1.0)
    change_share: float = 0.35

    @classmethod
    def random(cls, rng: np.random.Generator) -> Style:
        """A style drawn from `rng`; equal generators give equal styles."""
        weights = np.array([3, 3, 1.5, 1.5, 1.0, 0.7, 0.7, 1.0, 0.8, 0.3, 0.4]) * rng.gamma(1.2, 1, len(USES))
        return cls(
            looks=tuple(Look.random(rng) for _ in range(3)),
            block_m=float(rng.uniform(60, 150)),
            angle_deg=float(rng.uniform(-45, 45)),
            use_weights=tuple(float(w) for w in weights),
            tree_density=float(rng.uniform(0.3, 1.8)),
            vehicle_density=float(rng.uniform(0.3, 1.7)),
            roof_mix=_weights(rng),
            soil=_cast(rng, 0.09),
            concrete=_cast(rng, 0.05),
            leaf=_cast(rng, 0.09),
            change_share=float(rng.beta(2, 3)),
        )

    def look(self, epoch: int) -> Look:
        """The look of an epoch, counted from 0."""
        return self.looks[epoch % len(self.looks)]


def _weights(rng: np.random.Generator) -> tuple[float, float, float]:
    gable, flat, shed = rng.dirichlet((2.0, 2.0, 2.0))
    return float(gable), float(flat), float(shed)


def _cast(rng: np.random.Generator, strength: float) -> tuple[float, float, float]:
    tone = rng.normal(1, strength)
    red, green, blue = tone * rng.normal(1, strength / 2.5, 3)
    return float(red), float(green), float(blue)
