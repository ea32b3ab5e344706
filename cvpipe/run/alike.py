"""Sites that the same scenes show whole, and equally well, have the same epochs: they are chosen once for all of them.

What is chosen is the same as site by site (`cvpipe.run.epochs`): a choice is shared only where nothing went into it
that another site has otherwise. Sites at the edge of a scene, and those at which a look is missing, are left out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from cvpipe.domain import Scene, Site
from cvpipe.geo import buffered_all
from cvpipe.imagery import Quality
from cvpipe.run.epoch_rules import EpochRules
from cvpipe.run.epochs import Epochs, choose_epochs, told_faults
from cvpipe.run.looking import Looking, quality_as_kept

LOG = logging.getLogger(__name__)

#: Choices that are held at a time.
MOST_HELD = 10_000


class _NotKnownError(Exception):
    """A choice asked for what nobody has looked at."""


@dataclass(frozen=True)
class _Shown:
    """Scenes that show a site whole. `is_plain` where no choice among them asks how good they are, only what is amiss:
    one a day, all of one season."""

    scenes: tuple[Scene, ...]
    is_plain: bool


class AlikeSites:
    """The epochs of many sites at once."""

    def __init__(self, scenes: Sequence[Scene], rules: EpochRules, looking: Looking) -> None:
        self._scenes, self._rules, self._looking = scenes, rules, looking
        self._footprints = _array([scene.footprint for scene in scenes])
        shapely.prepare(self._footprints)
        self._tree = shapely.STRtree(self._footprints)
        self._is_fit = bool(np.all(shapely.is_valid(self._footprints)))
        self._is_fit &= len({scene.content_hash for scene in scenes}) == len(scenes)
        self._shown = dict[tuple[bytes, float], _Shown]()
        self._chosen = dict[tuple[Any, ...], Epochs | None]()

    def choices(self, sites: Sequence[Site]) -> dict[str, Epochs]:
        """The epochs by the codes of those sites that are like others."""
        if not self._is_fit or not sites:
            return {}
        try:
            shown = list(self._shown_whole(sites))
        except (
            shapely.errors.ShapelyError,
            ValueError,
        ):  # an outline that no library can cut; its site is told by name
            LOG.debug("sites are looked at one by one", exc_info=True)
            return {}
        found = dict[str, Epochs]()
        for site, scenes in shown:
            epochs = self._choice(site, scenes)
            if epochs is not None:
                found[site.code] = epochs
        return found

    def _shown_whole(self, sites: Sequence[Site]) -> Iterator[tuple[Site, _Shown]]:
        """Sites that no scene shows in part, with those that show them."""
        outlines = _array(buffered_all([site.geometry for site in sites], [site.buffer_m for site in sites]))
        latitudes = shapely.get_y(shapely.centroid(outlines))
        fit = shapely.is_valid(outlines) & (shapely.area(outlines) > 0)
        at, scene = self._tree.query(outlines)
        order = np.lexsort((scene, at))
        at, scene = at[order], scene[order]
        whole = fit[at] & shapely.covers(self._footprints[scene], outlines[at])
        fit[at[self._is_in_part(outlines, at, scene, fit[at] & ~whole)]] = False
        ends = np.searchsorted(at[whole], np.arange(len(sites) + 1))
        scene = scene[whole]
        for number in np.flatnonzero(fit).tolist():
            numbers = scene[ends[number] : ends[number + 1]]
            yield sites[number], self._of(numbers, float(latitudes[number]))

    def _is_in_part(self, outlines: Any, at: Any, scene: Any, open_: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which meetings of a site with a scene, those `open_`, are more than a touch."""
        shares = np.zeros(len(at))
        both = shapely.intersection(outlines[at[open_]], self._footprints[scene[open_]])
        shares[open_] = shapely.area(both) / shapely.area(outlines[at[open_]])
        return np.asarray(shares >= self._rules.min_added_cover)

    def _of(self, numbers: NDArray[np.int64], latitude: float) -> _Shown:
        side = 0.0 if abs(latitude) < self._rules.season.min_latitude else float(np.sign(latitude))
        key = numbers.tobytes(), side
        if key not in self._shown:
            scenes = tuple(self._scenes[n] for n in numbers)
            days = {scene.acquired for scene in scenes}
            seasons = {self._rules.season.season(day, latitude) for day in days}
            self._shown[key] = _Shown(scenes, len(days) == len(scenes) and len(seasons) == 1)
        return self._shown[key]

    def _choice(self, site: Site, shown: _Shown) -> Epochs | None:
        looks = [self._looking.known(site, (scene,)) for scene in shown.scenes]
        key = (id(shown), site.plan.work_started, *(self._seen(look, shown) for look in looks))
        if key not in self._chosen:
            if len(self._chosen) >= MOST_HELD:
                self._chosen.clear()
            self._chosen[key] = self._chosen_for(site, shown, looks)
        return self._chosen[key]

    def _seen(self, look: dict[str, Any] | None, shown: _Shown) -> tuple[str, int] | str | None:
        """What a choice hangs on: what is amiss, and how good it is where that is asked."""
        if look is None or (shown.is_plain and not look["reasons"]):
            return None if look is None else ""
        quality = quality_as_kept(look)
        faults = told_faults(quality)
        return faults if shown.is_plain else (faults, round(quality.score / self._rules.quality_step))

    def _chosen_for(self, site: Site, shown: _Shown, looks: Sequence[dict[str, Any] | None]) -> Epochs | None:
        """The epochs of all sites like this one; None where they hang on a look that nobody took."""
        known = {scene.content_hash: look for scene, look in zip(shown.scenes, looks, strict=True)}

        def look(scenes: tuple[Scene, ...]) -> Quality:
            found = known[scenes[0].content_hash] if len(scenes) == 1 else None
            if found is None:
                raise _NotKnownError
            return quality_as_kept(found)

        try:
            return choose_epochs(site, shown.scenes, self._rules, look)
        except _NotKnownError:
            return None


def _array(geometries: Sequence[Any]) -> NDArray[np.object_]:
    return np.array([*geometries, None], object)[:-1]  # None keeps numpy from looking into the geometries


__all__ = ["AlikeSites"]
