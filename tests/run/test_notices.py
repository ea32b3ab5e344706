"""How a run ended is told to an address and by mail; what goes wrong there is told and costs nothing else."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from cvpipe.run.notices import Notice, send
from cvpipe.settings import MailSettings, NoticeSettings

WELL = Notice("all well", failed=False, figures={"assessed": 3})
ILL = Notice("one failed", failed=True)


@contextmanager
def _webhook(status: int = 200) -> Iterator[tuple[str, list[Any]]]:
    taken: list[Any] = []

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Taker) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", taken
        server.shutdown()


@contextmanager
def _mail_server() -> Iterator[tuple[int, list[str]]]:
    """Just enough of RFC 5321 to take one message."""
    taken: list[str] = []

    class Taker(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline():
                word = line.split()[0].upper()
                if word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = iter(self.rfile.readline, b".\r\n")
                    taken.append(b"".join(lines).decode())
                self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Taker) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], taken
        server.shutdown()


def test_a_webhook_gets_the_sentence_and_the_figures() -> None:
    with _webhook() as (address, taken):
        assert send(WELL, NoticeSettings(webhook=f"{address}/hook")) == []
    assert taken == [("/hook", {"text": "all well", "failed": False, "assessed": 3})]


def test_after_failures_only() -> None:
    with _webhook() as (address, taken):
        settings = NoticeSettings(webhook=address, when="failure")
        send(WELL, settings)
        send(ILL, settings)
    assert [body["text"] for _, body in taken] == ["one failed"]


def test_a_key_comes_from_the_environment_and_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_KEY", "s3cret")
    with _webhook(500) as (address, taken):
        wrong = send(WELL, NoticeSettings(webhook=address + "/${HOOK_KEY}"))
    assert taken[0][0] == "/s3cret"
    assert "500" in wrong[0]
    assert "s3cret" not in wrong[0]


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("http://127.0.0.1:9/none", "refused"),
        ("file:///etc/passwd", "https://"),
        ("http://127.0.0.1/${CVPIPE_NOT_SET}", "CVPIPE_NOT_SET"),
        ("no address", "could not be sent"),
    ],
)
def test_what_cannot_be_sent_is_told_and_not_raised(address: str, word: str) -> None:
    (wrong,) = send(WELL, NoticeSettings(webhook=address))
    assert word in wrong


def test_a_mail() -> None:
    with _mail_server() as (port, taken):
        mail = MailSettings(server="127.0.0.1", port=port, starttls=False, sender="a@b.example", to=("c@d.example",))
        assert send(ILL, NoticeSettings(mail=mail)) == []
    assert "Subject: cvpipe: failures" in taken[0]
    assert "one failed" in taken[0]


def test_a_mail_server_that_is_not_there_costs_nothing() -> None:
    mail = MailSettings(server="127.0.0.1", port=9, sender="a@b.example", to=("c@d.example",))
    (wrong,) = send(ILL, NoticeSettings(mail=mail))
    assert "refused" in wrong
