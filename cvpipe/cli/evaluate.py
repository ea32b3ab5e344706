"""`cvpipe evaluate MODEL DATASET`: how well a bundle does on labelled pictures, beside the baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cvpipe.cli import console
from cvpipe.cli.detect import Device
from cvpipe.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate")(evaluate)


def evaluate(
    model: Annotated[str, typer.Argument(help="Bundle: its name in models/ or its folder.")],
    dataset: Annotated[Path, typer.Argument(help="Folder with A/ B/ label*/ or images/ masks/, or its YAML.")],
    gsd: Annotated[float | None, typer.Option(min=0.01, help="Ground size of a pixel in metres.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures and counts there.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many pictures, spread over the set.")] = None,
    align: Annotated[bool, typer.Option("--align/--no-align", help="Take the shift between epochs off.")] = True,
    device: Annotated[Device, typer.Option(help="Where the network runs.")] = Device.AUTO,
) -> None:
    """Measure a bundle on labelled pictures, next to image difference."""
    from cvpipe.network.bundle import load_bundle
    from cvpipe.train import evaluation, scoreboard
    from cvpipe.train.baselines import all_baselines
    from cvpipe.train.folders import read_dataset

    if json_file is not None and not json_file.resolve().parent.is_dir():
        raise UsageError("no such folder", where=json_file.parent, remedy="Create it, or write the JSON elsewhere.")
    data = read_dataset(dataset, gsd_m=gsd)
    network = load_bundle(model, device=device.value)
    methods = (evaluation.NetworkMethod(network), *all_baselines())
    with console.progress("evaluate", len(data.limited(limit))) as step:
        result = evaluation.evaluate(data, methods, align=align, limit=limit, step=step)
    for table in scoreboard.tables(result):
        if table.rows:
            console.print_table(table.title, table.columns, table.rows)
    console.out.print(scoreboard.LEGEND)
    if data.unused:
        console.err.print(f"not scored, for their meaning is not described: {', '.join(data.unused)}", markup=False)
    if json_file is not None:
        scoreboard.write_json(json_file, result.as_json())
        console.out.print(f"figures and counts of each picture: {json_file}", soft_wrap=True, markup=False)
