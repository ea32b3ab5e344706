"""How good an epoch shows a site: read once, and remembered for later runs in the workspace's `runs/looks.jsonl`.

What is remembered is found by the site's outline, the scenes' content and how it was read; it is only ever a saving of
time, and the file may be removed.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

from cvpipe.domain import Reason, Scene, Site
from cvpipe.geo import buffered
from cvpipe.imagery import MosaicReader, Quality, SceneReaders, quality_of
from cvpipe.run.epochs import Look
from cvpipe.run.journal import Journal
from cvpipe.run.keys import Beginnings, as_json, as_rest
from cvpipe.run.sites import inside_mask, pair_grid

LOG = logging.getLogger(__name__)

#: File of the journal below a workspace's `runs/`.
LOOKS_NAME = "looks.jsonl"

#: Goes up when the measure of quality changes, so that nothing measured otherwise is taken for it.
MEASURE = 1


@dataclass(frozen=True)
class Looking:
    """Looks at sites, as the network will see them: pixels of `gsd_m`, with `margin_m` metres around the outline."""

    journal: Journal
    gsd_m: float
    margin_m: float
    readers: SceneReaders
    _sites: Beginnings = field(default_factory=lambda: Beginnings(_site_in_key), repr=False, compare=False)

    @classmethod
    def opened(cls, journal: Journal, gsd_m: float, margin_m: float, stack: ExitStack) -> Looking:
        """Looks by readers of their own, which `stack` closes."""
        return cls(journal, gsd_m, margin_m, SceneReaders(stack))

    def at(self, site: Site) -> Look:
        """What scenes of one day show of a site; None where they cannot be read, which is not remembered."""

        def look(scenes: tuple[Scene, ...]) -> Quality | None:
            known = self.known(site, scenes)
            if known is not None:
                return quality_as_kept(known)
            seen = self._read(site, scenes)
            if seen is None:
                return None
            plain = _as_plain(seen)
            self.journal.put(self._key(site, scenes), plain)
            return quality_as_kept(plain)  # rounded, so that a later run chooses by the very same figures

        return look

    def _read(self, site: Site, scenes: tuple[Scene, ...]) -> Quality | None:
        try:
            reader = MosaicReader([self.readers(scene) for scene in scenes])
            patch = reader.read(pair_grid(site, reader.grid, self.margin_m, self.gsd_m))
        except Exception:  # whatever a scene dies of: its pair will die of it too, and be listed
            LOG.debug("%s: not looked at", site.code, exc_info=True)
            return None
        inside = inside_mask(buffered(site.geometry, site.buffer_m), patch.grid)
        return quality_of(patch, inside, native_gsd_m=max(scene.gsd_m for scene in scenes))

    def expect(self, sites: Sequence[Site]) -> None:
        """Make ready to be asked for some sites."""
        self._sites.expect(sites)

    def known(self, site: Site, scenes: tuple[Scene, ...]) -> dict[str, Any] | None:
        """What is remembered of a site at scenes of one day (`quality_as_kept`); None where nothing is."""
        found: dict[str, Any] | None = self.journal.get(self._key(site, scenes))
        return found

    def _key(self, site: Site, scenes: tuple[Scene, ...]) -> str:
        hashes = tuple(scene.content_hash for scene in scenes)
        return self._sites.key(site, _rest_of_key(hashes, self.gsd_m, self.margin_m))


def _site_in_key(site: Site, outline: str) -> str:
    return f'[{MEASURE}, "{outline}", {as_json(site.buffer_m)}'


@lru_cache(maxsize=10_000)
def _rest_of_key(hashes: tuple[str, ...], gsd_m: float, margin_m: float) -> str:
    return as_rest([hashes, gsd_m, margin_m])


def _as_plain(seen: Quality) -> dict[str, Any]:
    """JSON knows no NaN: null stands for a blur that could not be judged."""
    plain = {key: round(value, 4) for key, value in asdict(seen).items() if key != "reasons"}
    return plain | {"blur": None if math.isnan(seen.blur) else plain["blur"], "reasons": list(seen.reasons)}


def quality_as_kept(plain: dict[str, Any]) -> Quality:
    """What was remembered of an epoch."""
    blur = math.nan if plain["blur"] is None else plain["blur"]
    return Quality(**(plain | {"blur": blur, "reasons": tuple(Reason(reason) for reason in plain["reasons"])}))
