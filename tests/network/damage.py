"""Ways in which a bundle's folder can be altered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

Tensors = dict[str, np.ndarray]


def edit_item(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Alter `item.json` in place."""
    path = folder / "item.json"
    item = json.loads(path.read_text(encoding="utf-8"))
    edit(item)
    path.write_text(json.dumps(item), encoding="utf-8")


def edit_settings(folder: Path, **values: Any) -> None:
    """Set keys of what the item says of the bundle."""
    edit_item(folder, lambda item: item["properties"]["cvpipe:bundle"].update(values))


def edit_tensors(path: Path, edit: Callable[[Tensors], object]) -> None:
    """Alter a safetensors file in place."""
    tensors = load_file(path)
    edit(tensors)
    save_file(tensors, path)


def sign_weights(folder: Path) -> None:
    """Make `item.json` name the weights that lie there, as someone would who means to deceive."""
    _sign(folder, "weights")


def sign_golden(folder: Path) -> None:
    """The same for the golden tile."""
    _sign(folder, "golden")


def _sign(folder: Path, asset: str) -> None:
    digest = hashlib.sha256((folder / f"{asset}.safetensors").read_bytes()).hexdigest()
    edit_item(folder, lambda item: item["assets"][asset].update({"file:checksum": f"1220{digest}"}))
