"""What one run is asked, and what stays the same throughout it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from cvpipe.assess import Rules
from cvpipe.assess.rules import rules_of
from cvpipe.detect import Network
from cvpipe.domain import Site
from cvpipe.ledger import Ledger
from cvpipe.run.engines import Engine, RayOptions
from cvpipe.run.keys import Beginnings
from cvpipe.run.parts import Part
from cvpipe.run.patience import Patience
from cvpipe.run.planning import Asked, Choosing, Closings
from cvpipe.run.sharing import Scale
from cvpipe.run.sites import SitePair, rest_of_key, site_in_key
from cvpipe.settings import Runtime, WorkspaceSettings

#: Sites that are planned, worked through and settled together: so many share their questions to the ledger, and no
#: more plans are held at a time, however many sites there are.
SITES_AT_ONCE = 1000

#: Sites that are planned together before any is worked on, a multiple of those above.
PLANNED_AT_ONCE = 20 * SITES_AT_ONCE


@dataclass(frozen=True)
class RunOptions:
    """What one run is asked: `codes` None for all sites, `device` and `runtime` None for the
    workspace's own.

    `before` and `after` state an epoch (a day, or a scene by its path, name, id or hash) that the rules would choose
    otherwise; the watch for rebound is then left out, as it hangs on the epochs of the rules. `retry` tries at once
    what was set aside (`cvpipe.run.patience`), `sweep` looks for changes outside the sites too (`cvpipe.run.sweep`),
    `ray` names the cluster that assesses the pairs of sites; None: this process does. `part` leaves the sites of other
    parts out (`cvpipe.run.parts`).
    """

    codes: Collection[str] | None = None
    device: Literal["auto", "cpu", "cuda"] | None = None
    runtime: Runtime | None = None
    before: str | None = None
    after: str | None = None
    retry: bool = False
    sweep: bool = False
    ray: RayOptions | None = None
    part: Part | None = None


@dataclass(frozen=True)
class Job:
    """What stays the same throughout a run; made by `cvpipe.run.opened`. `runs` is the workspace's folder of runs."""

    runs: Path
    engine: Engine
    options: RunOptions
    ledger: Ledger
    settings: WorkspaceSettings
    rules: Rules
    network: Network
    sites: Sequence[Site]
    choosing: Choosing
    closings: Closings
    patience: Patience
    _sites_in_keys: Beginnings = field(default_factory=lambda: Beginnings(site_in_key), repr=False)

    def expect_keys(self, sites: Sequence[Site]) -> None:
        """Make ready to be asked for the keys of some sites: many at once are cheaper."""
        self._sites_in_keys.expect(sites)

    def key(self, pair: SitePair) -> str:
        """The idempotency key of a pair in this run."""
        version = self.rules_version(pair.site)
        return pair.key(self.network.digest, version, self.settings.light, self._sites_in_keys)

    def rests(self, asked: Iterable[Asked], rules_version: str) -> tuple[bytes, ...]:
        """How the keys of what is asked of a site end, the same for all sites judged by these rules."""
        same = self.network.digest, rules_version, self.settings.light
        return tuple(rest_of_key(one.kind, one.before, one.after, *same).encode() for one in asked)

    def keys(self, site: Site, rests: Sequence[bytes]) -> tuple[str, ...]:
        """The idempotency keys at a site that end so."""
        return self._sites_in_keys.keys(site, rests)

    def rules_version(self, site: Site) -> str:
        """The version of the rules by which a site is judged. Raises SettingsError."""
        rules = rules_of(site, self.rules)
        return self._version if rules is self.rules else rules.version

    @cached_property
    def _version(self) -> str:
        return self.rules.version

    @property
    def device(self) -> str:
        """Where the network runs, as the ledger notes it."""
        return self.engine.device

    @property
    def scale(self) -> Scale:
        """Sizes of what is read around sites."""
        return Scale(self.network.gsd_m, self.settings.margin_m, self.network.tile_px)

    def sites_at_once(self, count: int, sites: Sequence[Site] | None = None) -> Iterator[Sequence[Site]]:
        """All sites, or some, so many at a time."""
        sites = self.sites if sites is None else sites
        for start in range(0, len(sites), count):
            yield sites[start : start + count]
