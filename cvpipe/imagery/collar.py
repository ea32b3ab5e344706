"""The black collar: the undeclared empty triangles and strips around rotated or clipped scenes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.geo import Grid
from cvpipe.imagery import warping
from cvpipe.imagery.bands import StoredValues

#: Highest stored value of a collar: JPEG leaves 0 to 2 there.
COLLAR_BLACK = 2

#: A patch with a smaller share of black pixels than this is not searched for a collar (roofs and shadows are rarer).
COLLAR_SHARE = 0.002

#: A collar takes at least this share of the scene's edge; deep shadow that happens to touch the edge takes less.
COLLAR_EDGE_SHARE = 0.02

#: Pixels by which the collar found in a patch is widened: so far the kernels of resampling and of JPEG smear it.
RIM_PX = 2


def scene_collar(values: StoredValues) -> NDArray[np.bool_]:
    """Black areas of an overview (bands, H, W; stored values) that are joined to its edge, bool (H, W)."""
    black = np.asarray((values <= COLLAR_BLACK).all(axis=0))
    edge = np.concatenate([black[0], black[-1], black[:, 0], black[:, -1]])
    if not np.issubdtype(values.dtype, np.integer) or edge.mean() < COLLAR_EDGE_SHARE:
        return np.zeros_like(black)
    framed = np.pad(black, 1, constant_values=True).astype(np.uint8)
    _, labels = cv2.connectedComponents(framed, connectivity=4)
    return np.asarray((labels[1:-1, 1:-1] == labels[0, 0]) & black)


def in_collar(black: NDArray[np.bool_], grid: Grid, collar: NDArray[np.bool_], scene: Grid) -> NDArray[np.bool_]:
    """Pixels of a patch inside the scene's collar, bool (H, W).

    `black` (H, W) are the patch's black pixels on `grid`; `collar` covers the whole of `scene`, coarsely, so it is
    widened by one of its pixels. The answer is `RIM_PX` wider than the black itself.
    """
    height, width = collar.shape
    x, y = warping.control_net(grid, scene).maps((0, 0), (scene.width / width, scene.height / height))
    near = cv2.remap(_widened(collar, 1), x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    return _widened(black & (np.asarray(near) > 0), RIM_PX).astype(bool)


def _widened(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.uint8]:
    around = np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)
    return np.asarray(cv2.dilate(mask.astype(np.uint8), around), np.uint8)
