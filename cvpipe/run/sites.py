"""One site and one pair of epochs, from scenes to an assessment."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.features import geometry_mask
from shapely import to_wkb
from shapely.geometry.base import BaseGeometry

from cvpipe.assess import (
    REMEDIATION,
    Rules,
    assess_rebound,
    assess_remediation,
    measure,
    not_assessable,
    observed_status,
)
from cvpipe.assess.spreads import Chances
from cvpipe.detect import Network, PairMaps, compare, polygons
from cvpipe.detect.maps import PROBABILITY_SCALE, Seen, see
from cvpipe.detect.polygons import patches
from cvpipe.domain import (
    Assessment,
    Change,
    ChangeKind,
    Measurements,
    Question,
    Reason,
    Registration,
    Remnant,
    Scene,
    Site,
    Surface,
    Verdict,
)
from cvpipe.errors import SceneError
from cvpipe.geo import WGS84, Grid, buffered, metric_crs, reproject
from cvpipe.imagery import (
    ALIGNMENT_MARGIN_M,
    MosaicReader,
    Patch,
    SceneReader,
    estimate_registration,
    judge,
    matched,
    read_later,
    site_grid,
    vegetation_index,
)
from cvpipe.run.epochs import Epoch, Identity
from cvpipe.run.keys import Beginnings, as_json, as_rest
from cvpipe.settings import Light

Mask = NDArray[np.bool_]

#: Patches of structure or rubble below this are counted in areas, but not drawn, m²: a few pixels along an edge.
SMALLEST_LEFT_M2 = 4.0


class PairKind(StrEnum):
    """What a pair of epochs is asked: what became of the baseline, or what was built since the site was cleared."""

    REMEDIATION = "remediation"
    WATCH = "watch"

    @property
    def questions(self) -> tuple[Question, ...]:
        """The questions that the pair answers."""
        return REMEDIATION if self is PairKind.REMEDIATION else (Question.REBOUND,)


@dataclass(frozen=True)
class SitePair:
    """A unit of work: one site, one pair of epochs, one kind of question. `reason` says why these epochs.

    `together` are the sites, itself among them, whose ground is read, aligned and shown to the network as one
    (`cvpipe.run.sharing`); none where it is looked at alone.
    """

    site: Site
    kind: PairKind
    before: Epoch | None
    after: Epoch | None
    reason: str = field(default="", compare=False)
    together: tuple[Site, ...] = field(default=(), compare=False)

    @property
    def sites(self) -> tuple[Site, ...]:
        """The sites whose ground is read for it."""
        return self.together or (self.site,)

    @property
    def ground(self) -> tuple[tuple[str, ...], ...]:
        """What is read for it, by codes of sites and content of scenes: pairs with equal ones share it."""
        epochs = [epoch.hashes if epoch else () for epoch in (self.before, self.after)]
        return (tuple(site.code for site in self.sites), *epochs)

    def alone(self) -> SitePair:
        """The same, to be looked at by itself."""
        return replace(self, together=())

    @property
    def epoch(self) -> date | None:
        """The later day."""
        return self.after.acquired if self.after else None

    @property
    def told(self) -> str:
        """Site and later day, as progress tells them."""
        return f"{self.site.code} {self.epoch or ''}".strip()

    def key(
        self, network_digest: str, rules_version: str, light: Light = "none", sites: Beginnings | None = None
    ) -> str:
        """The idempotency key: equal inputs, whatever run they come from, give an equal key.

        `sites` spares hashing the site again for each of its pairs.
        """
        rest = rest_of_key(self.kind, self.before, self.after, network_digest, rules_version, light)
        return (sites or Beginnings(site_in_key)).key(self.site, rest)


def site_in_key(site: Site, outline: str) -> str:
    """How an idempotency key begins: outline (hexadecimal WKB) and what the plan promises."""
    plan = site.plan
    retained = f'"{to_wkb(plan.retained, hex=True)}"' if plan.retained else "null"
    promised = plan.demolition_area_m2, plan.green_area_m2, plan.green_ratio, site.building_area_m2
    areas = ", ".join([as_json(area) for area in promised])
    return f'[{as_json(site.code)}, "{outline}", {as_json(site.buffer_m)}, {retained}, [{areas}]'


def rest_of_key(
    kind: PairKind, before: Epoch | None, after: Epoch | None, digest: str, rules_version: str, light: Light
) -> str:
    """How an idempotency key ends: all that is the same for other sites with these epochs."""
    identities = (epoch.identity if epoch else None for epoch in (before, after))
    return _rest_of_key(kind, *identities, digest, rules_version, light)


@lru_cache(maxsize=10_000)
def _rest_of_key(
    kind: PairKind, before: Identity | None, after: Identity | None, digest: str, rules_version: str, light: Light
) -> str:
    content: list[Any] = [kind, [before, after], digest, rules_version]
    if light != "none":  # what was assessed before there was a choice keeps its key
        content.append(light)
    return as_rest(content)


@dataclass(frozen=True)
class Ground:
    """Both epochs of the ground of one or more sites on one grid, the later one moved onto the earlier."""

    before: Patch
    after: Patch
    registration: Registration
    native_gsd_m: float
    _answers: list[Seen] = field(default_factory=list, compare=False, repr=False)

    def seen(self, network: Network) -> Seen:
        """What the network says of it, asked once."""
        if not self._answers:
            self._answers.append(see(network, self.before, self.after))
        return self._answers[0]


@dataclass(frozen=True)
class Looked:
    """Both epochs of a site on its own grid, the later one moved onto the earlier.

    `ground` is what it was cut out of, where it shares that with other sites.
    """

    before: Patch
    after: Patch
    registration: Registration
    native_gsd_m: float
    ground: Ground | None = None

    @property
    def megapixels(self) -> float:
        """What is shown to the network of each epoch: all of the ground where it is shared."""
        return (self.ground or self).before.valid.size / 1e6

    def maps(self, network: Network, light: Light) -> PairMaps:
        """What the network says of the site. Light is matched site by site: its answer cannot be shared then."""
        if self.ground is None or light != "none":
            return compare(network, self.before, matched(self.after, self.before, light))
        return self.ground.seen(network).part(self.before.grid).decided(network)


Readers = Callable[[Scene], SceneReader]
PairRegistration = Callable[[SitePair, Grid], Registration]
"""How the scenes of a pair lie on each other as a whole, as seen from a grid within them."""


def read_ground(
    pair: SitePair, readers: Readers, shift_of: PairRegistration, *, gsd_m: float, margin_m: float
) -> Ground:
    """Read both epochs around the pair's sites and align them.

    The surroundings of the sites decide the shift where they show one, else the scenes as a whole do (`shift_of`, in
    pixels of the grid that it is given). Raises SceneError where a scene cannot be read.
    """
    assert pair.before is not None, "a pair without scenes has nothing to look at"
    assert pair.after is not None
    before, after = (MosaicReader([readers(s) for s in epoch.scenes]) for epoch in (pair.before, pair.after))
    wide = ground_grid(pair.sites, before.grid, max(margin_m, ALIGNMENT_MARGIN_M), gsd_m)
    earlier = before.read(wide)
    shift = estimate_registration(earlier, after.read(wide))
    if not math.isfinite(shift.residual_px):
        shift = shift_of(pair, wide)
    grid = ground_grid(pair.sites, before.grid, margin_m, gsd_m)
    later = read_later(after, grid, shift, wide)
    return Ground(earlier.part(grid), later, shift, max(pair.before.gsd_m, pair.after.gsd_m))


def look(pair: SitePair, ground: Ground, *, gsd_m: float, margin_m: float) -> Looked:
    """What of some ground is the site's own and the `margin_m` around it."""
    if len(pair.sites) == 1:
        return Looked(ground.before, ground.after, ground.registration, ground.native_gsd_m)
    grid = pair_grid(pair.site, ground.before.grid, margin_m, gsd_m)
    before, after = ground.before.part(grid), ground.after.part(grid)
    return Looked(before, after, ground.registration, ground.native_gsd_m, ground)


KeepMaps = Callable[[str, PairMaps], None]
"""What is done with the maps of an assessment, by its key."""


def assess(
    pair: SitePair,
    looked: Looked | None,
    network: Network,
    rules: Rules,
    light: Light = "none",
    keep: KeepMaps | None = None,
) -> Assessment:
    """All that is said of the site for this pair; `looked` is None where no two scenes show it."""
    blank = Assessment(
        site_code=pair.site.code,
        key=pair.key(network.digest, rules.version, light),
        before=pair.before.scenes[0].content_hash if pair.before else None,
        after=pair.after.scenes[0].content_hash if pair.after else None,
        before_fill=_filling(pair.before),
        after_fill=_filling(pair.after),
        bundle_digest=network.digest,
        rules_version=rules.version,
        measurements=None,
        verdicts=not_assessable(pair.kind.questions, Reason.NO_SCENE),
    )
    if looked is None:
        return blank
    maps = looked.maps(network, light)
    if keep is not None:
        keep(blank.key, maps)
    outline, grid = buffered(pair.site.geometry, pair.site.buffer_m), maps.grid
    inside = inside_mask(outline, grid)
    retained = inside_mask(pair.site.plan.retained, grid) if pair.site.plan.retained else None
    measured = measure(
        surface_before=maps.surface_before,
        surface_after=maps.surface_after,
        change=maps.change,
        usable=maps.usable_before & maps.usable_after,
        inside=inside,
        retained=retained,
        pixel_area_m2=grid.pixel_area_m2(),
        registration=looked.registration,
        reasons=judge(looked.before, looked.after, inside, looked.registration, native_gsd_m=looked.native_gsd_m),
        chances=Chances(maps.chance_before, maps.chance_after, maps.probability, PROBABILITY_SCALE),
        native_gsd_m=looked.native_gsd_m,
        index=(vegetation_index(looked.before), vegetation_index(looked.after)),
    )
    if not measured.reasons:
        measured = replace(measured, left=left_inside(maps, inside if retained is None else inside & ~retained))
    verdicts = _verdicts(pair, measured, rules)
    return replace(
        blank,
        measurements=measured,
        verdicts=verdicts,
        changes=() if measured.reasons else changes_inside(maps, inside, network),
        observed_status=observed_status(verdicts),
    )


def _filling(epoch: Epoch | None) -> tuple[str, ...]:
    return tuple(scene.content_hash for scene in epoch.scenes[1:]) if epoch else ()


def _verdicts(pair: SitePair, measured: Measurements, rules: Rules) -> tuple[Verdict, ...]:
    if pair.kind is PairKind.WATCH:
        return (assess_rebound(pair.site, measured, rules),)
    assert pair.before is not None, "what was measured was seen at two epochs"
    assert pair.after is not None
    return assess_remediation(pair.site, measured, rules, (pair.before.acquired, pair.after.acquired))


def left_inside(maps: PairMaps, inside: Mask) -> tuple[Remnant, ...]:
    """What is left at the later epoch as polygons, structures first; `inside` leaves retained structures out."""
    return tuple(
        Remnant(surface, outline, area_m2)
        for surface in (Surface.STRUCTURE, Surface.RUBBLE)
        for outline, area_m2 in patches(
            ((maps.surface_after == surface) & inside).astype(np.uint8), maps.grid, SMALLEST_LEFT_M2
        )
    )


def changes_inside(maps: PairMaps, inside: Mask, network: Network) -> tuple[Change, ...]:
    """Change polygons cut off at the site's outline, largest first within each kind."""
    found: list[Change] = []
    for kind in ChangeKind:
        mask = np.where(inside, maps.change[kind], 0).astype(np.uint8)
        found += polygons(mask, maps.probability[kind], maps.grid, kind, network.min_area_m2[kind])
    return tuple(found)


@lru_cache(maxsize=16)
def inside_mask(outline: BaseGeometry, grid: Grid) -> Mask:
    """Pixels (H, W) whose centre lies within a WGS 84 outline; not to be written to, as the last ones are kept."""
    assert grid.crs is not None, "sites lie on georeferenced grids"
    local = reproject(outline, WGS84, grid.crs)
    mask: Mask = geometry_mask([local], grid.shape, grid.transform, invert=True)
    mask.flags.writeable = False
    return mask


def ground_grid(sites: Sequence[Site], native: Grid, margin_m: float, gsd_m: float) -> Grid:
    """The grid around some sites: the smallest that holds the `pair_grid` of each.

    Raises SceneError as that, and where the sites lie in two zones of a projection.
    """
    grids = [pair_grid(site, native, margin_m, gsd_m) for site in sites]
    first = grids[0]
    if any(grid.crs != first.crs for grid in grids):
        raise SceneError("the sites lie in two zones", remedy="Look at them one by one.")
    if len(grids) == 1:
        return first
    assert first.crs is not None
    lefts, bottoms, rights, tops = zip(*(grid.bounds for grid in grids), strict=True)
    inner = gsd_m / 4  # edges lie on the lattice: a rounding must not add a row of pixels
    bounds = min(lefts) + inner, min(bottoms) + inner, max(rights) - inner, max(tops) - inner
    return Grid.from_bounds(first.crs, bounds, gsd_m)


def pair_grid(site: Site, native: Grid, margin_m: float, gsd_m: float) -> Grid:
    """The grid around a site on which a pair is compared, in the CRS of its earlier scene where that is metric.

    `native` is that scene's own lattice. Raises SceneError where it has no CRS.
    """
    if native.crs is None:
        raise SceneError("a scene without georeference", remedy="Give it a CRS, for example with gdal_translate.")
    return _grid_around(buffered(site.geometry, site.buffer_m), native.crs, margin_m, gsd_m)


@lru_cache(maxsize=4096)  # asked for at each epoch, and for the ground and its surroundings again
def _grid_around(outline: BaseGeometry, native: CRS, margin_m: float, gsd_m: float) -> Grid:
    crs: CRS = metric_crs(native, reproject(outline, WGS84, native).bounds)
    return site_grid(outline, margin_m, crs, gsd_m)
