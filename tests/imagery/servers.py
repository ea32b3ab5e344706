"""Servers on loopback to read scenes from: one that gives files in ranges, and fails as it is told."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Faults:
    """What the server does wrong, for paths that contain a key of the table.

    `status`: the codes of the first answers, after which it answers well. `always`: the code of every answer. `cut`:
    how many answers end after half of their bytes. `delay_s`: seconds before each answer. `stall_s`: seconds between
    the head of each answer and its end, without a byte.
    """

    status: dict[str, list[int]] = field(default_factory=dict)
    always: dict[str, int] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    delay_s: float = 0.0
    stall_s: dict[str, float] = field(default_factory=dict)


@dataclass
class FileServer:
    """A server of a folder: its address, its faults, every request that it had (path, range), and its queries."""

    address: str
    faults: Faults
    requests: list[tuple[str, str]]
    queries: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)


@contextmanager
def file_server(folder: Path) -> Iterator[FileServer]:
    """Serve a folder on a free port of the loopback."""
    running = FileServer("", Faults(), [])
    faults, requests = running.faults, running.requests

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def log_message(self, format: str, *args: Any) -> None:
            """Keep quiet."""

        def _answer(self, *, with_body: bool) -> None:
            path = urlsplit(self.path).path
            requests.append((path, self.headers.get("Range", "")))
            if urlsplit(self.path).query:
                running.queries.append((path, parse_qs(urlsplit(self.path).query)))
            time.sleep(faults.delay_s)
            code = self._fault(path)
            file = folder / path.lstrip("/")
            if code is None and not file.is_file():
                code = 404
            if code is not None:
                self._send(code, b"sorry\n", with_body, {})
                return
            self._send_file(path, file.read_bytes(), with_body)

        def _fault(self, path: str) -> int | None:
            for part, code in faults.always.items():
                if part in path:
                    return code
            for part, codes in faults.status.items():
                if part in path and codes:
                    return codes.pop(0)
            return None

        def _send_file(self, path: str, content: bytes, with_body: bool) -> None:
            wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            if wanted is None:
                self._send(200, content, with_body, {"Accept-Ranges": "bytes"}, path)
                return
            start, end = int(wanted[1]), min(int(wanted[2] or len(content) - 1), len(content) - 1)
            if start >= len(content):
                self._send(416, b"", with_body, {"Content-Range": f"bytes */{len(content)}"})
                return
            span = {"Content-Range": f"bytes {start}-{end}/{len(content)}"}
            self._send(206, content[start : end + 1], with_body, span, path)

        def _send(self, code: int, body: bytes, with_body: bool, headers: dict[str, str], path: str = "") -> None:
            self.send_response(code)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if not with_body:
                return
            for part in faults.stall_s:
                if part in path:
                    time.sleep(faults.stall_s[part])
                    self.close_connection = True
                    return
            for part, left in faults.cut.items():
                if part in path and left and len(body) > 1:
                    faults.cut[part] = left - 1
                    self.wfile.write(body[: len(body) // 2])
                    self.close_connection = True
                    return
            self.wfile.write(body)

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that hung up is no news."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        running.address = f"http://127.0.0.1:{server.server_port}"
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
