"""How fast a ledger takes sites in and answers, by store and size, and how that grows.

python -m scripts.benchmark_ledger [--sizes 1000 10000 100000] [--stores geopackage postgres] [--url URL]

For each size a GeoPackage of sites (five-cornered, scattered over one degree) is drawn, then read and imported as
`cvpipe sites import` does it: read_sites, then put_sites in one transaction with versions and audit rows. A window
holds some 25 sites whatever the size; it and the summary by owner system are the median of repeated calls. `wall` is
what a clock shows, `cpu` what this process used (a server's own work is in `wall` only): on a machine that does other
things as well, the truth lies between them. `growth` is the exponent of the time by size; 1 is linear.

Without --url, `postgres` is a server of its own on loopback with PostgreSQL's own settings, fsync included.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyogrio
import shapely

from cvpipe.ledger import Ledger, read_sites
from tests.ledger.postgres import running_server

_WEST, _SOUTH, _SIDE = 116.0, 39.0, 1.0  # degrees
_SITES_IN_WINDOW = 25
_REPEATS = 30


@dataclass(frozen=True)
class Measured:
    """One store at one size: seconds, but for `window_ms` and `summary_ms`; `peak_mb` is that of the process so far."""

    store: str
    sites: int
    read_s: float
    put_s: float
    cpu_s: float
    window_ms: float
    summary_ms: float
    peak_mb: float


def main() -> None:
    """Measure, and print a table and the growth of each store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--stores", nargs="+", choices=("geopackage", "postgres"), default=["geopackage", "postgres"])
    parser.add_argument("--url", help="an empty database instead of a server of its own; takes one size")
    args = parser.parse_args()
    if args.url and len(args.sizes) > 1:
        parser.error("--url is one empty database: give one size with --sizes")
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, seed 0")
    print("store           sites  read s   put s  wall s   cpu s  window ms  summary ms  peak MB")
    for store in args.stores:
        print_growth([_told(measured) for measured in measure(store, sorted(args.sizes), args.url)])


def measure(store: str, sizes: Sequence[int], url: str | None) -> Iterator[Measured]:
    """Each size in turn, in a new ledger."""
    with tempfile.TemporaryDirectory() as name, _places(store, Path(name), url) as new_place:
        for size in sizes:
            file = draw_sites(Path(name) / f"sites-{size}.gpkg", size)
            with Ledger.create(new_place(size)) as ledger:
                yield measure_one(store, ledger, file, size)


def measure_one(store: str, ledger: Ledger, file: Path, size: int) -> Measured:
    """Import a file, then ask."""
    cpu, start = time.process_time(), time.perf_counter()
    found = read_sites(file)
    read = time.perf_counter()
    assert not found.refused, found.refused[:3]
    added = ledger.put_sites(found.sites, source=file.name, stated=found.stated).added
    end, cpu = time.perf_counter(), time.process_time() - cpu
    assert len(added) == size
    windows = iter(_windows(size))
    window_ms = _median_ms(lambda: ledger.sites_in(next(windows)), _REPEATS)
    summary_ms = _median_ms(ledger.totals_by_owner_system, 5)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measured(store, size, read - start, end - read, cpu, window_ms, summary_ms, peak_mb)


def draw_sites(path: Path, count: int) -> Path:
    """A GeoPackage of sites: small pentagons, Chinese names, nine owner systems."""
    rng = np.random.default_rng(0)
    corners = np.array([(0, 0), (1, 0.2), (1, 0.8), (0.5, 1), (-0.2, 0.5), (0, 0)]) * 5e-4
    places = np.array([_WEST, _SOUTH]) + rng.random((count, 1, 2)) * _SIDE
    fields = {
        "code": np.array([f"SJS-{number:07d}" for number in range(count)], dtype=object),
        "name": np.array([f"北院 {number}" for number in range(count)], dtype=object),
        "owner_system": np.array([f"系统 {number % 9}" for number in range(count)], dtype=object),
        "land_area_m2": np.round(rng.uniform(500, 5000, count), 1),
    }
    pyogrio.raw.write(
        path,
        shapely.to_wkb(shapely.polygons(places + corners)),
        list(fields.values()),
        list(fields),
        layer="sites",
        geometry_type="Polygon",
        crs="EPSG:4326",
    )
    return path


def print_growth(all_measured: Sequence[Measured]) -> None:
    """The slope of log time over log size, least squares."""
    if len(all_measured) > 1:
        sizes = np.log([measured.sites for measured in all_measured])
        exponent = np.polyfit(sizes, np.log([measured.cpu_s for measured in all_measured]), 1)[0]
        print(f"{all_measured[0].store}: import grows as sites^{exponent:.2f} (cpu seconds)")


@contextmanager
def _places(store: str, folder: Path, url: str | None) -> Iterator[Callable[[int], Path | str]]:
    if store == "geopackage":
        yield lambda size: folder / f"ledger-{size}.gpkg"
    elif url is not None:
        yield lambda _: url
    else:
        with running_server(durable=True) as server:
            yield lambda size: server.create_database(f"ledger_{size}")


def _told(measured: Measured) -> Measured:
    m = measured
    print(
        f"{m.store:<10} {m.sites:>10,} {m.read_s:7.1f} {m.put_s:7.1f} {m.read_s + m.put_s:7.1f} {m.cpu_s:7.1f}"
        f" {m.window_ms:10.1f} {m.summary_ms:11.0f} {m.peak_mb:8.0f}",
        flush=True,
    )
    return measured


def _windows(size: int) -> Iterator[tuple[float, float, float, float]]:
    rng, side = np.random.default_rng(1), _SIDE * (_SITES_IN_WINDOW / size) ** 0.5
    while True:
        left, bottom = np.array([_WEST, _SOUTH]) + rng.random(2) * max(_SIDE - side, 0)
        yield float(left), float(bottom), float(left + side), float(bottom + side)


def _median_ms(call: Callable[[], object], repeats: int) -> float:
    def once() -> float:
        start = time.perf_counter()
        call()
        return (time.perf_counter() - start) * 1e3

    return statistics.median(once() for _ in range(repeats))


if __name__ == "__main__":
    main()
