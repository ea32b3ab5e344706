"""How good an epoch shows a site: read once, and remembered for later runs in the workspace's `runs/looks.sqlite`.

What is remembered is found by the site's outline, the scenes' content and how it was read; it is only ever a saving of
time, and the file may be removed.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache

import shapely

from cvpipe.domain import Scene, Site
from cvpipe.geo import array_of, buffered
from cvpipe.imagery import MosaicReader, Quality, SceneReaders, quality_of
from cvpipe.run.epochs import Look
from cvpipe.run.keys import as_json
from cvpipe.run.looks import Looks, Recalled
from cvpipe.run.sites import inside_mask, pair_grid

LOG = logging.getLogger(__name__)

#: File of what was seen below a workspace's `runs/`.
LOOKS_NAME = "looks.sqlite"

#: Goes up when the measure of quality changes, its score included, so that nothing measured otherwise is taken for it.
MEASURE = 1


@dataclass(frozen=True)
class Looking:
    """Looks at sites, as the network will see them: pixels of `gsd_m`, with `margin_m` metres around the outline."""

    looks: Looks
    gsd_m: float
    margin_m: float
    readers: SceneReaders

    @classmethod
    def opened(cls, looks: Looks, gsd_m: float, margin_m: float, stack: ExitStack) -> Looking:
        """Looks by readers of their own, which `stack` closes."""
        stack.callback(looks.close)
        return cls(looks, gsd_m, margin_m, SceneReaders(stack))

    def at(self, site: Site) -> Look:
        """What scenes of one day show of a site; None where they cannot be read, which is not remembered."""
        of_site = site_digest(site, shapely.to_wkb(site.geometry))

        def look(scenes: tuple[Scene, ...]) -> Quality | None:
            shown = self._shown(scenes)
            known = self.looks.of(of_site, shown)
            if known is not None:
                return known
            seen = self._read(site, scenes)
            return None if seen is None else self.looks.put(of_site, shown, seen)

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

    def recalled(self, sites: Sequence[Site]) -> Recalled:
        """What is remembered of some sites, by their numbers and those of what was shown (`number`)."""
        outlines = shapely.to_wkb(array_of(site.geometry for site in sites))
        return self.looks.of_sites([site_digest(*both) for both in zip(sites, outlines, strict=True)])

    def number(self, scenes: tuple[Scene, ...]) -> int:
        """The number of scenes of one day in what is remembered; -1 where nobody has looked at them."""
        return self.looks.number(self._shown(scenes))

    def _shown(self, scenes: tuple[Scene, ...]) -> str:
        return _name(tuple(scene.content_hash for scene in scenes), self.gsd_m, self.margin_m)


def site_digest(site: Site, outline: bytes) -> bytes:
    """By what looks at a site are found; `outline` as WKB."""
    return hashlib.sha256(as_json(site.buffer_m).encode() + outline).digest()[:16]


@lru_cache(maxsize=10_000)
def _name(hashes: tuple[str, ...], gsd_m: float, margin_m: float) -> str:
    return json.dumps([MEASURE, hashes, gsd_m, margin_m])
