"""Results that appear whole or not at all: folders, which never take the place of somebody else's files, and files."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cvpipe.errors import CvpipeError, UsageError


@dataclass(frozen=True)
class OutputFolder:
    """What makes a folder one of ours: `what` names it in messages, `names` is everything it may hold.

    `proof` is a name that every finished one holds, None where any of `names` will do. Viewers may have put their
    `.aux.xml` beside a raster.
    """

    what: str
    names: frozenset[str]
    proof: str | None = None

    def refuse_foreign(self, target: Path) -> None:
        """Raise UsageError where `target` exists and is neither an empty folder nor an earlier one of this kind."""
        remedy = "Name another folder with --out."
        if not target.exists():
            return
        if not target.is_dir():
            raise UsageError("is a file, not a folder", where=target, remedy=remedy)
        if target == Path.cwd():
            raise UsageError("is the current folder, which cannot be replaced", where=target, remedy=remedy)
        names = sorted(entry.name for entry in target.iterdir())
        foreign = [name for name in names if name.removesuffix(".aux.xml") not in self.names]
        if foreign or (names and self.proof is not None and self.proof not in names):
            found = f"is not empty and no earlier {self.what} (it holds {(foreign or names)[0]})"
            raise UsageError(found, where=target, remedy=remedy)

    @contextmanager
    def staged(self, out: Path) -> Iterator[Path]:
        """A folder beside `out` to write into; it becomes `out` at the end, and on any error nothing is left.

        An earlier one of this kind is replaced, and comes back where the last step fails. Raises UsageError where
        `out` holds anything else or cannot be made, and CvpipeError where the disk fails later on.
        """
        target = out.resolve()
        self.refuse_foreign(target)
        created = [parent for parent in target.parents if not parent.exists()]
        stage = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
        try:
            _make(stage, out)
            yield stage
            _become(stage, target)
        except BaseException as error:
            shutil.rmtree(stage, ignore_errors=True)
            for parent in created:
                with suppress(OSError):  # somebody else may have put something there meanwhile
                    parent.rmdir()
            if isinstance(error, OSError):
                raise cannot_write(self.what, out, error) from error
            raise


@contextmanager
def written_whole(file: Path) -> Iterator[Path]:
    """A path beside `file` to write to; it takes the place of `file` at the end, and on any error nothing changes."""
    part = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}")
    try:
        yield part
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def cannot_write(what: str, out: Path, error: Exception) -> CvpipeError:
    """The error for a disk that failed while `what` was being written."""
    return CvpipeError(f"the {what} cannot be written ({error})", where=out, remedy="Check the space on that disk.")


def _make(stage: Path, out: Path) -> None:
    try:
        stage.mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"cannot be written ({error.strerror})", where=out, remedy="Name another --out.") from error


def _become(stage: Path, target: Path) -> None:
    if not target.exists():
        stage.rename(target)
        return
    earlier = stage.with_name(stage.name + ".earlier")
    target.rename(earlier)
    try:
        stage.rename(target)
    except OSError:
        earlier.rename(target)
        raise
    shutil.rmtree(earlier)
