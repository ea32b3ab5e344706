"""From the epochs of each site to the pairs that a run assesses: the baseline's, then those of the watch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from cvpipe.assess.watching import closings, watch_start
from cvpipe.domain import Outcome, Question, Scene, Site, SiteStatus, StatusMove, Verdict
from cvpipe.ledger import Entry, Ledger
from cvpipe.run.alike import AlikeSites
from cvpipe.run.epoch_rules import EpochRules
from cvpipe.run.epochs import Epochs, choose_epochs
from cvpipe.run.looking import Looking
from cvpipe.run.nearby import Nearby
from cvpipe.run.sites import PairKind, SitePair
from cvpipe.run.stated import StatedEpochs

Answers = Mapping[str, tuple[Verdict, ...]]
"""Verdicts by the key of the assessment that gave them."""


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
            self.looking.expect(fresh)
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


def answers_of(ledger: Ledger, codes: Collection[str]) -> Mapping[str, Answers]:
    """What has been answered of some sites, by site."""
    found = defaultdict[str, dict[str, tuple[Verdict, ...]]](dict)
    for given in ledger.given_verdicts(codes):
        of_site = found[given.site_code]
        of_site[given.assessment_key] = (*of_site.get(given.assessment_key, ()), given.verdict)
    return dict(found)


def remediation(site: Site, epochs: Epochs) -> list[SitePair]:
    """The baseline against each later epoch; one pair without scenes where there are none."""
    if not epochs.pairs:
        return [SitePair(site, PairKind.REMEDIATION, None, None, epochs.reason)]
    return [SitePair(site, PairKind.REMEDIATION, p.before, p.after, p.reason) for p in epochs.pairs]


def watch(
    site: Site, epochs: Epochs, keys: Sequence[str], answers: Answers, closed: Sequence[date] = ()
) -> list[SitePair]:
    """Each later epoch against the one since which the site is watched (`cvpipe.assess.watching`).

    `keys` are those of the remediation pairs, in order; `closed` are the days on which people closed the site.
    """
    if not answers and not closed:
        return []
    demolition = [_demolition(answers.get(key, ())) for key, _ in zip(keys, epochs.pairs, strict=False)]
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
            found.append(SitePair(site, PairKind.WATCH, by_day[start], pair.after, reason))
    return found


def _demolition(verdicts: Sequence[Verdict]) -> Outcome | None:
    """What was answered; None where nothing was."""
    outcome = next((verdict.outcome for verdict in verdicts if verdict.question is Question.DEMOLITION), None)
    return None if outcome is Outcome.NOT_ASSESSABLE else outcome
