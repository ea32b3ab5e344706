"""How far the later epoch lies off the earlier one, to a fraction of a pixel.

Edges stay where light, season and blur change everything else, so the epochs are compared by their grey gradients:
once as they are, once squared, so that dark on bright equals bright on dark. Both fields are correlated by FFT
(Fitch et al. 2002, Orientation correlation; Tzimiropoulos et al. 2010, Subpixel registration with gradient
correlation). Every window of the patch votes with a map of equal weight, so a changed part does not decide; the peak
of the vote is then sampled finely by a Fourier sum (Guizar-Sicairos et al. 2008). How high it stands, whether it stays
when rows and columns of windows are left out, and how many windows have their own peak there make the confidence.

Products of matrices are left to cv2: numpy would start threads for them, which take longer than so small a product.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.domain import Registration
from cvpipe.imagery.reading import Patch

#: Largest shift in pixels along x and y that is searched for. Orthophotos of one place differ by a few pixels; one
#: that is off by tens is for its supplier to mend.
MAX_SHIFT_PX = 16

#: Sides in pixels of the windows that vote: the first that fits 1.5 times into the patch. They overlap by half, since
#: their taper leaves little of their rims, up to three along a line: more cost time and add no precision.
WINDOW_SIZES_PX = (512, 256, 128, 64)
MAX_WINDOWS_A_LINE = 3

#: Smoothing before the gradient, pixels (standard deviation): evens out noise and unequal blur of the two epochs.
SMOOTHING_PX = 2.0

#: Windows of this size are correlated in samples of 2 x 2 pixels, which costs a quarter: the smoothing leaves less than
#: 1 % above the frequencies that such samples carry (0.25 cycles per pixel). Smaller windows need all they have.
THINNED_SIZE_PX = 512

#: Radius in pixels within which gradients are set to equal strength, and the grey levels per pixel (in units of the
#: 3 x 3 Sobel sum) below which they count as noise.
EVENNESS_PX = 16.0
NOISE_GRADIENT = 4.0

#: The cross spectrum is divided by its modulus to this power: 0 is plain, 1 phase correlation. On real pairs of aerial
#: epochs with known shifts on top, 88 % of the peaks came back with a half, 46 % with 1.
WHITENING = 0.5

#: A window needs this share of pixels that are valid in both epochs.
MIN_VALID_SHARE = 0.5

#: Step in pixels of the finely sampled peak, and how far around the coarse one it is sampled. A paraboloid through
#: the highest sample and its neighbours gives the rest: nothing in the map is narrower than 4 px.
FINE_STEP_PX = 0.25
FINE_REACH_PX = 2.0

#: Windows agree whose own peak lies within this many pixels of the common one, and this share of their weight is full
#: agreement: on real epochs leaning buildings and changed parts pull the rest elsewhere.
AGREEMENT_PX = 1.0
FULL_AGREEMENT = 0.5

#: The vote stays where it was, with windows left out, within this many pixels.
STABLE_PX = 1.5

#: The vote's peak in standard deviations of its map: unrelated pictures reach the first, the second leaves no doubt.
PEAK_RANGE = (2.5, 5.5)

#: Below this confidence the shift is reported as (0, 0): a wrong correction is worse than none. Of 21 real pairs with
#: known shifts on top, those above it came back within 0.35 px (median 0.07).
MIN_CONFIDENCE = 0.35

_NOT_FOUND = Registration((0.0, 0.0), math.inf, 0.0)

Complex = NDArray[np.complex64]

Map = NDArray[np.float32]
"""Numbers by pixel, sample or shift; rows = y."""

Corner = tuple[int, int]
"""Row and column of a window's upper left sample."""


def estimate_registration(before: Patch, after: Patch) -> Registration:
    """How far `after` lies to the right of and below `before`, both on the same grid, in its pixels.

    Reading the later scene on `grid.shifted(*shift_px)` brings its content back onto the earlier one. Shifts up to
    15 px are found. With too little common ground, or windows that do not agree, the shift is (0, 0), the residual
    infinite, and the confidence below `MIN_CONFIDENCE`.
    """
    assert before.grid == after.grid, "both epochs must lie on one grid"
    if min(before.grid.shape) <= 2 * MAX_SHIFT_PX:  # shifts would run into each other around its ends
        return _NOT_FOUND
    pair = _Pair.of(before, after)
    corners = list(pair.windows())
    if not corners:
        return _NOT_FOUND
    votes = np.stack([pair.vote(corner) for corner in corners])
    row, col = _peak(votes.mean(axis=0))
    coarse = col - MAX_SHIFT_PX, row - MAX_SHIFT_PX
    if MAX_SHIFT_PX in map(abs, coarse):  # the true peak lies further out
        return _NOT_FOUND
    fine = np.stack([pair.fine_map(corner, coarse) for corner in corners])
    shift, residual, agreement = _fine_shift(fine, coarse)
    confidence = round(_distinctness(votes.mean(axis=0)) * _stability(votes, corners) * agreement, 3)
    if confidence < MIN_CONFIDENCE:
        return Registration((0.0, 0.0), math.inf, confidence)
    return Registration(shift, residual, confidence)


@dataclass(frozen=True)
class _Field:
    """Gradients x + iy of one epoch and their squares, complex64 (H, W), in samples of `step` pixels.

    Both are as strong as the gradients stand out from their surroundings, and zero beside invalid pixels. The squares
    have no sign.
    """

    gradients: Complex
    squares: Complex

    @classmethod
    def of(cls, patch: Patch, step: int) -> _Field:
        dx, dy = _gradients(patch)
        strength = np.asarray(cv2.magnitude(dx, dy), np.float32)
        around = _surroundings(_thinned(strength, step), patch.valid, step)
        strength += np.float32(1e-6)
        parts = dx, dy, (dx * dx - dy * dy) / strength, 2 * dx * dy / strength
        real, imaginary, *squares = (_thinned(np.asarray(part, np.float32), step) / around for part in parts)
        return cls(_unpaired(cv2.merge((real, imaginary))), _unpaired(cv2.merge(squares)))

    def spectra(self, corner: Corner, size: int) -> Iterator[Complex]:
        """Fourier transforms of a tapered window of the gradients and of their squares."""
        for field in (self.gradients, self.squares):
            window = _cut(field, corner, size)
            window *= _hann(size)
            yield _unpaired(cv2.dft(_pairs(window)))


@dataclass(frozen=True)
class _Pair:
    """Both epochs' fields, where both are valid (H, W), and the windows' `size`; all in samples of `step` pixels."""

    before: _Field
    after: _Field
    valid: NDArray[np.bool_]
    size: int
    step: int

    @classmethod
    def of(cls, before: Patch, after: Patch) -> _Pair:
        shortest = min(before.grid.shape)
        size = next((s for s in WINDOW_SIZES_PX if shortest >= 1.5 * s), shortest)
        step = 2 if size >= THINNED_SIZE_PX else 1
        valid = _thinned((before.valid & after.valid).astype(np.float32), step) > 0
        return cls(_Field.of(before, step), _Field.of(after, step), valid, size // step, step)

    def windows(self) -> Iterator[Corner]:
        """Each window with enough valid ground, spread over the patch."""
        height, width = self.valid.shape
        for row in _spread(height, self.size):
            for col in _spread(width, self.size):
                if self.valid[row : row + self.size, col : col + self.size].mean() >= MIN_VALID_SHARE:
                    yield row, col

    def vote(self, corner: Corner) -> Map:
        """One window's correlation for shifts of -16..16 px, float32 (33, 33), in standard deviations of the map."""
        scores = []
        for product, _ in self._cross_spectra(corner, (0, 0)):
            surface = _correlation(_whitened(product), self.step)
            scores.append((surface - surface.mean()) / (surface.std() + 1e-9))
        return np.asarray(np.mean(scores, axis=0), np.float32)

    def fine_map(self, corner: Corner, shift: tuple[int, int]) -> Map:
        """One window's normalised correlation (0..1) around a coarse `shift` (x, y), in steps of `FINE_STEP_PX`."""
        samples = round(shift[0] / self.step), round(shift[1] / self.step)
        total = np.zeros((self.size, self.size), np.complex64)
        for product, norm in self._cross_spectra(corner, samples):
            total += product / np.float32(2 * norm + 1e-9)
        rest = shift[0] - self.step * samples[0], shift[1] - self.step * samples[1]
        return _fine_correlation(total, rest, self.step)

    def _cross_spectra(self, corner: Corner, samples: tuple[int, int]) -> Iterator[tuple[Complex, float]]:
        """Of gradients and squares: the product of the windows' spectra, that of `after` moved by `samples` (x, y),
        and of their norms."""
        moved = corner[0] + samples[1], corner[1] + samples[0]
        for one, other in zip(
            self.before.spectra(corner, self.size), self.after.spectra(moved, self.size), strict=True
        ):
            yield np.conj(one) * other, float(np.linalg.norm(one) * np.linalg.norm(other))


def _gradients(patch: Patch) -> tuple[Map, Map]:
    """Grey gradients along x and y of every pixel."""
    grey = cv2.cvtColor(patch.pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    smooth = cv2.GaussianBlur(grey, (0, 0), SMOOTHING_PX)
    dx, dy = (cv2.Sobel(smooth, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    return np.asarray(dx, np.float32), np.asarray(dy, np.float32)


def _surroundings(strength: Map, valid: NDArray[np.bool_], step: int) -> Map:
    """What the gradients of each sample are divided by, from their `strength`; infinite beside invalid pixels."""
    around = cv2.GaussianBlur(strength, (0, 0), EVENNESS_PX / step) + np.float32(NOISE_GRADIENT)
    if not valid.all():
        rim = 2 * int(3 * SMOOTHING_PX) + 1
        inner = cv2.erode(valid.astype(np.float32), np.ones((rim, rim), np.uint8))
        around[_thinned(np.asarray(inner, np.float32), step) < 1] = np.inf
    return around


def _thinned(field: Map, step: int) -> Map:
    """Means of `step` x `step` pixels; what is left over at the right and lower edge is cut off."""
    if step == 1:
        return field
    height, width = (length // step for length in field.shape)
    even = field[: height * step, : width * step]
    return np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _pairs(field: Complex) -> Map:
    """Complex numbers as cv2 takes them, float32 (H, W, 2)."""
    return np.ascontiguousarray(field).view(np.float32).reshape(*field.shape, 2)


def _unpaired(pairs: cv2.typing.MatLike) -> Complex:
    return np.ascontiguousarray(pairs).view(np.complex64)[:, :, 0]


def _whitened(product: Complex) -> Complex:
    """A cross spectrum divided by its modulus to the power of `WHITENING`."""
    power = product.real**2 + product.imag**2
    return product / (np.asarray(cv2.pow(power, WHITENING / 2)) + np.float32(1e-9))


def _correlation(product: Complex, step: int) -> Map:
    """The correlation that a cross spectrum stands for, at shifts of -16..16 whole pixels, (33, 33)."""
    side = len(product) * step
    reach = np.arange(-MAX_SHIFT_PX, MAX_SHIFT_PX + 1) % side
    return _unpaired(cv2.dft(_pairs(_widened(product, side)), flags=cv2.DFT_INVERSE)).real[np.ix_(reach, reach)]


def _widened(spectrum: Complex, side: int) -> Complex:
    """The spectrum with higher frequencies that hold nothing, (side, side): its picture becomes finer."""
    size = len(spectrum)
    if size == side:
        return spectrum
    low = np.fft.fftfreq(size, 1 / size).astype(int) % side
    out = np.zeros((side, side), np.complex64)
    out[np.ix_(low, low)] = spectrum
    return out


def _fine_correlation(product: Complex, middle: tuple[int, int], step: int) -> Map:
    """The correlation that a cross spectrum stands for, around a shift of `middle` (x, y) pixels."""
    across, down = (_waves(len(product), shift, step) for shift in middle)
    nothing = np.empty((0, 0), np.float32)  # to be added to the product
    lines = cv2.gemm(down, _pairs(product), 1, nothing, 0)
    return _unpaired(cv2.gemm(lines, across, 1, nothing, 0, flags=cv2.GEMM_2_T)).real


@lru_cache(maxsize=32)
def _waves(size: int, middle: int, step: int) -> Map:
    """Fourier sums as a matrix (shifts, frequencies, 2) for spectra of `size` samples of `step` pixels."""
    shifts = middle + np.arange(-FINE_REACH_PX, FINE_REACH_PX + FINE_STEP_PX / 2, FINE_STEP_PX)
    waves = np.exp(2j * np.pi * np.outer(shifts, np.fft.fftfreq(size, step)))
    return _pairs(waves.astype(np.complex64))


def _peak(surface: Map) -> tuple[int, int]:
    """Row and column of the highest point."""
    row, col = np.unravel_index(int(surface.argmax()), surface.shape)
    return int(row), int(col)


def _summit(surface: Map) -> tuple[float, float]:
    """Row and column of the highest point, between the samples: where the paraboloid around the highest one peaks."""
    row, col = _peak(surface)
    if not (0 < row < surface.shape[0] - 1 and 0 < col < surface.shape[1] - 1):
        return row, col
    (nw, n, ne), (w, top, e), (sw, s, se) = surface[row - 1 : row + 2, col - 1 : col + 2].astype(np.float64)
    down, across, both = n + s - 2 * top, w + e - 2 * top, (nw + se - ne - sw) / 4
    slope_down, slope_across, bend = (s - n) / 2, (e - w) / 2, down * across - both**2
    if bend <= 0:
        return row, col
    off = (both * slope_across - across * slope_down) / bend, (both * slope_down - down * slope_across) / bend
    return row + float(np.clip(off[0], -1, 1)), col + float(np.clip(off[1], -1, 1))


def _fine_shift(fine: NDArray[np.float32], coarse: tuple[int, int]) -> tuple[tuple[float, float], float, float]:
    """Shift (x, y), residual and agreement (0..1) of the windows' fine maps (n, k, k)."""
    row, col = _summit(fine.mean(axis=0))
    shift = coarse[0] + col * FINE_STEP_PX - FINE_REACH_PX, coarse[1] + row * FINE_STEP_PX - FINE_REACH_PX
    own = np.array([_summit(surface) for surface in fine])
    off = np.hypot(*(own - (row, col)).T) * FINE_STEP_PX
    weights = np.maximum(fine.max(axis=(1, 2)), 1e-6) ** 2
    near = off <= AGREEMENT_PX
    if not near.any():
        return shift, math.inf, 0.0
    residual = float(np.sqrt(np.average(off[near] ** 2, weights=weights[near])))
    return shift, residual, min(float(weights[near].sum() / weights.sum()) / FULL_AGREEMENT, 1.0)


def _distinctness(vote: Map) -> float:
    """0..1: how far the vote's peak stands out of its map."""
    height = float((vote.max() - vote.mean()) / (vote.std() + 1e-9))
    return float(np.clip((height - PEAK_RANGE[0]) / (PEAK_RANGE[1] - PEAK_RANGE[0]), 0, 1))


def _stability(votes: NDArray[np.float32], corners: Sequence[Corner]) -> float:
    """Share of the votes without one row or column of windows that keep the peak; 1 for a single window."""
    peak = np.array(_peak(votes.mean(axis=0)))
    places = np.array(corners)
    kept = [places[:, axis] != line for axis in (0, 1) for line in np.unique(places[:, axis])]
    others = [np.array(_peak(votes[keep].mean(axis=0))) for keep in kept if keep.any()]
    return float(np.mean([np.hypot(*(other - peak)) <= STABLE_PX for other in others])) if others else 1.0


def _spread(length: int, size: int) -> list[int]:
    """Starts of windows along a line, overlapping by half where there is room for no more than three."""
    count = min(max(round(2 * length / size) - 1, 1), MAX_WINDOWS_A_LINE)
    return sorted({round(v) for v in np.linspace(0, length - size, count)})


def _cut(field: Complex, corner: Corner, size: int) -> Complex:
    """A window of `field`; zero where it reaches past the edge."""
    row, col = corner
    out = np.zeros((size, size), np.complex64)
    r0, c0 = max(row, 0), max(col, 0)
    part = field[r0 : row + size, c0 : col + size]
    out[r0 - row : r0 - row + part.shape[0], c0 - col : c0 - col + part.shape[1]] = part
    return out


@lru_cache(maxsize=8)
def _hann(size: int) -> NDArray[np.float32]:
    line = np.hanning(size + 2)[1:-1].astype(np.float32)
    return np.outer(line, line).astype(np.float32)
