"""Which of several networks does better on the held-out places of a training job: what a release is chosen by.

    python -m scripts.compare_networks configs/train/release-s.yaml cvpipe-s .cache/train/cvpipe-s-second/last.pt
                                       [--pairs 384] [--work .cache/train]

Networks are bundles (name or folder) or checkpoints, asked without calibration at a probability of a half. All see the
same pairs, twice: as the job makes them, and with another view and another sun in every one. Printed are F1 of the
pixels of structures removed and added, the structure IoU of the later epoch, and the share of the ground of unchanged
pairs that is called changed. The pairs are simulated: these figures rank networks, they do not say how good one is.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import torch
from torch import Tensor

from cvpipe.domain import Surface
from cvpipe.errors import UsageError
from cvpipe.network.architecture import Logits, SiameseNetwork
from cvpipe.network.losses import IGNORE
from cvpipe.network.processor import autocast, tune_allocator
from cvpipe.settings import read_settings
from cvpipe.train.checkpoints import averaged_network
from cvpipe.train.loop import hits
from cvpipe.train.materials import materials_of
from cvpipe.train.optimising import picture
from cvpipe.train.pairs import collated
from cvpipe.train.release import unseen_pairs
from cvpipe.train.scoreboard import Table, as_markdown
from cvpipe.train.settings import GuessedSource, TrainSettings

BATCH = 8
CPU = torch.device("cpu")
#: Shares of pairs with another view and another sun: as the job has them (None), and all of them.
LOOKS = {"as in training": None, "another view and sun": 1.0}
COLUMNS = ("pairs", "network", "F1 removed", "F1 added", "structure IoU", "false area, per mille of unchanged")


def main(argv: Sequence[str] | None = None) -> int:
    """Ask each network, print a table. Exit codes as those of `cvpipe`."""
    args = _arguments().parse_args(argv)
    try:
        networks = {name: averaged_network(Path(name)) for name in args.networks}
        settings = read_settings(args.config, TrainSettings)
        rows = [row for look in LOOKS for row in _rows(look, networks, settings, args.pairs, args.work / "drawn")]
    except UsageError as error:
        print(f"compare_networks: {error}", file=sys.stderr)
        return error.exit_code
    print(as_markdown(Table(f"{args.pairs} pairs of held-out places", COLUMNS, tuple(rows))))
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="settings of the job whose held-out places are looked at")
    parser.add_argument("networks", nargs="+", help="bundles or checkpoints")
    parser.add_argument("--pairs", type=int, default=384)
    parser.add_argument("--work", type=Path, default=Path(".cache/train"), help="folder of drawn patches")
    return parser


def _rows(
    look: str, networks: dict[str, SiameseNetwork], settings: TrainSettings, pairs: int, cache: Path
) -> Iterator[tuple[str, ...]]:
    cv2.setNumThreads(0)
    tune_allocator()
    counts = {name: defaultdict[str, list[int]](lambda: [0, 0, 0]) for name in networks}
    unchanged = 0
    for batch in _batches(_looking(settings, LOOKS[look]), pairs, cache):
        for name, network in networks.items():
            with torch.inference_mode(), autocast(CPU):
                logits = network(picture(batch["before"], CPU), picture(batch["after"], CPU))
            for what, found in _counted(logits, batch).items():
                counts[name][what] = [a + b for a, b in zip(counts[name][what], found, strict=True)]
        unchanged += int((batch["change"][_unchanged(batch)] != IGNORE).sum())
    for name, count in counts.items():
        iou, false = _iou(*count["structure"]), 1000 * count["unchanged"][1] / max(unchanged, 1)
        yield look, name, *(f"{_f1(*count[kind]):.3f}" for kind in ("removed", "added")), f"{iou:.3f}", f"{false:.2f}"


def _looking(settings: TrainSettings, share: float | None) -> TrainSettings:
    sources = tuple(source for source in settings.sources if not isinstance(source, GuessedSource))
    other = {} if share is None else {"lean_share": share, "sun_share": share}
    return settings.model_copy(update={"sources": sources, **other})


def _batches(settings: TrainSettings, pairs: int, cache: Path) -> Iterator[dict[str, Tensor]]:
    _, held = materials_of(settings, cache)
    unseen = unseen_pairs(held, settings)
    for first in range(0, pairs, BATCH):
        yield collated([unseen.pair(i).tensors() for i in range(first, min(first + BATCH, pairs))])


def _counted(logits: Logits, batch: dict[str, Tensor]) -> dict[str, list[int]]:
    """Hits, false alarms and misses of one batch, by what they are of."""
    answered, label = logits.change.float() > 0, batch["change"]
    still = _unchanged(batch)
    structure = logits.surface_after.argmax(1) == Surface.STRUCTURE
    return {
        "removed": hits(answered[:, 0], label[:, 0], 1),
        "added": hits(answered[:, 1], label[:, 1], 1),
        "unchanged": hits(answered[still], label[still], 1),
        "structure": hits(structure, batch["surface_after"], Surface.STRUCTURE),
    }


def _unchanged(batch: dict[str, Tensor]) -> Tensor:
    """Which pairs (N) show no change."""
    return ~(batch["change"] == 1).flatten(1).any(1)


def _f1(hit: int, alarm: int, miss: int) -> float:
    return 2 * hit / max(2 * hit + alarm + miss, 1)


def _iou(hit: int, alarm: int, miss: int) -> float:
    return hit / max(hit + alarm + miss, 1)


if __name__ == "__main__":
    sys.exit(main())
