"""The field that has the most votes, to a fraction of a sample, with the turn or growth that its blocks ask for."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cvpipe.imagery.alignment.bends import bent_field
from cvpipe.imagery.alignment.blocks import FINE_REACH, Blocks, Field
from cvpipe.imagery.alignment.peaks import FINE_STEP, Points, common_peak, left_out, own_peaks, spread_of, vertex
from cvpipe.imagery.alignment.votes import Guess

#: Steps in degrees in which a turn that was found is tried again.
FINE_TURN_DEG = 0.125

#: Fewer blocks that agree with a field decide nothing about its turn.
MIN_AGREEING = 3

#: A turn too small for the votes, or a stretch, is taken from the blocks' own peaks where it is this many times its
#: standard error, and that error moves the picture by no more than this (RMS, pixels); from at least so many parts and
#: blocks. Houses that lean and relief move whole parts of a picture: what they make of a turn is another one with each
#: light.
MIN_TURN_SIGMAS = 5.0
MAX_TURN_ERROR_PX = 0.1
MIN_TURN_PARTS = 6
MIN_TURN_BLOCKS = 12

#: Rounds of least squares in which peaks beyond 1.5 times the median distance lose weight (Huber).
ROBUST_ROUNDS = 5


def refined_field(blocks: Blocks, guess: Guess) -> tuple[Field, float] | None:
    """The field to a fraction of a sample and its standard error in samples; None where the blocks do not show one.

    All blocks decide the shift, weighted by their scores: those of changed ground weigh little.
    """
    field = bent_field(blocks, sloped_field(blocks.agreeing(guess.field), guess))
    fine = blocks.fine_maps(field)
    off = common_peak(fine)
    if np.abs(off).max() >= FINE_REACH - FINE_STEP:
        return None
    without = [common_peak(fine[keep]) for keep in left_out(blocks.centres)]
    in_doubt = guess.turn_deg or not field.growth.any()
    doubt = math.radians(guess.doubt_deg) * _radius(blocks) if in_doubt else 0.0
    return replace(field, shift=field.shift + off), math.hypot(spread_of(without), doubt)


def sloped_field(blocks: Blocks, guess: Guess) -> Field:
    """The guessed field with the turn or growth that blocks which agree with it ask for."""
    if len(blocks.maps) < MIN_AGREEING:
        return guess.field
    if guess.turn_is_fine and guess.field.growth.any():
        return guess.field
    if guess.turn_deg:
        return _turned_finely(blocks, guess)
    return _grown(blocks, guess.field)


def _turned_finely(blocks: Blocks, guess: Guess) -> Field:
    """The turn around the guessed one at which the mean of the blocks' maps peaks highest, and the shift there."""
    turns = guess.turn_deg + FINE_TURN_DEG * np.arange(-2, 3)
    means = np.array(
        [blocks.fine_maps(Field(guess.field.shift, Field.turned(t).growth)).mean(axis=0) for t in turns.tolist()]
    )
    tops = means.max(axis=(1, 2))
    best = int(np.clip(tops.argmax(), 1, len(turns) - 2))
    between = float(vertex(tops[best - 1 : best], tops[best : best + 1], tops[best + 1 : best + 2])[0])
    shift = guess.field.shift + own_peaks(means[best : best + 1])[0]
    return Field(shift, Field.turned(float(turns[best]) + between * FINE_TURN_DEG).growth)


def _grown(blocks: Blocks, field: Field) -> Field:
    """The field, which has no turn, with the turn and stretch that the blocks' own peaks show beyond doubt, if any.

    Without it the shift is the median of the blocks'.
    """
    own = field.shift + own_peaks(blocks.fine_maps(field))
    middle = replace(field, shift=np.median(own, axis=0))
    choices = [keep for keep in left_out(blocks.centres) if keep.sum() >= MIN_TURN_BLOCKS]
    if len(choices) < MIN_TURN_PARTS:
        return middle
    solution = _similarity(blocks.centres, own)
    error = spread_of([_similarity(blocks.centres[keep], own[keep])[2:] for keep in choices])
    stretch, turn = solution[2:]
    is_sure = (
        error * _radius(blocks) * blocks.step <= MAX_TURN_ERROR_PX
        and math.hypot(stretch, turn) >= MIN_TURN_SIGMAS * error
    )
    return Field(solution[:2], np.array([[stretch, -turn], [turn, stretch]])) if is_sure else middle


def _radius(blocks: Blocks) -> float:
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
