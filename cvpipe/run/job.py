"""One run, top to bottom: what is pending → read and align ahead → network → verdicts → ledger.

Running again writes nothing new: units whose key the ledger knows are not even read. A unit that fails costs itself
only; it is listed, and the next run tries it again.
"""

from __future__ import annotations

import logging
import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

import cvpipe
from cvpipe.assess import Rules
from cvpipe.assess.rules import read_rules, rules_of
from cvpipe.assess.settling import settle_sites
from cvpipe.assess.watching import closings
from cvpipe.detect import Network
from cvpipe.domain import Assessment, Outcome, Question, Reason, Site
from cvpipe.errors import CvpipeError
from cvpipe.imagery.opening import gdal_environment
from cvpipe.imagery.remote import shown
from cvpipe.ledger import Ledger, Workspace
from cvpipe.network.bundle import load_bundle
from cvpipe.run.difference import PlannedPair, why
from cvpipe.run.epoch_rules import EpochRules
from cvpipe.run.epochs import Epochs
from cvpipe.run.journal import Journal
from cvpipe.run.looking import LOOKS_NAME, Looking
from cvpipe.run.planning import Answers, Choosing, remediation, watch
from cvpipe.run.reading import read_ahead
from cvpipe.run.sites import SitePair, assess
from cvpipe.run.stated import stated_epochs
from cvpipe.settings import WorkspaceSettings, read_settings

LOG = logging.getLogger(__name__)

Progress = Callable[[str], None]


@dataclass(frozen=True)
class RunOptions:
    """What one run is asked: `codes` None for all sites, `device` None for the workspace's own.

    `before` and `after` state an epoch (a day, or a scene by its path, name, id or hash) that the rules would choose
    otherwise; the watch for rebound is then left out, as it hangs on the epochs of the rules.
    """

    codes: Collection[str] | None = None
    device: Literal["auto", "cpu", "cuda"] | None = None
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True)
class Failure:
    """A unit that could not be assessed, and why."""

    site_code: str
    epoch: date | None
    reason: str


@dataclass
class RunSummary:
    """What a run did. `run_id` is None where nothing was pending; `outcomes` counts new verdicts."""

    run_id: int | None = None
    sites: int = 0
    assessed: int = 0
    known: int = 0
    not_assessable: Counter[Reason] = field(default_factory=Counter)
    outcomes: Counter[tuple[Question, Outcome]] = field(default_factory=Counter)
    changes: int = 0
    failures: list[Failure] = field(default_factory=list)
    megapixels: float = 0.0
    seconds: float = 0.0
    rules: set[str] = field(default_factory=set)

    def counts(self) -> dict[str, int]:
        """The figures that the ledger keeps of the run."""
        return {
            "sites": self.sites,
            "assessed": self.assessed,
            "known": self.known,
            "not_assessable": sum(self.not_assessable.values()),
            "changes": self.changes,
            "failed": len(self.failures),
        }


@dataclass(frozen=True)
class Plan:
    """What a run would do: the pairs that it would assess or knows, and the sites that it could not even plan."""

    pairs: list[PlannedPair]
    failures: list[Failure]


@dataclass(frozen=True)
class Job:
    """What stays the same throughout a run; made by `opened`."""

    ledger: Ledger
    settings: WorkspaceSettings
    rules: Rules
    network: Network
    sites: Sequence[Site]
    choosing: Choosing

    def key(self, pair: SitePair) -> str:
        """The idempotency key of a pair in this run."""
        return pair.key(self.network.digest, rules_of(pair.site, self.rules).version)


def run(workspace: Workspace, options: RunOptions | None = None, progress: Progress | None = None) -> RunSummary:
    """Assess what is pending and write it into the ledger. Failures are in the summary, not raised.

    Raises CvpipeError where the job cannot start: no workspace, wrong settings, no bundle, an unknown site or scene.
    """
    with opened(workspace, options) as job:
        return run_opened(job, progress)


def plan(workspace: Workspace, options: RunOptions | None = None) -> list[PlannedPair]:
    """Which pairs a run would assess, why those epochs, and what is new about them; nothing enters the ledger.

    Watch pairs that hang on the outcome of a pair not yet assessed are not listed, nor are sites that fail before
    anything is compared (`plan_opened` tells of them).
    """
    with opened(workspace, options) as job:
        return plan_opened(job).pairs


@contextmanager
def opened(workspace: Workspace, options: RunOptions | None = None) -> Iterator[Job]:
    """All that a run needs, loaded once for planning and running. Raises CvpipeError as `run` does."""
    options = options or RunOptions()
    with ExitStack() as stack:
        stack.enter_context(gdal_environment())
        settings = workspace.settings()
        epoch_rules = read_settings(settings.epochs, EpochRules) if settings.epochs else EpochRules()
        network = load_bundle(settings.model, options.device or settings.device)
        ledger = stack.enter_context(workspace.ledger())
        rules = read_rules(settings.rules, ledger.batches())
        sites, scenes = ledger.sites(options.codes), ledger.scenes()
        stated = stated_epochs(options.before, options.after, scenes)
        looks = Looking.opened(Journal(workspace.runs / LOOKS_NAME), network.gsd_m, settings.margin_m, stack)
        yield Job(ledger, settings, rules, network, sites, Choosing(scenes, epoch_rules, looks, stated))


def run_opened(job: Job, progress: Progress | None = None) -> RunSummary:
    """`run` on what was opened."""
    started, summary = time.monotonic(), RunSummary(sites=len(job.sites))
    for pairs in _rounds(job, summary):
        _work_through(job, pairs, summary, progress)
    _settle(job, summary)
    summary.seconds = time.monotonic() - started
    if summary.run_id is not None:
        job.ledger.finish_run(summary.run_id, summary.counts())
    return summary


def plan_opened(job: Job, progress: Progress | None = None) -> Plan:
    """`plan` on what was opened; `progress` is told each site."""
    failures, pairs = list[Failure](), list[PlannedPair]()
    for site, epochs in _with_epochs(job, failures):
        pairs.extend(_planned(job, site, epochs))
        if progress:
            progress(site.code)
    return Plan(pairs, failures)


def _planned(job: Job, site: Site, epochs: Epochs) -> Iterator[PlannedPair]:
    records = job.ledger.assessments(site.code)
    answers = {r.assessment.key: r.assessment.verdicts for r in records}
    for pair in (*remediation(site, epochs), *_watch(job, site, epochs, answers)):
        is_known = job.key(pair) in answers
        new = None if is_known else why(pair, records, job.network.digest, rules_of(site, job.rules).version)
        yield PlannedPair.of(pair, epochs, new)


def _with_epochs(job: Job, failures: list[Failure]) -> Iterator[tuple[Site, Epochs]]:
    """The sites whose rules can be read and whose epochs can be chosen; the others are failures."""
    for site in job.sites:
        try:
            rules_of(site, job.rules)
            epochs = job.choosing.of(site)
        except CvpipeError as error:
            failures.append(Failure(site.code, None, str(error)))
        except Exception as error:  # a geometry, say, that no library can cut: it costs its site only
            LOG.debug("%s", site.code, exc_info=True)
            failures.append(Failure(site.code, None, f"{type(error).__name__}: {error}"))
        else:
            yield site, epochs


def _rounds(job: Job, summary: RunSummary) -> Iterator[list[SitePair]]:
    """First all remediation pairs, then the watch pairs that follow from what they said."""
    sites = list(_with_epochs(job, summary.failures))
    yield _unknown(job, [pair for site, epochs in sites for pair in remediation(site, epochs)], summary)
    yield _unknown(job, [p for s, epochs in sites for p in _watch(job, s, epochs, _answers(job.ledger, s))], summary)


def _settle(job: Job, summary: RunSummary) -> None:
    """Tell anew where those sites stand on which something was entered since that was last told."""
    unreadable = {failure.site_code for failure in summary.failures if failure.epoch is None}
    failed = settle_sites(job.ledger, job.rules, [site.code for site in job.sites if site.code not in unreadable])
    summary.failures += [Failure(code, None, why) for code, why in failed.items()]


def _unknown(job: Job, pairs: list[SitePair], summary: RunSummary) -> list[SitePair]:
    keys = {job.key(pair): pair for pair in pairs}
    known = job.ledger.known_keys(list(keys))
    summary.known += len(known)
    return [pair for key, pair in keys.items() if key not in known]


def _watch(job: Job, site: Site, epochs: Epochs, answers: Answers) -> list[SitePair]:
    if job.choosing.stated:
        return []
    keys = [job.key(pair) for pair in remediation(site, epochs)]
    since = job.ledger.versions(site.code)[0].valid_from.date()
    return watch(site, epochs, keys, answers, closings(site.status, since, job.ledger.moves(site.code)))


def _answers(ledger: Ledger, site: Site) -> Answers:
    return {r.assessment.key: r.assessment.verdicts for r in ledger.assessments(site.code)}


def _work_through(job: Job, pairs: list[SitePair], summary: RunSummary, progress: Progress | None) -> None:
    """Assess and record pairs in turn, the next ones being read meanwhile."""
    for pair, looked in read_ahead(pairs, gsd_m=job.network.gsd_m, margin_m=job.settings.margin_m):
        epoch = pair.after.acquired if pair.after else None
        try:
            seen = looked.result()
            rules = rules_of(pair.site, job.rules)
            _record(job, pair.site, assess(pair, seen, job.network, rules), rules, summary)
            summary.megapixels += seen.before.valid.size / 1e6 if seen else 0.0
        except CvpipeError as error:
            summary.failures.append(Failure(pair.site.code, epoch, str(error)))
        except Exception as error:  # whatever a pair dies of costs that pair only; the others are written
            LOG.debug("%s %s", pair.site.code, epoch, exc_info=True)
            summary.failures.append(Failure(pair.site.code, epoch, f"{type(error).__name__}: {error}"))
        if progress:
            progress(f"{pair.site.code} {epoch or ''}".strip())


def _record(job: Job, site: Site, assessment: Assessment, rules: Rules, summary: RunSummary) -> None:
    if summary.run_id is None:
        summary.run_id = _begin(job)
    if rules.version not in summary.rules:
        job.ledger.note_rules(summary.run_id, rules.version, rules.model_dump(mode="json", exclude={"campaigns"}))
        summary.rules.add(rules.version)
    if not job.ledger.record(summary.run_id, assessment, site_version=site.version):
        summary.known += 1  # another process was faster
        return
    summary.assessed += 1
    summary.changes += len(assessment.changes)
    summary.outcomes.update((v.question, v.outcome) for v in assessment.verdicts)
    reasons = {v.reason for v in assessment.verdicts if v.reason is not None}
    summary.not_assessable.update(reasons)


def _begin(job: Job) -> int:
    """A run begins in the ledger with the first thing it has to say."""
    return job.ledger.begin_run(
        settings=_settings_of(job),
        code_version=cvpipe.__version__,
        bundle=job.network.name,
        bundle_digest=job.network.digest,
        rules_version=job.rules.version,
        machine={
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "device": str(getattr(job.network, "device", "")),
        },
    )


def _settings_of(job: Job) -> dict[str, Any]:
    """What the ledger keeps of a run's settings: the workspace's, the rules for epochs, and what was stated."""
    stated = job.choosing.stated
    return {
        **job.settings.model_dump(mode="json"),
        "gsd_m": job.network.gsd_m,
        "epoch_rules": job.choosing.rules.model_dump(mode="json"),
        "stated": {name: shown(one.text) for name, one in vars(stated).items() if one is not None},
    }
