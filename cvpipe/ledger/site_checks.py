"""What is wrong, or looks wrong, with the sites of a ledger: places, outlines, areas, dates. Pure; nothing is mended.

Each check says what it takes for a fault, which somebody must put right, and what for a notice, which may be true.
Neighbours are found with an R-tree, so that time grows with the sites and their overlaps, never with their pairs.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry
from shapely.validation import explain_validity

from cvpipe.domain import Site, SiteStatus
from cvpipe.geo import area_m2, areas_m2, buffered_all
from cvpipe.ledger.map_shift import (
    OPTION_OF,
    Places,
    ShiftEvidence,
    distances_m,
    shift_between,
    shift_into,
)

#: Places that agree to this many decimals of a degree, a centimetre, are the same.
SAME_PLACE_DECIMALS = 7

#: Share of the smaller of two sites that must lie in the other to be told: below are borders drawn twice.
OVERLAP_NOTICE, OVERLAP_FAULT = 0.02, 0.5

#: Difference between the stated and the measured land area, as a share of the stated one, that is told.
LAND_AREA_SHARE = 0.2

#: Factors between a stated and a measured area that speak for a unit other than m² (0.03: and only so near).
UNITS = {"mu (亩)": 2000 / 3, "hectares, or 10,000 m² (万平方米)": 10_000.0, "km²": 1e6}
UNIT_NEARNESS = 0.03

#: A site is far from the rest where its distance from their median exceeds the median distance by this many robust
#: standard deviations (1.4826 times the median absolute deviation; Hampel 1974), and by this many metres.
OUTLIER_DEVIATIONS, OUTLIER_M = 8.0, 3_000.0
#: Fewer sites than this have no midst.
FEWEST_FOR_OUTLIERS = 8

#: Share of a site's area outside the district that is told; one wholly outside is a fault.
OUTSIDE_NOTICE = 0.05

#: Years in which work on a site can have begun or be due: before it, cells are mistyped.
PLAUSIBLE_YEARS = (1980, 2100)

#: Statuses that say that work has begun.
_BEGUN = frozenset({SiteStatus.IN_PROGRESS, SiteStatus.DEMOLISHED, SiteStatus.CLEARED, SiteStatus.CLOSED})


class Level(StrEnum):
    """How much weight a remark has."""

    FAULT = "fault"
    NOTICE = "notice"


class Check(StrEnum):
    """What is looked at."""

    EMPTY = "empty"
    INVALID = "invalid"
    NO_BUFFER = "no_buffer"
    DUPLICATE_PLACE = "duplicate_place"
    DUPLICATE_NAME = "duplicate_name"
    OVERLAP = "overlap"
    OUTLIER = "outlier"
    OUTSIDE_DISTRICT = "outside_district"
    LAND_AREA = "land_area"
    BUILDING_AREA = "building_area"
    DATES = "dates"
    STATUS = "status"
    WEB_MAP = "web_map"


@dataclass(frozen=True)
class Remark:
    """One thing that was found: which sites, how grave, one sentence, and the figures it rests on."""

    level: Level
    check: Check
    codes: tuple[str, ...]
    sentence: str
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Surroundings:
    """What sites are held against besides each other; each part may be missing.

    `district` is the area (WGS 84) in which all of them should lie; `is_stated` tells whether somebody said so, or it
    was only gathered from the scenes. `earlier` has a known outline of sites by their code, such as the version that
    another file brought. `today` is the day that dates are held against.
    """

    district: BaseGeometry | None = None
    is_stated: bool = True
    earlier: Mapping[str, BaseGeometry] = field(default_factory=dict)
    today: date | None = None


@dataclass(frozen=True)
class _Ground:
    """Sites with a usable outline, in one order: `areas` are their outlines, points and lines widened."""

    sites: list[Site]
    areas: NDArray[Any]
    centres: Places


def check_sites(sites: Sequence[Site], around: Surroundings | None = None) -> list[Remark]:
    """All that is to be said of `sites`, the faults first, then by check and code."""
    around = around or Surroundings()
    remarks = [remark for site in sites for remark in _own_remarks(site, around.today)]
    remarks += _shapes(sites)
    ground = _ground(sites)
    copies = _same_places(ground)
    remarks += _duplicate_places(ground, copies)
    remarks += _duplicate_names(sites)
    remarks += _overlaps(ground, copies)
    remarks += _land_areas(ground)
    remarks += _outliers(ground)
    if around.district is not None:
        remarks += _outside(ground, around.district, around.is_stated)
    remarks += _web_map(ground, around)
    return sorted(remarks, key=lambda r: (r.level, list(Check).index(r.check), r.codes))


# One site by itself


def _own_remarks(site: Site, today: date | None) -> Iterator[Remark]:
    yield from _building(site)
    yield from _status(site)
    for sentence in _dates(site, today):
        yield Remark(Level.FAULT, Check.DATES, (site.code,), sentence)


def _shapes(sites: Sequence[Site]) -> Iterator[Remark]:
    outlines = _outlines(sites)
    empty, valid = shapely.is_empty(outlines), shapely.is_valid(outlines)
    for i in np.flatnonzero(empty).tolist():
        yield Remark(Level.FAULT, Check.EMPTY, (sites[i].code,), "it has no geometry")
    for i in np.flatnonzero(~empty & ~valid).tolist():
        sentence = f"its outline is not valid ({explain_validity(outlines[i])})"
        yield Remark(Level.FAULT, Check.INVALID, (sites[i].code,), sentence)
    for i in np.flatnonzero(~empty & (shapely.get_dimensions(outlines) < 2)).tolist():
        if not sites[i].buffer_m > 0:
            sentence = f"it is a {outlines[i].geom_type} without a buffer: it has no area to assess"
            yield Remark(Level.FAULT, Check.NO_BUFFER, (sites[i].code,), sentence)


def _outlines(sites: Sequence[Site]) -> NDArray[Any]:
    outlines = np.empty(len(sites), object)
    outlines[:] = [site.geometry for site in sites]
    return outlines


def _building(site: Site) -> Iterator[Remark]:
    land, building = site.land_area_m2, site.building_area_m2
    if land and building and building > land:
        sentence = f"{building:,.0f} m² of building on {land:,.0f} m² of land: true only of more than one storey"
        figures = {"building_m2": building, "land_m2": land}
        yield Remark(Level.NOTICE, Check.BUILDING_AREA, (site.code,), sentence, figures)


def _status(site: Site) -> Iterator[Remark]:
    status = str(site.status)  # a value that somebody wrote past cvpipe
    if status not in set(SiteStatus):
        sentence = f"{status!r} is no status; there are {', '.join(SiteStatus)}"
        yield Remark(Level.FAULT, Check.STATUS, (site.code,), sentence)


def _dates(site: Site, today: date | None) -> Iterator[str]:
    started, due = site.plan.work_started, site.plan.due_date
    for name, day in (("work started", started), ("due", due)):
        if day is not None and not PLAUSIBLE_YEARS[0] <= day.year <= PLAUSIBLE_YEARS[1]:
            yield f"{name} on {day}: no such year can be meant"
    if started and due and started > due:
        yield f"work started on {started}, after it was due on {due}"
    if started and today and started > today and site.status in _BEGUN:
        yield f"it is {site.status}, but work starts only on {started}"


# Sites beside each other


def _ground(sites: Sequence[Site]) -> _Ground:
    outlines = _outlines(sites)
    usable = np.flatnonzero(~shapely.is_empty(outlines) & shapely.is_valid(outlines))
    areas = np.empty(len(usable), object)
    areas[:] = buffered_all(list(outlines[usable]), [max(sites[i].buffer_m, 0.0) for i in usable.tolist()])
    with_area = ~shapely.is_empty(areas)
    kept = usable[with_area].tolist()
    centres = shapely.get_coordinates(shapely.centroid(outlines[kept])).reshape(-1, 2)
    return _Ground([sites[i] for i in kept], areas[with_area], centres)


def _same_places(ground: _Ground) -> list[list[int]]:
    """Groups of sites whose outlines are the same to a centimetre, however their vertices are ordered."""
    outlines = _outlines(ground.sites)
    boxes: dict[tuple[float, ...], list[int]] = defaultdict(list)
    for i, bounds in enumerate(shapely.bounds(outlines).round(SAME_PLACE_DECIMALS).tolist()):
        boxes[tuple(bounds)].append(i)
    groups: dict[bytes, list[int]] = defaultdict(list)
    for i in (i for alike in boxes.values() if len(alike) > 1 for i in alike):
        rounded = shapely.transform(outlines[i], lambda points: points.round(SAME_PLACE_DECIMALS))
        groups[shapely.to_wkb(shapely.normalize(rounded))].append(i)
    return [group for group in groups.values() if len(group) > 1]


def _duplicate_places(ground: _Ground, copies: Sequence[Sequence[int]]) -> Iterator[Remark]:
    for group in copies:
        codes = tuple(ground.sites[i].code for i in group)
        yield Remark(Level.FAULT, Check.DUPLICATE_PLACE, codes, f"{len(codes)} sites have the same outline")


def _duplicate_names(sites: Sequence[Site]) -> Iterator[Remark]:
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for site in sites:
        name = "".join(site.name.split()).casefold()
        if name:
            groups[name, site.sub_district.strip(), site.community.strip()].append(site.code)
    for (_, *place), codes in groups.items():
        if len(codes) > 1:
            where = ", ".join(part for part in place if part) or "the same (unnamed) sub-district"
            sentence = f"{len(codes)} sites have the same name in {where}"
            yield Remark(Level.NOTICE, Check.DUPLICATE_NAME, tuple(codes), sentence)


def _overlaps(ground: _Ground, copies: Sequence[Sequence[int]]) -> Iterator[Remark]:
    """Pairs that share ground; of sites with one outline only the first is held against the others."""
    further = {i for group in copies for i in group[1:]}
    chosen = np.array([i for i in range(len(ground.sites)) if i not in further], int)
    areas = ground.areas[chosen]
    tree = shapely.STRtree(areas)
    one, other = tree.query(areas, predicate="intersects")
    one, other = one[one < other], other[one < other]
    # in square degrees: two sites that touch lie at one latitude, where the scale of both is the same
    smaller = np.minimum(shapely.area(areas[one]), shapely.area(areas[other]))
    shares = shapely.area(shapely.intersection(areas[one], areas[other])) / np.where(smaller > 0, smaller, np.inf)
    for i, j, share in zip(chosen[one], chosen[other], shares.tolist(), strict=True):
        if share >= OVERLAP_NOTICE:
            yield _overlap(ground.sites[i], ground.sites[j], share)


def _overlap(one: Site, other: Site, share: float) -> Remark:
    level = Level.FAULT if share >= OVERLAP_FAULT else Level.NOTICE
    sentence = f"they share ground: {share:.0%} of the smaller one lies in the other"
    return Remark(level, Check.OVERLAP, (one.code, other.code), sentence, {"share_of_smaller": round(share, 4)})


def _land_areas(ground: _Ground) -> Iterator[Remark]:
    stated = np.array([site.land_area_m2 or np.nan for site in ground.sites], np.float64)
    measured = areas_m2([site.geometry for site in ground.sites])
    for i in np.flatnonzero((measured > 0) & (np.abs(measured - stated) > LAND_AREA_SHARE * stated)).tolist():
        yield _land_area(ground.sites[i], float(stated[i]))


def _land_area(site: Site, stated: float) -> Remark:
    measured = area_m2(site.geometry)
    sentence = f"{stated:,.0f} m² of land stated, {measured:,.0f} m² inside the outline"
    figures = {"stated_m2": stated, "measured_m2": round(measured, 1)}
    return Remark(Level.NOTICE, Check.LAND_AREA, (site.code,), sentence + _unit_hint(stated, measured), figures)


def _unit_hint(stated: float, measured: float) -> str:
    for unit, factor in UNITS.items():
        for ratio in (factor, 1 / factor):
            if math.isclose(measured / stated, ratio, rel_tol=UNIT_NEARNESS):
                return f": the figures fit if one of them is in {unit}"
    return ""


def _outliers(ground: _Ground) -> Iterator[Remark]:
    if len(ground.sites) < FEWEST_FOR_OUTLIERS:
        return
    midst = np.median(ground.centres, axis=0)[None, :]
    distances = distances_m(ground.centres, midst)
    usual = float(np.median(distances))
    spread = 1.4826 * float(np.median(np.abs(distances - usual)))
    limit = usual + max(OUTLIER_DEVIATIONS * spread, OUTLIER_M)
    for i in np.flatnonzero(distances > limit).tolist():
        km = float(distances[i]) / 1000
        sentence = f"it lies {km:,.1f} km from the midst of the sites; half of them lie within {usual / 1000:,.1f} km"
        figures = {"distance_m": round(km * 1000, 1), "median_distance_m": round(usual, 1)}
        yield Remark(Level.NOTICE, Check.OUTLIER, (ground.sites[i].code,), sentence, figures)


# Sites against what is known from elsewhere


def _outside(ground: _Ground, district: BaseGeometry, is_stated: bool) -> Iterator[Remark]:
    shapely.prepare(district)
    name = _name_of(is_stated)
    for i in np.flatnonzero(~shapely.covers(district, ground.areas)).tolist():
        area = ground.areas[i]
        share = 1 - area.intersection(district).area / area.area
        if share < OUTSIDE_NOTICE:
            continue
        wholly = not area.intersects(district)
        level = Level.FAULT if wholly and is_stated else Level.NOTICE
        sentence = f"it lies outside {name}" if wholly else f"{share:.0%} of it lies outside {name}"
        figures = {"share_outside": round(share, 4)}
        yield Remark(level, Check.OUTSIDE_DISTRICT, (ground.sites[i].code,), sentence, figures)


def _name_of(is_stated: bool) -> str:
    return "the district" if is_stated else "the ground that the scenes show"


def _web_map(ground: _Ground, around: Surroundings) -> Iterator[Remark]:
    both = [i for i, site in enumerate(ground.sites) if site.code in around.earlier]
    if both:
        earlier = [around.earlier[ground.sites[i].code] for i in both]
        known = shapely.get_coordinates(shapely.centroid(earlier))
        found = shift_between(ground.centres[both], known)
        if found is not None:
            codes = tuple(ground.sites[i].code for i in both)
            yield _shift_remark(found, codes, "lie off their earlier outlines")
    if around.district is not None:
        found = shift_into(ground.centres, around.district)
        if found is not None:
            outside = ~shapely.contains_xy(around.district, ground.centres)
            codes = tuple(ground.sites[i].code for i in np.flatnonzero(outside).tolist())
            yield _shift_remark(found, codes, f"lie outside {_name_of(around.is_stated)}")


def _shift_remark(found: ShiftEvidence, codes: tuple[str, ...], how: str) -> Remark:
    sentence = (
        f"{found.telling} sites {how}, and {found.fitting} of them as coordinates of a web map ({found.shift}) would: "
        f"if they are, import them again with {OPTION_OF[found.shift]}"
    )
    figures = {"telling": float(found.telling), "fitting": float(found.fitting)}
    if not math.isnan(found.offset_m):
        figures |= {"offset_m": round(found.offset_m, 1), "residual_m": round(found.residual_m, 1)}
    return Remark(Level.NOTICE, Check.WEB_MAP, codes, sentence, figures)


def shift_notices(sites: Sequence[Site], known: Mapping[str, BaseGeometry]) -> list[str]:
    """What speaks for a web map behind sites that are to be imported: one sentence each, none where nothing does.

    `known` has the outlines that the ledger holds, by code.
    """
    both = [site for site in sites if site.code in known]
    return [remark.sentence for remark in _web_map(_ground(both), Surroundings(earlier=known))]
