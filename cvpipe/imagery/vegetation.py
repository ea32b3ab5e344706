"""How green the ground is by near infrared, where a scene has it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvpipe.imagery.reading import Patch


def vegetation_index(patch: Patch) -> NDArray[np.float32] | None:
    """NDVI, float32 (H, W), -1 to 1: (nir - red) / (nir + red) after Rouse et al. 1974; None without near infrared.

    NaN where a pixel is not valid or both bands are dark. The bands are as the scene stores them: of uncalibrated
    pictures the index is good for comparing places, less so for comparing years.
    """
    if patch.nir is None or patch.red is None:
        return None
    total = patch.nir + patch.red
    seen = patch.valid & (total > 0)
    index = np.full(patch.valid.shape, np.nan, np.float32)
    np.divide(patch.nir - patch.red, total, out=index, where=seen)
    return index
