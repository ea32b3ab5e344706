"""What a machine and a workspace need, one check each: what was found, whether it will do, and how to mend it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

import rasterio
import rasterio.drivers
import torch

import cvpipe
from cvpipe.errors import CvpipeError
from cvpipe.geo import Bounds
from cvpipe.imagery.remote import shown
from cvpipe.ledger import Workspace
from cvpipe.network.bundle import check_golden, find_bundle, load_bundle, models_dirs
from cvpipe.network.processor import has_fast_bf16, pick_device
from cvpipe.network.vision_ops import declare_missing_ops
from cvpipe.run.watching import reached, watched_places
from cvpipe.settings import WatchedPlace

#: Libraries whose version is worth a line: results or file formats hang on them.
LIBRARIES = (
    "torch",
    "torchvision",
    "segmentation-models-pytorch",
    "timm",
    "opencv-python-headless",
    "rasterio",
    "pyproj",
    "shapely",
    "numpy",
    "SQLAlchemy",
)
#: Raster drivers that scenes and outputs need.
DRIVERS = ("GTiff", "COG", "PNG", "JPEG", "WEBP", "VRT")
#: Free disk, GiB, below which a run over a district is likely to end in the middle.
MIN_FREE_GIB = 2.0


class Health(StrEnum):
    """How a check ended."""

    GOOD = "good"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Check:
    """One thing looked at; `remedy` says what to do where it is not good."""

    name: str
    health: Health
    found: str
    remedy: str = ""


def examine(folder: Path, model: str | None = None) -> Iterator[Check]:
    """All checks in turn; `folder` is looked at as a workspace where it is one."""
    yield from (_python(), _libraries(), _opencv(), _torchvision(), _gdal(), _device(), _disk(folder))
    workspace = _workspace(folder)
    yield workspace
    yield from _watched(folder, workspace)
    yield _bundle(model or _model_of(folder, workspace))


def _python() -> Check:
    found = f"cvpipe {cvpipe.__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    return Check("python", Health.GOOD, found)


def _libraries() -> Check:
    versions, missing = [], []
    for name in LIBRARIES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        remedy = "Install with `pip install -c constraints.txt cvpipe`."
        return Check("libraries", Health.PROBLEM, f"not installed: {', '.join(missing)}", remedy)
    return Check("libraries", Health.GOOD, ", ".join(versions))


def _opencv() -> Check:
    wheels = [d.metadata["Name"] for d in importlib.metadata.distributions() if _is_opencv(d.metadata["Name"])]
    if len(set(wheels)) > 1:
        remedy = "Keep opencv-python-headless alone: uninstall all of them, then install it again."
        return Check("opencv", Health.PROBLEM, f"two wheels share one folder: {', '.join(sorted(set(wheels)))}", remedy)
    return Check("opencv", Health.GOOD, ", ".join(wheels))


def _is_opencv(name: str | None) -> bool:
    return (name or "").lower().startswith("opencv-")


def _torchvision() -> Check:
    if declare_missing_ops():
        found = "compiled operators do not fit this torch; declared without them, which is all that cvpipe needs"
    else:
        found = "compiled operators load"
    return Check("torchvision", Health.GOOD, found)


def _gdal() -> Check:
    with rasterio.Env() as env:
        drivers = env.drivers()
    missing = [name for name in DRIVERS if name not in drivers]
    found = f"GDAL {rasterio.__gdal_version__}, rasterio {rasterio.__version__}"
    if missing:
        remedy = "Install rasterio from its wheel, or a GDAL built with these drivers."
        return Check("gdal", Health.PROBLEM, f"{found}; no driver for {', '.join(missing)}", remedy)
    return Check("gdal", Health.GOOD, f"{found}; drivers {', '.join(DRIVERS)}")


def _device() -> Check:
    device = pick_device("auto")
    if device.type == "cuda":
        memory = torch.cuda.get_device_properties(device).total_memory / 2**30
        return Check("device", Health.GOOD, f"{torch.cuda.get_device_name(device)}, {memory:.0f} GiB")
    kind = "bfloat16 in hardware" if has_fast_bf16() else "float32 (no fast bfloat16)"
    found = f"CPU, {os.cpu_count()} cores, {torch.get_num_threads()} threads, {kind}"
    if shutil.which("nvidia-smi"):
        remedy = "Install a CUDA build of torch: this one sees the CPU only."
        return Check("device", Health.WARNING, f"{found}; an NVIDIA driver is installed", remedy)
    return Check("device", Health.GOOD, found)


def _disk(folder: Path) -> Check:
    there = next(p for p in (folder.resolve(), *folder.resolve().parents) if p.exists())
    free = shutil.disk_usage(there).free / 2**30
    if free < MIN_FREE_GIB:
        return Check("disk", Health.PROBLEM, f"{free:.1f} GiB free at {there}", f"Free {MIN_FREE_GIB:.0f} GiB or more.")
    return Check("disk", Health.GOOD, f"{free:.0f} GiB free at {there}")


def _workspace(folder: Path) -> Check:
    if not Workspace(folder).settings_path.exists():
        return Check("workspace", Health.GOOD, f"{folder.resolve()} is none (make one with `cvpipe init DIR`)")
    return _tried("workspace", lambda: _workspace_found(folder))


def _workspace_found(folder: Path) -> Check:
    workspace = Workspace.open(folder)
    workspace.settings()
    with workspace.ledger() as ledger:
        scenes, sites, checked = ledger.scenes(), ledger.sites(), ledger.verify()
    found = f"{len(sites)} sites, {len(scenes)} scenes, {checked.audit_rows} audit rows"
    if checked.problems:
        return Check("workspace", Health.PROBLEM, f"{found}; {checked.problems[0]}", "See `cvpipe ledger verify`.")
    gone = [s.uri for s in scenes if "://" not in s.uri and not Path(s.uri).exists()]
    if gone:
        remedy = "Put it back, or add it from its new place with `cvpipe scenes add`."
        return Check("workspace", Health.WARNING, f"{found}; {len(gone)} scene files are missing: {gone[0]}", remedy)
    return Check("workspace", Health.GOOD, found)


def _watched(folder: Path, workspace: Check) -> Iterator[Check]:
    """One check for each place in which new scenes are looked for."""
    if workspace.health is Health.PROBLEM or not Workspace(folder).settings_path.exists():
        return
    opened = Workspace.open(folder)
    with opened.ledger() as ledger:
        bounds = ledger.bounds_of_sites()
    for place in watched_places(opened):
        yield _tried("watched", partial(_reached, place, bounds))


def _reached(place: WatchedPlace, bounds: Bounds | None) -> Check:
    named = shown(place if isinstance(place, str) else place.stac)
    return Check("watched", Health.GOOD, f"{named}: {reached(place, bounds)}")


def _model_of(folder: Path, workspace: Check) -> str | None:
    if workspace.health is Health.PROBLEM or not Workspace(folder).settings_path.exists():
        return None
    return Workspace.open(folder).settings().model


def _bundle(model: str | None) -> Check:
    return _tried("bundle", lambda: _bundle_found(model or "cvpipe-s"))


def _bundle_found(model: str) -> Check:
    network = load_bundle(model)
    change, _ = check_golden(network, find_bundle(model))
    where = find_bundle(model)
    return Check(
        "bundle",
        Health.GOOD,
        f"{network.name} {network.digest[:12]} at {where}: golden tile answered (off by {change:.4f}); "
        f"bundles are looked up in {' and '.join(str(place) for place in models_dirs())}",
    )


def _tried(name: str, look: Callable[[], Check]) -> Check:
    try:
        return look()
    except CvpipeError as error:
        return Check(
            name, Health.PROBLEM, f"{error.where}: {error.found}" if error.where else error.found, error.remedy
        )
