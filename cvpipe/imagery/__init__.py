"""What we see: scenes described, read onto any grid, aligned to each other, judged, and cut into pictures.

opening, bands, collar, warping   a raster's place, its colours, its empty rim, and the way from grid to grid
remote       rasters behind https:// and s3:// addresses: settings, bytes, and reads that are tried again
stac         scenes as STAC items, and scenes out of other people's items, collections and APIs
scenes       a file or an address → its facts for the catalogue
reading      a scene on a grid → `Patch`
pairing      two scenes → the one grid they are compared on
alignment    two patches → how far the later one lies off
quality      two patches → why they cannot be compared, if so
radiometry   the light of one epoch brought to that of the other
chips        pictures for people
"""

from cvpipe.imagery.alignment import estimate_registration, later_grid, seen_from
from cvpipe.imagery.chips import shared_stretch, side_by_side, with_outlines, write_jpeg, write_png
from cvpipe.imagery.pairing import common_grid, site_grid
from cvpipe.imagery.quality import Quality, judge, usable
from cvpipe.imagery.radiometry import matched
from cvpipe.imagery.reading import Patch, SceneReader
from cvpipe.imagery.scenes import acquired_from_name, content_hash, describe

__all__ = [
    "Patch",
    "Quality",
    "SceneReader",
    "acquired_from_name",
    "common_grid",
    "content_hash",
    "describe",
    "estimate_registration",
    "judge",
    "later_grid",
    "matched",
    "seen_from",
    "shared_stretch",
    "side_by_side",
    "site_grid",
    "usable",
    "with_outlines",
    "write_jpeg",
    "write_png",
]
