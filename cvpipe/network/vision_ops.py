"""Lets torchvision be imported beside a torch build that its compiled operators do not fit.

torchvision's wheel on the package index is built against CUDA. Beside a CPU build of torch its `_C` library cannot
load, and `import torchvision` then dies with "operator torchvision::nms does not exist", since it registers fake
kernels for operators that were never defined; timm and segmentation-models-pytorch die with it. cvpipe uses none of
those operators, so declaring their signatures is enough.

Import this module before anything that imports torchvision, in worker processes too; `cvpipe.network` does so.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
from pathlib import Path

import torch

_DECLARED: list[torch.library.Library] = []
"""Keeps the declarations alive: torch forgets a library's operators when its object is collected."""


def declare_missing_ops() -> bool:
    """Declare `torchvision::nms` and `qnms` where the compiled library cannot; True where that was needed."""
    if _DECLARED:
        return True
    if hasattr(torch.ops.torchvision, "nms") or _compiled_ops_load():
        return False
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _DECLARED.append(library)
    return True


def _compiled_ops_load() -> bool:
    """Whether torchvision is absent (nothing to mend) or its `_C` library loads into this torch."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return True
    folder = Path(next(iter(spec.submodule_search_locations)))
    libraries = [p for s in importlib.machinery.EXTENSION_SUFFIXES for p in folder.glob(f"_C{s}")]
    if not libraries:
        return False
    try:
        torch.ops.load_library(libraries[0])
    except OSError:
        return False
    return hasattr(torch.ops.torchvision, "nms")


declare_missing_ops()
