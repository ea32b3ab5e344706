"""Sites that the same scenes show whole, and equally well, have the same epochs: they are chosen once for all of them.

What is chosen is the same as site by site (`cvpipe.run.epochs`): a choice is shared only where nothing went into it
that another site has otherwise. Sites at the edge of a scene, and those at which a look is missing, are left out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from cvpipe.domain import Scene, Site
from cvpipe.geo import array_of, buffered_all
from cvpipe.imagery import Quality
from cvpipe.run.epoch_rules import EpochRules
from cvpipe.run.epochs import Epochs, choose_epochs, told_faults
from cvpipe.run.looking import Looking
from cvpipe.run.looks import Recalled

LOG = logging.getLogger(__name__)

#: Choices that are held at a time.
MOST_HELD = 10_000


class _NotKnownError(Exception):
    """A choice asked for what nobody has looked at."""


@dataclass(frozen=True)
class _Shown:
    """Scenes that show a site whole. `is_plain` where no choice among them asks how good they are, only what is amiss:
    one a day, all of one season."""

    number: int
    scenes: tuple[Scene, ...]
    is_plain: bool


@dataclass(frozen=True)
class _Whole:
    """Sites by number (N,), with the numbers of the scenes (M,) that show each of them whole and none in part: those
    of site `i` are `scene[ends[i]:ends[i + 1]]`."""

    sites: NDArray[np.int64]
    latitudes: NDArray[np.float64]
    scene: NDArray[np.int64]
    ends: NDArray[np.int64]


class AlikeSites:
    """The epochs of many sites at once."""

    def __init__(self, scenes: Sequence[Scene], rules: EpochRules, looking: Looking) -> None:
        self._scenes, self._rules, self._looking = scenes, rules, looking
        self._footprints = array_of(scene.footprint for scene in scenes)
        shapely.prepare(self._footprints)
        self._tree = shapely.STRtree(self._footprints)
        self._is_fit = bool(np.all(shapely.is_valid(self._footprints)))
        self._is_fit &= len({scene.content_hash for scene in scenes}) == len(scenes)
        self._shown = dict[tuple[bytes, float], _Shown]()
        self._faults = dict[str, int]()
        self._chosen = dict[tuple[int, date | None, bytes], Epochs | None]()

    def choices(self, sites: Sequence[Site]) -> dict[str, Epochs]:
        """The epochs by the codes of those sites that are like others."""
        if not self._is_fit or not sites:
            return {}
        try:
            whole = self._shown_whole(sites)
        except (
            shapely.errors.ShapelyError,
            ValueError,
        ):  # an outline that no library can cut; its site is told by name
            LOG.debug("sites are looked at one by one", exc_info=True)
            return {}
        shown = self._scenes_of(whole)
        found = dict[str, Epochs]()
        for number, epochs in zip(whole.sites.tolist(), self._choices(sites, whole, shown), strict=True):
            if epochs is not None:
                found[sites[number].code] = epochs
        return found

    def _shown_whole(self, sites: Sequence[Site]) -> _Whole:
        """Sites that no scene shows in part, with those that show them."""
        outlines = array_of(buffered_all([site.geometry for site in sites], [site.buffer_m for site in sites]))
        fit = shapely.is_valid(outlines) & (shapely.area(outlines) > 0)
        at, scene = self._tree.query(outlines)
        order = np.lexsort((scene, at))
        at, scene = at[order], scene[order]
        whole = fit[at] & shapely.covers(self._footprints[scene], outlines[at])
        fit[at[self._is_in_part(outlines, at, scene, fit[at] & ~whole)]] = False
        numbers, whole = np.flatnonzero(fit), whole & fit[at]
        ends = np.append(np.searchsorted(at[whole], numbers), np.count_nonzero(whole))
        return _Whole(numbers, shapely.get_y(shapely.centroid(outlines[numbers])), scene[whole], ends)

    def _is_in_part(self, outlines: Any, at: Any, scene: Any, open_: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which meetings of a site with a scene, those `open_`, are more than a touch."""
        shares = np.zeros(len(at))
        both = shapely.intersection(outlines[at[open_]], self._footprints[scene[open_]])
        shares[open_] = shapely.area(both) / shapely.area(outlines[at[open_]])
        return np.asarray(shares >= self._rules.min_added_cover)

    def _scenes_of(self, whole: _Whole) -> list[_Shown]:
        """What shows each site; the same for all that the same scenes show on one side of the tropics."""
        is_apart = np.abs(whole.latitudes) >= self._rules.season.min_latitude
        sides = np.where(is_apart, np.sign(whole.latitudes), 0.0).tolist()
        found = list[_Shown]()
        for number, (scenes, side) in enumerate(zip(_rows(whole.scene, whole.ends), sides, strict=True)):
            if (scenes, side) not in self._shown:
                self._shown[scenes, side] = self._new(scenes, float(whole.latitudes[number]))
            found.append(self._shown[scenes, side])
        return found

    def _new(self, numbers: bytes, latitude: float) -> _Shown:
        scenes = tuple(self._scenes[n] for n in np.frombuffer(numbers, np.int64))
        days = {scene.acquired for scene in scenes}
        seasons = {self._rules.season.season(day, latitude) for day in days}
        return _Shown(len(self._shown), scenes, len(days) == len(scenes) and len(seasons) == 1)

    def _choices(self, sites: Sequence[Site], whole: _Whole, shown: Sequence[_Shown]) -> Iterator[Epochs | None]:
        """The epochs of each site; None where they hang on a look that nobody took."""
        some = [sites[number] for number in whole.sites]
        recalled = self._looking.recalled(some)
        looks = self._looks(recalled, whole)
        is_plain = np.repeat([one.is_plain for one in shown], np.diff(whole.ends))
        seen = _rows(self._seen(recalled, looks, is_plain), whole.ends)
        for number, (site, of_site, as_seen) in enumerate(zip(some, shown, seen, strict=True)):
            key = of_site.number, site.plan.work_started, as_seen
            if key not in self._chosen:
                if len(self._chosen) >= MOST_HELD:
                    self._chosen.clear()
                known = [
                    recalled.quality(look) if look >= 0 else None
                    for look in looks[whole.ends[number] : whole.ends[number + 1]].tolist()
                ]
                self._chosen[key] = self._chosen_for(site, of_site, known)
            yield self._chosen[key]

    def _looks(self, recalled: Recalled, whole: _Whole) -> NDArray[np.int64]:
        """Which look is that of each scene at each site (M,); -1 where there is none."""
        if not len(recalled.site):
            return np.full(len(whole.scene), -1)
        numbers = np.array([self._looking.number((scene,)) for scene in self._scenes])
        several = max(int(recalled.shown.max()), int(numbers.max())) + 1
        kept = recalled.site * several + recalled.shown
        order = np.argsort(kept)
        asked = np.repeat(np.arange(len(whole.sites)), np.diff(whole.ends)) * several + numbers[whole.scene]
        at = order[np.minimum(np.searchsorted(kept, asked, sorter=order), len(kept) - 1)]
        return np.where((kept[at] == asked) & (numbers[whole.scene] >= 0), at, -1)

    def _seen(self, recalled: Recalled, looks: NDArray[np.int64], is_plain: NDArray[np.bool_]) -> NDArray[np.int64]:
        """What of each look a choice hangs on (M,): what is amiss, and how good it is where that is asked."""
        told = np.zeros(len(recalled.site), np.int64)
        for number in np.flatnonzero(recalled.is_unusable).tolist():
            faults = told_faults(recalled.quality(number))
            told[number] = self._faults.setdefault(faults, len(self._faults) + 1)
        steps = np.rint(recalled.score / self._rules.quality_step).astype(np.int64)
        several = round(1 / self._rules.quality_step) + 2
        found = np.where(is_plain, told[looks] * several, told[looks] * several + steps[looks]) if len(told) else looks
        return np.where(looks < 0, -1, found)

    def _chosen_for(self, site: Site, shown: _Shown, looks: Sequence[Quality | None]) -> Epochs | None:
        """The epochs of all sites like this one; None where they hang on a look that nobody took."""
        known = {scene.content_hash: look for scene, look in zip(shown.scenes, looks, strict=True)}

        def look(scenes: tuple[Scene, ...]) -> Quality:
            found = known[scenes[0].content_hash] if len(scenes) == 1 else None
            if found is None:
                raise _NotKnownError
            return found

        try:
            return choose_epochs(site, shown.scenes, self._rules, look)
        except _NotKnownError:
            return None


def _rows(values: NDArray[np.int64], ends: NDArray[np.int64]) -> Iterator[bytes]:
    """Parts of an array that follow each other, as bytes: they are compared, not computed with."""
    whole, size = values.astype(np.int64).tobytes(), values.itemsize
    places = (ends * size).tolist()
    return (whole[begin:end] for begin, end in pairwise(places))


__all__ = ["AlikeSites"]
