"""What a run would write, and why: the difference between what the ledger holds and what it would hold.

A verdict needs the network, so the difference names the assessments that would come, not their answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from cvpipe.domain import Outcome, Site
from cvpipe.garbage import uncollected
from cvpipe.ledger import Answered
from cvpipe.run.epochs import Epochs, Identity
from cvpipe.run.loads import loads_of
from cvpipe.run.order import PLANNED_AT_ONCE, SITES_AT_ONCE, Job
from cvpipe.run.pairs import with_epochs
from cvpipe.run.planned import Loads, Plan, Table, Wanted, Why
from cvpipe.run.planning import Asked, by_site, demolition_seen, remediation, watch
from cvpipe.run.summary import Failure


def plan_opened(job: Job, progress: Callable[[str], None] | None = None, *, loads: bool = True) -> Plan:
    """`cvpipe.run.plan` on what was opened; `progress` is told each site. `loads` False leaves them out."""
    failures, parts, asking = list[Failure](), list[Table](), _Asking(job)
    for sites in job.sites_at_once(PLANNED_AT_ONCE):
        with uncollected():
            parts.append(_table(job, sites, asking, failures, with_loads=loads))
        if progress:
            for site in sites:
                progress(site.code)
    return Plan(Table.joined(parts), failures)


def _table(job: Job, sites: Sequence[Site], asking: _Asking, failures: list[Failure], *, with_loads: bool) -> Table:
    """The pairs of some sites; those that cannot be planned are added to the failures."""
    job.choosing.expect(sites)
    parts = [list(with_epochs(job, some, failures)) for some in job.sites_at_once(SITES_AT_ONCE, sites)]
    table = asking.of([one for part in parts for one in part])
    if not with_loads:
        return table
    return replace(table, loads=loads_of(job, [[site for site, _ in part] for part in parts], table))


_Watched = tuple[int, tuple[Outcome | None, ...], tuple[date, ...]]
"""Epochs by their id, what was seen of demolition, and the days of closing: all that a watch hangs on."""


@dataclass(frozen=True)
class _Asking:
    """What is wanted of sites; those of which the same is wanted share it."""

    job: Job
    _first: dict[int, Wanted] = field(default_factory=dict)
    _watches: dict[_Watched, tuple[Asked, ...]] = field(default_factory=dict)
    _known: dict[tuple[_Watched, tuple[Why | None, ...]], Wanted] = field(default_factory=dict)

    def of(self, chosen: Sequence[tuple[Site, Epochs]]) -> Table:
        """What is wanted of some sites, without loads."""
        given, resting = by_site(self._given(chosen)), self.job.patience.set_aside_sites()
        closed = [self.job.closings.of(site) for site, _ in chosen]
        codes = [site.code for site, _ in chosen]
        met = [code in given or code in resting or bool(days) for code, days in zip(codes, closed, strict=True)]
        self.job.expect_keys([site for (site, _), is_met in zip(chosen, met, strict=True) if is_met])
        wanted, rests, number = list[Wanted](), dict[int, str](), 0
        for (site, epochs), is_met, days in zip(chosen, met, closed, strict=True):
            one = self._met(site, epochs, given.get(site.code, ()), days) if is_met else self._never_met(epochs)
            wanted.append(one)
            if site.code in resting:
                rests |= {number + at: told for at, told in self._rests(site, one).items()}
            number += len(one.asked)
        return Table(codes, wanted, rests, Loads.nothing(number))

    def _given(self, chosen: Sequence[tuple[Site, Epochs]]) -> Sequence[Answered]:
        codes = [site.code for site, _ in chosen]
        if self.job.options.codes is None and codes:
            return self.job.ledger.answered_between(codes[0], codes[-1])
        return self.job.ledger.answered(codes)

    def _never_met(self, epochs: Epochs) -> Wanted:
        """Of a site of which nothing is known: most are new, or have nothing new."""
        if id(epochs) not in self._first:
            asked = remediation(epochs)
            self._first[id(epochs)] = Wanted(epochs, asked, (Why.FIRST,) * len(asked))
        return self._first[id(epochs)]

    def _met(self, site: Site, epochs: Epochs, given: Sequence[Answered], closed: tuple[date, ...]) -> Wanted:
        first = self._never_met(epochs).asked
        keys = self.job.keys(site, first)
        seen = demolition_seen(keys, given)
        watched = () if self.job.choosing.stated else self._watched(epochs, seen, closed)
        keys += self.job.keys(site, watched)
        known = {one.key for one in given}
        if known.issuperset(keys):
            whys: tuple[Why | None, ...] = (None,) * len(keys)
        else:
            terms = self.job.network.digest, self.job.rules_version(site)
            asked = zip(keys, (*first, *watched), strict=True)
            whys = tuple(None if key in known else why(one, given, *terms) for key, one in asked)
        alike = (id(epochs), seen, closed), whys
        if alike not in self._known:
            self._known[alike] = Wanted(epochs, (*first, *watched), whys)
        return self._known[alike]

    def _watched(self, epochs: Epochs, seen: tuple[Outcome | None, ...], closed: tuple[date, ...]) -> tuple[Asked, ...]:
        alike = id(epochs), seen, closed
        if alike not in self._watches:
            self._watches[alike] = watch(epochs, seen, closed)
        return self._watches[alike]

    def _rests(self, site: Site, wanted: Wanted) -> dict[int, str]:
        """Why those of a site's pairs are not tried now that failed before, by their place."""
        keys = self.job.keys(site, wanted.asked)
        rests = {at: self.job.patience.rest_of(key, site.code) for at, key in enumerate(keys) if wanted.is_new[at]}
        return {at: rest.told for at, rest in rests.items() if rest}


def why(asked: Asked, given: Sequence[Answered], bundle_digest: str, rules_version: str) -> Why:
    """What is new about a pair that has no assessment; `given` are all of its site, in order of epoch."""
    questions = set(asked.kind.questions)
    alike = [one for one in given if not questions.isdisjoint(one.outcomes)]
    if not alike:
        return Why.FIRST
    identities = [epoch.identity if epoch else None for epoch in (asked.before, asked.after)]
    alike = [one for one in alike if _identities(one) == identities]
    if not alike:
        return Why.NEW_SCENE
    alike = [one for one in alike if one.bundle_digest == bundle_digest]
    if not alike:
        return Why.NEW_BUNDLE
    if all(one.rules_version != rules_version for one in alike):
        return Why.NEW_RULES
    return Why.CHANGED_SITE


def _identities(one: Answered) -> list[Identity | None]:
    """Both epochs of an assessment as `Epoch.identity` has them."""
    epochs = (one.before, one.before_fill), (one.after, one.after_fill)
    return [tuple(sorted((best, *fill))) if best and fill else best for best, fill in epochs]


__all__ = ["plan_opened", "why"]
