"""Cars and lorries: they stand on the ground and change nothing about what it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cvpipe.world import light
from cvpipe.world.canvas import U8, Box, Canvas, Colour, Stamp, steps


@dataclass(frozen=True)
class Vehicle:
    """A car (up to six metres long) or a lorry: its place and colour."""

    box: Box
    colour: Colour


_CAR_COLOURS: tuple[Colour, ...] = (
    (222, 222, 220), (206, 208, 210), (160, 164, 168), (44, 46, 50), (34, 36, 40), (96, 100, 106), (150, 44, 40),
    (44, 72, 130),
)  # fmt: skip
_LOAD_COLOURS: tuple[Colour, ...] = (
    (206, 206, 204), (58, 98, 150), (160, 70, 56), (120, 118, 112), (84, 120, 96), (186, 150, 60),
)  # fmt: skip


#: Ground that stands lower than this, in height steps, has room for a vehicle.
_CLEAR = np.uint8(steps(1.0))


def random_car(x: float, y: float, angle: float, rng: np.random.Generator) -> Vehicle:
    """A car standing at a place, headed along `angle`."""
    length, width = rng.uniform(4.1, 5.0), rng.uniform(1.75, 2.0)
    colour = _CAR_COLOURS[int(rng.integers(len(_CAR_COLOURS)))]
    return Vehicle(Box(x, y, length, width, angle), colour)


def random_lorry(x: float, y: float, angle: float, rng: np.random.Generator) -> Vehicle:
    """A lorry standing at a place, headed along `angle`."""
    colour = _LOAD_COLOURS[int(rng.integers(len(_LOAD_COLOURS)))]
    return Vehicle(Box(x, y, rng.uniform(7.5, 14), rng.uniform(2.4, 2.7), angle), colour)


def draw(canvas: Canvas, vehicle: Vehicle) -> None:
    """Draw a vehicle beneath crowns and roofs; the surface under it stays what it is."""
    box = vehicle.box
    stamp = canvas.stamp(box.corners())
    if stamp is None:
        return
    mask = stamp.fill(box.corners()) & (canvas.height[stamp.slices] < _CLEAR)
    u, _ = stamp.uv(box)
    rgb = np.empty((*stamp.shape, 3), np.uint8)
    rgb[:] = np.asarray(vehicle.colour, np.uint8)
    if box.length < 6:
        height = _car(stamp, box, rgb)
    else:
        rgb[u > box.length / 2 - 2.0] = (196, 198, 198)
        rgb[np.abs(u - (box.length / 2 - 2.3)) < 0.25] = (50, 50, 52)
        height = np.full(stamp.shape, steps(3.0), np.uint8)
    stamp.put(mask, rgb, material=light.FLAT, height=height)


def _car(stamp: Stamp, box: Box, rgb: U8) -> U8:
    """Draw windscreen and rear window over the body; returns the heights."""
    u, v = stamp.uv(box)
    inside = np.abs(v) < box.width / 2 - 0.15
    rgb[inside & (np.abs(u - 0.75) < 0.35)] = (46, 52, 58)
    rgb[inside & (np.abs(u + 1.45) < 0.28)] = (52, 58, 64)
    return np.where(np.abs(u + 0.3) < 1.4, np.uint8(steps(1.5)), np.uint8(steps(1.0)))
