"""Blocks of the earlier epoch looked for in the later one, each with its map of scores by shift.

Around the peak the maps are sampled finely from their spectra (Guizar-Sicairos et al. 2008).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.imagery.alignment.peaks import FINE_STEP, Maps, Points
from cvpipe.imagery.alignment.scores import (
    BLOCK,
    HALVES,
    REACH,
    Complex,
    block_corners,
    block_spectra,
    edge_gradients,
    low_pass,
    thinned_valid,
    transformed,
    widened,
)
from cvpipe.imagery.bending import Controls, bend_at
from cvpipe.imagery.reading import Patch

#: Largest shift in pixels along x and y that is answered. Orthophotos of one place differ by a few pixels; one that
#: is off by tens is for its supplier to mend.
MAX_SHIFT_PX = 16

#: Scores count up to this many standard deviations: one block alone proves nothing.
MAX_SCORE = 6.0

#: How far from a block's place its fine map reaches, in samples.
FINE_REACH = 2.5

#: Blocks whose highest score of all lies within this many samples of the field agree with it.
AGREEMENT = 2.0


@dataclass(frozen=True)
class Field:
    """A shift (x, y) in samples at the picture's centre, and its growth per sample: rows for x and y (2, 2).

    `bend` is added to them, in samples, over a picture of `size` (width, height) samples.
    """

    shift: NDArray[np.float64]
    growth: NDArray[np.float64]
    bend: Controls | None = None
    size: tuple[int, int] = (1, 1)

    @classmethod
    def turned(cls, degrees: float) -> Field:
        """A small turn about the centre."""
        sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
        return cls(np.zeros(2), np.array([[cosine - 1, -sine], [sine, cosine - 1]]))

    def at(self, places: Points) -> Points:
        """The shift at places (n, 2) that are counted from the picture's centre."""
        even = np.asarray(self.shift + places @ self.growth.T)
        return even if self.bend is None else even + bend_at(self.bend, places / self.size + 0.5)


@dataclass(frozen=True)
class Blocks:
    """Blocks of the earlier epoch looked for in the later one; all lengths in samples of `step` pixels.

    `spectra` (n, 64, 64) are the Fourier transforms of their scores, `maps` (n, 65, 65) the scores at shifts of half
    samples up to 16, in standard deviations of the map; `centres` (n, 2) are counted from the picture's centre. Of
    blocks that overlap only so many count as `independent`. `size` is the picture's width and height.
    """

    spectra: Complex
    maps: Maps
    centres: Points
    independent: float
    step: int
    size: tuple[int, int]

    @classmethod
    def of(cls, before: Patch, after: Patch, step: int) -> Blocks | None:
        """None where the pictures are too small or share too little ground."""
        height, width = (length // step for length in before.grid.shape)
        if min(height, width) <= 2 * MAX_SHIFT_PX // step or min(height, width) < BLOCK:
            return None
        corners, independent = block_corners(height, width, thinned_valid(before.valid & after.valid, step))
        if not corners:
            return None
        spectra = block_spectra(edge_gradients(before, step), edge_gradients(after, step), corners) * low_pass()
        side = HALVES * 2 * REACH + 1
        maps = np.stack([transformed(widened(one), cv2.DFT_INVERSE).real[:side, :side] for one in spectra])
        spread = maps.std(axis=(1, 2), keepdims=True) + 1e-12
        scores = (maps - maps.mean(axis=(1, 2), keepdims=True)) / spread
        centres = np.array([(col + BLOCK / 2 - width / 2, row + BLOCK / 2 - height / 2) for row, col in corners])
        return cls(spectra / spread, scores.astype(np.float32), centres, independent, step, (width, height))

    def votes(self, field: Field) -> NDArray[np.float64]:
        """The sum of all maps, each moved by the field, for shifts up to 16 px in half samples.

        In spreads of what unrelated blocks would give.
        """
        reach = HALVES * MAX_SHIFT_PX // self.step
        size, side = 2 * reach + 1, self.maps.shape[2]
        total = np.zeros((size, size), np.float32)
        starts = HALVES * REACH - reach + np.rint(HALVES * field.at(self.centres)).astype(int)
        for one, (col, row) in zip(np.clip(self.maps, -MAX_SCORE, MAX_SCORE), starts.tolist(), strict=True):
            top, bottom, left, right = max(row, 0), min(row + size, side), max(col, 0), min(col + size, side)
            if top < bottom and left < right:
                total[top - row : bottom - row, left - col : right - col] += one[top:bottom, left:right]
        return np.asarray(total * (math.sqrt(self.independent) / len(self.maps)), np.float64)

    def agrees(self, field: Field) -> NDArray[np.bool_]:
        """Of each block whether its highest score of all lies where the field says."""
        side = self.maps.shape[2]
        flat = self.maps.reshape(len(self.maps), -1).argmax(axis=1)
        own = np.column_stack([flat % side, flat // side]) / HALVES - REACH
        return np.asarray(np.hypot(*(own - field.at(self.centres)).T) <= AGREEMENT)

    def agreeing(self, field: Field) -> Blocks:
        """The blocks that agree with the field."""
        return self.only(self.agrees(field))

    def only(self, keep: NDArray[np.bool_]) -> Blocks:
        """The kept blocks."""
        share = self.independent * float(keep.mean())
        return replace(
            self, spectra=self.spectra[keep], maps=self.maps[keep], centres=self.centres[keep], independent=share
        )

    def scores_at(self, field: Field) -> NDArray[np.float64]:
        """Of each block the score (n,) at its place in the field: the middle of `fine_maps`."""
        across, down = self._phases(field)
        return np.asarray(np.einsum("nij,ni,nj->n", self.spectra, down, across).real, np.float64)

    def fine_maps(self, field: Field) -> Maps:
        """Scores (n, 21, 21) around each block's place in the field, in steps of `FINE_STEP`."""
        across, down = self._phases(field)
        waves = _waves()
        moved = self.spectra * down[:, :, None] * across[:, None, :]
        return np.asarray((waves @ moved @ waves.T).real, np.float32)

    def _phases(self, field: Field) -> tuple[Complex, Complex]:
        """What moves each block's spectrum to its place in the field, along x and along y (n, 64)."""
        frequencies = np.fft.fftfreq(BLOCK + 2 * REACH)
        across, down = (
            np.exp(2j * np.pi * np.outer(line + REACH, frequencies)).astype(np.complex64)
            for line in field.at(self.centres).T
        )
        return across, down


@lru_cache(maxsize=1)
def _waves() -> Complex:
    """Fourier sums (shifts, frequencies) of the fine maps."""
    shifts = np.arange(-FINE_REACH, FINE_REACH + FINE_STEP / 2, FINE_STEP)
    return np.exp(2j * np.pi * np.outer(shifts, np.fft.fftfreq(BLOCK + 2 * REACH))).astype(np.complex64)
