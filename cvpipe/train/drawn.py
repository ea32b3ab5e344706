"""Patches of the drawn world, kept on disk once they are drawn."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from cvpipe.train.pictures import EpochPair
from cvpipe.train.settings import DrawnSource
from cvpipe.world import draw_patch


def drawn_pairs(source: DrawnSource, cache: Path) -> list[EpochPair]:
    """The source's patches, one place each; those that are not in `cache` yet are drawn into it."""
    cache.mkdir(parents=True, exist_ok=True)
    seeds = range(source.first_seed, source.first_seed + source.patches)
    make = partial(_drawn_file, size_px=source.size_px, cache=cache)
    if all(_patch_path(seed, source.size_px, cache).exists() for seed in seeds):
        files: Iterable[Path] = map(make, seeds)
        return [_read_drawn(file) for file in files]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        return [_read_drawn(file) for file in pool.map(make, seeds)]


def drawn_pair(seed: int, size_px: int, gsd_m: float = 0.3) -> EpochPair:
    """One patch, drawn afresh, in its two epochs."""
    patch = draw_patch(seed, size_px=size_px, gsd_m=gsd_m, epochs=2)
    first, second = patch.epochs
    same = first.structure_id == second.structure_id
    change = np.stack([(e.structure_id > 0) & ~same for e in (first, second)]).astype(np.uint8)
    return EpochPair(
        (first.pixels, second.pixels), (first.surface, second.surface), change, patch.gsd_m, f"drawn/{seed}"
    )


def _patch_path(seed: int, size_px: int, cache: Path) -> Path:
    return cache / f"patch-{seed}-{size_px}.npz"


def _drawn_file(seed: int, size_px: int, cache: Path) -> Path:
    path = _patch_path(seed, size_px, cache)
    if not path.exists():
        drawn = drawn_pair(seed, size_px)
        part = path.with_name(f"{path.stem}-{os.getpid()}.part.npz")  # two jobs may share the folder
        np.savez(
            part,
            pixels=np.stack(drawn.pixels),
            surface=np.stack(drawn.surface),
            change=drawn.change,
            gsd_m=drawn.gsd_m,
            seed=seed,
        )
        part.rename(path)
    return path


def _read_drawn(path: Path) -> EpochPair:
    with np.load(path) as data:
        pixels, surface = data["pixels"], data["surface"]
        return EpochPair(
            (pixels[0], pixels[1]),
            (surface[0], surface[1]),
            data["change"],
            float(data["gsd_m"]),
            f"drawn/{data['seed']}",
        )
