"""Cores or GPUs, hours and cost for an area, from a rate that was measured.

python -m scripts.size_district --mpx-per-second 2.7 --gsd 0.5 --km2 1000 --price-per-core-hour 0.04

A megapixel is one of ground, seen at both epochs, in pixels of the network: 1,000 km² at 0.5 m are 4,000 of them. The
rate is that of one unit: of so many cores as `--cores-per-unit` says. `--share` is the part of the area that is looked
at, since a run without --sweep reads the ground of sites alone; `--efficiency` what is left of the rate of one unit
when many work.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass

#: Units that the table shows.
UNITS = (1, 2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True)
class Question:
    """An area, how much of it is looked at, and what one unit does and costs."""

    km2: float
    gsd_m: float
    share: float
    mpx_per_s: float
    efficiency: float
    cores: float
    price_per_core_hour: float

    @property
    def megapixels(self) -> float:
        """Ground that is looked at, in Mpx."""
        return self.km2 * self.share / self.gsd_m**2

    def hours(self, units: int) -> float:
        """Wall time. One unit alone loses nothing to the others."""
        rate = self.mpx_per_s * units * (self.efficiency if units > 1 else 1.0)
        return self.megapixels / rate / 3600

    def cost(self, units: int) -> float:
        """What the units cost for that time, in the currency of the price."""
        return self.hours(units) * units * self.cores * self.price_per_core_hour

    def units_within(self, hours: float) -> int:
        """The fewest units that are done in so many hours."""
        if self.hours(1) <= hours:
            return 1
        return max(2, math.ceil(self.hours(1) / hours / self.efficiency))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    args = _parser().parse_args(arguments)
    asked = Question(
        args.km2,
        args.gsd,
        args.share,
        args.mpx_per_second,
        args.efficiency,
        args.cores_per_unit,
        args.price_per_core_hour,
    )
    print("\n".join(lines(asked, args.within)))


def lines(asked: Question, within_h: float) -> list[str]:
    """The table, and how many units it takes to be done in time."""
    head = (
        f"{asked.km2:,.0f} km² at {asked.gsd_m:g} m, {asked.share:.0%} of it looked at: {asked.megapixels:,.0f} Mpx; "
        f"{asked.mpx_per_s:g} Mpx/s per {asked.cores:g} cores"
    )
    rows = [
        f"| {units} | {units * asked.cores:g} | {asked.hours(units):,.2f} | {asked.cost(units):,.2f} |"
        for units in UNITS
    ]
    units = asked.units_within(within_h)
    return [
        head,
        "",
        "| units | cores | hours | cost |",
        "|---|---|---|---|",
        *rows,
        "",
        f"done within {within_h:g} h: {units:,} x {asked.cores:g} cores, {asked.hours(units):,.1f} h, "
        f"cost {asked.cost(units):,.2f}",
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mpx-per-second", type=_positive, required=True, help="measured rate of one unit")
    parser.add_argument("--gsd", type=_positive, required=True, help="ground size of a pixel of the network, m")
    parser.add_argument("--km2", type=_positive, default=1000.0)
    parser.add_argument("--share", type=_positive, default=1.0, help="part of the area that is looked at, 0..1")
    parser.add_argument(
        "--efficiency", type=_positive, default=0.9, help="of each unit where several work; an assumption"
    )
    parser.add_argument("--cores-per-unit", type=_positive, default=2.0)
    parser.add_argument("--price-per-core-hour", type=_positive, required=True, help="in any currency; your provider's")
    parser.add_argument("--within", type=_positive, default=8.0, help="hours in which it should be done")
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if not (value > 0 and math.isfinite(value)):
        raise argparse.ArgumentTypeError("must be above zero")
    return value


if __name__ == "__main__":
    main()
