"""The command line. Exit codes: 0 done; 1 ended with failures that are listed; 2 wrong call or settings."""

from __future__ import annotations

import os
import sys

# numpy's BLAS would start threads for matrices of a few rows and burn the cores that the network works on.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from cvpipe.cli import console
from cvpipe.cli.app import app
from cvpipe.errors import CvpipeError


def main() -> None:
    """Run one command; every error of our tree becomes one line on stderr and an exit code."""
    console.soften()
    try:
        app()
    except CvpipeError as error:
        console.refuse(error)
        sys.exit(error.exit_code)


__all__ = ["app", "main"]
