"""The camera: haze, exposure, blur, noise and JPEG on a lit scene."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.world.canvas import U8
from cvpipe.world.style import Look

#: Colour of the veil that haze lays over a picture, R, G, B.
_VEIL = (196, 202, 208)
#: Noise is drawn for a square of this side and repeated, turned, over larger pictures.
_GRAIN_PX = 512


def exposed(scene: U8, look: Look) -> U8:
    """(H, W, 3) the scene through haze and exposure: one table per channel."""
    tables = np.stack([_curve(look, channel) for channel in range(3)], axis=-1)[:, None, :]
    return np.asarray(cv2.LUT(scene, tables), np.uint8)


def _curve(look: Look, channel: int) -> U8:
    values = np.arange(256, dtype=np.float64) * look.brightness
    values *= 1 + look.warmth * (1, 0, -1)[channel]
    values = (values - 110) * look.contrast + 110
    values = values * (1 - look.haze) + _VEIL[channel] * look.haze
    # The shoulder of film and of every camera's tone curve: roofs keep their drawing instead of burning out.
    bright = values > 205
    values[bright] = 205 + 50 * np.tanh((values[bright] - 205) / 50)
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def blurred(scene: U8, look: Look) -> U8:
    """The scene through the optics: a Gaussian of `look.blur_px`."""
    size = 3 if look.blur_px < 0.7 else 5
    return np.asarray(cv2.GaussianBlur(scene, (size, size), look.blur_px), np.uint8)


def noisy(scene: U8, look: Look, seed: int) -> U8:
    """The scene with the camera's noise, stronger in brightness than in colour; in place."""
    rng = np.random.default_rng(seed)
    grey = rng.normal(0, look.noise, (_GRAIN_PX, _GRAIN_PX, 1))
    grains = np.round(grey + rng.normal(0, look.noise * 0.5, (_GRAIN_PX, _GRAIN_PX, 3))).astype(np.int16)
    turned = [
        tuple(np.ascontiguousarray(np.rot90(part, turn)) for part in (_bytes(grains), _bytes(-grains)))
        for turn in range(4)
    ]
    for row in range(0, scene.shape[0], _GRAIN_PX):
        for col in range(0, scene.shape[1], _GRAIN_PX):
            part = scene[row : row + _GRAIN_PX, col : col + _GRAIN_PX]
            more, less = turned[(row * 7 + col * 3) // _GRAIN_PX % 4]
            height, width = part.shape[:2]
            part[:] = cv2.subtract(cv2.add(part, more[:height, :width]), less[:height, :width])
    return scene


def _bytes(values: NDArray[np.int16]) -> U8:
    return np.clip(values, 0, 255).astype(np.uint8)


def shifted(scene: U8, shift_px: tuple[float, float]) -> U8:
    """The scene with its content moved right and down by `shift_px` (x, y); mirrored at the edge."""
    if shift_px == (0.0, 0.0):
        return scene
    move = np.array([[1, 0, shift_px[0]], [0, 1, shift_px[1]]], np.float32)
    size = scene.shape[1], scene.shape[0]
    return np.asarray(
        cv2.warpAffine(scene, move, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101), np.uint8
    )


def compressed(scene: U8, quality: int) -> U8:
    """The scene after a round through JPEG."""
    done, data = cv2.imencode(".jpg", scene[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done, "OpenCV writes JPEG in memory"
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(decoded[..., ::-1])


def photographed(scene: U8, look: Look, seed: int) -> U8:
    """(H, W, 3) what the camera makes of a lit scene, JPEG left out (`compressed` adds it)."""
    return noisy(blurred(exposed(scene, look), look), look, seed)
