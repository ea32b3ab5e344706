"""Calibrate a bundle anew on the held-out places of a training job, into another folder; nothing is trained.

    python -m scripts.recalibrate models/cvpipe-s configs/train/release-s.yaml --out .cache/recalibrated

Offsets, temperatures and decisions are chosen as at the end of `cvpipe train`; weights and card stay as they are.
Sources that are never held out (self-labelled scenes) are not read.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from cvpipe.cli import console
from cvpipe.errors import UsageError
from cvpipe.network.bundle import CARD, ITEM, find_bundle, read_module, write_bundle
from cvpipe.settings import read_settings
from cvpipe.train.calibration import COLUMNS, ERROR_COLUMNS, calibrate
from cvpipe.train.materials import materials_of
from cvpipe.train.release import bundle_settings, golden_pair, unseen_pairs
from cvpipe.train.settings import GuessedSource, TrainSettings

#: What an item says of the training, which stays.
KEPT = ("license", "mlm:pretrained", "mlm:pretrained_source", "cvpipe:training")


def main(argv: Sequence[str] | None = None) -> int:
    """Calibrate, tell what was chosen, write the bundle. Exit codes as those of `cvpipe`."""
    args = _arguments().parse_args(argv)
    try:
        _recalibrate(args.bundle, read_settings(args.config, TrainSettings), args.out, args.work / "drawn")
    except UsageError as error:
        print(f"recalibrate: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", help="name or folder")
    parser.add_argument("config", type=Path, help="settings of the job that trained it")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the new bundle")
    parser.add_argument("--work", type=Path, default=Path(".cache/train"), help="folder of drawn patches")
    return parser


def _recalibrate(bundle: str, settings: TrainSettings, out: Path, cache: Path) -> None:
    folder = find_bundle(bundle)
    network = read_module(folder)
    sources = tuple(source for source in settings.sources if not isinstance(source, GuessedSource))
    settings = settings.model_copy(update={"sources": sources})
    _, held = materials_of(settings, cache)
    found = calibrate(network, unseen_pairs(held, settings), settings.gsd_m)
    console.print_table(f"Chosen on {found.pairs} held-out pairs", COLUMNS, found.rows())
    console.print_table("Calibration error on every other of them", ERROR_COLUMNS, found.errors())
    item = json.loads((folder / ITEM).read_text(encoding="utf-8"))
    kept = {key: item["properties"][key] for key in KEPT if key in item["properties"]}
    card = (folder / CARD).read_text(encoding="utf-8")
    chosen = bundle_settings(network.design, settings, found)
    write_bundle(out, network, chosen, golden_pair(settings.gsd_m), {**kept, **found.properties()}, card)
    console.out.print(f"bundle: {out}", soft_wrap=True, markup=False)


if __name__ == "__main__":
    sys.exit(main())
