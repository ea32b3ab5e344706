"""A registration as places: where the later scene is read, and what a registration is on another grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from affine import Affine

from cvpipe.domain import Registration
from cvpipe.geo import Grid, transformer
from cvpipe.imagery.bending import CONTROLS, Controls, bend_at, bend_over, fitted


def controls_of(registration: Registration) -> Controls:
    """The controls of a registration's bend, in pixels; all zero where it has none."""
    shape = (2, CONTROLS, CONTROLS)
    return np.reshape(registration.bend, shape) if registration.bend else np.zeros(shape)


def largest_bend_px(registration: Registration) -> float:
    """The longest bend anywhere on the grid, in its pixels."""
    line = np.linspace(0, 1, 9)
    return float(np.hypot(*bend_over(controls_of(registration), line, line)).max())


def later_grid(grid: Grid, registration: Registration, reference: Grid) -> Grid:
    """Where the later scene is read so that it lies on the earlier one on `grid`, but for a bend (see `later`).

    `registration` is in pixels of `reference`, its shift that of the centre of `reference`; `grid` may be any part of
    it, or lie around it, with pixels of any size.
    """
    across_x, down_x, across_y, down_y = registration.drift
    centre = reference.width / 2, reference.height / 2
    growth = Affine(1 + across_x, down_x, 0, across_y, 1 + down_y, 0)
    moved = Affine.translation(*registration.shift_px) * (
        Affine.translation(*centre) * growth * Affine.translation(-centre[0], -centre[1])
    )
    return Grid(grid.crs, reference.transform * moved * ~reference.transform * grid.transform, grid.width, grid.height)


def seen_from(grid: Grid, registration: Registration, reference: Grid) -> Registration:
    """A registration in pixels of `reference` as one of `grid`; both are north-up and have pixels of one unit."""
    scale = reference.pixel_size / grid.pixel_size
    across_x, down_x, across_y, down_y = registration.drift
    right, below = _from_middle(grid, reference, (0.5, 0.5))
    x = registration.shift_px[0] + across_x * right + down_x * below
    y = registration.shift_px[1] + across_y * right + down_y * below
    return replace(
        registration,
        shift_px=(x * scale, y * scale),
        residual_px=registration.residual_px * scale,
        bend=_bend_seen_from(grid, registration, reference, scale),
    )


def _bend_seen_from(grid: Grid, registration: Registration, reference: Grid, scale: float) -> tuple[float, ...]:
    """The bend as controls over `grid`, fitted to it at 9 x 9 places there."""
    if not registration.bend:
        return ()
    line = np.linspace(0, 1, 9)
    places = np.array([(x, y) for y in line for x in line])
    middles = np.array([_from_middle(grid, reference, (x, y)) for x, y in places.tolist()])
    bend = bend_at(controls_of(registration), middles / (reference.width, reference.height) + 0.5)
    controls = fitted(places, bend * scale, np.ones(len(places)), stiffness=0.0)
    return tuple(controls.ravel().tolist())


def _from_middle(grid: Grid, reference: Grid, place: tuple[float, float]) -> tuple[float, float]:
    """How far a place of `grid` (0 to 1 across and down) lies from the middle of `reference`, in pixels of that."""
    point = grid.transform * (grid.width * place[0], grid.height * place[1])
    if grid.crs is not None and reference.crs is not None and grid.crs != reference.crs:
        point = transformer(grid.crs, reference.crs).transform(*point)
    col, row = ~reference.transform * point
    return col - reference.width / 2, row - reference.height / 2
