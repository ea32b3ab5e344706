"""Rasters in the places where people keep them: files, folders, patterns, buckets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from cvpipe.errors import SceneError
from cvpipe.imagery import remote

if TYPE_CHECKING:
    import pystac

#: Endings of files that are taken from a folder; a file that is named itself may have any.
RASTER_SUFFIXES = frozenset({".tif", ".tiff", ".gtiff", ".vrt", ".jp2", ".img", ".png", ".jpg", ".jpeg", ".webp"})

Stamp = list[int | str]
"""By what a file is known to be unchanged without reading it; plain data, so that it can be kept as JSON."""


@dataclass(frozen=True)
class Found:
    """A raster in a watched place. `is_whole` where it cannot be in the midst of being written, as in a bucket.

    `item` is the STAC item that offers it, and `item_name` by what that item is known; its address may change with a
    signature.
    """

    address: str
    stamp: Stamp
    is_whole: bool
    item: pystac.Item | None = None
    item_name: str = ""

    @property
    def name(self) -> str:
        """By what it is remembered."""
        return self.item_name or self.address


@dataclass(frozen=True)
class FilesAt:
    """The files that a place names, and those with a raster's ending that were passed over because they are hidden."""

    files: tuple[Path, ...]
    hidden: tuple[Path, ...] = ()


def files_at(place: str) -> FilesAt:
    """The files that a place names: a file as it is, a folder's rasters at any depth, a pattern's matches.

    In a folder, and among a pattern's matches, what is hidden is passed over: files and folders whose name begins with
    a dot, such as the `._x.tif` that macOS lays beside `x.tif` on foreign drives. A pattern that names the dot means
    them. A file that is not there is handed on, for its reason belongs to the list of refused ones. Raises SceneError
    where a folder or a pattern holds no raster.
    """
    path = Path(place)
    is_pattern = any(c in place for c in "*?[") and not os.path.lexists(path)
    files = _of_pattern(path) if is_pattern else _of_folder(path) if path.is_dir() else FilesAt((path,))
    if not files.files:
        endings = " ".join(sorted(RASTER_SUFFIXES))
        passed = f"; {len(files.hidden)} hidden ones were passed over" if files.hidden else ""
        raise SceneError(f"no raster there{passed}", where=place, remedy=f"Known endings: {endings}.")
    return files


def listed(place: str) -> list[Found]:
    """The rasters in a folder or below an `s3://` address, at any depth, with their stamps; none where it is empty.

    Files and folders whose name begins with a dot are left out: rsync and browsers write under such names.
    Raises SceneError where the place is no folder, or cannot be reached or read.
    """
    if remote.is_remote(place):
        return [_in_bucket(*one) for one in remote.objects_below(place) if _is_raster(one[0])]
    folder = Path(place)
    if not folder.is_dir():
        raise SceneError("no such folder", where=place, remedy="Name a folder, or s3://BUCKET/PREFIX.")
    try:
        return [found for file in _of_folder(folder).files for found in _on_disk(file)]
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


def _of_pattern(pattern: Path) -> FilesAt:
    """The matches that are files, and the rasters in those that are folders."""
    anchor = Path(pattern.anchor)
    files, hidden = list[Path](), list[Path]()
    for match in sorted(anchor.glob(str(pattern.relative_to(anchor)))):
        if _is_hidden(match, pattern):
            hidden += [match] if _is_raster(match.name) else []
            continue
        found = _of_folder(match) if match.is_dir() else FilesAt((match,))
        files.extend(found.files)
        hidden.extend(found.hidden)
    return FilesAt(tuple(sorted(files)), tuple(sorted(hidden)))


def _is_hidden(match: Path, pattern: Path) -> bool:
    """Whether a part of the path begins with a dot that the pattern does not spell out."""
    spelt = {part for part in pattern.parts if part.startswith(".")}
    return any(
        part.startswith(".") and part != ".." and not any(fnmatch(part, one) for one in spelt) for part in match.parts
    )


def _of_folder(folder: Path) -> FilesAt:
    """All that has a raster's ending, links that lead nowhere among them: their reason is told too."""
    found = sorted(f for f in folder.rglob("*") if _is_raster(f.name) and not f.is_dir())
    hidden = {f for f in found if any(part.startswith(".") for part in f.relative_to(folder).parts)}
    return FilesAt(tuple(f for f in found if f not in hidden), tuple(sorted(hidden)))


def _is_raster(name: str) -> bool:
    return Path(name).suffix.lower() in RASTER_SUFFIXES
