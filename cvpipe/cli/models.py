"""`cvpipe models list | check`: released bundles and their self-test."""

from __future__ import annotations

from typing import Annotated

import typer

from cvpipe.cli import console
from cvpipe.cli.workspace import JsonOption
from cvpipe.errors import BundleError, RunFailedError


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Released models.", no_args_is_help=True)
    group.command("list")(list_models)
    group.command("check")(check)
    app.add_typer(group, name="models")


def list_models(as_json: JsonOption = False) -> None:
    """List the bundles in models/ (CVPIPE_MODELS moves it)."""
    from cvpipe.network.bundle import describe_bundles

    found = describe_bundles()
    if as_json:
        console.print_json(found)
        return
    rows = [(b["name"], b["gsd_m"], b["size_mb"], str(b["digest"])[:12], str(b["folder"])) for b in found]
    console.print_table("Bundles", ("name", "m a pixel", "MB", "digest", "folder"), rows)


def check(
    models: Annotated[list[str] | None, typer.Argument(help="Names or folders; default: all in models/.")] = None,
) -> None:
    """Load bundles, check their digests and answer their golden tiles."""
    from cvpipe.network.bundle import check_golden, describe_bundles, find_bundle, load_bundle

    failed = 0
    for name in models or [str(b["folder"]) for b in describe_bundles()]:
        try:
            network = load_bundle(name)
            change, surface = check_golden(network, find_bundle(name))
        except BundleError as error:
            failed += 1
            console.err.print(f"refused: {error}", soft_wrap=True, markup=False)
            continue
        console.out.print(
            f"{network.name} is sound: golden tile off by {change:.4f} in probability, {surface:.2%} other surfaces "
            f"({network.device})",
            soft_wrap=True,
        )
    if failed:
        raise RunFailedError(f"{failed} bundles are refused", where="models", remedy="See the lines above.")
