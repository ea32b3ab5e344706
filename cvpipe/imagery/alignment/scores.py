"""What pairs of blocks say of each other: edges correlated at all shifts.

The epochs are compared by their grey gradients, once as they are and once squared, so that dark on bright equals bright
on dark (Fitch et al. 2002, Orientation correlation; Tzimiropoulos et al. 2010, Subpixel registration with gradient
correlation). All lengths are in samples.
"""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.imagery.reading import Patch

#: Side in samples of a block, and how far around its place it is looked for: together they make transforms of 64 x 64.
#: In samples of 2 x 2 pixels the reach holds a shift of 16 px and a turn of 1.5° of a picture of 1,024 px.
BLOCK = 32
REACH = 16

#: Blocks along a line at most: 64 of them take 15 ms, and more add no precision.
MAX_BLOCKS_A_LINE = 8

#: Smoothing in samples before the gradient (standard deviation): evens out noise and unequal blur of the two epochs.
SMOOTHING = 0.7

#: Radius in pixels within which gradients are set to equal strength, and the grey levels per sample (in units of the
#: 3 x 3 Sobel sum) below which they count as noise.
EVENNESS_PX = 16.0
NOISE_GRADIENT = 24.0

#: Smoothing of the maps of scores in samples (standard deviation). Leaning houses, relief and grown trees spread the
#: peak; a narrower one jumps between its parts when the light changes. Of 45 epochs of seven sensors with a known shift
#: on top and enough evidence, 89 % came back within 0.3 px, against 81 % of 47 with a standard deviation of 0.7.
BLUR = 1.2

#: Squared gradients weigh this much more than plain ones, so that ground whose contrast is reversed is found as well.
SQUARES_WEIGHT = 1.5

#: A block needs this share of samples that are valid in both epochs.
MIN_VALID_SHARE = 0.5

#: Maps are sampled at this part of a sample for the votes.
HALVES = 2

Complex = NDArray[np.complex64]

Corner = tuple[int, int]
"""Row and column of a block's upper left sample."""


def block_spectra(before: list[Complex], after: list[Complex], corners: list[Corner]) -> Complex:
    """The correlation of each block's gradients and squares, normalised, weighted and added, as spectra (n, 64, 64)."""
    side = BLOCK + 2 * REACH
    spectra = np.zeros((len(corners), side, side), np.complex64)
    block = np.zeros((side, side), np.complex64)
    for one, other, share in zip(before, after, (1.0, SQUARES_WEIGHT), strict=True):
        framed = np.pad(other, REACH)
        for total, (row, col) in zip(spectra, corners, strict=True):
            block[:BLOCK, :BLOCK] = one[row : row + BLOCK, col : col + BLOCK]
            around = np.ascontiguousarray(framed[row : row + side, col : col + side])
            norm = math.sqrt(np.vdot(block, block).real * np.vdot(around, around).real) + 1e-9
            total += np.conj(transformed(block)) * transformed(around) * np.float32(share / norm)
    return spectra


def transformed(samples: Complex, flags: int = 0) -> Complex:
    """Fourier transform (H, W) by cv2, which takes an eighth of numpy's time for so small a one."""
    height, width = samples.shape
    pairs = cv2.dft(samples.view(np.float32).reshape(height, width, 2), flags=flags)
    return np.asarray(pairs, np.float32).view(np.complex64)[:, :, 0]


def widened(spectrum: Complex) -> Complex:
    """The spectrum with higher frequencies that hold nothing: its picture has samples half as far apart."""
    size, half = len(spectrum), len(spectrum) // 2
    wide = np.zeros((HALVES * size, HALVES * size), np.complex64)
    low = np.r_[0:half, HALVES * size - half : HALVES * size]
    wide[np.ix_(low, low)] = spectrum
    return wide


def block_corners(height: int, width: int, valid: NDArray[np.bool_]) -> tuple[list[Corner], float]:
    """Row and column of each block with enough valid ground, spread over the picture, and how many are independent."""
    rows, cols = _spread(height), _spread(width)
    corners = [
        (row, col)
        for row in rows
        for col in cols
        if valid[row : row + BLOCK, col : col + BLOCK].mean() >= MIN_VALID_SHARE
    ]
    return corners, len(corners) * _apart(rows) * _apart(cols)


def _apart(starts: list[int]) -> float:
    """How far blocks along a line lie apart, as a share of their side, at most 1."""
    return min((starts[-1] - starts[0]) / (len(starts) - 1) / BLOCK, 1.0) if len(starts) > 1 else 1.0


def _spread(length: int) -> list[int]:
    """Starts of blocks along a line, overlapping by half where there is room for few."""
    count = min(max((length - BLOCK) // (BLOCK // 2) + 1, 1), MAX_BLOCKS_A_LINE)
    return sorted({round(v) for v in np.linspace(0, length - BLOCK, count)})


def edge_gradients(patch: Patch, step: int) -> list[Complex]:
    """Grey gradients x + iy (H, W) in samples, and their squares; as strong as they stand out of their surroundings.

    Zero beside invalid pixels.
    """
    grey = _thinned(np.asarray(cv2.cvtColor(patch.pixels, cv2.COLOR_RGB2GRAY), np.float32), step)
    smooth = cv2.GaussianBlur(grey, (0, 0), SMOOTHING)
    dx, dy = (cv2.Sobel(smooth, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    # not cv2.magnitude: its last digit hangs on where in memory the arrays lie, and so would every shift
    strength = np.sqrt(np.square(dx) + np.square(dy), dtype=np.float32)
    around = np.asarray(cv2.GaussianBlur(strength, (0, 0), EVENNESS_PX / step)) + np.float32(NOISE_GRADIENT)
    if not patch.valid.all():
        rim = 2 * math.ceil(3 * SMOOTHING) + 3
        valid = thinned_valid(patch.valid, step).astype(np.uint8)
        around[np.asarray(cv2.erode(valid, np.ones((rim, rim), np.uint8))) == 0] = np.inf
    gradients = np.asarray(dx) + np.complex64(1j) * np.asarray(dy)
    return [gradients / around, gradients * gradients / ((strength + np.float32(1e-6)) * around)]


def _thinned(field: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Means of `step` x `step` pixels; what is left over at the right and lower edge is cut off."""
    if step == 1:
        return field
    height, width = (length // step for length in field.shape)
    even = field[: height * step, : width * step]
    return np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def thinned_valid(valid: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    return np.asarray(_thinned(valid.astype(np.float32), step) > 0.99)


@lru_cache(maxsize=1)
def low_pass() -> NDArray[np.float32]:
    """What smooths a map of scores by `BLUR`, by frequency."""
    frequencies = np.fft.fftfreq(BLOCK + 2 * REACH)
    squares = frequencies[:, None] ** 2 + frequencies[None, :] ** 2
    return np.exp(-2 * (np.pi * BLUR) ** 2 * squares).astype(np.float32)
