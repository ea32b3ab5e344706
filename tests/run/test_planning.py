"""A plan of many sites at once is that of the sites one by one, whatever the ledger holds."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shapely import box
from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry

from cvpipe.domain import Assessment, Outcome, Plan, Question, Reason, Scene, Site, SiteStatus, Verdict
from cvpipe.imagery import Quality
from cvpipe.ledger import Answered, Workspace
from cvpipe.run import Job, PlannedPair, Why, difference, opened, plan_opened
from cvpipe.run.difference import why
from cvpipe.run.epochs import Epoch, Epochs
from cvpipe.run.estimate import NOTHING, Load, to_read, to_think
from cvpipe.run.grouping import grouped
from cvpipe.run.looking import Looking
from cvpipe.run.planning import Asked, Choosing, remediation, watch
from cvpipe.run.sharing import Scale, boxes_of, grounds
from cvpipe.run.sites import PairKind, SitePair
from tests.detect.networks import PaintedNetwork
from tests.ledger import samples
from tests.run.scattered import Scatter, scattered

#: Sites that share ground and that are planned at once in these tests: few, so that there are several of both.
TOGETHER, AT_ONCE = 10, 30


SCENES = Scatter(
    count=(3, 8),
    ground=(116, 39.99, 116.02, 40.0),
    lefts=[0.0, 0.0, 0.0, 0.005],
    turns=[0, 0, 5],
    days=[0, 170, 340, 510, 680],
)


def scenes(dice: random.Random) -> list[Scene]:
    return scattered(dice, SCENES)


def sites(dice: random.Random) -> list[Site]:
    """Close together; a few are points, a few have rules of their own that cannot be read."""
    return [_site(dice, number) for number in range(70)]


def _site(dice: random.Random, number: int) -> Site:
    x, y = dice.uniform(115.999, 116.02), dice.uniform(39.989, 40.0)
    outline = box(x, y, x + dice.uniform(2e-4, 9e-4), y + dice.uniform(2e-4, 7e-4))
    others: list[dict[str, Any]] = [{}, {"rebound": {"added_m2": 5.0}}, {"no": 1}]
    rules = dice.choices(others, [0.9, 0.06, 0.04])[0]
    began = dice.choice([None, None, date(2022, 8, 1), date(2023, 2, 1)])
    status = dice.choice([SiteStatus.REGISTERED, SiteStatus.REGISTERED, SiteStatus.CLEARED, SiteStatus.CLOSED])
    geometry = dice.choice([outline, outline, outline, Point(x, y)])
    return Site(f"S{number:02}", geometry, plan=Plan(work_started=began, rules=rules), status=status)


def quality(dice: random.Random) -> Quality | None:
    """Mostly good; now and then none can be had."""
    if dice.random() < 0.02:
        return None
    cloud = dice.choice([0.0, 0.0, 0.0, 0.1, 0.4])
    reasons = (Reason.CLOUD,) if cloud > 0.3 else ()
    return Quality(1.0, cloud, 0.0, 0.0, 0.0, 0.0, dice.choice([0.2, 1.0]), 1.0, reasons)


@pytest.fixture
def district(tmp_path: Path, network: PaintedNetwork, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Workspace]:
    """Drawn from a seed: sites, scenes, and what some runs have said of some of them, or set aside."""
    return lambda seed: _district(seed, tmp_path / str(seed), network, monkeypatch)


def _district(seed: int, folder: Path, network: PaintedNetwork, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    dice = random.Random(seed)

    def seen(_self: Looking, site: Site, shown: tuple[Scene, ...]) -> Quality | None:
        return quality(random.Random(f"{seed} {site.code} {[scene.content_hash for scene in shown]}"))

    monkeypatch.setattr(Looking, "_read", seen)
    monkeypatch.setattr(difference, "SITES_AT_ONCE", TOGETHER)
    monkeypatch.setattr(difference, "PLANNED_AT_ONCE", AT_ONCE)
    made = Workspace.create(folder)
    if dice.random() < 0.2:
        path = made.folder / "cvpipe.yaml"
        path.write_text(f"{path.read_text()}\nlight: moments\n")
    with made.ledger() as ledger:
        ledger.put_sites(sites(dice), source="test")
        for scene in scenes(dice):
            ledger.add_scene(scene)
    for digest in dice.choice([[], [network.digest], ["f" * 64], ["f" * 64, network.digest]]):
        monkeypatch.setattr(network, "digest", digest)
        for share in (0.6, 0.5):  # the second round knows what is watched
            _run(made, dice, share)
    _people(made, dice)
    monkeypatch.setattr(network, "digest", "0" * 64)
    return made


def _run(workspace: Workspace, dice: random.Random, share: float) -> None:
    """Assess some of what is pending, set some of it aside."""
    with opened(workspace) as job:
        run = samples.begin_run(job.ledger)
        for pair in _pairs(job):
            key = job.key(pair)
            if dice.random() < share:
                job.ledger.record(run, _assessment(job, pair, dice))
            elif dice.random() < 0.1:
                for _ in range(dice.choice([1, 3])):  # after the first time nothing rests
                    job.patience.set_aside(key, pair.site.code, pair.epoch, "a test")


def _assessment(job: Job, pair: SitePair, dice: random.Random) -> Assessment:
    outcomes = [Outcome.NONE, Outcome.COMPLETE, Outcome.NOT_ASSESSABLE]
    verdicts = tuple(Verdict(question, dice.choice(outcomes), (), None, "", False) for question in pair.kind.questions)
    epochs = [
        [scene.content_hash for scene in epoch.scenes] if epoch else [None] for epoch in (pair.before, pair.after)
    ]
    (before, *before_fill), (after, *after_fill) = epochs
    filling = tuple(filter(None, before_fill)), tuple(filter(None, after_fill))
    version = dice.choice([job.rules_version(pair.site), "older"])
    terms = job.key(pair), before, after, job.network.digest, version
    return Assessment(pair.site.code, *terms, None, verdicts, before_fill=filling[0], after_fill=filling[1])


def _people(workspace: Workspace, dice: random.Random) -> None:
    """Close some sites, and draw the outline of others anew."""
    with workspace.ledger() as ledger:
        for site in ledger.sites():
            if site.status is SiteStatus.CLEARED and dice.random() < 0.5:
                on = date(2022, 9, 1) + timedelta(days=dice.choice([0, 170, 340]))
                ledger.move_site(site.code, SiteStatus.CLOSED, who="test", effective=on)
            elif dice.random() < 0.1:
                ledger.put_sites([replace(site, buffer_m=site.buffer_m + 1)], source="test")


@contextmanager
def one_by_one(workspace: Workspace) -> Iterator[Job]:
    """A job that chooses epochs for each site by itself."""
    with opened(workspace) as job, pytest.MonkeyPatch.context() as patch:
        patch.setattr(Choosing, "expect", lambda *_: None)
        yield job


def _wanted(job: Job) -> Iterator[tuple[Site, Epochs, Sequence[Asked], Sequence[Why | None]]]:
    """What is asked of each site that can be planned, and what is new about it."""
    for site in job.sites:
        try:
            version, epochs = job.rules_version(site), job.choosing.of(site)
        except Exception:
            continue
        terms = job.network.digest, version
        records = [record.assessment for record in job.ledger.assessments(site.code)]
        demolition = {a.key: v.outcome for a in records for v in a.verdicts if v.question is Question.DEMOLITION}
        demolition = {key: outcome for key, outcome in demolition.items() if outcome is not Outcome.NOT_ASSESSABLE}
        first = remediation(epochs)
        keys = [asked.of(site).key(*terms, job.settings.light) for asked in first]
        asked = [*first, *watch(epochs, [demolition.get(key) for key in keys], job.closings.of(site))]
        known = {record.key for record in records}
        given = [_answered(record) for record in records]
        keys = [one.of(site).key(*terms, job.settings.light) for one in asked]
        news = (None if key in known else why(one, given, *terms) for key, one in zip(keys, asked, strict=True))
        yield site, epochs, asked, list(news)


def _answered(one: Assessment) -> Answered:
    epochs = one.before, one.after, one.before_fill, one.after_fill
    questions = frozenset(verdict.question for verdict in one.verdicts)
    return Answered(one.site_code, *epochs, one.bundle_digest, one.rules_version, questions)


def _pairs(job: Job) -> list[SitePair]:
    """What is pending."""
    wanted = [(a.of(site), new) for site, _, asked, whys in _wanted(job) for a, new in zip(asked, whys, strict=True)]
    return [pair for pair, new in wanted if new is not None]


def _plainly(job: Job) -> list[PlannedPair]:
    """The plan, written out once more for one site after the other."""
    units, planned = list[SitePair](), list[PlannedPair]()
    for site, epochs, asked, whys in _wanted(job):
        for one, new in zip(asked, whys, strict=True):
            rest = job.patience.rest_of(job.key(one.of(site)), site.code) if new else None
            units.append(one.of(site))
            planned.append(
                PlannedPair(
                    site.code,
                    one.kind,
                    one.before.acquired if one.before else None,
                    one.after.acquired if one.after else None,
                    one.reason,
                    known=new is None,
                    why=new,
                    before_scenes=one.before.names if one.before else (),
                    after_scenes=one.after.names if one.after else (),
                    newest_usable=epochs.newest.acquired if epochs.newest else None,
                    passed_over=epochs.passed_over,
                    rests=rest.told if rest else None,
                )
            )
    loads = _loads(job, units, [one.why is not None and one.rests is None for one in planned])
    return [replace(one, load=load) for one, load in zip(planned, loads, strict=True)]


def _loads(job: Job, units: Sequence[SitePair], tried: Sequence[bool]) -> list[Load]:
    """The loads of all pairs: those of some sites after the other, kind by kind, as a run looks at them."""
    place = {site.code: number // TOGETHER for number, site in enumerate(job.sites)}
    found = [Load(1) if is_tried and not unit.before else NOTHING for unit, is_tried in zip(units, tried, strict=True)]
    for kind in PairKind:
        for part in range(len(job.sites) // TOGETHER + 1):
            own = [n for n, u in enumerate(units) if u.kind is kind and place[u.site.code] == part]
            for members, width, height in _grounds(job, [units[n] for n in own]):
                first = next((own[m] for m in members if tried[own[m]]), None)
                if first is not None:
                    gsds = [s.gsd_m for e in (units[first].before, units[first].after) if e for s in e.scenes]
                    margin = job.settings.margin_m
                    think = to_think(width, height, job.network.gsd_m, margin)
                    found[first] = Load(1, to_read(width, height, gsds, margin), think)
    return found


def _grounds(job: Job, units: Sequence[SitePair]) -> list[tuple[Sequence[int], float, float]]:
    if job.settings.light == "none":
        return [(g.members, g.width_m, g.height_m) for g in grounds(units, job.scale)]
    placed = [n for n, unit in enumerate(units) if unit.before]
    boxes = boxes_of([units[n].site for n in placed]).tolist() if placed else []
    return [([n], right - left, top - bottom) for n, (left, bottom, right, top) in zip(placed, boxes, strict=True)]


@pytest.mark.parametrize("seed", range(25))
def test_at_once_is_as_one_by_one(seed: int, district: Callable[[int], Workspace]) -> None:
    workspace = district(seed)
    with one_by_one(workspace) as job:
        expected = _plainly(job)
    with opened(workspace) as job:
        plan = plan_opened(job)
        assert list(plan.pairs) == expected
        assert list(plan.pending) == [one for one in expected if one.why and not one.rests]
        load = sum((one.load for one in plan.pending), NOTHING)
        assert plan.load.units == load.units
        sums = plan.load.read_megapixels, plan.load.megapixels
        assert sums == pytest.approx((load.read_megapixels, load.megapixels))
        assert {failure.site_code for failure in plan.failures} == {s.code for s in job.sites if "no" in s.plan.rules}


def test_the_districts_are_of_all_kinds(district: Callable[[int], Workspace]) -> None:
    """Else the comparison above holds nothing."""
    met = Counter[object]()
    for seed in range(8):
        with opened(district(seed)) as job:
            pairs = plan_opened(job).pairs
        met.update(pair.why for pair in pairs)
        met.update(pair.kind for pair in pairs)
        met["rests"] += sum(pair.rests is not None for pair in pairs)
        met["shared"] += sum(pair.why is not None and pair.before is not None and not pair.load.units for pair in pairs)
    assert min(met[kind] for kind in (None, *Why, *PairKind, "rests", "shared")) > 10


@pytest.mark.parametrize("seed", range(30))
def test_groups_in_lockstep_are_those_of_each_list(seed: int) -> None:
    dice = random.Random(seed)
    scale = Scale(dice.choice([0.3, 0.5, 2.0]), dice.choice([0.0, 15.0, 60.0]), dice.choice([64, 256, 512]))
    side = dice.choice([1e-3, 1e-2, 3e-2])
    lists = [
        [replace(_site(dice, n), geometry=_square(dice, side)) for n in range(dice.choice([1, 2, 30, 90]))]
        for _ in range(dice.randint(1, 12))
    ]
    found, begin = grouped(lists, scale), 0
    before, after = (Epoch((samples.scene(name, date(2022, 1, 1)),)) for name in "ba")
    asked = Asked(PairKind.REMEDIATION, before, after, "")
    for some in lists:
        expected = {g.members: (g.width_m, g.height_m) for g in grounds([asked.of(site) for site in some], scale)}
        group = found.group[begin : begin + len(some)]
        members = {
            tuple(np.flatnonzero(group == number).tolist()): found.boxes[number] for number in set(group.tolist())
        }
        assert {m: (b[2] - b[0], b[3] - b[1]) for m, b in members.items()} == expected
        begin += len(some)


def _square(dice: random.Random, side: float) -> BaseGeometry:
    x, y = 116 + dice.randint(0, 20) * side / 20, 40 + dice.uniform(0, side)
    return box(x, y, x + dice.choice([2e-4, 3e-4, 2e-2]), y + 3e-4)
