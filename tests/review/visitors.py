"""Somebody at a browser, without the browser: cookies, the token of the page, and JSON."""

from __future__ import annotations

import re
from typing import Any

from httpx2 import Response
from starlette.testclient import TestClient

from tests.review.drawn_district import PASSWORD

HOST = "http://127.0.0.1"


class Person:
    """One session with the application."""

    def __init__(self, app: Any, *, client: tuple[str, int] = ("127.0.0.1", 50_000)) -> None:
        self.http = TestClient(app, base_url=HOST, client=client, follow_redirects=False)
        self.csrf = ""

    def log_in(self, name: str, password: str = PASSWORD) -> Response:
        """Fill in the form as a browser does."""
        form = self.page("/login")
        token = re.search(r'name="form_token" value="([^"]+)"', form.text)
        assert token is not None
        answer = self.http.post(
            "/login", data={"name": name, "password": password, "form_token": token[1], "to": "/sites"}
        )
        if answer.status_code == 303:
            found = re.search(r'name="csrf" content="([^"]+)"', self.page("/sites").text)
            assert found is not None
            self.csrf = found[1]
        return answer

    def page(self, address: str) -> Response:
        """A page for people."""
        return self.http.get(address, headers={"Accept": "text/html"})

    def get(self, address: str) -> Response:
        """What a script gets."""
        return self.http.get(address)

    def post(self, address: str, body: Any = None, *, csrf: str | None = None, **more: Any) -> Response:
        """What a script sends."""
        token = self.csrf if csrf is None else csrf
        return self.http.post(address, json=body, headers={"X-CSRF-Token": token}, **more)

    def next(self, **wanted: str) -> dict[str, Any]:
        """The next items."""
        answer = self.post("/api/next", {"wanted": wanted})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def decide(self, item: dict[str, Any], verdict: str | None = None, **more: Any) -> Response:
        """Answer an item; by default as the machine did."""
        said = verdict or item["verdict"]["outcome"]
        return self.post("/api/decisions", {"key": item["key"], "verdict": said, "seconds": 2.5, **more})
