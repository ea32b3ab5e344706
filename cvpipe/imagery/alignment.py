"""How far the later epoch lies off the earlier one, to a fraction of a pixel.

Edges stay where light, season and blur change everything else, so the epochs are compared by their grey gradients:
once as they are, once squared, so that dark on bright equals bright on dark (Fitch et al. 2002, Orientation
correlation; Tzimiropoulos et al. 2010, Subpixel registration with gradient correlation). The earlier epoch is cut
into blocks; each is looked for around its place in the later one, and votes with its map of scores, brought to mean 0
and spread 1. For small turns of the picture the maps are added up moved against each other.

Blocks of unrelated pictures vote at random: the sum of n maps then has the spread √n, whatever the pictures show. By
how many such spreads the peak stands out is the evidence, and changed ground, which votes at random, only lowers it
(the a-contrario argument of Desolneux, Moisan and Morel 2000). Around the peak the maps are sampled finely from their
spectra (Guizar-Sicairos et al. 2008), and a turn is tried in finer steps. Turns that the evidence does not tell from
the one that is answered are part of the residual.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray

from cvpipe.domain import Registration
from cvpipe.geo import Grid, transformer
from cvpipe.imagery.bending import CONTROLS, Controls, bend_at, bend_over, fitted
from cvpipe.imagery.reading import Patch

#: Largest shift in pixels along x and y that is answered. Orthophotos of one place differ by a few pixels; one that
#: is off by tens is for its supplier to mend.
MAX_SHIFT_PX = 16

#: Turns in degrees that are tried: the first list, then around the best of it. A quarter of a degree moves the edge of
#: a 512 px picture by 1 px, within reach of the fine maps. A scene that is turned further has a wrong georeference.
TURNS_DEG = (-1.5, -1.0, -0.5, 0.5, 1.0, 1.5)
TURN_STEP_DEG = 0.25

#: Pictures of this side and more are correlated in samples of 2 x 2 pixels, which costs a quarter.
THINNED_SIDE_PX = 192

#: Below this side pictures that are correlated in samples of 2 x 2 pixels have few blocks that overlap, and miss turns:
#: these are looked for in the pixels as well. Of 64 turned pictures of 256 px of four sensors all came back within
#: 0.3 px, against 48 % without. For the shift of real epochs the samples are steadier, and on pictures of 512 px the
#: pixels of real epochs showed turns that were none.
FINER_TURN_SIDE_PX = 384

#: A turn from the pixels counts where its shift lies this near to that of the samples, pixels; where the samples keep
#: this share of their own evidence with it (their votes are rounded to half samples); and, unless the blocks' own peaks
#: show it, where it has this much more evidence than none: real epochs that were not turned gained up to 3.9 %, turns
#: of 1° at least 7.6 %.
FINER_TURN_NEAR_PX = 4.0
FINER_TURN_EVIDENCE = 0.95
FINER_TURN_GAIN_SHARE = 0.06

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

#: Evidence, in spreads of what unrelated blocks vote at random: the first is what pictures of different places reach
#: (see `scripts/benchmark_alignment.py`, "strangers"), the second leaves no doubt.
EVIDENCE_RANGE = (4.0, 10.0)

#: A turn is taken only where it has this much more evidence than none, in spreads and as a share of it: between epochs
#: that were not turned the best of all turns gained up to 0.23 and 2.4 % (36 pairs of seven sensors). One that gains
#: less is not taken, and adds what it would move to the residual; so do turns whose evidence is as near to that of the
#: one that is taken.
MIN_TURN_GAIN = 0.3
MIN_TURN_GAIN_SHARE = 0.035

#: Steps in degrees in which a turn that was found is tried again.
FINE_TURN_DEG = 0.125

#: Rows of crops and roofs repeat, and woods look alike: the second highest peak, more than this many samples away, must
#: stay this far below, in spreads and as a share of the evidence.
RIVAL_DISTANCE = 3
MIN_RIVAL_GAP = 1.0
MIN_RIVAL_GAP_SHARE = 0.2

#: Below this confidence no shift is reported: a wrong correction is worse than none. It stands for 5.2 spreads;
#: pictures of different places reached 4.2 (106 pairs of six sensors).
MIN_CONFIDENCE = 0.2

#: Scores count up to this many standard deviations: one block alone proves nothing.
MAX_SCORE = 6.0

#: Maps are sampled at this part of a sample for the votes; step and reach in samples of the fine maps.
HALVES = 2
FINE_STEP = 0.25
FINE_REACH = 2.5

#: Blocks whose highest score of all lies within this many samples of the field agree with it; fewer than the second
#: number decide nothing.
AGREEMENT = 2.0
MIN_AGREEING = 3

#: A turn too small for the votes, or a stretch, is taken from the blocks' own peaks where it is this many times its
#: standard error, and that error moves the picture by no more than this (RMS, pixels); from at least so many parts and
#: blocks. Houses that lean and relief move whole parts of a picture: what they make of a turn is another one with each
#: light.
MIN_TURN_SIGMAS = 5.0
MAX_TURN_ERROR_PX = 0.1
MIN_TURN_PARTS = 6
MIN_TURN_BLOCKS = 12

#: A shift whose standard error is larger than this, pixels, is not known well enough to move a picture by. The error
#: tells how far parts of the ground lie from each other, not whether the answer is repeatable: of 36 pairs of seven
#: sensors with a known shift on top, those between 1 px and this came back within 1 px as well.
MAX_ERROR_PX = 2.0

#: What an answer is off, pixels, where parts of the ground do not differ: noise, blur and resampling. Of 504 pictures
#: with an exact truth (scripts/benchmark_alignment.py, `--places tune`) 97 % of each kind came back no worse than told.
OWN_ERROR_PX = 0.15

#: A bend is looked for between so many independent blocks at least (pictures of about 350 px and more). Each block's
#: map is averaged with its neighbours' (standard deviation in samples), which bends it less than it is; a second round
#: takes the rest.
MIN_BEND_BLOCKS = 25
BEND_POOL = 24.0
BEND_ROUNDS = 2

#: A bend is taken where blocks that had no part in it lie better on each other with it: by this share of their scores,
#: and by this many standard errors of that gain over nine parts of the picture. No pair of seven sensors that was moved
#: evenly got one; drawn bends of 3 px gain 2.9 to 25 % (see `tests/imagery/test_bends.py`). What moves no part of the
#: picture by more than the first of the limits would show nothing, in samples; what moves some by more than the second
#: is more than blocks that are looked at so near can tell.
MIN_BEND_GAIN = 0.028
MIN_BEND_SIGMAS = 2.5
BEND_LIMITS = (0.4, 2.5)

#: Rounds of least squares in which peaks beyond 1.5 times the median distance lose weight (Huber).
ROBUST_ROUNDS = 5

_NOT_FOUND = Registration((0.0, 0.0), math.inf, 0.0)

Complex = NDArray[np.complex64]

FloatArray = NDArray[np.floating[Any]]

Maps = NDArray[np.float32]
"""Scores by block and shift (n, rows = y, columns = x)."""

Corner = tuple[int, int]
"""Row and column of a block's upper left sample."""

Points = NDArray[np.float64]
"""x and y (n, 2), in samples."""


def estimate_registration(before: Patch, after: Patch) -> Registration:
    """How far `after` lies to the right of and below `before`, both on the same grid, in its pixels.

    Reading the later scene on `later_grid(grid, registration, grid)` brings its content back onto the earlier one.
    Shifts up to 15 px are found, with turns up to 1.5°; the registration has a drift where the blocks show one clearly.
    The residual is the standard error of the shift, how far it moves where parts of the picture are left out, what a
    turn that is in doubt would move, and what the method itself is off.
    With too little common ground, or blocks that do not agree, the shift is (0, 0), the residual infinite, and the
    confidence below `MIN_CONFIDENCE`.
    """
    assert before.grid == after.grid, "both epochs must lie on one grid"
    side = min(before.grid.shape)
    blocks = _Blocks.of(before, after, 2 if side >= THINNED_SIDE_PX else 1)
    if blocks is None:
        return _NOT_FOUND
    guess = _best_guess(blocks, MIN_TURN_GAIN_SHARE)
    if guess.confidence < MIN_CONFIDENCE:
        return Registration((0.0, 0.0), math.inf, guess.confidence)
    if THINNED_SIDE_PX <= side < FINER_TURN_SIDE_PX:
        guess = _with_finer_turn(blocks, guess, _Blocks.of(before, after, 1))
    answer = _refined(blocks, guess)
    if answer is None:
        return _NOT_FOUND
    field, error = answer[0], math.hypot(answer[1] * blocks.step, OWN_ERROR_PX)
    x, y = (field.shift * blocks.step).tolist()
    if max(abs(x), abs(y)) >= MAX_SHIFT_PX or error > MAX_ERROR_PX:
        return _NOT_FOUND
    across_x, down_x, across_y, down_y = field.growth.ravel().tolist()
    bend = () if field.bend is None else tuple((field.bend * blocks.step).ravel().tolist())
    return Registration((x, y), error, guess.confidence, (across_x, down_x, across_y, down_y), bend)


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


@dataclass(frozen=True)
class _Field:
    """A shift (x, y) in samples at the picture's centre, and its growth per sample: rows for x and y (2, 2).

    `bend` is added to them, in samples, over a picture of `size` (width, height) samples.
    """

    shift: NDArray[np.float64]
    growth: NDArray[np.float64]
    bend: Controls | None = None
    size: tuple[int, int] = (1, 1)

    @classmethod
    def turned(cls, degrees: float) -> _Field:
        """A small turn about the centre."""
        sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
        return cls(np.zeros(2), np.array([[cosine - 1, -sine], [sine, cosine - 1]]))

    def at(self, places: Points) -> Points:
        """The shift at places (n, 2) that are counted from the picture's centre."""
        even = np.asarray(self.shift + places @ self.growth.T)
        return even if self.bend is None else even + bend_at(self.bend, places / self.size + 0.5)


@dataclass(frozen=True)
class _Guess:
    """The field with the most evidence, and how sure it is (0..1).

    `doubt_deg` is how much further it may be turned: turns so far off have as much evidence, or nearly so. Where
    `turn_is_fine` the turn needs no search in finer steps.
    """

    field: _Field
    turn_deg: float
    evidence: float
    rival: float
    doubt_deg: float = 0.0
    turn_is_fine: bool = False

    @property
    def confidence(self) -> float:
        """0 where a rival is as good; else how far the evidence lies within its range."""
        low, high = EVIDENCE_RANGE
        if self.evidence - self.rival < max(MIN_RIVAL_GAP, MIN_RIVAL_GAP_SHARE * self.evidence):
            return 0.0
        return round(float(np.clip((self.evidence - low) / (high - low), 0, 1)), 3)


@dataclass(frozen=True)
class _Blocks:
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
    def of(cls, before: Patch, after: Patch, step: int) -> _Blocks | None:
        """None where the pictures are too small or share too little ground."""
        height, width = (length // step for length in before.grid.shape)
        if min(height, width) <= 2 * MAX_SHIFT_PX // step or min(height, width) < BLOCK:
            return None
        corners, independent = _corners(height, width, _thinned_valid(before.valid & after.valid, step))
        if not corners:
            return None
        spectra = _spectra(_gradients(before, step), _gradients(after, step), corners) * _low_pass()
        side = HALVES * 2 * REACH + 1
        maps = np.stack([_transformed(_widened(one), cv2.DFT_INVERSE).real[:side, :side] for one in spectra])
        spread = maps.std(axis=(1, 2), keepdims=True) + 1e-12
        scores = (maps - maps.mean(axis=(1, 2), keepdims=True)) / spread
        centres = np.array([(col + BLOCK / 2 - width / 2, row + BLOCK / 2 - height / 2) for row, col in corners])
        return cls(spectra / spread, scores.astype(np.float32), centres, independent, step, (width, height))

    def votes(self, field: _Field) -> NDArray[np.float64]:
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

    def agrees(self, field: _Field) -> NDArray[np.bool_]:
        """Of each block whether its highest score of all lies where the field says."""
        side = self.maps.shape[2]
        flat = self.maps.reshape(len(self.maps), -1).argmax(axis=1)
        own = np.column_stack([flat % side, flat // side]) / HALVES - REACH
        return np.asarray(np.hypot(*(own - field.at(self.centres)).T) <= AGREEMENT)

    def agreeing(self, field: _Field) -> _Blocks:
        """The blocks that agree with the field."""
        return self.only(self.agrees(field))

    def only(self, keep: NDArray[np.bool_]) -> _Blocks:
        """The kept blocks."""
        share = self.independent * float(keep.mean())
        return replace(
            self, spectra=self.spectra[keep], maps=self.maps[keep], centres=self.centres[keep], independent=share
        )

    def scores_at(self, field: _Field) -> NDArray[np.float64]:
        """Of each block the score (n,) at its place in the field: the middle of `fine_maps`."""
        across, down = self._phases(field)
        return np.asarray(np.einsum("nij,ni,nj->n", self.spectra, down, across).real, np.float64)

    def fine_maps(self, field: _Field) -> Maps:
        """Scores (n, 21, 21) around each block's place in the field, in steps of `FINE_STEP`."""
        across, down = self._phases(field)
        waves = _waves()
        moved = self.spectra * down[:, :, None] * across[:, None, :]
        return np.asarray((waves @ moved @ waves.T).real, np.float32)

    def _phases(self, field: _Field) -> tuple[Complex, Complex]:
        """What moves each block's spectrum to its place in the field, along x and along y (n, 64)."""
        frequencies = np.fft.fftfreq(BLOCK + 2 * REACH)
        across, down = (
            np.exp(2j * np.pi * np.outer(line + REACH, frequencies)).astype(np.complex64)
            for line in field.at(self.centres).T
        )
        return across, down


def _best_guess(blocks: _Blocks, gain_share: float) -> _Guess:
    """The shift and the turn with the most evidence; no turn unless it has more by that share."""
    still = _guess(blocks, 0.0)
    tried = [_guess(blocks, degrees) for degrees in TURNS_DEG]
    best = max(tried, key=_evidence)
    tried += [_guess(blocks, best.turn_deg + step) for step in (-TURN_STEP_DEG, TURN_STEP_DEG)]
    best = max(tried, key=_evidence)
    enough = max(MIN_TURN_GAIN, gain_share * still.evidence)
    if best.evidence <= still.evidence + enough:
        return replace(still, doubt_deg=abs(best.turn_deg) if best.evidence > still.evidence else 0.0)
    as_good = [abs(one.turn_deg - best.turn_deg) for one in tried if one.evidence >= best.evidence - enough]
    return replace(best, doubt_deg=max(max(as_good) - TURN_STEP_DEG, 0.0))  # neighbours are told apart later on


def _with_finer_turn(blocks: _Blocks, guess: _Guess, finer: _Blocks | None) -> _Guess:
    """The guess with the turn that the pictures' pixels show; as it is where they are unsure, or show another place."""
    shown = None if finer is None else _best_guess(finer, FINER_TURN_GAIN_SHARE)
    if finer is None or shown is None or shown.confidence < MIN_CONFIDENCE:
        return guess
    growth = _sloped(finer.agreeing(shown.field), shown).growth
    turned = _grown_guess(blocks, growth, shown.turn_deg)
    is_near = math.dist(turned.field.shift * blocks.step, shown.field.shift) <= FINER_TURN_NEAR_PX
    if not is_near or turned.evidence < FINER_TURN_EVIDENCE * guess.evidence:
        return guess
    found = replace(guess, field=turned.field, turn_deg=shown.turn_deg, doubt_deg=shown.doubt_deg)
    return replace(found, turn_is_fine=True)


def _evidence(guess: _Guess) -> float:
    return guess.evidence


def _guess(blocks: _Blocks, turn_deg: float) -> _Guess:
    """The shift with the most evidence for a turn."""
    return _grown_guess(blocks, _Field.turned(turn_deg).growth, turn_deg)


def _grown_guess(blocks: _Blocks, growth: NDArray[np.float64], turn_deg: float) -> _Guess:
    """The shift with the most evidence for a growth, which is a turn of about `turn_deg`."""
    votes = blocks.votes(_Field(np.zeros(2), growth))
    row, col = (int(i) for i in np.unravel_index(int(votes.argmax()), votes.shape))
    reach, near = votes.shape[0] // 2, HALVES * RIVAL_DISTANCE
    others = votes.copy()
    others[max(row - near, 0) : row + near + 1, max(col - near, 0) : col + near + 1] = -np.inf
    shift = np.array([col - reach, row - reach]) / HALVES
    return _Guess(_Field(shift, growth), turn_deg, float(votes.max()), float(others.max()))


def _refined(blocks: _Blocks, guess: _Guess) -> tuple[_Field, float] | None:
    """The field to a fraction of a sample and its standard error in samples; None where the blocks do not show one.

    All blocks decide the shift, weighted by their scores: those of changed ground weigh little.
    """
    field = _bent(blocks, _sloped(blocks.agreeing(guess.field), guess))
    fine = blocks.fine_maps(field)
    off = _common_peak(fine)
    if np.abs(off).max() >= FINE_REACH - FINE_STEP:
        return None
    without = [_common_peak(fine[keep]) for keep in _left_out(blocks.centres)]
    in_doubt = guess.turn_deg or not field.growth.any()
    doubt = math.radians(guess.doubt_deg) * _radius(blocks) if in_doubt else 0.0
    return replace(field, shift=field.shift + off), math.hypot(_spread_of(without), doubt)


def _sloped(blocks: _Blocks, guess: _Guess) -> _Field:
    """The guessed field with the turn or growth that blocks which agree with it ask for."""
    if len(blocks.maps) < MIN_AGREEING:
        return guess.field
    if guess.turn_is_fine and guess.field.growth.any():
        return guess.field
    if guess.turn_deg:
        return _turned_finely(blocks, guess)
    return _grown(blocks, guess.field)


def _bent(blocks: _Blocks, field: _Field) -> _Field:
    """The field with a smooth bend, where blocks that had no part in finding the bend lie clearly better with it."""
    if blocks.independent < MIN_BEND_BLOCKS:
        return field
    level = _level(blocks, field)
    bent = _with_bend(blocks, level, np.ones(len(blocks.maps), bool))
    if not BEND_LIMITS[0] <= _largest_bend(bent) <= BEND_LIMITS[1]:
        return field
    scores = blocks.scores_at(level)
    least = MIN_BEND_GAIN * max(float(scores.mean()), 0.0)
    if float(np.mean(blocks.scores_at(bent) - scores)) < least:  # not even where it was found
        return field
    gains = np.zeros(len(blocks.maps))
    for keep in _folds(blocks.centres):
        others, without = _with_bend(blocks, level, keep), blocks.only(~keep)
        gains[~keep] = without.scores_at(others) - scores[~keep]
    parts = [float(gains[~keep].mean()) for keep in _left_out(blocks.centres)]
    error = float(np.std(parts, ddof=1)) / math.sqrt(len(parts))
    return bent if gains.mean() > max(MIN_BEND_SIGMAS * error, least) else field


def _largest_bend(field: _Field) -> float:
    """The longest bend anywhere on the picture, in samples."""
    assert field.bend is not None
    line = np.linspace(0, 1, 9)
    return float(np.hypot(*bend_over(field.bend, line, line)).max())


def _folds(centres: Points) -> list[NDArray[np.bool_]]:
    """Four choices of blocks that each leave out every second one along and across, so that all have neighbours."""
    cols, rows = (np.unique(line, return_inverse=True)[1] for line in centres.T)
    fold = rows % 2 * 2 + cols % 2
    return [fold != n for n in np.unique(fold)]


def _level(blocks: _Blocks, field: _Field) -> _Field:
    """The field with its shift where the blocks' common peak is."""
    return replace(field, shift=field.shift + _common_peak(blocks.fine_maps(field)), size=blocks.size)


def _with_bend(blocks: _Blocks, field: _Field, keep: NDArray[np.bool_]) -> _Field:
    """The field with the bend that the kept blocks show."""
    chosen, places = blocks.only(keep), blocks.centres[keep] / blocks.size + 0.5
    distance = np.hypot(*(chosen.centres[:, None] - chosen.centres[None]).transpose(2, 0, 1))
    near = np.exp(-(distance**2) / (2 * BEND_POOL**2))
    for _ in range(BEND_ROUNDS):
        pooled = np.tensordot(near / near.sum(axis=1, keepdims=True), chosen.fine_maps(field), axes=1)
        peaks = _own_peaks(pooled)
        inside = np.abs(peaks).max(axis=1) < FINE_REACH - FINE_STEP
        trust = np.clip(pooled.max(axis=(1, 2)), 0, None) ** 2 * inside + 1e-6
        more = fitted(places, peaks, trust)
        even = bend_at(more, places).mean(axis=0)  # which is a shift
        more = more - even[:, None, None]
        field = replace(field, shift=field.shift + even, bend=more if field.bend is None else field.bend + more)
    return field


def _turned_finely(blocks: _Blocks, guess: _Guess) -> _Field:
    """The turn around the guessed one at which the mean of the blocks' maps peaks highest, and the shift there."""
    turns = guess.turn_deg + FINE_TURN_DEG * np.arange(-2, 3)
    means = np.array(
        [blocks.fine_maps(_Field(guess.field.shift, _Field.turned(t).growth)).mean(axis=0) for t in turns.tolist()]
    )
    tops = means.max(axis=(1, 2))
    best = int(np.clip(tops.argmax(), 1, len(turns) - 2))
    between = float(_vertex(tops[best - 1 : best], tops[best : best + 1], tops[best + 1 : best + 2])[0])
    shift = guess.field.shift + _own_peaks(means[best : best + 1])[0]
    return _Field(shift, _Field.turned(float(turns[best]) + between * FINE_TURN_DEG).growth)


def _grown(blocks: _Blocks, field: _Field) -> _Field:
    """The field, which has no turn, with the turn and stretch that the blocks' own peaks show beyond doubt, if any.

    Without it the shift is the median of the blocks'.
    """
    own = field.shift + _own_peaks(blocks.fine_maps(field))
    middle = replace(field, shift=np.median(own, axis=0))
    choices = [keep for keep in _left_out(blocks.centres) if keep.sum() >= MIN_TURN_BLOCKS]
    if len(choices) < MIN_TURN_PARTS:
        return middle
    solution = _similarity(blocks.centres, own)
    error = _spread_of([_similarity(blocks.centres[keep], own[keep])[2:] for keep in choices])
    stretch, turn = solution[2:]
    is_sure = (
        error * _radius(blocks) * blocks.step <= MAX_TURN_ERROR_PX
        and math.hypot(stretch, turn) >= MIN_TURN_SIGMAS * error
    )
    return _Field(solution[:2], np.array([[stretch, -turn], [turn, stretch]])) if is_sure else middle


def _radius(blocks: _Blocks) -> float:
    """How far a turn of 1 radian moves the blocks (RMS), in samples."""
    return math.sqrt(float(np.mean(np.sum(blocks.centres**2, axis=1))))


def _similarity(places: Points, shifts: Points) -> NDArray[np.float64]:
    """Shift x, y, stretch and turn of shifts (n, 2) at places (n, 2), by robust least squares."""
    x, y = places.T
    one, none = np.ones(len(x)), np.zeros(len(x))
    design = np.concatenate([np.column_stack([one, none, x, -y]), np.column_stack([none, one, y, x])])
    target = shifts.T.ravel()
    weights = np.ones(len(target))
    for _ in range(ROBUST_ROUNDS):
        weighted = design * weights[:, None]
        solution = np.linalg.lstsq(weighted.T @ design, weighted.T @ target, rcond=None)[0]
        off = np.hypot(*(target - design @ solution).reshape(2, -1))
        weights = np.tile(np.minimum(1, 1.5 * np.median(off) / np.maximum(off, 1e-9)), 2)
    return np.asarray(solution)


def _common_peak(fine: Maps) -> NDArray[np.float64]:
    weights = np.clip(fine.max(axis=(1, 2)), 0, None) + 1e-9
    return np.asarray(_own_peaks(np.average(fine, axis=0, weights=weights)[None])[0], np.float64)


def _left_out(centres: Points) -> list[NDArray[np.bool_]]:
    """Choices of blocks that each leave out those of one of nine parts of the picture, where it leaves any."""
    thirds = [np.digitize(line, np.quantile(line, (1 / 3, 2 / 3))) for line in centres.T]
    part = thirds[0] + 3 * thirds[1]
    return [part != n for n in np.unique(part) if (part != n).any()]


def _spread_of(answers: list[NDArray[np.float64]]) -> float:
    """Standard error of an answer, from answers that each leave out a part (jackknife; Efron 1982)."""
    if not answers:
        return math.inf
    off = np.array(answers) - np.mean(answers, axis=0)
    return math.sqrt(float(np.sum(off**2)) * (len(off) - 1) / len(off))


def _own_peaks(maps: Maps) -> Points:
    """The place (x, y) of each fine map's peak, in samples from its middle (n, 2)."""
    n, side, _ = maps.shape
    flat = maps.reshape(n, -1).argmax(axis=1)
    rows, cols, index = np.clip(flat // side, 1, side - 2), np.clip(flat % side, 1, side - 2), np.arange(n)
    top = maps[index, rows, cols]
    right = _vertex(maps[index, rows, cols - 1], top, maps[index, rows, cols + 1])
    down = _vertex(maps[index, rows - 1, cols], top, maps[index, rows + 1, cols])
    return np.asarray((np.column_stack([cols + right, rows + down]) - side // 2) * FINE_STEP)


def _vertex(one: FloatArray, top: FloatArray, other: FloatArray) -> FloatArray:
    """Where the parabola through three samples peaks, in samples from the middle one; at most one away."""
    bend = np.minimum(one - 2 * top + other, -1e-9)
    return np.asarray(np.clip((one - other) / (2 * bend), -1, 1))


def _spectra(before: list[Complex], after: list[Complex], corners: list[Corner]) -> Complex:
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
            total += np.conj(_transformed(block)) * _transformed(around) * np.float32(share / norm)
    return spectra


def _transformed(samples: Complex, flags: int = 0) -> Complex:
    """Fourier transform (H, W) by cv2, which takes an eighth of numpy's time for so small a one."""
    height, width = samples.shape
    pairs = cv2.dft(samples.view(np.float32).reshape(height, width, 2), flags=flags)
    return np.asarray(pairs, np.float32).view(np.complex64)[:, :, 0]


def _widened(spectrum: Complex) -> Complex:
    """The spectrum with higher frequencies that hold nothing: its picture has samples half as far apart."""
    size, half = len(spectrum), len(spectrum) // 2
    wide = np.zeros((HALVES * size, HALVES * size), np.complex64)
    low = np.r_[0:half, HALVES * size - half : HALVES * size]
    wide[np.ix_(low, low)] = spectrum
    return wide


def _corners(height: int, width: int, valid: NDArray[np.bool_]) -> tuple[list[Corner], float]:
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


def _gradients(patch: Patch, step: int) -> list[Complex]:
    """Grey gradients x + iy (H, W) in samples, and their squares; as strong as they stand out of their surroundings.

    Zero beside invalid pixels.
    """
    grey = _thinned(np.asarray(cv2.cvtColor(patch.pixels, cv2.COLOR_RGB2GRAY), np.float32), step)
    smooth = cv2.GaussianBlur(grey, (0, 0), SMOOTHING)
    dx, dy = (cv2.Sobel(smooth, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    strength = np.asarray(cv2.magnitude(dx, dy), np.float32)
    around = np.asarray(cv2.GaussianBlur(strength, (0, 0), EVENNESS_PX / step)) + np.float32(NOISE_GRADIENT)
    if not patch.valid.all():
        rim = 2 * math.ceil(3 * SMOOTHING) + 3
        valid = _thinned_valid(patch.valid, step).astype(np.uint8)
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


def _thinned_valid(valid: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    return np.asarray(_thinned(valid.astype(np.float32), step) > 0.99)


@lru_cache(maxsize=1)
def _waves() -> Complex:
    """Fourier sums (shifts, frequencies) of the fine maps."""
    shifts = np.arange(-FINE_REACH, FINE_REACH + FINE_STEP / 2, FINE_STEP)
    return np.exp(2j * np.pi * np.outer(shifts, np.fft.fftfreq(BLOCK + 2 * REACH))).astype(np.complex64)


@lru_cache(maxsize=1)
def _low_pass() -> NDArray[np.float32]:
    """What smooths a map of scores by `BLUR`, by frequency."""
    frequencies = np.fft.fftfreq(BLOCK + 2 * REACH)
    squares = frequencies[:, None] ** 2 + frequencies[None, :] ** 2
    return np.exp(-2 * (np.pi * BLUR) ** 2 * squares).astype(np.float32)
