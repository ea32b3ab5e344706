"""`cvpipe run --sweep`: whole scenes compared, and changes outside every site kept as candidates.

Which scenes: at each place the newest usable one, against the newest usable one of an earlier day that shares most of
it. What counts: a change of at least `LEAST_M2` outside all sites (widened by `BESIDE_M`). What is the same: two
changes of one kind of which the smaller lies in the other by half at least; in one sweep those that touch are merged,
so that the edge of a scene cuts nothing in two. A pair that was swept with the same bundle is remembered in
`runs/swept.jsonl`: repeated or resumed, a sweep compares only what is new, and writes only what nobody has seen.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from typing import Any

import shapely
from shapely import STRtree
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from cvpipe.detect import passes
from cvpipe.detect.alignment import AlignedPair
from cvpipe.domain import Candidate, Change, ChangeKind, Scene
from cvpipe.errors import CvpipeError, SceneError
from cvpipe.geo import area_m2, areas_m2, buffered_all
from cvpipe.imagery import SceneReader
from cvpipe.imagery.quality import MAX_RESIDUAL_PX
from cvpipe.imagery.remote import shown
from cvpipe.run.journal import Journal
from cvpipe.run.nearby import LEAST_M_PER_DEGREE, Nearby
from cvpipe.run.order import Job
from cvpipe.run.remembering import forgetting
from cvpipe.run.summary import Failure

LOG = logging.getLogger(__name__)

#: File of the journal below a workspace's `runs/`.
SWEPT_NAME = "swept.jsonl"

SWEEP = "(sweep)"

#: Goes up when a sweep finds otherwise on the same scenes, so that what was remembered is not taken for it.
METHOD = 1

#: A scene with more cloud than this by its own STAC item (`eo:cloud_cover`, percent) is not swept; in the others
#: clouded pixels count for nothing.
MOST_CLOUD_PERCENT = 50.0

#: Share of a scene that must be new ground, or shared with the earlier one, for the pair to be worth comparing.
LEAST_SHARE = 0.05

#: Ground around each site that is its own, m: edges of roofs lean by so much, and outlines are drawn by hand.
BESIDE_M = 15.0

#: Smallest candidates, m²: a structure worth a visit, and green of more than some crowns.
LEAST_M2 = {
    ChangeKind.STRUCTURE_REMOVED: 40.0,
    ChangeKind.STRUCTURE_ADDED: 40.0,
    ChangeKind.GREEN_ADDED: 400.0,
    ChangeKind.GREEN_REMOVED: 400.0,
}

#: Two changes are one where they share this part of the smaller one.
SAME_SHARE = 0.5

#: Changes of one sweep nearer than this are one, m: a scene's edge may cut them a pixel apart.
TOUCHING_M = 1.0


@dataclass(frozen=True)
class SweepPair:
    """Two whole scenes that are compared."""

    before: Scene
    after: Scene

    def key(self, bundle_digest: str, gsd_m: float, light: str) -> str:
        """What the answer hangs on."""
        content = [METHOD, self.before.content_hash, self.after.content_hash, bundle_digest, gsd_m, light]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def megapixels(self, gsd_m: float) -> float:
        """Ground that both show, in Mpx with pixels of `gsd_m`."""
        return area_m2(self.before.footprint.intersection(self.after.footprint)) / gsd_m**2 / 1e6


@dataclass(frozen=True)
class Swept:
    """What a sweep wrote: new candidates, those seen again at a later epoch; and the pairs that failed, or that rest
    because they failed before (`cvpipe.run.patience`)."""

    added: int
    seen_again: int
    failed: tuple[Failure, ...]
    compared_mpx: float


def pairs_to_sweep(scenes: Sequence[Scene]) -> list[SweepPair]:
    """The pairs that show each place as it is now, the newest first."""
    usable = sorted((s for s in scenes if _cloud(s) <= MOST_CLOUD_PERCENT), key=lambda s: (s.acquired, s.content_hash))
    nearby, tree = Nearby(usable), STRtree([scene.footprint for scene in usable])
    swept, out = set[int](), list[SweepPair]()
    for number, after in reversed(list(enumerate(usable))):
        newer = swept.intersection(tree.query(after.footprint, predicate="intersects").tolist())
        left = after.footprint.difference(shapely.union_all([usable[n].footprint for n in sorted(newer)]))
        earlier = [scene for scene in nearby.of(left) if scene.acquired < after.acquired] if not left.is_empty else []
        shares = {scene.content_hash: _share(left, scene.footprint, after.footprint) for scene in earlier}
        found = [scene for scene in earlier if shares[scene.content_hash] >= LEAST_SHARE]
        if found:
            best = max(found, key=lambda scene: (round(shares[scene.content_hash], 1), scene.acquired))
            out.append(SweepPair(best, after))
            swept.add(number)
    return out


def sweep(job: Job, on_pair: Callable[[str], None] | None = None) -> Swept:
    """Compare what was not compared yet, and write what is new into the ledger. A pair that fails costs itself only."""
    journal = Journal(job.runs / SWEPT_NAME)
    found, failed, mpx = list[Candidate](), list[Failure](), 0.0
    for pair in pairs_to_sweep(job.choosing.scenes):
        key = pair.key(job.network.digest, job.network.gsd_m, job.settings.light)
        known = journal.get(key)
        if known is None:
            changes = _compared(job, pair, key)
            if isinstance(changes, Failure):
                failed.append(changes)
                continue
            known = [_as_plain(change) for change in changes]
            journal.put(key, known)
            mpx += pair.megapixels(job.network.gsd_m)
        found += [_candidate_of(plain, pair.after.acquired) for plain in known]
        if on_pair:
            on_pair(f"sweep {pair.before.acquired} to {pair.after.acquired}")
    added, again = _written(job, ranked(merged(outside_sites(found, _sites_of(job)))))
    return Swept(added, again, tuple(failed), mpx)


def _compared(job: Job, pair: SweepPair, key: str) -> list[Change] | Failure:
    """The changes of a pair of scenes; or why there are none: it died, or rests after it died in earlier runs."""
    day = pair.after.acquired
    rest = job.patience.rest_of(key, SWEEP)
    if rest is not None:
        return Failure(SWEEP, day, rest.told, rests_until=rest.until)
    try:
        changes = _changes(job, pair)
    except Exception as error:  # whatever a pair of scenes dies of costs that pair only
        LOG.debug("%s", pair, exc_info=True)
        reason = str(error) if isinstance(error, CvpipeError) else f"{type(error).__name__}: {error}"
        job.patience.set_aside(key, SWEEP, day, reason)
        return Failure(SWEEP, day, reason)
    job.patience.forgive(key)
    return changes


def outside_sites(found: Iterable[Candidate], sites: Sequence[BaseGeometry]) -> list[Candidate]:
    """What lies outside all sites (WGS 84, widened already), each part for itself; small rests are left out."""
    tree, out = STRtree(sites), list[Candidate]()
    for one in found:
        near = [sites[i] for i in tree.query(one.geometry)]
        rest = one.geometry.difference(shapely.union_all(near)) if near else one.geometry
        out += [_with(one, part) for part in _polygons(rest) if area_m2(part) >= LEAST_M2[one.kind]]
    return out


def merged(found: Sequence[Candidate]) -> list[Candidate]:
    """Those of one kind that touch or overlap become one: its probability is their mean by area."""
    out = list[Candidate]()
    for kind in ChangeKind:
        alike = [one for one in found if one.kind is kind]
        if not alike:
            continue
        reach = TOUCHING_M / 2 / LEAST_M_PER_DEGREE
        clusters = _polygons(shapely.union_all([one.geometry.buffer(reach, quad_segs=2) for one in alike]))
        tree = STRtree([one.geometry for one in alike])
        for cluster in clusters:
            out.append(_joined([alike[i] for i in tree.query(cluster, predicate="intersects")]))
    return out


def ranked(found: Iterable[Candidate]) -> list[Candidate]:
    """What deserves a look most first: by area × probability."""
    return sorted(found, key=rank, reverse=True)


def rank(candidate: Candidate) -> float:
    """Area × probability, m²: what of it is to be expected."""
    return candidate.area_m2 * candidate.probability


def is_same(one: Candidate, other: Candidate) -> bool:
    """Whether two candidates are of one change: one kind, and the smaller one lies in the other by half at least."""
    if one.kind is not other.kind or not one.geometry.intersects(other.geometry):
        return False
    shared, *both = areas_m2([one.geometry.intersection(other.geometry), one.geometry, other.geometry])
    return bool(shared >= SAME_SHARE * min(both))


def _changes(job: Job, pair: SweepPair) -> list[Change]:
    """The changes of two whole scenes, in memory that does not grow with them."""
    with ExitStack() as stack:
        before, after = (stack.enter_context(SceneReader.of(scene)) for scene in (pair.before, pair.after))
        aligned = AlignedPair.of(before, after, job.network.gsd_m, job.settings.light)
        if aligned.grid.crs is None:
            raise SceneError("a scene without georeference", remedy="Give it a CRS, for example with gdal_translate.")
        if aligned.registration.residual_px > MAX_RESIDUAL_PX:  # infinite where no window told a shift
            found = f"does not lie on {shown(pair.before.uri)} to within {MAX_RESIDUAL_PX:g} pixels"
            raise SceneError(found, where=shown(pair.after.uri), remedy="Orthorectify both with one terrain model.")
        stack.enter_context(forgetting(job.network))
        changes = passes.predict(job.network, aligned).changes(aligned.grid)
    return [change for change in changes if change.area_m2 >= LEAST_M2[change.kind]]


def _written(job: Job, found: Iterable[Candidate]) -> tuple[int, int]:
    """Write those that no earlier candidate is, dismissed and adopted ones among them; tells new ones and others."""
    added = again = 0
    for one in found:
        earlier = [entry for entry in job.ledger.candidates(bounds=one.geometry.bounds) if is_same(one, entry.value)]
        if not earlier:
            job.ledger.add_candidate(one)
            added += 1
        for entry in earlier:
            if one.last_seen > entry.value.last_seen:
                job.ledger.see_candidate(entry.id, on=one.last_seen, probability=one.probability)
                again += 1
    return added, again


def _sites_of(job: Job) -> list[BaseGeometry]:
    """All sites of the ledger (whichever a run was asked for), widened."""
    sites = job.ledger.sites()
    areas = buffered_all([site.geometry for site in sites], [site.buffer_m for site in sites])
    around = BESIDE_M / LEAST_M_PER_DEGREE
    return [_widened(area, around) for area in areas]


def _widened(area: BaseGeometry, degrees: float) -> BaseGeometry:
    """Widened by as many metres to the east as to the north: a degree of longitude is shorter than one of latitude."""
    if area.is_empty:
        return area
    across = max(math.cos(math.radians(area.centroid.y)), 0.01)
    flat = shapely.transform(area, lambda xy: xy * (across, 1.0))
    return shapely.transform(flat.buffer(degrees), lambda xy: xy / (across, 1.0))


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


def _share(left: BaseGeometry, footprint: BaseGeometry, whole: BaseGeometry) -> float:
    """Share of a whole scene that is both left to sweep and shown by an earlier one."""
    return float(left.intersection(footprint).area / whole.area) if whole.area else 0.0


def _cloud(scene: Scene) -> float:
    stated = ((scene.stac or {}).get("properties") or {}).get("eo:cloud_cover")
    return float(stated) if isinstance(stated, int | float) else 0.0


def _as_plain(change: Change) -> list[Any]:
    return [change.kind.value, shapely.to_wkb(change.geometry, hex=True), change.area_m2, change.probability]


def _candidate_of(plain: list[Any], seen: date) -> Candidate:
    kind, outline, area, probability = plain
    return Candidate(shapely.from_wkb(outline), ChangeKind(kind), area, probability, seen, seen)
