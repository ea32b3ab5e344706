"""`cvpipe train CONFIG`: from labelled pictures to a bundle."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvpipe.cli import console
from cvpipe.cli.detect import Device
from cvpipe.shipped import config_file

if TYPE_CHECKING:
    from cvpipe.train.datasheet import SourceSheet
    from cvpipe.train.settings import TrainSettings

#: Steps between two lines of progress where there is no terminal for a bar.
TELL_EVERY = 20

OnStep = Callable[[int, dict[str, float]], None]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train")(train)


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="Settings, such as configs/train/quick.yaml.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the bundle; default: models/NAME.")] = None,
    work: Annotated[Path, typer.Option(help="Folder of checkpoints, logs and drawn patches.")] = Path(".cache/train"),
    check: Annotated[bool, typer.Option("--check", help="Tell what would be learnt from, and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --check: as JSON.")] = False,
    minutes: Annotated[float | None, typer.Option(min=0.1, help="Pause after this time; call again to go on.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads; default: torch's own choice.")] = None,
    device: Annotated[Device, typer.Option(help="Where the network learns.")] = Device.AUTO,
    devices: Annotated[int | None, typer.Option(min=1, help="GPUs, or processes, of this machine.")] = None,
    nodes: Annotated[int | None, typer.Option(min=1, help="Machines; start the command on each.")] = None,
) -> None:
    """Train, going on from the last checkpoint, and write the bundle when all steps are done."""
    import torch

    from cvpipe.network.bundle import models_dir
    from cvpipe.network.processor import pick_device
    from cvpipe.settings import read_settings
    from cvpipe.train.settings import TrainSettings

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    logging.getLogger("cvpipe").setLevel(logging.INFO)
    settings = read_settings(config_file(config), TrainSettings)
    if check:
        _tell_data(settings, work / "drawn", as_json=as_json)
        return
    if threads:
        torch.set_num_threads(threads)
    asked = {"devices": devices, "nodes": nodes}
    trainer = settings.trainer.model_copy(update={key: value for key, value in asked.items() if value})
    settings = settings.model_copy(update={"trainer": trainer})
    _train(settings, pick_device(device.value), work, out or models_dir() / settings.name, minutes)


def _train(settings: TrainSettings, device: object, work: Path, folder: Path, minutes: float | None) -> None:
    import torch

    from cvpipe.train.calibration import COLUMNS, ERROR_COLUMNS
    from cvpipe.train.loop import train as train_network
    from cvpipe.train.release import release

    assert isinstance(device, torch.device)
    with _progress(settings.steps) as on_step:
        trained = train_network(settings, work / settings.name, device=device, minutes=minutes, on_step=on_step)
    if not trained.leads:
        return
    console.print_table(
        f"Held-out places after {trained.step} of {settings.steps} steps",
        ("figure", "value"),
        [(name, f"{value:.3f}") for name, value in trained.figures.items()],
    )
    if not trained.finished:
        console.out.print("paused; the same command goes on from here")
        return
    found = release(trained, settings, folder, work / "drawn")
    console.print_table(f"Chosen on {found.pairs} held-out pairs", COLUMNS, found.rows())
    console.print_table("Calibration error on every other of them", ERROR_COLUMNS, found.errors())
    console.out.print(f"bundle: {folder}", soft_wrap=True, markup=False)


@contextmanager
def _progress(steps: int) -> Iterator[OnStep]:
    """A bar on a terminal, a line every `TELL_EVERY` steps elsewhere."""
    if not console.err.is_terminal:

        def line(step: int, losses: dict[str, float]) -> None:
            if step % TELL_EVERY == 0 or step == steps:
                console.err.print(f"step {step}/{steps} {_told(losses)}", soft_wrap=True, markup=False)

        yield line
        return
    done = 0
    with console.progress("training", steps) as advance:

        def on_bar(step: int, losses: dict[str, float]) -> None:
            nonlocal done
            while done < step:  # a job that goes on begins with the steps it has
                done += 1
                advance(_told(losses))

        yield on_bar


def _told(losses: dict[str, float]) -> str:
    return " ".join(f"{name.removesuffix('_loss')} {value:.3f}" for name, value in losses.items())


def _tell_data(settings: TrainSettings, cache: Path, *, as_json: bool) -> None:
    from cvpipe.train.datasheet import datasheet
    from cvpipe.train.leakage import evaluation_sets, refuse_leaks
    from cvpipe.train.materials import materials_of

    learn, held = materials_of(settings, cache)
    sheets = datasheet(learn, held, settings)
    if as_json:
        console.print_json([asdict(sheet) for sheet in sheets])
    else:
        _print_sheets(sheets, settings.name)
    refuse_leaks(learn, held, settings)
    sets = ", ".join(dataset.name for dataset in evaluation_sets(settings)) or "none that is there"
    if not as_json:
        console.out.print(f"no leak into held-out places or evaluation sets ({sets})", soft_wrap=True, markup=False)


def _print_sheets(sheets: list[SourceSheet], name: str) -> None:
    columns = ("source", "pairs %", "learnt", "held out", "places", "ha", "labelled %", "changed")
    rows = [
        (
            f"{s.kind} {s.name}",
            round(100 * s.share),
            s.learnt,
            s.held_out,
            s.places,
            s.area_m2 / 1e4,
            round(100 * s.labelled),
            s.changed,
        )
        for s in sheets
    ]
    console.print_table(f"What {name} would learn from", columns, rows)
    for s in sheets:
        ranked = sorted(s.surfaces.items(), key=lambda pair: -pair[1])
        shares = ", ".join(f"{word} {share:.1%}" for word, share in ranked) or "none"
        told = f"{s.kind} {s.name}\n  licence: {s.licence}\n  labelled: {shares}"
        places = ", ".join(s.places_held_out) or "none"
        console.out.print(f"{told}\n  held out: {places}", soft_wrap=True, markup=False)
