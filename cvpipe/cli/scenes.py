"""`cvpipe scenes add | list | check`: the dated rasters that a workspace knows."""

from __future__ import annotations

import os
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
    import pystac

    from cvpipe.domain import Scene
    from cvpipe.geo import Bounds
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
    places: Annotated[
        list[str],
        typer.Argument(
            metavar="PLACE...",
            help="Rasters, folders of them, patterns such as '2023/*.tif', https:// or s3:// addresses; STAC items, "
            "collections (.json) or APIs.",
        ),
    ],
    acquired: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day of acquisition of all of them; else from tags or file names."),
    ] = None,
    asset: Annotated[str | None, typer.Option(help="Asset of STAC items to take; else the visual one.")] = None,
    collection: Annotated[list[str] | None, typer.Option(help="Collection of a STAC API; may be repeated.")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day that a STAC API is asked for.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day that a STAC API is asked for.")
    ] = None,
    workspace: WorkspaceOption = Path(),
) -> None:
    """Add scenes to the ledger; files that cannot be used are listed with their reason.

    A STAC API is asked for what covers the sites of the ledger.
    """
    from cvpipe.imagery import remote
    from cvpipe.ledger import Workspace

    failed: list[CvpipeError] = []
    new = known = 0
    with Workspace.open(workspace).ledger() as ledger:
        wanted = _Wanted(_day(acquired), asset, tuple(collection or ()), _day(since), _day(until))
        found = list(_found(places, wanted, ledger, failed))
        with console.progress("scenes", len(found)) as step:
            for address, item in found:
                try:
                    is_new = _add_one(ledger, address, wanted.acquired, item)
                    new, known = new + is_new, known + (not is_new)
                except CvpipeError as error:
                    failed.append(error)
                except Exception as error:  # whatever a file dies of costs that file only
                    failed.append(SceneError(f"{type(error).__name__}: {error}", where=remote.shown(address)))
                step(Path(address.partition("?")[0]).name)
    _report(new, known, failed)


@dataclass(frozen=True)
class _Wanted:
    """What `scenes add` was told beside the places."""

    acquired: date | None
    asset: str | None
    collections: tuple[str, ...]
    since: date | None
    until: date | None


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


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


def _found(
    places: Iterable[str], wanted: _Wanted, ledger: Ledger, failed: list[CvpipeError]
) -> Iterator[tuple[str, pystac.Item | None]]:
    """Every raster that the places name, once, with the STAC item that it was found by."""
    from cvpipe.imagery import remote, stac

    seen: set[str] = set()
    for place in places:
        try:
            found: list[tuple[str, pystac.Item | None]] = []
            if stac.is_document(place):
                found.extend(_from_stac(place, wanted, ledger, failed))
            else:
                files = [place] if remote.is_remote(place) else map(str, _files(place))
                found.extend((file, None) for file in files)
        except CvpipeError as error:
            failed.append(error)
            continue
        yield from ((address, item) for address, item in found if address not in seen)
        seen.update(address for address, _ in found)


def _from_stac(
    place: str, wanted: _Wanted, ledger: Ledger, failed: list[CvpipeError]
) -> Iterator[tuple[str, pystac.Item]]:
    from cvpipe.imagery import stac

    query = stac.Query(wanted.collections, _bounds_of_sites(ledger), wanted.since, wanted.until)
    for item in stac.items_at(place, query):
        try:
            yield stac.asset_address(item, wanted.asset), item
        except CvpipeError as error:
            failed.append(error)


def _bounds_of_sites(ledger: Ledger) -> Bounds | None:
    import shapely

    outlines = [site.geometry for site in ledger.sites()]
    if not outlines:
        return None
    left, bottom, right, top = shapely.total_bounds(outlines).tolist()
    return left, bottom, right, top


def _add_one(ledger: Ledger, address: str, acquired: date | None, item: pystac.Item | None) -> bool:
    from cvpipe.imagery.scenes import describe

    return ledger.add_scene(describe(address, acquired, source=item))


def _report(new: int, known: int, failed: Sequence[CvpipeError]) -> None:
    for error in failed:
        console.err.print(f"cvpipe: {error}", soft_wrap=True, markup=False)
    console.out.print(f"{new} scenes added, {known} known already, {len(failed)} refused")
    if not failed:
        return
    if new + known == 0:
        raise InputError("no scene could be added", remedy="The reason stands beside each file above.")
    raise RunFailedError(f"{len(failed)} files were refused", remedy="The reason stands beside each above.")


def _files(place: str) -> list[Path]:
    """The files that an argument names: a file as it is, a folder's rasters at any depth, a pattern's matches.

    A file that is not there is handed on, for its reason belongs to the list of refused ones.
    """
    path = Path(place)
    is_pattern = any(c in place for c in "*?[") and not os.path.lexists(path)
    matches = _matches(path) if is_pattern else [path]
    found = [file for match in matches for file in (_rasters_in(match) if match.is_dir() else [match])]
    if not found:
        endings = " ".join(sorted(RASTER_SUFFIXES))
        raise SceneError("no raster there", where=place, remedy=f"Known endings: {endings}.")
    return sorted(found)


def _matches(pattern: Path) -> list[Path]:
    anchor = Path(pattern.anchor)
    return sorted(anchor.glob(str(pattern.relative_to(anchor))))


def _rasters_in(folder: Path) -> list[Path]:
    """All that has a raster's ending, links that lead nowhere among them: their reason is told too."""
    return sorted(f for f in folder.rglob("*") if f.suffix.lower() in RASTER_SUFFIXES and not f.is_dir())


def _scenes_of(workspace: Path) -> list[Scene]:
    from cvpipe.ledger import Workspace

    with Workspace.open(workspace).ledger() as ledger:
        return ledger.scenes()


def _checked(scene: Scene, step: Any) -> SceneCheck:
    try:
        share, reason = _looked_at(scene)
    except CvpipeError as error:
        result = SceneCheck(scene.uri, scene.acquired, False, None, error.found)
    except Exception as error:  # whatever a scene dies of costs that scene only
        result = SceneCheck(scene.uri, scene.acquired, False, None, f"{type(error).__name__}: {error}")
    else:
        result = SceneCheck(scene.uri, scene.acquired, not reason, round(share, 4), reason)
    step(Path(scene.uri.partition("?")[0]).name)
    return result


def _looked_at(scene: Scene) -> tuple[float, str]:
    """Share of valid pixels of a scene that is still the one that was added, and why it is of no use ("" if it is)."""
    from cvpipe.imagery import opening
    from cvpipe.imagery.reading import SceneReader
    from cvpipe.imagery.scenes import content_hash, probe

    with opening.open_raster(scene.uri) as dataset:
        if content_hash(scene.uri) != scene.content_hash:
            raise SceneError("its content is not what was added", where=scene.uri, remedy="Add it again.")
        probe(dataset, scene.uri)
    with SceneReader(scene.uri) as reader:
        seen = reader.overview()
    share = float(seen.valid.mean())
    if share < MIN_VALID_SHARE:
        return share, "holds hardly any valid pixel"
    pixels = seen.pixels[seen.valid]
    return share, "shows nothing: all its pixels are alike" if (pixels == pixels[0]).all() else ""


def _as_json(scene: Scene) -> dict[str, Any]:
    from shapely.geometry import mapping

    return {**asdict(scene), "footprint": mapping(scene.footprint)}


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"
