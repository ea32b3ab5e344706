"""`cvpipe demo`: an example district from nothing to report, held against what was drawn."""

from __future__ import annotations

import json
import shutil
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvpipe.cli import console
from cvpipe.cli.detect import Device
from cvpipe.cli.tongue import said
from cvpipe.errors import UsageError

if TYPE_CHECKING:
    from cvpipe.ledger import Workspace
    from cvpipe.run.comparison import SiteComparison
    from cvpipe.world import District

MARKER = "demo.json"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    out: Annotated[Path, typer.Option(help="Folder to write; an earlier demo there is replaced.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Number of the district to draw.")] = 7,
    size: Annotated[float, typer.Option(min=800, help="Side of the district in metres.")] = 2000.0,
    device: Annotated[Device, typer.Option(help="Where the network runs.")] = Device.AUTO,
) -> None:
    """Draw a district, watch it, and report: sites and three epochs in, ledger and report out."""
    from cvpipe.run.comparison import compare_with_truth
    from cvpipe.world import draw_district

    _make_room(out)
    clock = _Clock()
    district = draw_district(out / "district", seed=seed, size_m=size)
    clock.lap("draw the district (three epochs)")
    workspace = _workspace(out / "workspace", district)
    clock.lap("import sites, add scenes")
    _run(workspace, device)
    clock.lap("run")
    report = _report(workspace, out / "report")
    clock.lap("report")
    with workspace.ledger() as ledger:
        sites = compare_with_truth(district.truth, ledger.assessments())
    (out / MARKER).write_text(json.dumps(_plain(sites, clock), indent=2) + "\n", encoding="utf-8")
    _tell(sites, clock)
    for label, path in (("ledger", workspace.ledger_path), ("report", report), ("truth", district.truth)):
        console.as_it_is(f"{said(label):7}{path}")


def _make_room(out: Path) -> None:
    if out.exists() and any(out.iterdir()) and not (out / MARKER).exists():
        raise UsageError("the folder holds something else than a demo", where=out, remedy="Choose another --out.")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / MARKER).write_text("{}\n", encoding="utf-8")  # an interrupted demo is replaced too


def _workspace(folder: Path, district: District) -> Workspace:
    from cvpipe.imagery import describe
    from cvpipe.ledger import Workspace, read_sites

    workspace = Workspace.create(folder)
    with workspace.ledger() as ledger:
        for file in (district.sites, district.sites_csv):
            read = read_sites(file)
            ledger.put_sites(read.sites, source=file.name, stated=read.stated)
        for path in district.scenes:
            ledger.add_scene(describe(path))
    return workspace


def _run(workspace: Workspace, device: Device) -> None:
    from cvpipe.run import RunOptions, run

    with console.progress("assessing", None) as step:
        run(workspace, RunOptions(device=device.value), progress=step)


def _report(workspace: Workspace, out: Path) -> Path:
    from cvpipe.report import Campaign, write_report

    with workspace.ledger() as ledger:
        written = write_report(ledger, Campaign("Demo district", None), out)
    return written.files[0]


def _tell(sites: list[SiteComparison], clock: _Clock) -> None:
    from cvpipe.domain import ChangeKind

    rows = [(s.code, s.case, _answers(s), "as drawn" if not s.wrong else _differences(s)) for s in sites]
    console.print_table("Newest verdicts of each site", ("site", "drawn as", "found", "against the truth"), rows)
    right = sum(not s.wrong for s in sites)
    console.out.print(f"{right} of {len(sites)} sites are answered as drawn in every question.")
    for kind, label in ((ChangeKind.STRUCTURE_REMOVED, "demolished"), (ChangeKind.GREEN_ADDED, "green added")):
        errors = [a.relative for s in sites for a in s.areas if a.kind is kind]
        if errors:
            worst = max(errors, key=abs)
            middle = statistics.median(abs(e) for e in errors)
            within = sum(abs(e) <= 0.15 for e in errors)
            console.out.print(
                f"{label} area: {within} of {len(errors)} sites within 15 % of the truth, "
                f"median error {middle:.0%}, worst {worst:+.0%}",
                soft_wrap=True,
            )
    console.print_table("Time", ("step", "seconds"), [*clock.laps, ("together", clock.total)])


def _answers(site: SiteComparison) -> str:
    return ", ".join(f"{said(q.value)} {said(o.replace('_', ' '))}" for q, o in site.found.items())


def _differences(site: SiteComparison) -> str:
    return "; ".join(f"{said(q.value)} {said(site.expected[q].replace('_', ' '))}" for q in site.wrong)


def _plain(sites: list[SiteComparison], clock: _Clock) -> dict[str, Any]:
    return {
        "right": sum(not s.wrong for s in sites),
        "sites": [
            {
                "code": s.code,
                "case": s.case,
                "expected": s.expected,
                "found": s.found,
                "areas": [
                    {"kind": a.kind, "true_m2": round(a.true_m2, 1), "found_m2": round(a.found_m2, 1)} for a in s.areas
                ],
            }
            for s in sites
        ],
        "seconds": dict(clock.laps),
    }


class _Clock:
    """Seconds of each step, one after the other."""

    def __init__(self) -> None:
        self.laps: list[tuple[str, float]] = []
        self._last = time.monotonic()

    def lap(self, step: str) -> None:
        now = time.monotonic()
        self.laps.append((step, round(now - self._last, 1)))
        self._last = now

    @property
    def total(self) -> float:
        return sum(seconds for _, seconds in self.laps)
