"""Near-duplicates among pictures, found by what they show: the same ground under another name, size, light or format.

A fingerprint is a difference hash (Krawetz 2013, "Kind of like that"): the picture is averaged down to 17 × 16 pixels,
and each bit says whether a pixel is darker than its right neighbour. Two whose hashes differ in few bits are compared
once more by their averaged grey itself, since plain ground (a field, a lawn) has few edges to tell it apart. Of the
plainest pictures only equal pixels are told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.train.pictures import Pixels

#: Side of the averaged picture; its hash has SIDE² bits.
SIDE = 16
#: Bits out of 256 in which two hashes of one ground may differ. Of 172 UC Merced scenes JPEG at quality 30, half the
#: size, another gamma, haze and blur change 2 to 12 bits in the median and 48 at most; two scenes differ in 75 or more.
FEW_BITS = 48
#: Correlation of the averaged greys of two pictures from which on they are the same.
ALIKE = 0.95
#: Standard deviation of the averaged grey below which a picture is too plain to be told from one that is much like it.
PLAIN = 4.0
#: Side of the parts that larger pictures are hashed in besides the whole, px: a tile that was cut out is found again
#: where both were cut along one lattice.
PART_PX = 256
#: Hashes that are compared at once.
_BLOCK = 512


@dataclass(frozen=True)
class Fingerprint:
    """What a picture or a part of it looks like: `bits` (32,) uint8, `grey` (256,) of mean 0 and length 1.

    `digest` is that of the pixels; a plain picture has a grey of zeros, which is like no other.
    """

    name: str
    bits: NDArray[np.uint8]
    grey: NDArray[np.float32]
    digest: bytes


def fingerprints(name: str, pixels: Pixels) -> Iterator[Fingerprint]:
    """Of an RGB picture (H, W, 3) as a whole, and of its parts where it has several; empty ones are left out."""
    for part in (pixels, *_parts(pixels)):
        if (part == part[0, 0]).all():  # no data, or an empty collar: alike everywhere
            continue
        grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
        wide = cv2.resize(grey, (SIDE + 1, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
        even = wide[:, :SIDE].ravel() - wide[:, :SIDE].mean()
        even = even / np.linalg.norm(even) if wide.std() >= PLAIN else np.zeros_like(even)
        digest = hashlib.sha256(part.tobytes()).digest()
        yield Fingerprint(name, np.packbits(wide[:, 1:] > wide[:, :-1]), even, digest)


def near_duplicates(some: Iterable[Fingerprint], others: Iterable[Fingerprint]) -> list[tuple[str, str]]:
    """Names of pictures of `some` and `others` that show the same, each pair once."""
    ours, theirs = list(some), list(others)
    if not ours or not theirs:
        return []
    found: dict[tuple[str, str], None] = {}
    their_bits = np.stack([f.bits for f in theirs])
    by_digest = {f.digest: f.name for f in theirs}
    found |= {(f.name, by_digest[f.digest]): None for f in ours if f.digest in by_digest}
    for first in range(0, len(ours), _BLOCK):
        block = ours[first : first + _BLOCK]
        for i, j in _close(block, their_bits):
            if float(block[i].grey @ theirs[j].grey) >= ALIKE:
                found[block[i].name, theirs[j].name] = None
    return list(found)


def _close(block: Sequence[Fingerprint], their_bits: NDArray[np.uint8]) -> Iterator[tuple[int, int]]:
    apart = np.bitwise_count(np.stack([f.bits for f in block])[:, None] ^ their_bits[None]).sum(axis=2, dtype=np.uint16)
    yield from zip(*(axis.tolist() for axis in np.nonzero(apart <= FEW_BITS)), strict=True)


def _parts(pixels: Pixels) -> Iterator[Pixels]:
    rows, cols = (n // PART_PX for n in pixels.shape[:2])
    if rows * cols > 1:
        for row in range(rows):
            for col in range(cols):
                yield pixels[row * PART_PX : (row + 1) * PART_PX, col * PART_PX : (col + 1) * PART_PX]
