"""Which epochs of a site are compared, by the rules of `EpochRules`, and with the reason in words.

Footprints, dates and what is said of their quality; nothing is read here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import PurePath

from shapely import union_all
from shapely.geometry.base import BaseGeometry

from cvpipe.assess.season import Season
from cvpipe.domain import Reason, Scene, Site
from cvpipe.geo import buffered
from cvpipe.imagery import Quality
from cvpipe.imagery.remote import shown
from cvpipe.run.epoch_rules import EpochRules

Identity = str | tuple[str, ...]
"""What an epoch shows, by content: the hash of its scene, or of each of several."""


@dataclass(frozen=True)
class Epoch:
    """The scenes that show a site on one day, best first: each of the others fills what those before it leave open."""

    scenes: tuple[Scene, ...]

    @property
    def acquired(self) -> date:
        """The day."""
        return self.scenes[0].acquired

    @property
    def gsd_m(self) -> float:
        """Ground pixel of the coarsest of its scenes, m."""
        return max(scene.gsd_m for scene in self.scenes)

    @cached_property
    def hashes(self) -> tuple[str, ...]:
        """The content hashes of its scenes, best first."""
        return tuple(scene.content_hash for scene in self.scenes)

    @cached_property
    def identity(self) -> Identity:
        """Its part in an idempotency key: the content hash of its scene, or all of them in order of the hashes."""
        hashes = tuple(sorted(self.hashes))
        return hashes[0] if len(hashes) == 1 else hashes

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The file names of its scenes, as people read them."""
        return tuple(name_of(scene) for scene in self.scenes)


@dataclass(frozen=True)
class PassedOver:
    """A scene, or a whole day of them, that shows the site and was not chosen, and why."""

    acquired: date
    scenes: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class EpochPair:
    """A later epoch of a site and the baseline that it is compared with. `reason` says how that was chosen."""

    before: Epoch
    after: Epoch
    reason: str


@dataclass(frozen=True)
class Epochs:
    """What is compared at a site: `pairs` in order of the later epoch, `newest` the newest usable one among these,
    None where there is none, or where quality was not asked.

    `baseline` is the one that the rules choose before season is asked; `reason` says how, or why there is no pair.
    """

    baseline: Epoch | None
    pairs: tuple[EpochPair, ...]
    newest: Epoch | None
    reason: str
    passed_over: tuple[PassedOver, ...] = ()


Look = Callable[[tuple[Scene, ...]], Quality | None]
"""What scenes of one day, best first, show of the site; None where they cannot be read."""


def unseen(_scenes: tuple[Scene, ...]) -> Quality | None:
    """For choices by footprints and dates alone."""
    return None


def choose_epochs(site: Site, scenes: Sequence[Scene], rules: EpochRules | None = None, look: Look = unseen) -> Epochs:
    """The epochs of a site, whatever the order of `scenes`; `look` is asked no more than the choice needs."""
    days = days_of(site, scenes, rules or EpochRules(), look)
    if not days.epochs:
        reason = f"no scene covers {days.rules.min_cover:.0%} of the site"
        return Epochs(None, (), None, reason, days.passed_over)
    return _chosen(site, days)


def cover(outline: BaseGeometry, footprint: BaseGeometry) -> float:
    """Share (0..1) of an outline that a footprint covers, 1 where it holds all of it; both in WGS 84."""
    if outline.area and footprint.covers(outline):
        return 1.0
    whole = outline.area
    return float(outline.intersection(footprint).area / whole) if whole else 0.0


@dataclass(frozen=True)
class Days:
    """The days whose scenes cover a site, oldest first, and how good they are where one asks."""

    epochs: tuple[Epoch, ...]
    passed_over: tuple[PassedOver, ...]
    rules: EpochRules
    look: Look
    latitude: float

    def is_usable(self, epoch: Epoch) -> bool:
        """Whether nothing speaks against it; an epoch that cannot be read is not judged."""
        return not self.faults(epoch)

    def faults(self, epoch: Epoch) -> str:
        """What speaks against it, in few words: against all of it, or against one of several scenes."""
        if len(epoch.scenes) > 1:
            for scene in epoch.scenes:
                seen = self.look((scene,))
                if _own_faults(seen):
                    return told_faults(seen)
        return told_faults(self.look(epoch.scenes))

    def score(self, epoch: Epoch) -> float | None:
        """Its quality, 0..1; None where it cannot be read."""
        seen = self.look(epoch.scenes)
        return None if seen is None else seen.score

    def season(self, epoch: Epoch) -> Season | None:
        """Whether trees bear leaves; None where that is not told."""
        return self.rules.season.season(epoch.acquired, self.latitude)


def days_of(site: Site, scenes: Iterable[Scene], rules: EpochRules, look: Look) -> Days:
    """Put the scenes of each day together into one epoch; days that show too little of the site are passed over."""
    outline = buffered(site.geometry, site.buffer_m)
    by_day: dict[date, list[_Shown]] = defaultdict(list)
    for scene in {scene.content_hash: scene for scene in scenes}.values():
        share = cover(outline, scene.footprint)
        if share >= rules.min_added_cover:
            by_day[scene.acquired].append(_Shown(scene, share, look))
    epochs, left = list[Epoch](), list[PassedOver]()
    for day in sorted(by_day):
        epoch, others = _put_together(outline, by_day[day], rules)
        covered = cover(outline, union_all([scene.footprint for scene in epoch.scenes]))
        left += others
        if covered >= rules.min_cover:
            epochs.append(epoch)
        else:
            left.append(PassedOver(day, epoch.names, f"covers {covered:.0%} of the site"))
    return Days(tuple(epochs), tuple(left), rules, look, outline.centroid.y)


@dataclass(frozen=True)
class _Shown:
    """A scene among others of its day: the share of the site's outline inside its footprint, and a look at it."""

    scene: Scene
    cover: float
    look: Look = field(repr=False)

    @cached_property
    def seen(self) -> Quality | None:
        return self.look((self.scene,))

    @property
    def faults(self) -> tuple[Reason, ...]:
        """What speaks against it, but for ground that it does not show: others fill that."""
        return _own_faults(self.seen)

    def rank(self, quality_step: float) -> tuple[float, float, float, str]:
        """Smaller is better: cover in hundredths, quality in steps, pixel size; the hash so that all is decided."""
        score = self.seen.score if self.seen else 0.0
        return -round(self.cover, 2), -round(score / quality_step), self.scene.gsd_m, self.scene.content_hash


def _put_together(outline: BaseGeometry, shown: list[_Shown], rules: EpochRules) -> tuple[Epoch, list[PassedOver]]:
    """The epoch of one day. Unusable scenes are taken only where the usable ones do not cover the site."""
    if len(shown) == 1:
        return Epoch((shown[0].scene,)), []
    usable = [one for one in shown if not one.faults]
    if cover(outline, union_all([one.scene.footprint for one in usable])) < rules.min_cover:
        usable = shown
    ranked = sorted(usable, key=lambda one: (bool(one.faults), one.rank(rules.quality_step)))
    taken, open_ground = list[Scene](), outline
    for one in ranked:
        if open_ground.intersection(one.scene.footprint).area >= rules.min_added_cover * outline.area:
            taken.append(one.scene)
            open_ground = open_ground.difference(one.scene.footprint)
    left = [_left_out(one, taken) for one in shown if one.scene not in taken]
    return Epoch(tuple(taken)), sorted(left, key=lambda one: one.scenes)


def _left_out(one: _Shown, taken: Sequence[Scene]) -> PassedOver:
    why = told_faults(one.seen) if one.faults else f"adds nothing to {name_of(taken[0])} of that day"
    return PassedOver(one.scene.acquired, (name_of(one.scene),), why)


def _chosen(site: Site, days: Days) -> Epochs:
    """Baseline, later epochs and what was passed over, among days that cover the site."""
    began = site.plan.work_started
    base = _base_of(days.epochs, began, days.is_usable)
    if base is None or not base.later:  # then quality is left out, and the assessment says what is amiss
        plain = _base_of(days.epochs, began, lambda _: True)
        base = plain if plain and (plain.later or base is None) else base
    assert base is not None, "there is a day that covers the site"
    reason = _reason(days, base, began)
    newest, unusable = _newest_usable(days, base.later)
    passed = (*days.passed_over, *(_unusable(days, e) for e in base.skipped), *unusable)
    return Epochs(
        base.epoch,
        tuple(_paired(days, base, after, reason) for after in base.later),
        newest,
        reason if base.later else f"{reason}; no later scene yet",
        tuple(sorted(passed, key=lambda one: (one.acquired, one.scenes))),
    )


@dataclass(frozen=True)
class _Base:
    """A baseline, the days that were skipped for it, those before it from before work began, and the later ones."""

    epoch: Epoch
    skipped: tuple[Epoch, ...]
    earlier: tuple[Epoch, ...]
    later: tuple[Epoch, ...]
    is_before_work: bool


def _base_of(epochs: Sequence[Epoch], began: date | None, suits: Callable[[Epoch], bool]) -> _Base | None:
    """The last epoch before work began that suits, else the earliest one that does."""
    before_work = [e for e in epochs if began is not None and e.acquired <= began]
    for at in reversed(range(len(before_work))):
        if suits(before_work[at]):
            skipped, earlier = before_work[at + 1 :], before_work[:at]
            return _Base(before_work[at], tuple(skipped), tuple(earlier), tuple(epochs[len(before_work) :]), True)
    for at, epoch in enumerate(epochs):
        if suits(epoch):
            return _Base(epoch, tuple(epochs[:at]), (), tuple(epochs[at + 1 :]), False)
    return None


def _reason(days: Days, base: _Base, began: date | None) -> str:
    usable = "usable " if base.skipped else ""
    reason = f"last {usable}scene before work began on {began}" if base.is_before_work else f"earliest {usable}scene"
    faults = days.faults(base.epoch)
    return f"{reason}, though {faults}" if faults else reason


def _newest_usable(days: Days, later: Sequence[Epoch]) -> tuple[Epoch | None, list[PassedOver]]:
    """The newest epoch that is usable, and the newer ones that are not."""
    unusable = list[PassedOver]()
    for epoch in reversed(later):
        if days.is_usable(epoch):
            return epoch, unusable
        unusable.append(_unusable(days, epoch))
    return None, unusable


def _unusable(days: Days, epoch: Epoch) -> PassedOver:
    return PassedOver(epoch.acquired, epoch.names, days.faults(epoch))


def _paired(days: Days, base: _Base, after: Epoch, reason: str) -> EpochPair:
    """The later epoch with its baseline: one of the same season where that is as good and not much older."""
    season = days.season(after)
    if season is None or days.season(base.epoch) is season:
        return EpochPair(base.epoch, after, reason)
    for epoch in reversed(base.earlier):
        if (base.epoch.acquired - epoch.acquired).days > days.rules.season_reach_days:
            break
        if days.season(epoch) is season and _is_as_good(days, epoch, base.epoch):
            told = f"{season} as the later one, instead of {base.epoch.acquired}, the {reason}"
            return EpochPair(epoch, after, told)
    return EpochPair(base.epoch, after, reason)


def _is_as_good(days: Days, epoch: Epoch, other: Epoch) -> bool:
    score, needed = days.score(epoch), days.score(other)
    if score is None or needed is None or not days.is_usable(epoch):
        return False
    return round(score / days.rules.quality_step) >= round(needed / days.rules.quality_step)


def _own_faults(seen: Quality | None) -> tuple[Reason, ...]:
    """What speaks against one scene of several, which need not show the whole site."""
    return tuple(reason for reason in seen.reasons if reason is not Reason.NO_DATA) if seen else ()


def told_faults(seen: Quality | None) -> str:
    """What makes an epoch unusable, in few words: "cloud 43 %, blurred"; empty for one that is not."""
    return ", ".join(_told(reason, seen) for reason in seen.reasons) if seen else ""


def _told(reason: Reason, seen: Quality) -> str:
    shares = {
        Reason.NO_DATA: 1 - seen.valid_share,
        Reason.CLOUD: seen.cloud_share,
        Reason.SHADOW: seen.shadow_share,
        Reason.SNOW: seen.snow_share,
    }
    word = reason.value.replace("_", " ")
    return f"{word} {shares[reason]:.0%}" if reason in shares else word


def name_of(scene: Scene) -> str:
    """A scene's file name as people read it."""
    return PurePath(shown(scene.uri)).name
