"""Folders, buckets and STAC APIs that are looked through for new scenes, again and again, across restarts.

A file is taken when it has finished growing: size and times alike at two looks. What became of it is remembered in the
workspace's `runs/watched.jsonl` by its stamp (size and times; in a bucket size and entity tag; of a STAC item when it
was updated and its asset), so that an unchanged file is neither opened nor hashed again, and a bad one is told once. A
kill loses nothing: a file that was added but not yet noted is found again, and the ledger knows its content.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cvpipe.errors import CvpipeError, LedgerError, SceneError, SettingsError
from cvpipe.geo import Bounds
from cvpipe.imagery import describe
from cvpipe.imagery.places import Found, Stamp, listed, stamp_of
from cvpipe.imagery.remote import is_remote, shown
from cvpipe.imagery.stac import Query, acquired, items_at
from cvpipe.ledger import Ledger, Workspace
from cvpipe.run.catalogues import BadItem, Catalogue, today
from cvpipe.run.journal import Journal
from cvpipe.settings import StacSettings, WatchedPlace

LOG = logging.getLogger(__name__)

#: File of the journal below a workspace's `runs/`.
WATCHED_NAME = "watched.jsonl"

#: Seconds for which a file must stay as it is before it counts as whole: longer than a program that copies pauses
#: between two writes, and than file systems keep the size of a file that is being written to themselves.
SETTLE_S = 5.0

#: Seconds after which a refused file is tried again though it is unchanged: the network, or a drive, may have been to
#: blame. It is told again only where the reason is another one.
RETRY_S = 3600.0

_GROWING, _TAKEN, _REFUSED = "growing", "taken", "refused"


@dataclass(frozen=True)
class Refused:
    """A file or a place that cannot be used, and why."""

    address: str
    reason: str


@dataclass(frozen=True)
class Sighted:
    """What one look found; `known` counts what is new in the place but not to the ledger, `cloudy` the STAC items
    with more cloud than is wanted, `unchanged` the rest."""

    added: tuple[str, ...] = ()
    known: int = 0
    refused: tuple[Refused, ...] = ()
    growing: tuple[str, ...] = ()
    unchanged: int = 0
    cloudy: int = 0

    @property
    def is_news(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.added or self.known or self.refused)


def watched_places(workspace: Workspace) -> list[WatchedPlace]:
    """The places that `watch` in the settings names; relative folders count from the settings' own."""
    stated = workspace.settings().watch
    return [
        place if isinstance(place, StacSettings) or is_remote(place) else str((workspace.folder / place).resolve())
        for place in stated
    ]


def reached(place: WatchedPlace, bounds: Bounds | None) -> str:
    """What there is in a place that `watch` names, in a few words. Raises CvpipeError where it cannot be looked at."""
    place = _place(place)
    if isinstance(place, str):
        return f"{len(listed(place))} rasters"
    asked = Query(place.collections, bounds, place.since, limit=1)
    return "answers" if next(items_at(place.stac, asked), None) else "answers, and has nothing on the sites"


def look_for_scenes(
    workspace: Workspace, places: Sequence[WatchedPlace] | None = None, *, settle_s: float = SETTLE_S, wait: bool = True
) -> Sighted:
    """Look through the places once and add the new scenes to the ledger; None: those of the settings, if any.

    With `wait` a file that is new is looked at a second time after `settle_s`, and taken if it has not changed;
    without it the next call takes it. Raises CvpipeError only where the workspace or its ledger cannot be used.
    """
    if places is None:
        places = watched_places(workspace)
        if not places:
            return Sighted()
    watch = _Watch(workspace, places, settle_s)
    seen = watch.look()
    if not (wait and seen.growing):
        return seen
    time.sleep(settle_s)
    again = watch.look()
    return Sighted(
        added=seen.added + again.added,
        known=seen.known + again.known,
        refused=seen.refused + again.refused,
        growing=again.growing,
        unchanged=seen.unchanged,
        cloudy=seen.cloudy,
    )


def keep_looking(
    workspace: Workspace,
    places: Sequence[WatchedPlace],
    *,
    every_s: float,
    tell: Callable[[Sighted], None],
    stop: threading.Event,
    settle_s: float = SETTLE_S,
) -> None:
    """Look through the places until `stop` is set, and tell what each look found.

    The first look raises as `look_for_scenes` does. Later on a ledger that does not answer is told, once, and asked
    again: a database may be started anew while the watch goes on.
    """
    tell(look_for_scenes(workspace, places, settle_s=settle_s))
    trouble = ""
    while not stop.wait(every_s):
        try:
            tell(look_for_scenes(workspace, places, settle_s=settle_s))
            trouble = ""
        except LedgerError as error:
            if str(error) != trouble:
                tell(Sighted(refused=(Refused("the ledger", str(error)),)))
            trouble = str(error)


@dataclass
class _Counts:
    """What becomes the `Sighted` of a look."""

    added: list[str] = field(default_factory=list)
    known: int = 0
    refused: list[Refused] = field(default_factory=list)
    growing: list[str] = field(default_factory=list)
    unchanged: int = 0
    cloudy: int = 0


class _Watch:
    """Some places of a workspace and what is remembered of them."""

    def __init__(self, workspace: Workspace, places: Sequence[WatchedPlace], settle_s: float) -> None:
        if not places:
            raise SettingsError(
                "no folder is watched",
                where=workspace.settings_path,
                remedy="Name folders under `watch`, or in the call.",
            )
        self._workspace, self._settle_s = workspace, settle_s
        self._places = [_place(stated) for stated in places]
        self._journal = Journal(workspace.runs / WATCHED_NAME)

    def look(self) -> Sighted:
        """Go through all places once."""
        counts = _Counts()
        with self._workspace.ledger() as ledger:
            seen = set[str]()
            for found in self._found(ledger, counts):
                if found.name not in seen:
                    self._consider(ledger, found, counts)
                seen.add(found.name)
        return Sighted(
            tuple(counts.added),
            counts.known,
            tuple(counts.refused),
            tuple(counts.growing),
            counts.unchanged,
            counts.cloudy,
        )

    def _found(self, ledger: Ledger, counts: _Counts) -> Iterator[Found]:
        """All files of all places; a place that cannot be read is told once until it can be again."""
        for place in self._places:
            if isinstance(place, StacSettings):
                yield from self._offered(ledger, place, counts)
                continue
            try:
                files = listed(place)
            except CvpipeError as error:
                self._refuse(place, [], error, counts)
                continue
            self._is_well(place)
            yield from files

    def _offered(self, ledger: Ledger, place: StacSettings, counts: _Counts) -> Iterator[Found]:
        """What a STAC API offers on the sites; one that does not answer costs itself only, this time."""
        catalogue, day, offered = Catalogue(place, ledger.bounds_of_sites()), today(), list[Found]()
        try:
            for one in catalogue.offers(catalogue.first_day(self._journal)):
                if isinstance(one, Found):
                    offered.append(one)
                    yield one
                elif isinstance(one, BadItem):
                    self._refuse_item(one, counts)
                else:
                    counts.cloudy += 1
        except CvpipeError as error:
            self._refuse(catalogue.name, [], error, counts)
        except Exception as error:  # whatever an answer does to a library
            LOG.debug("%s", catalogue.name, exc_info=True)
            self._refuse(catalogue.name, [], SceneError(f"{type(error).__name__}: {error}"), counts)
        else:
            self._is_well(catalogue.name)
            again = [one.item for one in offered if one.item and self._state(one.name) == _REFUSED]
            catalogue.looked_through(self._journal, day, [acquired(item) for item in again])

    def _is_well(self, place: str) -> None:
        """A place that could not be read can be: the next time that it cannot is news again."""
        if self._state(place) == _REFUSED:
            self._note(place, [], _TAKEN)

    def _refuse_item(self, bad: BadItem, counts: _Counts) -> None:
        note = self._journal.get(bad.name)
        if note is not None and note.get("reason") == _reason(bad.error):
            counts.unchanged += 1
        else:
            self._refuse(bad.name, [], bad.error, counts)

    def _consider(self, ledger: Ledger, found: Found, counts: _Counts) -> None:
        """Take the file, wait for it, or leave it as it is."""
        note, age = self._journal.get(found.name), self._age(found.name)
        is_new = note is None or note["stamp"] != found.stamp
        if is_new and not found.is_whole:
            self._note(found.name, found.stamp, _GROWING)
            counts.growing.append(found.name)
        elif is_new or (note["state"] == _REFUSED and age >= RETRY_S):
            self._take(ledger, found, counts)
        elif note["state"] != _GROWING:
            counts.unchanged += 1
        elif age >= self._settle_s:
            self._take(ledger, found, counts)
        else:
            counts.growing.append(found.name)

    def _take(self, ledger: Ledger, found: Found, counts: _Counts) -> None:
        try:
            scene = describe(found.address, source=found.item)
            if not found.is_whole and stamp_of(Path(found.address)) != found.stamp:
                self._note(found.name, [], _GROWING)  # it grew while it was read: the next look begins anew
                counts.growing.append(found.name)
                return
            is_new = ledger.add_scene(scene)
        except LedgerError as error:
            ledger.scenes()  # raises where it is not the scene that is to blame but the ledger
            self._refuse_file(found, error, counts)
        except CvpipeError as error:
            self._refuse_file(found, error, counts)
        except Exception as error:  # whatever a file dies of costs that file only
            LOG.debug("%s", shown(found.address), exc_info=True)
            self._refuse_file(found, SceneError(f"{type(error).__name__}: {error}"), counts)
        else:
            counts.added += [shown(found.address)] if is_new else []
            counts.known += not is_new
            self._note(found.name, found.stamp, _TAKEN)

    def _refuse_file(self, found: Found, error: CvpipeError, counts: _Counts) -> None:
        told = f"{found.name} ({shown(found.address)})" if found.item else shown(found.address)
        self._refuse(found.name, found.stamp, error, counts, told)

    def _refuse(self, name: str, stamp: Stamp, error: CvpipeError, counts: _Counts, told: str = "") -> None:
        """Remember the refusal, and tell it unless that was done; `told` is the name as people see it."""
        reason = _reason(error)
        note = self._journal.get(name)
        is_told = note is not None and note.get("reason") == reason and note["told_for"] == stamp
        if not is_told:
            counts.refused.append(Refused(told or shown(name), reason))
        self._note(name, stamp, _REFUSED, reason)

    def _note(self, address: str, stamp: Stamp, state: str, reason: str = "") -> None:
        told = {"reason": reason, "told_for": stamp} if reason else {}
        self._journal.put(address, {"stamp": stamp, "state": state, "since": round(time.time(), 3), **told})

    def _state(self, address: str) -> str | None:
        note = self._journal.get(address)
        return None if note is None else str(note["state"])

    def _age(self, address: str) -> float:
        """Seconds since the last note; endless where the clock was set back meanwhile."""
        note = self._journal.get(address)
        age = time.time() - note["since"] if note else 0.0
        return age if age >= 0 else float("inf")


def _place(stated: WatchedPlace) -> WatchedPlace:
    """A place as it is looked through: what is `https://` is a STAC API, what is `s3://` a bucket."""
    is_api = isinstance(stated, str) and stated.lower().startswith(("http://", "https://"))
    return StacSettings(stac=str(stated)) if is_api else stated


def _reason(error: CvpipeError) -> str:
    return f"{error.found}. {error.remedy}" if error.remedy else error.found
