"""From a raster's bands to red, green and blue in 8 bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags

from cvpipe.errors import SceneError

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

_RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)


@dataclass(frozen=True)
class Bands:
    """Which bands (counted from 1) are read as red, green, blue, and how the raster marks its invalid pixels.

    `indexes` has one entry for grey and palette pictures and three otherwise; `palette` is uint8 (256, 3).
    `alpha` is the alpha band. `masked` tells that nodata or a mask is declared.
    """

    indexes: tuple[int, ...]
    alpha: int | None
    masked: bool
    palette: NDArray[np.uint8] | None

    @property
    def declares_validity(self) -> bool:
        """Whether the raster itself says which of its pixels are valid."""
        return self.masked or self.alpha is not None

    @classmethod
    def of(cls, dataset: rasterio.DatasetReader) -> Bands:
        """Choose by colour interpretation where it names red, green and blue, else the first three bands.

        Raises SceneError for two bands that are not grey and alpha, and for many of which none is marked.
        """
        meanings = list(dataset.colorinterp)
        alpha = meanings.index(ColorInterp.alpha) + 1 if ColorInterp.alpha in meanings else None
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
        return cls(indexes, alpha, masked, palette)


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
        return cls(low, np.maximum(high, low + np.float32(1e-6)))

    def apply(self, values: StoredValues) -> NDArray[np.uint8]:
        """Values (bands, H, W) as uint8; what is not finite becomes 0."""
        scaled = (values.astype(np.float32) - self.low) * (255 / (self.high - self.low))
        return np.asarray(np.nan_to_num(np.clip(np.rint(scaled), 0, 255)), np.uint8)


def needs_stretch(dataset: rasterio.DatasetReader, bands: Bands) -> bool:
    """Whether the raster's values must be scaled; 8 bit values are taken as they are."""
    return any(dataset.dtypes[i - 1] != "uint8" for i in bands.indexes)


def as_rgb(values: NDArray[np.uint8], palette: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """uint8 (1 or 3, H, W) as contiguous (H, W, 3); grey is repeated, palette entries are looked up."""
    if palette is not None:
        return np.asarray(palette[values[0]], np.uint8)
    if len(values) == 1:
        return np.repeat(values[0][:, :, None], 3, axis=2)
    return np.asarray(cv2.merge(list(values)), np.uint8)


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
