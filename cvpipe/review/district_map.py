"""All sites on one map: their places in metres of one frame, and the newest scenes behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shapely.geometry import MultiPoint, Point, box

from cvpipe.domain import Registration, Scene
from cvpipe.geo import WGS84, reproject, utm_crs
from cvpipe.review import views
from cvpipe.review.desk import Desk
from cvpipe.review.district import SiteRecord
from cvpipe.review.frames import Compared, Epoch, Frame
from cvpipe.review.words import Words

#: Ground beyond the outermost sites, m.
MARGIN_M = 150.0

#: Scenes that are read for the background; a district is flown in some dozens.
MOST_SCENES = 24


@dataclass(frozen=True)
class Backdrop:
    """The frame of the whole district and the scenes that show it, as one epoch."""

    frame: Frame
    epochs: tuple[Epoch, ...]


@dataclass(frozen=True)
class DistrictMap:
    """Points for the browser, and what lies behind them; None where no scene does."""

    plain: dict[str, Any]
    look: Backdrop | None


def district_map(desk: Desk, words: Words) -> DistrictMap:
    """Every site as a point with its status and the tone of its worst verdict."""
    sites = list(desk.district.sites.values())
    if not sites:
        return DistrictMap({"side_m": 1.0, "sites": [], "picture": None}, None)
    lons, lats = [s.line.lon for s in sites], [s.line.lat for s in sites]
    crs = utm_crs((min(lons) + max(lons)) / 2, (min(lats) + max(lats)) / 2)
    points = reproject(MultiPoint([(s.line.lon, s.line.lat) for s in sites]), WGS84, crs)
    left, bottom, right, top = points.bounds
    side = max(right - left, top - bottom) + 2 * MARGIN_M
    frame = Frame(crs, (left + right - side) / 2, (bottom + top - side) / 2, side, gsd_m=0.1)
    scenes = _behind(desk.scenes(), sites)
    plain = {
        "side_m": side,
        "picture": "/pictures-of-district" if scenes else None,
        "sites": [_site(s, p, frame, words) for s, p in zip(sites, points.geoms, strict=True)],
    }
    return DistrictMap(plain, _backdrop(frame, scenes) if scenes else None)


def _behind(scenes: list[Scene], sites: list[SiteRecord]) -> list[Scene]:
    """Scenes that show some site, the newest first."""
    around = MultiPoint([(s.line.lon, s.line.lat) for s in sites]).convex_hull.buffer(1e-6)
    return sorted((s for s in scenes if s.footprint.intersects(around)), key=lambda s: s.acquired)[::-1][:MOST_SCENES]


def _backdrop(frame: Frame, scenes: list[Scene]) -> Backdrop:
    ground = box(frame.left, frame.bottom, frame.left + frame.side_m, frame.bottom + frame.side_m)
    as_it_lies = Compared(reproject(ground, frame.crs, WGS84), pixel_m=1.0, margin_m=0.0)
    epoch = Epoch(tuple(scenes), scenes[0].acquired, "after", Registration(), as_it_lies)
    return Backdrop(frame, (epoch,))


def _site(site: SiteRecord, point: Point, frame: Frame, words: Words) -> dict[str, Any]:
    tones = [views.tone(question, given.verdict.outcome) for question, given in site.standing.items()]
    worst = next((tone for tone in ("bad", "part", "na", "good") if tone in tones), "none")
    return {
        "code": site.line.code,
        "name": site.line.name,
        "x": round(point.x - frame.left, 1),
        "y": round(point.y - frame.bottom, 1),
        "status": site.line.status.value,
        "status_word": words.site_status(site.line.status),
        "tone": worst,
    }


__all__ = ["DistrictMap", "district_map"]
