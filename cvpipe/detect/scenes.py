"""Two rasters of any size → a folder of outputs, in memory that does not grow with the scene."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shapely.affinity import affine_transform

import cvpipe
from cvpipe.detect import outputs, passes, stac
from cvpipe.detect.alignment import AlignedPair
from cvpipe.detect.prediction import Network
from cvpipe.detect.preview import write_preview
from cvpipe.domain import Change, ChangeKind, Registration
from cvpipe.geo import Grid
from cvpipe.imagery import remote
from cvpipe.imagery.alignment import largest_bend_px
from cvpipe.imagery.opening import gdal_environment
from cvpipe.imagery.reading import SceneReader
from cvpipe.settings import Light


@dataclass(frozen=True)
class DetectSummary:
    """What one comparison found. Areas in m² on the ground; `registration` in pixels of the outputs.

    `grid` is that of the output rasters; without CRS it is BEFORE's own, and all coordinates are its pixels.
    """

    out: Path
    before: str
    after: str
    network: str
    digest: str
    grid: Grid
    registration: Registration
    valid_share: float
    area_m2: dict[ChangeKind, float]
    polygons: dict[ChangeKind, int]
    seconds: float
    light: Light = "none"

    def as_dict(self) -> dict[str, Any]:
        """The content of `summary.json`; null for what is not known, and for a drift or bend that is not there."""
        shift = self.registration
        return {
            "tool": f"cvpipe detect {cvpipe.__version__}",
            "before": self.before,
            "after": self.after,
            "area_m2": {kind.value: round(area, 2) for kind, area in self.area_m2.items()},
            "polygons": {kind.value: count for kind, count in self.polygons.items()},
            "valid_share": round(self.valid_share, 4),
            "shift_px": [round(v, 3) for v in shift.shift_px],
            "residual_px": _rounded(shift.residual_px),
            "residual_m": _rounded(shift.residual_px * self.grid.ground_pixel_m()),
            "drift": [round(v, 6) + 0.0 for v in shift.drift] if any(shift.drift) else None,
            "bend_px": round(largest_bend_px(shift), 3) if shift.bend else None,
            "confidence": round(shift.confidence, 3),
            "light": self.light,
            "bundle": {"name": self.network, "digest": self.digest},
            "coordinates": outputs.PIXEL_COORDINATES if self.grid.crs is None else outputs.GROUND_COORDINATES,
            "grid": outputs.grid_dict(self.grid),
            "seconds": round(self.seconds, 2),
        }


def detect_pair(
    network: Network,
    before_path: Path | str,
    after_path: Path | str,
    out: Path,
    *,
    gsd_m: float | None = None,
    light: Light = "none",
    model: Mapping[str, Any] | None = None,
    on_tile: Callable[[int, int], None] | None = None,
) -> DetectSummary:
    """Compare two rasters of one place and leave rasters, polygons, a preview and a summary in the folder `out`.

    Where the outputs lie on the ground, a STAC item describes them; `model` is the bundle's own item, which it quotes.

    `gsd_m` is the ground size in metres of a pixel of pictures without georeference; they are taken to show the same
    ground, and their outputs stay in BEFORE's pixel coordinates. Georeferenced outputs have the network's pixel size.
    The later one is brought to the light of the earlier one by `light`. `on_tile(done, total)` is told of each tile.

    Raises SceneError where a raster cannot be used or the two share no area, UsageError where `out` holds something
    else. Nothing is written then.
    """
    started = time.monotonic()
    with ExitStack() as stack:
        before = stack.enter_context(SceneReader(before_path, gsd_m=gsd_m))
        after = stack.enter_context(SceneReader(after_path, gsd_m=gsd_m))
        pair = AlignedPair.of(before, after, network.gsd_m, light)
        stage = stack.enter_context(outputs.staged(out))
        stack.enter_context(gdal_environment())
        work = stage / "work"
        work.mkdir()
        found = passes.predict(network, pair, work, on_tile)
        passes.draw(found, pair.grid, work)
        with ThreadPoolExecutor(1) as packer:
            delivered = packer.submit(passes.deliver, work, stage, pair)
            changes = found.changes(pair.grid)
            write_preview(stage / outputs.PREVIEW_PNG, pair, changes)
            delivered.result()
        shutil.rmtree(work)
        outputs.write_geojson(stage / outputs.CHANGES_GEOJSON, _in_outputs(changes, pair.output_grid), pair.output_grid)
        summary = DetectSummary(
            out=out,
            before=remote.shown(before_path),
            after=remote.shown(after_path),
            network=network.name,
            digest=network.digest,
            grid=pair.output_grid,
            registration=_in_output_pixels(pair),
            valid_share=found.valid_share,
            area_m2=found.areas_m2(pair.grid),
            polygons=_counts(changes),
            seconds=time.monotonic() - started,
            light=light,
        )
        text = json.dumps(summary.as_dict(), indent=2, ensure_ascii=False)
        (stage / outputs.SUMMARY_JSON).write_text(text + "\n", encoding="utf-8")
        if summary.grid.crs is not None:
            stac.write_item(stage / outputs.ITEM_JSON, stac.item_of(summary, model, datetime.now(UTC)))
    return summary


def _rounded(length: float) -> float | None:
    return round(length, 3) if math.isfinite(length) else None


def _counts(changes: Sequence[Change]) -> dict[ChangeKind, int]:
    found = Counter(change.kind for change in changes)
    return {kind: found[kind] for kind in ChangeKind}


def _in_outputs(changes: Sequence[Change], grid: Grid) -> list[Change]:
    """Changes as the GeoJSON shows them: WGS 84, or for plain pictures pixels of BEFORE instead of metres."""
    if grid.crs is not None:
        return list(changes)
    t = ~grid.transform
    matrix = [t.a, t.b, t.d, t.e, t.c, t.f]
    return [replace(change, geometry=affine_transform(change.geometry, matrix)) for change in changes]


def _in_output_pixels(pair: AlignedPair) -> Registration:
    scale = pair.grid.pixel_size / pair.output_grid.pixel_size
    found = pair.registration
    x, y = found.shift_px
    bend = tuple(control * scale for control in found.bend)
    return replace(found, shift_px=(x * scale, y * scale), residual_px=found.residual_px * scale, bend=bend)


__all__ = ["DetectSummary", "detect_pair"]
