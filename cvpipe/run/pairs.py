"""The pairs of a run's sites, some sites at a time: their epochs, what is known of them, what rests."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from cvpipe.assess.rules import rules_of
from cvpipe.domain import Site
from cvpipe.errors import CvpipeError
from cvpipe.run.epochs import Epochs
from cvpipe.run.order import Job
from cvpipe.run.planning import Asked, Demolition, by_site, demolition_seen, remediation, watch
from cvpipe.run.sharing import shared
from cvpipe.run.sites import SitePair
from cvpipe.run.summary import Failure, RunSummary

LOG = logging.getLogger(__name__)


def with_epochs(job: Job, sites: Sequence[Site], failures: list[Failure]) -> Iterator[tuple[Site, Epochs]]:
    """The sites whose rules can be read and whose epochs can be chosen; the others are failures."""
    for site in sites:
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


def rounds(job: Job, sites: Sequence[Site], summary: RunSummary) -> Iterator[list[SitePair]]:
    """First the remediation pairs of these sites, then the watch pairs that follow from what they said."""
    job.choosing.expect(sites)
    chosen = list(with_epochs(job, sites, summary.failures))
    job.expect_keys([site for site, _ in chosen])
    yield _pending(job, [asked.of(site) for site, epochs in chosen for asked in remediation(epochs)], summary)
    given = by_site(job.ledger.demolition_of([site.code for site, _ in chosen]))
    watched = [asked.of(s) for s, epochs in chosen for asked in _watch_of(job, s, epochs, given.get(s.code, {}))]
    yield _pending(job, watched, summary)


def _watch_of(job: Job, site: Site, epochs: Epochs, given: Demolition) -> tuple[Asked, ...]:
    """What a site is watched by; nothing where a person stated the epochs."""
    closed = job.closings.of(site)
    if job.choosing.stated or not (given or closed):
        return ()
    keys = job.keys(site, job.rests(remediation(epochs), job.rules_version(site)))
    return watch(epochs, demolition_seen(keys, given), closed)


def _pending(job: Job, pairs: list[SitePair], summary: RunSummary) -> list[SitePair]:
    """Those pairs that have no assessment, with the ground they share; those that rest are listed as failures."""
    keys = {job.key(pair): pair for pair in pairs}
    known = job.ledger.known_keys(list(keys))
    summary.known += len(known)
    if len(known) == len(keys):
        return []
    out = []
    for pair in _shared(job, list(keys.values())):
        key = job.key(pair)
        if key in known:
            continue
        rest = job.patience.rest_of(key, pair.site.code)
        if rest is None:
            out.append(pair)
        else:
            summary.failures.append(Failure(pair.site.code, pair.epoch, rest.told, rests_until=rest.until))
    return out


def _shared(job: Job, pairs: list[SitePair]) -> list[SitePair]:
    """Known pairs are shared with as well, so that a run that goes on looks at the ground that was begun with."""
    return pairs if job.settings.light != "none" else shared(pairs, job.scale)
