"""A thread's own memory for passing results: new memory costs as much as the filter that writes it."""

from __future__ import annotations

import math
from threading import local
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

#: Bytes that a thread keeps under one name, at most; larger arrays are new each time.
KEPT_BYTES = 8 * 2**20

_own = local()


def kept(name: str, shape: tuple[int, ...], kind: DTypeLike) -> NDArray[Any]:
    """An array of whatever values, good until the thread asks for the name again; not to be handed on."""
    size = math.prod(shape) * np.dtype(kind).itemsize
    memory = getattr(_own, name, None)
    if memory is None or memory.size < size:
        memory = np.empty(size, np.uint8)
        if size <= KEPT_BYTES:
            setattr(_own, name, memory)
    return np.asarray(memory[:size].view(kind).reshape(shape))
