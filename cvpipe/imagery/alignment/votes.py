"""The shift and turn with the most votes, and how sure they are.

Blocks of unrelated pictures vote at random: the sum of n maps then has the spread √n, whatever the pictures show. By
how many such spreads the peak stands out is the evidence, and changed ground, which votes at random, only lowers it
(the a-contrario argument of Desolneux, Moisan and Morel 2000).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cvpipe.imagery.alignment.blocks import Blocks, Field
from cvpipe.imagery.alignment.scores import HALVES

#: Turns in degrees that are tried: the first list, then around the best of it. A quarter of a degree moves the edge of
#: a 512 px picture by 1 px, within reach of the fine maps. A scene that is turned further has a wrong georeference.
TURNS_DEG = (-1.5, -1.0, -0.5, 0.5, 1.0, 1.5)
TURN_STEP_DEG = 0.25

#: Evidence, in spreads of what unrelated blocks vote at random: the first is what pictures of different places reach
#: (see `scripts/benchmark_alignment.py`, "strangers"), the second leaves no doubt.
EVIDENCE_RANGE = (4.0, 10.0)

#: A turn is taken only where it has this much more evidence than none, in spreads and as a share of it: between epochs
#: that were not turned the best of all turns gained up to 0.23 and 2.4 % (36 pairs of seven sensors). One that gains
#: less is not taken, and adds what it would move to the residual; so do turns whose evidence is as near to that of the
#: one that is taken.
MIN_TURN_GAIN = 0.3
MIN_TURN_GAIN_SHARE = 0.035

#: Rows of crops and roofs repeat, and woods look alike: the second highest peak, more than this many samples away, must
#: stay this far below, in spreads and as a share of the evidence.
RIVAL_DISTANCE = 3
MIN_RIVAL_GAP = 1.0
MIN_RIVAL_GAP_SHARE = 0.2


@dataclass(frozen=True)
class Guess:
    """The field with the most evidence, and how sure it is (0..1).

    `doubt_deg` is how much further it may be turned: turns so far off have as much evidence, or nearly so. Where
    `turn_is_fine` the turn needs no search in finer steps.
    """

    field: Field
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


def best_guess(blocks: Blocks, gain_share: float) -> Guess:
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


def _evidence(guess: Guess) -> float:
    return guess.evidence


def _guess(blocks: Blocks, turn_deg: float) -> Guess:
    """The shift with the most evidence for a turn."""
    return grown_guess(blocks, Field.turned(turn_deg).growth, turn_deg)


def grown_guess(blocks: Blocks, growth: NDArray[np.float64], turn_deg: float) -> Guess:
    """The shift with the most evidence for a growth, which is a turn of about `turn_deg`."""
    votes = blocks.votes(Field(np.zeros(2), growth))
    row, col = (int(i) for i in np.unravel_index(int(votes.argmax()), votes.shape))
    reach, near = votes.shape[0] // 2, HALVES * RIVAL_DISTANCE
    others = votes.copy()
    others[max(row - near, 0) : row + near + 1, max(col - near, 0) : col + near + 1] = -np.inf
    shift = np.array([col - reach, row - reach]) / HALVES
    return Guess(Field(shift, growth), turn_deg, float(votes.max()), float(others.max()))
