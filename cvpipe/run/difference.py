"""What a run would write, and why: the difference between what the ledger holds and what it would hold.

A verdict needs the network, so the difference names the assessments that would come, not their answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from cvpipe.domain import Assessment, Site
from cvpipe.ledger import AssessmentRecord
from cvpipe.run.epochs import Epochs, Identity, PassedOver
from cvpipe.run.estimate import NOTHING, Load, load_of
from cvpipe.run.order import Job
from cvpipe.run.pairs import grounds_of, watch_of, with_epochs
from cvpipe.run.planning import Answers, answers_of, remediation
from cvpipe.run.sites import PairKind, SitePair
from cvpipe.run.summary import Failure


class Why(StrEnum):
    """Why a pair would be assessed."""

    FIRST = "first assessment"
    NEW_SCENE = "new pair of scenes"
    CHANGED_SITE = "outline or plan changed"
    NEW_BUNDLE = "other bundle"
    NEW_RULES = "other rules"


@dataclass(frozen=True)
class PlannedPair:
    """A unit as `--dry-run` shows it. `why` is None where the ledger holds its assessment already (`known`).

    `reason` says how the earlier epoch was chosen. `newest_usable` and `passed_over` are the site's: its newest epoch
    that can be judged, and what shows it but was not chosen. `rests` says why it would not be tried now: it failed
    before. `load` is what a run would read and think about for it: ground that sites share goes with the first of them.
    """

    site_code: str
    kind: PairKind
    before: date | None
    after: date | None
    reason: str
    known: bool
    why: Why | None = None
    before_scenes: tuple[str, ...] = ()
    after_scenes: tuple[str, ...] = ()
    newest_usable: date | None = None
    passed_over: tuple[PassedOver, ...] = ()
    rests: str | None = None
    load: Load = NOTHING

    @classmethod
    def of(cls, pair: SitePair, epochs: Epochs, why: Why | None, rests: str | None, load: Load) -> PlannedPair:
        """A pair of a site with these epochs; `why` None where its assessment is known."""
        before, after = pair.before, pair.after
        return cls(
            site_code=pair.site.code,
            kind=pair.kind,
            before=before.acquired if before else None,
            after=after.acquired if after else None,
            reason=pair.reason,
            known=why is None,
            why=why,
            before_scenes=before.names if before else (),
            after_scenes=after.names if after else (),
            newest_usable=epochs.newest.acquired if epochs.newest else None,
            passed_over=epochs.passed_over,
            rests=rests,
            load=load,
        )


@dataclass(frozen=True)
class Plan:
    """What a run would do: the pairs that it would assess or knows, and the sites that it could not even plan."""

    pairs: list[PlannedPair]
    failures: list[Failure]

    @property
    def pending(self) -> list[PlannedPair]:
        """The pairs that a run would try."""
        return [pair for pair in self.pairs if not pair.known and pair.rests is None]

    @property
    def load(self) -> Load:
        """What these would have to read and to think about."""
        return sum((pair.load for pair in self.pending), NOTHING)


def plan_opened(job: Job, progress: Callable[[str], None] | None = None, *, loads: bool = True) -> Plan:
    """`cvpipe.run.plan` on what was opened; `progress` is told each site. `loads` False leaves them out."""
    failures, pairs = list[Failure](), list[PlannedPair]()
    for sites in job.some_sites():
        pairs += _planned(job, list(with_epochs(job, sites, failures)), with_loads=loads)
        if progress:
            for site in sites:
                progress(site.code)
    return Plan(pairs, failures)


_Wanted = tuple[SitePair, Epochs, Why | None, str | None]
"""A pair of a site with these epochs; why it is asked for and why it rests, as in `PlannedPair`."""


def _planned(job: Job, chosen: Sequence[tuple[Site, Epochs]], *, with_loads: bool) -> list[PlannedPair]:
    """The pairs of some sites, one site after the other."""
    answers = answers_of(job.ledger, [site.code for site, _ in chosen])
    wanted = [one for site, epochs in chosen for one in _wanted(job, site, epochs, answers.get(site.code, {}))]
    kinds = tuple(PairKind) if with_loads else ()  # a run has them in turn, each with ground of its own
    loads = {number: load for kind in kinds for number, load in _loads(job, wanted, kind).items()}
    return [PlannedPair.of(*one, loads.get(number, NOTHING)) for number, one in enumerate(wanted)]


def _wanted(job: Job, site: Site, epochs: Epochs, answers: Answers) -> Iterator[_Wanted]:
    first = remediation(site, epochs)
    first_keys = [job.key(pair) for pair in first]
    watched = watch_of(job, site, epochs, answers, first_keys)
    pairs, keys = [*first, *watched], [*first_keys, *(job.key(pair) for pair in watched)]
    # Outlines and changes are read only where they are asked for: most sites are new, or have nothing new.
    records = job.ledger.assessments(site.code) if answers and not answers.keys() >= set(keys) else []
    for pair, key in zip(pairs, keys, strict=True):
        if key in answers:
            yield pair, epochs, None, None
            continue
        new = why(pair, records, job.network.digest, job.rules_version(site)) if records else Why.FIRST
        rest = job.patience.rest_of(key, site.code)
        yield pair, epochs, new, rest.told if rest else None


def _loads(job: Job, wanted: Sequence[_Wanted], kind: PairKind) -> dict[int, Load]:
    """What a run would read and think about, by the number of the pair for which it does so first.

    Sites that lie close together share their ground: those that are tried have it counted once, as a run looks at it.
    """
    numbers = [number for number, (pair, *_) in enumerate(wanted) if pair.kind is kind]
    pairs = [wanted[number][0] for number in numbers]
    tried = {i for i, number in enumerate(numbers) if wanted[number][2] is not None and wanted[number][3] is None}
    loads = {numbers[i]: Load(1) for i in tried if pairs[i].before is None or pairs[i].after is None}
    for ground in grounds_of(job, pairs, tried) if tried else ():
        first = next((i for i in ground.members if i in tried), None)
        if first is not None:
            loads[numbers[first]] = load_of(ground, pairs[first], job.network.gsd_m, job.settings.margin_m)
    return loads


def why(pair: SitePair, records: Sequence[AssessmentRecord], bundle_digest: str, rules_version: str) -> Why:
    """What is new about a pair that has no assessment; `records` are all of its site, in order of epoch."""
    asked = [r.assessment for r in records if {v.question for v in r.assessment.verdicts} & set(pair.kind.questions)]
    if not asked:
        return Why.FIRST
    hashes = [epoch.identity if epoch else None for epoch in (pair.before, pair.after)]
    alike = [assessment for assessment in asked if _identities(assessment) == hashes]
    if not alike:
        return Why.NEW_SCENE
    same_bundle = [assessment for assessment in alike if assessment.bundle_digest == bundle_digest]
    if not same_bundle:
        return Why.NEW_BUNDLE
    if all(assessment.rules_version != rules_version for assessment in same_bundle):
        return Why.NEW_RULES
    return Why.CHANGED_SITE


def _identities(assessment: Assessment) -> list[Identity | None]:
    """Both epochs of an assessment as `Epoch.identity` has them."""
    first = (assessment.before, assessment.before_fill), (assessment.after, assessment.after_fill)
    return [tuple(sorted((best, *fill))) if best and fill else best for best, fill in first]
