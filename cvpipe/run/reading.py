"""Pairs read and aligned ahead of the network."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from itertools import product

from shapely import union_all
from shapely.geometry.base import BaseGeometry

from cvpipe.detect.alignment import registration
from cvpipe.domain import Registration, Scene
from cvpipe.geo import Grid, buffered
from cvpipe.imagery import SceneReaders, common_grid, seen_from
from cvpipe.run.epochs import Epoch
from cvpipe.run.sites import Ground, Looked, SitePair, look, read_ground

LOG = logging.getLogger(__name__)

#: Units that are read and aligned while the network works on the one before; bounds memory.
READ_AHEAD = 3


def read_ahead(
    pairs: Iterable[SitePair], *, gsd_m: float, margin_m: float
) -> Generator[tuple[SitePair, Future[Looked | None]]]:
    """Pairs with what was read for them, in order; one thread reads, so that each scene is opened once.

    Whoever stops early waits for the read in hand: a dataset that is closed while it is read takes the process with it.
    """
    stack, waiting = ExitStack(), deque[tuple[SitePair, Future[Looked | None]]]()
    readers = SceneReaders(stack)
    grounds = Grounds(readers, SceneShifts(readers, gsd_m), gsd_m, margin_m)

    def read(pair: SitePair) -> Looked | None:
        if pair.before is None or pair.after is None:
            return None
        return grounds.look(pair)

    with ThreadPoolExecutor(1) as pool:
        try:
            for pair in pairs:
                waiting.append((pair, pool.submit(read, pair)))
                if len(waiting) > READ_AHEAD:
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()
        finally:
            for _, unread in waiting:
                unread.cancel()
            pool.submit(stack.close).result()  # by the thread that opened them, after the read in hand


class Grounds:
    """The ground of pairs, read once for those in a row that share it. For one thread.

    Where shared ground cannot be read, each of its pairs is looked at alone.
    """

    def __init__(self, readers: SceneReaders, shifts: SceneShifts, gsd_m: float, margin_m: float) -> None:
        self._readers, self._shifts = readers, shifts
        self._scale = {"gsd_m": gsd_m, "margin_m": margin_m}
        self._last: tuple[tuple[tuple[str, ...], ...], Ground | None] | None = None

    def look(self, pair: SitePair) -> Looked:
        """Both epochs of the site. Raises SceneError where a scene cannot be read."""
        shared = self._shared(pair) if len(pair.sites) > 1 else None
        if shared is None:
            pair = pair.alone()
            shared = read_ground(pair, self._readers, self._shifts, **self._scale)
        return look(pair, shared, **self._scale)

    def _shared(self, pair: SitePair) -> Ground | None:
        """The ground that a pair shares with others; None where it cannot be read as one."""
        if self._last is None or self._last[0] != pair.ground:
            self._last = None  # let go of the one before while the next is read
            self._last = pair.ground, self._read(pair)
        return self._last[1]

    def _read(self, pair: SitePair) -> Ground | None:
        try:
            return read_ground(pair, self._readers, self._shifts, **self._scale)
        except Exception:  # whatever it dies of: one of the sites will die of it too, and be listed
            LOG.debug("%s and others are looked at one by one", pair.told, exc_info=True)
            return None


class SceneShifts:
    """How two whole scenes lie on each other, worked out once for each pair of them."""

    def __init__(self, readers: SceneReaders, gsd_m: float) -> None:
        self._readers, self._gsd_m = readers, gsd_m
        self._between = cache(self._measured)

    def __call__(self, pair: SitePair, grid: Grid) -> Registration:
        """The registration of a pair, as seen from a grid, by those of its scenes that share most of the site."""
        assert pair.before is not None
        assert pair.after is not None
        outline = union_all([buffered(site.geometry, site.buffer_m) for site in pair.sites])
        return seen_from(grid, *self._between(*_sharing_most(pair.before, pair.after, outline)))

    def _measured(self, before: Scene, after: Scene) -> tuple[Registration, Grid]:
        one, other = self._readers(before), self._readers(after)
        grid = common_grid(one, other, self._gsd_m)
        return registration(one, other, grid), grid


def _sharing_most(before: Epoch, after: Epoch, outline: BaseGeometry) -> tuple[Scene, Scene]:
    def shared(both: tuple[Scene, Scene]) -> float:
        return float(outline.intersection(both[0].footprint).intersection(both[1].footprint).area)

    return max(product(before.scenes, after.scenes), key=shared)
