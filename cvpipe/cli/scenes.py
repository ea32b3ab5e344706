"""`cvpipe scenes add | watch | list | check`: the dated rasters that a workspace knows."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvpipe.cli import console
from cvpipe.cli.workspace import JsonOption, WorkspaceOption, day_of
from cvpipe.errors import CvpipeError, InputError, RunFailedError, SceneError

if TYPE_CHECKING:
    import pystac

    from cvpipe.domain import Scene
    from cvpipe.ledger import Ledger
    from cvpipe.run.watching import Sighted

#: Share of valid pixels below which `scenes check` calls a scene empty.
MIN_VALID_SHARE = 0.01


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="The dated rasters that sites are assessed from.", no_args_is_help=True)
    group.command("add")(add)
    group.command("watch")(watch)
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
    limit: Annotated[int, typer.Option(min=1, help="Items taken of each STAC document or API at most.")] = 10_000,
    nir_band: Annotated[
        int | None, typer.Option(min=1, help="Near infrared band of all of them, counted from 1; else as marked.")
    ] = None,
    workspace: WorkspaceOption = Path(),
) -> None:
    """Add scenes to the ledger; files that cannot be used are listed with their reason.

    In folders and patterns hidden files and folders (those whose name begins with a dot) are passed over. A STAC API is
    asked for what covers the sites of the ledger.
    """
    from cvpipe.imagery import remote
    from cvpipe.ledger import Workspace

    failed: list[CvpipeError] = []
    hidden: list[Path] = []
    new = known = 0
    with Workspace.open(workspace).ledger() as ledger:
        wanted = _Wanted(day_of(acquired), asset, tuple(collection or ()), day_of(since), day_of(until), limit)
        found = list(_found(places, wanted, ledger, failed, hidden))
        with console.progress("scenes", len(found)) as step:
            for address, item in found:
                try:
                    is_new = _add_one(ledger, address, wanted.acquired, item, nir_band)
                    new, known = new + is_new, known + (not is_new)
                except CvpipeError as error:
                    failed.append(error)
                except Exception as error:  # whatever a file dies of costs that file only
                    failed.append(SceneError(f"{type(error).__name__}: {error}", where=remote.shown(address)))
                step(Path(address.partition("?")[0]).name)
    _report(new, known, len(set(hidden)), failed)


@dataclass(frozen=True)
class _Wanted:
    """What `scenes add` was told beside the places."""

    acquired: date | None
    asset: str | None
    collections: tuple[str, ...]
    since: date | None
    until: date | None
    limit: int


def watch(
    places: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PLACE...]",
            help="Folders, s3://BUCKET/PREFIX, STAC APIs (https://…); else those of `watch` in cvpipe.yaml.",
        ),
    ] = None,
    every: Annotated[float, typer.Option(min=1, help="Seconds between two looks.")] = 60.0,
    once: Annotated[bool, typer.Option("--once", help="Look once and end.")] = False,
    workspace: WorkspaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Add new scenes as they arrive: files that have finished growing; a bad one is told once, across restarts too.

    Ends on Ctrl-C or SIGTERM. --json prints one document for each look that found something.
    """
    from cvpipe.ledger import Workspace
    from cvpipe.run.watching import keep_looking, look_for_scenes, watched_places

    place = Workspace.open(workspace)
    watched = places or watched_places(place)
    if once:
        seen = look_for_scenes(place, watched)
        _tell(seen, as_json=as_json, always=True)
        if seen.refused:
            raise RunFailedError(
                f"{len(seen.refused)} files were refused", remedy="The reason stands beside each above."
            )
        return
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    keep_looking(place, watched, every_s=every, tell=lambda seen: _tell(seen, as_json=as_json), stop=stop)


def _tell(seen: Sighted, *, as_json: bool, always: bool = False) -> None:
    """What a look found; nothing where there is no news, unless `always`."""
    if not (seen.is_news or always):
        return
    if as_json:
        console.print_json(asdict(seen))
        return
    for address in seen.added:
        console.out.print(f"added {_shown(address)}", soft_wrap=True, markup=False)
    for refused in seen.refused:
        console.err.print(f"cvpipe: {refused.address}: {refused.reason}", soft_wrap=True, markup=False)
    cloudy = f", {seen.cloudy} with too much cloud" if seen.cloudy else ""
    console.out.print(
        f"{len(seen.added)} scenes added, {seen.known} known already, {len(seen.refused)} refused, "
        f"{len(seen.growing)} still growing, {seen.unchanged} unchanged{cloudy}",
        soft_wrap=True,
    )


def _shown(address: str) -> str:
    from cvpipe.imagery.remote import shown

    return shown(address)


def list_scenes(workspace: WorkspaceOption = Path(), as_json: JsonOption = False) -> None:
    """List the scenes of the ledger by date."""
    scenes = _scenes_of(workspace)
    if as_json:
        console.print_json([_as_json(scene) for scene in scenes])
        return
    columns = ("acquired", "pixel m", "size px", "bands", "CRS", "file")
    rows = [
        (
            s.acquired.isoformat(),
            f"{s.gsd_m:.2f}",
            f"{s.width} x {s.height}",
            f"{s.bands} {s.dtype}",
            s.crs[:12],
            _shown(s.uri),
        )
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
    places: Iterable[str], wanted: _Wanted, ledger: Ledger, failed: list[CvpipeError], hidden: list[Path]
) -> Iterator[tuple[str, pystac.Item | None]]:
    """Every raster that the places name, once, with the STAC item it was found by; `hidden` gets those left out."""
    from cvpipe.imagery import remote, stac
    from cvpipe.imagery.places import files_at

    seen: set[str] = set()
    for place in places:
        try:
            found: list[tuple[str, pystac.Item | None]] = []
            if stac.is_document(place):
                found.extend(_from_stac(place, wanted, ledger, failed))
            elif remote.is_remote(place):
                found.append((place, None))
            else:
                there = files_at(place)
                found.extend((str(file), None) for file in there.files)
                hidden.extend(there.hidden)
        except CvpipeError as error:  # what was found before it counts
            failed.append(error)
        yield from ((address, item) for address, item in found if address not in seen)
        seen.update(address for address, _ in found)


def _from_stac(
    place: str, wanted: _Wanted, ledger: Ledger, failed: list[CvpipeError]
) -> Iterator[tuple[str, pystac.Item]]:
    from cvpipe.imagery import stac

    query = stac.Query(wanted.collections, ledger.bounds_of_sites(), wanted.since, wanted.until, wanted.limit)
    for item in stac.items_at(place, query):
        if isinstance(item, SceneError):
            failed.append(item)
            continue
        try:
            yield stac.asset_address(item, wanted.asset), item
        except CvpipeError as error:
            failed.append(error)


def _add_one(
    ledger: Ledger, address: str, acquired: date | None, item: pystac.Item | None, nir_band: int | None
) -> bool:
    from cvpipe.imagery.scenes import describe

    return ledger.add_scene(describe(address, acquired, source=item, nir_band=nir_band))


def _report(new: int, known: int, hidden: int, failed: Sequence[CvpipeError]) -> None:
    for error in failed:
        console.err.print(f"cvpipe: {error}", soft_wrap=True, markup=False)
    passed = f", {hidden} hidden passed over" if hidden else ""
    console.out.print(f"{new} scenes added, {known} known already, {len(failed)} refused{passed}")
    if not failed:
        return
    if new + known == 0:
        raise InputError("no scene could be added", remedy="The reason stands beside each file above.")
    raise RunFailedError(f"{len(failed)} files were refused", remedy="The reason stands beside each above.")


def _scenes_of(workspace: Path) -> list[Scene]:
    from cvpipe.ledger import Workspace

    with Workspace.open(workspace).ledger() as ledger:
        return ledger.scenes()


def _checked(scene: Scene, step: Any) -> SceneCheck:
    try:
        share, reason = _looked_at(scene)
    except CvpipeError as error:
        result = SceneCheck(_shown(scene.uri), scene.acquired, False, None, error.found)
    except Exception as error:  # whatever a scene dies of costs that scene only
        result = SceneCheck(_shown(scene.uri), scene.acquired, False, None, f"{type(error).__name__}: {error}")
    else:
        result = SceneCheck(_shown(scene.uri), scene.acquired, not reason, round(share, 4), reason)
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

    return {**asdict(scene), "uri": _shown(scene.uri), "footprint": mapping(scene.footprint)}


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"
