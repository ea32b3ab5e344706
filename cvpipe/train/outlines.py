"""Outlines in vector files, and the labels that they become on a grid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyogrio.raw
import pyproj
import shapely
from pyogrio.errors import DataLayerError, DataSourceError, FieldError
from pyproj.exceptions import CRSError
from rasterio.features import rasterize
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from cvpipe.errors import DatasetError
from cvpipe.geo import Grid, reproject
from cvpipe.train.pictures import Pixels


@dataclass(frozen=True)
class Outlines:
    """Areas in a CRS, with the word that tells what each is."""

    areas: tuple[BaseGeometry, ...]
    words: tuple[str, ...]
    crs: pyproj.CRS

    def within(self, grid: Grid, word: str) -> list[BaseGeometry]:
        """The areas of a word that reach into a grid, in its CRS."""
        assert grid.crs is not None, "outlines lie on georeferenced grids"
        frame = reproject(box(*grid.bounds), grid.crs, self.crs)
        chosen = (a for a, w in zip(self.areas, self.words, strict=True) if w == word and a.intersects(frame))
        return [reproject(area, self.crs, grid.crs) for area in chosen]


def read_outlines(path: Path, meanings: dict[str, str], *, layer: str | None, attribute: str | None) -> Outlines:
    """All areas of a layer, each with what `meanings` makes of its `attribute` (without one: of the only meaning).

    Raises DatasetError where the file, the layer or the attribute is missing, the CRS is unknown, or a value is not
    among `meanings`.
    """
    columns = [attribute] if attribute else []
    try:
        meta, _, written, fields = pyogrio.raw.read(path, layer=layer, columns=columns)
        crs = pyproj.CRS.from_user_input(meta["crs"])
    except (DataSourceError, DataLayerError, FieldError, CRSError, ValueError) as error:
        raise DatasetError(
            f"no outlines that can be read ({error})", where=path, remedy="Correct `outlines` or `layer`."
        ) from error
    values = _values(list(meta["fields"]), fields, attribute, len(written), path)
    if attribute:
        _refuse_unknown(values, meanings, path)
    only = next(iter(meanings.values()))
    words = [meanings[value] if attribute else only for value in values]
    areas = [None if one is None else shapely.make_valid(one) for one in shapely.from_wkb(written)]
    kept = [(area, word) for area, word in zip(areas, words, strict=True) if area is not None and area.area > 0]
    return Outlines(tuple(a for a, _ in kept), tuple(w for _, w in kept), crs)


def burnt(areas: Sequence[BaseGeometry], grid: Grid) -> Pixels:
    """1 in the pixels (H, W) whose centre lies within one of the areas (CRS of the grid), 0 elsewhere."""
    if not areas:
        return np.zeros(grid.shape, np.uint8)
    mask: Pixels = rasterize(areas, out_shape=grid.shape, transform=grid.transform, dtype=np.uint8)
    return mask


def _values(names: list[str], fields: Sequence[np.ndarray], attribute: str | None, count: int, path: Path) -> list[str]:
    if attribute is None:
        return [""] * count
    if attribute not in names:
        raise DatasetError(f"has no attribute '{attribute}'", where=path, remedy="Correct `attribute`.")
    return [str(value) for value in fields[names.index(attribute)]]


def _refuse_unknown(values: Iterable[str], meanings: dict[str, str], path: Path) -> None:
    if unknown := sorted(set(values) - meanings.keys()):
        named = ", ".join(value or "(empty)" for value in unknown)
        raise DatasetError(
            f"holds the values {named}, which `meanings` does not name",
            where=path,
            remedy=f"Known are {', '.join(sorted(meanings))}: add the others, or leave them out of the file.",
        )
