"""`cvpipe scenes add | list | check`: the dated rasters that a workspace knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvpipe.cli import console
from cvpipe.cli.workspace import JsonOption, WorkspaceOption
from cvpipe.errors import CvpipeError, InputError, RunFailedError, SceneError

if TYPE_CHECKING:
    from cvpipe.domain import Scene
    from cvpipe.ledger import Ledger

#: Endings of files that are taken from a folder; a file that is named itself may have any.
RASTER_SUFFIXES = frozenset({".tif", ".tiff", ".gtiff", ".vrt", ".jp2", ".img", ".png", ".jpg", ".jpeg", ".webp"})

#: Share of valid pixels below which `scenes check` calls a scene empty.
MIN_VALID_SHARE = 0.01


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="The dated rasters that sites are assessed from.", no_args_is_help=True)
    group.command("add")(add)
    group.command("list")(list_scenes)
    group.command("check")(check)
    app.add_typer(group, name="scenes")


@dataclass(frozen=True)
class SceneCheck:
    """What `scenes check` found of one scene; `reason` is empty for a usable one."""

    uri: str
    acquired: date
    usable: bool
    valid_share: float | None
    reason: str


def add(
    paths: Annotated[list[str], typer.Argument(help="Rasters, folders of rasters, or patterns such as '2023/*.tif'.")],
    acquired: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day of acquisition of all of them; else from tags or file names."),
    ] = None,
    workspace: WorkspaceOption = Path(),
) -> None:
    """Add scenes to the ledger; files that cannot be used are listed with their reason."""
    from cvpipe.ledger import Workspace

    day = acquired.date() if acquired else None
    files = sorted(set(_files(paths)))
    failed: list[CvpipeError] = []
    new = 0
    with Workspace.open(workspace).ledger() as ledger, console.progress("scenes", len(files)) as step:
        for file in files:
            try:
                new += _add_one(ledger, file, day)
            except CvpipeError as error:
                failed.append(error)
            step(file.name)
    _report(new, len(files) - len(failed) - new, failed)


def list_scenes(workspace: WorkspaceOption = Path(), as_json: JsonOption = False) -> None:
    """List the scenes of the ledger by date."""
    scenes = _scenes_of(workspace)
    if as_json:
        console.print_json([_as_json(scene) for scene in scenes])
        return
    columns = ("acquired", "pixel m", "size px", "bands", "CRS", "file")
    rows = [
        (s.acquired.isoformat(), f"{s.gsd_m:.2f}", f"{s.width} x {s.height}", f"{s.bands} {s.dtype}", s.crs[:12], s.uri)
        for s in scenes
    ]
    console.print_table(f"{len(scenes)} scenes", columns, rows)


def check(workspace: WorkspaceOption = Path(), as_json: JsonOption = False) -> None:
    """Look at each scene again: is it there, unchanged and readable, and how much of it is valid?"""
    scenes = _scenes_of(workspace)
    with console.progress("scenes", len(scenes)) as step:
        checks = [_checked(scene, step) for scene in scenes]
    if as_json:
        console.print_json([asdict(one) for one in checks])
    else:
        rows = [(c.acquired.isoformat(), _percent(c.valid_share), c.reason or "usable", c.uri) for c in checks]
        console.print_table(f"{len(checks)} scenes", ("acquired", "valid", "state", "file"), rows)
    bad = sum(not one.usable for one in checks)
    if bad:
        raise RunFailedError(f"{bad} of {len(checks)} scenes cannot be used", remedy="The reason stands beside each.")


def _add_one(ledger: Ledger, file: Path, acquired: date | None) -> bool:
    from cvpipe.imagery.scenes import describe

    return ledger.add_scene(describe(file, acquired))


def _report(new: int, known: int, failed: Sequence[CvpipeError]) -> None:
    for error in failed:
        console.err.print(f"cvpipe: {error}", soft_wrap=True, markup=False)
    console.out.print(f"{new} scenes added, {known} known already, {len(failed)} refused")
    if not failed:
        return
    if new + known == 0:
        raise InputError("no scene could be added", remedy="The reason stands beside each file above.")
    raise RunFailedError(f"{len(failed)} files were refused", remedy="The reason stands beside each above.")


def _files(paths: Iterable[str]) -> Iterator[Path]:
    """The files that the arguments name: files as they are, folders' rasters at any depth, patterns' matches.

    A file that is not there is handed on, for its reason belongs to the list of refused ones.
    """
    for text in paths:
        path = Path(text)
        matches = _matches(path) if not path.exists() and any(c in text for c in "*?[") else [path]
        found = [file for match in matches for file in (_rasters_in(match) if match.is_dir() else [match])]
        if not found:
            endings = " ".join(sorted(RASTER_SUFFIXES))
            raise SceneError("no raster there", where=text, remedy=f"Known endings: {endings}.")
        yield from found


def _matches(pattern: Path) -> list[Path]:
    anchor = Path(pattern.anchor)
    return sorted(anchor.glob(str(pattern.relative_to(anchor))))


def _rasters_in(folder: Path) -> list[Path]:
    return sorted(f for f in folder.rglob("*") if f.suffix.lower() in RASTER_SUFFIXES and f.is_file())


def _scenes_of(workspace: Path) -> list[Scene]:
    from cvpipe.ledger import Workspace

    with Workspace.open(workspace).ledger() as ledger:
        return ledger.scenes()


def _checked(scene: Scene, step: Any) -> SceneCheck:
    try:
        share = _valid_share(scene)
    except SceneError as error:
        result = SceneCheck(scene.uri, scene.acquired, False, None, error.found)
    else:
        reason = "" if share >= MIN_VALID_SHARE else "holds hardly any valid pixel"
        result = SceneCheck(scene.uri, scene.acquired, not reason, round(share, 4), reason)
    step(Path(scene.uri).name)
    return result


def _valid_share(scene: Scene) -> float:
    """Share of valid pixels of a scene that is still the one that was added, from its overview."""
    from cvpipe.imagery.reading import SceneReader
    from cvpipe.imagery.scenes import content_hash

    with SceneReader(scene.uri) as reader:
        if content_hash(scene.uri) != scene.content_hash:
            raise SceneError("its content is not what was added", where=scene.uri, remedy="Add it again.")
        return float(reader.overview().valid.mean())


def _as_json(scene: Scene) -> dict[str, Any]:
    from shapely.geometry import mapping

    return {**asdict(scene), "footprint": mapping(scene.footprint)}


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"
