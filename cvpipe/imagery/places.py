"""Rasters in the places where people keep them: files, folders, patterns, buckets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cvpipe.errors import SceneError
from cvpipe.imagery import remote

#: Endings of files that are taken from a folder; a file that is named itself may have any.
RASTER_SUFFIXES = frozenset({".tif", ".tiff", ".gtiff", ".vrt", ".jp2", ".img", ".png", ".jpg", ".jpeg", ".webp"})

Stamp = list[int | str]
"""By what a file is known to be unchanged without reading it; plain data, so that it can be kept as JSON."""


@dataclass(frozen=True)
class Found:
    """A raster in a watched place. `is_whole` where it cannot be in the midst of being written, as in a bucket."""

    address: str
    stamp: Stamp
    is_whole: bool


def files_at(place: str) -> list[Path]:
    """The files that a place names: a file as it is, a folder's rasters at any depth, a pattern's matches.

    A file that is not there is handed on, for its reason belongs to the list of refused ones. Raises SceneError where
    a folder or a pattern holds no raster.
    """
    path = Path(place)
    is_pattern = any(c in place for c in "*?[") and not os.path.lexists(path)
    matches = _matches(path) if is_pattern else [path]
    found = [file for match in matches for file in (_rasters_in(match) if match.is_dir() else [match])]
    if not found:
        endings = " ".join(sorted(RASTER_SUFFIXES))
        raise SceneError("no raster there", where=place, remedy=f"Known endings: {endings}.")
    return sorted(found)


def listed(place: str) -> list[Found]:
    """The rasters in a folder or below an `s3://` address, at any depth, with their stamps; none where it is empty.

    Files whose name begins with a dot are left out: rsync and browsers write under such names.
    Raises SceneError where the place is no folder, or cannot be reached or read.
    """
    if remote.is_remote(place):
        return [_in_bucket(*one) for one in remote.objects_below(place) if _is_raster(one[0])]
    folder = Path(place)
    if not folder.is_dir():
        raise SceneError("no such folder", where=place, remedy="Name a folder, or s3://BUCKET/PREFIX.")
    try:
        return [found for file in _rasters_in(folder) if not file.name.startswith(".") for found in _on_disk(file)]
    except OSError as error:
        raise SceneError(f"cannot be read ({error.strerror})", where=place, remedy="Check its rights.") from error


def stamp_of(file: Path) -> Stamp:
    """Size, times of the last write and of the last change of name or rights (ns). Raises OSError."""
    state = file.stat()
    return [state.st_size, state.st_mtime_ns, state.st_ctime_ns]


def _on_disk(file: Path) -> Iterator[Found]:
    try:
        yield Found(str(file.resolve()), stamp_of(file), is_whole=False)
    except (OSError, RuntimeError):  # a link that leads nowhere or to itself; what it is, opening it tells
        if file.is_symlink():
            yield Found(str(file.absolute()), [0], is_whole=False)


def _in_bucket(address: str, size: int, tag: str) -> Found:
    return Found(address, [size, tag], is_whole=True)


def _matches(pattern: Path) -> list[Path]:
    anchor = Path(pattern.anchor)
    return sorted(anchor.glob(str(pattern.relative_to(anchor))))


def _rasters_in(folder: Path) -> list[Path]:
    """All that has a raster's ending, links that lead nowhere among them: their reason is told too."""
    return sorted(f for f in folder.rglob("*") if _is_raster(f.name) and not f.is_dir())


def _is_raster(name: str) -> bool:
    return Path(name).suffix.lower() in RASTER_SUFFIXES
