"""How fast the reviewers' page answers: many reviewers at once while a run writes, and one in a browser.

    python scripts/benchmark_review.py demo/workspace [--reviewers 20] [--seconds 30] [--looking 3] [--browser]

Works on a copy of the workspace whose sites are repeated until there is enough to review. Prints the machine, the
data, and for each kind of request n, the median and the 95th percentile, ms; with `--browser` also the time from a key
to the next picture that is painted.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Lock, Thread
from typing import Any

import httpx2

from cvpipe.assess.rules import Rules
from cvpipe.assess.settling import settle_sites
from cvpipe.domain import Account, Role
from cvpipe.ledger import Ledger, Workspace
from cvpipe.review.passwords import hashed

PASSWORD = "only for this benchmark"

#: Records that the run writes in a second.
WRITES_PER_SECOND = 5

#: Seconds between an item and the reviewer's answer: somebody very quick.
LOOKING_S = 1.0

#: Items that are decided in the browser.
BROWSER_ITEMS = 50


class Times:
    """Milliseconds by kind of request, and what went wrong. Safe to share between threads."""

    def __init__(self) -> None:
        self._ms, self._lock = defaultdict[str, list[float]](list), Lock()
        self.errors: list[str] = []

    @contextmanager
    def of(self, kind: str) -> Iterator[None]:
        """Time one request."""
        started = time.perf_counter()
        yield
        with self._lock:
            self._ms[kind].append(1000 * (time.perf_counter() - started))

    def failed(self, what: str) -> None:
        """Note a request that did not succeed."""
        with self._lock:
            self.errors.append(what)

    @property
    def count(self) -> int:
        """How many requests there were."""
        return sum(map(len, self._ms.values()))

    def print(self) -> None:
        """A line per kind."""
        print(f"{'request':<28}{'n':>7}{'p50 ms':>10}{'p95 ms':>10}")
        for kind, ms in sorted(self._ms.items()):
            p95 = statistics.quantiles(ms, n=20)[-1] if len(ms) > 1 else ms[0]
            print(f"{kind:<28}{len(ms):>7}{statistics.median(ms):>10.1f}{p95:>10.1f}")
        print(f"errors: {len(self.errors)} {self.errors[:3] if self.errors else ''}")


class Reviewer:
    """One session over a connection of its own."""

    def __init__(self, address: str, name: str, times: Times, looking_s: float) -> None:
        self.http, self.times, self.looking_s = httpx2.Client(base_url=address, timeout=60), times, looking_s
        token = self._found(r'name="form_token" value="([^"]+)"', self.http.get("/login").text)
        sent = {"name": name, "password": PASSWORD, "form_token": token, "to": "/sites"}
        self.http.post("/login", data=sent)
        page = self.http.get("/sites", headers={"Accept": "text/html"}).text
        self.csrf = {"X-CSRF-Token": self._found(r'name="csrf" content="([^"]+)"', page)}

    def work(self, stop: Event) -> None:
        """Decide one item after another, as the page does, and look at lists now and then."""
        answer = self._post("next", "/api/next", {})
        count = 0
        while answer and answer["items"] and not stop.is_set():
            item, count = answer["items"][0], count + 1
            self._pictures(item)
            stop.wait(self.looking_s)
            if count % 5 == 0:
                self._get("page of sites", f"/sites?page={count % 3 + 1}&sort=due")
                self._get("overview page", "/overview")
            body = {"key": item["key"], "verdict": item["verdict"]["outcome"], "seconds": self.looking_s}
            answer = self._post("decision and next item", "/api/decisions", body)
        self.http.close()

    def _pictures(self, item: dict[str, Any]) -> None:
        for epoch in item["pictures"]["epochs"] if item["pictures"] else []:
            if epoch["role"] != "other":
                self._get("picture, first time", epoch["picture"])
                self._get("picture, warm", epoch["picture"])

    def _get(self, kind: str, address: str) -> None:
        with self.times.of(kind):
            answer = self.http.get(address)
        if answer.status_code != 200:
            self.times.failed(f"{answer.status_code} {address}")

    def _post(self, kind: str, address: str, body: Any) -> Any:
        with self.times.of(kind):
            answer = self.http.post(address, json=body, headers=self.csrf)
        if answer.status_code != 200:
            self.times.failed(f"{answer.status_code} {address} {answer.text[:120]}")
            return None
        return answer.json()

    @staticmethod
    def _found(pattern: str, text: str) -> str:
        found = re.search(pattern, text)
        assert found is not None, f"{pattern} is not on the page"
        return found[1]


def main() -> None:
    """Measure and print."""
    asked = _asked()
    with TemporaryDirectory() as name:
        folder = Path(name) / "workspace"
        shutil.copytree(asked.workspace, folder)
        with Workspace.open(folder).ledger() as ledger:
            sites = _prepare(ledger, asked.reviewers)
        print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        work = f"{asked.reviewers} reviewers for {asked.seconds:.0f} s, {asked.looking:g} s an item"
        print(f"{sites} sites, {work}, a run that writes {WRITES_PER_SECOND}/s")
        with _server(folder) as (address, pid):
            _many(address, pid, folder, asked)
            if asked.browser:
                _browser(address, asked.browser)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--reviewers", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--looking", type=float, default=LOOKING_S, help="seconds that each looks at an item")
    parser.add_argument("--browser", help="path of Chromium: measure the page in it too")
    return parser.parse_args()


def _prepare(ledger: Ledger, reviewers: int) -> int:
    """Accounts, and sites repeated until each reviewer has a hundred; returns how many sites there are."""
    kept = hashed(PASSWORD)
    for number in range(reviewers + 1):
        ledger.put_account(Account(f"reviewer{number}", Role.REVIEWER, kept))
    sites, run = ledger.sites(), ledger.runs()[-1].id
    records = ledger.assessments()
    for copy in range(1, max(2, 50 * reviewers // len(sites))):
        ledger.put_sites([replace(site, code=f"{site.code}-{copy}") for site in sites], source="benchmark")
        for record in records:
            one = record.assessment
            ledger.record(run, replace(one, site_code=f"{one.site_code}-{copy}", key=f"{one.key}-{copy}"))
    settle_sites(ledger, Rules())
    return len(ledger.site_lines())


@contextmanager
def _server(folder: Path) -> Iterator[tuple[str, int]]:
    """The real command; its address and process."""
    call = [sys.executable, "-m", "cvpipe.cli", "review", "--port", "0", "--workspace", str(folder)]
    process = subprocess.Popen(call, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[-1], process.pid
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
        process.stdout.close()


def _many(address: str, pid: int, folder: Path, asked: argparse.Namespace) -> None:
    times, stop, used = Times(), Event(), _cpu_s(pid)
    people = [Reviewer(address, f"reviewer{number}", times, asked.looking) for number in range(asked.reviewers)]
    threads = [Thread(target=person.work, args=(stop,)) for person in people]
    threads.append(Thread(target=_write, args=(folder, stop)))
    for thread in threads:
        thread.start()
    time.sleep(asked.seconds)
    stop.set()
    for thread in threads:
        thread.join()
    times.print()
    # What a clock shows counts what else the machine does; this does not.
    print(f"server's processor time per request: {1000 * (_cpu_s(pid) - used) / times.count:.1f} ms")


def _cpu_s(pid: int) -> float:
    """Processor time of a process so far, all its threads, s (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _write(folder: Path, stop: Event) -> None:
    """What a run does to the ledger meanwhile: one site after the other."""
    with Workspace.open(folder).ledger() as ledger:
        run, known = ledger.runs()[-1].id, [record.assessment for record in ledger.assessments()]
        for number, old in enumerate(cycle(known)):
            if stop.wait(1 / WRITES_PER_SECOND):
                return
            ledger.record(run, replace(old, key=f"{old.key}-written-{number}"))


def _browser(address: str, chromium: str) -> None:
    from playwright.sync_api import sync_playwright

    shown = "() => document.documentElement.dataset.shown"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.goto(f"{address}/login")
        page.fill("[name=name]", "reviewer0")
        page.fill("[name=password]", PASSWORD)
        page.click("button.primary")
        page.wait_for_function(shown)
        started = time.perf_counter()
        page.goto(f"{address}/review")
        page.wait_for_function(shown)
        print(f"page opened to first picture, warm: {1000 * (time.perf_counter() - started):.0f} ms")
        waits = [wait for wait in (page.evaluate(_ONE_KEY) for _ in range(BROWSER_ITEMS)) if wait is not None]
        p95 = statistics.quantiles(waits, n=20)[-1]
        print(f"key to next picture painted: n {len(waits)}, p50 {statistics.median(waits):.0f} ms, p95 {p95:.0f} ms")
        browser.close()


#: One decision by key; resolves to the milliseconds until the next item is painted, after a look of a second.
_ONE_KEY = """async () => {
  await new Promise((done) => setTimeout(done, 1000));
  const root = document.documentElement, was = root.dataset.shown;
  const started = performance.now();
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "c", bubbles: true }));
  while (root.dataset.shown === was) {
    if (performance.now() - started > 20000) return null;
    await new Promise(requestAnimationFrame);
  }
  return performance.now() - started;
}"""


if __name__ == "__main__":
    main()
