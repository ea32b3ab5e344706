"""Reading a scene onto any grid: red, green, blue in 8 bits, near infrared where there is some, and what is valid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np
import rasterio
import rasterio.windows
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling

from cvpipe.domain import Scene
from cvpipe.errors import SceneError
from cvpipe.geo import Grid, Window, windows
from cvpipe.imagery import bands as band_rules
from cvpipe.imagery import opening, stac, warping
from cvpipe.imagery.bands import Bands, StoredValues, Stretch
from cvpipe.imagery.collar import COLLAR_BLACK, COLLAR_SHARE, in_collar, scene_collar
from cvpipe.imagery.resampling import SQUARE_PX, resample, resample_valid
from cvpipe.imagery.sampling import Sampling, sampling
from cvpipe.imagery.scratch import kept

#: Two lattices are the same where they differ nowhere by more than this (pixels): a tenth of what alignment resolves.
SAME_LATTICE_PX = 0.01

#: An overview is taken for a grid that is finer than it by this factor at most: rasters of odd sides have overviews
#: a little coarser than their factor says.
OVERVIEW_SLACK = 1.01

#: Side in metres of the pixels of `Patch.coarse`.
COARSE_PIXEL_M = 1.0

#: Side in pixels of the blocks that a warped read works through, at most, and of the source of one: as uint8 RGB that
#: is 12 and 50 MB.
WARP_BLOCK_PX, WARP_SOURCE_PX = 2048, 4096


@dataclass(frozen=True)
class Coarse:
    """A patch in pixels of about a metre: uint8 (h, w, 3), bool (h, w), and the pixel's side in metres."""

    pixels: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    pixel_m: float


@dataclass(frozen=True)
class Patch:
    """A rectangle of a scene: uint8 `pixels` (H, W, 3) red, green, blue; bool `valid` (H, W); and where it lies.

    Pixels that are not valid are black. `nir` and `red`, float32 (H, W), are near infrared and red on one scale: the
    values as they are stored with the raster's own scale and offset, without the stretch to 8 bits, as a vegetation
    index needs them. Both are None where the scene has no near infrared, and 0 where a pixel is not valid.
    """

    pixels: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    grid: Grid
    nir: NDArray[np.float32] | None = None
    red: NDArray[np.float32] | None = None

    def part(self, grid: Grid) -> Patch:
        """What lies on a smaller grid of the same lattice."""
        rows, cols = self.grid.window_of_grid(grid).slices
        nir, red = (None if plane is None else plane[rows, cols] for plane in (self.nir, self.red))
        return Patch(self.pixels[rows, cols], self.valid[rows, cols], grid, nir, red)

    @cached_property
    def coarse(self) -> Coarse:
        """The patch in pixels of about a metre, or its own where they are coarser; valid where all of the pixel is."""
        pixel_m = self.grid.ground_pixel_m()
        factor = max(COARSE_PIXEL_M / pixel_m, 1.0)
        height, width = self.valid.shape
        size = max(round(width / factor), 1), max(round(height / factor), 1)
        pixels = cv2.resize(self.pixels, size, interpolation=cv2.INTER_AREA)
        valid = np.ones(size[::-1], bool)
        if not self.valid.all():
            share = cv2.resize(self.valid.astype(np.float32), size, interpolation=cv2.INTER_AREA)
            valid = np.asarray(share) > 0.99
        return Coarse(np.asarray(pixels, np.uint8), valid, pixel_m * width / size[0])


@dataclass(frozen=True)
class _Planes:
    """What a read makes: `pixels` uint8 (H, W, 3), `valid` bool (H, W), `infrared` float32 (H, W, 2: nir, red)."""

    pixels: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    infrared: NDArray[np.float32] | None

    @classmethod
    def empty(cls, shape: tuple[int, int], *, has_infrared: bool) -> _Planes:
        infrared = np.zeros((*shape, 2), np.float32) if has_infrared else None
        return cls(np.zeros((*shape, 3), np.uint8), np.zeros(shape, bool), infrared)

    def set(self, where: tuple[slice, slice], part: _Planes) -> None:
        self.pixels[where], self.valid[where] = part.pixels, part.valid
        if self.infrared is not None:
            assert part.infrared is not None
            self.infrared[where] = part.infrared

    def patch(self, valid: NDArray[np.bool_], grid: Grid) -> Patch:
        """As a patch, of which only `valid` holds."""
        if not valid.all():
            self.pixels[~valid] = 0
            if self.infrared is not None:
                self.infrared[~valid] = 0
        if self.infrared is None:
            return Patch(self.pixels, valid, grid)
        nir, red = (np.ascontiguousarray(self.infrared[:, :, n]) for n in range(2))
        return Patch(self.pixels, valid, grid, nir, red)


class SceneReader:
    """One open raster. Not to be shared between threads: each opens its own.

    `gsd_m` is the ground size of a pixel in metres of a picture without georeference (PNG, JPEG, TIFF without CRS),
    whose grid then has no CRS; a raster with georeference keeps its own. Grey is repeated, of more than three bands
    those marked red, green, blue are read, else the first three. Values that are not 8 bit are scaled per band
    between the 2nd and the 98th percentile of the whole scene, taken once from an overview.

    A pixel is not valid outside the raster, under declared nodata, mask or alpha (below one half), where a value is
    not finite, and in a black collar: values up to 2 in an area joined to the raster's edge, in rasters that declare
    no mask. Other black pixels are valid.

    Near infrared is the band `nir_band` (counted from 1), else the one marked or described as such, else the fourth
    of red, green, blue and one more that is marked as nothing else; see `Bands`.

    Raises SceneError where the file cannot be read, has no georeference and no `gsd_m`, or no band `nir_band`.
    """

    grid: Grid

    def __init__(self, path: Path | str, *, gsd_m: float | None = None, nir_band: int | None = None) -> None:
        self.path = path
        self._dataset = opening.open_raster(path)
        try:
            with opening.reading_from(path):
                self.grid = self._native_grid(gsd_m)
                self._bands = Bands.of(self._dataset, nir_band)
        except SceneError:
            self.close()
            raise

    @classmethod
    def of(cls, scene: Scene) -> SceneReader:
        """The reader of a scene of the ledger, whose STAC item can tell which band is near infrared."""
        return cls(scene.uri, nir_band=stac.nir_band(scene.stac) if scene.stac else None)

    @property
    def has_nir(self) -> bool:
        """Whether the patches that are read carry near infrared."""
        return self._bands.nir is not None

    def __enter__(self) -> SceneReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the raster; reading afterwards is an error."""
        self._dataset.close()

    def read(self, grid: Grid) -> Patch:
        """The scene on `grid`, which may reach past the raster; memory grows with `grid`, not with the scene.

        One lattice: a plain read. Same CRS, other pixel size: GDAL's resampled read (area average from overviews when
        `grid` is coarser, cubic when it is finer). Anything else: coordinates by control net, then `cv2.remap`, whose
        kernel is a cubic of the width of the coarser of the two pixels; see `warping`. Overviews are used where
        `grid` is coarser than they are.
        """
        if (grid.crs is None) != (self.grid.crs is None):
            raise SceneError("only one of scene and grid has a CRS", where=self.path, remedy="Give both or neither.")
        step = self._lattice_step(grid)
        if step is None:
            planes = self._warped(grid)
        elif (step.a, step.e) == (1, 1):
            planes = self._copied(grid, step)
        else:
            planes = self._scaled(grid, step)
        valid = planes.valid
        if not self._bands.declares_validity:
            valid = valid & ~self._collar_in(planes.pixels, grid)
        return planes.patch(valid, grid)

    def overview(self, side_px: int = band_rules.OVERVIEW_SIDE_PX) -> Patch:
        """The whole scene, its longer side at most `side_px` pixels."""
        factor = max(max(self.grid.shape) / side_px, 1.0)
        width, height = (max(int(n / factor), 1) for n in (self.grid.width, self.grid.height))
        scaling = Affine.scale(self.grid.width / width, self.grid.height / height)
        return self.read(Grid(self.grid.crs, self.grid.transform * scaling, width, height))

    def _native_grid(self, gsd_m: float | None) -> Grid:
        dataset = self._dataset
        if opening.is_georeferenced(dataset) or gsd_m is None:
            return opening.georeferenced_grid(dataset)
        return Grid(None, Affine.scale(gsd_m), dataset.width, dataset.height)

    def _lattice_step(self, grid: Grid) -> Affine | None:
        """Target pixels → source pixels where both are north-up in one CRS and GDAL can read it alone; else None.

        A step of exactly (1, 1) has whole offsets: a plain copy. One of that size with a fraction is left to the warp.
        """
        if not warping.same_crs(grid.crs, self.grid.crs):
            return None
        step: Affine = ~self.grid.transform * grid.transform
        if abs(step.b) * grid.height > SAME_LATTICE_PX or abs(step.d) * grid.width > SAME_LATTICE_PX:
            return None
        if max(abs(step.a - 1) * grid.width, abs(step.e - 1) * grid.height) < SAME_LATTICE_PX:
            col, row = round(step.c), round(step.f)
            whole = max(abs(step.c - col), abs(step.f - row)) < SAME_LATTICE_PX
            return Affine.translation(col, row) if whole else None
        if min(step.a, step.e) <= 0 or (step.a < 1) != (step.e < 1):
            return None
        return step

    def _copied(self, grid: Grid, step: Affine) -> _Planes:
        col, row = int(step.c), int(step.f)
        return self._placed(grid, step, Window(-col, -row, self.grid.width, self.grid.height), Resampling.nearest)

    def _scaled(self, grid: Grid, step: Affine) -> _Planes:
        """GDAL's read of the target pixels that lie wholly inside the raster."""
        spans = zip((step.c, step.f), (step.a, step.e), (self.grid.width, self.grid.height), strict=True)
        (col, width), (row, height) = (_whole_pixels(offset, scale, length) for offset, scale, length in spans)
        resampling = Resampling.average if step.a > 1 else Resampling.cubic
        return self._placed(grid, step, Window(col, row, width, height), resampling)

    def _placed(self, grid: Grid, step: Affine, covered: Window, resampling: Resampling) -> _Planes:
        """Read the part of `grid` inside `covered` (target pixels) and set it among empty planes."""
        planes = _Planes.empty(grid.shape, has_infrared=self.has_nir)
        left, top = max(covered.col, 0), max(covered.row, 0)
        right = min(covered.col + covered.width, grid.width)
        bottom = min(covered.row + covered.height, grid.height)
        if right <= left or bottom <= top:
            return planes
        (x0, y0), (x1, y1) = step * (left, top), step * (right, bottom)
        x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, self.grid.width), min(y1, self.grid.height)
        source = rasterio.windows.Window(x0, y0, x1 - x0, y1 - y0)
        part = Window(left, top, right - left, bottom - top)
        planes.set(part.slices, self._source(source, (part.height, part.width), resampling))
        return planes

    def _warped(self, grid: Grid) -> _Planes:
        net = warping.control_net(grid, self.grid)
        samplings = self._samplings(net.scale)
        side = _block_side(net.scale, samplings)
        if max(grid.shape) <= side:
            return self._warped_block(net, *samplings) or _Planes.empty(grid.shape, has_infrared=self.has_nir)
        planes = _Planes.empty(grid.shape, has_infrared=self.has_nir)
        for window in windows(grid.width, grid.height, side, 0):
            inside = Window(
                window.col,
                window.row,
                min(window.width, grid.width - window.col),
                min(window.height, grid.height - window.row),
            )
            net = warping.control_net(grid.window(inside), self.grid)
            block = self._warped_block(net, *self._samplings(net.scale))
            if block is not None:
                planes.set(inside.slices, block)
        return planes

    def _warped_block(self, net: warping.ControlNet, across: Sampling, down: Sampling) -> _Planes | None:
        """One block through its control net; None where it does not touch the raster."""
        left, top, right, bottom = net.bounds
        x0, x1 = across.span(left, right, self.grid.width)
        y0, y1 = down.span(top, bottom, self.grid.height)
        if x1 <= x0 or y1 <= y0:
            return None
        shape = math.ceil((y1 - y0) / down.reduced), math.ceil((x1 - x0) / across.reduced)
        resampling = Resampling.average if shape != (y1 - y0, x1 - x0) else Resampling.nearest
        source = self._source(rasterio.windows.Window(x0, y0, x1 - x0, y1 - y0), shape, resampling)
        x, y = net.coordinates((x0, y0), ((x1 - x0) / shape[1], (y1 - y0) / shape[0]))
        pixels = resample(source.pixels, x, y, across, down)
        infrared = None if source.infrared is None else resample(source.infrared, x, y, across, down)
        return _Planes(pixels, resample_valid(source.valid, x, y, across, down), infrared)

    def _samplings(self, scale: tuple[float, float]) -> tuple[Sampling, Sampling]:
        """How the warp samples along the source's x and y; of the overviews the coarsest that is not too coarse."""
        fitting = (factor for factor in self._overviews if factor <= min(scale) * OVERVIEW_SLACK)
        overview = max(fitting, default=1)
        across, down = (sampling(s, overview) for s in scale)
        return across, down

    @cached_property
    def _overviews(self) -> list[int]:
        with opening.reading_from(self.path):
            return list(self._dataset.overviews(self._bands.indexes[0]))

    def _source(self, window: rasterio.windows.Window, shape: tuple[int, int], resampling: Resampling) -> _Planes:
        """A window of the raster, resampled to `shape` by GDAL; its pixels hold until the thread reads the next."""
        if self._bands.palette is not None:
            resampling = Resampling.nearest  # entries of a palette have no mean
        values, valid = self._values(window, shape, resampling, is_passing=True)
        colours = values[: len(self._bands.indexes)]
        if self._stretch is not None:
            colours = self._stretch.apply(colours)
        return _Planes(band_rules.as_rgb(colours, self._bands.palette), valid, self._bands.infrared(values))

    def _values(
        self,
        window: rasterio.windows.Window,
        shape: tuple[int, int],
        resampling: Resampling,
        *,
        is_passing: bool = False,
    ) -> tuple[StoredValues, NDArray[np.bool_]]:
        """Values (bands, H, W) as they are stored, near infrared the last of them, and their validity (H, W).

        Those of a passing read hold until the thread's next.
        """
        bands = self._bands
        read = bands.read
        kinds = {self._dataset.dtypes[band - 1] for band in read}
        if is_passing and kinds == {"uint8"}:
            place: dict[str, Any] = {"out": kept("values", (len(read), *shape), np.uint8)}
        else:
            place = {"out_shape": (len(read), *shape)}
        with opening.reading_from(self.path):
            values = self._dataset.read(list(read), window=window, resampling=resampling, **place)
            valid = _finite(values)
            if bands.alpha is not None:
                alpha = self._dataset.read(bands.alpha, window=window, out_shape=shape, resampling=resampling)
                valid &= alpha > np.iinfo(alpha.dtype).max / 2 if alpha.dtype.kind in "ui" else alpha > 0
            if bands.masked:
                masks = self._dataset.read_masks(
                    list(bands.indexes), window=window, out_shape=(len(bands.indexes), *shape), resampling=resampling
                )
                valid &= masks.max(axis=0) >= 128
        return values, valid

    @cached_property
    def _stretch(self) -> Stretch | None:
        if not band_rules.needs_stretch(self._dataset, self._bands):
            return None
        values, valid = self._sample
        return Stretch.of_values(values[: len(self._bands.indexes)], valid & ~self._collar)

    @cached_property
    def _sample(self) -> tuple[StoredValues, NDArray[np.bool_]]:
        """Stored values of the whole scene, thinned out to the overview's size."""
        whole = rasterio.windows.Window(0, 0, self.grid.width, self.grid.height)
        factor = max(max(self.grid.shape) / band_rules.OVERVIEW_SIDE_PX, 1.0)
        shape = max(int(self.grid.height / factor), 1), max(int(self.grid.width / factor), 1)
        return self._values(whole, shape, Resampling.nearest)

    @cached_property
    def _collar(self) -> NDArray[np.bool_]:
        """The scene's collar on its overview; none where the raster declares what is valid."""
        values, _ = self._sample
        if self._bands.declares_validity:
            return np.zeros(values.shape[1:], bool)
        return scene_collar(values[: len(self._bands.indexes)])

    def _collar_in(self, pixels: NDArray[np.uint8], grid: Grid) -> NDArray[np.bool_]:
        least = COLLAR_SHARE * pixels.shape[0] * pixels.shape[1]
        _, dark = cv2.threshold(pixels.reshape(len(pixels), -1), COLLAR_BLACK, 1, cv2.THRESH_BINARY_INV)
        if cv2.countNonZero(dark) < 3 * least:  # single values: three times as fast as whole pixels
            return np.zeros(grid.shape, bool)
        black = np.asarray(cv2.inRange(pixels, np.zeros(3, np.uint8), np.full(3, COLLAR_BLACK, np.uint8)), np.uint8)
        if cv2.countNonZero(black) < least or not self._collar.any():
            return np.zeros(grid.shape, bool)
        return in_collar(black > 0, grid, self._collar, self.grid)


def _finite(values: StoredValues) -> NDArray[np.bool_]:
    """Pixels (H, W) whose every band is a number."""
    if values.dtype.kind in "ui":
        return np.ones(values.shape[1:], bool)
    return np.asarray(np.isfinite(values).all(axis=0))


def _block_side(scale: tuple[float, float], samplings: tuple[Sampling, Sampling]) -> int:
    """Side of the blocks of a warped read, smaller where there are many source pixels to one of the grid."""
    read = max(s / axis.reduced for s, axis in zip(scale, samplings, strict=True))
    return max(min(WARP_BLOCK_PX, int(WARP_SOURCE_PX / max(read, 1))), SQUARE_PX // 2)


def _whole_pixels(offset: float, scale: float, length: int) -> tuple[int, int]:
    """First target pixel and count of those that lie wholly within `length` source pixels of a line."""
    first = math.ceil(-offset / scale - SAME_LATTICE_PX)
    end = math.floor((length - offset) / scale + SAME_LATTICE_PX)
    return first, max(end - first, 0)
