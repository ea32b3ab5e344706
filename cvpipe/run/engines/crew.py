"""The workers of a run on a cluster: started, greeted, lost and replaced.

A worker whose process or node is lost is replaced by one that Ray starts wherever there is room, at once or when a
node comes back. Ray's own restarts are not used: work would then wait for a worker that may never come.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError

import cvpipe
from cvpipe.errors import ClusterError, ClusterLostError
from cvpipe.run.engines.posts import Post
from cvpipe.run.engines.work import Terms
from cvpipe.run.engines.worker import Carried, Greeting, Worker

LOG = logging.getLogger(__name__)

#: Without any worker for so many seconds a run gives up: an autoscaler has a new machine up in a few minutes.
WORKER_WITHIN_S = 600.0

#: Seconds after which a wait looks whether anybody is left.
LOOKS_EVERY_S = 5.0

#: So many workers may die in a row before one says that it is ready.
MOST_STILLBORN = 5


@dataclass(frozen=True)
class Outfit:
    """What each worker gets: its network, what pairs are assessed by, and files that it must be able to read."""

    carried: Carried
    digest: str
    terms: Terms
    scenes: Sequence[str]


@dataclass(eq=False)
class Hand:
    """A worker as the run sees it; `machine` is told once it has greeted. A substitute came for a lost one."""

    actor: Any
    is_substitute: bool
    machine: str = ""


class Crew:
    """The workers that start and those that are `ready`."""

    def __init__(self, post: Post, outfit: Outfit) -> None:
        self.post, self.ready = post, list[Hand]()
        self.machines = set[str]()
        self._outfit = (ray.put(outfit.carried), outfit.digest, ray.put(outfit.terms))
        self._scenes = list(outfit.scenes)
        self._starting: dict[Any, Hand] = {}
        self._stillborn, self._somebody_at = 0, time.monotonic()
        for _ in range(post.workers):
            self._hire(is_substitute=False)

    def wait(self, flights: Sequence[Any]) -> list[Any]:
        """Those of the flights that have landed, after a short wait at most; who has greeted by then is ready.

        Raises ClusterError where the first workers cannot work, ClusterLostError where nobody is left.
        """
        done, _ = ray.wait([*flights, *self._starting], timeout=LOOKS_EVERY_S)
        landed = [ref for ref in done if ref not in self._starting]
        for ref in done:
            if ref in self._starting:
                self._greeted(ref, self._starting.pop(ref))
        self._must_have_somebody()
        return landed

    def lose(self, hand: Hand) -> None:
        """Do without a worker from now on, and start another one."""
        LOG.warning("a worker on %s is lost; its work goes to others", hand.machine)
        self.ready.remove(hand)
        _end(hand)
        self._hire(is_substitute=True)

    def dismiss(self) -> None:
        """End all workers."""
        for hand in (*self.ready, *self._starting.values()):
            _end(hand)
        self.ready, self._starting = [], {}

    def _hire(self, *, is_substitute: bool) -> None:
        post = self.post
        actor = ray.remote(Worker).options(
            num_cpus=post.cpus, num_gpus=post.gpus, scheduling_strategy="SPREAD", max_restarts=0
        )
        hand = Hand(actor.remote(), is_substitute)
        greeting = hand.actor.greet.remote(cvpipe.__version__, *self._outfit, post.device, post.cpus, self._scenes)
        self._starting[greeting] = hand

    def _greeted(self, ref: Any, hand: Hand) -> None:
        try:
            greeting: Greeting = ray.get(ref)
        except RayError as error:
            self._replace_stillborn(hand, error)
            return
        hand.machine = greeting.machine
        if not greeting.trouble:
            self._stillborn = 0
            self.machines.add(hand.machine)
            self.ready.append(hand)
            return
        _end(hand)
        if not hand.is_substitute:
            raise ClusterError(greeting.trouble, where=f"worker on {greeting.machine}", remedy=greeting.remedy)
        LOG.warning("no worker on %s: %s", greeting.machine, greeting.trouble)

    def _replace_stillborn(self, hand: Hand, error: RayError) -> None:
        self._stillborn += 1
        _end(hand)
        if self._stillborn > MOST_STILLBORN:
            raise (ClusterLostError if self.machines else ClusterError)(
                f"workers die before they are ready ({_first_line(error)})",
                remedy="Every node needs this version of cvpipe in the Python that Ray runs there, and enough memory.",
            )
        self._hire(is_substitute=hand.is_substitute)

    def _must_have_somebody(self) -> None:
        if self.ready:
            self._somebody_at = time.monotonic()
        elif time.monotonic() - self._somebody_at > WORKER_WITHIN_S:
            raise (ClusterLostError if self.machines else ClusterError)(
                f"no worker with {self.post.told} came within {WORKER_WITHIN_S:g} s",
                remedy="`ray status` tells what the cluster has and who uses it; what was written is kept.",
            )


def _end(hand: Hand) -> None:
    try:
        ray.kill(hand.actor)
    except (RayError, ValueError) as error:  # it is gone already
        LOG.debug("a worker that was to end: %s", error)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
