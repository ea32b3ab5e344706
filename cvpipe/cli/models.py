"""`cvpipe models list | check | promote | export`: released bundles, their self-test, successors, other formats."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvpipe.cli import console
from cvpipe.cli.detect import Device
from cvpipe.cli.workspace import JsonOption
from cvpipe.errors import BundleError, DatasetError, RunFailedError, SettingsError, UsageError
from cvpipe.shipped import config_file, is_carried, shipped

if TYPE_CHECKING:
    from cvpipe.train.folders import Dataset
    from cvpipe.train.promotion import Comparison
    from cvpipe.train.sample_tiles import Tiles

#: Where the described evaluation sets lie.
DESCRIBED = shipped("configs") / "datasets"


class Format(StrEnum):
    """What a network can be exported to."""

    ONNX = "onnx"
    OPENVINO = "openvino"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Released models.", no_args_is_help=True)
    group.command("list")(list_models)
    group.command("check")(check)
    group.command("promote")(promote)
    group.command("export")(export)
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
    """Load bundles, check digests and labels, answer their golden tiles, and name what differs from this machine."""
    from cvpipe.network.bundle import bundle_folders, check_golden, find_bundle, load_bundle, remarks

    failed = 0
    for name in models or [str(folder) for folder in bundle_folders()]:
        try:
            folder = find_bundle(name)
            network = load_bundle(folder)
            change, surface = check_golden(network, folder)
        except (BundleError, SettingsError) as error:
            failed += 1
            console.err.print(f"refused: {error}", soft_wrap=True, markup=False)
            continue
        console.out.print(
            f"{network.name} is sound: golden tile off by {change:.4f} in probability, {surface:.2%} other surfaces "
            f"({network.device}); {network.gsd_m:g} m a pixel, digest {network.digest[:12]}",
            soft_wrap=True,
            markup=False,
        )
        for remark in remarks(folder):
            console.out.print(f"  {remark}", soft_wrap=True, markup=False)
    if failed:
        raise RunFailedError(f"{failed} bundles are refused", where="models", remedy="See the lines above.")


def promote(
    candidate: Annotated[str, typer.Argument(help="Bundle that would take the place: name or folder.")],
    current: Annotated[str, typer.Option(help="Bundle whose place it would take: its name in models/.")] = "cvpipe-s",
    dataset: Annotated[
        list[Path] | None, typer.Option(help="Set to compare on (repeatable); default: those of configs/datasets.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many pictures of each set.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Compare and tell; install nothing.")] = False,
    as_json: JsonOption = False,
    device: Annotated[Device, typer.Option(help="Where the networks run.")] = Device.AUTO,
) -> None:
    """Install a candidate if it is not worse than the current bundle on the same pictures; the old one is kept."""
    from cvpipe.network.bundle import find_bundle, load_bundle
    from cvpipe.train.answers import NetworkMethod
    from cvpipe.train.evaluation import evaluate
    from cvpipe.train.promotion import compare_bundles, install

    source, place = find_bundle(candidate), find_bundle(current)
    networks = [load_bundle(folder, device=device.value) for folder in (source, place)]
    methods = [NetworkMethod(network, network.temperatures) for network in networks]
    done = []
    for data in _sets(dataset):
        with console.progress(f"compare {data.name}", len(data.limited(limit))) as step:
            done.append(evaluate(data, methods, limit=limit, step=step))
    compared = compare_bundles(done)
    _tell(compared, networks[0].digest, networks[1].digest, as_json=as_json)
    if compared.reasons:
        raise RunFailedError(f"refused: {'; '.join(compared.reasons)}", where=source, remedy=f"{place} stays as it is.")
    if dry_run:
        return
    place = _own_place(place)
    kept = install(source, place)
    if not as_json:
        console.out.print(f"{place} now holds {networks[0].digest[:12]}; before: {kept}", soft_wrap=True, markup=False)


def _own_place(place: Path) -> Path:
    """Where the candidate goes: the current bundle's folder, or `models_dir()` where that one came with cvpipe."""
    from cvpipe.network.bundle import models_dir

    if is_carried(place):
        models_dir().mkdir(parents=True, exist_ok=True)
        return models_dir() / place.name
    return place if place.parent == models_dir() else place.resolve()


def _copied(folder: Path) -> Path:
    """A copy in `models_dir()` of a bundle that came with cvpipe, which stands before it from then on."""
    own = _own_place(folder)
    if not own.exists():
        shutil.copytree(folder, own)
        console.err.print(f"copied {folder.name} to {own}: what comes with cvpipe stays as it is", markup=False)
    return own


def export(
    model: Annotated[str, typer.Argument(help="Bundle: its name in models/ or its folder.")],
    format_: Annotated[Format, typer.Option("--format", help="What to write.")],
    out: Annotated[Path | None, typer.Option(help="File (onnx) or folder (openvino); default: in the bundle.")] = None,
    int8: Annotated[bool, typer.Option("--int8", help="Quantise (openvino); tells what it costs and gains.")] = False,
    dataset: Annotated[
        Path | None, typer.Option(help="Set whose pictures give the ranges of int8; never an evaluation set.")
    ] = None,
    tiles: Annotated[int, typer.Option(min=4, help="Tiles of that set.")] = 48,
) -> None:
    """Write a bundle's network as ONNX or for OpenVINO, and hold its answers against torch's."""
    from cvpipe.network.bundle import find_bundle

    if format_ is Format.ONNX and int8:
        raise UsageError("int8 is for openvino", remedy="Use --format openvino --int8.")
    folder = find_bundle(model)
    if out is None and is_carried(folder):
        folder = _copied(folder)
    if format_ is Format.ONNX:
        _to_onnx(folder, out or folder / "network.onnx")
    else:
        _to_openvino(folder, out or folder, int8=int8, dataset=dataset, tiles=tiles)


def _to_onnx(folder: Path, file: Path) -> None:
    from cvpipe.network.bundle import checked_settings, golden_tiles, read_module
    from cvpipe.network.exporting import Answering, export_onnx

    answering = Answering(read_module(folder), checked_settings(folder)[0])
    off = export_onnx(answering, file, golden_tiles(folder))
    console.out.print(
        f"{file}: {file.stat().st_size / 1e6:.1f} MB; off torch by at most {off.largest:.1e} in probability",
        soft_wrap=True,
        markup=False,
    )


def _to_openvino(folder: Path, out: Path, *, int8: bool, dataset: Path | None, tiles: int) -> None:
    from cvpipe.network import openvino_engine as engine
    from cvpipe.network.bundle import checked_settings, golden_tiles, load_bundle, read_module
    from cvpipe.network.exporting import Answering
    from cvpipe.network.graph_files import GRAPH, Measured

    settings, digest = checked_settings(folder)
    answering = Answering(read_module(folder), settings)
    model = engine.translated(answering)
    if int8:
        model = engine.quantised(model, _ranges(folder, dataset, settings.gsd_m, tiles))
    off = engine.distance(model, answering, golden_tiles(folder))
    words = f"off torch by {off.mean:.4f} in probability, {off.other_surfaces:.2%} other surfaces"
    if not off.sound:
        raise BundleError(f"the exported graph answers otherwise ({words})", where=folder, remedy="Use it in float.")
    out.mkdir(parents=True, exist_ok=True)
    speed = engine.speeds(model, load_bundle(folder, "cpu", "torch"), settings.tile_px)
    own = engine.write_graph(model, out, digest, Measured(off, *speed), int8=int8)
    console.out.print(f"{out / GRAPH}: golden tile {words}; digest {own[:12]}", soft_wrap=True, markup=False)
    console.out.print(
        f"{settings.tile_px} px pair on this machine: torch {speed[0]:.0f} ms, OpenVINO {speed[1]:.0f} ms",
        soft_wrap=True,
        markup=False,
    )


def _ranges(folder: Path, dataset: Path | None, gsd_m: float, tiles: int) -> list[Tiles]:
    """Pairs of tiles that int8 takes its ranges from: the golden pair in eight positions, and those of a set."""
    from cvpipe.network.bundle import golden_tiles
    from cvpipe.train.folders import read_dataset
    from cvpipe.train.sample_tiles import sample_tiles, turned

    golden = list(turned(golden_tiles(folder)))
    if dataset is None:
        console.err.print("int8 from the golden tile alone: give a --dataset of your ground for a closer fit")
        return golden
    return [*golden, *sample_tiles(read_dataset(config_file(dataset)), gsd_m, tiles)]


def _sets(named: Sequence[Path] | None) -> list[Dataset]:
    """The sets to compare on. Of the described ones, those that are there and were not learnt from."""
    from cvpipe.train.folders import read_dataset

    if named:
        return [read_dataset(config_file(path)) for path in named]
    found: list[Dataset] = []
    for path in sorted(DESCRIBED.glob("*.yaml")):
        try:
            found.append(read_dataset(path))
        except DatasetError as error:
            console.err.print(f"not compared on: {error}", soft_wrap=True, markup=False)
    unseen = [data for data in found if not data.seen_in_training]
    if not unseen:
        raise UsageError("no set to compare on", where=DESCRIBED, remedy="Set CVPIPE_SHARED, or give --dataset.")
    return unseen


def _tell(compared: Comparison, candidate: str, current: str, *, as_json: bool) -> None:
    from cvpipe.train.promotion import COLUMNS

    if as_json:
        console.print_json(compared.as_json())
        return
    title = f"{compared.candidate} {candidate[:12]} against {compared.current} {current[:12]} (current → candidate)"
    console.print_table(title, COLUMNS, [difference.row() for difference in compared.differences])
    console.out.print(f"mean over {len(compared.differences)} sets: {100 * compared.mean:+.2f} points")
