"""A drawn district whose truth is known, for the demo, the tests and the training."""

from cvpipe.world.district import District, Setting, TrueSite, draw_district, true_sites
from cvpipe.world.patch import DrawnEpoch, DrawnPatch, draw_patch
from cvpipe.world.style import Look, Style

__all__ = [
    "District",
    "DrawnEpoch",
    "DrawnPatch",
    "Look",
    "Setting",
    "Style",
    "TrueSite",
    "draw_district",
    "draw_patch",
    "true_sites",
]
