"""From a raster's bands to red, green and blue in 8 bits, and to near infrared where there is some."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError
from rasterio.windows import Window

from cvpipe.errors import SceneError
from cvpipe.imagery.scratch import kept

StoredValues = NDArray[Any]
"""Pixel values (bands, H, W) of whatever type the raster has."""

#: Percentiles of each band that become 0 and 255 where a scene is not 8 bit: the usual "2–98 %" stretch of
#: remote-sensing viewers, which leaves glints and deep shadow out of the scale.
STRETCH_PERCENTILES = (2.0, 98.0)

#: Colour bands of a raster that marks none as red, green, blue of which the first three are taken for them: RGB and RGB
#: with near infrared. More are a sensor's own bands, whose order says nothing (Sentinel-2 begins with coastal blue).
MOST_UNMARKED_BANDS = 4

#: Longer side in pixels of the overview that scene statistics are taken from: 1 Mpx is enough for a percentile.
OVERVIEW_SIDE_PX = 1024

#: Side in pixels of each of five places that are read to tell a fourth band from a mask.
SAMPLE_SIDE_PX = 64

_RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)

#: What suppliers write in the description of the band.
_NIR_DESCRIPTION = re.compile(r"\bnir(08)?\b|\bnear[ _-]?infra[ _-]?red\b|近红外", re.IGNORECASE)

#: Meanings of a fourth band that is marked as nothing.
_UNMARKED = (ColorInterp.undefined, ColorInterp.gray)


@dataclass(frozen=True)
class Bands:
    """Which bands (counted from 1) are read as red, green, blue, and how the raster marks its invalid pixels.

    `indexes` has one entry for grey and palette pictures and three otherwise; `palette` is uint8 (256, 3).
    `alpha` is the alpha band. `masked` tells that nodata or a mask is declared. `nir` is the near infrared band, if
    any, read after the others; `linear` (2, 2) are scale and offset of near infrared and of red.
    """

    indexes: tuple[int, ...]
    alpha: int | None
    masked: bool
    palette: NDArray[np.uint8] | None
    nir: int | None = None
    linear: tuple[tuple[float, float], tuple[float, float]] = ((1.0, 0.0), (1.0, 0.0))

    @property
    def read(self) -> tuple[int, ...]:
        """All bands whose values are read: the colours, then near infrared."""
        return self.indexes if self.nir is None else (*self.indexes, self.nir)

    def infrared(self, values: StoredValues) -> NDArray[np.float32] | None:
        """Near infrared and red, float32 (H, W, 2), of the values of `read` (bands, H, W); None where there is none."""
        if self.nir is None:
            return None
        planes = np.stack([values[-1], values[0]], axis=2).astype(np.float32)
        if self.linear != ((1.0, 0.0), (1.0, 0.0)):
            scale, offset = np.array(self.linear, np.float32).T
            planes = planes * scale + offset
        return np.nan_to_num(planes, copy=False, posinf=0, neginf=0)

    @property
    def common_names(self) -> dict[int, str]:
        """STAC's common names of the bands of which the colour is known, by band."""
        if len(self.indexes) != len(_RGB):
            return {}
        names = {index: colour.name for index, colour in zip(self.indexes, _RGB, strict=True)}
        return names if self.nir is None else {**names, self.nir: "nir"}

    @property
    def declares_validity(self) -> bool:
        """Whether the raster itself says which of its pixels are valid."""
        return self.masked or self.alpha is not None

    @classmethod
    def of(cls, dataset: rasterio.DatasetReader, nir_band: int | None = None) -> Bands:
        """Choose by colour interpretation where it names red, green and blue, else the first three bands.

        Near infrared is `nir_band`, else the band whose colour interpretation or description says so, else the fourth
        where it follows red, green and blue, the order of all four-band aerial cameras, and holds no mask: marked as
        nothing, or as alpha by an export that takes any fourth band for one. Some of its pixels are read to tell.

        Raises SceneError for two bands that are not grey and alpha, for many of which none is marked, and for a
        `nir_band` that there is not.
        """
        meanings = list(dataset.colorinterp)
        alpha = _alpha(dataset, nir_band)
        colours = [i for i in range(1, dataset.count + 1) if i != alpha]
        palette = _palette(dataset) if meanings[0] is ColorInterp.palette else None
        if all(colour in meanings for colour in _RGB):
            indexes = tuple(meanings.index(colour) + 1 for colour in _RGB)
        elif len(colours) == 1:
            indexes = (colours[0],)
        elif 3 <= len(colours) <= MOST_UNMARKED_BANDS:
            indexes = tuple(colours[:3])
        elif len(colours) > MOST_UNMARKED_BANDS:
            raise SceneError(
                f"has {len(colours)} bands, none of them marked red, green and blue",
                where=dataset.name,
                remedy="Mark them (gdal_edit.py -colorinterp_N red …), or export three bands.",
            )
        else:
            raise SceneError(
                f"has {len(colours)} colour band(s): neither grey nor red, green, blue",
                where=dataset.name,
                remedy="Give a grey or an RGB raster.",
            )
        flags = dataset.mask_flag_enums[indexes[0] - 1]
        masked = MaskFlags.all_valid not in flags and MaskFlags.alpha not in flags
        nir = _near_infrared(dataset, indexes, alpha, nir_band) if len(indexes) == len(_RGB) else None
        if nir is None:
            return cls(indexes, alpha, masked, palette)
        nir_scale, red_scale = ((dataset.scales[i - 1], dataset.offsets[i - 1]) for i in (nir, indexes[0]))
        return cls(indexes, alpha, masked, palette, nir, (nir_scale, red_scale))


@dataclass(frozen=True)
class Stretch:
    """Linear scale of each band read: `low` becomes 0, `high` 255; float32 of shape (bands, 1, 1)."""

    low: NDArray[np.float32]
    high: NDArray[np.float32]

    @classmethod
    def of_values(cls, values: StoredValues, valid: NDArray[np.bool_]) -> Stretch:
        """From sample values (bands, H, W) and the pixels that count (H, W); 0..1 where there are none."""
        bounds = [_percentiles(band[valid & np.isfinite(band)]) for band in values]
        low, high = np.array(bounds, dtype=np.float32).T[:, :, None, None]
        least = np.float32(1e-6) * np.maximum(np.abs(low), 1)  # what a float32 can still tell apart
        return cls(low, np.maximum(high, low + least))

    def apply(self, values: StoredValues) -> NDArray[np.uint8]:
        """Values (bands, H, W) as uint8; what is not finite becomes 0."""
        scaled = (values.astype(np.float32) - self.low) * (255 / (self.high - self.low))
        return np.asarray(np.nan_to_num(np.clip(np.rint(scaled), 0, 255)), np.uint8)


def needs_stretch(dataset: rasterio.DatasetReader, bands: Bands) -> bool:
    """Whether the raster's values must be scaled; 8 bit values are taken as they are."""
    return any(dataset.dtypes[i - 1] != "uint8" for i in bands.indexes)


def as_rgb(values: NDArray[np.uint8], palette: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """uint8 (1 or 3, H, W) as contiguous (H, W, 3); grey is repeated, palette entries are looked up.

    It holds until the thread asks for another.
    """
    if palette is not None:
        return np.asarray(palette[values[0]], np.uint8)
    if len(values) == 1:
        return np.repeat(values[0][:, :, None], 3, axis=2)
    return np.asarray(cv2.merge(list(values), kept("rgb", (*values.shape[1:], 3), np.uint8)), np.uint8)


def _alpha(dataset: rasterio.DatasetReader, nir_band: int | None) -> int | None:
    """The band marked as alpha, unless it is stated to be near infrared, or is a fourth one that shows ground."""
    meanings = dataset.colorinterp
    if ColorInterp.alpha not in meanings:
        return None
    marked = int(meanings.index(ColorInterp.alpha)) + 1
    if marked == nir_band or (marked == dataset.count == len(_RGB) + 1 and _shows_ground(_sampled(dataset, marked))):
        return None
    return marked


def _near_infrared(
    dataset: rasterio.DatasetReader, colours: tuple[int, ...], alpha: int | None, stated: int | None
) -> int | None:
    meanings = dataset.colorinterp
    if stated is not None:
        if not 1 <= stated <= dataset.count or stated in colours:
            found = f"has no band {stated} that could be near infrared ({dataset.count} bands, colours in {colours})"
            raise SceneError(found, where=dataset.name, remedy="State another band, or none.")
        return stated
    if ColorInterp.nir in meanings:
        return int(meanings.index(ColorInterp.nir)) + 1
    described = [i + 1 for i, said in enumerate(dataset.descriptions) if said and _NIR_DESCRIPTION.search(said)]
    if described and described[0] not in colours:
        return described[0]
    if dataset.count != 4 or sorted(colours) != [1, 2, 3] or alpha is not None or dataset.descriptions[3]:
        return None
    is_told = meanings[3] is ColorInterp.alpha  # by the file, but it shows ground
    is_unmarked = meanings[3] in _UNMARKED and not _is_mask(_sampled(dataset, 4))
    return 4 if is_told or is_unmarked else None


def _sampled(dataset: rasterio.DatasetReader, band: int) -> StoredValues:
    """Values of a band (n,) from five places of the raster; none where they cannot be read, which others tell."""
    side = [min(SAMPLE_SIDE_PX, length) for length in dataset.shape]
    places = ((0.5, 0.5), (0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75))
    corners = [
        [round(share * (length - one)) for share, length, one in zip(place, dataset.shape, side, strict=True)]
        for place in places
    ]
    try:
        read = [dataset.read(band, window=Window(col, row, side[1], side[0])) for row, col in corners]
    except RasterioError:
        return np.empty(0, dataset.dtypes[band - 1])
    return np.concatenate([values.ravel() for values in read])


def _shows_ground(values: StoredValues) -> bool:
    """Whether values are evidently no mask: more than two, none of which holds half of what is not 0.

    A mask with soft edges has many values too, but is opaque nearly everywhere.
    """
    found, counts = np.unique(values, return_counts=True)
    of_ground = counts[found != 0]
    return len(found) > 2 and of_ground.max() < of_ground.sum() / 2


def _is_mask(values: StoredValues) -> bool:
    """Whether there are values and all say yes or no."""
    yes = np.iinfo(values.dtype).max if values.dtype.kind in "ui" else 1
    return values.size > 0 and bool(np.isin(values, (0, 1, yes)).all())


def _palette(dataset: rasterio.DatasetReader) -> NDArray[np.uint8]:
    table = np.zeros((256, 3), np.uint8)
    for entry, colour in dataset.colormap(1).items():
        if entry < len(table):
            table[entry] = colour[:3]
    return table


def _percentiles(values: StoredValues) -> tuple[float, float]:
    if values.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(values, STRETCH_PERCENTILES)
    return float(low), float(high)
