"""One run, top to bottom: what is pending → read and align ahead → network → verdicts → ledger.

Running again writes nothing new: units whose key the ledger knows are not even read. A unit that fails costs itself
only: it is tried again within the run, then set aside and listed, and later runs try it after ever longer pauses
(`cvpipe.run.patience`). A ledger that cannot be written any more ends the run; what it holds by then stays.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager

from cvpipe.assess.rules import read_rules
from cvpipe.assess.settling import settle_sites
from cvpipe.domain import Site
from cvpipe.errors import ClusterLostError, LedgerUnavailableError
from cvpipe.imagery.opening import gdal_environment
from cvpipe.ledger import Workspace
from cvpipe.network.bundle import load_bundle
from cvpipe.run.difference import plan_opened
from cvpipe.run.engines import Engine, LocalEngine, Terms, on_cluster
from cvpipe.run.epoch_rules import read_epoch_rules
from cvpipe.run.journal import Journal
from cvpipe.run.looking import LOOKS_NAME, Looking
from cvpipe.run.looks import Looks
from cvpipe.run.order import SITES_AT_ONCE, Job, RunOptions
from cvpipe.run.pairs import rounds
from cvpipe.run.parts import lease_of, own_folder
from cvpipe.run.patience import RETRY_AFTER_S, SET_ASIDE_NAME, Patience
from cvpipe.run.planned import PlannedPair
from cvpipe.run.planning import Choosing, Closings
from cvpipe.run.recording import Progress, Recorder, Trouble, begin
from cvpipe.run.remembering import remember
from cvpipe.run.sites import SitePair
from cvpipe.run.stated import stated_epochs
from cvpipe.run.summary import Failure, RunSummary
from cvpipe.run.sweep import sweep


def run(workspace: Workspace, options: RunOptions | None = None, progress: Progress | None = None) -> RunSummary:
    """Assess what is pending and write it into the ledger. Failures are in the summary, not raised.

    Raises CvpipeError where the job cannot start: no workspace, wrong settings, no bundle, an unknown site or scene;
    LeaseError where another run is going on.
    """
    part = options.part if options else None
    with lease_of(workspace, part), opened(workspace, options) as job:
        return run_opened(job, progress)


def plan(workspace: Workspace, options: RunOptions | None = None) -> list[PlannedPair]:
    """Which pairs a run would assess, why those epochs, and what is new about them; nothing enters the ledger.

    Watch pairs that hang on the outcome of a pair not yet assessed are not listed, nor are sites that fail before
    anything is compared (`plan_opened` tells of them).
    """
    with opened(workspace, options) as job:
        return list(plan_opened(job).pairs)


@contextmanager
def opened(workspace: Workspace, options: RunOptions | None = None) -> Iterator[Job]:
    """All that a run needs, loaded once for planning and running. Raises CvpipeError as `run` does.

    Whoever calls `run_opened` holds the lease of the workspace's runs around it.
    """
    options = options or RunOptions()
    with ExitStack() as stack:
        stack.enter_context(gdal_environment())
        settings = workspace.settings()
        device, runtime = options.device or settings.device, options.runtime or settings.runtime
        network = load_bundle(settings.model, device if options.ray is None else "cpu", runtime)
        remember(network, workspace.cache, settings.cache_gb)
        ledger = stack.enter_context(workspace.ledger())
        rules = read_rules(settings.rules, ledger.batches())
        epoch_rules = read_epoch_rules(settings.epochs, rules.season)
        sites, scenes = ledger.sites(options.codes), ledger.scenes()
        sites = sites if options.part is None else options.part.of(sites)
        notes = own_folder(workspace, options.part)
        stated = stated_epochs(options.before, options.after, scenes)
        looks = Looking.opened(Looks(notes / LOOKS_NAME), network.gsd_m, settings.margin_m, stack)
        terms = Terms(network.gsd_m, settings.margin_m, settings.light, rules)
        engine: Engine = (local := LocalEngine(network, terms, workspace.runs))
        if options.ray is not None:
            engine = stack.enter_context(on_cluster(local, options.ray, settings.model, device, runtime, scenes))
        yield Job(
            runs=workspace.runs,
            engine=engine,
            options=options,
            ledger=ledger,
            settings=settings,
            rules=rules,
            network=network,
            sites=sites,
            choosing=Choosing(scenes, epoch_rules, looks, stated),
            closings=Closings(ledger),
            patience=Patience(Journal(notes / SET_ASIDE_NAME), options.retry, options.codes or ()),
        )


def run_opened(job: Job, progress: Progress | None = None) -> RunSummary:
    """`run` on what was opened."""
    started, summary = time.monotonic(), RunSummary(sites=len(job.sites))
    try:
        for sites in job.sites_at_once(SITES_AT_ONCE):
            for pairs in rounds(job, sites, summary):
                _work_through(job, pairs, summary, progress)
            _settle(job, sites, summary)
        if job.options.sweep:
            _sweep(job, summary, progress)
        summary.seconds = time.monotonic() - started
        if summary.run_id is not None:
            job.ledger.finish_run(summary.run_id, summary.counts())
    except (LedgerUnavailableError, ClusterLostError) as error:
        summary.stopped, summary.seconds = str(error), time.monotonic() - started
    return summary


def _sweep(job: Job, summary: RunSummary, progress: Progress | None) -> None:
    """Look for changes outside the sites; a run that finds some begins in the ledger with them."""
    swept = sweep(job, progress)
    if swept.added and summary.run_id is None:
        summary.run_id = begin(job)
    summary.candidates, summary.seen_again = swept.added, swept.seen_again
    summary.megapixels += swept.compared_mpx
    summary.failures += swept.failed


def _settle(job: Job, sites: Sequence[Site], summary: RunSummary) -> None:
    """Tell anew where those sites stand on which something was entered since that was last told."""
    unreadable = {failure.site_code for failure in summary.failures if failure.epoch is None}
    failed = settle_sites(job.ledger, job.rules, [site.code for site in sites if site.code not in unreadable])
    summary.failures += [Failure(code, None, why) for code, why in failed.items()]


def _work_through(job: Job, pairs: Sequence[SitePair], summary: RunSummary, progress: Progress | None) -> None:
    """Assess and record pairs; those that fail are tried again after a pause, where that may help."""
    troubles = _attempt(job, pairs, summary, progress)
    for pause in RETRY_AFTER_S:
        again = [trouble.pair.alone() for trouble in troubles if trouble.may_help]
        if not again:
            break
        time.sleep(pause)
        summary.tried_again += len(again)
        troubles = [t for t in troubles if not t.may_help] + _attempt(job, again, summary, progress)
    for trouble in troubles:
        _set_aside(job, trouble, summary)
        if progress:
            progress(trouble.pair.told)


def _attempt(job: Job, pairs: Sequence[SitePair], summary: RunSummary, progress: Progress | None) -> list[Trouble]:
    """Let the engine assess pairs, and record what it says; returns those that failed."""
    recorder = Recorder(job, summary, progress)
    with closing(job.engine.answers(pairs)) as answers:
        try:
            for pair, answer in answers:
                recorder.take(pair, answer)
        finally:  # what was answered before a cluster was lost, or a person stopped the run, is kept
            recorder.write()
    return recorder.troubles


def _set_aside(job: Job, trouble: Trouble, summary: RunSummary) -> None:
    pair = trouble.pair
    job.patience.set_aside(job.key(pair), pair.site.code, pair.epoch, trouble.reason)
    summary.failures.append(Failure(pair.site.code, pair.epoch, trouble.reason))
