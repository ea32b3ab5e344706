"""What bringing the epochs to one light does to the network's answers, on real pairs with labelled change.

python scripts/benchmark_light.py [MODEL] [--only NAME]... [--disturbed] [--limit N]

The later epoch is brought to the light of the earlier one by each of the ways that `light:` in `cvpipe.yaml` and
`cvpipe detect --light` know (`cvpipe.imagery.radiometry`), and the network's changes are held against the labels:
precision, recall and F1 of pixels and of objects, with the bootstrap interval over places, and false alarms. With
--disturbed the later epoch is made darker and yellower first (gamma 1.5, gain 0.85, red +6 %, blue -8 %), as a low sun
makes it.

Without --only it looks at the three public sets that are for figures. They do not choose the default: what is looked at
for that are sets with other provenance, by --only (see docs/benchmarks.md).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np

from cvpipe.imagery.radiometry import matched
from cvpipe.imagery.reading import Patch
from cvpipe.network.bundle import load_bundle
from cvpipe.settings import Light
from cvpipe.train.answers import Answer, Method, NetworkMethod
from cvpipe.train.evaluation import evaluate
from cvpipe.train.folders import read_dataset
from cvpipe.train.scoreboard import markdown

DESCRIPTIONS = Path(__file__).resolve().parents[1] / "configs" / "datasets"
FIGURES = ("fotbcd_public", "levir_public", "xbd_public")


@dataclass(frozen=True)
class InOneLight:
    """A method that is shown the later epoch in the light of the earlier one."""

    method: Method
    light: Light
    disturbed: bool

    @property
    def name(self) -> str:
        """The way of matching."""
        return self.light

    @property
    def digest(self) -> str:
        """That of the method."""
        return self.method.digest

    @property
    def gsd_m(self) -> float | None:
        """The pixel size that the method wants, m."""
        return self.method.gsd_m

    def answer(self, before: Patch, after: Patch) -> Answer:
        """The method's answer."""
        later = low_sun(after) if self.disturbed else after
        return self.method.answer(before, matched(later, before, self.light))


def low_sun(patch: Patch) -> Patch:
    """The patch darker, with more contrast, and yellower."""
    lit = 255 * (patch.pixels / 255.0) ** 1.5 * 0.85 * np.array([1.06, 1.0, 0.92])
    return replace(patch, pixels=np.clip(np.rint(lit), 0, 255).astype(np.uint8))


def main() -> None:
    """Print a table for each set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="cvpipe-s")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this set (repeatable)")
    parser.add_argument("--disturbed", action="store_true", help="with the later epoch made darker and yellower")
    parser.add_argument("--limit", type=int, metavar="N", help="at most N pairs of each set")
    args = parser.parse_args()
    network = load_bundle(args.model)
    plain = NetworkMethod(network, network.temperatures)
    ways = [InOneLight(plain, light, args.disturbed) for light in get_args(Light)]
    for name in args.only or FIGURES:
        dataset = read_dataset(DESCRIPTIONS / f"{name}.yaml")
        print(markdown([evaluate(dataset, ways, limit=args.limit)]), flush=True)


if __name__ == "__main__":
    main()
