"""From the epochs of each site to the pairs that a run assesses: the baseline's, then those of the watch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from cvpipe.assess.watching import watch_start
from cvpipe.domain import Outcome, Question, Scene, Site, Verdict
from cvpipe.run.epoch_rules import EpochRules
from cvpipe.run.epochs import Epochs, choose_epochs
from cvpipe.run.looking import Looking
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

    def of(self, site: Site) -> Epochs:
        """What is compared at a site. Raises SceneError where a stated epoch does not fit it."""
        if site.code not in self._chosen:
            look = self.looking.at(site)
            if self.stated:
                self._chosen[site.code] = self.stated.of_site(site, self.scenes, self.rules, look)
            else:
                self._chosen[site.code] = choose_epochs(site, self.scenes, self.rules, look)
        return self._chosen[site.code]


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
