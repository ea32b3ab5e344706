"""What a run would write, and why: the difference between what the ledger holds and what it would hold.

A verdict needs the network, so the difference names the assessments that would come, not their answers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from cvpipe.run.planning import Asked, Demolition, by_site, demolition_seen, remediation, watch
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


@dataclass(frozen=True, eq=False)
class _Same:
    """What is asked of sites that are alike, and how its keys end by the version of their rules."""

    asked: tuple[Asked, ...]
    _rests: dict[str, tuple[bytes, ...]] = field(default_factory=dict)

    def rests(self, job: Job, version: str) -> tuple[bytes, ...]:
        """How the keys end, under some rules."""
        if version not in self._rests:
            self._rests[version] = job.rests(self.asked, version)
        return self._rests[version]


_Watched = tuple[int, tuple[Outcome | None, ...], tuple[date, ...]]
"""Epochs by their id, what was seen of demolition, and the days of closing: all that a watch hangs on."""


@dataclass
class _Met:
    """A site of which something is known: what is asked of it, by which key, and of what there is no assessment yet."""

    site: Site
    epochs: Epochs
    alike: _Watched
    asked: tuple[Asked, ...]
    keys: tuple[str, ...]
    is_new: tuple[bool, ...]


@dataclass(frozen=True)
class _Asking:
    """What is wanted of sites; those of which the same is wanted share it."""

    job: Job
    _first: dict[int, tuple[_Same, Wanted]] = field(default_factory=dict)
    _watches: dict[_Watched, _Same] = field(default_factory=dict)
    _known: dict[tuple[_Watched, tuple[Why | None, ...]], Wanted] = field(default_factory=dict)

    def of(self, chosen: Sequence[tuple[Site, Epochs]]) -> Table:
        """What is wanted of some sites, without loads."""
        codes = [site.code for site, _ in chosen]
        given, resting = by_site(self._given(codes)), self.job.patience.set_aside_sites()
        closed = [self.job.closings.of(site) for site, _ in chosen]
        is_met = [code in given or code in resting or bool(days) for code, days in zip(codes, closed, strict=True)]
        self.job.expect_keys([site for (site, _), one in zip(chosen, is_met, strict=True) if one])
        met = {
            site.code: self._met(site, epochs, given.get(site.code, {}), days)
            for (site, epochs), days, one in zip(chosen, closed, is_met, strict=True)
            if one
        }
        answered = self._answered([code for code, one in met.items() if code in given and any(one.is_new)])
        wanted, rests, number = list[Wanted](), dict[int, str](), 0
        for site, epochs in chosen:
            if site.code in met:
                one = self._wanted(met[site.code], answered.get(site.code, ()))
                if site.code in resting:
                    rests |= {number + at: told for at, told in self._rests(met[site.code]).items()}
            else:
                one = self._at_first(epochs)[1]
            wanted.append(one)
            number += len(one.asked)
        return Table(codes, wanted, rests, Loads.nothing(number))

    def _given(self, codes: Sequence[str]) -> Sequence[tuple[str, str, Outcome | None]]:
        if self.job.options.codes is None and codes:
            return self.job.ledger.demolition_between(codes[0], codes[-1])
        return self.job.ledger.demolition_of(codes)

    def _answered(self, codes: Sequence[str]) -> Mapping[str, Sequence[Answered]]:
        """What the assessments of some sites rest on, by site."""
        found = defaultdict[str, list[Answered]](list)
        for one in self.job.ledger.answered(codes):
            found[one.site_code].append(one)
        return found

    def _at_first(self, epochs: Epochs) -> tuple[_Same, Wanted]:
        """What is asked of all sites with these epochs, and what is wanted of those of which nothing is known."""
        if id(epochs) not in self._first:
            asked = remediation(epochs)
            self._first[id(epochs)] = _Same(asked), Wanted(epochs, asked, (Why.FIRST,) * len(asked))
        return self._first[id(epochs)]

    def _met(self, site: Site, epochs: Epochs, given: Demolition, closed: tuple[date, ...]) -> _Met:
        first, version = self._at_first(epochs)[0], self.job.rules_version(site)
        keys = self.job.keys(site, first.rests(self.job, version))
        alike = id(epochs), demolition_seen(keys, given), closed
        watched = self._watched(epochs, alike)
        keys += self.job.keys(site, watched.rests(self.job, version))
        return _Met(site, epochs, alike, first.asked + watched.asked, keys, tuple([key not in given for key in keys]))

    def _watched(self, epochs: Epochs, alike: _Watched) -> _Same:
        if alike not in self._watches:
            self._watches[alike] = _Same(() if self.job.choosing.stated else watch(epochs, *alike[1:]))
        return self._watches[alike]

    def _wanted(self, met: _Met, given: Sequence[Answered]) -> Wanted:
        whys = (None,) * len(met.asked) if not any(met.is_new) else tuple(self._whys(met, given))
        if (met.alike, whys) not in self._known:
            self._known[met.alike, whys] = Wanted(met.epochs, met.asked, whys)
        return self._known[met.alike, whys]

    def _whys(self, met: _Met, given: Sequence[Answered]) -> Iterator[Why | None]:
        terms = self.job.network.digest, self.job.rules_version(met.site)
        for asked, is_new in zip(met.asked, met.is_new, strict=True):
            yield why(asked, given, *terms) if is_new else None

    def _rests(self, met: _Met) -> dict[int, str]:
        """Why those of a site's pairs are not tried now that failed before, by their place."""
        new = (at for at, is_new in enumerate(met.is_new) if is_new)
        rests = ((at, self.job.patience.rest_of(met.keys[at], met.site.code)) for at in new)
        return {at: rest.told for at, rest in rests if rest}


def why(asked: Asked, given: Sequence[Answered], bundle_digest: str, rules_version: str) -> Why:
    """What is new about a pair that has no assessment; `given` are all of its site."""
    alike = [one for one in given if not one.questions.isdisjoint(asked.kind.questions)]
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
