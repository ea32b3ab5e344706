"""The sheet that a scene is drawn on: planes of one size, and stamps that touch a part of them.

Places are metres in the scene's own frame: x to the right, y downwards, the origin at the outer corner of the
upper left pixel. Nothing here knows of sun or season; `light` turns the planes into a picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.domain import Surface

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
Bool = NDArray[np.bool_]
Points = NDArray[np.float64]
"""(N, 2) metres, x before y."""
Colour = tuple[float, float, float]
"""Albedo R, G, B in 0..255."""

#: Metres per step of the height plane: a byte then reaches 51 m, more than any house drawn here.
HEIGHT_STEP_M = 0.2

#: OpenCV draws polygons with this many binary digits behind the pixel.
_SUBPIXEL_BITS = 4


@dataclass(frozen=True)
class Box:
    """A rectangle in any direction: centre, length and width in metres, `angle` of the length in radians."""

    x: float
    y: float
    length: float
    width: float
    angle: float

    def corners(self, grow_m: float = 0.0) -> Points:
        """(4, 2) corners, the rectangle widened by `grow_m` on each side."""
        half_u, half_v = self.length / 2 + grow_m, self.width / 2 + grow_m
        return self.at(np.array([[-half_u, -half_v], [half_u, -half_v], [half_u, half_v], [-half_u, half_v]]))

    def point(self, u: float, v: float) -> tuple[float, float]:
        """Scene place of one point given along and across the rectangle, from its centre."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return self.x + u * cos - v * sin, self.y + u * sin + v * cos

    def holds(self, x: float, y: float) -> bool:
        """Whether a scene place lies in the rectangle."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        dx, dy = x - self.x, y - self.y
        return abs(dx * cos + dy * sin) <= self.length / 2 and abs(dy * cos - dx * sin) <= self.width / 2

    def at(self, uv: Points) -> Points:
        """Scene places of points given along and across the rectangle, from its centre."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        turned = uv @ np.array([[cos, sin], [-sin, cos]])
        return np.asarray(turned + np.array([self.x, self.y]), dtype=np.float64)


@dataclass
class Canvas:
    """The planes of a scene, all (H, W): what is there and how high, before light falls on it.

    `albedo` uint8 RGB; `surface` codes of `Surface`; `structure_id` int32, 0 = none; `material` indexes the
    table of `light`; `height` in steps of HEIGHT_STEP_M above the ground.
    """

    gsd_m: float
    albedo: U8
    surface: U8
    structure_id: I32
    material: U8
    height: U8

    @classmethod
    def blank(cls, height_px: int, width_px: int, gsd_m: float) -> Canvas:
        """An empty sheet: grey paving all over, no structures."""
        shape = height_px, width_px
        surface = np.full(shape, Surface.PAVED, np.uint8)
        albedo = np.full((*shape, 3), 150, np.uint8)
        material, height = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        return cls(gsd_m, albedo, surface, np.zeros(shape, np.int32), material, height)

    def copy(self) -> Canvas:
        """A sheet of its own with the same content."""
        return Canvas(
            self.gsd_m,
            self.albedo.copy(),
            self.surface.copy(),
            self.structure_id.copy(),
            self.material.copy(),
            self.height.copy(),
        )

    def stamp(self, outline: Points, pad_m: float = 0.0) -> Stamp | None:
        """The part of the sheet around `outline`; None where it lies outside."""
        left, top = np.floor((outline.min(axis=0) - pad_m) / self.gsd_m).astype(int)
        right, bottom = np.ceil((outline.max(axis=0) + pad_m) / self.gsd_m).astype(int)
        height, width = self.surface.shape
        left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
        if right <= left or bottom <= top:
            return None
        return Stamp(self, int(left), int(top), int(right - left), int(bottom - top))


@dataclass(frozen=True)
class Stamp:
    """A rectangle of a canvas that one object is drawn into."""

    canvas: Canvas
    left: int
    top: int
    width: int
    height: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices into the planes."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.height, self.width

    @property
    def gsd_m(self) -> float:
        """Metres per pixel."""
        return self.canvas.gsd_m

    def pixels(self, points: Points) -> I32:
        """Points in this stamp's fixed-point pixel coordinates, as OpenCV draws them with `shift`."""
        centred = points / self.gsd_m - 0.5 - (self.left, self.top)
        return np.round(centred * (1 << _SUBPIXEL_BITS)).astype(np.int32)

    def fill(self, *outlines: Points) -> U8:
        """1 inside the outlines (their union), 0 outside."""
        mask = np.zeros(self.shape, np.uint8)
        for outline in outlines:
            cv2.fillPoly(mask, [self.pixels(outline)], 1, shift=_SUBPIXEL_BITS)
        return mask

    def line(self, mask: U8, path: Points, width_m: float, value: int = 255) -> None:
        """Draw a path of `width_m` (at least one pixel) into `mask`."""
        thick = max(1, round(width_m / self.gsd_m))
        cv2.polylines(mask, [self.pixels(path)], False, value, thick, shift=_SUBPIXEL_BITS)

    def uv(self, box: Box) -> tuple[F32, F32]:
        """Metres along and across `box` from its centre, for each pixel's centre."""
        xs = ((np.arange(self.width, dtype=np.float32) + self.left + 0.5) * self.gsd_m - box.x).astype(np.float32)
        ys = ((np.arange(self.height, dtype=np.float32) + self.top + 0.5) * self.gsd_m - box.y).astype(np.float32)
        cos, sin = np.float32(math.cos(box.angle)), np.float32(math.sin(box.angle))
        return xs[None, :] * cos + ys[:, None] * sin, ys[:, None] * cos - xs[None, :] * sin

    def put(
        self,
        mask: U8,
        rgb: U8 | None = None,
        surface: Surface | None = None,
        material: int | U8 | None = None,
        height: int | U8 | None = None,
        structure_id: int | None = None,
    ) -> None:
        """Write the given planes where `mask` is 1; planes that are not named stay."""
        canvas, where = self.canvas, mask.view(np.bool_)
        if rgb is not None:
            cv2.copyTo(rgb, mask, canvas.albedo[self.slices])
        for plane, value in ((canvas.surface, surface), (canvas.material, material), (canvas.height, height)):
            if isinstance(value, np.ndarray):
                cv2.copyTo(value, mask, plane[self.slices])
            elif value is not None:
                np.copyto(plane[self.slices], np.uint8(value), where=where)
        if structure_id is not None:
            np.copyto(canvas.structure_id[self.slices], np.int32(structure_id), where=where)

    def noise(self, name: str, seed: int) -> F32:
        """Noise of mean 0 and deviation 1 in this stamp's shape; equal seeds give equal noise at equal places."""
        bank = _noise_bank()[name]
        size = bank.shape[0] // 2
        top, left = (self.top + seed * 131) % size, (self.left + seed * 197) % size
        if self.height <= size and self.width <= size:
            return bank[top : top + self.height, left : left + self.width]
        rows = np.arange(top, top + self.height) % size
        cols = np.arange(left, left + self.width) % size
        return np.asarray(bank[np.ix_(rows, cols)], np.float32)


def steps(height_m: float) -> int:
    """A height in metres as steps of the height plane."""
    return min(255, max(0, round(height_m / HEIGHT_STEP_M)))


def to_bytes(values: F32) -> U8:
    """Float values clipped to 0..255 as bytes."""
    return np.asarray(cv2.convertScaleAbs(np.maximum(values, 0)), np.uint8)


def tinted(colour: Colour, tone: F32) -> U8:
    """(H, W, 3) one colour brightened and darkened by `tone` (1 = as it is)."""
    return np.asarray(cv2.merge([to_bytes(tone * np.float32(part)) for part in colour]), np.uint8)


def mixed(first: Colour, second: Colour, share: F32, tone: F32) -> U8:
    """(H, W, 3) two colours mixed by `share` of the second (0..1), brightened and darkened by `tone`."""
    planes = [to_bytes((np.float32(b - a) * share + np.float32(a)) * tone) for a, b in zip(first, second, strict=True)]
    return np.asarray(cv2.merge(planes), np.uint8)


#: Period of the noise in pixels; 300 m at 0.3 m, longer than a block, so that repetition is not seen.
_NOISE_SIZE = 1024

#: Correlation lengths in pixels of each kind of noise (several octaves are added up).
_NOISE_SIGMAS = {"fine": (0.5,), "grain": (1.2, 2.5), "patchy": (4.0, 9.0, 20.0), "broad": (30.0, 70.0)}


@lru_cache(maxsize=1)
def _noise_bank() -> dict[str, F32]:
    """Noise that repeats without a seam, each kind laid out 2 × 2 so that any window is one slice."""
    rng = np.random.default_rng(20230510)
    return {name: np.tile(_octaves(rng, sigmas), (2, 2)) for name, sigmas in _NOISE_SIGMAS.items()}


def _octaves(rng: np.random.Generator, sigmas: tuple[float, ...]) -> F32:
    frequency = np.fft.fftfreq(_NOISE_SIZE)[:, None] ** 2 + np.fft.rfftfreq(_NOISE_SIZE)[None, :] ** 2
    total = np.zeros((_NOISE_SIZE, _NOISE_SIZE))
    for sigma in sigmas:
        white = np.fft.rfft2(rng.standard_normal(total.shape))
        octave = np.fft.irfft2(white * np.exp(-2 * (math.pi * sigma) ** 2 * frequency), s=total.shape)
        total += octave / octave.std()
    return np.asarray((total - total.mean()) / total.std(), np.float32)
