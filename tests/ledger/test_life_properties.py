"""Whatever is done in whatever order, no site leaves its state machine and no word leaves the chain."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from itertools import count, pairwise
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from shapely.geometry import Point

from cvpipe.domain import OUTCOMES, Decision, Question, SiteStatus
from cvpipe.errors import LedgerError
from cvpipe.ledger import Ledger
from cvpipe.life import MOVES, NEEDS_REASON, OBSERVABLE
from tests.ledger import samples
from tests.ledger.conftest import Databases, Files, Store
from tests.ledger.test_migrating import released_file

CODES = ("SJS-001", "SJS-002", "点-3", "NEW")
codes, statuses = st.sampled_from(CODES), st.sampled_from(SiteStatus)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
days = st.dates(date(2015, 1, 1), date(2020, 1, 1))


class Life(RuleBasedStateMachine):
    """A ledger, and beside it a plain model: status and version of each site, and how many words were said."""

    store: ClassVar[Store]

    def __init__(self) -> None:
        super().__init__()
        self.status: dict[str, SiteStatus] = {}
        self.versions: dict[str, int] = {}
        self.decisions = self.moves = self.recorded = 0
        self.keys = count(1)

    @initialize()
    def open(self) -> None:
        """A ledger with a site or two in it."""
        self.begin()
        sites = self.ledger.sites()
        self.status = {site.code: site.status for site in sites}
        self.versions = {site.code: site.version or 0 for site in sites}
        self.recorded = len(self.ledger.assessments())
        for name, day in (("h2015", date(2015, 10, 1)), ("h2017", date(2017, 7, 1))):
            self.ledger.add_scene(samples.scene(name, day, "before.tif" if name == "h2015" else "after.tif"))
        self.run_id = samples.begin_run(self.ledger)

    def begin(self) -> None:
        """Open the ledger that all begins with."""
        self.ledger = Ledger.open(self.store.copy("filled"))

    @rule(code=codes, becomes=statuses, who=texts, reason=texts, recheck=st.none() | days)
    def move(self, code: str, becomes: SiteStatus, who: str, reason: str, recheck: date | None) -> None:
        """A person moves a site, or tries to."""
        was = self.status.get(code)
        named = MOVES[was].get(becomes) if was else None
        legal = named is not None and who.strip() and (named not in NEEDS_REASON or reason.strip())
        try:
            self.ledger.move_site(code, becomes, who=who, reason=reason, recheck_on=recheck)
        except LedgerError:
            assert not legal
            return
        assert legal
        self.status[code], self.moves = becomes, self.moves + 1

    @rule(given=st.lists(st.tuples(codes, st.none() | statuses, st.integers(0, 3)), unique_by=lambda row: row[0]))
    def put(self, given: list[tuple[str, SiteStatus | None, int]]) -> None:
        """A file is imported that states statuses and outlines; all of it lands or nothing."""
        sites, known = [], {site.code: site for site in self.ledger.sites()}
        for code, status, place in given:
            site = known.get(code, samples.site(code))
            moved = site if place == 0 else replace(site, geometry=Point(116 + place / 10, 39.9))
            sites.append(replace(moved, status=status or site.status))
        illegal = any(
            site.code in known and site.status not in {known[site.code].status, *MOVES[known[site.code].status]}
            for site in sites
        )
        try:
            self.ledger.put_sites(sites, source="file")
        except LedgerError:
            assert illegal
            return
        assert not illegal
        for site in sites:
            old = known.get(site.code)
            self.moves += old is not None and old.status is not site.status
            self.versions[site.code] = self.versions.get(site.code, 0) + (old is None or old.geometry != site.geometry)
            self.status[site.code] = site.status

    @rule(code=codes, rules=st.dictionaries(st.sampled_from(["rebound", "clearance"]), st.floats(0, 1), max_size=2))
    def plan(self, code: str, rules: dict[str, float]) -> None:
        """A plan is given rules of its own."""
        if code in self.status:
            (site,) = self.ledger.sites([code])
            self.versions[code] += rules != site.plan.rules
            self.ledger.put_sites([replace(site, plan=replace(site.plan, rules=rules))], source="plan")

    @rule(code=codes, observed=st.none() | statuses, later=st.booleans(), again=st.booleans())
    def record(self, code: str, observed: SiteStatus | None, later: bool, again: bool) -> None:
        """A run records what it saw; it cannot see what only people say."""
        scenes = ("h2015", "h2017") if later else ("h2017", "h2015")
        key = "key-1" if again else f"new {next(self.keys)}"
        told = samples.assessment(code, key, before=scenes[0], after=scenes[1])
        possible = code in self.status and (observed is None or observed in OBSERVABLE)
        try:
            self.recorded += self.ledger.record(self.run_id, replace(told, observed_status=observed))
        except LedgerError:
            assert not possible
        else:
            assert possible or again

    @rule(code=codes, question=st.sampled_from(Question), data=st.data(), note=texts)
    def decide(self, code: str, question: Question, data: st.DataObject, note: str) -> None:
        """A person answers a question."""
        if code in self.status:
            verdict = data.draw(st.sampled_from(sorted(OUTCOMES[question])))
            self.ledger.decide(Decision(code, "reviewer", question, verdict, note=note, seconds=0.1))
            self.decisions += 1

    @rule(code=codes, due=days, resolved=st.booleans())
    def find(self, code: str, due: date, resolved: bool) -> None:
        """A finding is raised, and perhaps resolved."""
        if code in self.status:
            entry = self.ledger.raise_finding(replace(samples.FINDING, site_code=code, due_date=due))
            if resolved:
                self.ledger.resolve_finding(entry.id, who="inspector")
            self.ledger.inspect(replace(samples.INSPECTION, site_code=code, inspected_on=due + timedelta(1)))

    @rule()
    def reopen(self) -> None:
        """The ledger is closed and opened again, by another process as it were."""
        self.ledger.close()
        self.ledger = Ledger.open(self.ledger.place)

    @invariant()
    def the_ledger_is_as_the_model(self) -> None:
        """Statuses, versions and numbers agree; each site's moves are a way through the state machine."""
        if not hasattr(self, "run_id"):
            return
        assert {site.code: site.status for site in self.ledger.sites()} == self.status
        assert {site.code: site.version for site in self.ledger.sites()} == self.versions
        assert len(self.ledger.decisions()) == self.decisions
        assert len(self.ledger.assessments()) == self.recorded
        moves = [entry.value for entry in self.ledger.moves()]
        assert len(moves) == self.moves
        for code, status in self.status.items():
            way = [move for move in moves if move.site_code == code]
            assert all(MOVES[move.was][move.becomes] is move.move for move in way)
            assert all(one.becomes is other.was for one, other in pairwise(way))
            assert not way or way[-1].becomes is status
            assert [v.version for v in self.ledger.versions(code)] == list(range(1, self.versions[code] + 1))

    def teardown(self) -> None:
        """At the end the chain holds, and all that the ledger keeps holds to it."""
        if hasattr(self, "ledger"):
            assert self.ledger.verify().problems == ()
            for code in self.status:
                assert self.ledger.history(code), "every site has a life to tell"
            self.ledger.close()


class ReleasedLife(Life):
    """The same, with a ledger that version 0.1.0 wrote, and its migration in between."""

    folder: ClassVar[Path]
    numbers = count(1)

    def begin(self) -> None:
        """Bring the released ledger up."""
        own = self.folder / str(next(self.numbers))
        own.mkdir()
        path = released_file(own)
        Ledger.migrate(path)
        self.ledger = Ledger.open(path)

    @precondition(lambda self: hasattr(self, "ledger"))
    @rule()
    def migrate(self) -> None:
        """A ledger that is up to date stays as it is."""
        before = self.ledger.audit(limit=1)
        self.ledger.close()
        assert Ledger.migrate(self.ledger.path) == ()
        with closing(sqlite3.connect(self.ledger.path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert self.ledger.audit(limit=1) == before


def examples(number: int, steps: int) -> settings:
    """How long to try: `number` sequences, times CVPIPE_EXAMPLES. The clock says nothing about a ledger on a disk."""
    return settings(
        max_examples=number * int(os.environ.get("CVPIPE_EXAMPLES", "1")),
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )


def test_no_sequence_breaks_a_file(files: Files) -> None:
    Life.store = files
    run_state_machine_as_test(Life, settings=examples(10, 20))


def test_no_sequence_breaks_a_released_file(tmp_path: Path) -> None:
    ReleasedLife.folder = tmp_path
    run_state_machine_as_test(ReleasedLife, settings=examples(4, 15))


@pytest.mark.postgres
def test_no_sequence_breaks_a_database(databases: Databases) -> None:
    Life.store = databases
    run_state_machine_as_test(Life, settings=examples(4, 12))
