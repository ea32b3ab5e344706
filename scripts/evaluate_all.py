"""Score a bundle and the baselines on every described data set and print one Markdown page, as model cards quote it.

    python scripts/evaluate_all.py cvpipe-s [--report DIR] [--robustness] [--json FILE] [--only NAME]...
                                            [--dataset PATH]... [--training] [--limit N]

The sets are those of configs/datasets/; sets that released weights were trained on are left out unless --training
is given. Sets that cannot be read (pictures not on this machine) are named and skipped; the exit code is then 1.
--report writes a page with charts and pictures, --robustness tries shifts, blur, light, haze and JPEG too (25 times
as long; at most --tried N pictures of each set) and prints whether a shift costs what is promised at most.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from cvpipe.errors import DatasetError, UsageError
from cvpipe.network.bundle import load_bundle
from cvpipe.network.runtime import RUNTIMES
from cvpipe.train.answers import Method, NetworkMethod
from cvpipe.train.baselines import all_baselines
from cvpipe.train.evaluation import evaluate
from cvpipe.train.evaluation_report import REPORT, robustness_table, write_report
from cvpipe.train.folders import Dataset, read_dataset
from cvpipe.train.robustness import Robustness, pooled, robustness
from cvpipe.train.scoreboard import area_table, as_markdown, calibration_table, domain_table, markdown, write_json
from cvpipe.train.scores import Evaluation

DESCRIPTIONS = Path(__file__).resolve().parents[1] / "configs" / "datasets"


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate, print, and write what is asked for. Exit codes as those of `cvpipe`."""
    args = _arguments().parse_args(argv)
    try:
        if args.report:
            REPORT.refuse_foreign(args.report.resolve())
        read = [_read(path) for path in [*_described(args.only), *args.dataset]]
        sets = [s for s in read if s is not None and (args.training or not s.seen_in_training)]
        if not sets:
            raise UsageError("no data set to evaluate on", where=DESCRIPTIONS, remedy="Set CVPIPE_SHARED.")
        methods = [*_network(args.model, args.device, args.runtime), *all_baselines()]
        done = [_evaluated(s, methods, args.limit) for s in sets]
        tried = [one for s in sets if (one := _tried(s, methods[0], args.tried))] if args.robustness else []
        _print(done, tried)
        if args.report:
            write_report(args.report, done, methods, tried)
    except UsageError as error:
        print(f"evaluate_all: {error}", file=sys.stderr)
        return error.exit_code
    if args.json:
        write_json(args.json, [e.as_json() for e in done])
    return 1 if None in read else 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", help="bundle: name or folder; without it the baselines alone are scored")
    parser.add_argument("--report", type=Path, metavar="DIR", help="write report.md, index.html and pictures there")
    parser.add_argument("--robustness", action="store_true", help="also under disturbances")
    parser.add_argument("--tried", type=int, default=24, metavar="N", help="pictures of each set for that (24)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="only this set (repeatable)")
    parser.add_argument("--dataset", action="append", default=[], type=Path, metavar="PATH", help="one more set")
    parser.add_argument("--training", action="store_true", help="also the sets that were trained on")
    parser.add_argument("--limit", type=int, metavar="N", help="at most N pictures of each set")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--runtime", choices=RUNTIMES, default="auto", help="what runs the network")
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


def _network(name: str | None, device: str, runtime: str) -> list[Method]:
    if name is None:
        return []
    network = load_bundle(name, device, runtime)
    return [NetworkMethod(network, network.temperatures)]


def _evaluated(dataset: Dataset, methods: Sequence[Method], limit: int | None) -> Evaluation:
    started = time.monotonic()
    result = evaluate(dataset, methods, limit=limit)
    print(f"{dataset.name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    return result


def _tried(dataset: Dataset, method: Method, limit: int) -> Robustness | None:
    started = time.monotonic()
    found = robustness(dataset, method, limit=limit)
    print(f"{dataset.name} disturbed: {time.monotonic() - started:.0f} s", file=sys.stderr)
    return found


def _print(done: Sequence[Evaluation], tried: Sequence[Robustness]) -> None:
    print(markdown(done))
    for table in (domain_table(done), area_table(done), calibration_table(done)):
        print(as_markdown(table) + "\n")
    for one in [*tried, *pooled(tried)]:
        print(as_markdown(robustness_table(one)) + "\n")
        print("\n".join(one.proofs()) + "\n")


if __name__ == "__main__":
    sys.exit(main())
