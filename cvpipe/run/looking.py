"""How good an epoch shows a site: read once, and remembered for later runs in the workspace's `runs/looks.jsonl`.

What is remembered is found by the site's outline, the scenes' content and how it was read; it is only ever a saving of
time, and the file may be removed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from shapely import to_wkb

from cvpipe.domain import Reason, Scene, Site
from cvpipe.geo import buffered
from cvpipe.imagery import MosaicReader, Quality, quality_of
from cvpipe.run.epochs import Look
from cvpipe.run.journal import Journal
from cvpipe.run.reading import SceneReaders
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

    @classmethod
    def opened(cls, journal: Journal, gsd_m: float, margin_m: float, stack: ExitStack) -> Looking:
        """Looks by readers of their own, which `stack` closes."""
        return cls(journal, gsd_m, margin_m, SceneReaders(stack))

    def at(self, site: Site) -> Look:
        """What scenes of one day show of a site; None where they cannot be read, which is not remembered."""

        def look(scenes: tuple[Scene, ...]) -> Quality | None:
            key = self._key(site, scenes)
            known = self.journal.get(key)
            if known is not None:
                return _quality_of(known)
            seen = self._read(site, scenes)
            if seen is None:
                return None
            plain = _as_plain(seen)
            self.journal.put(key, plain)
            return _quality_of(plain)  # rounded, so that a later run chooses by the very same figures

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

    def _key(self, site: Site, scenes: tuple[Scene, ...]) -> str:
        content = [
            MEASURE,
            to_wkb(site.geometry, hex=True),
            site.buffer_m,
            [scene.content_hash for scene in scenes],
            self.gsd_m,
            self.margin_m,
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _as_plain(seen: Quality) -> dict[str, Any]:
    """JSON knows no NaN: null stands for a blur that could not be judged."""
    plain = {key: round(value, 4) for key, value in asdict(seen).items() if key != "reasons"}
    return plain | {"blur": None if math.isnan(seen.blur) else plain["blur"], "reasons": list(seen.reasons)}


def _quality_of(plain: dict[str, Any]) -> Quality:
    blur = math.nan if plain["blur"] is None else plain["blur"]
    return Quality(**(plain | {"blur": blur, "reasons": tuple(Reason(reason) for reason in plain["reasons"])}))
