"""Which epochs of a site are compared, by stated rules and with the reason in words: footprints and dates only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from shapely.geometry.base import BaseGeometry

from cvpipe.domain import Scene, Site
from cvpipe.geo import buffered

#: A scene is of use to a site where its footprint covers this share of the site's outline; below that the answer
#: would be about another place. Matches the share of valid pixels that the rules ask for.
MIN_COVER = 0.9


@dataclass(frozen=True)
class Epochs:
    """A site's baseline and the epochs after it, in order of date. `reason` says how the baseline was chosen."""

    baseline: Scene | None
    later: tuple[Scene, ...]
    reason: str


def choose_epochs(site: Site, scenes: Sequence[Scene]) -> Epochs:
    """Baseline: the last scene before work began; where that is not known, or there is none, the earliest one.

    Of several scenes of one date the one that covers most of the site is taken, then the finest.
    """
    outline = buffered(site.geometry, site.buffer_m)
    covering = [s for s in scenes if cover(outline, s.footprint) >= MIN_COVER]
    by_date: dict[date, Scene] = {}
    for scene in sorted(covering, key=lambda s: (cover(outline, s.footprint), -s.gsd_m, s.content_hash)):
        by_date[scene.acquired] = scene  # the best comes last
    dated = [by_date[day] for day in sorted(by_date)]
    if not dated:
        return Epochs(None, (), f"none of {len(scenes)} scenes covers {MIN_COVER:.0%} of the site")
    began = site.plan.work_started
    before_work = [s for s in dated if began is not None and s.acquired <= began]
    baseline = before_work[-1] if before_work else dated[0]
    later = tuple(s for s in dated if s.acquired > baseline.acquired)
    reason = f"last scene before work began on {began}" if before_work else "earliest scene"
    return Epochs(baseline, later, reason if later else f"{reason}; no later scene yet")


def cover(outline: BaseGeometry, footprint: BaseGeometry) -> float:
    """Share (0..1) of an outline that a footprint covers; both in WGS 84."""
    whole = outline.area
    return float(outline.intersection(footprint).area / whole) if whole else 0.0
