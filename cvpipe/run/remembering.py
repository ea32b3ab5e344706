"""What a network made of earlier epochs, kept in the workspace's `cache/` for the next new scene.

A saving of time alone: the folder may be removed at any time, and answers are the same with it and without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cvpipe.detect import Network
from cvpipe.network import bundle

#: Folder of the features below a workspace's `cache/`.
FEATURES_NAME = "features"


def remember(network: Network, cache: Path, gigabytes: float) -> None:
    """Let a network keep what it makes of earlier epochs, at most `gigabytes` of it; 0 keeps nothing.

    Networks on a GPU, in OpenVINO, or without a trunk for each epoch have nothing to keep.
    """
    if gigabytes > 0 and isinstance(network, bundle.Network):
        network.remember(cache / FEATURES_NAME, int(gigabytes * 1e9))


@contextmanager
def forgetting(network: Network) -> Iterator[None]:
    """For whole scenes, which would drive out all that is kept of sites."""
    if not isinstance(network, bundle.Network):
        yield
        return
    memory, network.memory = network.memory, None
    try:
        yield
    finally:
        network.memory = memory
