"""How fast two epochs are read, warped and aligned on this machine, against GDAL's own warper, and in how much memory.

python scripts/benchmark_reading.py [--only PART …] [--side 6144] [--threads 2] [--repeats 3] [--gigapixels 0.1,1,4]
                                    [--pictures R …]

warp     One block of the reader (coordinates by control net) against a GDAL WarpedVRT of the same file
         with cubic resampling and an alpha band, which tells the validity as the reader does: at several sizes of the
         target's pixel, and turned. Both in one thread, by CPU time, the tries of both in turn. The difference is told
         as the RMS in grey levels, the rim of 8 px left out. With --pictures also on real rasters: on their first
         three bands, stored plainly and without overviews, so that both do the same.
chain    Two JPEG COGs: alignment over the whole scene, then every tile of both epochs read onto the common grid.
         Megapixels are those of the common grid, of both epochs, by the wall clock; the best of the repeats.
memory   Peak memory of a process that reads tiles spread over a sparse raster of so many gigapixels, aligned.

The picture is drawn: noise of several widths with roofs on it, so that nothing needs to be downloaded.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local
from typing import Any

import cv2
import numpy as np
import pyproj
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, Resampling
from rasterio.vrt import WarpedVRT

from cvpipe.detect.alignment import AlignedPair
from cvpipe.geo import WGS84, Grid, Window, transformer, utm_crs, windows
from cvpipe.imagery.opening import gdal_environment
from cvpipe.imagery.reading import Patch, SceneReader

RGB = NDArray[np.uint8]

PARTS = ("warp", "chain", "memory")

#: Where the scenes lie (degrees): the west of Beijing, in UTM zone 50.
PLACE = (116.2, 39.9)
GSD_M = 0.5

#: Later epoch: its content lies this far off, pixels.
SHIFT_PX = (2.3, -1.4)

TILE_PX = 1024

#: Sizes of the target's pixel as multiples of the source's, and directions in degrees.
SCALES = (0.5, 0.7, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0)
TURNS = (30, 45)

#: Tiles that the memory run reads of each raster, whatever its size.
MEMORY_TILES = 24


def main() -> None:
    """Print one line per measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts to measure")
    parser.add_argument("--side", type=int, default=6144, help="pixels along a side of the scenes of the chain")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--gigapixels", default="0.1,1,4")
    parser.add_argument("--pictures", type=Path, nargs="*", default=[], help="real rasters for the warp")
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
    if args.memory_of:
        print(json.dumps(_peak_of_reading(args.memory_of)))
        return
    with tempfile.TemporaryDirectory() as folder, gdal_environment():
        if "warp" in args.only:
            measure_warp(_scene(Path(folder) / "warp.tif", "EPSG:4547", 2048, compress="none"), args.repeats)
            for picture in args.pictures:
                measure_warp(_plain_copy(picture, Path(folder) / picture.name), args.repeats)
        if "chain" in args.only:
            measure_chain(Path(folder), args.side, args.threads, args.repeats)
        if "memory" in args.only:
            measure_memory(Path(folder), [float(size) for size in args.gigapixels.split(",")])


def measure_warp(path: Path, repeats: int) -> None:
    """The reader's warp against GDAL's."""
    cases = [(scale, 0) for scale in SCALES] + [(scale, turn) for turn in TURNS for scale in (1.0, 2.0)]
    with SceneReader(path) as reader, rasterio.open(path) as dataset:
        crs = _other_crs(reader.grid)
        for scale, turn in cases:
            grid = _grid_inside(reader.grid, crs, scale, turn)
            # GDAL takes the ratio of pixel sizes from the source's box, which is too large around a turned target
            ratio = {"XSCALE": 1 / max(scale, 1), "YSCALE": 1 / max(scale, 1)} if turn else {}
            ours, theirs, seconds = _in_turn(reader, dataset, grid, ratio, repeats)
            mpx = grid.width * grid.height / 1e6
            print(
                f"warp {path.name} to {crs.to_string()}, pixel x {scale:g}, {turn}°: {mpx / seconds[0]:.0f} Mpx/s, "
                f"GDAL {mpx / seconds[1]:.0f} Mpx/s, {seconds[1] / seconds[0]:.1f} x; "
                f"RMS {_difference(ours, theirs):.2f} grey levels"
            )


def _in_turn(
    reader: SceneReader, dataset: rasterio.DatasetReader, grid: Grid, ratio: dict[str, float], repeats: int
) -> tuple[Patch, RGB, tuple[float, float]]:
    """What the reader and GDAL read, and the least CPU seconds of each."""
    times: list[tuple[float, float]] = []
    for _ in range(repeats):
        started = time.process_time()
        ours = reader.read(grid)
        between = time.process_time()
        theirs = _by_gdal(dataset, grid, ratio)
        times.append((between - started, time.process_time() - between))
    own, gdals = (min(column) for column in zip(*times, strict=True))
    return ours, theirs, (own, gdals)


def _difference(ours: Patch, theirs: RGB) -> float:
    inner = slice(8, -8), slice(8, -8)
    off = ours.pixels[inner].astype(float) - theirs[inner]
    return float(np.sqrt(np.mean(off[ours.valid[inner]] ** 2)))


def _plain_copy(path: Path, target: Path) -> Path:
    with rasterio.open(path) as dataset:
        profile = {"crs": dataset.crs, "transform": dataset.transform, "dtype": "uint8", "photometric": "RGB"}
        values = dataset.read([1, 2, 3])
    shape = {"count": 3, "height": values.shape[1], "width": values.shape[2]}
    with rasterio.open(target, "w", driver="GTiff", tiled=True, **profile, **shape) as out:
        out.write(values)
    return target


def _other_crs(grid: Grid) -> pyproj.CRS:
    """The UTM zone of a raster's middle; degrees where it lies in that zone itself."""
    assert grid.crs is not None
    middle = transformer(grid.crs, WGS84).transform(*(grid.transform * (grid.width / 2, grid.height / 2)))
    zone = utm_crs(*middle)
    return WGS84 if zone == grid.crs else zone


def _grid_inside(source: Grid, crs: pyproj.CRS, scale: float, turn: float) -> Grid:
    """A grid in another CRS well inside a raster, its pixels `scale` times as large."""
    assert source.crs is not None
    move = transformer(source.crs, crs).transform
    middle = np.array([source.width / 2, source.height / 2])
    here, beside, below = (np.array(move(*(source.transform * tuple(middle + d)))) for d in ((0, 0), (1, 0), (0, 1)))
    pixel = scale * float(np.sqrt(np.linalg.norm(beside - here) * np.linalg.norm(below - here)))
    side = round(0.55 * min(source.shape) / scale)
    turned = Affine.translation(*here) * Affine.rotation(turn) * Affine.scale(pixel, -pixel)
    return Grid(crs, turned * Affine.translation(-side / 2, -side / 2), side, side)


def measure_chain(folder: Path, side: int, threads: int, repeats: int) -> None:
    """Both epochs from JPEG COGs to aligned tiles, without and with reprojection."""
    before = _scene(folder / "before.tif", "EPSG:32650", side, driver="COG", compress="jpeg")
    for crs in ("EPSG:32650", "EPSG:4547"):
        after = _scene(folder / "after.tif", crs, side, shift_px=SHIFT_PX, driver="COG", compress="jpeg")
        rates = [_chain(before, after, threads) for _ in range(repeats)]
        best = max(rates, key=lambda rate: rate[0])
        print(
            f"chain EPSG:32650 + {crs}, {side}² px each, {threads} threads: {best[0]:.0f} Mpx/s "
            f"(aligning alone {best[1]:.2f} s; shift found {best[2][0]:+.2f} {best[2][1]:+.2f} px)"
        )


def measure_memory(folder: Path, sizes: list[float]) -> None:
    """Peak memory of reading from ever larger rasters, a process each."""
    for size in sizes:
        path = _sparse(folder / "sparse.tif", round((size * 1e9) ** 0.5))
        command = [sys.executable, __file__, "--memory-of", str(path)]
        peak = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(
            f"memory {size:g} Gpx: peak {peak['after']:.0f} MB, {peak['after'] - peak['start']:.0f} MB above the start"
        )


def _chain(before: Path, after: Path, threads: int) -> tuple[float, float, tuple[float, float]]:
    """Megapixels of both epochs a second, seconds of the alignment alone, and the shift found."""
    started = time.perf_counter()
    with SceneReader(before) as one, SceneReader(after) as other:
        pair = AlignedPair.of(one, other, GSD_M)
    aligned = time.perf_counter() - started
    own = local()

    def read(window: Window) -> int:
        if not hasattr(own, "pair"):  # readers are not shared between threads
            own.pair = AlignedPair(SceneReader(before), SceneReader(after), pair.grid, pair.registration)
        part = pair.grid.window(window)
        return sum(patch.valid.size for patch in own.pair.read(part))

    with ThreadPoolExecutor(threads) as pool:
        pixels = sum(pool.map(read, windows(pair.grid.width, pair.grid.height, TILE_PX, 0)))
    return pixels / 1e6 / (time.perf_counter() - started), aligned, pair.registration.shift_px


def _peak_of_reading(path: Path) -> dict[str, float]:
    """Peak memory in MB before and after aligned tiles were read, spread over the whole raster."""
    start = _peak_mb()
    with SceneReader(path) as before, SceneReader(path) as after, gdal_environment():
        pair = AlignedPair.of(before, after, GSD_M)
        for n in range(MEMORY_TILES):
            offset = round(n * (pair.grid.width - TILE_PX) / (MEMORY_TILES - 1))
            pair.read(pair.grid.window(Window(offset, offset, TILE_PX, TILE_PX)).shifted(0.5, 0.5))
    return {"start": start, "after": _peak_mb()}


def _peak_mb() -> float:
    """Peak resident memory in MB (Linux; `ru_maxrss` would tell that of the process that started this one)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _by_gdal(dataset: rasterio.DatasetReader, grid: Grid, ratio: dict[str, float]) -> RGB:
    place: dict[str, Any] = {"crs": grid.crs, "transform": grid.transform, "width": grid.width, "height": grid.height}
    has_alpha = ColorInterp.alpha in dataset.colorinterp
    how = {"resampling": Resampling.cubic, "add_alpha": not has_alpha, "num_threads": 1, "tolerance": 0.01}
    with WarpedVRT(dataset, **place, **how, **ratio) as vrt:
        return np.ascontiguousarray(np.moveaxis(vrt.read([1, 2, 3]), 0, 2))


def _scene(
    path: Path, crs: str, side: int, *, shift_px: tuple[float, float] = (0.0, 0.0), driver: str = "GTiff", **how: str
) -> Path:
    """A raster of the drawn town whose middle lies on the place; its content moved by `shift_px`."""
    town = _town(side)
    move = np.array([[1, 0, shift_px[0]], [0, 1, shift_px[1]]])
    moved = np.asarray(cv2.warpAffine(town, move, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT))
    x, y = transformer(WGS84, pyproj.CRS(crs)).transform(*PLACE)
    corner = Affine(GSD_M, 0, x - side * GSD_M / 2, 0, -GSD_M, y + side * GSD_M / 2)
    profile: dict[str, Any] = {"width": side, "height": side, "count": 3, "dtype": "uint8", "crs": crs, "nodata": None}
    plain = path.with_name("plain.tif")
    with rasterio.open(plain, "w", driver="GTiff", transform=corner, tiled=True, photometric="RGB", **profile) as out:
        out.write(np.moveaxis(moved, 2, 0))
    path.unlink(missing_ok=True)
    rasterio.shutil.copy(plain, path, driver=driver, **how)
    plain.unlink()
    return path


def _town(side: int) -> RGB:
    """Ground of soft spots with roofs, repeated in squares of 2,048 px that are each mirrored or turned."""
    rng = np.random.default_rng(7)
    square = min(side, 2048)
    ground = np.full((square, square, 3), 105.0, np.float32)
    for width, strength in ((1.0, 14.0), (8.0, 160.0), (60.0, 900.0)):
        ground += cv2.GaussianBlur(rng.normal(0, strength, ground.shape).astype(np.float32), (0, 0), width)
    for _ in range(square * square // 4000):
        corners = cv2.boxPoints(
            (rng.uniform(0, square, 2).tolist(), rng.uniform(10, 50, 2).tolist(), rng.uniform(0, 90))
        )
        cv2.fillPoly(ground, [np.asarray(corners, np.int32)], rng.uniform(30, 240, 3).tolist(), cv2.LINE_AA)
    one = np.clip(ground, 0, 255).astype(np.uint8)
    times = -(-side // square)
    rows = [np.concatenate([np.rot90(one, r + c) for c in range(times)], axis=1) for r in range(times)]
    return np.ascontiguousarray(np.concatenate(rows)[:side, :side])


def _sparse(path: Path, side: int) -> Path:
    """A raster of that side with pixels along its diagonal only; the rest takes no room on the disk."""
    x, y = transformer(WGS84, pyproj.CRS("EPSG:32650")).transform(*PLACE)
    profile: dict[str, Any] = {"count": 3, "dtype": "uint8", "crs": "EPSG:32650", "tiled": True, "sparse_ok": True}
    corner = Affine(GSD_M, 0, x, 0, -GSD_M, y)
    town = np.moveaxis(_town(TILE_PX), 2, 0)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=side,
        height=side,
        transform=corner,
        photometric="RGB",
        nodata=0,
        compress="deflate",
        bigtiff="yes",
        **profile,
    ) as out:
        for n in range(MEMORY_TILES):
            offset = round(n * (side - TILE_PX) / (MEMORY_TILES - 1))
            out.write(town, window=rasterio.windows.Window(offset, offset, TILE_PX, TILE_PX))
    return path


if __name__ == "__main__":
    main()
