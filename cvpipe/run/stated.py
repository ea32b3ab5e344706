"""Epochs that a person states instead of leaving them to the rules: `cvpipe run --before X --after Y`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from shapely import union_all

from cvpipe.domain import Scene, Site
from cvpipe.errors import SceneError, UsageError
from cvpipe.geo import buffered
from cvpipe.imagery.remote import shown
from cvpipe.run.epoch_rules import EpochRules
from cvpipe.run.epochs import Epoch, EpochPair, Epochs, Look, choose_epochs, cover, days_of, name_of

#: Letters of a content hash that name a scene, at least: as git's short names.
SHORTEST_HASH = 7


@dataclass(frozen=True)
class Stated:
    """What was stated: a day, and the scenes that may be taken of it."""

    text: str
    scenes: tuple[Scene, ...]

    @property
    def acquired(self) -> date:
        """The day."""
        return self.scenes[0].acquired


@dataclass(frozen=True)
class StatedEpochs:
    """The two epochs as far as they are stated; the rules choose the other one."""

    before: Stated | None = None
    after: Stated | None = None

    def __bool__(self) -> bool:
        return self.before is not None or self.after is not None

    def of_site(self, site: Site, scenes: Sequence[Scene], rules: EpochRules, look: Look) -> Epochs:
        """The epochs of a site. A stated epoch is taken whatever its quality; the assessment says what is amiss.

        Raises SceneError where a stated epoch does not cover the site, or the rules find no partner for it.
        """
        if self.before and self.after:
            before = _epoch_of(self.before, site, rules, look)
            return _together(before, [_epoch_of(self.after, site, rules, look)], "as stated")
        if self.before:
            before = _epoch_of(self.before, site, rules, look)
            later = [s for s in scenes if s.acquired > before.acquired]
            return _together(before, days_of(site, later, rules, look).epochs, "baseline as stated")
        assert self.after is not None, "one of the two is stated"
        return _with_chosen_baseline(self.after, site, scenes, rules, look)


def stated_epochs(before: str | None, after: str | None, scenes: Sequence[Scene]) -> StatedEpochs:
    """Find what `--before` and `--after` name. Raises SceneError for what is unknown, UsageError for a wrong order."""
    found = StatedEpochs(
        None if before is None else _found(before, scenes, "--before"),
        None if after is None else _found(after, scenes, "--after"),
    )
    if found.before and found.after and found.before.acquired >= found.after.acquired:
        raise UsageError(
            f"{found.before.text} ({found.before.acquired}) is not earlier than {found.after.text} "
            f"({found.after.acquired})",
            where="--before, --after",
            remedy="State the earlier epoch with --before.",
        )
    return found


def _found(text: str, scenes: Sequence[Scene], option: str) -> Stated:
    """A day, or one scene by its path, address, file name, STAC id, or the start of its content hash."""
    day = _day(text)
    matching = [s for s in scenes if (_is_named(text, s) if day is None else s.acquired == day)]
    if len(matching) == 1 or (matching and day):
        return Stated(text, tuple(matching))
    if matching:
        places = ", ".join(shown(scene.uri) for scene in matching)
        raise SceneError(f"{text} names {len(matching)} scenes: {places}", where=option, remedy="Give a whole path.")
    days = sorted({scene.acquired.isoformat() for scene in scenes})
    raise SceneError(
        f"no scene of the ledger is {text}",
        where=option,
        remedy=f"Days with scenes: {', '.join(days) or 'none'}; `cvpipe scenes list` shows all.",
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _is_named(text: str, scene: Scene) -> bool:
    name = name_of(scene)
    stac_id = (scene.stac or {}).get("id")
    if text in {scene.uri, shown(scene.uri), name, Path(name).stem, stac_id} or str(Path(text).resolve()) == scene.uri:
        return True
    return len(text) >= SHORTEST_HASH and scene.content_hash.startswith(text.lower())


def _epoch_of(stated: Stated, site: Site, rules: EpochRules, look: Look) -> Epoch:
    days = days_of(site, stated.scenes, rules, look)
    if days.epochs:
        return days.epochs[0]
    outline = buffered(site.geometry, site.buffer_m)
    covered = cover(outline, union_all([scene.footprint for scene in stated.scenes]))
    raise SceneError(
        f"covers {covered:.0%} of site {site.code}, {rules.min_cover:.0%} are needed",
        where=stated.text,
        remedy="State an epoch that shows the site, or name other sites with --site.",
    )


def _together(before: Epoch, later: Sequence[Epoch], reason: str) -> Epochs:
    pairs = tuple(EpochPair(before, after, reason) for after in later)
    return Epochs(before, pairs, None, reason if later else f"{reason}; no later scene yet")


def _with_chosen_baseline(stated: Stated, site: Site, scenes: Sequence[Scene], rules: EpochRules, look: Look) -> Epochs:
    after = _epoch_of(stated, site, rules, look)
    earlier = [scene for scene in scenes if scene.acquired < after.acquired]
    chosen = choose_epochs(site, [*earlier, *after.scenes], rules, look)
    pairs = tuple(pair for pair in chosen.pairs if pair.after.acquired == after.acquired)
    if not pairs:
        raise SceneError(
            f"the rules find no baseline before it for site {site.code} ({chosen.reason})",
            where=stated.text,
            remedy="State one with --before.",
        )
    return Epochs(pairs[0].before, pairs, chosen.newest, pairs[0].reason, chosen.passed_over)
