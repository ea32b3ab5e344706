"""Servers on loopback to read scenes from, which fail as they are told: of a folder's files, and before another.

They run as threads. GDAL fetches what of a header does not lie in front while rasterio keeps all other threads waiting,
so the files served must have their header in front, as COGs have.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit


@dataclass
class Faults:
    """What the server does wrong, for paths that contain a key of the table.

    `status`: the codes of the first answers, after which it answers well. `always`: the code of every answer. `cut`:
    how many answers end after half of their bytes. `garbled`: how many are a gateway's page that says all is well.
    `delay_s`: seconds before each answer. `stall_s`: seconds between the head of each answer and its end, without a
    byte.
    """

    status: dict[str, list[int]] = field(default_factory=dict)
    always: dict[str, int] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    garbled: dict[str, int] = field(default_factory=dict)
    delay_s: float = 0.0
    stall_s: dict[str, float] = field(default_factory=dict)


@dataclass
class FileServer:
    """A server: its address, its faults, every request that it had (path, range), and its queries."""

    address: str
    faults: Faults
    requests: list[tuple[str, str]]
    queries: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)


@dataclass(frozen=True)
class Answer:
    """What a server says where it does nothing wrong."""

    code: int
    body: bytes
    headers: dict[str, str]


Asked = BaseHTTPRequestHandler


#: Faults that pass, for a scene that is served as `a_2023…`.
PASSING_FAULTS: dict[str, Callable[[FileServer], None]] = {
    "500, then 200": lambda server: server.faults.status.update({"a_2023": [500, 503]}),
    "429, then 200": lambda server: server.faults.status.update({"a_2023": [429]}),
    "cut connections": lambda server: server.faults.cut.update({"a_2023": 2}),
    "late answers": lambda server: setattr(server.faults, "delay_s", 0.2),
}


@contextmanager
def file_server(
    folder: Path, besides: Callable[[Asked, str], Answer | None] = lambda _asked, _address: None
) -> Iterator[FileServer]:
    """Serve a folder on a free port of the loopback; `besides` answers for what is none of its files."""

    def answer(asked: Asked) -> Answer:
        other = besides(asked, f"http://{asked.headers['Host']}")
        if other is not None:
            return other
        file = folder / urlsplit(asked.path).path.lstrip("/")
        if not file.is_file():
            return Answer(404, b"sorry\n", {})
        content = file.read_bytes()
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", asked.headers.get("Range", ""))
        if wanted is None:
            return Answer(200, content, {"Accept-Ranges": "bytes"})
        start, end = int(wanted[1]), min(int(wanted[2] or len(content) - 1), len(content) - 1)
        if start >= len(content):
            return Answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
        return Answer(206, content[start : end + 1], {"Content-Range": f"bytes {start}-{end}/{len(content)}"})

    with _server(answer) as running:
        yield running


def stac_api(
    folder: Path, items: list[dict[str, Any]], page: int = 2, *, answers_searches: bool = True
) -> AbstractContextManager[FileServer]:
    """Serve a STAC API at `/stac` whose items are in a list that may change, and a folder's files beside it.

    It filters as the standard says, by box, collections and days of acquisition, and answers by pages; unless it
    `answers_searches` the folder's file `stac/search` is the answer.
    """

    def answer(asked: Asked, address: str) -> Answer | None:
        path, query = urlsplit(asked.path).path, parse_qs(urlsplit(asked.path).query)
        if path == "/stac":
            return _json(_landing_page(address))
        if path != "/stac/search" or not answers_searches:
            return None
        found = [one for one in items if _is_asked_for(one, query)]
        start = int(query.get("from", ["0"])[0])
        follows = urlencode({**query, "from": start + page}, doseq=True)
        links = [{"rel": "next", "href": f"{address}/stac/search?{follows}"}] if start + page < len(found) else []
        return _json({"type": "FeatureCollection", "features": found[start : start + page], "links": links})

    return file_server(folder, answer)


def _landing_page(address: str) -> dict[str, Any]:
    core, search = "https://api.stacspec.org/v1.0.0/core", "https://api.stacspec.org/v1.0.0/item-search"
    links = [
        {"rel": "self", "href": f"{address}/stac"},
        {"rel": "search", "href": f"{address}/stac/search", "type": "application/geo+json", "method": "GET"},
    ]
    catalog = {"type": "Catalog", "stac_version": "1.0.0", "id": "api", "description": "api"}
    return {**catalog, "conformsTo": [core, search], "links": links}


def _is_asked_for(item: dict[str, Any], query: dict[str, list[str]]) -> bool:
    left, bottom, right, top = item["bbox"]
    box = [float(side) for side in query.get("bbox", ["-180,-90,180,90"])[0].split(",")]
    begin, _, end = query.get("datetime", ["../.."])[0].partition("/")
    moment = item["properties"]["datetime"]
    return (
        (left <= box[2] and right >= box[0] and bottom <= box[3] and top >= box[1])
        and (begin in ("", "..") or moment >= begin)
        and (end in ("", "..") or moment <= end)
        and ("collections" not in query or item.get("collection") in query["collections"][0].split(","))
    )


def _json(document: dict[str, Any]) -> Answer:
    return Answer(200, json.dumps(document).encode(), {"Content-Type": "application/geo+json"})


@contextmanager
def faulty_proxy(host: str, port: int) -> Iterator[FileServer]:
    """Stand before another server, whose answers are handed on where no fault is told."""

    def answer(asked: Asked) -> Answer:
        body = asked.rfile.read(int(asked.headers.get("Content-Length", 0)))
        behind = http.client.HTTPConnection(host, port, timeout=10)
        behind.request(asked.command, asked.path, body, dict(asked.headers))
        got = behind.getresponse()
        content = got.read()
        headers = {n: v for n, v in got.getheaders() if n.lower() not in ("transfer-encoding", "connection", "date")}
        behind.close()
        return Answer(got.status, content, headers)

    with _server(answer) as running:
        yield running


@contextmanager
def _server(answer: Callable[[Asked], Answer]) -> Iterator[FileServer]:
    running = FileServer("", Faults(), [])
    faults, requests = running.faults, running.requests

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - the names that http.server calls

        def log_message(self, format: str, *args: Any) -> None:
            """Keep quiet."""

        def _answer(self, *, with_body: bool) -> None:
            path = urlsplit(self.path).path
            requests.append((path, self.headers.get("Range", "")))
            if urlsplit(self.path).query:
                running.queries.append((path, parse_qs(urlsplit(self.path).query)))
            time.sleep(faults.delay_s)
            code = self._fault(path)
            told = answer(self) if code is None else Answer(code, b"sorry\n", {})
            self._send(self._garbled(told, path), path, with_body=with_body)

        def _garbled(self, told: Answer, path: str) -> Answer:
            for part, left in faults.garbled.items():
                if part in path and left:
                    faults.garbled[part] = left - 1
                    return Answer(200, b"<html>one moment</html>", {"Content-Type": "text/html"})
            return told

        def _fault(self, path: str) -> int | None:
            for part, code in faults.always.items():
                if part in path:
                    return code
            for part, codes in faults.status.items():
                if part in path and codes:
                    return codes.pop(0)
            return None

        def _send(self, told: Answer, path: str, *, with_body: bool) -> None:
            self.send_response(told.code)
            for name, value in {"Content-Length": str(len(told.body)), **told.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if with_body and not self._break_off(told, path):
                self.wfile.write(told.body)

        def _break_off(self, told: Answer, path: str) -> bool:
            """Say nothing more, or half of it, where that is told of the path."""
            if told.code >= 400:
                return False
            for part in faults.stall_s:
                if part in path:
                    time.sleep(faults.stall_s[part])
                    self.close_connection = True
                    return True
            for part, left in faults.cut.items():
                if part in path and left and len(told.body) > 1:
                    faults.cut[part] = left - 1
                    self.wfile.write(told.body[: len(told.body) // 2])
                    self.close_connection = True
                    return True
            return False

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
