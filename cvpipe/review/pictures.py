"""Pictures of epochs on a site's frame, in one stretch for all of them; kept while there is room."""

from __future__ import annotations

import hashlib
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from shapely import to_wkb

from cvpipe.domain import SURFACE_COLOURS, Scene, Surface
from cvpipe.geo import Grid
from cvpipe.imagery import MosaicReader, Patch, SceneReader, as_jpeg, read_surfaces, stretch_table, stretched
from cvpipe.imagery.surface_maps import Role
from cvpipe.review.frames import Epoch, Frame

#: Bytes of encoded pictures that are kept: some five hundred sites with two epochs each.
CACHE_BYTES = 256_000_000

#: Bytes of read pixels that are kept, so that the second epoch's stretch does not read the first one again.
PATCH_BYTES = 128_000_000

#: Open rasters kept per scene; each reviewer who looks at the same moment needs one.
IDLE_READERS = 4

#: JPEG quality: at 85 roofs and tree crowns show no blocks.
QUALITY = 85

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """The last used values, up to a size in bytes; whoever asks for one that is being made waits for it."""

    def __init__(self, size: int, size_of: Callable[[Value], int]) -> None:
        self._room, self._size_of = size, size_of
        self._values: OrderedDict[Any, Value] = OrderedDict()
        self._being_made: defaultdict[Any, Lock] = defaultdict(Lock)
        self._lock = Lock()

    def get(self, key: Any, make: Callable[[], Value]) -> Value:
        """The value of a key, made if it is not there."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            turn = self._being_made[key]
        with turn:
            with self._lock:
                if key in self._values:
                    return self._values[key]
            value = make()
            self._put(key, value)
            return value

    def _put(self, key: Any, value: Value) -> None:
        with self._lock:
            self._values[key] = value
            self._room -= self._size_of(value)
            while self._room < 0 and len(self._values) > 1:
                self._room += self._size_of(self._values.popitem(last=False)[1])
            self._being_made.pop(key, None)


class Readers:
    """Open rasters, lent to one thread at a time."""

    def __init__(self) -> None:
        self._idle: defaultdict[str, list[SceneReader]] = defaultdict(list)
        self._lock = Lock()

    @contextmanager
    def lent(self, scene: Scene) -> Iterator[SceneReader]:
        """A reader of a scene. Raises SceneError where it cannot be opened."""
        with self._lock:
            idle = self._idle[scene.uri]
            reader = idle.pop() if idle else None
        reader = reader or SceneReader(scene.uri)
        try:
            yield reader
        except BaseException:
            reader.close()
            raise
        self._give_back(scene, reader)

    def close(self) -> None:
        """Close all that are not lent."""
        with self._lock:
            for readers in self._idle.values():
                while readers:
                    readers.pop().close()

    def _give_back(self, scene: Scene, reader: SceneReader) -> None:
        with self._lock:
            if len(self._idle[scene.uri]) < IDLE_READERS:
                self._idle[scene.uri].append(reader)
                return
        reader.close()


class Pictures:
    """Encoded pictures of epochs on frames. `pair` is the assessment whose two epochs set the stretch."""

    def __init__(self) -> None:
        self._readers = Readers()
        self._encoded: Kept[bytes] = Kept(CACHE_BYTES, len)
        self._patches: Kept[Patch] = Kept(PATCH_BYTES, lambda patch: patch.pixels.nbytes)
        self._tables: Kept[NDArray[np.uint8]] = Kept(4_000_000, lambda table: table.nbytes)

    def close(self) -> None:
        """Close the rasters."""
        self._readers.close()

    def jpeg(self, pair: str, frame: Frame, grid: Grid, epoch: Epoch, both: tuple[Epoch, Epoch]) -> bytes:
        """A picture of `epoch` on `grid`, which lies in the frame's CRS, stretched as both epochs of the pair are.

        Raises SceneError where a scene cannot be read.
        """
        key = (pair, content_of(epoch, both), grid.transform[:6], grid.width)
        return self._encoded.get(key, lambda: self._made(pair, frame, grid, epoch, both))

    def surfaces_png(self, path: Path, role: Role, grid: Grid) -> bytes:
        """What covered the ground at one epoch, in the colours of its classes; nothing where nothing is known.

        Raises SceneError where the map cannot be read.
        """
        key = (path.name, role, grid.transform[:6], grid.width)
        return self._encoded.get(key, lambda: _coloured(read_surfaces(path, role, grid)))

    def _made(self, pair: str, frame: Frame, grid: Grid, epoch: Epoch, both: tuple[Epoch, Epoch]) -> bytes:
        table = self._tables.get(
            (pair, content_of(both[0], both)),
            lambda: stretch_table(*(self._patch(frame, frame.picture, e) for e in both)),
        )
        patch = self._patch(frame, grid, epoch) if grid is frame.picture else self._read(frame, grid, epoch)
        return as_jpeg(stretched(patch, table), QUALITY)

    def _patch(self, frame: Frame, grid: Grid, epoch: Epoch) -> Patch:
        key = (epoch.name, epoch.registration, grid.transform[:6], grid.width, str(frame.crs))
        return self._patches.get(key, lambda: self._read(frame, grid, epoch))

    def _read(self, frame: Frame, grid: Grid, epoch: Epoch) -> Patch:
        with ExitStack() as stack:
            readers = [stack.enter_context(self._readers.lent(scene)) for scene in epoch.scenes]
            return frame.read(MosaicReader(readers), grid, epoch)


def content_of(epoch: Epoch, both: tuple[Epoch, Epoch]) -> str:
    """What a picture of an epoch is made from, as a short digest: its scenes and how they lie, and both stretched ones.

    A later run may align an epoch better, or fill its holes: the picture is another one then.
    """
    made_from = [(*(s.content_hash for s in e.scenes), e.registration, _told(e)) for e in (epoch, *both)]
    return hashlib.blake2b(repr(made_from).encode(), digest_size=8).hexdigest()


def _told(epoch: Epoch) -> tuple[str, float, float]:
    """On what a run compared it."""
    return to_wkb(epoch.compared.outline, hex=True), epoch.compared.pixel_m, epoch.compared.margin_m


def _coloured(codes: NDArray[np.uint8]) -> bytes:
    """Codes (H, W) as a PNG in the classes' colours, transparent where nothing is known."""
    shades = np.zeros((256, 4), np.uint8)  # blue, green, red, opacity, as OpenCV has them
    for surface, (red, green, blue) in SURFACE_COLOURS.items():
        shades[surface] = (blue, green, red, 0 if surface is Surface.NO_DATA else 255)
    fits, data = cv2.imencode(".png", shades[codes])
    assert fits, "any array of bytes becomes a PNG"
    return data.tobytes()


__all__ = ["Pictures", "content_of"]
