"""What a run is asked on the command line, for `cvpipe run` and for the runs of `cvpipe schedule`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cvpipe.cli.detect import Device, Runtime
from cvpipe.errors import UsageError

if TYPE_CHECKING:
    from cvpipe.run import RayOptions, RunOptions


class EngineName(StrEnum):
    """Who assesses the pairs."""

    LOCAL = "local"
    RAY = "ray"


SiteOption = Annotated[list[str] | None, typer.Option("--site", help="Only this site; may be given again.")]
DeviceOption = Annotated[Device | None, typer.Option(help="Where the network runs; else as cvpipe.yaml says.")]
RuntimeOption = Annotated[
    Runtime | None,
    typer.Option(help="What runs the network: torch, or OpenVINO on the processor; else as cvpipe.yaml says."),
]
RetryOption = Annotated[
    bool, typer.Option("--retry", help="Try at once what earlier runs set aside because it failed.")
]
SweepOption = Annotated[
    bool, typer.Option("--sweep", help="Also compare whole scenes: changes outside every site become candidates.")
]
PartOption = Annotated[
    str | None,
    typer.Option(metavar="K/N", help="Only the sites of part K of N, from 0: for N runs side by side on one database."),
]
EngineOption = Annotated[
    EngineName, typer.Option(help="Who assesses the pairs: this process, or the workers of a Ray cluster.")
]
RayAddressOption = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="The cluster; else RAY_ADDRESS, else one of this machine alone, started for the run.",
    ),
]
RayCpusOption = Annotated[
    int | None, typer.Option(min=1, help="Cores of each Ray worker that has no GPU; 2 unless told.")
]
RayWorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Number of Ray workers; else as many as the cluster has room for.")
]


def run_options(
    site: list[str] | None,
    device: Device | None,
    runtime: Runtime | None,
    ray: RayOptions | None,
    *,
    retry: bool,
    sweep: bool,
    epochs: tuple[str | None, str | None] = (None, None),
    part: str | None = None,
) -> RunOptions:
    """What a run is asked; `epochs` are those that were stated, the earlier one first.

    Raises UsageError for a `part` that is none, and for one of a sweep, which looks at whole scenes.
    """
    from cvpipe.run import RunOptions
    from cvpipe.run.parts import Part

    if part is not None and sweep:
        raise UsageError("a sweep looks at whole scenes, not at a part of the sites", remedy="Leave out --part.")
    return RunOptions(
        codes=site,
        device=device.value if device else None,
        runtime=runtime.value if runtime else None,
        before=epochs[0],
        after=epochs[1],
        retry=retry,
        sweep=sweep,
        ray=ray,
        part=None if part is None else Part.parsed(part),
    )


def ray_options(engine: EngineName, address: str | None, cpus: int | None, workers: int | None) -> RayOptions | None:
    """None for the local engine. Raises UsageError for options that only the other one has."""
    from cvpipe.run import RayOptions

    if engine is EngineName.RAY:
        return RayOptions(address, cpus, workers)
    if (address, cpus, workers) != (None, None, None):
        raise UsageError("--ray-… options without the Ray engine", remedy="Add --engine ray, or leave them out.")
    return None
