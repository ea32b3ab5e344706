"""Pictures for people: before | after at the same stretch, with outlines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from cvpipe.errors import InputError
from cvpipe.geo import WGS84, Grid, array_of, transformer
from cvpipe.imagery.reading import Patch

Colour = tuple[int, int, int]
"""Red, green, blue, 0..255."""

#: Percentiles that become black and white: dark roofs and glints leave the scale, everything else gains contrast.
STRETCH_PERCENTILES = (2.0, 98.0)

#: A stretch multiplies contrast by no more than this: an even field would otherwise show its noise.
MAX_GAIN = 3.0

#: Grey of pixels that are not valid, so that "no data" is not taken for shadow.
NO_DATA_GREY = 200

#: Radius of the circle that a point becomes, pixels.
_POINT_PX = 8.0

#: Binary digits of a pixel that outlines are drawn with (cv2 counts in 1/2^shift).
_SUBPIXEL_BITS = 4

_Line = tuple[NDArray[np.int32], Colour]


def shared_stretch(*patches: Patch) -> tuple[NDArray[np.uint8], ...]:
    """The epochs of one place as uint8 (H, W, 3), scaled alike: one range for all, so that colours can be compared.

    Pixels that are not valid become light grey.
    """
    table = stretch_table(*patches)
    return tuple(stretched(patch, table) for patch in patches)


def stretch_table(*patches: Patch) -> NDArray[np.uint8]:
    """The range that suits all of `patches`, as a table (256,) from values to values."""
    seen = np.concatenate([patch.pixels[patch.valid].ravel() for patch in patches])
    low, high = np.percentile(seen, STRETCH_PERCENTILES) if seen.size else (0.0, 255.0)
    middle, span = (low + high) / 2, max(high - low, 255 / MAX_GAIN)
    return np.clip((np.arange(256) - middle) * (255 / span) + 127.5, 0, 255).astype(np.uint8)


def stretched(patch: Patch, table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A patch as uint8 (H, W, 3) in the range of a `stretch_table`; pixels that are not valid become light grey."""
    return np.where(patch.valid[:, :, None], table[patch.pixels], np.uint8(NO_DATA_GREY))


def with_outlines(
    pixels: NDArray[np.uint8], grid: Grid, shapes: Sequence[tuple[BaseGeometry, Colour]], width: int = 2
) -> NDArray[np.uint8]:
    """A copy of `pixels` (H, W, 3) with the outlines of `shapes` drawn `width` pixels wide on a thin dark rim.

    Geometries are in WGS 84; on a grid without CRS they are in its own metres (x right, y down). Points become circles.
    """
    return outlined([pixels], grid, shapes, width)[0]


def outlined(
    pictures: Sequence[NDArray[np.uint8]], grid: Grid, shapes: Sequence[tuple[BaseGeometry, Colour]], width: int = 2
) -> list[NDArray[np.uint8]]:
    """`with_outlines` for several pictures on one grid."""
    lines = _pixel_lines(shapes, grid)
    return [_drawn(pixels, lines, width) for pixels in pictures]


def side_by_side(before: NDArray[np.uint8], after: NDArray[np.uint8], gap: int = 8) -> NDArray[np.uint8]:
    """Two pictures of one height next to each other, a white gap of `gap` pixels between them."""
    white = np.full((before.shape[0], gap, 3), 255, np.uint8)
    return np.concatenate([before, white, after], axis=1)


def write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write (H, W, 3) red, green, blue as PNG; the file is there whole or not at all."""
    _write(path, ".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 3])


def write_jpeg(path: Path, pixels: NDArray[np.uint8], quality: int = 88) -> None:
    """Write (H, W, 3) red, green, blue as JPEG; the file is there whole or not at all."""
    _write(path, ".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])


def as_jpeg(pixels: NDArray[np.uint8], quality: int = 88) -> bytes:
    """(H, W, 3) red, green, blue as the bytes of a JPEG file."""
    return _encoded(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])


def _drawn(pixels: NDArray[np.uint8], lines: Sequence[_Line], width: int) -> NDArray[np.uint8]:
    drawn = np.ascontiguousarray(pixels).copy()
    for line, _ in lines:
        cv2.polylines(drawn, [line], False, (0, 0, 0), width + 2, cv2.LINE_AA, _SUBPIXEL_BITS)
    for line, colour in lines:
        cv2.polylines(drawn, [line], False, colour, width, cv2.LINE_AA, _SUBPIXEL_BITS)
    return drawn


def _pixel_lines(shapes: Sequence[tuple[BaseGeometry, Colour]], grid: Grid) -> list[_Line]:
    """Closed and open lines of geometries as cv2 wants them: (n, 1, 2), x and y from pixel centres, in 1/16 px."""
    found = array_of(shape for shape, _ in shapes)
    if grid.crs is not None:
        move = transformer(WGS84, grid.crs).transform
        found = shapely.transform(found, lambda xy: np.column_stack(move(xy[:, 0], xy[:, 1])))
    inverse = ~grid.transform
    lines, owners = _lines(shapely.transform(found, lambda xy: np.column_stack(inverse * xy.T) - 0.5))
    points, numbers = shapely.get_coordinates(lines, return_index=True)
    corners = np.rint(points * 2**_SUBPIXEL_BITS).astype(np.int32)[:, None, :]
    ends = np.flatnonzero(np.diff(numbers)) + 1
    return [(line, shapes[n][1]) for line, n in zip(np.split(corners, ends), owners, strict=True)] if len(lines) else []


def _lines(shapes: NDArray[np.object_]) -> tuple[NDArray[np.object_], list[int]]:
    """The lines of geometries in pixels, and the number of the geometry that each belongs to, in their order."""
    parts, owners = shapely.get_parts(shapes, return_index=True)
    parts, inner = shapely.get_parts(parts, return_index=True)  # a collection may hold geometries of many parts
    owners = owners[inner]
    is_point = shapely.get_type_id(parts) == shapely.GeometryType.POINT
    parts[is_point] = shapely.buffer(parts[is_point], _POINT_PX)
    is_area = shapely.get_dimensions(parts) == 2
    rings, of = shapely.get_rings(parts[is_area], return_index=True)
    lines = np.concatenate([rings, parts[~is_area]])
    numbers = np.concatenate([owners[is_area][of], owners[~is_area]])
    order = np.argsort(numbers, kind="stable")
    return lines[order], numbers[order].tolist()


def _write(path: Path, suffix: str, pixels: NDArray[np.uint8], options: list[int]) -> None:
    data = _encoded(suffix, pixels, options)
    unfinished = path.with_name(path.name + ".part")
    try:
        unfinished.write_bytes(data)
        unfinished.replace(path)
    except OSError as error:
        raise InputError(
            f"the picture cannot be written ({error.strerror})", where=path, remedy="Check the folder and the disk."
        ) from error


def _encoded(suffix: str, pixels: NDArray[np.uint8], options: list[int]) -> bytes:
    done, data = cv2.imencode(suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
    assert done, "a uint8 RGB array can always be encoded"
    return data.tobytes()
