"""Cores or GPUs, hours and cost for an area, from the rate at which runs went.

python -m scripts.size_district --workspace DIR --km2 1000 --price-per-core-hour 0.04
python -m scripts.size_district --mpx-per-second 1.1 --gsd 0.3 --km2 1000 --price-per-core-hour 0.04

With `--workspace` rate, pixel and cores are those of its runs with the bundle and on the device of the last one:
reading, aligning, the network, verdicts and the ledger, as the ledger notes them. Else they are stated.

A megapixel is one of ground, seen at both epochs, in pixels of the network: 1,000 km² at 0.5 m are 4,000 of them. The
rate is that of one unit: of so many cores as `--cores-per-unit` says (of a workspace: those of its machine). `--share`
is the part of the area that is looked at, since a run without --sweep reads the ground of sites alone; `--efficiency`
what is left of the rate of one unit when many work.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cvpipe.ledger import Workspace
from cvpipe.run.estimate import ENOUGH_MPX, speed_of

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
    parser = _parser()
    args = parser.parse_args(arguments)
    if (args.workspace is None) is (args.mpx_per_second is None or args.gsd is None):
        parser.error("give --workspace, or both --mpx-per-second and --gsd")
    unit = measured(args.workspace) if args.workspace else Unit(args.mpx_per_second, args.gsd, 2.0)
    cores = args.cores_per_unit or unit.cores
    asked = Question(args.km2, unit.gsd_m, args.share, unit.mpx_per_s, args.efficiency, cores, args.price_per_core_hour)
    print("\n".join(lines(asked, args.within)))


@dataclass(frozen=True)
class Unit:
    """What one unit does: Mpx of ground a second in pixels of `gsd_m`, on so many cores."""

    mpx_per_s: float
    gsd_m: float
    cores: float


def measured(folder: Path) -> Unit:
    """The unit that the runs of a workspace on one machine were. Raises SystemExit where they tell too little."""
    with Workspace.open(folder).ledger() as ledger:
        runs = [r for r in ledger.runs() if r.counts.get("milliseconds") and r.machine.get("device") != "ray"]
    if not runs:
        raise SystemExit(f"{folder}: no finished run tells a rate; let `cvpipe run` assess some sites first")
    last = runs[-1]
    speed = speed_of(runs, last.bundle_digest, str(last.machine.get("device")))
    if not speed.is_measured:
        raise SystemExit(f"{folder}: its runs saw less than {ENOUGH_MPX:g} Mpx, too little to tell a rate")
    return Unit(round(speed.mpx_per_s, 3), float(last.settings["gsd_m"]), float(last.machine["cores"]))


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
    parser.add_argument("--workspace", type=Path, help="whose runs tell the rate")
    parser.add_argument("--mpx-per-second", type=_positive, help="rate of `cvpipe run` on one unit")
    parser.add_argument("--gsd", type=_positive, help="ground size of a pixel of the network, m")
    parser.add_argument("--km2", type=_positive, default=1000.0)
    parser.add_argument("--share", type=_positive, default=1.0, help="part of the area that is looked at, 0..1")
    parser.add_argument(
        "--efficiency", type=_positive, default=0.9, help="of each unit where several work; an assumption"
    )
    parser.add_argument("--cores-per-unit", type=_positive, help="2 unless told, or the machine's of a workspace")
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
