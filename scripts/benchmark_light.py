"""What bringing the epochs to one light saves, on real pairs with labelled change.

python scripts/benchmark_light.py [--data DIR]

A pixel counts as "different" where its colour differs by more than 40 of 255 grey levels in the mean of the bands: the
plainest detector of change there is. Told are the share of the unchanged ground that is different (false alarms), that
of the labelled change, and the area under the ROC curve over all thresholds (0.5: chance), with the epochs as they
come and with the later one brought to the light of the earlier (`cvpipe.imagery.matched`).
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray

from cvpipe.geo import Grid
from cvpipe.imagery import Patch, matched

DIFFERENT = 40.0
FOLDERS = ("fotbcd_public", "levir_public")


def main() -> None:
    """Print a line per data set and way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("CVPIPE_SHARED", "../shared")) / "realdata" / "eval"
    parser.add_argument("--data", type=Path, default=default)
    args = parser.parse_args()
    for folder in FOLDERS:
        for way in ("as they come", "matched"):
            pairs = [_levels(args.data / folder, path.name, way == "matched") for path in _pictures(args.data / folder)]
            levels = np.concatenate([difference for difference, _ in pairs])
            changed = np.concatenate([label for _, label in pairs])
            print(
                f"{folder} ({len(pairs)} pairs), {way}: different {np.mean(levels[~changed] > DIFFERENT):.1%} of the "
                f"unchanged ground, {np.mean(levels[changed] > DIFFERENT):.1%} of the change; "
                f"ROC area {_roc_area(levels, changed):.3f}"
            )


def _pictures(folder: Path) -> list[Path]:
    return sorted((folder / "A").iterdir())


def _levels(folder: Path, name: str, match: bool) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Difference of every pixel, grey levels, and whether it is labelled as changed."""
    before, after = (_patch(folder / epoch / name) for epoch in "AB")
    if match:
        after = matched(after, before)
    difference = np.abs(after.pixels.astype(np.float32) - before.pixels).mean(axis=2)
    label = np.asarray(cv2.imread(str(folder / "label" / name), cv2.IMREAD_GRAYSCALE)) > 0
    return difference.ravel(), label.ravel()


def _roc_area(levels: NDArray[np.float32], changed: NDArray[np.bool_]) -> float:
    """Probability that a changed pixel differs more than an unchanged one (Mann-Whitney)."""
    bins = np.arange(0, 257)
    one, none = (np.histogram(levels[mask], bins)[0].astype(float) for mask in (changed, ~changed))
    below = np.cumsum(none) - none
    return float(np.sum(one * (below + none / 2)) / one.sum() / none.sum())


def _patch(path: Path) -> Patch:
    pixels = np.ascontiguousarray(np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR), np.uint8)[:, :, ::-1])
    height, width = pixels.shape[:2]
    return Patch(pixels, np.ones((height, width), bool), Grid(None, Affine.identity(), width, height))


if __name__ == "__main__":
    main()
