"""One picture of a comparison for people: before | after at the same stretch, the changes outlined, a legend."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import shapely
from affine import Affine

from cvpipe.detect.alignment import AlignedPair
from cvpipe.detect.prediction import Pixels
from cvpipe.domain import CHANGE_COLOURS, Change, ChangeKind
from cvpipe.geo import Grid
from cvpipe.imagery import chips

#: Largest width and height of one of the two pictures: both fit a screen side by side, under 2400 px in all.
MAX_WIDTH_PX, MAX_HEIGHT_PX = 1180, 1200

#: Small pictures are enlarged to this side, others up to twice their own pixels: beyond that there is nothing to see.
MIN_SIDE_PX = 640
ENLARGED = 2

#: Outlines at most, the largest ones: more would hide the picture.
MAX_OUTLINES = 3000

#: Corners of outlines that lie closer than this to a straight line are left out, pixels of the preview: nobody sees
#: them, and drawing them takes most of the time.
SHOWN_PX = 0.25

#: Metres to a degree of latitude.
_M_PER_DEGREE = 111_320.0

_GAP_PX, _LINE_PX, _SWATCH_PX = 8, 36, 18
_FONT, _FONT_SCALE, _INK = cv2.FONT_HERSHEY_SIMPLEX, 0.6, (40, 40, 40)


def write_preview(path: Path, pair: AlignedPair, changes: Sequence[Change]) -> None:
    """Write before | after with the outlines of `changes` (as `polygons` gives them, largest first) as a PNG."""
    grid = preview_grid(pair.grid, min(pair.before.grid.ground_pixel_m(), pair.grid.ground_pixel_m()))
    shown = changes[:MAX_OUTLINES]
    outlines = np.array([change.geometry for change in shown], object)
    coarse = shapely.simplify(outlines, SHOWN_PX * _shown_unit(grid))
    shapes = [(outline, CHANGE_COLOURS[change.kind]) for outline, change in zip(coarse, shown, strict=True)]
    pictures = chips.outlined(chips.shared_stretch(*pair.read(grid)), grid, shapes)
    both = chips.side_by_side(pictures[0], pictures[1], _GAP_PX)
    labels = _line(both.shape[1], [(4, "before"), (grid.width + _GAP_PX + 4, "after")])
    sheet = [labels, both, *_legend(changes, both.shape[1])]
    width = max(part.shape[1] for part in sheet)
    chips.write_png(path, np.concatenate([_widened(part, width) for part in sheet]))


def preview_grid(grid: Grid, native_m: float) -> Grid:
    """A grid over the same ground with pixels that suit a screen; `native_m` is the ground pixel of the scene."""
    longest = max(grid.shape)
    finest = min(native_m / grid.ground_pixel_m() / ENLARGED, longest / MIN_SIDE_PX)
    factor = max(grid.width / MAX_WIDTH_PX, grid.height / MAX_HEIGHT_PX, finest)
    width, height = (max(round(n / factor), 1) for n in (grid.width, grid.height))
    scale = Affine.scale(grid.width / width, grid.height / height)
    return Grid(grid.crs, grid.transform * scale, width, height)


def _shown_unit(grid: Grid) -> float:
    """A pixel of the preview in units of the outlines: degrees, or metres on a grid without CRS."""
    return grid.pixel_size if grid.crs is None else grid.ground_pixel_m() / _M_PER_DEGREE


def _legend(changes: Sequence[Change], width: int) -> list[Pixels]:
    """Lines that name every kind of change with its colour and area in m², as many as the width asks for."""
    area: defaultdict[ChangeKind, float] = defaultdict(float)
    for change in changes:
        area[change.kind] += change.area_m2
    rows: list[list[tuple[int, str, ChangeKind]]] = [[]]
    x = 4
    for kind in ChangeKind:
        words = f"{kind.value.replace('_', ' ')} {area[kind]:,.0f} m2"
        step = _SWATCH_PX + 8 + _text_width(words) + 28
        if x + step > width and rows[-1]:
            rows.append([])
            x = 4
        rows[-1].append((x, words, kind))
        x += step
    return [_legend_line(width, row) for row in rows]


def _legend_line(width: int, row: list[tuple[int, str, ChangeKind]]) -> Pixels:
    texts = [(x + _SWATCH_PX + 8, words) for x, words, _ in row]
    line = _line(max(width, max(x + _text_width(words) + 4 for x, words in texts)), texts)
    top = (_LINE_PX - _SWATCH_PX) // 2
    for x, _, kind in row:
        line[top : top + _SWATCH_PX, x : x + _SWATCH_PX] = CHANGE_COLOURS[kind]
    return line


def _line(width: int, texts: Sequence[tuple[int, str]]) -> Pixels:
    """A white line of text (36, width, 3); each text starts at its x."""
    line = np.full((_LINE_PX, width, 3), 255, np.uint8)
    for x, words in texts:
        cv2.putText(line, words, (x, _LINE_PX - 12), _FONT, _FONT_SCALE, _INK, 1, cv2.LINE_AA)
    return line


def _widened(part: Pixels, width: int) -> Pixels:
    return np.pad(part, ((0, 0), (0, width - part.shape[1]), (0, 0)), constant_values=255)


def _text_width(words: str) -> int:
    return int(cv2.getTextSize(words, _FONT, _FONT_SCALE, 1)[0][0])


__all__ = ["preview_grid", "write_preview"]
