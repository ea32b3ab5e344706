"""Two whole scenes compared, as a sweep does: pixels in, changes out. The same in this process and in a cluster."""

from __future__ import annotations

import hashlib
import json
import logging
from contextlib import ExitStack
from dataclasses import dataclass

from cvpipe.detect import Network, passes
from cvpipe.detect.alignment import AlignedPair
from cvpipe.domain import Change, ChangeKind, Scene
from cvpipe.errors import CvpipeError, SceneError
from cvpipe.geo import area_m2
from cvpipe.imagery import SceneReader
from cvpipe.imagery.quality import MAX_RESIDUAL_PX
from cvpipe.imagery.remote import shown
from cvpipe.run.remembering import forgetting
from cvpipe.settings import Light

LOG = logging.getLogger(__name__)

#: Goes up when a sweep finds otherwise on the same scenes, so that what was remembered is not taken for it.
METHOD = 1

#: Smallest candidates, m²: a structure worth a visit, and green of more than some crowns.
LEAST_M2 = {
    ChangeKind.STRUCTURE_REMOVED: 40.0,
    ChangeKind.STRUCTURE_ADDED: 40.0,
    ChangeKind.GREEN_ADDED: 400.0,
    ChangeKind.GREEN_REMOVED: 400.0,
}


@dataclass(frozen=True)
class ScenePair:
    """Two whole scenes that are compared."""

    before: Scene
    after: Scene

    @property
    def told(self) -> str:
        """Both days, as progress tells them."""
        return f"sweep {self.before.acquired} to {self.after.acquired}"

    def key(self, bundle_digest: str, gsd_m: float, light: str) -> str:
        """What the answer hangs on."""
        content = [METHOD, self.before.content_hash, self.after.content_hash, bundle_digest, gsd_m, light]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def megapixels(self, gsd_m: float) -> float:
        """The ground that both show, in pixels of the network."""
        return area_m2(self.before.footprint.intersection(self.after.footprint)) / gsd_m**2 / 1e6


@dataclass(frozen=True)
class Compared:
    """The changes between two scenes that are large enough to be looked at; None, and the reason, where it failed."""

    changes: tuple[Change, ...] | None
    reason: str = ""


def compared(pair: ScenePair, network: Network, light: Light) -> Compared:
    """The changes of a pair of scenes. Whatever it dies of costs that pair only."""
    try:
        return Compared(tuple(_changes(pair, network, light)))
    except Exception as error:
        LOG.debug("%s", pair, exc_info=True)
        return Compared(None, str(error) if isinstance(error, CvpipeError) else f"{type(error).__name__}: {error}")


def _changes(pair: ScenePair, network: Network, light: Light) -> list[Change]:
    """In memory that does not grow with the scenes."""
    with ExitStack() as stack:
        before, after = (stack.enter_context(SceneReader.of(scene)) for scene in (pair.before, pair.after))
        aligned = AlignedPair.of(before, after, network.gsd_m, light)
        if aligned.grid.crs is None:
            raise SceneError("a scene without georeference", remedy="Give it a CRS, for example with gdal_translate.")
        if aligned.registration.residual_px > MAX_RESIDUAL_PX:  # infinite where no window told a shift
            found = f"does not lie on {shown(pair.before.uri)} to within {MAX_RESIDUAL_PX:g} pixels"
            raise SceneError(found, where=shown(pair.after.uri), remedy="Orthorectify both with one terrain model.")
        stack.enter_context(forgetting(network))
        changes = passes.predict(network, aligned).changes(aligned.grid)
    return [change for change in changes if change.area_m2 >= LEAST_M2[change.kind]]


__all__ = ["LEAST_M2", "Compared", "ScenePair", "compared"]
