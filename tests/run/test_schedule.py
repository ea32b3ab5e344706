"""A schedule keeps its times, and no round that fails ends it."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
import time
import urllib.request
from collections import Counter
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from cvpipe.cli import app
from cvpipe.domain import Reason
from cvpipe.errors import LeaseError, SettingsError, UsageError
from cvpipe.ledger import Workspace
from cvpipe.run import RayOptions, RunOptions, schedule
from cvpipe.run.logs import JsonLines
from cvpipe.run.metrics import RunMetrics
from cvpipe.run.schedule import Round, keep_time, next_times, play_round
from cvpipe.run.summary import Failure, RunSummary
from cvpipe.run.watching import Refused, Sighted
from cvpipe.settings import ScheduleSettings

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "district")


def _times(expression: str, count: int, zone: str = "Asia/Shanghai") -> list[str]:
    after = datetime(2026, 11, 24, 12, 0, tzinfo=ZoneInfo(zone))  # a Tuesday
    found = next_times(ScheduleSettings(cron=(expression,), time_zone=zone), count, after)
    return [f"{moment:%a %m-%d %H:%M}" for moment in found]


def test_times_are_those_of_the_time_zone() -> None:
    assert _times("0 2 * * *", 2) == ["Wed 11-25 02:00", "Thu 11-26 02:00"]
    moment = next_times(ScheduleSettings(time_zone="Asia/Shanghai"), 1)[0]
    assert moment.utcoffset() == timedelta(hours=8)


@pytest.mark.parametrize(
    ("weekdays", "expected"),
    [
        ("0", ["Sun"]),
        ("7", ["Sun"]),
        ("1-5", ["Wed", "Thu", "Fri", "Mon", "Tue"]),
        ("6,0", ["Sat", "Sun"]),
        ("fri-mon", ["Fri", "Sat", "Sun", "Mon"]),
        ("*/2", ["Thu", "Sat", "Sun", "Tue"]),
    ],
)
def test_weekdays_count_from_sunday_as_in_cron(weekdays: str, expected: list[str]) -> None:
    found = _times(f"0 3 * * {weekdays}", len(expected))
    assert [moment[:3] for moment in found] == expected


def test_several_times_come_in_order() -> None:
    settings = ScheduleSettings(cron=("0 6 * * *", "30 1 * * *"))
    hours = [moment.hour for moment in next_times(settings, 4, datetime(2026, 1, 1, tzinfo=UTC))]
    assert hours == [1, 6, 1, 6]


def test_summer_time_neither_skips_nor_doubles_a_day() -> None:
    settings = ScheduleSettings(cron=("30 3 * * *",), time_zone="Europe/Paris")
    found = next_times(settings, 4, datetime(2026, 3, 27, tzinfo=ZoneInfo("Europe/Paris")))
    assert [(moment.day, moment.hour) for moment in found] == [(27, 3), (28, 3), (29, 3), (30, 3)]


@pytest.mark.parametrize("cron", ["", "0 2 * *", "61 * * * *", "0 2 * * 8", "0 2 * * noday", "@daily"])
def test_what_is_no_time_is_refused(cron: str) -> None:
    with pytest.raises(SettingsError, match="minute hour day"):
        schedule.triggers(ScheduleSettings(cron=(cron,)))


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(SettingsError, match="Atlantis"):
        schedule.triggers(ScheduleSettings(time_zone="Atlantis/Capital"))


def test_a_round_looks_first_and_then_runs(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    order = []

    def look(_: Workspace) -> Sighted:
        order.append("look")
        return Sighted(added=("a.tif", "b.tif"))

    def job(*_: object) -> RunSummary:
        order.append("run")
        return RunSummary(assessed=5)

    monkeypatch.setattr(schedule, "look_for_scenes", look)
    monkeypatch.setattr(schedule, "run", job)
    played = play_round(workspace)
    assert order == ["look", "run"]
    assert not played.failed
    assert "2 new scenes, 5 pairs" in played.notice("d").text


def test_whatever_fails_is_told_and_not_raised(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def held(*_: object) -> RunSummary:
        raise LeaseError("a run is going on")

    def burst(*_: object) -> RunSummary:
        raise RuntimeError("no disk")

    for job, words in ((held, "a run is going on"), (burst, "RuntimeError: no disk")):
        monkeypatch.setattr(schedule, "run", job)
        played = play_round(workspace)
        assert played.failed
        assert words in played.notice("d").text


def test_an_unusable_scene_is_a_failure_that_names_it(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    sighted = Sighted(refused=(Refused("x.tif", "zero bytes"),))
    monkeypatch.setattr(schedule, "look_for_scenes", lambda _: sighted)
    monkeypatch.setattr(schedule, "run", lambda *_: RunSummary())
    played = play_round(workspace)
    assert played.failed
    notice = played.notice("d")
    assert notice.figures["unusable_scenes"] == ["x.tif: zero bytes"]
    assert (notice.failed, notice.figures["failed_pairs"]) == (True, 0)
    assert "failed" not in notice.figures, "a webhook's body holds both in one object"


def test_rounds_follow_their_times_until_the_signal_and_the_last_one_is_finished() -> None:
    began, ended = threading.Event(), threading.Event()

    def play() -> None:
        began.set()
        time.sleep(0.5)
        ended.set()

    def end() -> None:
        assert began.wait(10)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=end).start()
    keep_time(ScheduleSettings(), play, at_once=True)
    assert ended.is_set()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_metrics_are_read_from_the_port_and_from_the_file(tmp_path: Path) -> None:
    summary = RunSummary(sites=7, assessed=3, not_assessable=Counter({Reason.CLOUD: 2}), seconds=1.5)
    summary.failures.append(Failure("A1", None, "lost"))
    metrics = RunMetrics.new()
    metrics.take(summary, 1e9)
    metrics.write(tmp_path / "m.prom")
    port = metrics.serve(0, "127.0.0.1")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        scraped = answer.read().decode()
    for text in (scraped, (tmp_path / "m.prom").read_text()):
        assert "cvpipe_last_run_sites 7.0" in text
        assert "cvpipe_last_run_failed 1.0" in text
        assert 'cvpipe_last_run_not_assessable{reason="cloud"} 2.0' in text


def test_the_log_is_one_object_per_line() -> None:
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    log = logging.Logger("cvpipe.test")
    log.addHandler(handler)
    log.info("done\nwith it", extra={"sites": 3})
    try:
        raise ValueError("odd")
    except ValueError:
        log.exception("burst")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["what"], first["sites"], first["level"]) == ("done\nwith it", 3, "info")
    assert "ValueError: odd" in second["error"]


def test_a_round_is_asked_what_a_run_would_be(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each option of `cvpipe run` that holds for every night reaches the runs of a schedule."""
    asked = list[RunOptions | None]()

    def played(_place: Workspace, options: RunOptions | None = None) -> Round:
        asked.append(options)
        return Round()

    monkeypatch.setattr("cvpipe.run.schedule.play_round", played)
    ray = ["--engine", "ray", "--ray-address", "head:6379", "--ray-cpus", "4", "--ray-workers", "3"]
    others = ["--site", "A", "--device", "cpu", "--runtime", "torch", "--sweep", "--retry"]
    result = CliRunner().invoke(app, ["schedule", "--workspace", str(workspace.folder), "--once", *ray, *others])
    assert result.exit_code == 0, result.output
    expected = RunOptions(["A"], "cpu", "torch", retry=True, sweep=True, ray=RayOptions("head:6379", cpus=4, workers=3))
    assert asked == [expected]
    refused = CliRunner().invoke(app, ["schedule", "--workspace", str(workspace.folder), "--once", "--ray-cpus", "4"])
    assert isinstance(refused.exception, UsageError)
