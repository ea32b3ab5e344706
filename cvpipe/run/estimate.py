"""What a plan would cost: pixels, bytes, and the time that earlier runs took for as much, else a stated default."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cvpipe.imagery import ALIGNMENT_MARGIN_M
from cvpipe.ledger import RunRecord

#: Taken where no earlier run tells: Mpx of each epoch a second. A cautious figure for two processor cores; the first
#: run on the machine at hand replaces it.
DEFAULT_MPX_PER_S = 1.0

#: Earlier runs from which speed is taken, the newest first, and the Mpx that they must have seen together: the start
#: of a run and the rare long pair weigh too much in less.
RECENT_RUNS = 10
ENOUGH_MPX = 5.0

#: Bytes of a decoded pixel: three bands of eight bits. Compressed files send a fifth to a half of it.
BYTES_PER_PIXEL = 3


@dataclass(frozen=True)
class Load:
    """What is read of both epochs together, in pixels of the scenes, and what the network sees, in pixels of its own.

    `megapixels` counts ground once: each pixel of it is seen at two epochs.
    """

    units: int = 0
    read_megapixels: float = 0.0
    megapixels: float = 0.0

    def __add__(self, other: Load) -> Load:
        return Load(
            self.units + other.units,
            self.read_megapixels + other.read_megapixels,
            self.megapixels + other.megapixels,
        )

    @property
    def megabytes(self) -> float:
        """What is read, decoded: no more than that comes from a disk or a server."""
        return self.read_megapixels * BYTES_PER_PIXEL


NOTHING = Load()


@dataclass(frozen=True)
class Speed:
    """Mpx of ground a second, and where the figure comes from."""

    mpx_per_s: float
    basis: str
    is_measured: bool = True

    def seconds(self, load: Load) -> float:
        """How long a load takes."""
        return load.megapixels / self.mpx_per_s


Length = TypeVar("Length", float, NDArray[np.float64])
"""Of one piece of ground, or of many (N,)."""


def to_read(width_m: Length, height_m: Length, gsds: Sequence[float], margin_m: float) -> Length:
    """Mpx that are read of scenes with these ground pixels (m) for ground that is looked at once."""
    wide = _window_m2(width_m, height_m, max(margin_m, ALIGNMENT_MARGIN_M))
    return sum((wide / gsd**2 for gsd in gsds), 0 * wide) / 1e6


def to_think(width_m: Length, height_m: Length, gsd_m: float, margin_m: float) -> Length:
    """Mpx of it that a network with pixels of `gsd_m` sees."""
    return _window_m2(width_m, height_m, margin_m) / gsd_m**2 / 1e6


def speed_of(runs: Iterable[RunRecord], bundle_digest: str, device: str) -> Speed:
    """The speed at which earlier runs with this bundle and device went, reading and writing included."""
    alike = [r for r in runs if r.bundle_digest == bundle_digest and r.machine.get("device") == device]
    told = [r.counts for r in alike if r.counts.get("milliseconds")][-RECENT_RUNS:]
    mpx = sum(counts.get("kilopixels", 0) for counts in told) / 1000
    seconds = sum(counts["milliseconds"] for counts in told) / 1000
    if mpx < ENOUGH_MPX:
        return Speed(DEFAULT_MPX_PER_S, "no earlier run tells: a default", is_measured=False)
    return Speed(mpx / seconds, f"measured in {len(told)} earlier runs")


def _window_m2(width_m: Length, height_m: Length, margin_m: float) -> Length:
    """Its area with a margin on each side, m²."""
    return (width_m + 2 * margin_m) * (height_m + 2 * margin_m)
