"""What a plan would read and think about: ground that sites share is counted once, with the first pair that is tried.

Sites share their ground as in a run: `SITES_AT_ONCE` at a time, those whose pairs are known among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray

from cvpipe.domain import Site
from cvpipe.geo import array_of
from cvpipe.run.estimate import to_read, to_think
from cvpipe.run.grouping import grouped
from cvpipe.run.order import Job
from cvpipe.run.planned import Loads, Table
from cvpipe.run.sharing import Scale, boxes_of
from cvpipe.run.sites import PairKind

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class _Look:
    """Of what kind a pair is and what it shows: pairs with an equal one may share their ground."""

    kind: PairKind
    before: tuple[str, ...]
    after: tuple[str, ...]
    gsds: tuple[float, ...]


@dataclass(frozen=True)
class _Pairs:
    """Pairs that look at some ground (N,): their numbers, their sites, their looks, the part their sites belong to, and
    whether they are tried."""

    number: Numbers
    site: Numbers
    look: Numbers
    part: Numbers
    tried: Flags

    def of(self, which: Numbers | Flags) -> _Pairs:
        """Some of them."""
        return _Pairs(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class _Grounds:
    """Ground that is looked at once: the pairs that have it counted (G,), and its boxes (G, 4) in m without margin."""

    first: _Pairs
    boxes: Floats


def loads_of(job: Job, parts: Sequence[Sequence[Site]], table: Table) -> Loads:
    """The loads of the pairs of a table, whose sites are those of all `parts`; sites of one part may share ground."""
    sites = [site for part in parts for site in part]
    pairs, looks = _looking(table, sites, np.repeat(np.arange(len(parts)), [len(part) for part in parts]))
    alone = job.settings.light != "none"  # light is matched site by site
    grounds = _each_alone(pairs, sites, looks) if alone else _together(pairs, sites, job.scale)
    loads, first = Loads.nothing(table.pairs), grounds.first
    loads.units[table.is_pending] = 1
    loads.units[pairs.number] = 0
    loads.units[first.number] = 1
    width, height = grounds.boxes[:, 2] - grounds.boxes[:, 0], grounds.boxes[:, 3] - grounds.boxes[:, 1]
    loads.megapixels[first.number] = to_think(width, height, job.network.gsd_m, job.settings.margin_m)
    for look, at in _by_value(first.look):
        read = to_read(width[at], height[at], looks[look].gsds, job.settings.margin_m)
        loads.read_megapixels[first.number[at]] = read
    return loads


def _looking(table: Table, sites: Sequence[Site], part: Numbers) -> tuple[_Pairs, list[_Look]]:
    """The pairs that have scenes and a place, in their order, and all looks."""
    alike, numbers = dict[int, int](), list[int]()
    for wanted in table.wanted:
        numbers.append(alike.setdefault(id(wanted), len(alike)))
    is_placed = ~shapely.is_empty(array_of(site.geometry for site in sites))
    looks, found = dict[_Look, int](), list[tuple[Numbers, Numbers, Numbers]]()
    for _, at in _by_value(np.array(numbers, np.int64)):
        some = at[is_placed[at]]
        for place, asked in enumerate(table.wanted[int(at[0])].asked):
            if asked.before is not None and asked.after is not None:
                gsds = tuple(scene.gsd_m for epoch in (asked.before, asked.after) for scene in epoch.scenes)
                look = _Look(asked.kind, asked.before.hashes, asked.after.hashes, gsds)
                shown = looks.setdefault(look, len(looks))
                found.append((table.begins[some] + place, some, np.full(len(some), shown)))
    none = np.zeros(0, np.int64)
    number, site, look_of = (np.concatenate([none, *(columns[i] for columns in found)]) for i in range(3))
    order = np.argsort(number)
    number, site = number[order], site[order]
    return _Pairs(number, site, look_of[order], part[site], table.is_pending[number]), list(looks)


def _each_alone(pairs: _Pairs, sites: Sequence[Site], looks: Sequence[_Look]) -> _Grounds:
    """Each tried pair has ground of its own."""
    kinds = np.array([list(PairKind).index(look.kind) for look in looks], np.int64)
    boxes = np.zeros((len(pairs.number), 4))
    for _, at in _by_value(pairs.part * len(PairKind) + kinds[pairs.look]):
        boxes[at] = boxes_of([sites[number] for number in pairs.site[at]])
    return _Grounds(pairs.of(pairs.tried), boxes[pairs.tried])


def _together(pairs: _Pairs, sites: Sequence[Site], scale: Scale) -> _Grounds:
    """Pairs of one look and part share ground where that costs less; it counts for the first that is tried."""
    pairs = pairs.of(np.lexsort((pairs.number, pairs.look, pairs.part)))
    several = int(pairs.look.max(initial=0)) + 1
    segments = [at for _, at in _by_value(pairs.part * several + pairs.look) if pairs.tried[at].any()]
    if not segments:
        return _Grounds(pairs.of(pairs.tried), np.zeros((0, 4)))
    alike = dict[bytes, int]()  # other epochs of the same sites go together in the same way
    lists, places, ends = list[list[Site]](), list[int](), [0]
    for at in segments:
        own = pairs.site[at]
        place = alike.setdefault(own.tobytes(), len(lists))
        if place == len(lists):
            lists.append([sites[number] for number in own.tolist()])
            ends.append(ends[-1] + len(own))
        places.append(place)
    found = grouped(lists, scale)
    pairs = pairs.of(np.concatenate(segments))
    group = np.concatenate([found.group[ends[place] : ends[place + 1]] for place in places])
    segment = np.repeat(np.arange(len(segments)), [len(at) for at in segments])
    tried = np.flatnonzero(pairs.tried)
    _, first = np.unique((segment * len(found.boxes) + group)[tried], return_index=True)
    return _Grounds(pairs.of(tried[first]), found.boxes[group[tried[first]]])


def _by_value(values: Numbers) -> Iterator[tuple[int, Numbers]]:
    """Each value and where it stands, in order."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    begins = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(values) else np.zeros(0, np.int64)
    for begin, end in pairwise([*begins.tolist(), len(values)]):
        yield int(ordered[begin]), order[begin:end]


__all__ = ["loads_of"]
