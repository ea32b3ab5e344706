"""`cvpipe run --sweep`: whole scenes compared, and changes outside every site kept as candidates.

Which scenes: at each place the newest usable one, against the newest usable one of an earlier day that shares most of
it. What counts: a change of at least `LEAST_M2` outside all sites (widened by `BESIDE_M`). What is the same: two
changes of one kind of which the smaller lies in the other by half at least; in one sweep those that touch are merged,
so that the edge of a scene cuts nothing in two. What a pair of scenes gave with a bundle stays in a file of its own
below `runs/swept/`: repeated or resumed, a sweep compares only what is new, and writes only what nobody has seen.

The pairs are compared by the engine of the run, in this process or in a cluster; then their files are gone through
from one scene to the next, so that the changes of all scenes are never in memory together (`cvpipe.run.merging`).
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import shapely
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

from cvpipe.domain import Candidate, Change, ChangeKind, Scene
from cvpipe.folders import written_whole
from cvpipe.geo import buffered_all
from cvpipe.imagery import stac
from cvpipe.run.merging import Seams, Shelf, is_same, outside_sites
from cvpipe.run.nearby import LEAST_M_PER_DEGREE, Nearby
from cvpipe.run.order import Job
from cvpipe.run.summary import Failure
from cvpipe.run.whole_scenes import ScenePair

LOG = logging.getLogger(__name__)

#: Folder below a workspace's `runs/` with what each pair of scenes gave.
SWEPT_NAME = "swept"

#: What failures call a sweep in place of a site.
SWEEP = "(sweep)"

#: A scene with more cloud than this by its own STAC item (`eo:cloud_cover`, percent) is not swept; in the others
#: clouded pixels count for nothing.
MOST_CLOUD_PERCENT = 50.0

#: Share of a scene that must be new ground, or shared with the earlier one, for the pair to be worth comparing.
LEAST_SHARE = 0.05

#: Ground around each site that is its own, m: edges of roofs lean by so much, and outlines are drawn by hand.
BESIDE_M = 15.0


@dataclass
class Swept:
    """What a sweep wrote: new candidates, those seen again at a later epoch; and the pairs that failed, or that rest
    because they failed before (`cvpipe.run.patience`)."""

    added: int = 0
    seen_again: int = 0
    failed: list[Failure] = field(default_factory=list)
    compared_mpx: float = 0.0


def pairs_to_sweep(scenes: Sequence[Scene]) -> list[ScenePair]:
    """The pairs that show each place as it is now, the newest first."""
    usable = sorted((s for s in scenes if _cloud(s) <= MOST_CLOUD_PERCENT), key=lambda s: (s.acquired, s.content_hash))
    nearby, tree = Nearby(usable), STRtree([scene.footprint for scene in usable])
    swept, out = set[int](), list[ScenePair]()
    for number, after in reversed(list(enumerate(usable))):
        newer = swept.intersection(tree.query(after.footprint, predicate="intersects").tolist())
        left = after.footprint.difference(shapely.union_all([usable[n].footprint for n in sorted(newer)]))
        earlier = [scene for scene in nearby.of(left) if scene.acquired < after.acquired] if not left.is_empty else []
        shares = {scene.content_hash: _share(left, scene.footprint, after.footprint) for scene in earlier}
        found = [scene for scene in earlier if shares[scene.content_hash] >= LEAST_SHARE]
        if found:
            best = max(found, key=lambda scene: (round(shares[scene.content_hash], 1), scene.acquired))
            out.append(ScenePair(best, after))
            swept.add(number)
    return out


def sweep(job: Job, on_pair: Callable[[str], None] | None = None) -> Swept:
    """Compare what was not compared yet, and write what is new into the ledger. A pair that fails costs itself only."""
    kept, swept = Kept(job.runs / SWEPT_NAME), Swept()
    keys = {pair: _key(job, pair) for pair in pairs_to_sweep(job.choosing.scenes)}
    _compare(job, kept, keys, swept, on_pair)
    kept.forget_all_but(keys.values())
    with Shelf(job.runs) as shelf:
        for candidate in _candidates(job, kept, keys, swept):
            shelf.put(candidate)
        swept.added, swept.seen_again = _written(job, shelf.ranked())
    return swept


def _key(job: Job, pair: ScenePair) -> str:
    return pair.key(job.network.digest, job.network.gsd_m, job.settings.light)


def _compare(
    job: Job, kept: Kept, keys: dict[ScenePair, str], swept: Swept, on_pair: Callable[[str], None] | None
) -> None:
    """Have the engine compare the pairs of which nothing is kept, but for those that rest."""
    wanted = list[ScenePair]()
    for pair, key in keys.items():
        rest = job.patience.rest_of(key, SWEEP)
        if key in kept or rest is not None:
            if key not in kept and rest is not None:
                swept.failed.append(Failure(SWEEP, pair.after.acquired, rest.told, rests_until=rest.until))
            if on_pair:
                on_pair(pair.told)
            continue
        wanted.append(pair)
    with closing(job.engine.changes(wanted)) as answers:
        for pair, answer in answers:
            reason = answer.reason if answer.changes is None else kept.put(keys[pair], answer.changes)
            if reason:
                job.patience.set_aside(keys[pair], SWEEP, pair.after.acquired, reason)
                swept.failed.append(Failure(SWEEP, pair.after.acquired, reason))
            else:
                job.patience.forgive(keys[pair])
                swept.compared_mpx += pair.megapixels(job.network.gsd_m)
            if on_pair:
                on_pair(pair.told)


def _candidates(job: Job, kept: Kept, keys: dict[ScenePair, str], swept: Swept) -> Iterator[Candidate]:
    """What lies outside the sites, merged across scenes, one scene after the other."""
    pairs = sorted((pair for pair, key in keys.items() if key in kept), key=_place)
    sites, seams = _sites_of(job), Seams([pair.after for pair in pairs])
    tree = STRtree(sites)
    for number, pair in enumerate(pairs):
        day = pair.after.acquired
        try:
            changes = kept.changes(keys[pair])
        except (OSError, ValueError, TypeError) as error:
            reason = f"what was found cannot be read again ({type(error).__name__}); it is compared anew next time"
            swept.failed.append(Failure(SWEEP, day, reason))
            kept.forget(keys[pair])
            changes = []
        found = (Candidate(c.geometry, c.kind, c.area_m2, c.probability, day, day) for c in changes)
        yield from seams.whole(number, outside_sites(found, sites, tree))


def _place(pair: ScenePair) -> tuple[float, float, str]:
    """From west to east, in columns of a quarter of a degree: few scenes are begun and not yet surrounded."""
    middle = pair.after.footprint.centroid
    return math.floor(middle.x * 4), middle.y, pair.after.content_hash


class Kept:
    """What pairs of scenes gave, a file for each: one change a line."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __contains__(self, key: str) -> bool:
        return self._path(key).is_file()

    def put(self, key: str, changes: Iterable[Change]) -> str:
        """Keep the changes of a pair; why that could not be, empty where it could."""
        lines = "".join(f"{json.dumps(_as_plain(change))}\n" for change in changes)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with written_whole(self._path(key)) as part:
                part.write_text(lines, "utf-8")
        except OSError as error:
            return f"what was found cannot be kept ({error})"
        return ""

    def changes(self, key: str) -> list[Change]:
        """What a pair gave. Raises OSError, ValueError or TypeError where the file is damaged."""
        return [_change_of(json.loads(line)) for line in self._path(key).read_text("utf-8").splitlines()]

    def forget(self, key: str) -> None:
        """Have a pair compared anew."""
        self._path(key).unlink(missing_ok=True)

    def forget_all_but(self, keys: Iterable[str]) -> None:
        """Remove what no pair of today asks for any more."""
        wanted = {self._path(key) for key in keys}
        for path in self._folder.glob("*.jsonl"):
            if path not in wanted:
                path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.jsonl"


def _written(job: Job, found: Iterable[Candidate]) -> tuple[int, int]:
    """Write those that no earlier candidate is, dismissed and adopted ones among them; tells new ones and others."""
    new, again = list[Candidate](), 0
    for one in found:
        earlier = [entry for entry in job.ledger.candidates(bounds=one.geometry.bounds) if is_same(one, entry.value)]
        if not earlier:
            new.append(one)
        for entry in earlier:
            if one.last_seen > entry.value.last_seen:
                job.ledger.see_candidate(entry.id, on=one.last_seen, probability=one.probability)
                again += 1
    job.ledger.add_candidates(new)
    return len(new), again


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


def _share(left: BaseGeometry, footprint: BaseGeometry, whole: BaseGeometry) -> float:
    """Share of a whole scene that is both left to sweep and shown by an earlier one."""
    return float(left.intersection(footprint).area / whole.area) if whole.area else 0.0


def _cloud(scene: Scene) -> float:
    return stac.cloud_percent((scene.stac or {}).get("properties") or {})


def _as_plain(change: Change) -> list[Any]:
    return [change.kind.value, shapely.to_wkb(change.geometry, hex=True), change.area_m2, change.probability]


def _change_of(plain: list[Any]) -> Change:
    kind, outline, area, probability = plain
    return Change(ChangeKind(kind), shapely.from_wkb(outline), area, probability)
