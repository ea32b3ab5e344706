"""HTML → PDF by WeasyPrint, which lays text out with Pango: Chinese breaks lines as it should."""

from __future__ import annotations

import importlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

from cvpipe.assess.criteria import Language
from cvpipe.errors import CvpipeError, UsageError


def check_pdf(lang: Language) -> None:
    """Raise UsageError, with the remedy, where no PDF can be made here or none that shows Chinese signs."""
    _weasyprint()
    if lang == "zh" and not _has_chinese_font():
        raise UsageError(
            "no font on this machine has Chinese signs: a PDF would show empty boxes",
            where="--format pdf",
            remedy="Install one, for example with `apt install fonts-noto-cjk`, or take --lang en.",
        )


def write_pdf(html: str, path: Path, base: Path) -> None:
    """Lay a page out on paper. Pictures are looked for from the folder `base`; nothing is read from the network.

    Raises UsageError where WeasyPrint is missing, CvpipeError where it fails.
    """
    weasyprint = _weasyprint()
    try:
        page = weasyprint.HTML(string=html, base_url=f"{base.resolve().as_uri()}/", url_fetcher=_fetcher(weasyprint))
        document = page.render()
        for sheet in document.pages:  # pictures are inside a PDF; links to their files would lead into the maker's disk
            sheet.links[:] = [link for link in sheet.links if not str(link[1]).startswith("file:")]
        document.write_pdf(path)
    except (OSError, ValueError) as error:
        raise CvpipeError(f"the PDF cannot be made ({error})", where=path, remedy="Check the disk.") from error


def _fetcher(weasyprint: Any) -> Any:
    """Files only: a page that people mail must not depend on a server, and must tell none that it is read."""
    return weasyprint.urls.URLFetcher(allowed_protocols={"file", "data"})


def _weasyprint() -> Any:
    try:
        return importlib.import_module("weasyprint")
    except ModuleNotFoundError as error:
        raise UsageError(
            f"PDF needs the Python package {error.name}",
            where="--format pdf",
            remedy="Install it with `pip install 'cvpipe[pdf]'`, or take another format.",
        ) from error
    except OSError as error:  # the package is there, the libraries that it draws with are not
        raise UsageError(
            f"PDF needs the library Pango ({str(error).splitlines()[0]})",
            where="--format pdf",
            remedy="Install it, for example with `apt install libpango-1.0-0 libpangoft2-1.0-0`.",
        ) from error


def _has_chinese_font() -> bool:
    """Whether fontconfig knows a font for Chinese; True where it cannot be asked."""
    asked = shutil.which("fc-list")
    if asked is None:
        return True
    found = subprocess.run([asked, ":lang=zh-cn", "family"], capture_output=True, text=True, timeout=60, check=False)
    return found.returncode != 0 or bool(found.stdout.strip())


__all__ = ["check_pdf", "write_pdf"]
