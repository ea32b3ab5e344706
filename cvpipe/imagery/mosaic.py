"""Several scenes of one day read as one: the holes of the first are filled from the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cvpipe.geo import Grid
from cvpipe.imagery.reading import Patch, SceneReader


class MosaicReader:
    """Open scenes of one day, best first. `grid` is that of the first; the scenes may differ in CRS and pixel size.

    The readers are lent: whoever opened them closes them.
    """

    def __init__(self, readers: Sequence[SceneReader]) -> None:
        assert readers, "a mosaic has at least one scene"
        self._readers = tuple(readers)

    @property
    def grid(self) -> Grid:
        """The lattice of the first scene."""
        return self._readers[0].grid

    def read(self, grid: Grid) -> Patch:
        """The scenes on `grid`: each pixel from the first scene that is valid there. Raises SceneError as they do."""
        patch = self._readers[0].read(grid)
        for reader in self._readers[1:]:
            if patch.valid.all():
                break
            patch = _filled(patch, reader.read(grid))
        return patch


def _filled(patch: Patch, other: Patch) -> Patch:
    """Near infrared remains where both scenes have it: an index over half a site would be none."""
    holes = other.valid & ~patch.valid
    if not holes.any():
        return patch
    return replace(
        patch,
        pixels=np.where(holes[..., None], other.pixels, patch.pixels),
        valid=patch.valid | other.valid,
        nir=_plane(holes, patch.nir, other.nir),
        red=_plane(holes, patch.red, other.red),
    )


def _plane(
    holes: NDArray[np.bool_], one: NDArray[np.float32] | None, other: NDArray[np.float32] | None
) -> NDArray[np.float32] | None:
    return None if one is None or other is None else np.where(holes, other, one)
