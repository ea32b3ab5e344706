"""What an engine says of pairs, into the ledger: as it comes where that is slow, else some answers in one transaction.

A transaction waits for the disk, and looks up what the answers share; one for each of many small sites would cost as
much as judging them. So answers wait for each other, at most `WRITE_EVERY_S`: a kill loses no more than that of work.
An answer that the ledger refuses costs its pair only.
"""

from __future__ import annotations

import logging
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import cvpipe
from cvpipe.assess.rules import rules_of
from cvpipe.domain import Assessment
from cvpipe.errors import LedgerUnavailableError
from cvpipe.imagery.remote import shown
from cvpipe.run.engines import Answer
from cvpipe.run.order import Job
from cvpipe.run.sites import SitePair
from cvpipe.run.summary import RunSummary

LOG = logging.getLogger(__name__)

Progress = Callable[[str], None]

#: Seconds between two transactions while answers come faster than that, and the most answers of one: the ledger's
#: other writers wait for it.
WRITE_EVERY_S, MOST_WAITING = 1.0, 100


@dataclass(frozen=True)
class Trouble:
    """A pair that failed, of what, and whether that may pass."""

    pair: SitePair
    reason: str
    may_pass: bool

    @property
    def may_help(self) -> bool:
        """Whether another attempt may end otherwise: a site looked at together with others is then looked at alone."""
        return self.may_pass or bool(self.pair.together)


@dataclass
class Recorder:
    """Writes the answers of one attempt at pairs; `troubles` are those that failed, in the order of their answers."""

    job: Job
    summary: RunSummary
    progress: Progress | None
    troubles: list[Trouble] = field(default_factory=list)
    _waiting: list[tuple[SitePair, Answer]] = field(default_factory=list)
    _written_at: float = -WRITE_EVERY_S

    def take(self, pair: SitePair, answer: Answer) -> None:
        """An answer to be written, now or soon. Raises LedgerUnavailableError."""
        if answer.assessment is None:
            self._fail(pair, answer)
            return
        self._waiting.append((pair, answer))
        if len(self._waiting) >= MOST_WAITING or time.monotonic() - self._written_at >= WRITE_EVERY_S:
            self.write()

    def write(self) -> None:
        """Write what waits, all together or else one by one. Raises LedgerUnavailableError; what waited is let go."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        try:
            self._record(waiting)
        except LedgerUnavailableError:
            raise
        except Exception:  # whatever the ledger refuses one of them for: that one will be refused again, by itself
            LOG.debug("%d answers are written one by one", len(waiting), exc_info=True)
            for pair, answer in waiting:
                self._record_alone(pair, answer)
        self._written_at = time.monotonic()

    def _record_alone(self, pair: SitePair, answer: Answer) -> None:
        try:
            self._record([(pair, answer)])
        except LedgerUnavailableError:
            raise
        except Exception as error:
            LOG.debug("%s", pair.site.code, exc_info=True)
            self._fail(pair, Answer.of_error(error))

    def _fail(self, pair: SitePair, answer: Answer) -> None:
        self.troubles.append(Trouble(pair, answer.reason, answer.may_pass))

    def _record(self, said: Sequence[tuple[SitePair, Answer]]) -> None:
        found = [(pair, answer.assessment) for pair, answer in said if answer.assessment is not None]
        run_id = self._run_of([pair for pair, _ in found])
        versions = {pair.site.code: pair.site.version for pair, _ in found if pair.site.version is not None}
        written = self.job.ledger.record_all(run_id, [one for _, one in found], site_versions=versions)
        for (pair, answer), (_, assessment), is_new in zip(said, found, written, strict=True):
            self._count(pair, answer, assessment if is_new else None)

    def _run_of(self, pairs: Sequence[SitePair]) -> int:
        """The run, which begins with the first thing it has to say; it notes the rules that it goes by."""
        if self.summary.run_id is None:
            self.summary.run_id = begin(self.job)
        for pair in pairs:
            version = self.job.rules_version(pair.site)
            if version not in self.summary.rules:
                values = rules_of(pair.site, self.job.rules).model_dump(mode="json", exclude={"campaigns"})
                self.job.ledger.note_rules(self.summary.run_id, version, values)
                self.summary.rules.add(version)
        return self.summary.run_id

    def _count(self, pair: SitePair, answer: Answer, written: Assessment | None) -> None:
        if written is None:
            self.summary.known += 1  # another process was faster
        else:
            self.summary.take(written)
        self.summary.megapixels += answer.megapixels
        self.job.patience.forgive(self.job.key(pair))
        if self.progress:
            self.progress(pair.told)


def begin(job: Job) -> int:
    """A run begins in the ledger with the first thing it has to say; returns its id."""
    return job.ledger.begin_run(
        settings=_settings_of(job),
        code_version=cvpipe.__version__,
        bundle=job.network.name,
        bundle_digest=job.network.digest,
        rules_version=job.rules.version,
        machine={
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "device": job.device,
            **job.engine.machine,
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
