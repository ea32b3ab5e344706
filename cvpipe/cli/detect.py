"""`cvpipe detect BEFORE AFTER --out DIR`: what changed between two rasters of one place; no ledger needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvpipe.cli import console

if TYPE_CHECKING:
    from cvpipe.detect.scenes import DetectSummary
    from cvpipe.domain import Registration


class Device(StrEnum):
    """Where the network runs."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Runtime(StrEnum):
    """What runs the network; the words of `cvpipe.settings.Runtime`."""

    AUTO = "auto"
    TORCH = "torch"
    OPENVINO = "openvino"


class LightWay(StrEnum):
    """How the later raster is brought to the light of the earlier one; the words of `cvpipe.settings.Light`."""

    NONE = "none"
    MOMENTS = "moments"
    HISTOGRAM = "histogram"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("detect")(detect)


def detect(
    before: Annotated[Path, typer.Argument(help="Raster of the earlier epoch.", show_default=False)],
    after: Annotated[Path, typer.Argument(help="Raster of the later epoch.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for the outputs; an earlier output is replaced.")],
    gsd: Annotated[
        float | None,
        typer.Option(min=0.001, help="Ground size of a pixel in metres, for pictures without georeference."),
    ] = None,
    model: Annotated[str, typer.Option(help="Bundle: its name in models/ or its folder.")] = "cvpipe-s",
    device: Annotated[Device, typer.Option(help="Where the network runs.")] = Device.AUTO,
    runtime: Annotated[
        Runtime, typer.Option(help="What runs the network: torch, or OpenVINO on the processor.")
    ] = Runtime.AUTO,
    light: Annotated[
        LightWay, typer.Option(help="Bring AFTER to the light of BEFORE first: by mean and contrast, or by histograms.")
    ] = LightWay.NONE,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Compare two rasters: rasters of surfaces and changes, polygons, a preview and a summary."""
    from cvpipe.detect.scenes import detect_pair
    from cvpipe.network.bundle import find_bundle, load_bundle, stac_item

    network = load_bundle(model, device.value, runtime.value)
    described = stac_item(find_bundle(model))
    with _tile_progress() as on_tile:
        summary = detect_pair(
            network, before, after, out, gsd_m=gsd, light=light.value, model=described, on_tile=on_tile
        )
    if as_json:
        console.print_json(summary.as_dict())
    else:
        _print(summary)


@contextmanager
def _tile_progress() -> Iterator[Callable[[int, int], None]]:
    """Yields `on_tile(done, total)`; the progress starts with the first tile, when the total is known."""
    with ExitStack() as stack:
        steps: list[Callable[[], None]] = []

        def on_tile(_done: int, total: int) -> None:
            if not steps:
                steps.append(stack.enter_context(console.progress("tiles", total)))
            steps[0]()

        yield on_tile


def _shift_told(shift: Registration) -> str:
    if math.isinf(shift.residual_px):
        return "no shift between the epochs could be found: compared as they lie, so that edges may count as change"
    x, y = shift.shift_px
    return f"the later epoch lay off by: {x:+.2f} px to the right, {y:+.2f} px down (left: {shift.residual_px:.2f} px)"


def _print(summary: DetectSummary) -> None:
    rows = [(kind.value, area, summary.polygons[kind]) for kind, area in summary.area_m2.items()]
    console.print_table("Changes", ("kind", "area m²", "polygons"), rows)
    console.out.print(f"could be assessed: {summary.valid_share:.0%} of the common area")
    console.out.print(_shift_told(summary.registration), soft_wrap=True)
    console.out.print(f"bundle: {summary.network}, {summary.seconds:.1f} s", markup=False)
    console.out.print(f"outputs: {summary.out}", soft_wrap=True, markup=False)
