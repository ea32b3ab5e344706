"""Pairs assessed in this process."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cvpipe.detect import Network
from cvpipe.run.engines.work import Answer, Terms, answers, keep_below
from cvpipe.run.sites import SitePair
from cvpipe.run.whole_scenes import Compared, ScenePair, compared


@dataclass(frozen=True)
class LocalEngine:
    """The network works in this process, and a thread reads ahead of it; maps are kept below `runs`."""

    network: Network
    terms: Terms
    runs: Path

    def answers(self, pairs: Sequence[SitePair]) -> Generator[tuple[SitePair, Answer]]:
        """What becomes of pairs, in their order."""
        return answers(pairs, self.network, self.terms, partial(keep_below, self.runs))

    def changes(self, pairs: Sequence[ScenePair]) -> Generator[tuple[ScenePair, Compared]]:
        """What changed between whole scenes, one pair after the other."""
        for pair in pairs:
            yield pair, compared(pair, self.network, self.terms.light)

    @property
    def device(self) -> str:
        """The network's own device, and what runs it there where that is not torch."""
        runtime = getattr(self.network, "runtime", "torch")
        return str(getattr(self.network, "device", "")) + ("" if runtime == "torch" else f" {runtime}")

    @property
    def machine(self) -> Mapping[str, Any]:
        """What runs the network, and why."""
        return {"runs_on": getattr(self.network, "runs_on", "")}
