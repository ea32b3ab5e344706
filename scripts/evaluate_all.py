"""Score a bundle and the baselines on every described data set and print one Markdown page, as model cards quote it.

    python scripts/evaluate_all.py cvpipe-s [--json FILE] [--only NAME]... [--dataset PATH]... [--training]

The sets are those of configs/datasets/; sets that released weights were trained on are left out unless --training
is given. Sets that cannot be read (pictures not on this machine) are named and skipped; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from cvpipe.errors import DatasetError, UsageError
from cvpipe.network.bundle import load_bundle
from cvpipe.train.baselines import all_baselines
from cvpipe.train.evaluation import Evaluation, Method, NetworkMethod, evaluate
from cvpipe.train.folders import Dataset, read_dataset
from cvpipe.train.scoreboard import markdown, write_json

DESCRIPTIONS = Path(__file__).resolve().parents[1] / "configs" / "datasets"


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate, print, and write the JSON if asked. Exit codes as those of `cvpipe`."""
    args = _arguments().parse_args(argv)
    try:
        read = [_read(path) for path in [*_described(args.only), *args.dataset]]
        sets = [s for s in read if s is not None and (args.training or not s.seen_in_training)]
        if not sets:
            raise UsageError("no data set to evaluate on", where=DESCRIPTIONS, remedy="Set CVPIPE_SHARED.")
        methods: list[Method] = [NetworkMethod(load_bundle(args.model, device=args.device))] if args.model else []
        done = [_evaluated(s, [*methods, *all_baselines()], args.limit) for s in sets]
    except UsageError as error:
        print(f"evaluate_all: {error}", file=sys.stderr)
        return error.exit_code
    print(markdown(done))
    if args.json:
        write_json(args.json, [e.as_json() for e in done])
    return 1 if None in read else 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", help="bundle: name or folder; without it the baselines alone are scored")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="only this set (repeatable)")
    parser.add_argument("--dataset", action="append", default=[], type=Path, metavar="PATH", help="one more set")
    parser.add_argument("--training", action="store_true", help="also the sets that were trained on")
    parser.add_argument("--limit", type=int, metavar="N", help="at most N pictures of each set")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    return parser


def _described(only: Sequence[str]) -> list[Path]:
    names = [f"{name}.yaml" for name in only] or sorted(p.name for p in DESCRIPTIONS.glob("*.yaml"))
    return [DESCRIPTIONS / name for name in names]


def _read(path: Path) -> Dataset | None:
    try:
        return read_dataset(path)
    except DatasetError as error:
        print(f"skipped: {error}", file=sys.stderr)
        return None


def _evaluated(dataset: Dataset, methods: Sequence[Method], limit: int | None) -> Evaluation:
    started = time.monotonic()
    result = evaluate(dataset, methods, limit=limit)
    print(f"{dataset.name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    return result


if __name__ == "__main__":
    sys.exit(main())
