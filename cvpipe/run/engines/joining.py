"""From a network in this process to the same one on the workers of a cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cvpipe.domain import Scene
from cvpipe.imagery.remote import is_remote
from cvpipe.run.engines.cluster import ray_for
from cvpipe.run.engines.local import LocalEngine
from cvpipe.run.engines.posts import RayOptions
from cvpipe.run.engines.work import Engine

#: Files that each worker tries to open before it begins: a folder that is not mounted lacks all, and a few tell it.
SCENES_TRIED = 100


@contextmanager
def on_cluster(
    local: LocalEngine, options: RayOptions, model: str, device: str, runtime: str, scenes: Sequence[Scene]
) -> Iterator[Engine]:
    """The engine whose workers do what `local` would do, with the bundle `model` on a `device` of theirs, by `runtime`.

    The cluster is joined with the first pairs. Raises UsageError where Ray is not installed.
    """
    ray_for(options.address)
    from cvpipe.run.engines.crew import Outfit
    from cvpipe.run.engines.ray_engine import RayEngine
    from cvpipe.run.engines.worker import CarriedBundle

    bundle = CarriedBundle.of(model, runtime)
    outfit = Outfit(bundle, local.network.digest, local.terms, files_to_try(scenes))
    engine = RayEngine(options, outfit, device, local.runs)
    try:
        yield engine
    finally:
        engine.close()


def files_to_try(scenes: Sequence[Scene]) -> list[str]:
    """Scenes on a disk that can be read here, at most `SCENES_TRIED`, spread over all of them."""
    files = [scene.uri for scene in scenes if not is_remote(scene.uri)]
    spread = files[:: max(-(-len(files) // SCENES_TRIED), 1)]
    return [path for path in spread if os.access(path, os.R_OK) and Path(path).is_file()]
