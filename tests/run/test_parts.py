"""Parts of the sites: each site in one of them, and runs of all parts beside each other end as one run of the whole."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from shapely.geometry import Point, box

from cvpipe.domain import Site
from cvpipe.errors import LeaseError, UsageError
from cvpipe.imagery import describe
from cvpipe.ledger import Workspace, read_sites
from cvpipe.run import RunOptions, parts, run
from cvpipe.run.lease import holder_of, lease
from cvpipe.run.parts import Part, lease_of, own_folder
from cvpipe.world import draw_district
from tests.detect.networks import PaintedNetwork
from tests.ledger import postgres
from tests.ledger.commands import run_command
from tests.run.conftest import SITES, scenes

#: A ledger in a database that nobody asks: only where it is counts.
DATABASE = "postgresql://nobody@127.0.0.1:1/none"


def district(count: int, seed: int = 0) -> list[Site]:
    """Sites strewn over some 20 km by 20 km."""
    places = np.random.default_rng(seed).uniform((116.0, 39.8), (116.24, 39.98), (count, 2))
    return [Site(f"S{n}", Point(x, y).buffer(0.0002)) for n, (x, y) in enumerate(places.tolist())]


def test_each_site_is_in_one_part_whatever_else_there_is() -> None:
    sites = district(600)
    codes = [[site.code for site in Part(number, 8).of(sites)] for number in range(8)]
    assert sorted(chain.from_iterable(codes)) == sorted(site.code for site in sites)
    assert all(part == sorted(part, key=lambda code: int(code[1:])) for part in codes)
    alone = [site.code for site in sites if Part(3, 8).of([site])]
    assert alone == codes[3]
    assert Part(0, 1).of(sites) == sites
    assert Part(0, 1).of([]) == []


def test_a_part_is_the_same_on_every_machine_and_in_every_version() -> None:
    """Figures that were once written down: pods of two releases must not leave sites out between them."""
    middles = [(116.105, 39.905), (116.115, 39.905), (-70.005, -33.445), (0.005, 0.005)]
    sites = [Site(str(n), box(x - 0.001, y - 0.001, x + 0.001, y + 0.001)) for n, (x, y) in enumerate(middles)]
    assert [next(n for n in range(8) if Part(n, 8).of([site])) for site in sites] == [1, 6, 4, 1]


def test_parts_are_about_equal_and_neighbours_stay_together() -> None:
    sites = district(4000)
    sizes = [len(Part(number, 8).of(sites)) for number in range(8)]
    assert max(sizes) < 1.3 * 500
    assert min(sizes) > 0.7 * 500
    beside = [Site(f"N{n}", Point(116.105 + n * 0.0005, 39.905).buffer(0.0002)) for n in range(-8, 9)]
    assert [len(Part(number, 8).of(beside)) for number in range(8)].count(0) == 7


@pytest.mark.parametrize("text", ["8/8", "1", "1/", "-1/8", "a/b", "1/0", "", "1/2/3", "٣/x"])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no part"):
        Part.parsed(text)


def test_a_part_is_named_as_a_job_counts() -> None:
    assert Part.parsed("0/8") == Part(0, 8)
    assert Part.parsed("7/8") == Part(7, 8)


class TestLease:
    """Who goes on beside whom."""

    @pytest.fixture
    def workspace(self, tmp_path: Path) -> Workspace:
        made = Workspace.create(tmp_path / "ws")
        text = made.settings_path.read_text(encoding="utf-8")
        made.settings_path.write_text(text.replace('"ledger.gpkg"', f'"{DATABASE}"'), encoding="utf-8")
        assert made.ledger_place == DATABASE
        return made

    def test_parts_go_on_beside_each_other_but_not_twice(self, workspace: Workspace) -> None:
        with lease_of(workspace, Part(0, 2)):
            with lease_of(workspace, Part(1, 2)):
                pass
            with pytest.raises(LeaseError, match="part-0-of-2: a run is going on"), lease_of(workspace, Part(0, 2)):
                pass

    def test_the_whole_goes_on_alone(self, workspace: Workspace) -> None:
        with lease_of(workspace), pytest.raises(LeaseError, match="a run is going on"), lease_of(workspace, Part(0, 2)):
            pass
        with lease_of(workspace, Part(0, 2)), pytest.raises(LeaseError, match="part-0-of-2"), lease_of(workspace):
            pass
        with lease_of(workspace):
            assert own_folder(workspace, None) == workspace.runs

    def test_a_ledger_in_a_file_has_one_writer(self, tmp_path: Path) -> None:
        workspace = Workspace.create(tmp_path / "file")
        with lease(workspace.runs), pytest.raises(LeaseError), lease_of(workspace, Part(0, 2)):
            pass
        with lease_of(workspace, Part(0, 2)), pytest.raises(LeaseError), lease_of(workspace, Part(1, 2)):
            pass


def assessed(workspace: Workspace) -> dict[str, list[tuple[object, ...]]]:
    """What the ledger says of each site, but for runs and moments."""
    with workspace.ledger() as ledger:
        assert ledger.verify().problems == ()
        return {
            site.code: sorted(
                (record.assessment.key, *((v.question.value, v.outcome.value) for v in record.assessment.verdicts))
                for record in ledger.assessments(site.code)
            )
            for site in ledger.sites()
        }


def filled(workspace: Workspace, folder: Path) -> Workspace:
    with workspace.ledger() as ledger:
        ledger.put_sites(SITES, source="test")
        for path in scenes(folder):
            ledger.add_scene(describe(path))
    return workspace


@pytest.fixture
def _small_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """The drawn sites lie within 100 m; here that is several cells, and each site in a part of its own."""
    monkeypatch.setattr(parts, "CELL_DEG", 0.0002)
    assert [len(Part(number, 2).of(SITES)) for number in range(2)] != [3, 0]


@pytest.mark.usefixtures("_small_cells", "network")
def test_parts_of_a_ledger_in_a_file_one_after_the_other(tmp_path: Path) -> None:
    whole = filled(Workspace.create(tmp_path / "whole"), tmp_path)
    shared = filled(Workspace.create(tmp_path / "parts"), tmp_path)
    expected = run(whole).counts()
    summaries = [run(shared, RunOptions(part=Part(number, 2))) for number in range(2)]
    assert sum(one.sites for one in summaries) == len(SITES)
    assert sum(one.counts()["assessed"] for one in summaries) == expected["assessed"]
    assert assessed(shared) == assessed(whole)
    assert run(shared).counts()["assessed"] == 0


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    if postgres.programs() is None:
        pytest.skip("no PostgreSQL server with PostGIS on this machine (Debian: postgresql-15-postgis-3)")
    with postgres.running_server() as running:
        yield running


@pytest.mark.postgres
@pytest.mark.usefixtures("_small_cells")
def test_parts_side_by_side_on_a_database_end_as_one_run(
    tmp_path: Path, server: postgres.Server, network: PaintedNetwork
) -> None:
    """One workspace on a volume that all share, as the pods of an Indexed Job have it."""
    whole = filled(Workspace.create(tmp_path / "whole", ledger=server.create_database("whole")), tmp_path)
    shared = filled(Workspace.create(tmp_path / "parts", ledger=server.create_database("parts")), tmp_path)
    run(whole)
    with ThreadPoolExecutor(3) as pool:
        summaries = list(pool.map(lambda number: run(shared, RunOptions(part=Part(number, 3))), range(3)))
    assert [one.failures for one in summaries] == [[], [], []]
    assert assessed(shared) == assessed(whole)
    asked = len(network.batches)
    assert run(shared).assessed == 0
    assert len(network.batches) == asked, "the whole finds nothing left to do"


#: `cvpipe run` over cells so small that a drawn district has several parts.
IN_SMALL_CELLS = "from cvpipe.run import parts; parts.CELL_DEG = 0.0005; from cvpipe.cli import main; main()"


def started(workspace: Workspace, *words: str) -> subprocess.Popen[str]:
    call = [sys.executable, "-c", IN_SMALL_CELLS, "run", "--workspace", str(workspace.folder), "--json", *words]
    return subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(running: subprocess.Popen[str]) -> dict[str, int]:
    told, said = running.communicate(timeout=300)
    assert running.returncode == 0, said[-2000:]
    return {name: value for name, value in json.loads(told).items() if isinstance(value, int)}


@pytest.mark.slow
@pytest.mark.postgres
def test_a_part_that_is_killed_goes_on_and_the_others_never_stop(tmp_path: Path, server: postgres.Server) -> None:
    """Three processes with the network that ships; one is killed once it has written something, and started again."""
    district = draw_district(tmp_path / "district", seed=7, size_m=500.0)
    read = read_sites(district.sites)
    made = [Workspace.create(tmp_path / name, ledger=server.create_database(f"killed_{name}")) for name in ("a", "b")]
    for workspace in made:
        with workspace.ledger() as ledger:
            ledger.put_sites(read.sites, source="drawn", stated=read.stated)
            for scene in district.scenes:
                ledger.add_scene(describe(scene))
    whole, shared = made
    expected = ended(started(whole))
    running = [started(shared, "--part", f"{number}/3") for number in range(3)]
    deadline = time.monotonic() + 120
    while holder_of(Part(0, 3).folder(shared.runs)) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(random.uniform(0.0, 3.0))
    running[0].kill()
    running[0].communicate()
    again = ended(started(shared, "--part", "0/3"))
    others = [ended(one) for one in running[1:]]
    assert again["sites"] + sum(one["sites"] for one in others) == expected["sites"]
    assert min(again["sites"], *(one["sites"] for one in others)) > 0
    assert keys_in(shared) == keys_in(whole)
    assert ended(started(shared))["assessed"] == 0


def keys_in(workspace: Workspace) -> list[str]:
    with workspace.ledger() as ledger:
        assert ledger.verify().problems == ()
        return sorted(record.assessment.key for record in ledger.assessments())


def test_the_command_takes_a_part_and_no_sweep_of_one(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    in_here = [len(Part(number, 2).of(SITES)) for number in range(2)]
    for number in range(2):
        told = run_command(
            monkeypatch, capsys, "run", "--part", f"{number}/2", "--workspace", workspace.folder, "--json"
        )
        assert (told.code, f'"sites": {in_here[number]}' in told.stdout) == (0, True), told.stdout + told.stderr
    told = run_command(monkeypatch, capsys, "run", "--part", "0/2", "--sweep", "--workspace", workspace.folder)
    assert (told.code, "a sweep looks at whole scenes" in told.stderr) == (2, True)
