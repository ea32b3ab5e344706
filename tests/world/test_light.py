"""Sun and season on toy canvases, and the camera's shift."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from cvpipe.domain import Surface
from cvpipe.world import Look, light, sensor
from cvpipe.world.canvas import Box, Canvas, steps
from cvpipe.world.structures import Structure, draw

NOON = Look(sun_azimuth_deg=180.0, sun_elevation_deg=45.0)


def _yard_with_block(height_m: float) -> Canvas:
    """Grey paving, 1 m to the pixel, with a flat block of 4 × 4 m in rows 28..31 and columns 20..23."""
    canvas = Canvas.blank(64, 48, 1.0)
    canvas.height[28:32, 20:24] = steps(height_m)
    return canvas


def test_shadow_falls_away_from_the_sun_as_far_as_the_block_is_high() -> None:
    lit = light.lit(_yard_with_block(10.0), NOON).mean(axis=2)
    dark = lit < 0.7 * lit[60, 2]
    rows, cols = np.nonzero(dark)
    assert (cols.min(), cols.max()) == (20, 23)
    assert rows.max() == 27
    # One pixel of rounding, and the tip of the shadow that is thinner than the margin of 0.4 m.
    assert 28 - rows.min() == pytest.approx(10.0 / math.tan(math.radians(45)), abs=1.5)


def test_a_lower_sun_casts_a_longer_shadow() -> None:
    canvas = _yard_with_block(6.0)
    high, low = (light.lit(canvas, replace(NOON, sun_elevation_deg=e)).mean(axis=2) for e in (60.0, 30.0))
    assert (low < 100).sum() > 1.5 * (high < 100).sum() > 0


def test_roof_facing_the_sun_is_brighter() -> None:
    canvas = Canvas.blank(40, 80, 0.5)
    draw(canvas, Structure(7, Box(20.0, 10.0, 30.0, 12.0, 0.0), "gable", 3.0, (120.0, 120.0, 120.0), 1))
    lit = light.lit(canvas, NOON).mean(axis=2)
    north, south = lit[10:18, 12:68].mean(), lit[22:30, 12:68].mean()
    assert south > 1.3 * north
    assert np.array_equal(canvas.structure_id == 7, canvas.surface == Surface.STRUCTURE)


def test_dry_grass_loses_its_green() -> None:
    canvas = Canvas.blank(8, 8, 1.0)
    canvas.albedo[:], canvas.material[:] = (90, 105, 65), light.GRASS
    lush, dry = (light.lit(canvas, replace(NOON, greenness=g))[0, 0].astype(float) for g in (1.0, 0.0))
    assert lush[1] / lush[0] > 1.2 > dry[1] / dry[0]


def test_shift_moves_content_right_and_down() -> None:
    dot = np.zeros((9, 9, 3), np.uint8)
    dot[4, 4] = 200
    moved = sensor.shifted(dot, (2.0, -1.0))
    assert tuple(np.argwhere(moved[..., 0] > 0)[0]) == (3, 6)
    half = sensor.shifted(dot, (0.5, 0.0))[4, :, 0]
    assert half[4] == pytest.approx(half[5], abs=1)
