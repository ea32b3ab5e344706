"""The pairs of a run's sites, some sites at a time: their epochs, what is known of them, what rests."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterator, Sequence

from cvpipe.assess.rules import rules_of
from cvpipe.domain import Site
from cvpipe.errors import CvpipeError
from cvpipe.run.epochs import Epochs
from cvpipe.run.order import Job
from cvpipe.run.planning import Answers, answers_of, remediation, watch
from cvpipe.run.sharing import Ground, Scale, each_alone, grounds, shared
from cvpipe.run.sites import SitePair
from cvpipe.run.summary import Failure, RunSummary

LOG = logging.getLogger(__name__)


def with_epochs(job: Job, sites: Sequence[Site], failures: list[Failure]) -> Iterator[tuple[Site, Epochs]]:
    """The sites whose rules can be read and whose epochs can be chosen; the others are failures."""
    job.expect(sites)
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
    chosen = list(with_epochs(job, sites, summary.failures))
    yield _pending(job, [pair for site, epochs in chosen for pair in remediation(site, epochs)], summary)
    answers = answers_of(job.ledger, [site.code for site, _ in chosen])
    yield _pending(job, [p for s, epochs in chosen for p in watch_of(job, s, epochs, answers.get(s.code, {}))], summary)


def watch_of(
    job: Job, site: Site, epochs: Epochs, answers: Answers, keys: Sequence[str] | None = None
) -> list[SitePair]:
    """The watch pairs of a site; none where a person stated the epochs. `keys` are those of its remediation pairs."""
    if job.choosing.stated:
        return []
    if keys is None:
        keys = [job.key(pair) for pair in remediation(site, epochs)]
    return watch(site, epochs, keys, answers, job.closings.of(site))


def _pending(job: Job, pairs: list[SitePair], summary: RunSummary) -> list[SitePair]:
    """Those pairs that have no assessment, with the ground they share; those that rest are listed as failures."""
    keys = {job.key(pair): pair for pair in _shared(job, pairs)}
    known = job.ledger.known_keys(list(keys))
    summary.known += len(known)
    out = []
    for key, pair in keys.items():
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
    return pairs if job.settings.light != "none" else shared(pairs, _scale(job))


def grounds_of(job: Job, pairs: Sequence[SitePair], asked: Container[int]) -> list[Ground]:
    """The ground that a run looks at once, at least that of the pairs `asked` by number."""
    if job.settings.light != "none":  # light is matched site by site
        return each_alone(pairs)
    return grounds(pairs, _scale(job), asked)


def _scale(job: Job) -> Scale:
    return Scale(job.network.gsd_m, job.settings.margin_m, job.network.tile_px)
