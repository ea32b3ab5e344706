"""`item.json`: the outputs of one comparison as a STAC item, so that catalogues and GIS find and understand them.

Extensions: label 1.0.1 (what the polygons say), mlm 1.4.0 (the network that said it), projection 2.0.0 and
classification 2.0.0 (where the pixels lie, and what their codes mean).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pystac
from shapely.geometry import box

import cvpipe
from cvpipe.detect import outputs
from cvpipe.detect.maps import NO_DATA
from cvpipe.domain import SURFACE_COLOURS, SURFACES, ChangeKind
from cvpipe.geo import WGS84, Grid, reproject
from cvpipe.imagery.labels import LABEL_SCHEMA, label_properties

if TYPE_CHECKING:
    from cvpipe.detect.scenes import DetectSummary

FILE_SCHEMA = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
MLM_SCHEMA = "https://stac-extensions.github.io/mlm/v1.4.0/schema.json"
PROJECTION_SCHEMA = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
CLASSIFICATION_SCHEMA = "https://stac-extensions.github.io/classification/v2.0.0/schema.json"

_DEGREE_DECIMALS = 7


def item_of(summary: DetectSummary, model: Mapping[str, Any] | None, made: datetime) -> pystac.Item:
    """The item of a comparison whose outputs are georeferenced.

    `model` is the bundle's own item, from which all `mlm:` properties are taken over; `made` is when the comparison
    was made, which is the item's time: a comparison need not know the dates of its epochs.
    """
    assert summary.grid.crs is not None
    ground = reproject(_outline(summary.grid), summary.grid.crs, WGS84)
    outline = {"type": "Polygon", "coordinates": [[_rounded(corner) for corner in ground.exterior.coords]]}
    item = pystac.Item(
        id=f"{summary.out.resolve().name}-{summary.digest[:12]}",
        geometry=outline,
        bbox=_rounded(ground.bounds),
        datetime=made.astimezone(UTC).replace(microsecond=0),
        properties={**_told(summary), **_projected(summary.grid), **label_properties(summary.polygons)},
        stac_extensions=[LABEL_SCHEMA, PROJECTION_SCHEMA, CLASSIFICATION_SCHEMA],
    )
    _name_model(item, model)
    _add_assets(item)
    for address in (summary.before, summary.after):
        item.add_link(pystac.Link("source", address))
    return item


def write_item(path: Path, item: pystac.Item) -> None:
    """Write it with addresses that count from its own folder."""
    content = item.to_dict(include_self_link=False, transform_hrefs=False)
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _outline(grid: Grid) -> Any:
    """The grid's edge with corners along it: a straight side of a projection is bent in degrees."""
    edge = box(0, 0, grid.width, grid.height).segmentize(max(grid.width, grid.height) / 8)
    return type(edge)([grid.transform * corner for corner in edge.exterior.coords])


def _rounded(values: Any) -> list[float]:
    return [round(value, _DEGREE_DECIMALS) for value in values]


def _projected(grid: Grid) -> dict[str, Any]:
    assert grid.crs is not None
    code = grid.crs.to_epsg()
    place = {"proj:code": f"EPSG:{code}"} if code else {"proj:code": None, "proj:wkt2": grid.crs.to_wkt()}
    return {**place, "proj:shape": list(grid.shape), "proj:transform": [float(v) for v in tuple(grid.transform)[:6]]}


def _told(summary: DetectSummary) -> dict[str, Any]:
    return {
        "gsd": round(summary.grid.ground_pixel_m(), 4),
        "cvpipe:version": cvpipe.__version__,
        "cvpipe:bundle_digest": summary.digest,
        "cvpipe:area_m2": {kind.value: round(area, 2) for kind, area in summary.area_m2.items()},
        "cvpipe:valid_share": round(summary.valid_share, 4),
    }


def _name_model(item: pystac.Item, model: Mapping[str, Any] | None) -> None:
    """The network's own words and its weights, where a bundle has them; MLM asks for an asset that is the model."""
    if model is None:
        return
    item.properties |= {key: value for key, value in model["properties"].items() if key.startswith("mlm:")}
    item.add_asset("model", pystac.Asset.from_dict(model["assets"]["weights"]))
    item.stac_extensions += [MLM_SCHEMA, FILE_SCHEMA]


def _add_assets(item: pystac.Item) -> None:
    changes = [{"name": kind.value, "data_type": "uint8", "nodata": NO_DATA} for kind in ChangeKind]
    item.add_asset("labels", _asset(outputs.CHANGES_GEOJSON, pystac.MediaType.GEOJSON, "labels", "data"))
    item.add_asset("changes", _asset(outputs.CHANGES_TIF, pystac.MediaType.COG, "labels-raster", bands=changes))
    for name in (outputs.SURFACE_BEFORE_TIF, outputs.SURFACE_AFTER_TIF):
        classes = {"classification:classes": _surface_classes(), "data_type": "uint8", "nodata": NO_DATA}
        item.add_asset(Path(name).stem, _asset(name, pystac.MediaType.COG, "labels-raster", **classes))
    item.add_asset("preview", _asset(outputs.PREVIEW_PNG, pystac.MediaType.PNG, "overview"))
    item.add_asset("summary", _asset(outputs.SUMMARY_JSON, pystac.MediaType.JSON, "metadata"))


def _asset(name: str, media_type: str, *roles: str, **more: Any) -> pystac.Asset:
    return pystac.Asset(f"./{name}", media_type=media_type, roles=list(roles), extra_fields=more)


def _surface_classes() -> list[dict[str, Any]]:
    return [
        {
            "value": int(surface),
            "name": surface.name.lower(),
            "color_hint": "{:02X}{:02X}{:02X}".format(*SURFACE_COLOURS[surface]),
        }
        for surface in SURFACES
    ]


__all__ = ["item_of", "write_item"]
