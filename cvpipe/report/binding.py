"""Many PDFs → one that is printed, filed or mailed: contents in front, a bookmark for each, pages numbered through.

A volume is held in memory while it is bound. How much goes into one is limited, so that neither memory nor open files
grow with the ledger.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from cvpipe.errors import CvpipeError, UsageError

#: Documents in one volume: with dossiers some 700 pages and 130 MB, which take 0.4 GB of memory.
VOLUME = 250

#: Where the running number stands: points from the right and the upper edge of a page, and its size.
_FROM_RIGHT, _FROM_TOP, _POINTS = 34, 28, 9

#: Width of a figure of Helvetica in its size.
_FIGURE = 0.556


@dataclass(frozen=True)
class Part:
    """A PDF to be bound, and what its bookmark is called."""

    file: Path
    title: str


#: Writes the contents (title and page of each part) as a PDF of its own, and says where it is.
ContentsMaker = Callable[[Sequence[tuple[str, int]]], Path]


def check_binding() -> None:
    """Raise UsageError, with the remedy, where PDFs cannot be bound here."""
    _pikepdf()


def volumes(parts: Sequence[Part]) -> Iterator[Sequence[Part]]:
    """As many parts as go into one volume, in order."""
    for start in range(0, len(parts), VOLUME):
        yield parts[start : start + VOLUME]


def bind(parts: Sequence[Part], out: Path, title: str, contents: ContentsMaker) -> int:
    """Write `parts` as one PDF; returns its pages without the contents, whose own pages have Roman numerals.

    Raises UsageError where pikepdf is missing, CvpipeError where a file cannot be read or written.
    """
    pikepdf = _pikepdf()
    try:
        with ExitStack() as opened:
            sources = [opened.enter_context(pikepdf.open(part.file)) for part in parts]
            volume = opened.enter_context(pikepdf.new())
            first = list(accumulate((len(source.pages) for source in sources), initial=1))
            told = [(part.title, page) for part, page in zip(parts, first[:-1], strict=True)]
            front = opened.enter_context(pikepdf.open(contents(told)))
            for source in (front, *sources):
                volume.pages.extend(source.pages)
            before = len(front.pages)
            _number(pikepdf, volume, before)
            _mark(pikepdf, volume, told, before)
            with volume.open_metadata(set_pikepdf_as_editor=False) as metadata:
                metadata["dc:title"] = title
            volume.save(out, object_stream_mode=pikepdf.ObjectStreamMode.generate, deterministic_id=True)
            return first[-1] - 1
    except (OSError, pikepdf.PdfError) as error:
        raise CvpipeError(f"the PDFs cannot be bound ({error})", where=out, remedy="Check the disk.") from error


def _number(pikepdf: Any, volume: Any, before: int) -> None:
    """Print the running number on every page but the first `before`, and tell it to viewers."""
    figures = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
    font = volume.make_indirect(figures)
    for number, page in enumerate(list(volume.pages)[before:], start=1):
        name = page.add_resource(font, pikepdf.Name.Font, pikepdf.Name.RunningNumber)
        right, top = float(page.mediabox[2]), float(page.mediabox[3])
        x = right - _FROM_RIGHT - len(str(number)) * _FIGURE * _POINTS
        text = f"Q q BT {name} {_POINTS} Tf 0.4 g {x:.1f} {top - _FROM_TOP} Td ({number}) Tj ET Q"
        page.contents_add(b"q", prepend=True)  # what the page does to its coordinates ends before the number
        page.contents_add(text.encode("ascii"))
    styles: list[Any] = [before, pikepdf.Dictionary(S=pikepdf.Name.D)]
    if before:
        styles = [0, pikepdf.Dictionary(S=pikepdf.Name.r), *styles]
    volume.Root.PageLabels = pikepdf.Dictionary(Nums=pikepdf.Array(styles))


def _mark(pikepdf: Any, volume: Any, told: Sequence[tuple[str, int]], before: int) -> None:
    """A bookmark for each part; viewers show them at once."""
    with volume.open_outline() as outline:
        outline.root.extend(pikepdf.OutlineItem(title, before + page - 1) for title, page in told)
    volume.Root.PageMode = pikepdf.Name.UseOutlines


def _pikepdf() -> Any:
    try:
        return importlib.import_module("pikepdf")
    except ModuleNotFoundError as error:
        raise UsageError(
            f"binding PDFs needs the Python package {error.name}",
            where="--bound",
            remedy="Install it with `pip install 'cvpipe[pdf]'`, or leave --bound out.",
        ) from error


__all__ = ["VOLUME", "Part", "bind", "check_binding", "volumes"]
