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
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any, Literal

import cvpipe
from cvpipe.assess import Rules, default_rules
from cvpipe.detect import Network
from cvpipe.detect.alignment import registration
from cvpipe.domain import Assessment, Outcome, Question, Reason, Registration, Scene, Site, Verdict
from cvpipe.errors import CvpipeError
from cvpipe.geo import Grid
from cvpipe.imagery import SceneReader, common_grid, seen_from
from cvpipe.imagery.opening import gdal_environment
from cvpipe.ledger import Ledger, Workspace
from cvpipe.network.bundle import load_bundle
from cvpipe.run.difference import PlannedPair, why
from cvpipe.run.epochs import Epochs, choose_epochs
from cvpipe.run.sites import Looked, PairKind, Readers, SceneRegistration, SitePair, assess, look, rules_of
from cvpipe.settings import WorkspaceSettings, read_settings

LOG = logging.getLogger(__name__)

#: Units that are read and aligned while the network works on the one before; bounds memory.
READ_AHEAD = 3

Progress = Callable[[str], None]


@dataclass(frozen=True)
class RunOptions:
    """What one run is asked: `codes` None for all sites, `device` None for the workspace's own."""

    codes: Collection[str] | None = None
    device: Literal["auto", "cpu", "cuda"] | None = None


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
class _Job:
    """What stays the same throughout a run."""

    ledger: Ledger
    settings: WorkspaceSettings
    rules: Rules
    network: Network


def run(workspace: Workspace, options: RunOptions | None = None, progress: Progress | None = None) -> RunSummary:
    """Assess what is pending and write it into the ledger. Failures are in the summary, not raised.

    Raises CvpipeError where the job cannot start: no workspace, wrong settings, no bundle, an unknown site.
    """
    options, started = options or RunOptions(), time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(gdal_environment())
        job = _opened(workspace, options, stack)
        sites, scenes = job.ledger.sites(options.codes), job.ledger.scenes()
        summary = RunSummary(sites=len(sites))
        for pairs in _rounds(job, list(_with_rules(job, sites, summary)), scenes, summary):
            _work_through(job, pairs, summary, progress)
        summary.seconds = time.monotonic() - started
        if summary.run_id is not None:
            job.ledger.finish_run(summary.run_id, summary.counts())
    return summary


def plan(workspace: Workspace, options: RunOptions | None = None) -> list[PlannedPair]:
    """Which pairs a run would assess, why those epochs, and what is new about them; nothing is read or written.

    Watch pairs that hang on the outcome of a pair not yet assessed are not listed, nor are sites whose own rules
    cannot be read: the run lists these as failures.
    """
    options = options or RunOptions()
    with ExitStack() as stack:
        job = _opened(workspace, options, stack)
        scenes = job.ledger.scenes()
        sites = _with_rules(job, job.ledger.sites(options.codes), RunSummary())
        return [pair for site in sites for pair in _planned(job, site, scenes)]


def _planned(job: _Job, site: Site, scenes: Sequence[Scene]) -> Iterator[PlannedPair]:
    epochs, records = choose_epochs(site, scenes), job.ledger.assessments(site.code)
    answers = {r.assessment.key: r.assessment.verdicts for r in records}
    for pair in (*_remediation(site, epochs), *_watch(job, site, epochs, answers)):
        before, after = (s.acquired if s else None for s in (pair.before, pair.after))
        known = _key(job, pair) in answers
        new = None if known else why(pair, records, job.network.digest, rules_of(site, job.rules).version)
        yield PlannedPair(site.code, pair.kind, before, after, epochs.reason, known, new)


def _with_rules(job: _Job, sites: Sequence[Site], summary: RunSummary) -> Iterator[Site]:
    """The sites whose own rules can be read; the others are failures."""
    for site in sites:
        try:
            rules_of(site, job.rules)
        except CvpipeError as error:
            summary.failures.append(Failure(site.code, None, str(error)))
        else:
            yield site


def _opened(workspace: Workspace, options: RunOptions, stack: ExitStack) -> _Job:
    settings = workspace.settings()
    rules = read_settings(settings.rules, Rules) if settings.rules else default_rules()
    network = load_bundle(settings.model, options.device or settings.device)
    return _Job(stack.enter_context(workspace.ledger()), settings, rules, network)


def _rounds(job: _Job, sites: Sequence[Site], scenes: Sequence[Scene], summary: RunSummary) -> Iterator[list[SitePair]]:
    """First all remediation pairs, then the watch pairs that follow from what they said."""
    chosen = {site.code: choose_epochs(site, scenes) for site in sites}
    yield _unknown(job, [p for s in sites for p in _remediation(s, chosen[s.code])], summary)
    yield _unknown(job, [p for s in sites for p in _watch(job, s, chosen[s.code], _answers(job.ledger, s))], summary)


def _unknown(job: _Job, pairs: list[SitePair], summary: RunSummary) -> list[SitePair]:
    keys = {_key(job, pair): pair for pair in pairs}
    known = job.ledger.known_keys(list(keys))
    summary.known += len(known)
    return [pair for key, pair in keys.items() if key not in known]


def _remediation(site: Site, epochs: Epochs) -> list[SitePair]:
    """The baseline against each later epoch; one pair without scenes where there are none."""
    if not epochs.later:
        return [SitePair(site, PairKind.REMEDIATION, None, None)]
    return [SitePair(site, PairKind.REMEDIATION, epochs.baseline, later) for later in epochs.later]


def _watch(job: _Job, site: Site, epochs: Epochs, answers: dict[str, tuple[Verdict, ...]]) -> list[SitePair]:
    """The first epoch at which demolition was seen complete, against each one after it."""
    for i, pair in enumerate(_remediation(site, epochs)):
        verdicts = answers.get(_key(job, pair), ())
        if any(v.question is Question.DEMOLITION and v.outcome is Outcome.COMPLETE for v in verdicts):
            return [SitePair(site, PairKind.WATCH, pair.after, later) for later in epochs.later[i + 1 :]]
    return []


def _answers(ledger: Ledger, site: Site) -> dict[str, tuple[Verdict, ...]]:
    return {r.assessment.key: r.assessment.verdicts for r in ledger.assessments(site.code)}


def _key(job: _Job, pair: SitePair) -> str:
    return pair.key(job.network.digest, rules_of(pair.site, job.rules).version)


def _work_through(job: _Job, pairs: list[SitePair], summary: RunSummary, progress: Progress | None) -> None:
    """Assess and record pairs in turn, the next ones being read meanwhile."""
    for pair, looked in _read_ahead(job, pairs):
        epoch = pair.after.acquired if pair.after else None
        try:
            seen = looked.result()
            assessment = assess(pair, seen, job.network, rules_of(pair.site, job.rules))
            _record(job, pair.site, assessment, summary)
            summary.megapixels += seen.before.valid.size / 1e6 if seen else 0.0
        except CvpipeError as error:
            summary.failures.append(Failure(pair.site.code, epoch, str(error)))
        except Exception as error:  # whatever a pair dies of costs that pair only; the others are written
            LOG.exception("%s %s", pair.site.code, epoch)
            summary.failures.append(Failure(pair.site.code, epoch, f"{type(error).__name__}: {error}"))
        if progress:
            progress(f"{pair.site.code} {epoch or ''}".strip())


def _read_ahead(job: _Job, pairs: list[SitePair]) -> Iterator[tuple[SitePair, Future[Looked | None]]]:
    """Pairs with what was read for them, in order; one thread reads, so that each scene is opened once."""
    with ThreadPoolExecutor(1) as pool, ExitStack() as stack:
        readers = _scene_readers(stack)
        shift_of = _scene_registration(readers, job.network.gsd_m)
        options: dict[str, Any] = {"gsd_m": job.network.gsd_m, "margin_m": job.settings.margin_m}

        def read(pair: SitePair) -> Looked | None:
            if pair.before is None or pair.after is None:
                return None
            return look(pair, readers, shift_of, **options)

        waiting: list[tuple[SitePair, Future[Looked | None]]] = []
        for pair in pairs:
            waiting.append((pair, pool.submit(read, pair)))
            if len(waiting) > READ_AHEAD:
                yield waiting.pop(0)
        yield from waiting
        pool.submit(stack.close).result()  # a dataset is closed by the thread that opened it


def _scene_readers(stack: ExitStack) -> Readers:
    opened: dict[str, SceneReader] = {}

    def reader(scene: Scene) -> SceneReader:
        if scene.content_hash not in opened:
            opened[scene.content_hash] = stack.enter_context(SceneReader(scene.uri))
        return opened[scene.content_hash]

    return reader


def _scene_registration(readers: Readers, gsd_m: float) -> SceneRegistration:
    """How two whole scenes lie on each other, worked out once for each pair of them."""

    @cache
    def between(before: Scene, after: Scene) -> tuple[Registration, Grid]:
        one, other = readers(before), readers(after)
        grid = common_grid(one, other, gsd_m)
        return registration(one, other, grid), grid

    return lambda before, after, grid: seen_from(grid, *between(before, after))


def _record(job: _Job, site: Site, assessment: Assessment, summary: RunSummary) -> None:
    if summary.run_id is None:
        summary.run_id = _begin(job)
    if not job.ledger.record(summary.run_id, assessment, site_version=site.version):
        summary.known += 1  # another process was faster
        return
    summary.assessed += 1
    summary.changes += len(assessment.changes)
    summary.outcomes.update((v.question, v.outcome) for v in assessment.verdicts)
    reasons = {v.reason for v in assessment.verdicts if v.reason is not None}
    summary.not_assessable.update(reasons)


def _begin(job: _Job) -> int:
    """A run begins in the ledger with the first thing it has to say."""
    return job.ledger.begin_run(
        settings={**job.settings.model_dump(mode="json"), "gsd_m": job.network.gsd_m},
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
