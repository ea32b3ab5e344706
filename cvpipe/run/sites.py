"""One site and one pair of epochs, from scenes to an assessment."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
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
from cvpipe.detect import Network, PairMaps, compare, polygons
from cvpipe.domain import (
    Assessment,
    Change,
    ChangeKind,
    Measurements,
    Question,
    Reason,
    Registration,
    Scene,
    Site,
    Verdict,
)
from cvpipe.errors import SceneError
from cvpipe.geo import WGS84, Grid, buffered, metric_crs, reproject
from cvpipe.imagery import Patch, SceneReader, estimate_registration, judge, later_grid, site_grid
from cvpipe.settings import parse_settings

Mask = NDArray[np.bool_]

#: Ground read around a site for alignment, m, at least: a small site alone has too few edges to align by.
ALIGNMENT_MARGIN_M = 60.0


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
    """A unit of work: one site, one pair of scenes, one kind of question."""

    site: Site
    kind: PairKind
    before: Scene | None
    after: Scene | None

    def key(self, network_digest: str, rules_version: str) -> str:
        """The idempotency key: equal inputs, whatever run they come from, give an equal key."""
        plan = self.site.plan
        content = [
            self.site.code,
            to_wkb(self.site.geometry, hex=True),
            self.site.buffer_m,
            to_wkb(plan.retained, hex=True) if plan.retained else None,
            [plan.demolition_area_m2, plan.green_area_m2, plan.green_ratio],
            self.kind,
            [s.content_hash if s else None for s in (self.before, self.after)],
            network_digest,
            rules_version,
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@dataclass(frozen=True)
class Looked:
    """Both epochs of a site on one grid, the later one moved onto the earlier."""

    before: Patch
    after: Patch
    registration: Registration
    native_gsd_m: float


Readers = Callable[[Scene], SceneReader]
SceneRegistration = Callable[[Scene, Scene, Grid], Registration]
"""How two whole scenes lie on each other, as seen from a grid within them."""


def rules_of(site: Site, rules: Rules) -> Rules:
    """A campaign's rules with what the site's plan says otherwise; they have a version of their own.

    Raises SettingsError for a key that there is not, or a value that cannot be.
    """
    if not site.plan.rules:
        return rules
    merged = _merged(rules.model_dump(), site.plan.rules)
    return parse_settings(merged, Rules, where=f"rules of site {site.code}")


def _merged(values: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """`values` with those of `others`, section by section."""
    return values | {
        name: _merged(values[name], other) if isinstance(other, dict) and isinstance(values.get(name), dict) else other
        for name, other in others.items()
    }


def look(pair: SitePair, readers: Readers, shift_of: SceneRegistration, *, gsd_m: float, margin_m: float) -> Looked:
    """Read both epochs around the site and align them.

    The site's own surroundings decide the shift where they show one, else the scenes as a whole do (`shift_of`, in
    pixels of the grid that it is given). Raises SceneError where a scene cannot be read.
    """
    assert pair.before is not None, "a pair without scenes has nothing to look at"
    assert pair.after is not None
    before, after = readers(pair.before), readers(pair.after)
    wide = _grid(pair.site, before, max(margin_m, ALIGNMENT_MARGIN_M), gsd_m)
    earlier = before.read(wide)
    shift = estimate_registration(earlier, after.read(wide))
    if not math.isfinite(shift.residual_px):
        shift = shift_of(pair.before, pair.after, wide)
    grid = _grid(pair.site, before, margin_m, gsd_m)
    later = replace(after.read(later_grid(grid, shift, wide)), grid=grid)
    return Looked(_cut_out(earlier, grid), later, shift, max(pair.before.gsd_m, pair.after.gsd_m))


def _cut_out(patch: Patch, grid: Grid) -> Patch:
    """The part of a patch that lies on a smaller grid of the same lattice."""
    part = patch.grid.window_of_grid(grid).slices
    return Patch(patch.pixels[part], patch.valid[part], grid)


def assess(pair: SitePair, looked: Looked | None, network: Network, rules: Rules) -> Assessment:
    """All that is said of the site for this pair; `looked` is None where no two scenes show it."""
    blank = Assessment(
        site_code=pair.site.code,
        key=pair.key(network.digest, rules.version),
        before=pair.before.content_hash if pair.before else None,
        after=pair.after.content_hash if pair.after else None,
        bundle_digest=network.digest,
        rules_version=rules.version,
        measurements=None,
        verdicts=not_assessable(pair.kind.questions, Reason.NO_SCENE),
    )
    if looked is None:
        return blank
    maps = compare(network, looked.before, looked.after)
    outline, grid = buffered(pair.site.geometry, pair.site.buffer_m), maps.grid
    inside = inside_mask(outline, grid)
    measured = measure(
        surface_before=maps.surface_before,
        surface_after=maps.surface_after,
        change=maps.change,
        usable=maps.usable_before & maps.usable_after,
        inside=inside,
        retained=inside_mask(pair.site.plan.retained, grid) if pair.site.plan.retained else None,
        pixel_area_m2=grid.pixel_area_m2(),
        registration=looked.registration,
        reasons=judge(looked.before, looked.after, inside, looked.registration, native_gsd_m=looked.native_gsd_m),
    )
    verdicts = _verdicts(pair, measured, rules)
    return replace(
        blank,
        measurements=measured,
        verdicts=verdicts,
        changes=() if measured.reasons else changes_inside(maps, inside, network),
        observed_status=observed_status(verdicts),
    )


def _verdicts(pair: SitePair, measured: Measurements, rules: Rules) -> tuple[Verdict, ...]:
    if pair.kind is PairKind.WATCH:
        return (assess_rebound(pair.site, measured, rules),)
    return assess_remediation(pair.site, measured, rules)


def changes_inside(maps: PairMaps, inside: Mask, network: Network) -> tuple[Change, ...]:
    """Change polygons cut off at the site's outline, largest first within each kind."""
    found: list[Change] = []
    for kind in ChangeKind:
        mask = np.where(inside, maps.change[kind], 0).astype(np.uint8)
        found += polygons(mask, maps.probability[kind], maps.grid, kind, network.min_area_m2[kind])
    return tuple(found)


def inside_mask(outline: BaseGeometry, grid: Grid) -> Mask:
    """Pixels (H, W) whose centre lies within a WGS 84 outline."""
    assert grid.crs is not None, "sites lie on georeferenced grids"
    local = reproject(outline, WGS84, grid.crs)
    mask: Mask = geometry_mask([local], grid.shape, grid.transform, invert=True)
    return mask


def _grid(site: Site, before: SceneReader, margin_m: float, gsd_m: float) -> Grid:
    if before.grid.crs is None:
        raise SceneError("a scene without georeference", remedy="Give it a CRS, for example with gdal_translate.")
    outline = buffered(site.geometry, site.buffer_m)
    local = reproject(outline, WGS84, before.grid.crs)
    crs: CRS = metric_crs(before.grid.crs, local.bounds)
    return site_grid(outline, margin_m, crs, gsd_m)
