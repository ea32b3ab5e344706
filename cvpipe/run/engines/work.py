"""What becomes of a pair: read ahead, assess, answer or reason. The same code in this process and in a cluster."""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from cvpipe.assess import Rules
from cvpipe.assess.rules import rules_of
from cvpipe.detect import Network, PairMaps
from cvpipe.domain import Assessment
from cvpipe.errors import CvpipeError
from cvpipe.imagery import keep_surfaces, surface_path
from cvpipe.run.patience import may_pass
from cvpipe.run.reading import read_ahead
from cvpipe.run.sites import Ground, KeepMaps, Looked, SitePair, assess
from cvpipe.run.whole_scenes import Compared, ScenePair
from cvpipe.settings import Light

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Terms:
    """What all pairs of a run are assessed by; `rules` are those of the workspace, before a site's own."""

    gsd_m: float
    margin_m: float
    light: Light
    rules: Rules


@dataclass(frozen=True)
class Answer:
    """What became of a pair: its assessment and the Mpx that were seen of each epoch for it, or why there is none.

    `may_pass` tells of a reason that may be gone a moment later.
    """

    assessment: Assessment | None
    megapixels: float = 0.0
    reason: str = ""
    may_pass: bool = False

    @classmethod
    def of_error(cls, error: Exception) -> Answer:
        """The answer where a pair died of something."""
        reason = str(error) if isinstance(error, CvpipeError) else f"{type(error).__name__}: {error}"
        return cls(None, reason=reason, may_pass=may_pass(error))


class Engine(Protocol):
    """Where pairs are assessed."""

    def answers(self, pairs: Sequence[SitePair]) -> Generator[tuple[SitePair, Answer]]:
        """What became of each pair, in any order, each once. A pair that fails costs that pair only.

        Who stops early closes it.

        Raises ClusterError where nobody can work any more.
        """
        ...

    def changes(self, pairs: Sequence[ScenePair]) -> Generator[tuple[ScenePair, Compared]]:
        """What changed between whole scenes, in any order, each pair once; as `answers` in all else."""
        ...

    @property
    def device(self) -> str:
        """Where the network runs, as the ledger notes it; runs are as fast as each other where it is the same."""
        ...

    @property
    def machine(self) -> Mapping[str, Any]:
        """What else the ledger notes of where a run ran."""
        ...


def answers(
    pairs: Sequence[SitePair], network: Network, terms: Terms, keep: KeepMaps
) -> Generator[tuple[SitePair, Answer]]:
    """What becomes of pairs, in turn, the next ones being read meanwhile; `keep` gets the maps of each.

    Ground that sites share is counted with the first of them.
    """
    counted: Ground | None = None
    with closing(read_ahead(pairs, gsd_m=terms.gsd_m, margin_m=terms.margin_m)) as ahead:
        for pair, looked in ahead:
            answer = _answer(pair, looked, network, terms, keep)
            ground = _ground(looked)
            if ground is not None and ground is counted:
                answer = replace(answer, megapixels=0.0)
            counted = ground
            yield pair, answer


def _ground(looked: Future[Looked | None]) -> Ground | None:
    seen = None if looked.exception() else looked.result()
    return seen.ground if seen else None


def _answer(pair: SitePair, looked: Future[Looked | None], network: Network, terms: Terms, keep: KeepMaps) -> Answer:
    try:
        seen = looked.result()
        found = assess(pair, seen, network, rules_of(pair.site, terms.rules), terms.light, keep)
    except Exception as error:  # whatever a pair dies of costs that pair only; the others are written
        LOG.debug("%s", pair.told, exc_info=True)
        return Answer.of_error(error)
    return Answer(found, seen.megapixels if seen else 0.0)


def keep_below(runs: Path, key: str, maps: PairMaps) -> None:
    """Leave the surfaces below a folder of runs for reviewers to look at; the assessment does not hang on it."""
    path = surface_path(runs, key)
    assert path is not None, "keys are digests"
    try:
        keep_surfaces(path, maps.surface_before, maps.surface_after, maps.grid)
    except OSError as error:
        LOG.warning("the map of surfaces is not kept: %s", error)
