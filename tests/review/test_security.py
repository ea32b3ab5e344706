"""What must not get through: strangers, forged requests, other people's rights, markup, paths and floods."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.requests import Request

from cvpipe.domain import LogInOutcome, Role
from cvpipe.errors import UsageError
from cvpipe.ledger import Ledger, Workspace
from cvpipe.review import ReviewOptions, passwords
from cvpipe.review.access import address_of
from cvpipe.review.app import create_app
from tests.review.conftest import LogIn
from tests.review.visitors import Person

PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</script><script>alert(1)</script>",
    "{{7*7}}",
)


def _routes(app: FastAPI) -> list[tuple[str, str]]:
    found = [(method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods]
    assert len(found) > 20
    return [(method, path.replace("{what}", "picture")) for method, path in found]


def test_nobody_gets_anything_without_logging_in(app: FastAPI) -> None:
    stranger = Person(app)
    for method, path in _routes(app):
        if path in {"/", "/login"}:
            continue
        answer = stranger.http.request(method, path, params={"code": "S-01", "assessment": 1, "scene": "x"}, json={})
        assert answer.status_code == 401, (method, path, answer.status_code)
        assert "S-01" not in answer.text


def test_pages_send_strangers_to_the_form_and_back(app: FastAPI) -> None:
    answer = Person(app).page("/site?code=S-01")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?to=/site%3Fcode%3DS-01")


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_logging_in_leads_to_this_server_only(app: FastAPI, to: str) -> None:
    person = Person(app)
    token = re.search(r'name="form_token" value="([^"]+)"', person.page("/login").text)
    assert token is not None
    sent = {"name": "anna", "password": "a long enough password", "form_token": token[1], "to": to}
    assert person.http.post("/login", data=sent).headers["location"] == "/review"


def test_writing_needs_the_token_of_the_session(app: FastAPI, log_in: LogIn, ledger: Ledger) -> None:
    anna, bo = log_in("anna"), log_in("bo")
    item = anna.next()["items"][0]
    body = {"key": item["key"], "verdict": item["verdict"]["outcome"]}
    for forged in ("", "x", bo.csrf):
        assert anna.post("/api/decisions", body, csrf=forged).status_code == 403
    for method, path in _routes(app):
        if method == "POST" and path != "/login":
            assert anna.post(path, {}, csrf="").status_code in {403, 422}, path
    assert ledger.decisions() == []


def test_requests_of_other_sites_are_refused(log_in: LogIn) -> None:
    anna = log_in("anna")
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = anna.http.post("/api/next", json={}, headers={"X-CSRF-Token": anna.csrf, **headers})
        assert answer.status_code == 403
    same = {"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin", "X-CSRF-Token": anna.csrf}
    assert anna.http.post("/api/next", json={}, headers=same).status_code == 200


def test_the_log_in_form_cannot_be_forged(app: FastAPI) -> None:
    sent = {"name": "anna", "password": "a long enough password", "form_token": "guessed"}
    assert Person(app).http.post("/login", data=sent).status_code == 403
    assert Person(app).http.post("/login", data={**sent, "form_token": ""}).status_code in {403, 422}


def test_a_session_that_was_planted_is_never_used(app: FastAPI) -> None:
    victim = Person(app)
    victim.http.cookies.set("cvpipe_session", "planted-by-somebody", domain="127.0.0.1")
    victim.log_in("anna")
    mine = victim.http.cookies.get("cvpipe_session", domain="127.0.0.1") or dict(victim.http.cookies)["cvpipe_session"]
    assert mine != "planted-by-somebody"
    attacker = Person(app)
    attacker.http.cookies.set("cvpipe_session", "planted-by-somebody")
    assert attacker.get("/sites").status_code == 401


def test_each_log_in_has_a_new_session_and_ends_the_old_one(app: FastAPI) -> None:
    anna = Person(app)
    anna.log_in("anna")
    old = anna.http.cookies["cvpipe_session"]
    anna.log_in("anna")
    assert anna.http.cookies["cvpipe_session"] != old
    thief = Person(app)
    thief.http.cookies.set("cvpipe_session", old)
    assert thief.get("/sites").status_code == 401


def test_logging_out_ends_the_session_on_the_server(app: FastAPI, log_in: LogIn) -> None:
    anna = log_in("anna")
    token = anna.http.cookies["cvpipe_session"]
    assert anna.post("/logout").status_code == 204
    thief = Person(app)
    thief.http.cookies.set("cvpipe_session", token)
    assert thief.get("/sites").status_code == 401


def test_the_ledger_holds_no_token_and_the_cookie_is_out_of_scripts_reach(app: FastAPI, workspace: Workspace) -> None:
    anna = Person(app)
    told = anna.log_in("anna").headers["set-cookie"].lower()
    assert "httponly" in told
    assert "samesite=strict" in told
    assert anna.http.cookies["cvpipe_session"].encode() not in workspace.ledger_path.read_bytes()


def test_wrong_passwords_lock_an_account_and_are_noted(app: FastAPI, ledger: Ledger) -> None:
    person = Person(app)
    for _ in range(5):
        assert person.log_in("anna", "not the password").status_code == 401
    assert person.log_in("anna").status_code == 401, "locked, though the password is right"
    assert person.log_in("nobody-there", "my password typed as a name").status_code == 401
    outcomes = [outcome for _, _, outcome in ledger.log_ins()]
    assert outcomes == [LogInOutcome.WRONG, LogInOutcome.LOCKED, *[LogInOutcome.WRONG] * 5]
    assert next(name for _, name, _ in ledger.log_ins()) == ""
    assert sum(row.kind == "log_in" for row in ledger.audit()) == 7
    assert ledger.verify().problems == ()


def test_attempts_from_one_address_are_limited(app: FastAPI, ledger: Ledger) -> None:
    person = Person(app)
    for _ in range(25):
        person.log_in("nobody", "whatever it is")
    assert len(ledger.log_ins()) == 20


def test_an_account_that_is_closed_or_changed_is_logged_out(log_in: LogIn, ledger: Ledger) -> None:
    anna = log_in("anna")
    account = ledger.account("anna")
    assert account is not None
    ledger.put_account(replace(account, active=False))
    assert anna.get("/sites").status_code == 401


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/next", {}),
        (
            "/api/decisions",
            {"key": {"assessment_key": "remediation-3", "question": "demolition"}, "verdict": "complete"},
        ),
        ("/api/undo", {}),
        ("/api/labels", {"code": "S-03", "assessment_key": "remediation-3", "changes": []}),
        ("/api/moves", {"code": "S-03", "becomes": "cleared"}),
        ("/api/candidates", {"id": 1, "state": "dismissed"}),
        ("/api/inspections", {"code": "S-03", "inspected_on": "2017-08-01", "result": "clear"}),
    ],
)
def test_a_viewer_only_looks(log_in: LogIn, ledger: Ledger, path: str, body: dict[str, object]) -> None:
    before = len(ledger.audit())
    vera = log_in("vera")
    assert vera.post(path, body).status_code == 403
    noted = [row.kind for row in ledger.audit()[before:]]
    assert noted == ["log_in"]
    assert vera.get("/sites").status_code == 200


def test_only_an_admin_sees_people(log_in: LogIn) -> None:
    assert log_in("anna").get("/people").status_code == 403
    assert "anna" in log_in("ada").page("/people").text


def test_nobody_takes_back_what_others_decided(log_in: LogIn, ledger: Ledger) -> None:
    anna = log_in("anna")
    anna.decide(anna.next()["items"][0])
    assert log_in("bo").post("/api/undo", {}).json()["undone"] is None
    assert len(ledger.decisions()) == 1


def test_pictures_and_photos_belong_to_their_site(log_in: LogIn, ledger: Ledger) -> None:
    anna = log_in("anna")
    pictures = anna.next()["items"][0]["pictures"]["epochs"][0]["picture"]
    assert anna.get(pictures).headers["content-type"] == "image/jpeg"
    scenes = [scene.content_hash for scene in ledger.scenes()]
    for scene in ("/etc/passwd", "../../etc/passwd", "http://127.0.0.1/x.tif", "' OR 1=1 --", ""):
        assert anna.http.get("/pictures/picture", params={"assessment": 1, "scene": scene}).status_code == 404
    assert anna.http.get("/pictures/picture", params={"assessment": 999, "scene": scenes[0]}).status_code == 404
    assert anna.http.get("/pictures/file", params={"assessment": 1, "scene": scenes[0]}).status_code == 422
    for tile in ((9, 0, 0), (0, 99, 0), (0, -1, 0)):
        where = dict(zip("zxy", tile, strict=True))
        assert anna.http.get("/pictures/tile", params={"assessment": 1, "scene": scenes[0], **where}).status_code == 404


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/%2e%2e/errors.py", "/static//etc/passwd"]
)
def test_no_path_leaves_the_static_folder(app: FastAPI, path: str) -> None:
    answer = Person(app).get(path)
    assert answer.status_code in {401, 404}
    assert "import" not in answer.text


@pytest.mark.parametrize("payload", PAYLOADS)
def test_texts_of_the_ledger_stay_texts(log_in: LogIn, ledger: Ledger, payload: str) -> None:
    site = ledger.sites(["S-03"])[0]
    everywhere = dict.fromkeys(("name", "sub_district", "community", "owner_system", "batch"), payload)
    ledger.put_sites([replace(site, **everywhere)], source="test")  # type: ignore[arg-type]
    anna = log_in("anna")
    item = anna.next(why="uncertain")["items"][0]
    assert item["site"]["code"] == "S-03"
    anna.decide(item, "not_assessable", reason="site_visit", note=payload)
    for page in ("/review", "/sites", "/site?code=S-03", "/sheet?code=S-03", "/overview", "/visits", "/candidates"):
        text = anna.page(page).text
        assert ("<" not in payload) or payload not in text, page
        assert "alert(1)</script>" not in text, page
        assert "<img src=x" not in text, page
    assert "{{7*7}}" not in payload or "{{7*7}}" in anna.page("/sites").text


def test_pages_carry_no_inline_script_or_style(log_in: LogIn) -> None:
    ada = log_in("ada")
    for page in (
        "/review",
        "/sites",
        "/site?code=S-03",
        "/sheet?code=S-03",
        "/overview",
        "/visits",
        "/people",
        "/candidates",
    ):
        answer = ada.page(page)
        assert answer.status_code == 200, page
        scripts = re.findall(r"<script([^>]*)>", answer.text)
        assert all("src=" in one or "application/json" in one for one in scripts), page
        assert not re.search(
            r"\son\w+=|\sstyle=|javascript:|https?://", answer.text.replace("http://www.w3.org", "")
        ), page
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


def test_other_hosts_are_not_answered(app: FastAPI) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", ""):
        assert Person(app).http.get("/login", headers={"Host": host}).status_code == 421


def test_what_is_too_large_is_refused(log_in: LogIn) -> None:
    anna = log_in("anna")
    assert anna.post("/api/next", {"wanted": {"batch": "x" * 2_000_000}}).status_code == 413
    assert anna.post("/api/next", {"wanted": {"batch": "x" * 300}}).status_code == 422
    assert anna.post("/api/next", {"unknown": 1}).status_code == 422

    def endless() -> object:
        for _ in range(40):
            yield b"x" * 100_000

    told = {"X-CSRF-Token": anna.csrf, "Content-Type": "application/json"}
    cut_off = anna.http.post("/api/next", content=endless(), headers=told)  # type: ignore[arg-type]
    assert cut_off.status_code == 413


def _endless(chunks: int) -> Iterator[bytes]:
    """A photo without a stated length, chunk by chunk."""
    yield b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n'
    for _ in range(chunks):
        yield b"x" * 100_000


@pytest.mark.parametrize("who", [None, "vera", "forger"])
def test_what_strangers_send_is_refused_unread(
    app: FastAPI, log_in: LogIn, monkeypatch: pytest.MonkeyPatch, who: str | None
) -> None:
    def read(*_: object) -> None:
        raise AssertionError("a form was read")

    person = log_in("anna" if who == "forger" else who) if who else Person(app)
    monkeypatch.setattr(Request, "form", read)
    form = {"X-CSRF-Token": "forged" if who == "forger" else person.csrf}
    form["Content-Type"] = "multipart/form-data; boundary=x"
    for path, largest in (("/api/attachments", 25_000_000), ("/api/visits/results", 8_000_000)):
        for size in (10, 20_000_000, 30_000_000):
            told = {**form, "Content-Length": str(size)}
            refused = {413} if size > largest else {401, 403}
            assert person.http.post(path, content=b"x" * 10, headers=told).status_code in refused, (path, size)
        assert person.http.post(path, content=_endless(3), headers=form).status_code in {401, 403}


def test_a_photo_that_hides_its_length_is_cut_off_at_the_limit(log_in: LogIn, ledger: Ledger) -> None:
    anna = log_in("anna")
    told = {"X-CSRF-Token": anna.csrf, "Content-Type": "multipart/form-data; boundary=x"}
    answer = anna.http.post("/api/attachments", content=_endless(300), headers=told)
    assert (answer.status_code, answer.json()["error"]) == (413, "That is too large.")
    assert ledger.attachments() == []


def test_a_proxy_that_is_trusted_names_the_visitor(ledger: Ledger, workspace: Workspace) -> None:
    options = ReviewOptions(names=("127.0.0.1",), proxies=("10.0.0.1",), user_header="X-Remote-User")
    app = create_app(ledger, workspace.folder, options)
    through, around = Person(app, client=("10.0.0.1", 1)), Person(app, client=("10.0.0.9", 1))
    named = {"X-Remote-User": "vera", "Accept": "text/html"}
    answer = through.http.get("/login", headers=named)
    assert answer.status_code == 303
    assert "__Host-cvpipe" in answer.headers["set-cookie"]
    assert "secure" in answer.headers["set-cookie"].lower()
    assert around.http.get("/login", headers=named).status_code == 403, "nobody comes past the proxy"
    assert through.http.get("/login", headers={**named, "X-Remote-User": "stranger"}).status_code == 200


@pytest.mark.parametrize(
    ("proxies", "peer", "is_one"),
    [
        (("10.0.0.0/28",), "10.0.0.15", True),
        (("10.0.0.0/28",), "10.0.0.16", False),
        (("10.0.0.0/28",), "::ffff:10.0.0.3", True),
        (("192.0.2.4", "2001:db8::/64"), "2001:db8::5", True),
        (("192.0.2.4", "2001:db8::/64"), "192.0.2.40", False),
        (("192.0.2.4",), "", False),
        (("192.0.2.4",), "testclient", False),
        ((), "127.0.0.1", False),
    ],
)
def test_proxies_are_known_by_their_networks(proxies: tuple[str, ...], peer: str, is_one: bool) -> None:
    assert ReviewOptions(proxies=proxies).is_proxy(peer) is is_one


def test_behind_a_proxy_nobody_else_is_answered_in_the_clear(ledger: Ledger, workspace: Workspace) -> None:
    app = create_app(ledger, workspace.folder, ReviewOptions(names=("127.0.0.1",), proxies=("10.0.0.0/28",)))
    assert Person(app, client=("10.0.0.7", 1)).get("/login").status_code == 200
    direct = Person(app, client=("192.0.2.7", 1))
    for path in ("/login", "/sites", "/static/style.css"):
        answer = direct.http.get(path, headers={"X-Forwarded-For": "10.0.0.7"})
        assert (answer.status_code, "proxy only" in answer.text) == (403, True), path


def test_with_a_certificate_others_come_directly_and_their_headers_count_for_nothing(
    ledger: Ledger, workspace: Workspace
) -> None:
    own = ReviewOptions(names=("127.0.0.1",), proxies=("10.0.0.1",), user_header="X-Remote-User",
                        tls_certificate=Path("cert.pem"), tls_key=Path("key.pem"))  # fmt: skip
    app = create_app(ledger, workspace.folder, own)
    named = {"X-Remote-User": "ada", "X-Forwarded-For": "10.0.0.1", "Accept": "text/html"}
    answer = Person(app, client=("192.0.2.7", 1)).http.get("/login", headers=named)
    assert (answer.status_code, "__Host-cvpipe" in answer.headers["set-cookie"]) == (200, False)
    assert Person(app, client=("10.0.0.1", 1)).http.get("/login", headers=named).status_code == 303


def test_a_visitor_whom_a_proxy_names_twice_is_nobody(ledger: Ledger, workspace: Workspace) -> None:
    options = ReviewOptions(names=("127.0.0.1",), proxies=("10.0.0.1",), user_header="X-Remote-User")
    through = Person(create_app(ledger, workspace.folder, options), client=("10.0.0.1", 1))
    named = [("X-Remote-User", "ada"), ("X-Remote-User", "vera"), ("Accept", "text/html")]
    assert through.http.get("/login", headers=named).status_code == 200


def test_nobody_escapes_the_limit_by_a_made_up_address(ledger: Ledger, workspace: Workspace) -> None:
    options = ReviewOptions(names=("127.0.0.1",), proxies=("10.0.0.1",))
    found = Request(
        {
            "type": "http",
            "app": create_app(ledger, workspace.folder, options),
            "client": ("10.0.0.1", 1),
            "headers": [(b"x-forwarded-for", b"192.0.2.1"), (b"x-forwarded-for", b"192.0.2.2, 198.51.100.7")],
        }
    )
    assert address_of(found) == "198.51.100.7"


def test_a_locked_account_takes_as_long_as_any_other(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    person, compared = Person(app), list[str | None]()
    for _ in range(5):
        person.log_in("anna", "not the password")

    def matches(_: str, kept: str | None) -> bool:
        compared.append(kept)
        return False

    monkeypatch.setattr(passwords, "matches", matches)
    person.log_in("anna", "not the password")
    assert len(compared) == 1


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"host": "0.0.0.0", "names": ("x.example",)}, "in the clear"),
        ({"host": "192.0.2.7", "names": ("x.example",)}, "in the clear"),
        ({"host": "0.0.0.0", "proxies": ("10.0.0.1",)}, "name that browsers"),
        ({"user_header": "X-User"}, "could name anybody"),
        ({"user_header": "X-User", "proxies": ("0.0.0.0/0",)}, "every address"),
        ({"proxies": ("proxy.example",)}, "proxy.example"),
        ({"proxies": ("10.0.0.1/28",)}, "host bits"),
        ({"tls_certificate": "cert.pem"}, "goes with its key"),
    ],
)
def test_unsafe_ways_to_listen_are_refused(told: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ReviewOptions.model_validate(told).refuse_unsafe(has_accounts=True)


def test_nobody_listens_without_accounts() -> None:
    with pytest.raises(UsageError, match="nobody has an account"):
        ReviewOptions().refuse_unsafe(has_accounts=False)
    ReviewOptions().refuse_unsafe(has_accounts=True)
    public = ReviewOptions(host="0.0.0.0", names=("x.example",), proxies=("10.0.0.1",))
    public.refuse_unsafe(has_accounts=True)


def test_roles_are_ordered() -> None:
    assert list(Role) == [Role.VIEWER, Role.REVIEWER, Role.ADMIN]
