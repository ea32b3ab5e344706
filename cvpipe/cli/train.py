"""`cvpipe train CONFIG`: from labelled pictures to a bundle."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from cvpipe.cli import console
from cvpipe.cli.detect import Device

#: Steps between two lines of progress.
TELL_EVERY = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train")(train)


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="Settings, such as configs/train/release-s.yaml.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the bundle; default: models/NAME.")] = None,
    work: Annotated[Path, typer.Option(help="Folder of checkpoints, logs and drawn patches.")] = Path(".cache/train"),
    minutes: Annotated[float | None, typer.Option(min=0.1, help="Pause after this time; call again to go on.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads; default: torch's own choice.")] = None,
    device: Annotated[Device, typer.Option(help="Where the network learns.")] = Device.AUTO,
) -> None:
    """Train, going on from the last checkpoint, and write the bundle when all steps are done."""
    import torch

    from cvpipe.network.bundle import models_dir
    from cvpipe.network.processor import pick_device
    from cvpipe.settings import read_settings
    from cvpipe.train.loop import train as train_network
    from cvpipe.train.release import release
    from cvpipe.train.settings import TrainSettings

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    settings = read_settings(config, TrainSettings)
    if threads:
        torch.set_num_threads(threads)

    def on_step(step: int, losses: dict[str, float]) -> None:
        if step % TELL_EVERY == 0:
            console.err.print(f"step {step}/{settings.steps} {losses}", soft_wrap=True, markup=False)

    trained = train_network(
        settings, work / settings.name, device=pick_device(device.value), minutes=minutes, on_step=on_step
    )
    figures = [(name, value) for name, value in trained.figures.items() if not name.endswith("loss")]
    console.print_table(
        f"Held-out places after {trained.step} of {settings.steps} steps",
        ("figure", "value"),
        [(name, f"{value:.3f}") for name, value in figures],
    )
    if not trained.finished:
        console.out.print("paused; the same command goes on from here")
        return
    folder = out or models_dir() / settings.name
    found = release(trained.network, settings, folder, work / "drawn", trained.step)
    rows = [(kind.value, f"{found.thresholds[kind]:.2f}", f"{found.f1[kind]:.3f}") for kind in found.thresholds]
    console.print_table(f"Chosen on {found.pairs} held-out pairs", ("kind", "threshold", "F1"), rows)
    console.out.print(f"bundle: {folder}", soft_wrap=True, markup=False)
