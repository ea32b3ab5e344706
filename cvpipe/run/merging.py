"""From the changes of many scenes to candidates: outside the sites, one for what an edge cut in two, by rank.

One pair of scenes is in memory at a time, and of the others what a pair still to come may touch. What is whole goes
to a file, and comes back by rank.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO

import numpy as np
import shapely
from shapely import STRtree
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from cvpipe.domain import Candidate, ChangeKind, Scene
from cvpipe.geo import area_m2, areas_m2
from cvpipe.run.nearby import LEAST_M_PER_DEGREE, Nearby
from cvpipe.run.whole_scenes import LEAST_M2

#: Two changes are one where they share this part of the smaller one.
SAME_SHARE = 0.5

#: Changes of one sweep nearer than this are one, m: a scene's edge may cut them a pixel apart.
TOUCHING_M = 1.0

#: By so much a change may reach over the outline of the scene that shows it, m: outlines are drawn with few corners.
BEYOND_M = 30.0


def outside_sites(
    found: Iterable[Candidate], sites: Sequence[BaseGeometry], tree: STRtree | None = None
) -> list[Candidate]:
    """What lies outside all sites (WGS 84, widened already), each part for itself; small rests are left out.

    `tree` is an index over the sites, where there is one.
    """
    tree, out = tree or STRtree(sites), list[Candidate]()
    for one in found:
        near = [sites[i] for i in tree.query(one.geometry)]
        rest = one.geometry.difference(shapely.union_all(near)) if near else one.geometry
        out += [_with(one, part) for part in _polygons(rest) if area_m2(part) >= LEAST_M2[one.kind]]
    return out


class Seams:
    """Candidates of one scene after the other; those that touch become one, across the edges of scenes too."""

    def __init__(self, scenes: Sequence[Scene]) -> None:
        """`scenes` are the later scenes of the pairs, in the order in which their candidates will come."""
        self._nearby, self._numbers = Nearby(scenes), {scene.content_hash: n for n, scene in enumerate(scenes)}
        self._open = list[Candidate]()

    def whole(self, number: int, found: Iterable[Candidate]) -> Iterator[Candidate]:
        """With the candidates of one more scene: those that no scene still to come can touch."""
        clusters = clustered([*self._open, *found])
        self._open = []
        for cluster in clusters:
            if any(self._is_awaited(part, number) for part in cluster):
                self._open += cluster
            else:
                yield _joined(cluster)

    @property
    def held(self) -> int:
        """Candidates that wait for the scenes beside theirs."""
        return len(self._open)

    def _is_awaited(self, part: Candidate, number: int) -> bool:
        return any(self._numbers[s.content_hash] > number for s in self._nearby.of(part.geometry, BEYOND_M))


def merged(found: Sequence[Candidate]) -> list[Candidate]:
    """Those of one kind that touch or overlap become one: its probability is their mean by area."""
    return [_joined(cluster) for cluster in clustered(found)]


def clustered(found: Sequence[Candidate]) -> list[list[Candidate]]:
    """Those of one kind that touch or overlap, together."""
    out = list[list[Candidate]]()
    for kind in ChangeKind:
        alike = [one for one in found if one.kind is kind]
        if not alike:
            continue
        reach = TOUCHING_M / 2 / LEAST_M_PER_DEGREE
        clusters = _polygons(shapely.union_all([one.geometry.buffer(reach, quad_segs=2) for one in alike]))
        tree = STRtree([one.geometry for one in alike])
        out += [[alike[i] for i in np.sort(tree.query(c, predicate="intersects"))] for c in clusters]
    return out


class Shelf:
    """Candidates in a file below `folder`, of which only the ranks are in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._places = folder, list[tuple[float, int]]()

    def __enter__(self) -> Shelf:
        self._file: IO[bytes] = TemporaryFile(dir=self._folder)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def put(self, one: Candidate) -> None:
        """Lay one away."""
        self._places.append((-rank(one), self._file.tell()))
        days = one.first_seen.isoformat(), one.last_seen.isoformat()
        plain = [one.kind.value, shapely.to_wkb(one.geometry, hex=True), one.area_m2, one.probability, *days]
        self._file.write(json.dumps(plain).encode() + b"\n")

    def ranked(self) -> Iterator[Candidate]:
        """What deserves a look most first: by area × probability."""
        for _, place in sorted(self._places):
            self._file.seek(place)
            kind, outline, area, chance, first, last = json.loads(self._file.readline())
            days = date.fromisoformat(first), date.fromisoformat(last)
            yield Candidate(shapely.from_wkb(outline), ChangeKind(kind), area, chance, *days)


def rank(candidate: Candidate) -> float:
    """Area × probability, m²: what of it is to be expected."""
    return candidate.area_m2 * candidate.probability


def is_same(one: Candidate, other: Candidate) -> bool:
    """Whether two candidates are of one change: one kind, and the smaller one lies in the other by half at least."""
    if one.kind is not other.kind or not one.geometry.intersects(other.geometry):
        return False
    shared, *both = areas_m2([one.geometry.intersection(other.geometry), one.geometry, other.geometry])
    return bool(shared >= SAME_SHARE * min(both))


def _joined(parts: Sequence[Candidate]) -> Candidate:
    if len(parts) == 1:
        return parts[0]
    whole = shapely.union_all([part.geometry for part in parts])
    weight = sum(part.area_m2 for part in parts)
    mean = sum(part.area_m2 * part.probability for part in parts) / weight
    seen = max(part.last_seen for part in parts)
    return Candidate(whole, parts[0].kind, area_m2(whole), mean, min(part.first_seen for part in parts), seen)


def _with(one: Candidate, part: Polygon) -> Candidate:
    """A part of a candidate; its area is its share of what the pixels measured."""
    share = area_m2(part) / area_m2(one.geometry)
    return Candidate(part, one.kind, one.area_m2 * share, one.probability, one.first_seen, one.last_seen)


def _polygons(geometry: BaseGeometry) -> Iterator[Polygon]:
    for part in getattr(geometry, "geoms", [geometry]):
        if isinstance(part, Polygon) and not part.is_empty:
            yield part


__all__ = ["Seams", "Shelf", "clustered", "is_same", "merged", "outside_sites", "rank"]
