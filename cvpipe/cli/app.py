"""The `cvpipe` command and its subcommands, in the order of the pipeline.

Each command lives in a module of its own with a `register(app)`; heavy libraries are imported inside the command,
so that `cvpipe --help` answers at once.
"""

from __future__ import annotations

from types import ModuleType
from typing import Annotated

import typer

import cvpipe
from cvpipe.cli import (
    campaigns,
    candidates,
    claims,
    demo,
    detect,
    doctor,
    evaluate,
    ledger,
    models,
    report,
    review,
    run,
    sample,
    scenes,
    schedule,
    sites,
    train,
    workspace,
)

#: The modules of the commands, in pipeline order.
COMMANDS: tuple[ModuleType, ...] = (
    demo,
    workspace,
    campaigns,
    sites,
    ledger,
    scenes,
    run,
    candidates,
    schedule,
    detect,
    review,
    claims,
    sample,
    report,
    train,
    evaluate,
    models,
    doctor,
)

app = typer.Typer(
    name="cvpipe",
    help="Watches remediation sites from above: before | after → changes → verdicts → ledger.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"cvpipe {cvpipe.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    pass


for _module in COMMANDS:
    _module.register(app)
