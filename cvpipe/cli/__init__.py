"""The command line. Exit codes: 0 done; 1 ended with failures that are listed; 2 wrong call or settings."""

from __future__ import annotations

import os
import sys

# numpy's BLAS would start threads for matrices of a few rows and burn the cores that the network works on.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from cvpipe.cli import console
from cvpipe.cli.app import app
from cvpipe.errors import CvpipeError, UsageError

#: The extra that brings a package along, for those that not every installation has.
EXTRA_OF = {
    "albumentations": "train",
    "lightning_fabric": "train",
    "tensorboardX": "train",
    "ray": "ray",
    "boto3": "s3",
}


def main() -> None:
    """Run one command; every error of our tree becomes one line on stderr and an exit code."""
    console.soften()
    try:
        app()
    except CvpipeError as error:
        console.refuse(error)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        extra = EXTRA_OF.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        console.refuse(UsageError(f"needs the package {error.name}", remedy=f"pip install 'cvpipe[{extra}]'"))
        sys.exit(UsageError.exit_code)


__all__ = ["app", "main"]
