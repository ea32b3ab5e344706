"""What comes with cvpipe beside its code: released networks and commented settings.

In a checkout they are the folders `models/` and `configs/` beside the package; a wheel carries both inside the package,
in `cvpipe/_shipped/`, so that an installed cvpipe needs no checkout.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent
_CARRIED = _PACKAGE / "_shipped"


def shipped(part: Literal["models", "configs"]) -> Path:
    """The folder of what ships: carried by the package, else beside it in the checkout."""
    return (_CARRIED if _CARRIED.is_dir() else _PACKAGE.parent) / part


def is_carried(place: Path) -> bool:
    """Whether a file or folder lies inside the installed package, which is replaced as a whole at the next update."""
    return place.resolve().is_relative_to(_CARRIED)


def config_file(path: Path) -> Path:
    """A settings file or folder as it is named: where it is not there, `configs/…` names the one that ships."""
    if path.exists() or path.is_absolute() or path.parts[:1] != ("configs",):
        return path
    carried = shipped("configs").joinpath(*path.parts[1:])
    return carried if carried.exists() else path
