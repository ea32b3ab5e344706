"""What looks at pages as people and checkers do: a headless browser, axe-core, and html-validate."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

#: Where Chromium is: as the variable CHROMIUM says, else where distributions put it.
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
NODE_MODULES = Path(__file__).parents[1] / "cvpipe" / "review" / "web" / "node_modules"
AXE = NODE_MODULES / "axe-core" / "axe.min.js"
HTML_VALIDATE = NODE_MODULES / ".bin" / "html-validate"


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium; the test is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine; name one in the variable CHROMIUM")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def barriers(page: Any) -> list[Any]:
    """Serious findings of axe-core on the page that is open; the test is skipped where axe-core is not installed."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed (npm ci in cvpipe/review/web)")
    page.add_script_tag(path=str(AXE))
    found = page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})")["violations"]
    return [(v["id"], [n["html"] for n in v["nodes"]][:3]) for v in found if v["impact"] in ("serious", "critical")]


def faults_of_html(files: Sequence[Path]) -> str:
    """What html-validate says against pages, nothing where all is well; skips the test where it is not installed."""
    if not HTML_VALIDATE.exists():
        pytest.skip("html-validate is not installed (npm ci in cvpipe/review/web)")
    call = [str(HTML_VALIDATE), "--preset", "standard", "--formatter", "text", *map(str, files)]
    done = subprocess.run(call, capture_output=True, text=True, timeout=300, check=False)
    return done.stdout + done.stderr if done.returncode else ""


__all__ = ["AXE", "CHROMIUM", "barriers", "browser", "faults_of_html"]
