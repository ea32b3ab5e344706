"""Pairs handed out to the workers of a Ray cluster, and handed out again where a worker is lost.

In flight are at most `FLIGHTS_PER_WORKER` times `MOST_AT_ONCE` pairs per worker: sites and addresses of scenes go out,
assessments come back. Each pair comes back once: what a lost worker may still say is not listened to.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError

from cvpipe.folders import written_whole
from cvpipe.imagery import surface_path
from cvpipe.run.engines.cluster import connected
from cvpipe.run.engines.crew import Crew, Hand, Outfit
from cvpipe.run.engines.posts import RayOptions, post_for
from cvpipe.run.engines.work import Answer
from cvpipe.run.engines.worker import Returned
from cvpipe.run.sites import SitePair
from cvpipe.run.whole_scenes import Compared, ScenePair

LOG = logging.getLogger(__name__)

#: Pairs that a worker gets in one go, where there are many: it reads the next one while its network has the one before,
#: and opens each scene once for all of them.
MOST_AT_ONCE = 16

#: One lot is being worked on, and one lies ready.
FLIGHTS_PER_WORKER = 2

#: Workers that may be lost over one pair before it is set aside: it may well be what kills them.
MOST_LOSSES = 3

#: Seconds for an answer that had landed before its worker was lost.
FETCHED_WITHIN_S = 5.0


class RayEngine:
    """Workers are started with the first pairs, and serve until the engine is closed."""

    def __init__(self, options: RayOptions, outfit: Outfit, device: str, runs: Path) -> None:
        self._options, self._outfit, self._wanted, self._runs = options, outfit, device, runs
        self._stack = ExitStack()

    def answers(self, pairs: Sequence[SitePair]) -> Generator[tuple[SitePair, Answer]]:
        """What became of pairs, as they come back.

        Raises UsageError and ClusterError where no cluster can be had, ClusterLostError where it is lost.
        """
        if not pairs:
            return
        for number, returned in Handing(self._crew, pairs).results():
            self._keep_surfaces(returned)
            yield pairs[number], returned.answer

    def changes(self, pairs: Sequence[ScenePair]) -> Generator[tuple[ScenePair, Compared]]:
        """What changed between whole scenes, one pair a worker at a time, as they come back. Raises as `answers`."""
        if not pairs:
            return
        for number, found in Handing(self._crew, pairs, SCENES).results():
            yield pairs[number], found

    def close(self) -> None:
        """Let the workers go, and stop a cluster that was started for the run."""
        self._stack.close()

    @property
    def device(self) -> str:
        """Runs on one cluster are like each other, whatever the device of its workers."""
        return "ray"

    @property
    def machine(self) -> Mapping[str, Any]:
        """The workers, once there are any: how many were asked for, what each has, where they are."""
        if "_crew" not in self.__dict__:
            return {}
        post = self._crew.post
        return {"workers": post.workers, "worker": post.told, "nodes": sorted(self._crew.machines)}

    @cached_property
    def _crew(self) -> Crew:
        self._stack.enter_context(connected(self._options.address))
        crew = Crew(post_for(ray.nodes(), self._options, self._wanted), self._outfit)
        self._stack.callback(crew.dismiss)
        return crew

    def _keep_surfaces(self, returned: Returned) -> None:
        """Write the map of surfaces that a worker made where reviewers find it; nothing else hangs on it."""
        if returned.surfaces is None or returned.answer.assessment is None:
            return
        path = surface_path(self._runs, returned.answer.assessment.key)
        assert path is not None, "keys are digests"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(path) as unfinished:
                unfinished.write_bytes(returned.surfaces)
        except OSError as error:
            LOG.warning("the map of surfaces is not kept: %s", error)


@dataclass(frozen=True)
class Flight:
    """Pairs, by their number, on their way to a worker and back."""

    hand: Hand
    numbers: Sequence[int]


@dataclass(frozen=True)
class Errand:
    """What workers are asked: by which of their methods, how many pairs at once, which pairs go to one of them, and
    what stands for a pair over which they were lost, by the reason."""

    method: str
    most_at_once: int
    go_together: Callable[[Any, Any], bool]
    lost: Callable[[str], Any]


def share_ground(one: SitePair, other: SitePair) -> bool:
    """Whether two pairs in a row are looked at as one, so that one worker should have both."""
    return len(one.sites) > 1 and one.ground == other.ground


SITES = Errand("answers", MOST_AT_ONCE, share_ground, lambda reason: Returned(Answer(None, reason=reason)))
SCENES = Errand("changes", 1, lambda _one, _other: False, lambda reason: Compared(None, reason))


class Handing:
    """Some pairs handed out until each has come back."""

    def __init__(self, crew: Crew, pairs: Sequence[Any], errand: Errand = SITES) -> None:
        self._crew, self._pairs, self._errand = crew, pairs, errand
        self._waiting = deque(range(len(pairs)))
        self._flights: dict[Any, Flight] = {}  # in the order in which they set out
        self._losses = Counter[int]()

    def results(self) -> Iterator[tuple[int, Any]]:
        """The number of each pair and what came back of it."""
        while self._waiting or self._flights:
            self._hand_out()
            for ref in self._crew.wait([*self._flights]):
                if ref in self._flights:  # not with those of a lost worker
                    yield from self._landed(ref)

    def _hand_out(self) -> None:
        for flights in range(FLIGHTS_PER_WORKER):
            for hand in self._crew.ready:
                if self._waiting and len(self._refs_of(hand)) == flights:
                    numbers = self._next_lot()
                    ask = getattr(hand.actor, self._errand.method)
                    ref = ask.remote([self._pairs[number] for number in numbers])
                    self._flights[ref] = Flight(hand, numbers)

    def _next_lot(self) -> list[int]:
        """Fewer at a time towards the end, so that all end together; alone what a worker was lost over."""
        most = min(
            self._errand.most_at_once, max(1, len(self._waiting) // (FLIGHTS_PER_WORKER * len(self._crew.ready)))
        )
        lot = [self._waiting.popleft()]
        while self._waiting and not self._losses[lot[0]] and not self._losses[self._waiting[0]]:
            if len(lot) >= most and not self._go_together(lot[-1], self._waiting[0]):
                break
            lot.append(self._waiting.popleft())
        return lot

    def _go_together(self, number: int, following: int) -> bool:
        return self._errand.go_together(self._pairs[number], self._pairs[following])

    def _landed(self, ref: Any) -> Iterator[tuple[int, Any]]:
        flight = self._flights[ref]
        try:
            returned: list[Any] = ray.get(ref)
        except RayActorError as error:
            self._crew.lose(flight.hand)
            yield from self._salvaged(flight.hand, error)
        except RayError as error:
            del self._flights[ref]
            yield from self._lost(flight, error)
        else:
            del self._flights[ref]
            yield from zip(flight.numbers, returned, strict=True)

    def _salvaged(self, hand: Hand, error: RayError) -> Iterator[tuple[int, Any]]:
        """What a lost worker had done, and its other pairs back among the waiting; it was lost over the first lot."""
        was_at_work = True
        for ref in self._refs_of(hand):
            flight = self._flights.pop(ref)
            try:
                returned: list[Any] = ray.get(ref, timeout=FETCHED_WITHIN_S)
            except RayError:
                if was_at_work:
                    yield from self._lost(flight, error)
                else:
                    self._waiting.extendleft(reversed(flight.numbers))
                was_at_work = False
            else:
                yield from zip(flight.numbers, returned, strict=True)

    def _lost(self, flight: Flight, error: RayError) -> Iterator[tuple[int, Any]]:
        self._losses.update(flight.numbers)
        again = [number for number in flight.numbers if self._losses[number] < MOST_LOSSES]
        self._waiting.extendleft(reversed(again))
        for number in sorted(set(flight.numbers) - set(again)):
            told = str(error).strip().partition("\n")[0]
            reason = f"{MOST_LOSSES} workers were lost over it, the last on {flight.hand.machine}: {told}"
            yield number, self._errand.lost(reason)

    def _refs_of(self, hand: Hand) -> list[Any]:
        return [ref for ref, flight in self._flights.items() if flight.hand is hand]
