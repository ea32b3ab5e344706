"""How right verdicts are, how honest their intervals: on drawn sites whose truth is known, and on real pairs.

python -m scripts.validate_rules masks [--seeds 40000-40009] [--size 1200]
python -m scripts.validate_rules draw OUT [--seeds 30000-30009] [--gsd 0.3] [--shift 1] [--leafless] [--every 1]
python -m scripts.validate_rules tables OUT...
python -m scripts.validate_rules fit OUT...
python -m scripts.validate_rules real OUT [--data DIR]

masks    True masks into the rules, no picture and no network: what is wrong is wrong in the rules. Ends with 1 if any
         verdict is.
draw     Districts drawn in a style of their own for each seed (training uses seeds 10000-10119), read, aligned and
         judged by the released network, as `cvpipe run` does it. Writes OUT/<seed>.json, and goes on where it
         stopped. A size of 1200 m holds 10 to 75 sites, as the style's blocks allow, with two or three pairs each.
tables   What was judged: verdicts found against drawn, wrong ones by name, what the intervals hold, areas by size, and
         where several folders are named (drawn with --shift, --leafless, --gsd) what these do.
fit      The scales of `intervals` in configs/rules.yaml that these sites ask for. Fit on other seeds than you report.
real     Sites around the labelled structures of fotbcd_public and levir_public: a table, wrong ones first, and a
         picture of each. Labels tell only part of the truth, and only that part is compared.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from cvpipe.assess import default_rules
from cvpipe.detect import Network
from cvpipe.imagery.opening import gdal_environment
from cvpipe.network.bundle import load_bundle
from scripts.validation import tables
from scripts.validation.judged import Judged, Variant, judge_masks, judge_pictures, read_judged, write_judged
from scripts.validation.real import DATA, judge_real

MODEL = "cvpipe-s"


def main() -> int:
    """Do what the command line asks; 1 where a verdict from true masks is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    masks, draw, told, fit, real = (commands.add_parser(name) for name in _COMMANDS)
    for command, seeds in ((masks, "40000-40009"), (draw, "30000-30009")):
        command.add_argument("--seeds", default=seeds, help="FIRST-LAST or one number")
        command.add_argument("--size", type=float, default=1200.0, help="side of a district, m")
    draw.add_argument("out", type=Path)
    draw.add_argument("--gsd", type=float, default=0.3, help="ground pixel of the scenes, m")
    draw.add_argument("--shift", type=float, default=1.0, help="factor on the scenes' shift of 3.1 and 4.1 px")
    draw.add_argument("--leafless", action="store_true", help="later epochs in late autumn")
    draw.add_argument("--every", type=int, default=1, help="judge every n-th site only")
    draw.add_argument("--model", default=MODEL)
    for command in (told, fit):
        command.add_argument("folders", type=Path, nargs="+")
    real.add_argument("out", type=Path)
    real.add_argument("--data", type=Path, default=DATA)
    real.add_argument("--model", default=MODEL)
    args = parser.parse_args()
    with gdal_environment():
        return _COMMANDS[args.command](args)


def _masks(args: argparse.Namespace) -> int:
    judged: list[Judged] = []
    for seed in _seeds(args.seeds):
        judged += judge_masks(seed, args.size, default_rules())
        print(f"seed {seed}: {_counted(judged)}", flush=True)
    print(tables.verdict_table(judged))
    wrong = [row for row, verdict, right in tables.answers(judged) if verdict.outcome is not right]
    for row, verdict, right in tables.answers(judged):
        if verdict.outcome is not right:
            print(f"WRONG {row.seed} {row.code} {row.case} {row.epochs}: {right} is drawn. {verdict.explanation}")
    print(f"{_counted(judged)}, {len(wrong)} verdicts wrong (rules {default_rules().version}).")
    return 1 if wrong else 0


def _draw(args: argparse.Namespace) -> int:
    variant = Variant(_name(args), args.gsd, args.shift, args.leafless)
    network: Network = load_bundle(args.model, "auto")
    for seed in _seeds(args.seeds):
        path = args.out / f"{seed}.json"
        if not path.exists():
            place = args.out / f"district-{seed}"
            judged = judge_pictures(place, seed, args.size, variant, network, default_rules(), args.every)
            write_judged(path, judged)
        print(f"seed {seed}: {_counted(read_judged([args.out]))} in {args.out}", flush=True)
    return 0


def _name(args: argparse.Namespace) -> str:
    parts = [f"{args.gsd:g} m", "leafless" if args.leafless else "", f"shift × {args.shift:g}"]
    return ", ".join(part for part in parts if part)


def _tables(args: argparse.Namespace) -> int:
    judged, rules = read_judged(args.folders), default_rules()
    print(f"{_counted(judged)}, {len({row.seed for row in judged})} seeds, rules {rules.version}\n")
    sections: tuple[tuple[str, str], ...] = (
        ("Right, or flagged", tables.share_table(judged)),
        ("Found against drawn", tables.verdict_table(judged)),
        ("Wrong and not flagged", tables.wrong_table(judged)),
        ("What the 90 % intervals hold", tables.coverage_table(judged, rules.intervals)),
        ("Where next to nothing is measured", tables.absent_table(judged, rules.intervals)),
        ("Areas by true size", tables.coverage_by_size(judged, rules.intervals)),
        ("Shift, season, ground pixel", tables.effect_table(judged, rules.intervals)),
    )
    for title, text in sections:
        print(f"**{title}**\n\n{text}")
    missed = tables.overlooked(judged)
    print(f"Called clear, not flagged, with more than {tables.OVERLOOKED_M2:g} m² left: {len(missed)}")
    return 0


def _fit(args: argparse.Namespace) -> int:
    judged = read_judged(args.folders)
    print(f"{_counted(judged)}\n\n{tables.scale_table(judged, default_rules().intervals)}")
    print(tables.absent_table(judged, default_rules().intervals))
    return 0


def _real(args: argparse.Namespace) -> int:
    print(judge_real(args.data, args.out, load_bundle(args.model, "auto"), default_rules()))
    return 0


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _counted(judged: Sequence[Judged]) -> str:
    sites = {(row.variant, row.seed, row.code) for row in judged}
    verdicts = int(np.sum([len(row.verdicts) for row in judged]))
    return f"{len(sites)} sites, {len(judged)} pairs, {verdicts} verdicts"


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "masks": _masks,
    "draw": _draw,
    "tables": _tables,
    "fit": _fit,
    "real": _real,
}


if __name__ == "__main__":
    raise SystemExit(main())
