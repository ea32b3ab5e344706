"""Letting a process work and killing it at a chosen moment, for the stress tests."""

from __future__ import annotations

import signal
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any


def killed(
    processes: ForkServerContext, work: Callable[..., None], place: Path | str, after_s: float, *, start_s: float
) -> bool:
    """Let a process do `work(place, began)`, and kill it `after_s` after it set the event `began`.

    False when it was through by then. A process that does not begin within `start_s`, or that ends with an error, is
    a mistake of the test.
    """
    began = processes.Event()
    process: Any = processes.Process(target=work, args=(place, began))
    process.start()
    assert began.wait(start_s), "the process did not begin"
    process.join(after_s)
    process.kill()
    process.join()
    if process.exitcode == 0:
        return False
    assert process.exitcode == -signal.SIGKILL, f"the process ended with {process.exitcode}"
    return True
