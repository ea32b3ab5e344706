"""torchvision and what needs it can be imported once `cvpipe.network` has been, in every process."""

from __future__ import annotations

from importlib import import_module
from multiprocessing import get_context

import torch

from cvpipe.network import vision_ops


def imported_versions() -> dict[str, str]:
    """Versions of the libraries that need torchvision's operators; run in a worker."""
    names = ("cvpipe.network", "torchvision", "timm", "segmentation_models_pytorch")
    _, *libraries = [import_module(name) for name in names]
    return {library.__name__: library.__version__ for library in libraries}


def test_the_libraries_import_here() -> None:
    assert all(imported_versions().values())


def test_the_libraries_import_in_a_spawned_worker() -> None:
    with get_context("spawn").Pool(1) as pool:
        assert pool.apply(imported_versions) == imported_versions()


def test_the_operator_is_there_and_declaring_twice_is_harmless() -> None:
    first = vision_ops.declare_missing_ops()
    assert vision_ops.declare_missing_ops() is first
    assert hasattr(torch.ops.torchvision, "nms")
