"""Draw labelled pairs with seeds that no training uses, as a folder that `cvpipe evaluate` reads.

python scripts/draw_dataset.py OUT [--pairs 12] [--first-seed 50000] [--side 768]
cvpipe evaluate cvpipe-s OUT
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import yaml

from cvpipe.domain import Surface
from cvpipe.world import DrawnPatch, draw_patch

NAME = "drawn"


def main() -> None:
    """Draw the pairs and describe them in `dataset.yaml`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--first-seed", type=int, default=50_000)
    parser.add_argument("--side", type=int, default=768, help="pixels of 0.3 m")
    args = parser.parse_args()
    for seed in range(args.first_seed, args.first_seed + args.pairs):
        _write(args.out, f"drawn_{seed}", draw_patch(seed, size_px=args.side))
    (args.out / "dataset.yaml").write_text(yaml.safe_dump(_description(), sort_keys=False), encoding="utf-8")
    print(f"{args.pairs} pairs in {args.out}")


def _write(out: Path, stem: str, patch: DrawnPatch) -> None:
    before, after = patch.epochs
    same = before.structure_id == after.structure_id
    pictures = {
        "A": cv2.cvtColor(before.pixels, cv2.COLOR_RGB2BGR),
        "B": cv2.cvtColor(after.pixels, cv2.COLOR_RGB2BGR),
        "label_removed": ((before.structure_id > 0) & ~same).astype(np.uint8) * 255,
        "label_added": ((after.structure_id > 0) & ~same).astype(np.uint8) * 255,
        "surface_after": after.surface,
    }
    for folder, pixels in pictures.items():
        (out / folder).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(out / folder / f"{stem}.png"), pixels)


def _description() -> dict[str, object]:
    yes_no = {0: "no", 255: "yes"}
    return {
        "name": NAME,
        "folder": ".",
        "kind": "pairs",
        "gsd_m": 0.3,
        "provenance": "drawn",
        "licence": "drawn by cvpipe",
        "labels": [
            {"folder": "label_removed", "changes": ["structure_removed"], "values": yes_no},
            {"folder": "label_added", "changes": ["structure_added"], "values": yes_no},
            {
                "folder": "surface_after",
                "epoch": "after",
                "values": {int(s): s.name.lower() for s in Surface if s is not Surface.NO_DATA},
            },
        ],
    }


if __name__ == "__main__":
    main()
