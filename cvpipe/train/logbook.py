"""What a job leaves to be read while it learns: log.csv, TensorBoard's files, and sample pictures."""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tensorboardX import SummaryWriter  # type: ignore[import-untyped]

from cvpipe.domain import CHANGE_COLOURS, ChangeKind
from cvpipe.network.losses import IGNORE
from cvpipe.train.pairs import Pair
from cvpipe.train.pictures import Pixels

LOG = logging.getLogger(__name__)

LOG_FILE, CURVES, SAMPLES = "log.csv", "tensorboard", "samples"
#: Steps between two points of a curve: enough to see a trend, few enough to read.
CURVE_EVERY = 20
#: Pixels between the parts of a sample picture, and the grey they have.
_GAP, _GAP_GREY = 4, 255
_IGNORED_GREY = 90


class Logbook:
    """The records of one job in its folder. A job that goes on from an earlier step takes later records back."""

    def __init__(self, folder: Path, step: int) -> None:
        self._path, self._samples = folder / LOG_FILE, folder / SAMPLES
        self._rows = [row for row in _rows(self._path) if int(row["step"]) <= step]
        if self._path.exists():
            _write(self._path, self._rows)
        self._curves = SummaryWriter(str(folder / CURVES), purge_step=step + 1 if step else None, write_to_disk=True)

    def learnt(self, step: int, losses: Mapping[str, float]) -> None:
        """Note the losses of a step, every `CURVE_EVERY` steps."""
        if step % CURVE_EVERY == 0:
            for name, value in losses.items():
                self._curves.add_scalar(f"training/{name}", value, step)

    def validated(self, row: Mapping[str, Any], figures: Mapping[str, float], sample: Pixels) -> None:
        """Note a validation: a row of the table, points of the curves, a picture."""
        step = int(row["step"])
        self._rows.append({k: str(v) for k, v in {**row, **figures}.items()})
        _write(self._path, self._rows)
        for name, value in figures.items():
            self._curves.add_scalar(f"held out/{name}", value, step)
        self._samples.mkdir(exist_ok=True)
        cv2.imwrite(str(self._samples / f"step-{step:06d}.png"), sample[..., ::-1])
        self._curves.add_image("held out", sample, step, dataformats="HWC")
        self._curves.flush()
        LOG.info("%s", {**row, **figures})

    def last(self, names: Sequence[str]) -> dict[str, float]:
        """Some figures of the last row; empty before there is one."""
        return {k: float(self._rows[-1][k]) for k in names} if self._rows else {}

    def close(self) -> None:
        """Close TensorBoard's file."""
        self._curves.close()


def sample_picture(pairs: Sequence[Pair], changes: Sequence[Pixels]) -> Pixels:
    """RGB, a row for each pair: before, after, label and answer (2, H, W; 1 yes). Grey in a label is ignored ground."""
    rows = [
        [pair.before, pair.after, _drawn(pair.after, pair.change), _drawn(pair.after, change)]
        for pair, change in zip(pairs, changes, strict=True)
    ]
    lines = [_joined(row, axis=1) for row in rows]
    return _joined(lines, axis=0)


def _drawn(pixels: Pixels, change: Pixels) -> Pixels:
    """A faint picture (H, W, 3) with removed and added structures (2, H, W) in the colours of their kinds."""
    grey = np.repeat(pixels.mean(axis=2, keepdims=True) * 0.4, 3, axis=2).astype(np.uint8)
    grey[(change == IGNORE).all(axis=0)] = _IGNORED_GREY
    for mask, kind in zip(change, (ChangeKind.STRUCTURE_REMOVED, ChangeKind.STRUCTURE_ADDED), strict=True):
        grey[mask == 1] = CHANGE_COLOURS[kind]
    return grey


def _joined(parts: Sequence[Pixels], axis: int) -> Pixels:
    shape = list(parts[0].shape)
    shape[axis] = _GAP
    gap = np.full(shape, _GAP_GREY, np.uint8)
    return np.concatenate([p for part in parts for p in (part, gap)][:-1], axis=axis)


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row.get("step", "").isdigit()]


def _write(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else ["step"])
        writer.writeheader()
        writer.writerows(rows)
    part.rename(path)
