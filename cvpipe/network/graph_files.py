"""The graph that was exported into a bundle for OpenVINO: its files, what they were made from, what was measured."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from cvpipe.errors import BundleError
from cvpipe.network.exporting import Distance

#: OpenVINO's two files in a bundle's folder, and what they were made from.
GRAPH, GRAPH_WEIGHTS, MADE_FROM = "openvino.xml", "openvino.bin", "openvino.json"


@dataclass(frozen=True)
class Measured:
    """How far a graph's answers lay off torch's for the golden tile, and milliseconds of both for one pair of tiles on
    the machine on which it was exported."""

    off: Distance
    torch_ms: float
    graph_ms: float


@dataclass(frozen=True)
class Graph:
    """An exported graph; `measured` None for one that an earlier version exported."""

    digest: str
    is_int8: bool
    measured: Measured | None

    @classmethod
    def read(cls, folder: Path, digest: str) -> Graph:
        """The graph of the bundle with this digest. BundleError where it was made from another, or is not whole."""
        try:
            made = json.loads((folder / MADE_FROM).read_text(encoding="utf-8"))
            bundle, own, files = str(made["bundle"]), str(made["digest"]), str(made["files"])
            told = made.get("measured")
            measured = told and Measured(Distance(**told["off"]), float(told["torch_ms"]), float(told["graph_ms"]))
            graph = cls(own, made["precision"] == "int8", measured)
            whole = files == _files_digest(folder)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _unfit(f"nothing tells what it was made from ({type(error).__name__})", folder) from error
        if bundle != digest:
            raise _unfit("it was made from another bundle", folder)
        if not whole:
            raise _unfit("its files are damaged or were exchanged (another SHA-256)", folder)
        return graph

    @property
    def is_faster(self) -> bool:
        """Whether it was measured faster than torch."""
        return self.measured is not None and self.measured.graph_ms < self.measured.torch_ms

    @property
    def told(self) -> str:
        """Precision, and what was measured when it was exported."""
        kind = "int8" if self.is_int8 else "float"
        if self.measured is None:
            return f"an exported graph in {kind}, whose loss nobody noted: export it anew to know it"
        off = self.measured.off
        return (
            f"an exported graph in {kind}, off torch by {off.mean:.4f} in probability with {off.other_surfaces:.2%} "
            f"other surfaces, {self.measured.graph_ms:.0f} ms a tile where torch took {self.measured.torch_ms:.0f}"
        )


def note(folder: Path, digest: str, measured: Measured, *, int8: bool) -> str:
    """Note what the graph in a folder was made from, the bundle with this digest; tells the graph's own digest.

    That of a float graph is the bundle's.
    """
    files = _files_digest(folder)
    own = hashlib.sha256((digest + files).encode()).hexdigest() if int8 else digest
    precision = "int8" if int8 else "float"
    made = {"bundle": digest, "digest": own, "precision": precision, "files": files, "measured": asdict(measured)}
    (folder / MADE_FROM).write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    return own


def _unfit(found: str, folder: Path) -> BundleError:
    return BundleError(
        f"the exported graph cannot be used: {found}",
        where=folder / GRAPH,
        remedy=f"Export it anew (cvpipe models export {folder.name} --format openvino), or delete it.",
    )


def _files_digest(folder: Path) -> str:
    whole = hashlib.sha256()
    for part in _chunks(folder):
        whole.update(part)
    return whole.hexdigest()


def _chunks(folder: Path) -> Iterator[bytes]:
    for name in (GRAPH, GRAPH_WEIGHTS):
        with (folder / name).open("rb") as file:
            yield name.encode()
            yield hashlib.file_digest(file, "sha256").digest()


__all__ = ["GRAPH", "GRAPH_WEIGHTS", "Graph", "Measured", "note"]
