"""One run at a time in a workspace: a lease that its holder renews and that expires by itself.

The lease is a file, `runs/lease.json`. A run that was killed leaves it behind: on the same machine the next run sees
that the process is gone and takes it at once, from another machine (a shared folder) it waits until the lease expires.
The clocks of machines that share a folder must agree to within `MAY_DIFFER_S`.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cvpipe.errors import LeaseError
from cvpipe.folders import written_whole

LOG = logging.getLogger(__name__)

#: A lease lives this long after its last renewal, s; a run renews it four times in that span, so that one slow write
#: loses nothing.
LIVES_S = 120.0
#: Seconds by which the clocks of two machines may differ before one takes what the other still holds.
MAY_DIFFER_S = 20.0


@dataclass(frozen=True)
class Lease:
    """Who runs in a workspace, since when, and until when unless renewed. Times in UTC."""

    machine: str
    process: int
    process_began: str
    since: str
    until: str

    @property
    def holder(self) -> str:
        return f"process {self.process} on {self.machine}"


@contextmanager
def lease(folder: Path, lives_s: float = LIVES_S) -> Iterator[Lease]:
    """Hold the lease of a folder (`runs/` of a workspace) while the block runs, renewing it in a thread.

    Raises LeaseError, which names the holder, where another run holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mine = _take(folder, lives_s)
    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(folder, mine, lives_s, ended), name="lease", daemon=True)
    renewing.start()
    try:
        yield mine
    finally:
        ended.set()
        renewing.join()
        _give_back(folder, mine)


def holder_of(folder: Path) -> Lease | None:
    """Who holds the lease of a folder at this moment; None where nobody does."""
    found = _read(folder)
    return found if found is not None and not _is_over(found) else None


def _take(folder: Path, lives_s: float) -> Lease:
    with _alone(folder):
        held = holder_of(folder)
        if held is not None:
            raise LeaseError(
                f"a run is going on ({held.holder}, since {held.since})",
                where=folder,
                remedy=f"Wait for its end; should that machine be lost, its lease ends by itself at {held.until}.",
            )
        now = datetime.now(UTC)
        mine = Lease(platform.node(), os.getpid(), _began(os.getpid()), _text(now), _text(now, lives_s))
        _write(folder, mine)
        return mine


def _renew(folder: Path, mine: Lease, lives_s: float, ended: threading.Event) -> None:
    """Renew the lease until the run has ended, or another took it; where one renewal fails the next one tries again."""
    while not ended.wait(lives_s / 4):
        try:
            with _alone(folder):
                if not _is_mine(_read(folder), mine):
                    return  # we slept past its end and another took it: what both write has one key, written once
                _write(folder, Lease(**{**asdict(mine), "until": _text(datetime.now(UTC), lives_s)}))
        except (OSError, LeaseError) as error:  # a shared folder that is away for a moment
            LOG.warning("the lease could not be renewed (%s)", error)


def _give_back(folder: Path, mine: Lease) -> None:
    """Remove the lease; where that cannot be done it ends by itself, and the run that has ended is none the worse."""
    try:
        with _alone(folder):
            if _is_mine(_read(folder), mine):
                _file(folder).unlink(missing_ok=True)
    except (OSError, LeaseError) as error:
        LOG.warning("the lease could not be given back (%s)", error)


def _is_mine(found: Lease | None, mine: Lease) -> bool:
    return found is not None and (found.machine, found.process, found.since) == (mine.machine, mine.process, mine.since)


def _is_over(found: Lease) -> bool:
    if found.machine == platform.node() and _began(found.process) != found.process_began:
        return True  # its process is gone, or another one has its number
    return datetime.fromisoformat(found.until) + timedelta(seconds=MAY_DIFFER_S) < datetime.now(UTC)


def _began(process: int) -> str:
    """When a process of this machine began, in clock ticks since start-up (field 22 of /proc/PID/stat, see proc(5)).

    Empty where there is no such process. Elsewhere than on Linux only whether it is there.
    """
    stat = Path(f"/proc/{process}/stat")
    if stat.parent.parent.joinpath("self").exists():
        try:
            return stat.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[19]
        except (OSError, IndexError):
            return ""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "there"


def _read(folder: Path) -> Lease | None:
    try:
        return Lease(**json.loads(_file(folder).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise LeaseError(
            f"the lease cannot be read ({error})",
            where=_file(folder),
            remedy="Make sure that no run is going on, then delete this file.",
        ) from error


def _write(folder: Path, new: Lease) -> None:
    with written_whole(_file(folder)) as part:
        part.write_text(json.dumps(asdict(new), indent=1), encoding="utf-8")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Only one process looks at the lease and changes it at a time; the kernel frees this lock with the process."""
    with (folder / ".lease.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _file(folder: Path) -> Path:
    return folder / "lease.json"


def _text(moment: datetime, later_s: float = 0.0) -> str:
    return (moment + timedelta(seconds=later_s)).isoformat(timespec="milliseconds")
