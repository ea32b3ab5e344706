"""The scenes that show a place: an index over their footprints, so that a site does not ask every scene."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from shapely import STRtree, box
from shapely.geometry.base import BaseGeometry

from cvpipe.domain import Scene

#: Metres of a degree of latitude, a little less than it has anywhere: a box may be too wide, never too narrow.
LEAST_M_PER_DEGREE = 110_000.0


class Nearby:
    """Scenes by place. Footprints in WGS 84; what lies at the 180th meridian or a pole is shown every scene."""

    def __init__(self, scenes: Sequence[Scene]) -> None:
        self._scenes = scenes
        self._tree = STRtree([scene.footprint for scene in scenes])

    def of(self, geometry: BaseGeometry, distance_m: float = 0.0) -> list[Scene]:
        """Scenes whose bounding box touches that of a WGS 84 geometry widened by a distance, in their own order."""
        left, bottom, right, top = geometry.bounds
        dy = distance_m / LEAST_M_PER_DEGREE
        highest = max(abs(bottom - dy), abs(top + dy))
        if not highest < 89:  # NaN, for an empty geometry, comes here too
            return list(self._scenes)
        dx = dy / math.cos(math.radians(highest))
        if left - dx < -180 or right + dx > 180:
            return list(self._scenes)
        found = self._tree.query(box(left - dx, bottom - dy, right + dx, top + dy))
        return [self._scenes[i] for i in np.sort(found)]
