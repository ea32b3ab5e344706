"""`cvpipe sample draw | list | record | estimate`: a random sample of sites for inspectors, and what it tells."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvpipe.cli import console
from cvpipe.cli.workspace import JsonOption, WorkspaceOption
from cvpipe.errors import RunFailedError, UsageError

if TYPE_CHECKING:
    from cvpipe.assess.sampling import Estimate
    from cvpipe.domain import Sample
    from cvpipe.ledger import Entry, Ledger

SampleArgument = Annotated[
    int | None,
    typer.Argument(metavar="[SAMPLE]", help="Number of the sample; without it the last.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Check a random sample of sites, and correct totals by it.", no_args_is_help=True)
    group.command("draw")(draw)
    group.command("list")(list_samples)
    group.command("record")(record)
    group.command("estimate")(estimate)
    app.add_typer(group, name="sample")


def draw(
    seed: Annotated[int, typer.Option(help="Any number; the same one draws the same sites again.")],
    per_stratum: Annotated[int, typer.Option(min=1, help="Sites of each stratum: where a site stands × its size.")],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="User name or role of who draws.")],
    out: Annotated[Path | None, typer.Option(help="Workbook to write; sample-N.xlsx in the workspace.")] = None,
    workspace: WorkspaceOption = Path(),
) -> None:
    """Draw sites and write the workbook that inspectors fill in."""
    from cvpipe.assess.framing import frame_of
    from cvpipe.assess.sampling import draw as draw_sample
    from cvpipe.cli.claims import settled
    from cvpipe.ledger import Workspace
    from cvpipe.ledger.exchange.sample_sheets import write_sample_sheet

    opened = Workspace.open(workspace)

    def sheet_of(entry: Entry[Sample]) -> Path:
        return out or opened.folder / f"sample-{entry.id}.xlsx"

    with opened.ledger() as ledger:
        settled(ledger, opened.settings().rules)
        frame = frame_of(ledger.sites(), ledger.states(), ledger.assessments())
        sample = draw_sample(frame, seed=seed, per_stratum=per_stratum, who=by)
        drawn = ledger.sites([unit.site_code for unit in sample.units])

        entry = ledger.draw_sample(sample, lambda entry: write_sample_sheet(entry, drawn, sheet_of(entry)))
    path = sheet_of(entry)
    rows = [(s.name, len(s.frame), s.drawn, f"{s.drawn / len(s.frame):.1%}") for s in entry.value.strata]
    console.print_table(f"Sample {entry.id}, seed {seed}", ("stratum", "sites", "drawn", "share"), rows)
    console.out.print(f"{len(entry.value.units)} sites to be checked: {path}", soft_wrap=True, markup=False)
    console.out.print(f"next: cvpipe sample record {path.name}", soft_wrap=True, markup=False)


def list_samples(workspace: WorkspaceOption = Path(), as_json: JsonOption = False) -> None:
    """List the samples that were drawn."""
    from cvpipe.ledger import Workspace

    with Workspace.open(workspace).ledger() as ledger:
        found = [(entry, len(ledger.sample_results(entry.id))) for entry in ledger.samples()]
    if as_json:
        console.print_json(
            [{"id": e.id, "at": e.at, "checked": checked, **asdict(e.value)} for e, checked in found],
        )
        return
    rows = [(e.id, f"{e.at:%Y-%m-%d}", e.value.seed, e.value.who, len(e.value.units), checked) for e, checked in found]
    console.print_table(f"{len(found)} samples", ("sample", "drawn", "seed", "by", "sites", "checked"), rows)


def record(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The workbook, filled in.", show_default=False)],
    workspace: WorkspaceOption = Path(),
) -> None:
    """Enter what inspectors found; the same workbook again enters only what is new in it."""
    from cvpipe.ledger import Workspace
    from cvpipe.ledger.exchange.sample_sheets import read_sample_sheet

    sheet = read_sample_sheet(file)
    with Workspace.open(workspace).ledger() as ledger:
        entered = ledger.record_sample(sheet.results)
    known = len(sheet.results) - len(entered)
    console.out.print(f"{len(entered)} sites entered, {known} known already, {len(sheet.refused)} rows refused")
    for line, why in sheet.refused:
        console.err.print(f"cvpipe: {file}: row {line}: {why}", soft_wrap=True, markup=False)
    if sheet.refused:
        raise RunFailedError(
            f"{len(sheet.refused)} rows cannot be read", where=file, remedy="Correct them and record the file again."
        )


def estimate(sample: SampleArgument = None, workspace: WorkspaceOption = Path(), as_json: JsonOption = False) -> None:
    """Tell the district's totals, corrected by a sample, each with standard error and 90 % interval."""
    from cvpipe.assess.sampling import estimates
    from cvpipe.ledger import Workspace

    with Workspace.open(workspace).ledger() as ledger:
        entry = _chosen(ledger, sample)
        results = [result.value for result in ledger.sample_results(entry.id)]
    found = estimates(entry.value, results)
    if as_json:
        told = {"sample": entry.id, "sites": len(entry.value.units), "checked": len(results)}
        console.print_json({**told, "estimates": [asdict(one) for one in found]})
        return
    columns = ("total", "unit", "as mapped", "corrected", "standard error", "90 % interval", "sites checked", "remark")
    title = f"Sample {entry.id}: {len(results)} of {len(entry.value.units)} sites checked"
    console.print_table(title, columns, map(_row, found))


def _chosen(ledger: Ledger, number: int | None) -> Entry[Sample]:
    if number is not None:
        return ledger.sample(number)
    drawn = ledger.samples()
    if not drawn:
        raise UsageError("no sample was drawn yet", remedy="Draw one with `cvpipe sample draw`.")
    return drawn[-1]


def _row(one: Estimate) -> tuple[object, ...]:
    interval = None if one.low is None or one.high is None else f"{_figure(one.low, one)} – {_figure(one.high, one)}"
    remark = f"too few checked: {', '.join(one.wanting)}" if one.wanting else None
    if one.undetected is not None:
        remark = f"no error found; up to {one.undetected:.0%} could be otherwise"
    figures = [None if value is None else _figure(value, one) for value in (one.mapped, one.value, one.standard_error)]
    return one.name.replace("_m2", "").replace("_", " "), one.unit, *figures, interval, one.checked, remark


def _figure(value: float, one: Estimate) -> str:
    return f"{value:.1%}" if one.unit == "share" else f"{value:,.0f}" if one.unit == "m²" else f"{value:,.1f}"
