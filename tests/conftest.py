"""What holds for every test: the command line speaks English, whatever the locale of the machine."""

from __future__ import annotations

import os

os.environ["CVPIPE_LANG"] = "en"
