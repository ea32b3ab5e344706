"""A drawn district whose truth is known, for the demo, the tests and the training."""

from cvpipe.world.district import District, draw_district
from cvpipe.world.patch import DrawnEpoch, DrawnPatch, draw_patch
from cvpipe.world.style import Look, Style

__all__ = ["District", "DrawnEpoch", "DrawnPatch", "Look", "Style", "draw_district", "draw_patch"]
