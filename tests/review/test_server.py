"""The command: accounts, what it refuses, and a server that is killed in mid-decision."""

from __future__ import annotations

import io
import re
from contextlib import suppress
from threading import Thread
from typing import Any, Self

import httpx2
import pytest

from cvpipe.cli import main
from cvpipe.domain import Role
from cvpipe.ledger import Ledger, Workspace
from tests.review.drawn_district import PASSWORD
from tests.review.served import serving


def run(monkeypatch: pytest.MonkeyPatch, *words: str, typed: str = "") -> int:
    """`cvpipe` with these words; what it exits with."""
    monkeypatch.setattr("sys.argv", ["cvpipe", *words])
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_accounts_are_added_listed_and_closed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], workspace: Workspace
) -> None:
    where = ("--workspace", str(workspace.folder))
    added = run(monkeypatch, "review", "add-user", "new.one", "--role", "admin", "--password-stdin", *where,
                typed="a password of some length\n")  # fmt: skip
    assert added == 0
    assert run(monkeypatch, "review", "users", "--json", *where) == 0
    assert '"new.one"' in capsys.readouterr().out
    assert run(monkeypatch, "review", "close-user", "new.one", *where) == 0
    with workspace.ledger() as ledger:
        account = ledger.account("new.one")
        assert account is not None
        assert (account.role, account.active) == (Role.ADMIN, False)
        assert account.password_hash.startswith("$argon2id$")
        assert "some length" not in str(ledger.audit())


@pytest.mark.parametrize(
    ("words", "typed", "said"),
    [
        (("add-user", "x y", "--password-stdin"), "a password of some length\n", "no name of an account"),
        (("add-user", "short", "--password-stdin"), "short\n", "has 5 characters"),
        (("close-user", "nobody"), "", "there is no account"),
        (("--host", "0.0.0.0", "--name", "x.example"), "", "in the clear"),
    ],
)
def test_what_the_command_refuses(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    workspace: Workspace,
    words: tuple[str, ...],
    typed: str,
    said: str,
) -> None:
    assert run(monkeypatch, "review", *words, "--workspace", str(workspace.folder), typed=typed) == 2
    captured = capsys.readouterr()
    assert said in captured.out + captured.err


def test_a_workspace_without_accounts_is_not_served(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    bare = Workspace.create(tmp_path_factory.mktemp("bare") / "w")
    assert run(monkeypatch, "review", "--port", "0", "--workspace", str(bare.folder)) == 2
    captured = capsys.readouterr()
    assert "nobody has an account" in captured.out + captured.err


class Reviewer:
    """Somebody who decides over a real connection."""

    def __init__(self, address: str, name: str) -> None:
        self.http = httpx2.Client(base_url=address, timeout=30)
        form = self.http.get("/login")
        token = re.search(r'name="form_token" value="([^"]+)"', form.text)
        assert token is not None
        sent = {"name": name, "password": PASSWORD, "form_token": token[1], "to": "/sites"}
        assert self.http.post("/login", data=sent).status_code == 303
        page = self.http.get("/sites", headers={"Accept": "text/html"}).text
        found = re.search(r'name="csrf" content="([^"]+)"', page)
        assert found is not None
        self.token = {"X-CSRF-Token": found[1]}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def post(self, address: str, body: Any) -> dict[str, Any]:
        """What a script sends."""
        answer = self.http.post(address, json=body, headers=self.token)
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        return told


@pytest.mark.slow
def test_a_server_that_is_killed_loses_nothing_that_it_acknowledged(workspace: Workspace) -> None:
    acknowledged: dict[str, list[int]] = {}

    def decide(name: str) -> None:
        mine = acknowledged.setdefault(name, [])
        with suppress(httpx2.HTTPError), Reviewer(server.address, name) as person:  # until the server is killed
            answer = person.post("/api/next", {})
            while items := answer["items"]:
                item = items[0]
                answer = person.post("/api/decisions", {"key": item["key"], "verdict": item["verdict"]["outcome"]})
                mine.append(answer["decision"])

    with serving(workspace.folder) as server:
        threads = [Thread(target=decide, args=(name,)) for name in ("anna", "bo")]
        for thread in threads:
            thread.start()
        while sum(map(len, acknowledged.values())) < 8 and any(thread.is_alive() for thread in threads):
            threads[0].join(0.005)
        server.kill()
        for thread in threads:
            thread.join()
    told = {number for mine in acknowledged.values() for number in mine}
    assert len(told) >= 8
    with Ledger.open(workspace.ledger_path) as ledger:
        kept = {entry.id for entry in ledger.decisions()}
        assert told <= kept
        assert len(kept) <= len(told) + 2, "at most one decision of each person was under way"
        assert ledger.verify().problems == ()
    with serving(workspace.folder) as again, Reviewer(again.address, "anna") as anna:
        assert anna.post("/api/next", {})["queue"]["today"] >= 1
