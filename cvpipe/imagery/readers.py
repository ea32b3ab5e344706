"""Open rasters by scene: each opened once, never too many at a time."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import ExitStack

from cvpipe.domain import Scene
from cvpipe.errors import SceneError
from cvpipe.imagery.reading import SceneReader

#: Scenes that are open at a time: far more than one pair has, and far fewer than the 1,024 files of a usual limit.
MOST_OPEN = 64


class SceneReaders:
    """Readers by scene, each opened when first asked for, and closed by the stack. For one thread.

    At most `MOST_OPEN` are open, those that were asked for last: a district of many tiles has more files than a
    process may open. A scene that could not be opened is not tried again: a server that does not answer costs its time
    once.
    """

    def __init__(self, stack: ExitStack) -> None:
        self._opened: OrderedDict[str, SceneReader] = OrderedDict()
        self._failed: dict[str, SceneError] = {}
        stack.callback(self._close)

    def __call__(self, scene: Scene) -> SceneReader:
        """The reader of a scene. Raises SceneError."""
        name = scene.content_hash
        if name in self._failed:
            raise self._failed[name]
        if name not in self._opened:
            self._open(name, scene)
        self._opened.move_to_end(name)
        return self._opened[name]

    def _open(self, name: str, scene: Scene) -> None:
        if len(self._opened) >= MOST_OPEN:
            self._opened.popitem(last=False)[1].close()
        try:
            self._opened[name] = SceneReader.of(scene)
        except SceneError as error:
            self._failed[name] = error
            raise

    def _close(self) -> None:
        while self._opened:
            self._opened.popitem()[1].close()
