"""Pairs on a cluster: what workers are asked for, how they greet, and what becomes of pairs whose worker is lost."""

from __future__ import annotations

import socket
import sys
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import cvpipe
from cvpipe.cli import app
from cvpipe.domain import Assessment, Outcome, Question
from cvpipe.errors import ClusterError, ClusterLostError, UsageError
from cvpipe.imagery import surface_path
from cvpipe.ledger import Workspace
from cvpipe.run import RayOptions, RunOptions, opened, run, run_opened
from cvpipe.run.engines import cluster, worker
from cvpipe.run.engines.joining import SCENES_TRIED, files_to_try
from cvpipe.run.engines.local import LocalEngine
from cvpipe.run.engines.posts import Post, post_for
from cvpipe.run.engines.work import Answer
from cvpipe.run.engines.worker import CarriedBundle, Greeting, Worker
from cvpipe.run.pairs import rounds
from cvpipe.run.sites import SitePair
from cvpipe.run.summary import RunSummary
from cvpipe.run.sweep import SWEPT_NAME, pairs_to_sweep
from cvpipe.run.whole_scenes import Compared, ScenePair
from tests.detect.networks import PaintedNetwork

pytest.importorskip("ray", reason="Ray is not installed (cvpipe[ray])")

from ray.exceptions import ActorDiedError, RayError, WorkerCrashedError

from cvpipe.run.engines.crew import Hand
from cvpipe.run.engines.ray_engine import FLIGHTS_PER_WORKER, MOST_AT_ONCE, MOST_LOSSES, SCENES, Handing


def node(cpus: float, gpus: float = 0, *, alive: bool = True) -> dict[str, Any]:
    resources = {"CPU": cpus, "GPU": gpus, "memory": 1e9}
    return {"Alive": alive, "Resources": {name: value for name, value in resources.items() if value}}


@pytest.mark.parametrize(
    ("nodes", "options", "device", "expected"),
    [
        ([node(0), node(8), node(5)], RayOptions(), "auto", Post(2, 0, 6)),
        ([node(8), node(8, alive=False)], RayOptions(cpus=4), "auto", Post(4, 0, 2)),
        ([node(1), node(1)], RayOptions(), "auto", Post(1, 0, 2)),
        ([node(64), node(16, 4), node(8, 1)], RayOptions(), "auto", Post(4, 1, 5)),
        ([node(16, 4)], RayOptions(), "cpu", Post(2, 0, 8)),
        ([node(1, 4)], RayOptions(), "cuda", Post(0.5, 1, 4)),
        ([node(8)], RayOptions(workers=3), "auto", Post(2, 0, 3)),
        ([node(0)], RayOptions(workers=3), "cuda", Post(1, 1, 3)),
        ([node(0)], RayOptions(workers=3), "auto", Post(2, 0, 3)),
    ],
)
def test_one_network_per_gpu_or_per_some_cores(
    nodes: list[dict[str, Any]], options: RayOptions, device: str, expected: Post
) -> None:
    assert post_for(nodes, options, device) == expected


@pytest.mark.parametrize(("device", "lacking"), [("auto", "core"), ("cuda", "GPU")])
def test_a_cluster_without_room_says_what_it_lacks(device: str, lacking: str) -> None:
    with pytest.raises(ClusterError, match=f"no {lacking} for a worker"):
        post_for([node(0)], RayOptions(), device)


def test_few_of_many_scenes_are_tried(workspace: Workspace, tmp_path: Path) -> None:
    with workspace.ledger() as ledger:
        scenes = ledger.scenes()
    assert files_to_try(scenes) == [scene.uri for scene in scenes]
    afar = [replace(scenes[0], uri="s3://bucket/scene.tif"), replace(scenes[0], uri=str(tmp_path / "gone.tif"))]
    assert files_to_try(afar) == []
    assert len(files_to_try(scenes * 1000)) == SCENES_TRIED


def test_without_ray_the_call_says_how_to_install_it(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    result = CliRunner().invoke(app, ["run", "--workspace", str(workspace.folder), "--engine", "ray"])
    assert isinstance(result.exception, UsageError)
    assert "pip install 'cvpipe[ray]'" in str(result.exception)


def test_options_of_the_other_engine_are_refused(workspace: Workspace) -> None:
    result = CliRunner().invoke(app, ["run", "--workspace", str(workspace.folder), "--ray-cpus", "2"])
    assert isinstance(result.exception, UsageError)
    assert "--engine ray" in str(result.exception)


def test_a_head_that_does_not_answer_is_told_at_once(workspace: Workspace) -> None:
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ClusterError, match="does not answer"):
            run(workspace, RunOptions(ray=RayOptions(address)))
    with pytest.raises(UsageError, match="no address of a Ray cluster"), cluster.connected("head:six"):
        pass


def test_a_run_with_nothing_pending_joins_no_cluster(workspace: Workspace) -> None:
    run(workspace)
    assert run(workspace, RunOptions(ray=RayOptions("127.0.0.1:1"))).assessed == 0


@dataclass(frozen=True)
class Painted:
    """The painted network on its way to a worker."""

    digest: str = "0" * 64

    def unpacked(self, device: str) -> PaintedNetwork:
        assert device == "cpu"
        return PaintedNetwork(digest=self.digest)


@pytest.fixture(autouse=True)
def cores_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads are set for a whole process, and this one runs other tests too."""
    monkeypatch.setattr(worker, "_use_cores", lambda _: None)


def greeted(workspace: Workspace, **other: Any) -> tuple[Worker, Greeting]:
    made = Worker()
    with opened(workspace) as found:
        plain = {"version": cvpipe.__version__, "carried": Painted(), "digest": "0" * 64, "scenes": ()}
        said: dict[str, Any] = plain | other
        assert isinstance(found.engine, LocalEngine)
        return made, made.greet(terms=found.engine.terms, device="cpu", cpus=1, **said)


def test_a_worker_that_cannot_work_says_why(workspace: Workspace, tmp_path: Path) -> None:
    gone = str(tmp_path / "gone.tif")
    here = str(next(tmp_path.glob("scene_*.tif")))
    _, found = greeted(workspace, scenes=[here, gone])
    assert found.trouble == f"cannot read 1 of 2 scenes that the run can read, such as {gone}"
    assert "mount the folder at the same path" in found.remedy
    _, found = greeted(workspace, version="0.0.1")
    assert "the run has 0.0.1" in found.trouble
    _, found = greeted(workspace, carried=Painted("1" * 64))
    assert "digest" in found.trouble
    _, found = greeted(workspace, carried=CarriedBundle("cvpipe-s", {"item.json": b"{}"}, "torch"))
    assert found.trouble
    _, found = greeted(workspace, scenes=[here])
    assert not found.trouble


def pairs_of(workspace: Workspace) -> list[SitePair]:
    with opened(workspace) as found:
        return next(iter(rounds(found, found.sites, RunSummary())))


def test_a_bundle_arrives_whole() -> None:
    carried = CarriedBundle.of("cvpipe-s", "torch")
    assert carried.unpacked("cpu").name == "cvpipe-s"


def outcomes_of(assessment: Assessment) -> list[tuple[Question, Outcome]]:
    return [(verdict.question, verdict.outcome) for verdict in assessment.verdicts]


def test_a_worker_says_what_this_process_would_say(workspace: Workspace) -> None:
    pairs = pairs_of(workspace)
    with opened(workspace) as found:
        expected = [answer for _, answer in found.engine.answers(pairs)]
        maps = [surface_path(workspace.runs, a.assessment.key) for a in expected if a.assessment]
    hired, _ = greeted(workspace)
    returned = hired.answers(pairs)
    assert [one.answer.megapixels for one in returned] == [one.megapixels for one in expected]
    for one, other in zip(returned, expected, strict=True):
        assert one.answer.assessment
        assert other.assessment
        assert one.answer.assessment.key == other.assessment.key
        assert outcomes_of(one.answer.assessment) == outcomes_of(other.assessment)
        ours, theirs = (a.changes for a in (one.answer.assessment, other.assessment))
        assert [c.area_m2 for c in ours] == pytest.approx([c.area_m2 for c in theirs], rel=1e-3)
    kept = [bool(path and path.exists()) for path in maps]
    assert [one.surfaces is not None for one in returned] == kept
    assert any(kept)


def test_a_worker_sweeps_as_this_process_does(workspace: Workspace, tmp_path: Path) -> None:
    with opened(workspace) as found:
        pairs = pairs_to_sweep(found.choosing.scenes)
        expected = [answer for _, answer in found.engine.changes(pairs)]
    hired, greeting = greeted(workspace)
    assert hired.changes(pairs) == expected
    assert all(one.changes for one in expected)
    for path in tmp_path.glob("scene_*.tif"):
        path.unlink()
    (lost,) = hired.changes(pairs)
    assert lost.changes is None
    assert lost.reason.startswith(f"on {greeting.machine}: ")


def test_what_a_worker_cannot_read_says_where(workspace: Workspace, tmp_path: Path) -> None:
    pairs = [pair for pair in pairs_of(workspace) if pair.before]
    hired, greeting = greeted(workspace)
    for path in tmp_path.glob("scene_*.tif"):
        path.unlink()
    reasons = [one.answer.reason for one in hired.answers(pairs)]
    assert reasons
    assert all(reason.startswith(f"on {greeting.machine}: ") and "scene_" in reason for reason in reasons)


@dataclass
class Actor:
    """Stands for a worker's process: what it is given is answered with the pairs' codes, or with what it dies of."""

    dies_of: Callable[[Sequence[SitePair]], RayError | None]
    lots: list[int] = field(default_factory=list)

    @property
    def answers(self) -> Actor:
        return self

    changes = answers

    def remote(self, pairs: Sequence[SitePair]) -> Ref:
        self.lots.append(len(pairs))
        return Ref(pairs, self.dies_of(pairs))


@dataclass(eq=False)
class Ref:
    """Stands for what comes back some day."""

    pairs: Sequence[SitePair]
    error: RayError | None


@dataclass
class Workers:
    """Stands for a crew whose lost workers are replaced at once."""

    ready: list[Hand]
    lost: int = 0
    most_in_flight: int = 0

    def wait(self, flights: Sequence[Ref]) -> list[Ref]:
        self.most_in_flight = max(self.most_in_flight, len(flights))
        return [flights[-1]]  # the last one first: order must not matter

    def lose(self, hand: Hand) -> None:
        self.ready.remove(hand)
        self.lost += 1
        self.ready.append(Hand(Actor(hand.actor.dies_of), True, "m"))


def get(ref: Ref, timeout: float | None = None) -> list[str]:
    assert timeout is None or timeout > 0
    if ref.error is not None:
        raise ref.error
    return [pair.site.code for pair in ref.pairs]


def handed(
    monkeypatch: pytest.MonkeyPatch, pairs: Sequence[SitePair], workers: int, dies_of: Callable[..., RayError | None]
) -> tuple[list[tuple[int, Any]], Workers]:
    monkeypatch.setattr("ray.get", get)
    crew = Workers([Hand(Actor(dies_of), False, "m") for _ in range(workers)])
    return list(Handing(crew, pairs).results()), crew  # type: ignore[arg-type]


@pytest.fixture
def many(workspace: Workspace) -> list[SitePair]:
    one = pairs_of(workspace)[0].alone()
    return [replace(one, site=replace(one.site, code=f"S{number}")) for number in range(100)]


def test_each_pair_comes_back_once_and_few_are_out_at_a_time(
    monkeypatch: pytest.MonkeyPatch, many: list[SitePair]
) -> None:
    found, crew = handed(monkeypatch, many, 3, lambda _: None)
    assert sorted(found) == [(number, f"S{number}") for number in range(100)]
    assert crew.most_in_flight <= 3 * FLIGHTS_PER_WORKER
    lots = [lot for hand in crew.ready for lot in hand.actor.lots]
    assert max(lots) <= MOST_AT_ONCE
    assert lots.count(1) >= 3, "small ones towards the end"


@pytest.mark.parametrize("error", [ActorDiedError(), WorkerCrashedError()])
def test_what_a_worker_was_lost_over_goes_to_others(
    monkeypatch: pytest.MonkeyPatch, many: list[SitePair], error: RayError
) -> None:
    due = [error, error, error]
    found, crew = handed(monkeypatch, many, 2, lambda _: due.pop() if due else None)
    assert sorted(found) == [(number, f"S{number}") for number in range(100)]
    assert bool(crew.lost) is isinstance(error, ActorDiedError)


def test_a_pair_that_takes_workers_down_is_set_aside_and_costs_no_other(
    monkeypatch: pytest.MonkeyPatch, many: list[SitePair]
) -> None:
    def dies_of(pairs: Sequence[SitePair]) -> RayError | None:
        return ActorDiedError() if any(pair.site.code == "S42" for pair in pairs) else None

    found, crew = handed(monkeypatch, many, 2, dies_of)
    poison = [said for number, said in found if number == 42]
    assert [said.answer.assessment for said in poison] == [None]
    assert poison[0].answer.reason.startswith(f"{MOST_LOSSES} workers were lost over it, the last on m")
    assert not poison[0].answer.may_pass
    assert Counter(number for number, _ in found) == Counter(range(100))
    assert all(said == f"S{number}" for number, said in found if number != 42)
    assert crew.lost == MOST_LOSSES


def test_whole_scenes_are_handed_out_one_at_a_time(monkeypatch: pytest.MonkeyPatch, many: list[SitePair]) -> None:
    def dies_of(pairs: Sequence[SitePair]) -> RayError | None:
        return ActorDiedError() if any(pair.site.code == "S7" for pair in pairs) else None

    monkeypatch.setattr("ray.get", get)
    crew = Workers([Hand(Actor(dies_of), False, "m") for _ in range(2)])
    found = dict(Handing(crew, many, SCENES).results())  # type: ignore[arg-type]
    assert {lot for hand in crew.ready for lot in hand.actor.lots} == {1}
    assert found.pop(7).changes is None
    assert found == {number: f"S{number}" for number in range(100) if number != 7}


class Failing:
    """An engine that gives one answer and is lost."""

    def __init__(self, local: Any) -> None:
        self._local, self.device, self.machine = local, "ray", {"workers": 2}

    def answers(self, pairs: Sequence[SitePair]) -> Generator[tuple[SitePair, Answer]]:
        if pairs:
            yield next(self._local.answers(pairs))
            raise ClusterLostError("no worker came")

    def changes(self, pairs: Sequence[ScenePair]) -> Generator[tuple[ScenePair, Compared]]:
        yield next(self._local.changes(pairs))
        raise ClusterLostError("no worker came")


def test_a_lost_cluster_ends_the_run_and_keeps_what_was_written(workspace: Workspace) -> None:
    with opened(workspace) as found:
        summary = run_opened(replace(found, engine=Failing(found.engine)))
    assert summary.assessed == 1
    assert summary.stopped == "no worker came"
    with workspace.ledger() as ledger:
        assert len(ledger.assessments()) == 1
    assert run(workspace).assessed == 5


def test_a_cluster_that_is_lost_in_a_sweep_ends_the_run_and_keeps_what_was_compared(workspace: Workspace) -> None:
    run(workspace)
    with opened(workspace, RunOptions(sweep=True)) as found:
        assert run_opened(replace(found, engine=Failing(found.engine))).stopped == "no worker came"
        assert len(list((workspace.runs / SWEPT_NAME).iterdir())) == 1
    assert run(workspace, RunOptions(sweep=True)).stopped is None
