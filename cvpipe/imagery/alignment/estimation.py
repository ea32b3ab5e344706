"""Two patches → how far the later one lies off, or that it cannot be told."""

from __future__ import annotations

import math
from dataclasses import replace

from cvpipe.domain import Registration
from cvpipe.imagery.alignment.blocks import MAX_SHIFT_PX, Blocks
from cvpipe.imagery.alignment.refinement import refined_field, sloped_field
from cvpipe.imagery.alignment.votes import MIN_TURN_GAIN_SHARE, Guess, best_guess, grown_guess
from cvpipe.imagery.reading import Patch

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

#: Below this confidence no shift is reported: a wrong correction is worse than none. It stands for 5.2 spreads;
#: pictures of different places reached 4.2 (106 pairs of six sensors).
MIN_CONFIDENCE = 0.2

#: A shift whose standard error is larger than this, pixels, is not known well enough to move a picture by. The error
#: tells how far parts of the ground lie from each other, not whether the answer is repeatable: of 36 pairs of seven
#: sensors with a known shift on top, those between 1 px and this came back within 1 px as well.
MAX_ERROR_PX = 2.0

#: What an answer is off, pixels, where parts of the ground do not differ: noise, blur and resampling. Of 504 pictures
#: with an exact truth (scripts/benchmark_alignment.py, `--places tune`) 97 % of each kind came back no worse than told.
OWN_ERROR_PX = 0.15

_NOT_FOUND = Registration((0.0, 0.0), math.inf, 0.0)


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
    blocks = Blocks.of(before, after, 2 if side >= THINNED_SIDE_PX else 1)
    if blocks is None:
        return _NOT_FOUND
    guess = best_guess(blocks, MIN_TURN_GAIN_SHARE)
    if guess.confidence < MIN_CONFIDENCE:
        return Registration((0.0, 0.0), math.inf, guess.confidence)
    if THINNED_SIDE_PX <= side < FINER_TURN_SIDE_PX:
        guess = _with_finer_turn(blocks, guess, Blocks.of(before, after, 1))
    answer = refined_field(blocks, guess)
    if answer is None:
        return _NOT_FOUND
    field, error = answer[0], math.hypot(answer[1] * blocks.step, OWN_ERROR_PX)
    x, y = (field.shift * blocks.step).tolist()
    if max(abs(x), abs(y)) >= MAX_SHIFT_PX or error > MAX_ERROR_PX:
        return _NOT_FOUND
    across_x, down_x, across_y, down_y = field.growth.ravel().tolist()
    bend = () if field.bend is None else tuple((field.bend * blocks.step).ravel().tolist())
    return Registration((x, y), error, guess.confidence, (across_x, down_x, across_y, down_y), bend)


def _with_finer_turn(blocks: Blocks, guess: Guess, finer: Blocks | None) -> Guess:
    """The guess with the turn that the pictures' pixels show; as it is where they are unsure, or show another place."""
    shown = None if finer is None else best_guess(finer, FINER_TURN_GAIN_SHARE)
    if finer is None or shown is None or shown.confidence < MIN_CONFIDENCE:
        return guess
    growth = sloped_field(finer.agreeing(shown.field), shown).growth
    turned = grown_guess(blocks, growth, shown.turn_deg)
    is_near = math.dist(turned.field.shift * blocks.step, shown.field.shift) <= FINER_TURN_NEAR_PX
    if not is_near or turned.evidence < FINER_TURN_EVIDENCE * guess.evidence:
        return guess
    found = replace(guess, field=turned.field, turn_deg=shown.turn_deg, doubt_deg=shown.doubt_deg)
    return replace(found, turn_is_fine=True)
