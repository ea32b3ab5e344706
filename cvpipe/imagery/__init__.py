"""What we see: scenes described, read onto any grid, aligned to each other, judged, and cut into pictures.

opening, bands, collar, warping   a raster's place, its colours, its empty rim, and the way from grid to grid
sampling, resampling   the kernel as filters and cells, and pixels read with it along that way
scratch      a thread's memory for passing results
remote       rasters behind https:// and s3:// addresses: settings, bytes, and reads that are tried again
stac         scenes as STAC items, and scenes out of other people's items, collections and APIs
scenes       a file or an address → its facts for the catalogue
reading      a scene on a grid → `Patch`
readers      scenes kept open, for one thread
mosaic       several scenes of one day read as one
pairing      two scenes → the one grid they are compared on
alignment    two patches → how far the later one lies off
later        the later epoch read where it lies on the earlier one
quality      two patches → why they cannot be compared, if so
radiometry   the light of one epoch brought to that of the other
vegetation   how green a patch is by near infrared
chips        pictures for people
surface_maps what covered a site at both epochs, kept for people to look at
"""

from cvpipe.imagery.alignment import estimate_registration, later_grid, seen_from
from cvpipe.imagery.chips import (
    as_jpeg,
    shared_stretch,
    side_by_side,
    stretch_table,
    stretched,
    with_outlines,
    write_jpeg,
    write_png,
)
from cvpipe.imagery.later import read_later
from cvpipe.imagery.mosaic import MosaicReader
from cvpipe.imagery.pairing import ALIGNMENT_MARGIN_M, common_grid, site_grid
from cvpipe.imagery.quality import Quality, judge, quality_of, usable
from cvpipe.imagery.radiometry import matched
from cvpipe.imagery.readers import SceneReaders
from cvpipe.imagery.reading import Patch, SceneReader
from cvpipe.imagery.scenes import acquired_from_name, content_hash, describe
from cvpipe.imagery.surface_maps import keep_surfaces, read_surfaces, surface_path
from cvpipe.imagery.vegetation import vegetation_index

__all__ = [
    "ALIGNMENT_MARGIN_M",
    "MosaicReader",
    "Patch",
    "Quality",
    "SceneReader",
    "SceneReaders",
    "acquired_from_name",
    "as_jpeg",
    "common_grid",
    "content_hash",
    "describe",
    "estimate_registration",
    "judge",
    "keep_surfaces",
    "later_grid",
    "matched",
    "quality_of",
    "read_later",
    "read_surfaces",
    "seen_from",
    "shared_stretch",
    "side_by_side",
    "site_grid",
    "stretch_table",
    "stretched",
    "surface_path",
    "usable",
    "vegetation_index",
    "with_outlines",
    "write_jpeg",
    "write_png",
]
