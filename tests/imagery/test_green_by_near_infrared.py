"""What turned green is measured from near infrared on drawn scenes of 16 bit, whatever the light of the two epochs.

There are no labelled real scenes with near infrared to hold it against: grounds have the reflectance that is typical of
them, epochs their own gain, haze, blur and noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cvpipe.assess.measuring import measure
from cvpipe.domain import ChangeKind, Registration, Surface, VegetationIndex
from cvpipe.imagery import SceneReader, vegetation_index

from .conftest import WriteRaster

SIDE = 200

#: Reflectance in red, green, blue and near infrared.
GROUNDS = {
    "soil": (0.22, 0.17, 0.12, 0.29),
    "asphalt": (0.11, 0.10, 0.09, 0.13),
    "roof": (0.30, 0.16, 0.12, 0.36),
    "water": (0.04, 0.06, 0.05, 0.02),
    "grass": (0.06, 0.10, 0.05, 0.40),
    "trees": (0.04, 0.07, 0.03, 0.36),
}


@dataclass(frozen=True)
class Light:
    """Of one epoch: how strong, what haze adds to red (to near infrared a quarter of it), blur in pixels, noise."""

    gain: float = 1.0
    haze: float = 0.0
    blur_px: float = 0.7
    noise: float = 0.004


LIGHTS = {
    "alike": (Light(), Light()),
    "low sun": (Light(), Light(gain=0.55, noise=0.006)),
    "hazy later": (Light(), Light(gain=0.9, haze=0.02, blur_px=1.2)),
    "hazy earlier": (Light(gain=0.8, haze=0.02, blur_px=1.2), Light(gain=1.1)),
}


def ground(*, greened: bool) -> NDArray[np.float32]:
    """Reflectance (4, H, W): soil with a street, roofs, a pond, trees; where it greened a lawn and more trees."""
    kinds = np.full((SIDE, SIDE), "soil", object)
    kinds[:, 90:104] = "asphalt"
    kinds[20:60, 120:180] = "roof"
    kinds[150:190, 20:70] = "water"
    kinds[10:40, 10:80] = "trees"
    if greened:
        kinds[60:120, 10:80] = "grass"
        kinds[80:180, 140:160] = "trees"
    return np.moveaxis(np.array([[GROUNDS[kind] for kind in row] for row in kinds], np.float32), 2, 0)


#: Pixels of the lawn and of the row of trees.
GREENED_PX = 60 * 70 + 100 * 20


def stored(reflectance: NDArray[np.float32], light: Light, seed: int) -> NDArray[np.uint16]:
    """The four bands as a sensor of 16 bit stores them, ten thousand to a reflectance of 1."""
    rng = np.random.default_rng(seed)
    haze = light.haze * np.array([1.0, 1.3, 1.7, 0.25])
    seen = np.stack([cv2.GaussianBlur(band, (0, 0), light.blur_px) for band in reflectance])
    seen = light.gain * seen + haze[:, None, None] + rng.normal(0, light.noise, seen.shape)
    return np.clip(np.rint(seen * 10_000), 1, 65_535).astype(np.uint16)


def gained_by(write_raster: WriteRaster, later: NDArray[np.float32], lights: tuple[Light, Light]) -> VegetationIndex:
    """What the near infrared of two scenes tells, read and measured as a site's is; pixels of 1 m²."""
    indexes = []
    for seed, (picture, light) in enumerate(zip((ground(greened=False), later), lights, strict=True)):
        path = write_raster(stored(picture, light, seed), f"{seed}.tif")
        with SceneReader(path, nir_band=4) as reader:
            indexes.append(vegetation_index(reader.read(reader.grid)))
    everywhere = np.ones((SIDE, SIDE), np.uint8)
    found = measure(
        surface_before=everywhere * Surface.BARE,
        surface_after=everywhere * Surface.BARE,
        change=dict.fromkeys(ChangeKind, everywhere * 0),
        usable=everywhere > 0,
        inside=everywhere > 0,
        retained=None,
        pixel_area_m2=1.0,
        registration=Registration(),
        reasons=(),
        index=(indexes[0], indexes[1]),
    ).index
    assert found is not None
    return found


@pytest.mark.parametrize("lights", LIGHTS.values(), ids=LIGHTS)
def test_what_turned_green_is_measured(write_raster: WriteRaster, lights: tuple[Light, Light]) -> None:
    """Within 5 % of what was drawn."""
    assert gained_by(write_raster, ground(greened=True), lights).gained_m2 == pytest.approx(GREENED_PX, rel=0.05)


@pytest.mark.parametrize("lights", LIGHTS.values(), ids=LIGHTS)
def test_light_alone_turns_nothing_green(write_raster: WriteRaster, lights: tuple[Light, Light]) -> None:
    """At most 0.5 % of the ground."""
    assert gained_by(write_raster, ground(greened=False), lights).gained_m2 < 0.005 * SIDE * SIDE
