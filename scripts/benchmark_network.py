"""How fast a bundle answers pairs that lie in memory, on this machine: milliseconds and megapixels a second.

python scripts/benchmark_network.py cvpipe-s [--device cuda] [--batch 4] [--repeats 10]
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch

from cvpipe.network.bundle import Network, load_bundle


def main() -> None:
    """Time the bundle and print one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="cvpipe-s")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=10)
    args = parser.parse_args()
    network = load_bundle(args.model, device=args.device)
    seconds = _seconds(network, args.batch, args.repeats)
    side = network.tile_px
    pair_ms = seconds / args.batch * 1e3
    where = torch.cuda.get_device_name() if network.device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
    print(
        f"{network.name} on {where}: {pair_ms:.1f} ms a pair of {side}² px, "
        f"{side * side / pair_ms / 1e3:.1f} Mpx/s (batch {args.batch}, median of {args.repeats})"
    )


def _seconds(network: Network, batch: int, repeats: int) -> float:
    """Median seconds of one batch, answers on the CPU included."""
    rng = np.random.default_rng(0)
    tiles = [rng.integers(0, 256, (batch, network.tile_px, network.tile_px, 3), dtype=np.uint8) for _ in range(2)]
    network.logits(*tiles)
    found = []
    for _ in range(repeats):
        started = time.perf_counter()
        network.logits(*tiles)
        found.append(time.perf_counter() - started)
    return statistics.median(found)


if __name__ == "__main__":
    main()
