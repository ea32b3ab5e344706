"""Units that fail: tried again within the run, then set aside, and tried by later runs after ever longer pauses.

What is set aside stands in `runs/set_aside.jsonl` by the unit's idempotency key: a scene, an outline or a bundle that
is another makes a new unit, which nobody has to wait for. The file may be removed; all is then tried at once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta

from pyproj.exceptions import ProjError
from shapely.errors import ShapelyError

from cvpipe.errors import CvpipeError
from cvpipe.run.journal import Journal

#: File of the journal below a workspace's `runs/`.
SET_ASIDE_NAME = "set_aside.jsonl"

#: Pauses within a run before failed units are tried again, s: a server that hiccups is back by then, and a night's run
#: does not wait long for one that is not.
RETRY_AFTER_S = (1.0, 5.0)

#: Pauses after the first, second, … run in which a unit failed. The first is none: whoever mends what the list of
#: failures tells runs again and sees it done. The last holds for all further ones.
RESTS = (timedelta(0), timedelta(hours=1), timedelta(hours=6), timedelta(days=1), timedelta(days=7))

#: What goes wrong in the same way each time: outlines that no library can cut, and mistakes in our own code.
_LASTING = (ShapelyError, ProjError, AssertionError, TypeError, AttributeError, LookupError, ValueError)


def may_pass(error: BaseException) -> bool:
    """Whether what a unit died of may be gone a moment later.

    Errors of our tree without a cause say what is wrong with the input itself; with one, what a server or file said.
    """
    if isinstance(error, CvpipeError):
        return error.__cause__ is not None and may_pass(error.__cause__)
    return not isinstance(error, _LASTING)


@dataclass(frozen=True)
class SetAside:
    """A unit that failed: in how many runs, of what, and until when it rests. Times in UTC, ISO 8601."""

    site_code: str
    epoch: str | None
    reason: str
    runs: int
    since: str
    until: str

    @property
    def told(self) -> str:
        """Why it was not tried, in a sentence."""
        return f"set aside until {self.until} after {self.runs} runs: {self.reason}"


@dataclass(frozen=True)
class Patience:
    """Which units rest, and how long. `tries_all` and `named` sites overrule a rest."""

    journal: Journal
    tries_all: bool = False
    named: Collection[str] = ()

    def set_aside_sites(self) -> frozenset[str]:
        """Codes of the sites of which a unit may rest."""
        kept = () if self.tries_all else self.journal.values()
        return frozenset(plain["site_code"] for plain in kept if plain)

    def rest_of(self, key: str, site_code: str) -> SetAside | None:
        """Why a unit is not tried now; None for one that is."""
        if self.tries_all or site_code in self.named:
            return None
        found = self._known(key)
        return found if found is not None and datetime.fromisoformat(found.until) > datetime.now(UTC) else None

    def set_aside(self, key: str, site_code: str, epoch: date | None, reason: str) -> SetAside:
        """Note that all attempts of a run at a unit failed."""
        before, now = self._known(key), datetime.now(UTC)
        runs = before.runs + 1 if before else 1
        until = now + RESTS[min(runs, len(RESTS)) - 1]
        since = before.since if before else _text(now)
        found = SetAside(site_code, epoch.isoformat() if epoch else None, reason, runs, since, _text(until))
        self.journal.put(key, asdict(found))
        return found

    def forgive(self, key: str) -> None:
        """Note that a unit was assessed after all."""
        if self._known(key) is not None:
            self.journal.put(key, None)

    def _known(self, key: str) -> SetAside | None:
        plain = self.journal.get(key)
        return None if plain is None else SetAside(**plain)


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
