"""What the trunk made of an epoch's tiles, kept on disk: a later run need not think about the same baseline again.

An entry is found by the pixels themselves, so that it is never taken for other ground, another reading or another
alignment, and by what answers: bundle, precision. It holds the very bits that the trunk gave: with it and without it
the network says the same. Features are zero in about half of all places (they come out of a ReLU), so an entry is a
map of the others and their values: as fast to read as the disk is. Whatever is missing or damaged is computed anew.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cvpipe.folders import written_whole

LOG = logging.getLogger(__name__)

#: Goes up when entries are written in another form, or the trunk adds up in another order.
FORMAT = 2

#: When entries take more than they may, the oldest go until this share of it is left: not one for each new one.
KEPT_SHARE = 0.9

#: Files that a killed process left half written are removed when they are older than this, s.
ABANDONED_S = 3600.0

#: Element types by their number in an entry's head, each stored as whole numbers of its size.
_TYPES: tuple[tuple[torch.dtype, torch.dtype, str], ...] = (
    (torch.float32, torch.int32, "<i4"),
    (torch.bfloat16, torch.int16, "<i2"),
    (torch.float16, torch.int16, "<i2"),
)


class FeatureMemory:
    """Features by tile in a folder of at most `most_bytes`, those that were not used longest going first.

    Several processes may use one folder: an entry appears whole or not at all, and one that another process removed
    is merely not there. A disk that is full or read-only costs time, nothing else.
    """

    def __init__(self, folder: Path, most_bytes: int, made_by: str) -> None:
        self._folder, self._most, self._made_by = folder, most_bytes, made_by
        self._bytes = sum(size for _, size, _ in self._entries())
        self.hits = self.misses = 0

    def get(self, tile: NDArray[np.uint8]) -> Tensor | None:
        """The features (C, h, w) of a tile uint8 (H, W, 3); None where they are not known."""
        path = self._path(tile)
        try:
            found = _unpacked(path.read_bytes())
            os.utime(path)
        except OSError:
            found = None
        except (ValueError, IndexError) as error:
            LOG.debug("%s is of no use: %s", path, error)
            _remove(path)
            found = None
        self.hits, self.misses = self.hits + (found is not None), self.misses + (found is None)
        return found

    def put(self, tile: NDArray[np.uint8], features: Tensor) -> None:
        """Keep the features (C, h, w) of a tile."""
        path, packed = self._path(tile), _packed(features)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(path) as part:
                part.write_bytes(packed)
        except OSError as error:
            LOG.debug("%s: features are not kept: %s", path, error)
            return
        self._bytes += len(packed)
        if self._bytes > self._most:
            self._make_room()

    def _path(self, tile: NDArray[np.uint8]) -> Path:
        pixels = np.ascontiguousarray(tile)
        name = hashlib.blake2b(f"{FORMAT} {self._made_by} {tile.shape}".encode(), digest_size=20)
        name.update(pixels.data)
        text = name.hexdigest()
        return self._folder / text[:2] / text

    def _entries(self) -> Iterator[tuple[float, int, Path]]:
        """When each file was last used, its bytes and its path."""
        for path in self._folder.glob("*/*"):
            try:
                seen = path.stat()
            except OSError:  # another process was faster
                continue
            yield seen.st_mtime, seen.st_size, path

    def _make_room(self) -> None:
        """Remove what was not used longest, and what a killed process left behind."""
        found, now = sorted(self._entries()), time.time()
        self._bytes = sum(size for _, size, _ in found)
        for used, size, path in found:
            is_abandoned = path.name.startswith(".") and now - used > ABANDONED_S
            if self._bytes <= KEPT_SHARE * self._most and not is_abandoned:
                continue
            if path.name.startswith(".") and not is_abandoned:
                continue  # somebody is writing it
            _remove(path)
            self._bytes -= size


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _packed(features: Tensor) -> bytes:
    """A head (type, shape, checksum), a bit for each place that is not zero, and the values of these."""
    number = next(i for i, (kind, _, _) in enumerate(_TYPES) if kind is features.dtype)
    values = features.contiguous().view(_TYPES[number][1]).numpy().ravel()
    there = values != 0
    body: bytes = np.packbits(there).tobytes() + values[there].astype(_TYPES[number][2]).tobytes()
    head: bytes = np.array([number, *features.shape, zlib.crc32(body)], "<u4").tobytes()
    return head + body


def _unpacked(packed: bytes) -> Tensor:
    """Raises ValueError or IndexError where something is missing or was altered."""
    head = np.frombuffer(packed, "<u4", 5)
    (kind, _, code), shape, body = _TYPES[int(head[0])], tuple(int(n) for n in head[1:4]), memoryview(packed)[20:]
    if zlib.crc32(body) != head[4]:
        raise ValueError("its checksum is another")
    count = int(np.prod(shape))
    there = np.unpackbits(np.frombuffer(body, np.uint8, -(-count // 8)), count=count).view(bool)
    values = np.zeros(count, code)
    values[there] = np.frombuffer(body[-(-count // 8) :], code)
    return torch.from_numpy(values.reshape(shape)).view(kind)


__all__ = ["FeatureMemory"]
