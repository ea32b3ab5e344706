"""`cvpipe evaluate MODEL DATASET…`: how well a bundle does on labelled pictures, beside the baselines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvpipe.cli import console
from cvpipe.cli.detect import Device
from cvpipe.errors import UsageError
from cvpipe.shipped import config_file

if TYPE_CHECKING:
    from cvpipe.train.answers import Method
    from cvpipe.train.folders import Dataset
    from cvpipe.train.robustness import Robustness
    from cvpipe.train.scoreboard import Table
    from cvpipe.train.scores import Evaluation


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate")(evaluate)


def evaluate(
    model: Annotated[str, typer.Argument(help="Bundle: its name in models/ or its folder.")],
    datasets: Annotated[
        list[Path], typer.Argument(metavar="DATASET...", help="Folders with A/ B/ label*/ or images/ masks/, or YAML.")
    ],
    gsd: Annotated[float | None, typer.Option(min=0.01, help="Ground size of a pixel in metres.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures and counts there.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write a page with charts and pictures into this folder.")] = None,
    robustness: Annotated[
        bool, typer.Option("--robustness", help="Also with shift, blur, light, haze and JPEG (25 times as long).")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many pictures, spread over each set.")] = None,
    align: Annotated[bool, typer.Option("--align/--no-align", help="Take the shift between epochs off.")] = True,
    workspace: Annotated[
        Path | None,
        typer.Option(help="Also tell how far people agree with the verdicts in this workspace, and why not."),
    ] = None,
    device: Annotated[Device, typer.Option(help="Where the network runs.")] = Device.AUTO,
) -> None:
    """Measure a bundle on labelled pictures, next to image difference."""
    from cvpipe.network.bundle import load_bundle
    from cvpipe.train.answers import NetworkMethod
    from cvpipe.train.baselines import all_baselines
    from cvpipe.train.folders import read_dataset

    if json_file is not None and not json_file.resolve().parent.is_dir():
        raise UsageError("no such folder", where=json_file.parent, remedy="Create it, or write the JSON elsewhere.")
    if report is not None:
        from cvpipe.train.evaluation_report import REPORT

        REPORT.refuse_foreign(report.resolve())
    sets = [read_dataset(config_file(path), gsd_m=gsd) for path in datasets]
    network = load_bundle(model, device=device.value)
    method = NetworkMethod(network, network.temperatures)
    methods = [method, *all_baselines()]
    done = [_evaluated(data, methods, align=align, limit=limit) for data in sets]
    tried = _tried(sets, method, limit) if robustness else []
    said = _said_by_people(workspace) if workspace is not None else []
    if json_file is not None:
        _write_json(json_file, done, tried)
    if report is not None:
        from cvpipe.train.evaluation_report import write_report

        write_report(report, done, methods, tried, said, align=align)
        console.out.print(f"report: {report / 'index.html'}", soft_wrap=True, markup=False)


def _evaluated(data: Dataset, methods: Sequence[Method], *, align: bool, limit: int | None) -> Evaluation:
    from cvpipe.train import evaluation, scoreboard

    with console.progress("evaluate", len(data.limited(limit))) as step:
        result = evaluation.evaluate(data, methods, align=align, limit=limit, step=step)
    for table in scoreboard.tables(result):
        if table.rows:
            console.print_table(table.title, table.columns, table.rows)
    console.out.print(scoreboard.LEGEND)
    if data.unused:
        console.err.print(f"not scored, for their meaning is not described: {', '.join(data.unused)}", markup=False)
    return result


def _said_by_people(workspace: Path) -> list[Table]:
    from cvpipe.ledger import Workspace
    from cvpipe.train.people import people_tables

    with Workspace.open(workspace).ledger() as ledger:
        tables = [table for table in people_tables(ledger) if table.rows]
    for table in tables:
        console.print_table(table.title, table.columns, table.rows)
    if not tables:
        console.err.print(f"{workspace}: nobody has said anything of a verdict yet", soft_wrap=True, markup=False)
    return tables


def _tried(sets: Sequence[Dataset], method: Method, limit: int | None) -> list[Robustness]:
    from cvpipe.train.evaluation_report import robustness_table
    from cvpipe.train.robustness import pooled, robustness

    with console.progress("disturb", None) as step:
        found = [one for data in sets if (one := robustness(data, method, limit=limit, step=step)) is not None]
    for one in [*found, *pooled(found)]:
        table = robustness_table(one)
        console.print_table(table.title, table.columns, table.rows)
        for sentence in one.proofs():
            console.out.print(sentence, soft_wrap=True, markup=False)
    return found


def _write_json(file: Path, done: Sequence[Evaluation], tried: Sequence[Robustness]) -> None:
    """One set as itself, several as a list; what was disturbed beside them."""
    from cvpipe.train.scoreboard import write_json

    sets = [result.as_json() for result in done]
    content: object = sets[0] if len(sets) == 1 else sets
    if tried:
        content = {"sets": sets, "robustness": [one.as_json() for one in tried]}
    write_json(file, content)
    console.out.print(f"figures and counts of each picture: {file}", soft_wrap=True, markup=False)
