"""A process of a cluster that holds a network and answers pairs of sites."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import cv2
import torch

import cvpipe
from cvpipe.detect import Network
from cvpipe.errors import CvpipeError
from cvpipe.imagery import surface_path
from cvpipe.imagery.opening import gdal_environment
from cvpipe.network import vision_ops as vision_ops  # before anything that imports torchvision
from cvpipe.network.bundle import find_bundle, load_bundle
from cvpipe.run.engines.work import Answer, Terms, answers, keep_below
from cvpipe.run.sites import SitePair
from cvpipe.run.whole_scenes import Compared, ScenePair, compared

#: What helps where a scene is there for the run, but not for a worker.
SAME_ADDRESS = (
    "Workers read scenes at the addresses that the ledger has: mount the folder at the same path on every node, or "
    "keep the scenes in s3:// or https://."
)


class Carried(Protocol):
    """A network on its way to a worker."""

    def unpacked(self, device: str) -> Network: ...


@dataclass(frozen=True)
class CarriedBundle:
    """The files of a bundle by name, and what runs it: a worker need not have the bundle on its own disk."""

    name: str
    files: dict[str, bytes]
    runtime: str

    @classmethod
    def of(cls, name_or_dir: str, runtime: str) -> CarriedBundle:
        """Raises BundleError where there is no such bundle."""
        folder = find_bundle(name_or_dir)
        return cls(folder.name, {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}, runtime)

    def unpacked(self, device: str) -> Network:
        """The network, its digests and golden tile checked here. Raises BundleError."""
        with TemporaryDirectory(prefix="cvpipe-bundle-") as place:
            folder = Path(place) / self.name
            folder.mkdir()
            for name, content in self.files.items():
                (folder / name).write_bytes(content)
            return load_bundle(folder, device, self.runtime)


@dataclass(frozen=True)
class Greeting:
    """What a worker says first: on which machine it is, and why it cannot work there, empty where it can."""

    machine: str
    trouble: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Returned:
    """An answer as it travels: with the file of its map of surfaces, a few kB; None where there is none."""

    answer: Answer
    surfaces: bytes | None = None


class Worker:
    """One network and the pairs that it is given. Pixels stay here."""

    def __init__(self) -> None:
        self._network: Network | None = None
        self._terms: Terms | None = None

    def greet(
        self, version: str, carried: Carried, digest: str, terms: Terms, device: str, cpus: float, scenes: Sequence[str]
    ) -> Greeting:
        """Make ready. `scenes` are files that must be readable here under the same path."""
        machine = platform.node()
        if version != cvpipe.__version__:
            found = f"has cvpipe {cvpipe.__version__}, the run has {version}"
            return Greeting(machine, found, "Install the same version on every node.")
        missing = [path for path in scenes if not _is_readable(path)]
        if missing:
            found = f"cannot read {len(missing)} of {len(scenes)} scenes that the run can read, such as {missing[0]}"
            return Greeting(machine, found, SAME_ADDRESS)
        _use_cores(max(int(cpus), 1))
        try:
            self._network, self._terms = carried.unpacked(device), terms
        except CvpipeError as error:
            return Greeting(machine, error.found, error.remedy)
        if self._network.digest != digest:
            found = f"its bundle has the digest {self._network.digest}, that of the run {digest}"
            return Greeting(machine, found, "Install the same version of cvpipe on every node.")
        return Greeting(machine)

    def answers(self, pairs: Sequence[SitePair]) -> list[Returned]:
        """What became of the pairs, in their order. What cannot be read from here says where "here" is."""
        assert self._network is not None, "greeted before"
        assert self._terms is not None
        with gdal_environment(), TemporaryDirectory(prefix="cvpipe-runs-") as place:
            runs = Path(place)
            found = [answer for _, answer in answers(pairs, self._network, self._terms, partial(keep_below, runs))]
            return [_returned(answer, runs) for answer in found]

    def changes(self, pairs: Sequence[ScenePair]) -> list[Compared]:
        """What changed between whole scenes, in their order."""
        assert self._network is not None, "greeted before"
        assert self._terms is not None
        with gdal_environment():
            found = [compared(pair, self._network, self._terms.light) for pair in pairs]
        return [replace(one, reason=_from_here(one.reason)) if one.changes is None else one for one in found]


def _returned(answer: Answer, runs: Path) -> Returned:
    if answer.assessment is None:
        return Returned(replace(answer, reason=_from_here(answer.reason)))
    path = surface_path(runs, answer.assessment.key)
    return Returned(answer, path.read_bytes() if path is not None and path.exists() else None)


def _from_here(reason: str) -> str:
    return f"on {platform.node()}: {reason}"


def _is_readable(path: str) -> bool:
    try:
        with Path(path).open("rb"):
            return True
    except OSError:
        return False


def _use_cores(cores: int) -> None:
    torch.set_num_threads(cores)
    cv2.setNumThreads(cores)
