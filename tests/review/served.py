"""The real command, serving a workspace from a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Server:
    """`cvpipe review` on a free port of this machine."""

    def __init__(self, folder: Path, log: Path) -> None:
        self._log = log.open("w")
        call = [sys.executable, "-m", "cvpipe.cli", "review", "--port", "0", "--workspace", str(folder)]
        self.process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=self._log, text=True)
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert said.startswith("review at http://127.0.0.1:"), said + log.read_text()
        self.address = said.split()[-1]

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End it as Ctrl-C does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._log.close()


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """A server on a workspace, stopped at the end."""
    server = Server(folder, folder.parent / "server.log")
    try:
        yield server
    finally:
        server.stop()
