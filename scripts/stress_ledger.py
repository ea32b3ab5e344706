"""Whether a ledger keeps every word: writers that are killed at any moment, and many writers at once.

python -m scripts.stress_ledger kill  [--kills 200] [--sites 40] [--stores geopackage postgres]
python -m scripts.stress_ledger crowd [--writers 8] [--seconds 60] [--stores geopackage postgres]

kill    A process assesses the sites of a ledger; it is killed with SIGKILL after a random time. Then the ledger is
        opened and verified, and the next process goes on, until all is written; then a new ledger begins. Each
        completed ledger must say the same as one that nobody disturbed (`content_digest`).
crowd   Processes write into one ledger at the same time: runs that assess, reviewers who decide, imports that rename
        sites. Every write that was acknowledged must be there at the end, none twice, and the chain must verify.

`postgres` is a server of its own on loopback with PostgreSQL's own settings, fsync included.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

from cvpipe.domain import Assessment, Decision, Outcome, Question, Scene
from cvpipe.ledger import Ledger, site_as_plain
from cvpipe.ledger.columns import canonical_json
from cvpipe.ledger.encoding import measurements_as_plain, verdict_as_plain
from scripts.killing import killed
from tests.ledger import samples
from tests.ledger.postgres import running_server

Place = Path | str
NewPlace = Callable[[], Place]

# A server that has imported all this forks the writers: they begin at once, and share nothing with this process.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["cvpipe.ledger", "tests.ledger.samples", "tests.ledger.postgres"])
_START_SECONDS = 120  # for a process to begin; on a busy machine the imports alone take a while


@dataclass(frozen=True)
class Killed:
    """What came of killing writers: kills that hit one at work, and ledgers that were completed and compared."""

    kills: int
    ledgers: int
    by_written: Counter[int]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Crowd:
    """What came of many writers: acknowledged writes by kind, the longest wait for one, and what is wrong."""

    writes: Counter[str]
    longest_s: float
    problems: tuple[str, ...]


def main() -> None:
    """Run what was asked for, print a table, and fail where a word was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("test", choices=("kill", "crowd"))
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--sites", type=int, default=40)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--stores", nargs="+", choices=("geopackage", "postgres"), default=["geopackage", "postgres"])
    args = parser.parse_args()
    problems: list[str] = []
    for store in args.stores:
        with places(store) as new_place:
            if args.test == "kill":
                problems += _tell_killed(store, kill(new_place, args.kills, args.sites))
            else:
                problems += _tell_crowd(store, crowd(new_place(), args.writers, args.seconds))
    if problems:
        raise SystemExit("\n".join(problems))


@contextmanager
def places(store: str) -> Iterator[NewPlace]:
    """Where new ledgers can be made."""
    with tempfile.TemporaryDirectory() as folder:
        if store == "geopackage":
            yield lambda: Path(tempfile.mkdtemp(dir=folder)) / "ledger.gpkg"
            return
        with running_server(durable=True) as server:
            names = (f"ledger_{number}" for number in range(1_000_000))
            yield lambda: server.create_database(next(names))


# Killed at any moment


def kill(new_place: NewPlace, kills: int, sites: int, seed: int = 0) -> Killed:
    """Kill a writer `kills` times, wherever it happens to be; a writer that ends of itself completes its ledger."""
    rng = random.Random(seed)
    place = prepared(new_place(), sites)
    with Ledger.open(place) as undisturbed:
        assess_all(undisturbed)
        expected = content_digest(undisturbed)
    lasts = _seconds_of_writing(new_place, sites)
    done, ledgers, by_written, problems = 0, 0, Counter[int](), list[str]()
    place, written = prepared(new_place(), sites), 0
    while done < kills and not problems:
        # A little more than what is left takes: some kills hit the end of the run, some writers get through.
        after_s = rng.uniform(0, lasts * (1.2 - written / sites))
        was_killed = killed(_PROCESSES, _write, place, after_s, start_s=_START_SECONDS)
        written, found = _state(place)
        problems += [f"after kill {done}: {problem}" for problem in found]
        done += was_killed
        by_written.update([written] if was_killed else [])
        if written == sites:
            ledgers += 1
            problems += _completed(place, expected)
            place, written = prepared(new_place(), sites), 0
    return Killed(done, ledgers + 1, by_written, (*problems, *_completed(place, expected)))


def prepared(place: Place, sites: int) -> Place:
    """A new ledger with sites and two scenes."""
    with Ledger.create(place) as ledger:
        ledger.put_sites([samples.site(_code(number)) for number in range(sites)], source="stress")
        for scene in _scenes():
            ledger.add_scene(scene)
    return place


def assess_all(ledger: Ledger) -> None:
    """A run as the job makes one: what is there already is left out, each site lands by itself."""
    run_id = samples.begin_run(ledger)
    wanted = {_key(site.code): site.code for site in ledger.sites()}
    known = ledger.known_keys(wanted)
    for key, code in wanted.items():
        if key not in known:
            ledger.record(run_id, samples.assessment(code, key))
    ledger.finish_run(run_id, {"assessed": len(wanted) - len(known)})


def content_digest(ledger: Ledger) -> str:
    """Digest of what the ledger says of sites and scenes, whenever, by which run and in what order it was written."""
    seen = ledger.observed()
    parts = [canonical_json([site_as_plain(s), seen[s.code].status, str(seen[s.code].on)]) for s in ledger.sites()]
    parts += [f"{scene.content_hash} {scene.acquired} {scene.footprint.wkt}" for scene in ledger.scenes()]
    parts += [assessment_as_text(record.assessment) for record in ledger.assessments()]
    parts += sorted(f"{r.kind} {r.action} {r.subject} {r.site_code}" for r in ledger.audit() if r.kind != "run")
    return hashlib.sha256("\n".join(sorted(parts)).encode("utf-8")).hexdigest()


def assessment_as_text(assessment: Assessment) -> str:
    """All that an assessment says, as canonical JSON."""
    measured = assessment.measurements
    return canonical_json(
        {
            "key": assessment.key,
            "site": assessment.site_code,
            "scenes": [assessment.before, assessment.after],
            "measurements": measured and measurements_as_plain(measured),
            "verdicts": [verdict_as_plain(verdict) for verdict in assessment.verdicts],
            "changes": [[c.kind, c.geometry.wkt, c.area_m2, c.probability] for c in assessment.changes],
        }
    )


def _write(place: Place, began: Event) -> None:
    with Ledger.open(place) as ledger:
        began.set()
        assess_all(ledger)
    os._exit(0)  # the interpreter's own end is no work that a kill should hit


def _seconds_of_writing(new_place: NewPlace, sites: int) -> float:
    with Ledger.open(prepared(new_place(), sites)) as ledger:
        start = time.perf_counter()
        assess_all(ledger)
        return time.perf_counter() - start


def _state(place: Place) -> tuple[int, tuple[str, ...]]:
    """How many assessments are written, and what is wrong."""
    with Ledger.open(place) as ledger:
        return len(ledger.assessments()), ledger.verify().problems


def _completed(place: Place, expected: str) -> list[str]:
    """What is wrong with a ledger once a run has gone through it."""
    with Ledger.open(place) as ledger:
        assess_all(ledger)
        problems = [f"a completed ledger: {problem}" for problem in ledger.verify().problems]
        return problems if content_digest(ledger) == expected else [*problems, "a completed ledger says other things"]


# Many writers at once


def crowd(place: Place, writers: int, seconds: float, sites: int = 24) -> Crowd:
    """Let processes write for a while, then look for each write that they were told had landed."""
    prepared(place, sites)
    with Ledger.open(place) as ledger:
        run_id = samples.begin_run(ledger)
    results = _PROCESSES.Queue()
    barrier = _PROCESSES.Barrier(writers)
    kinds = [(_run, _review, _import)[number % 3] for number in range(writers)]
    crowd = [
        _PROCESSES.Process(target=_keep_writing, args=(kind, place, run_id, number, seconds, barrier, results))
        for number, kind in enumerate(kinds)
    ]
    for process in crowd:
        process.start()
    told = [results.get(timeout=_START_SECONDS + seconds) for _ in crowd]
    _join(crowd)
    writes = sum((Counter(counts) for counts, _, _ in told), Counter[str]())
    problems = [problem for _, _, problem in told if problem]
    with Ledger.open(place) as ledger:
        problems += [*ledger.verify().problems, *_lost(ledger, writes, sites)]
    return Crowd(writes, max(longest for _, longest, _ in told), tuple(problems))


def _keep_writing(
    write: Callable[[Ledger, int, int, int], str],
    place: Place,
    run_id: int,
    writer: int,
    seconds: float,
    barrier: Barrier,
    results: Queue[tuple[dict[str, int], float, str]],
) -> None:
    counts, longest, problem = Counter[str](), 0.0, ""
    with Ledger.open(place) as ledger:
        barrier.wait(_START_SECONDS)
        deadline, turn = time.monotonic() + seconds, 0
        while time.monotonic() < deadline and not problem:
            start = time.monotonic()
            try:
                counts[write(ledger, run_id, writer, turn)] += 1
            except Exception as error:  # whatever it is, it is a finding
                problem = f"writer {writer}: {error}"
            longest, turn = max(longest, time.monotonic() - start), turn + 1
    results.put((dict(counts), longest, problem))


def _run(ledger: Ledger, run_id: int, writer: int, turn: int) -> str:
    """Every second key is one that all runs want to write: only one of them may."""
    code = _code(turn % 24)
    key = f"shared-{turn}" if turn % 2 else f"own-{writer}-{turn}"
    return "assessment" if ledger.record(run_id, samples.assessment(code, key)) else "known"


def _review(ledger: Ledger, _: int, writer: int, turn: int) -> str:
    ledger.decide(Decision(_code(turn % 24), f"reviewer {writer}", Question.DEMOLITION, Outcome.COMPLETE))
    return "decision"


def _import(ledger: Ledger, _: int, writer: int, turn: int) -> str:
    site = replace(samples.site(_code(turn % 24)), name=f"named by {writer} in turn {turn}")
    return "rename" if ledger.put_sites([site], source="stress").changed else "unchanged"


def _lost(ledger: Ledger, writes: Counter[str], sites: int) -> Iterator[str]:
    noted = Counter((record.kind, record.action) for record in ledger.audit())
    held = {
        "assessment": (len(ledger.assessments()), noted["assessment", "recorded"]),
        "decision": (len(ledger.decisions()), noted["decision", "entered"]),
        "rename": (noted["site", "changed"], noted["site", "changed"]),
    }
    for kind, numbers in held.items():
        if set(numbers) != {writes[kind]}:
            yield f"{writes[kind]} writes of the kind {kind} were acknowledged, but rows and audit rows are {numbers}"
    if len(ledger.sites()) != sites:
        yield f"{sites} sites were there, now {len(ledger.sites())}"


def _join(processes: Sequence[BaseProcess]) -> None:
    for process in processes:
        process.join(_START_SECONDS)
        assert process.exitcode == 0, f"a writer ended with {process.exitcode}"


def _scenes() -> tuple[Scene, Scene]:
    return samples.scene("h2015", date(2015, 10, 1), "before.tif"), samples.scene(
        "h2017", date(2017, 7, 1), "after.tif"
    )


def _code(number: int) -> str:
    return f"S-{number:04d}"


def _key(code: str) -> str:
    return f"key of {code}"


def _tell_killed(store: str, killed: Killed) -> tuple[str, ...]:
    spread = f"{min(killed.by_written)} to {max(killed.by_written)}" if killed.by_written else "none"
    print(
        f"{store:<10} kills {killed.kills}, ledgers completed and compared {killed.ledgers},"
        f" assessments written at a kill {spread} ({len(killed.by_written)} different),"
        f" problems {len(killed.problems)}",
        flush=True,
    )
    return killed.problems


def _tell_crowd(store: str, found: Crowd) -> tuple[str, ...]:
    writes = ", ".join(f"{kind} {count}" for kind, count in sorted(found.writes.items()))
    print(f"{store:<10} {writes}; longest wait {found.longest_s:.2f} s, problems {len(found.problems)}", flush=True)
    return found.problems


if __name__ == "__main__":
    main()
