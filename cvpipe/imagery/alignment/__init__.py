"""How far the later epoch lies off the earlier one, to a fraction of a pixel.

Edges stay where light, season and blur change everything else, so the epochs are compared by these. The earlier epoch
is cut into blocks; each is looked for around its place in the later one, and votes with its map of scores, brought to
mean 0 and spread 1. For small turns of the picture the maps are added up moved against each other. Turns that the
evidence does not tell from the one that is answered are part of the residual.

scores       two pictures → spectra of their blocks' scores by shift
peaks        where maps of scores peak, and how sure that is
blocks       `Field` and `Blocks`: maps of scores at the places that a field names
votes        the shift and the turn with the most votes, and how sure they are
bends        a smooth bend, where the blocks ask for one
refinement   the voted field to a fraction of a sample
estimation   two patches → `Registration`
placing      a registration as grids and as other grids see it
"""

from cvpipe.imagery.alignment.blocks import MAX_SHIFT_PX
from cvpipe.imagery.alignment.estimation import MIN_CONFIDENCE, estimate_registration
from cvpipe.imagery.alignment.placing import controls_of, largest_bend_px, later_grid, seen_from

__all__ = [
    "MAX_SHIFT_PX",
    "MIN_CONFIDENCE",
    "controls_of",
    "estimate_registration",
    "largest_bend_px",
    "later_grid",
    "seen_from",
]
