"""Scenes as STAC items: what the ledger keeps of each, and scenes out of other people's items, collections and APIs.

Items follow STAC 1.1 with the projection extension 2.0 and, where a band's colour is known, the electro-optical
extension 2.0; `bands` are those of its common metadata.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import numpy as np
import pystac
import rasterio
from shapely.geometry import mapping

from cvpipe.domain import Scene
from cvpipe.errors import SceneError
from cvpipe.geo import Bounds, Grid
from cvpipe.imagery import remote
from cvpipe.imagery.bands import Bands

#: Media types of assets that can be a scene.
RASTER_TYPES = ("image/tiff", "image/vnd.stac.geotiff", "image/jp2", "application/geotiff")
#: Names of assets that hold what is to be seen, the best first, then roles in the same sense.
ASSET_NAMES = ("visual", "image", "rgb", "ortho", "orthophoto", "analytic", "data")
ASSET_ROLES = ("visual", "data")
#: Endings by which an argument is taken for STAC.
DOCUMENT_SUFFIXES = (".json", ".geojson")
#: Items that are taken of one document or API unless another number is asked for.
MOST_ITEMS = 10_000
#: Extensions that a scene's own item follows; the second only where a band has a name of it.
EXTENSIONS = [
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "https://stac-extensions.github.io/eo/v2.0.0/schema.json",
]
#: Common names of bands (electro-optical extension) that are near infrared.
NIR_NAMES = ("nir", "nir08")
#: What reading a document raises that is not STAC, or not whole.
NO_STAC = (
    pystac.STACError,
    pystac.STACTypeError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    OSError,
    RecursionError,
)
#: Name of the asset that a scene's own item has.
ASSET = "image"


@dataclass(frozen=True)
class RasterFacts:
    """What a raster says of itself beyond a scene's columns: bands with type, bits and nodata, shape and transform."""

    crs: str
    epsg: int | None
    shape: tuple[int, int]
    transform: tuple[float, ...]
    bands: tuple[dict[str, Any], ...]
    driver: str

    @classmethod
    def of(cls, dataset: rasterio.DatasetReader, grid: Grid, crs: str, chosen: Bands) -> RasterFacts:
        """From an open raster, its grid and the bands that are read of it; `crs` is its code or WKT."""
        assert grid.crs is not None
        colours = chosen.common_names
        bands = tuple(_band(dataset, index, colours.get(index)) for index in range(1, dataset.count + 1))
        return cls(crs, grid.crs.to_epsg(), grid.shape, tuple(grid.transform)[:6], bands, dataset.driver)


@dataclass(frozen=True)
class Query:
    """What an API is asked for: collections, a box in degrees, days; None asks for everything.

    `limit` is the number of items that are taken at most, of documents too.
    """

    collections: tuple[str, ...] = ()
    bounds: Bounds | None = None
    since: date | None = None
    until: date | None = None
    limit: int = MOST_ITEMS


def nir_band(item: dict[str, Any]) -> int | None:
    """The band (counted from 1) that a scene's item calls near infrared; None where it calls none so."""
    bands = item.get("properties", {}).get("bands", [])
    return next((n for n, band in enumerate(bands, start=1) if _common_name(band) in NIR_NAMES), None)


def stated_nir_band(item: pystac.Item, address: str) -> int | None:
    """The band that someone's item calls near infrared in the asset at `address`; None where it calls none so."""
    for asset in item.assets.values():
        if _absolute(item, asset) == address:
            bands = asset.extra_fields.get("bands") or asset.extra_fields.get("eo:bands") or []
            return next((n for n, band in enumerate(bands, start=1) if _common_name(band) in NIR_NAMES), None)
    return None


def _common_name(band: Any) -> str | None:
    """Of the electro-optical extension 2 or 1."""
    found = (band.get("eo:common_name") or band.get("common_name")) if isinstance(band, dict) else None
    return found if isinstance(found, str) else None


def item_of(scene: Scene, facts: RasterFacts, source: pystac.Item | None) -> dict[str, Any]:
    """The scene as a STAC item. Properties of the item it was found by are kept beside its own."""
    epoch = datetime(scene.acquired.year, scene.acquired.month, scene.acquired.day, tzinfo=UTC)
    kept = {} if source is None else {k: v for k, v in source.properties.items() if k != "datetime"}
    own = {
        "gsd": round(scene.gsd_m, 4),
        "proj:code": None if facts.epsg is None else f"EPSG:{facts.epsg}",
        "proj:shape": list(facts.shape),
        "proj:transform": list(facts.transform),
        "bands": list(facts.bands),
    }
    if facts.epsg is None:
        own["proj:wkt2"] = facts.crs
    moment = source.datetime if source and source.datetime and source.datetime.date() == scene.acquired else epoch
    item = pystac.Item(
        id=scene.content_hash[:16],
        geometry=mapping(scene.footprint),
        bbox=list(scene.footprint.bounds),
        datetime=moment,
        properties={**kept, **own},
        stac_extensions=EXTENSIONS if any("eo:common_name" in band for band in facts.bands) else EXTENSIONS[:1],
    )
    roles = ["data"]
    item.add_asset(ASSET, pystac.Asset(href=remote.shown(scene.uri), media_type=_media_type(facts.driver), roles=roles))
    if source is not None and source.get_self_href():
        item.add_link(pystac.Link("derived_from", remote.shown(str(source.get_self_href()))))
    return with_bands(_plain(item))


def with_bands(item: dict[str, Any]) -> dict[str, Any]:
    """A scene's own item with its bands beside its asset too, without which STAC 1.1 allows none in its properties.

    Items that a ledger kept before this was known lack them.
    """
    bands = item["properties"].get("bands")
    if not bands or ASSET not in item["assets"]:
        return item
    return {**item, "assets": {**item["assets"], ASSET: {**item["assets"][ASSET], "bands": bands}}}


def acquired(item: pystac.Item) -> date | None:
    """The day (UTC) of an item: its datetime, else the first of its span. Times without a zone are taken for UTC."""
    moment = item.datetime or item.common_metadata.start_datetime
    if moment is None or moment.tzinfo is None:
        return moment and moment.date()
    return moment.astimezone(UTC).date()


def cloud_percent(properties: Mapping[str, Any]) -> float:
    """The cloud cover (percent) that an item's properties state; 0 where they state none."""
    stated = properties.get("eo:cloud_cover")
    return float(stated) if isinstance(stated, int | float) else 0.0


def is_document(address: str) -> bool:
    """Whether an argument names a STAC document or an API rather than a raster or a folder."""
    if remote.is_remote(address):
        path = remote.shown(address)
        return path.lower().endswith(DOCUMENT_SUFFIXES) or "." not in path.rsplit("/", 1)[-1]
    return Path(address).suffix.lower() in DOCUMENT_SUFFIXES


def items_at(address: str, query: Query) -> Iterator[pystac.Item | SceneError]:
    """The items of an item, an item collection, a collection or catalogue with all below, or an API's answer.

    What a list of items holds that is none costs itself only: in its place comes the reason. Raises SceneError where
    there is no STAC, and after `query.limit` items where there are more.
    """
    document = _document(address)
    found = _items_of(document, address, query)
    try:
        yield from itertools.islice(found, query.limit)
        if next(found, None) is not None:
            raise SceneError(
                f"holds more than {query.limit} items, of which the first {query.limit} were taken",
                where=remote.shown(address),
                remedy="Name a part of it, fewer days or collections, or raise --limit.",
            )
    except NO_STAC as error:
        raise _no_stac(address, f"{type(error).__name__}: {error}") from error


def _items_of(document: dict[str, Any], address: str, query: Query) -> Iterator[pystac.Item | SceneError]:
    kind = document.get("type")
    if kind == "Feature":
        yield pystac.Item.from_dict(document, href=address)
    elif kind == "FeatureCollection":
        yield from (_item(one, address) for one in document["features"])
    elif "conformsTo" in document:
        from cvpipe.imagery import stac_api  # only a search needs the client, which takes half a second to load

        yield from (_item(one, address) for one in stac_api.items_found(address, query))
    elif kind == "Collection":
        yield from pystac.Collection.from_file(address, stac_io=_Documents()).get_items(recursive=True)
    elif kind == "Catalog":
        yield from pystac.Catalog.from_file(address, stac_io=_Documents()).get_items(recursive=True)
    else:
        raise _no_stac(address, f"its type is {kind!r}")


def _item(one: Any, found_at: str) -> pystac.Item | SceneError:
    """An item of a list; `found_at` is its address where it does not tell its own."""
    try:
        item = pystac.Item.from_dict(one)
        if not item.get_self_href():
            item.set_self_href(found_at)
        return item
    except NO_STAC as error:
        name = one.get("id") if isinstance(one, dict) else None
        return _no_stac(f"{remote.shown(found_at)} {name or '?'}", f"{type(error).__name__}: {error}")


class _Documents(pystac.StacIO):
    """Reads what a catalogue links as all else is read: with a time limit, again after faults, from S3 too."""

    def read_text(self, source: pystac.link.HREF, *_: Any, **__: Any) -> str:
        address = str(source)
        if remote.is_remote(address):
            return remote.fetched(address).decode("utf-8")
        return Path(address).read_text(encoding="utf-8")

    def write_text(self, dest: pystac.link.HREF, txt: str, *_: Any, **__: Any) -> None:
        raise NotImplementedError(f"catalogues are read only, not written to {dest}")


def asset_address(item: pystac.Item, name: str | None = None) -> str:
    """Path or address of the raster that an item holds: the asset `name`, else the one to be seen.

    Raises SceneError where there is none, or where several could be meant.
    """
    where = f"STAC item {item.id}"
    rasters = {key: asset for key, asset in item.assets.items() if _is_raster(asset)}
    listed = ", ".join(item.assets) or "none"
    if name is not None:
        if name not in item.assets:
            raise SceneError(f"has no asset {name!r}", where=where, remedy=f"Its assets are: {listed}.")
        return _absolute(item, item.assets[name])
    chosen = _seen(rasters)
    if chosen is None:
        found = "no asset that is a raster" if not rasters else "several rasters, none of them named or marked visual"
        raise SceneError(f"has {found}", where=where, remedy=f"Choose one with --asset. Its assets are: {listed}.")
    return _absolute(item, chosen)


def _seen(rasters: dict[str, pystac.Asset]) -> pystac.Asset | None:
    if len(rasters) == 1:
        return next(iter(rasters.values()))
    by_name = [rasters[key] for name in ASSET_NAMES for key in rasters if key.lower() == name]
    by_role = [[a for a in rasters.values() if role in (a.roles or ())] for role in ASSET_ROLES]
    alone = [assets[0] for assets in by_role if len(assets) == 1]
    return next(iter([*by_name, *alone]), None)


def _is_raster(asset: pystac.Asset) -> bool:
    media = (asset.media_type or "").split(";")[0].strip().lower()
    if media:
        return media in RASTER_TYPES and "overview" not in (asset.roles or ())
    return asset.href.lower().split("?")[0].endswith((".tif", ".tiff", ".jp2"))


def _absolute(item: pystac.Item, asset: pystac.Asset) -> str:
    href, base = asset.href, item.get_self_href() or ""
    if remote.is_remote(href) or Path(href).is_absolute():
        return href
    return urljoin(base, href) if remote.is_remote(base) else str(Path(base).parent / href)


def _document(address: str) -> dict[str, Any]:
    try:
        raw = remote.fetched(address) if remote.is_remote(address) else Path(address).read_bytes()
        document = json.loads(raw)
    except OSError as error:
        raise SceneError(
            f"cannot be read ({error.strerror or error})", where=remote.shown(address), remedy="Check the address."
        ) from error
    except (ValueError, RecursionError) as error:
        raise _no_stac(address, f"no JSON: {error}") from error
    if not isinstance(document, dict):
        raise _no_stac(address, "a list")
    return document


def _no_stac(address: str, why: str) -> SceneError:
    remedy = "Give a STAC item, collection or API, or the raster itself."
    return SceneError(f"is no STAC document ({remote.without_keys(why)})", where=remote.shown(address), remedy=remedy)


def _band(dataset: rasterio.DatasetReader, index: int, colour: str | None) -> dict[str, Any]:
    """One band in STAC's words; `bits_per_sample` where the file stores fewer than its type has."""
    dtype, nodata = dataset.dtypes[index - 1], dataset.nodatavals[index - 1]
    bits = dataset.tags(index, ns="IMAGE_STRUCTURE").get("NBITS") or np.dtype(dtype).itemsize * 8
    band: dict[str, Any] = {
        "name": dataset.descriptions[index - 1] or f"b{index}",
        "data_type": dtype,
        "bits_per_sample": int(bits),
        "description": dataset.colorinterp[index - 1].name,
    }
    if colour is not None:
        band["eo:common_name"] = colour
    if nodata is not None:
        band["nodata"] = nodata if np.isfinite(nodata) else str(nodata)
    return band


def _media_type(driver: str) -> str:
    known = {"GTiff": pystac.MediaType.GEOTIFF, "JP2OpenJPEG": pystac.MediaType.JPEG2000, "PNG": pystac.MediaType.PNG}
    return str(known.get(driver, pystac.MediaType.JPEG if driver == "JPEG" else "application/octet-stream"))


def _plain(item: pystac.Item) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(item.to_dict(include_self_link=False, transform_hrefs=False)))
    return document
