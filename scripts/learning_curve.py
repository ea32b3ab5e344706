"""What fine-tuning on 0, 5, 10, 20 reviewed sites gains on new ground, and what it forgets elsewhere.

    python scripts/learning_curve.py [cvpipe-s] [--counts 0 5 10 20] [--steps 80] [--limit 30] [--no-replay]
                                     [--patches 12] [--threads 2] [--out DIR] [--json FILE]

The new ground is the town of `jonkoping_barnarp`, whose tiles lie on a grid: those of columns 0 to 7 that hold a
structure stand for reviewed sites (their outlines for what people drew), those from column 9 on are scored; the column
between them keeps them apart, and the leakage check of `cvpipe train` is run on both. The settings are those of
configs/train/finetune.yaml with tiles in place of the ledger. Sites are nested: the 10 hold the 5. Thresholds and
calibration stay those of the bundle. Elsewhere is every other described set with real pictures that training never saw.
About 8 minutes on two idle cores with the default values.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import yaml

from cvpipe.domain import Surface
from cvpipe.errors import DatasetError, UsageError
from cvpipe.network.bundle import Network, checked_settings, find_bundle, load_bundle
from cvpipe.settings import read_settings
from cvpipe.train.answers import NetworkMethod
from cvpipe.train.evaluation import evaluate
from cvpipe.train.folders import Dataset, LabelledPicture, read_dataset, read_label, targets_of
from cvpipe.train.loop import train
from cvpipe.train.metrics import Figures, figures
from cvpipe.train.pictures import read_rgb
from cvpipe.train.scoreboard import Table, as_markdown, write_json
from cvpipe.train.scores import main_target
from cvpipe.train.settings import DrawnSource, LabelledSource, LedgerSource, Source, TrainSettings

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
TOWN = CONFIGS / "datasets" / "jonkoping_barnarp.yaml"
FINETUNE = CONFIGS / "train" / "finetune.yaml"
#: Columns of the town's tiles up to which sites are reviewed, and from which on they are scored.
LAST_REVIEWED, FIRST_SCORED = 7, 9
#: Seeds of drawn patches begin here: the first two are among the places that the settings hold out.
FIRST_SEED = 10_008
#: Share of a tile that structures must cover for it to stand for a site.
LEAST_STRUCTURE = 0.01


@dataclass(frozen=True)
class Row:
    """Figures of one network: on the new ground, and by the name of each other set."""

    sites: int
    here: Figures
    elsewhere: dict[str, Figures]


def main(argv: Sequence[str] | None = None) -> int:
    """Fine-tune, score, and print the curve. Exit codes as those of `cvpipe`."""
    args = _arguments().parse_args(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    try:
        with tempfile.TemporaryDirectory() as folder:
            rows = list(_curve(args, Path(folder) if args.out is None else args.out))
    except UsageError as error:
        print(f"learning_curve: {error}", file=sys.stderr)
        return error.exit_code
    print(as_markdown(_table(rows)))
    if args.json:
        write_json(args.json, [{"sites": r.sites, "here": vars(r.here), **_plain(r)} for r in rows])
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="cvpipe-s", help="bundle to start from: name or folder")
    parser.add_argument("--counts", type=int, nargs="+", default=[0, 5, 10, 20], help="numbers of reviewed sites")
    parser.add_argument("--steps", type=int, default=80, help="steps of each fine-tuning")
    parser.add_argument("--limit", type=int, default=30, help="pictures of each set that are scored at most")
    parser.add_argument("--patches", type=int, default=12, help="drawn patches that are replayed, 3 at least")
    parser.add_argument("--no-replay", action="store_true", help="learn from the sites alone, to see what is forgotten")
    parser.add_argument("--threads", type=int, help="processor threads")
    parser.add_argument(
        "--out", type=Path, help="folder of tiles, checkpoints and drawn patches; default: a passing one"
    )
    parser.add_argument("--json", type=Path, help="write all figures there")
    return parser


def _curve(args: argparse.Namespace, folder: Path) -> Iterator[Row]:
    town = read_dataset(TOWN)
    scored = _part(folder / "scored", [p for p in town.pictures if _column(p) >= FIRST_SCORED])
    sites = _sites(town)
    if max(args.counts) > len(sites):
        raise UsageError(f"the town has {len(sites)} tiles for sites", remedy="Ask for fewer with --counts.")
    others = list(_elsewhere())
    for count in args.counts:
        network = load_bundle(args.model, "cpu") if count == 0 else _fine_tuned(args, folder, sites[:count])
        yield Row(count, _score(network, scored, args), {d.name: _score(network, d, args) for d in others})
        print(f"{count} sites: done", file=sys.stderr, flush=True)


def _fine_tuned(args: argparse.Namespace, folder: Path, sites: Sequence[LabelledPicture]) -> Network:
    """The bundle's network after some steps on sites, with the bundle's own thresholds and calibration."""
    tiles = _part(folder / f"sites-{len(sites)}", sites)
    settings = _settings(args, tiles, folder / "scored")
    trained = train(settings, folder / "jobs" / settings.name, device=torch.device("cpu"))
    told, _ = checked_settings(find_bundle(args.model))
    return Network(trained.network, told.model_copy(update={"name": settings.name}), "", torch.device("cpu"))


def _settings(args: argparse.Namespace, tiles: Dataset, scored: Path) -> TrainSettings:
    plain = read_settings(FINETUNE, TrainSettings)
    reviewed = next(source for source in plain.sources if isinstance(source, LedgerSource))
    own = LabelledSource(
        kind="folder",
        folder=tiles.folder,
        weight=reviewed.weight * (100 if args.no_replay else 1),  # the rest stays as what is held out
        gsd_range_m=reviewed.gsd_range_m,
        licence=tiles.licence,
    )
    replayed: list[Source] = [s for s in plain.sources if not isinstance(s, LedgerSource | DrawnSource)]
    fewer = {"first_seed": FIRST_SEED, "patches": args.patches, "size_px": 512}
    drawn = [s.model_copy(update=fewer) for s in plain.sources if isinstance(s, DrawnSource)]
    return plain.model_copy(
        update={
            "name": f"{tiles.name}{'-alone' if args.no_replay else ''}",
            "start_network": find_bundle(args.model),
            "sources": (own, *replayed, *drawn),
            "steps": args.steps,
            "warmup_steps": max(args.steps // 10, 1),
            "validate_every": args.steps,
            "validation_pairs": 32,
            "keep_apart": (scored,),
        }
    )


def _sites(town: Dataset) -> list[LabelledPicture]:
    """Tiles of the reviewed side that hold structures, in an order that their names alone decide."""
    able = [p for p in town.pictures if _column(p) <= LAST_REVIEWED and _structure_share(town, p) >= LEAST_STRUCTURE]
    return sorted(able, key=lambda p: hashlib.sha256(p.stem.encode()).digest())


def _structure_share(town: Dataset, picture: LabelledPicture) -> float:
    (label,) = town.labels
    target = next(t for t in targets_of(label, layout_is_single=True) if t.surface is Surface.STRUCTURE)
    shape = read_rgb(picture.before).shape[:2]
    return float(np.mean(read_label(picture.masks[label.folder], label, target, (shape[0], shape[1])) == 1))


def _column(picture: LabelledPicture) -> int:
    found = re.fullmatch(r".*_(\d+)_(\d+)", picture.stem)
    if found is None:
        raise DatasetError("its name does not end in _ROW_COLUMN", where=picture.before, remedy="Use the town's tiles.")
    return int(found[2])


def _part(folder: Path, pictures: Sequence[LabelledPicture]) -> Dataset:
    """Some pictures of the town as a data set of their own, by links."""
    for picture in pictures:
        for name, path in (("images", picture.before), ("masks", picture.masks["masks"])):
            (folder / name).mkdir(parents=True, exist_ok=True)
            link = folder / name / path.name
            if not link.exists():
                link.symlink_to(path.resolve())
    described = yaml.safe_load(TOWN.read_text(encoding="utf-8"))
    described |= {"name": folder.name, "folder": "."}
    (folder / "dataset.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")
    return read_dataset(folder)


def _elsewhere() -> Iterator[Dataset]:
    for path in sorted((CONFIGS / "datasets").glob("*.yaml")):
        dataset = read_dataset(path)
        if path != TOWN and not dataset.seen_in_training:
            yield dataset


def _score(network: Network, dataset: Dataset, args: argparse.Namespace) -> Figures:
    found = evaluate(dataset, [NetworkMethod(network)], limit=args.limit)
    target = main_target(found)
    assert target is not None, "a network answers every described set"
    return figures(found.scores[0].total(target.name))


def _table(rows: Sequence[Row]) -> Table:
    names = list(rows[0].elsewhere)
    columns = ("sites", "structure IoU here", "object F1 here", *(f"F1 {name}" for name in names), "F1 elsewhere, mean")
    cells = [
        (
            str(row.sites),
            _number(row.here.iou),
            _number(row.here.object_f1),
            *(_number(row.elsewhere[name].f1) for name in names),
            _number(_mean(row)),
        )
        for row in rows
    ]
    return Table("Fine-tuning on reviewed sites of a new town", columns, tuple(cells))


def _mean(row: Row) -> float | None:
    known = [f.f1 for f in row.elsewhere.values() if f.f1 is not None]
    return sum(known) / len(known) if known else None


def _plain(row: Row) -> dict[str, object]:
    return {"elsewhere": {name: vars(found) for name, found in row.elsewhere.items()}}


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    sys.exit(main())
