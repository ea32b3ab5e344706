"""Zip archives from outside: opened only after their stated sizes were looked at, so that no bomb unfolds."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cvpipe.errors import SitesError

#: Bytes that all members may unfold to. A spreadsheet of 100,000 sites with outlines has some 150 MB.
MOST_BYTES = 1_000_000_000
#: Unfolded by packed size, from `_SMALL` bytes on. Spreadsheets of equal rows reach 50; bombs 1,000.
MOST_RATIO = 200
MOST_MEMBERS = 10_000
_SMALL = 10_000_000


@contextmanager
def opened_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip file whose members are of bearable size; `zipfile` reads no member beyond its stated size.

    Raises SitesError for a file that is no zip, is cut off, or would unfold to too much.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse_bombs(archive, path)
            yield archive
    except zipfile.BadZipFile as error:
        raise SitesError(
            f"a damaged or incomplete file, no whole zip archive ({error})", where=path, remedy="Copy it again."
        ) from error
    except (RuntimeError, NotImplementedError) as error:  # an encrypted member, or a method of compression of its own
        raise SitesError(
            f"the zip archive cannot be unpacked ({error})", where=path, remedy="Pack it again without a password."
        ) from error


def _refuse_bombs(archive: zipfile.ZipFile, path: Path) -> None:
    members = archive.infolist()
    unfolded = sum(member.file_size for member in members)
    packed = max(sum(member.compress_size for member in members), 1)
    if len(members) > MOST_MEMBERS or unfolded > MOST_BYTES or (unfolded > _SMALL and unfolded > MOST_RATIO * packed):
        raise SitesError(
            f"{len(members)} packed parts would unfold from {packed:,} to {unfolded:,} bytes",
            where=path,
            remedy="That is no honest file of sites; it was not unpacked.",
        )
