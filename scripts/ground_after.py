"""What a network calls the ground of unlabelled pairs, and what it calls the ground of structures that it saw go.

    python -m scripts.ground_after NETWORK ... [--folder DIR] [--gsd 0.5] [--light none|moments|histogram]

NETWORK is a bundle: its name or its folder. The folder holds pairs of plain pictures of one name in A/ and B/; the
usual one is joplin_tornado, where a storm left rubble: no masks, so that these are no scores. They show whether rubble
is called rubble where there is some beyond doubt, and what else the later epoch is taken for.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cvpipe.detect.alignment import AlignedPair
from cvpipe.detect.maps import compare
from cvpipe.domain import SURFACES, ChangeKind
from cvpipe.errors import UsageError
from cvpipe.imagery import SceneReader
from cvpipe.network.bundle import Network, load_bundle
from cvpipe.train.scoreboard import Table, as_markdown

Counts = NDArray[np.int64]


def main(argv: Sequence[str] | None = None) -> int:
    """Ask each network, print a table. Exit codes as those of `cvpipe`."""
    args = _arguments().parse_args(argv)
    try:
        rows = [row for name in args.networks for row in _rows(name, load_bundle(name, "cpu"), args)]
    except UsageError as error:
        print(f"ground_after: {error}", file=sys.stderr)
        return error.exit_code
    columns = ("network", "ground", "m²", *(surface.name.lower() for surface in SURFACES))
    print(as_markdown(Table(f"{args.folder.name}, share of the ground by what it is called", columns, tuple(rows))))
    return 0


def _arguments() -> argparse.ArgumentParser:
    shared = Path(os.environ.get("CVPIPE_SHARED", "../shared"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="+", metavar="NETWORK")
    parser.add_argument("--folder", type=Path, default=shared / "realdata" / "eval" / "joplin_tornado")
    parser.add_argument("--gsd", type=float, default=0.5, help="metres a pixel of the pictures")
    parser.add_argument("--light", choices=("none", "moments", "histogram"), default="none")
    return parser


def _rows(name: str, network: Network, args: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    pairs = [(path, args.folder / "B" / path.name) for path in sorted((args.folder / "A").iterdir())]
    found = [_counts(network, before, after, args) for before, after in pairs]
    totals = np.sum([counts for counts, _ in found], axis=0)
    pixel_m2 = found[0][1]
    for ground, counts in zip(("all, before", "all, after", "structure removed, after"), totals, strict=True):
        shares = (f"{share:.1%}" for share in counts / max(counts.sum(), 1))
        yield name, ground, f"{counts.sum() * pixel_m2:,.0f}", *shares


def _counts(network: Network, before: Path, after: Path, args: argparse.Namespace) -> tuple[Counts, float]:
    """Pixels of each surface (3, surfaces): before, after, and after where a structure was removed; and m² a pixel."""
    with SceneReader(before, gsd_m=args.gsd) as one, SceneReader(after, gsd_m=args.gsd) as other:
        pair = AlignedPair.of(one, other, network.gsd_m, args.light)
        maps = compare(network, *pair.read(pair.grid))
    removed = maps.change[ChangeKind.STRUCTURE_REMOVED] == 1
    lots = maps.surface_before, maps.surface_after, maps.surface_after[removed]
    counts = np.stack([np.bincount(lot.ravel(), minlength=256)[: len(SURFACES)] for lot in lots])
    return counts, pair.grid.pixel_area_m2()


if __name__ == "__main__":
    sys.exit(main())
