"""How fast the whole chain is against the bare network, and against what people would write instead.

python -m scripts.benchmark_run [cvpipe-s] [--side 2048] [--sites 10 100] [--gigapixels] [--threads 2] [--only PART …]

bare      The network alone on tiles that lie in memory, of the size that the chain gives it; in Mpx of a pair.
chain     `detect` on two drawn JPEG COGs: alignment, reading, network, blending, changes.tif, polygons, preview; then
          the polygons into a ledger as candidates. Told as a share of the bare network's rate, once by the ground
          covered, once by the pixels that the network saw: what tiles share is seen twice.
others    The same network on the same rasters, as it is used elsewhere:
          rasterio   windows of one tile that overlap by half, read one by one, probabilities averaged in arrays of the
                     whole scene (the loop that goes with segmentation-models-pytorch)
          sampler    torchgeo's loop written out with rasterio: GridGeoSampler over both scenes at a stride of half a
                     tile, each sample read through a WarpedVRT as RasterDataset does, stitched in arrays (torchgeo
                     itself is not installed)
          whole      both scenes read as arrays and given to the network at once
          None of them aligns, judges usability or writes anything. Ours is `chain`, which does.
sites     `cvpipe run` over sites that lie on a lattice: seconds, the share of the scenes that the sites need, and the
          share of the time that both whole scenes take; then the exponent of seconds against sites (1 is linear).
          Those that lie close share their ground: `--spacing` in metres.
memory    The run over the same sites again with a second later scene, the network's work on the baseline kept or not.
peak      Peak memory of `detect` on sparse scenes of so many gigapixels, a process each (`--gigapixels 0.1 1 4`).

Parts are run in one process, so that ratios are of one machine in one state; `--cpu` tells processor time instead of
time by the clock, which is what to look at on a machine that does other things too.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pyproj
import rasterio
import rasterio.windows
import torch
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from shapely.geometry import box, shape

from cvpipe.detect import detect_pair
from cvpipe.detect.prediction import OVERLAP_SHARE, tiles_of
from cvpipe.domain import Candidate, ChangeKind, Site
from cvpipe.geo import WGS84, Window, reproject, transformer
from cvpipe.imagery import SceneReader, describe
from cvpipe.imagery.opening import gdal_environment
from cvpipe.ledger import Workspace
from cvpipe.network.bundle import Network, load_bundle
from cvpipe.run import run
from scripts.benchmark_reading import PLACE, _peak_mb, _scene, _sparse

RGB = NDArray[np.uint8]
PARTS = ("bare", "chain", "others", "sites", "memory", "peak")

#: Days of the drawn scenes, and how far off the later ones lie, pixels.
DAYS = (date(2023, 5, 1), date(2024, 5, 1), date(2025, 5, 1))
SHIFTS = ((0.0, 0.0), (2.3, -1.4), (-1.1, 0.6))
CRS = "EPSG:32650"

#: Side of a site, m; scenes are drawn with pixels of half a metre (`benchmark_reading.GSD_M`).
SITE_M = 60.0


@dataclass(frozen=True)
class Setup:
    """What all parts use: the network, where scenes lie, and the clock."""

    network: Network
    model: str
    folder: Path
    side: int
    clock: Callable[[], float]

    def scene(self, number: int, side: int | None = None) -> Path:
        """A drawn JPEG COG, drawn once."""
        path = self.folder / f"scene{side or self.side}_{DAYS[number]}.tif"
        if not path.exists():
            _scene(path, CRS, side or self.side, shift_px=SHIFTS[number], driver="COG", compress="jpeg")
        return path

    def timed(self, work: Callable[[], object], repeats: int = 1) -> float:
        """Least seconds of the repeats."""
        taken = []
        for _ in range(repeats):
            started = self.clock()
            work()
            taken.append(self.clock() - started)
        return min(taken)


def main() -> None:
    """Print one line per measurement."""
    args = _arguments()
    if args.peak_of:
        print(json.dumps(_peak_of(args.model, *args.peak_of)))
        return
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    clock, unit = (time.process_time, "processor") if args.cpu else (time.perf_counter, "clock")
    print(
        f"{platform.platform()}, {os.cpu_count()} cores, {args.threads} threads, load {os.getloadavg()[0]:.1f}, {unit}"
    )
    parts = args.only or (PARTS if args.gigapixels else PARTS[:-1])
    with tempfile.TemporaryDirectory() as folder, gdal_environment():
        setup = Setup(load_bundle(args.model, "cpu"), args.model, Path(folder), args.side, clock)
        rate = measure_bare(setup, args.repeats)
        chain = measure_chain(setup, rate) if {"chain", "others", "sites"} & set(parts) else math.nan
        if "others" in parts:
            measure_others(setup, chain)
        if "sites" in parts:
            measure_sites(setup, args.sites, args.spacing, chain)
        if "memory" in parts:
            measure_memory(setup, max(args.sites), args.spacing)
        if "peak" in parts:
            measure_peak(setup, args.gigapixels or [0.1])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="cvpipe-s")
    parser.add_argument("--side", type=int, default=2048, help="Pixels along a side of the scenes, of 0.5 m.")
    parser.add_argument("--sites", type=int, nargs="+", default=[10, 100])
    parser.add_argument("--spacing", type=float, default=100.0, help="Metres from site to site (of 60 m).")
    parser.add_argument("--gigapixels", type=float, nargs="*", default=[])
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cpu", action="store_true", help="Processor time of all threads, not the clock's.")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=[])
    parser.add_argument("--peak-of", nargs=1, help=argparse.SUPPRESS)
    return parser.parse_args()


def measure_bare(setup: Setup, repeats: int) -> float:
    """Mpx a second of the network alone, on one tile as the chain cuts them."""
    pixels = round(setup.side * 0.5 / setup.network.gsd_m)
    tile = _tiles(setup.network, pixels)[0]
    before, after = np.random.default_rng(0).integers(0, 256, (2, 1, tile.height, tile.width, 3), dtype=np.uint8)
    setup.network.logits(before, after)
    seconds = setup.timed(lambda: setup.network.logits(before, after), repeats)
    rate = tile.width * tile.height / 1e6 / seconds
    print(f"bare: {rate:.2f} Mpx/s on tiles of {tile.width} × {tile.height} px", flush=True)
    return rate


def measure_chain(setup: Setup, rate: float) -> float:
    """Mpx of ground a second of two files to outputs and ledger."""
    before, after = (setup.scene(number) for number in (0, 1))
    started = setup.clock()
    grid = detect_pair(setup.network, before, after, setup.folder / "out").grid
    _into_ledger(setup.folder / "chain", setup.folder / "out" / "changes.geojson")
    seconds = setup.clock() - started
    ground = grid.width * grid.height / 1e6
    seen = sum(tile.width * tile.height for tile in _tiles(setup.network, grid.width, grid.height)) / 1e6
    own = ground / seconds
    print(
        f"chain: {own:.2f} Mpx/s of ground ({grid.width} × {grid.height} px), {own / rate:.0%} of the bare network by "
        f"ground, {seen / seconds / rate:.0%} by the pixels that it saw (overlap {seen / ground:.2f} x)",
        flush=True,
    )
    return own


def _into_ledger(folder: Path, changes: Path) -> None:
    """The polygons as candidates of a new ledger."""
    features = json.loads(changes.read_text(encoding="utf-8"))["features"]
    found = []
    for feature in features:
        told, outline = feature["properties"], shape(feature["geometry"])
        kind, area, chance = ChangeKind(told["kind"]), told["area_m2"], told["probability"]
        found.append(Candidate(outline, kind, area, chance, DAYS[1], DAYS[1]))
    with Workspace.create(folder).ledger() as ledger:
        ledger.add_candidates(found)


def measure_others(setup: Setup, chain: float) -> None:
    """The same rasters and network as other tools go about it."""
    for name, work in (("rasterio", _by_rasterio), ("sampler", _by_sampler), ("whole", _whole)):
        started = setup.clock()
        rate = work(setup) / 1e6 / (setup.clock() - started)
        print(f"others, {name}: {rate:.2f} Mpx/s of ground; ours is {chain / rate:.1f} x as fast", flush=True)


def _by_rasterio(setup: Setup) -> int:
    """Overlapping windows, resampled to the network's pixel, averaged in arrays of the whole scene."""
    with rasterio.open(setup.scene(0)) as before, rasterio.open(setup.scene(1)) as after:
        return _averaged(setup, [_plain_reader(before, setup), _plain_reader(after, setup)], _size(setup))


def _by_sampler(setup: Setup) -> int:
    """The same through warped virtual rasters, opened anew for each sample as torchgeo's RasterDataset does."""

    def reader(path: Path) -> Callable[[int, int, int], RGB]:
        def read(col: int, row: int, side: int) -> RGB:
            width, height = _size(setup)
            with rasterio.open(path) as dataset:
                transform = dataset.transform * dataset.transform.scale(dataset.width / width, dataset.height / height)
                with WarpedVRT(
                    dataset,
                    crs=dataset.crs,
                    transform=transform,
                    width=width,
                    height=height,
                    resampling=Resampling.bilinear,
                ) as vrt:
                    window = rasterio.windows.Window(col, row, side, side)
                    return np.moveaxis(vrt.read([1, 2, 3], window=window), 0, 2)

        return read

    return _averaged(setup, [reader(setup.scene(0)), reader(setup.scene(1))], _size(setup))


def _whole(setup: Setup) -> int:
    """Both scenes as arrays, given to the network at once."""
    width, height = (side // 32 * 32 for side in _size(setup))
    arrays = []
    for number in (0, 1):
        with rasterio.open(setup.scene(number)) as dataset:
            values = dataset.read([1, 2, 3], out_shape=(3, height, width), resampling=Resampling.bilinear)
            arrays.append(np.ascontiguousarray(np.moveaxis(values, 0, 2))[None])
    answer = setup.network.predict(*arrays)
    answer.surface_before.argmax(1), answer.surface_after.argmax(1)
    return width * height


def _averaged(setup: Setup, readers: list[Callable[[int, int, int], RGB]], size: tuple[int, int]) -> int:
    """Probabilities of tiles at a stride of half a tile, summed up and divided by how often each pixel was seen."""
    (width, height), side = size, setup.network.tile_px
    total, count = np.zeros((18, height, width), np.float32), np.zeros((height, width), np.float32)
    for row in _starts(height, side):
        for col in _starts(width, side):
            tiles = [np.ascontiguousarray(read(col, row, side))[None] for read in readers]
            answer = setup.network.predict(*tiles)
            values = np.concatenate([answer.surface_before[0], answer.surface_after[0], answer.change[0]])
            total[:, row : row + side, col : col + side] += values
            count[row : row + side, col : col + side] += 1
    total /= count
    total[:8].argmax(0), total[8:16].argmax(0)
    return width * height


def _plain_reader(dataset: rasterio.DatasetReader, setup: Setup) -> Callable[[int, int, int], RGB]:
    width, height = _size(setup)
    across, down = dataset.width / width, dataset.height / height

    def read(col: int, row: int, side: int) -> RGB:
        window = rasterio.windows.Window(col * across, row * down, side * across, side * down)
        values = dataset.read([1, 2, 3], window=window, out_shape=(3, side, side), resampling=Resampling.bilinear)
        return np.moveaxis(values, 0, 2)

    return read


def _starts(length: int, side: int) -> list[int]:
    """First pixels of tiles at a stride of half a tile; the last one ends with the scene."""
    return sorted({*range(0, max(length - side, 0), side // 2), max(length - side, 0)})


def _size(setup: Setup) -> tuple[int, int]:
    """The scenes' size in pixels of the network."""
    side = max(round(setup.side * 0.5 / setup.network.gsd_m), setup.network.tile_px)
    return side, side


def measure_sites(setup: Setup, counts: list[int], spacing: float, chain: float) -> None:
    """Runs over ever more sites; the scenes are as large as the most of them need."""
    side = _side_for(max(counts), spacing)
    with SceneReader(setup.scene(0, side)) as reader:
        whole = reader.grid.width * reader.grid.height * (0.5 / setup.network.gsd_m) ** 2 / 1e6
    taken = []
    for count in sorted(counts):
        workspace = _workspace(setup, f"sites{count}", count, spacing, side, days=2)
        told = _run(setup, workspace)
        taken.append(told[0])
        print(
            f"sites {count}: {told[0]:.2f} s, {told[0] / count * 1e3:.0f} ms a site, {told[1]:.2f} Mpx of windows = "
            f"{told[1] / whole:.0%} of the scene; that takes {told[0] / (whole / chain):.0%} of the time of all of it",
            flush=True,
        )
    if len(taken) > 1:
        exponent = float(np.polyfit(np.log(sorted(counts)), np.log(taken), 1)[0])
        print(f"sites: seconds grow with their number to the power of {exponent:.2f}", flush=True)


def measure_memory(setup: Setup, count: int, spacing: float) -> None:
    """A new later scene, the baseline's features kept or not."""
    side = _side_for(count, spacing)
    taken, size = dict[float, tuple[float, float, float]](), 0
    for gigabytes in (0.0, 2.0):
        workspace = _workspace(setup, f"cache{gigabytes:g}", count, spacing, side, days=2, cache_gb=gigabytes)
        first = _run(setup, workspace)
        with workspace.ledger() as ledger:
            ledger.add_scene(replace(describe(setup.scene(2, side)), acquired=DAYS[2]))
        taken[gigabytes] = first[0], _run(setup, workspace)[0], first[1]
        size = sum(path.stat().st_size for path in workspace.cache.rglob("*") if path.is_file())
    (plain_first, plain, mpx), (first_kept, kept, _) = taken[0.0], taken[2.0]
    hectares = mpx * setup.network.gsd_m**2 * 100
    print(
        f"memory: a new scene takes {kept:.2f} s against {plain:.2f} s ({1 - kept / plain:.0%} saved), the first one "
        f"{first_kept:.2f} s against {plain_first:.2f} s; {size / 1e6 / hectares:.2f} MB a hectare of windows",
        flush=True,
    )


def _run(setup: Setup, workspace: Workspace) -> tuple[float, float]:
    """Seconds of a run less those of loading the network, and Mpx of windows."""
    loading = setup.timed(lambda: load_bundle(setup.model, "cpu"))
    began = setup.clock()
    summary = run(workspace)
    assert not summary.failures, summary.failures[:1]
    return max(setup.clock() - began - loading, 1e-3), summary.megapixels


def _workspace(
    setup: Setup, name: str, count: int, spacing: float, side: int, *, days: int, cache_gb: float = 0.0
) -> Workspace:
    workspace = Workspace.create(setup.folder / name)
    text = workspace.settings_path.read_text(encoding="utf-8")
    lines = [f"cache_gb: {cache_gb}" if line.startswith("cache_gb:") else line for line in text.splitlines()]
    lines = [f"model: {setup.model}" if line.startswith("model:") else line for line in lines]
    workspace.settings_path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with workspace.ledger() as ledger:
        ledger.put_sites(_sites(count, spacing, side), source="benchmark")
        for number in range(days):
            ledger.add_scene(replace(describe(setup.scene(number, side)), acquired=DAYS[number]))
    return workspace


def _side_for(count: int, spacing: float) -> int:
    """Pixels of 0.5 m of a scene that shows so many sites with 100 m around."""
    return math.ceil((math.ceil(math.sqrt(count)) * spacing + 200) / 0.5)


def _sites(count: int, spacing: float, side: int) -> list[Site]:
    utm = pyproj.CRS(CRS)
    x, y = transformer(WGS84, utm).transform(*PLACE)
    left, bottom, across = x - side / 4 + 100, y - side / 4 + 100, math.ceil(math.sqrt(count))
    corners = ((left + n % across * spacing, bottom + n // across * spacing) for n in range(count))
    squares = (box(a, b, a + SITE_M, b + SITE_M) for a, b in corners)
    return [Site(f"S{n:06}", reproject(square, utm, WGS84)) for n, square in enumerate(squares)]


def measure_peak(setup: Setup, sizes: list[float]) -> None:
    """Peak memory of a process that compares two scenes of so many gigapixels."""
    for size in sizes:
        path = _sparse(setup.folder / "sparse.tif", round((size * 1e9) ** 0.5))
        command = [sys.executable, "-m", "scripts.benchmark_run", setup.model, "--peak-of", str(path)]
        peak = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(f"peak {size:g} Gpx: {peak['peak']:.0f} MB, {peak['loaded']:.0f} MB with the network alone", flush=True)
        path.unlink()


def _peak_of(model: str, path: str) -> dict[str, float]:
    """Peak memory in MB with the network loaded, and after `detect` of a scene with itself."""
    network = load_bundle(model, "cpu")
    loaded = _peak_mb()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(gdal_environment())
        detect_pair(network, path, path, folder / "out")
    return {"loaded": loaded, "peak": _peak_mb()}


def _tiles(network: Network, width: int, height: int | None = None) -> list[Window]:
    return tiles_of(width, height or width, network.tile_px, network.tile_px // OVERLAP_SHARE)


if __name__ == "__main__":
    main()
