"""From the epochs of each site to the pairs that a run assesses: the baseline's, then those of the watch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from cvpipe.assess.watching import closings, watch_start
from cvpipe.domain import Outcome, Scene, Site, SiteStatus, StatusMove
from cvpipe.ledger import Entry, Ledger
from cvpipe.run.alike import AlikeSites
from cvpipe.run.epoch_rules import EpochRules
from cvpipe.run.epochs import Epoch, Epochs, choose_epochs
from cvpipe.run.looking import Looking
from cvpipe.run.nearby import Nearby
from cvpipe.run.sites import PairKind, SitePair
from cvpipe.run.stated import StatedEpochs


@dataclass(frozen=True)
class Choosing:
    """The epochs of each site, chosen once in a run."""

    scenes: Sequence[Scene]
    rules: EpochRules
    looking: Looking
    stated: StatedEpochs
    _chosen: dict[str, Epochs] = field(default_factory=dict, repr=False)

    def expect(self, sites: Sequence[Site]) -> None:
        """Choose for those of some sites that are like each other, at once; `of` knows them then."""
        fresh = [site for site in sites if site.code not in self._chosen]
        if fresh and not self.stated:
            self._chosen.update(self._alike.choices(fresh))

    def of(self, site: Site) -> Epochs:
        """What is compared at a site. Raises SceneError where a stated epoch does not fit it."""
        if site.code not in self._chosen:
            look = self.looking.at(site)
            if self.stated:
                self._chosen[site.code] = self.stated.of_site(site, self.scenes, self.rules, look)
            else:
                near = self._nearby.of(site.geometry, site.buffer_m)
                self._chosen[site.code] = choose_epochs(site, near, self.rules, look)
        return self._chosen[site.code]

    @cached_property
    def _alike(self) -> AlikeSites:
        return AlikeSites(self.scenes, self.rules, self.looking)

    @cached_property
    def _nearby(self) -> Nearby:
        return Nearby(self.scenes)


@dataclass(frozen=True)
class Closings:
    """The days on which people closed each site, from all moves of sites read once."""

    ledger: Ledger

    def of(self, site: Site) -> tuple[date, ...]:
        """The days on which a site was closed, in order."""
        moves = self._moves.get(site.code, [])
        if not moves and site.status is not SiteStatus.CLOSED:
            return ()
        came_in = moves[0].value.was if moves else site.status
        if came_in is not SiteStatus.CLOSED:
            return closings(site.status, date.min, moves)  # the day on which it came in is not asked
        return closings(site.status, self.ledger.versions(site.code)[0].valid_from.date(), moves)

    @cached_property
    def _moves(self) -> dict[str, list[Entry[StatusMove]]]:
        found = defaultdict[str, list[Entry[StatusMove]]](list)
        for move in self.ledger.moves():
            found[move.value.site_code].append(move)
        return dict(found)


@dataclass(frozen=True)
class Asked:
    """What is asked of a site, or of many that are alike: a `SitePair` without its site.

    No epochs where no two scenes show it. `reason` says why these.
    """

    kind: PairKind
    before: Epoch | None
    after: Epoch | None
    reason: str

    def of(self, site: Site) -> SitePair:
        """The unit of work at a site."""
        return SitePair(site, self.kind, self.before, self.after, self.reason)


Demolition = Mapping[str, Outcome | None]
"""What was said of demolition at a site, by the key of the assessment; None where it was not asked that."""


def by_site(given: Iterable[tuple[str, str, Outcome | None]]) -> Mapping[str, Demolition]:
    """What has been assessed (`Ledger.demolition_of`), by the code of the site."""
    found = dict[str, dict[str, Outcome | None]]()
    for code, key, outcome in given:
        found.setdefault(code, {})[key] = outcome
    return found


def remediation(epochs: Epochs) -> tuple[Asked, ...]:
    """The baseline against each later epoch; one without scenes where there are none."""
    if not epochs.pairs:
        return (Asked(PairKind.REMEDIATION, None, None, epochs.reason),)
    return tuple(Asked(PairKind.REMEDIATION, p.before, p.after, p.reason) for p in epochs.pairs)


def demolition_seen(keys: Sequence[str], given: Demolition) -> tuple[Outcome | None, ...]:
    """What was seen of demolition at pairs with these keys; None where nothing was, or nothing could be."""
    seen = [given.get(key) for key in keys]
    return tuple([None if outcome is Outcome.NOT_ASSESSABLE else outcome for outcome in seen])


def watch(epochs: Epochs, demolition: Sequence[Outcome | None], closed: Sequence[date] = ()) -> tuple[Asked, ...]:
    """Each later epoch against the one since which the site is watched (`cvpipe.assess.watching`).

    `demolition` is what was seen at the remediation pairs, in order; `closed` are the days on which people closed the
    site.
    """
    by_day = {epoch.acquired: epoch for pair in epochs.pairs for epoch in (pair.before, pair.after)}
    usable = {pair.before.acquired for pair in epochs.pairs}
    usable |= {pair.after.acquired for pair, seen in zip(epochs.pairs, demolition, strict=False) if seen is not None}
    gone = (p.after.acquired for p, seen in zip(epochs.pairs, demolition, strict=False) if seen is Outcome.COMPLETE)
    complete = next(gone, None)
    found = []
    for pair in epochs.pairs:
        start = watch_start(pair.after.acquired, usable=sorted(usable), complete=complete, closed=closed)
        if start is not None:
            reason = "first epoch that was seen demolished" if start == complete else "last usable epoch before closing"
            found.append(Asked(PairKind.WATCH, by_day[start], pair.after, reason))
    return tuple(found)
