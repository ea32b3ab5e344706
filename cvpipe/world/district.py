"""A whole drawn district on disk: three scenes, a ledger of sites, and the truth about each of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
from affine import Affine
from rasterio.features import geometry_mask
from shapely.geometry.base import BaseGeometry

from cvpipe.domain import Outcome, Question, Reason, Site
from cvpipe.errors import UsageError
from cvpipe.geo import WGS84, Grid, Window, buffered, is_metric, reproject, transformer
from cvpipe.world import files, light, scene, sensor, sites, sky, truth
from cvpipe.world.canvas import U8, Canvas
from cvpipe.world.compounds import ROLL, Roll
from cvpipe.world.sites import Placed
from cvpipe.world.style import Look, Style
from cvpipe.world.survey import Survey, survey
from cvpipe.world.truth import PairAreas, SitePlace, SiteView

#: Where the drawn district lies: longitude and latitude of its middle, degrees.
PLACE = 116.1, 39.9

DATES = date(2023, 5, 10), date(2024, 6, 2), date(2025, 9, 14)

#: How far the content of each scene lies to the right of and below the truth, pixels.
SHIFTS_PX = (0.0, 0.0), (2.6, -1.7), (-3.4, 2.2)

#: A district smaller than this has no room for blocks with sites on them.
MIN_SIZE_M = 500.0

STYLE = Style(
    looks=(
        Look(sun_azimuth_deg=150, sun_elevation_deg=56, greenness=0.62, haze=0.07, noise=2.6),
        Look(
            sun_azimuth_deg=128,
            sun_elevation_deg=62,
            greenness=0.85,
            haze=0.05,
            brightness=1.06,
            contrast=1.06,
            warmth=0.02,
            blur_px=0.5,
            noise=2.2,
            jpeg_quality=90,
        ),
        Look(
            sun_azimuth_deg=196,
            sun_elevation_deg=44,
            greenness=0.4,
            autumn=0.12,
            haze=0.1,
            brightness=0.94,
            contrast=0.94,
            warmth=0.015,
            blur_px=0.7,
            noise=3.2,
            jpeg_quality=86,
        ),
    ),
    block_m=100.0,
    angle_deg=7.0,
    use_weights=(3.2, 2.6, 1.8, 1.2, 1.6, 0.9, 0.5, 1.0, 0.5, 0.25, 0.4),
)


@dataclass(frozen=True)
class Setting:
    """What is drawn: the style of the place and its epochs, the sites, the shift of each scene's content in pixels."""

    style: Style = STYLE
    roll: Roll = ROLL
    shifts_px: tuple[tuple[float, float], ...] = SHIFTS_PX


@dataclass(frozen=True)
class District:
    """The files of a drawn district; `scenes` and `dates` go together, oldest first."""

    folder: Path
    scenes: tuple[Path, ...]
    dates: tuple[date, ...]
    sites: Path
    sites_csv: Path
    truth: Path


def draw_district(
    out: Path,
    seed: int = 7,
    size_m: float = 2000.0,
    gsd_m: float = 0.3,
    crs: str = "EPSG:32650",
    setting: Setting | None = None,
) -> District:
    """Draw a square district of `size_m` metres into the folder `out`.

    Writes `scene_<date>.tif` (COG, RGB) for three dates, `truth/surface_<date>.tif` (surface codes at their true
    place; the scenes of later dates are shifted against them), `sites.geojson` (all sites, WGS 84), `sites.csv`
    (the point sites, Chinese headings) and `truth.json`. Equal arguments give equal pixels.

    Raises UsageError where `crs` is not metric or the district is too small to hold sites.
    """
    grid, setting = _grid(size_m, gsd_m, crs), setting or Setting()
    drawn = survey(setting.style, seed, size_m, cloudy_epochs=(1, 2), roll=setting.roll)
    placed = [
        sites.outside(n, grid) if compound is None else sites.placed(n, compound, grid)
        for n, compound in enumerate(drawn.compounds)
    ]
    windows = {site.code: _place(site, grid) for site in placed if site.compound is not None}
    views = _draw_epochs(out, drawn, grid, seed, windows, setting)
    rows, document = _documents(placed, views, windows)
    files.write_json(out / "sites.geojson", sites.geojson(rows))
    files.write_text(out / "sites.csv", sites.points_csv(rows), encoding="utf-8-sig")
    files.write_json(out / "truth.json", {**_frame(seed, grid, setting), "sites": document})
    scenes = tuple(out / _scene_name(day) for day in DATES)
    return District(out, scenes, DATES, out / "sites.geojson", out / "sites.csv", out / "truth.json")


@dataclass(frozen=True)
class TrueSite:
    """A drawn site without pictures: its row in the ledger, where it lies in its window, the masks of each epoch."""

    site: Site
    case: str
    place: SitePlace
    views: tuple[SiteView, ...]


def true_sites(
    seed: int, size_m: float, gsd_m: float = 0.3, crs: str = "EPSG:32650", setting: Setting | None = None
) -> list[TrueSite]:
    """The sites of the district that `draw_district` draws of the same arguments, those under cloud too; no files."""
    grid, setting = _grid(size_m, gsd_m, crs), setting or Setting()
    drawn = survey(setting.style, seed, size_m, cloudy_epochs=(), roll=setting.roll)
    placed = [sites.placed(n, compound, grid) for n, compound in enumerate(drawn.compounds) if compound is not None]
    windows = {site.code: _place(site, grid) for site in placed}
    views: _Views = {code: [] for code in windows}
    for _, canvas in _canvases(drawn, grid, setting.style):
        _view(canvas, windows, views)
    return [_true(site, windows[site.code][1], views[site.code]) for site in placed]


def _true(site: Placed, place: SitePlace, views: list[SiteView]) -> TrueSite:
    number = int(site.code.rsplit("-", 1)[1]) - 1
    row = sites.ledger_site(number, site, truth.pair_areas(views[0], views[-1], place))
    return TrueSite(row, site.case, place, tuple(views))


def _grid(size_m: float, gsd_m: float, crs: str) -> Grid:
    system = pyproj.CRS.from_user_input(crs)
    if not is_metric(system):
        raise UsageError("not a projected CRS in metres", where=crs, remedy="Name one, such as EPSG:32650.")
    if size_m < MIN_SIZE_M:
        raise UsageError(
            f"a district of {size_m:g} m is too small for sites", remedy=f"Draw at least {MIN_SIZE_M:g} m."
        )
    side = round(size_m / gsd_m)
    x, y = transformer(WGS84, system).transform(*PLACE)
    left, top = math.floor(x - size_m / 2), math.floor(y + size_m / 2)
    return Grid(system, Affine(gsd_m, 0, left, 0, -gsd_m, top), side, side)


def _scene_name(day: date) -> str:
    return f"scene_{day:%Y-%m-%d}.tif"


def _surface_name(day: date) -> str:
    return f"truth/surface_{day:%Y-%m-%d}.tif"


_Windows = dict[str, tuple[Window, SitePlace]]
_Views = dict[str, list[SiteView]]


def _draw_epochs(out: Path, drawn: Survey, grid: Grid, seed: int, windows: _Windows, setting: Setting) -> _Views:
    """Draw and write the epochs one after the other; returns what each site looked like in the masks.

    What stands unchanged is drawn once. While one epoch is being compressed the next is drawn.
    """
    views: _Views = {code: [] for code in windows}
    pending: list[Future[None]] = []
    with ThreadPoolExecutor(max_workers=1) as writer:
        for epoch, canvas in _canvases(drawn, grid, setting.style):
            _view(canvas, windows, views)
            look, day = setting.style.look(epoch), DATES[epoch]
            pixels = _photograph(canvas, drawn, epoch, seed, setting)
            path, mask_path = out / _scene_name(day), out / _surface_name(day)
            pending.append(writer.submit(files.write_scene, path, pixels, grid, day, look.jpeg_quality))
            pending.append(writer.submit(files.write_surface, mask_path, canvas.surface, grid))
            del canvas, pixels
    for written in pending:
        written.result()
    return views


def _canvases(drawn: Survey, grid: Grid, style: Style) -> Iterator[tuple[int, Canvas]]:
    """The epochs one after the other, before light and camera; of a canvas that was handed on nothing is kept."""
    base = Canvas.blank(grid.height, grid.width, grid.pixel_size)
    scene.draw(base, drawn.lasting, style)
    for epoch, content in enumerate(drawn.epochs):
        canvas = base if epoch == len(drawn.epochs) - 1 else base.copy()
        scene.draw(canvas, content, style)
        yield epoch, canvas
        del canvas


def _view(canvas: Canvas, windows: _Windows, views: _Views) -> None:
    """Add what the masks of an epoch show of each site."""
    for code, (window, _) in windows.items():
        view = SiteView(canvas.surface[window.slices].copy(), canvas.structure_id[window.slices].copy())
        views[code].append(view)


def _photograph(canvas: Canvas, drawn: Survey, epoch: int, seed: int, setting: Setting) -> U8:
    """One epoch as its camera saw it; JPEG comes with the file."""
    look = setting.style.look(epoch)
    lit = sky.overcast(light.lit(canvas, look), drawn.clouds[epoch], canvas.gsd_m, look)
    moved = sensor.shifted(sensor.blurred(sensor.exposed(lit, look), look), setting.shifts_px[epoch])
    return sensor.noisy(moved, look, seed * 31 + epoch)


def _place(site: Placed, grid: Grid) -> tuple[Window, SitePlace]:
    """The window of a site, cut to the grid, and its pixels in it."""
    assert grid.crs is not None, "drawn districts have a CRS"
    outline = reproject(buffered(site.geometry, site.buffer_m), WGS84, grid.crs)
    left, bottom, right, top = outline.bounds
    col, row = (math.floor(v) for v in ~grid.transform * (left, top))
    end_col, end_row = (math.ceil(v) for v in ~grid.transform * (right, bottom))
    col, row, end_col, end_row = max(col, 0), max(row, 0), min(end_col, grid.width), min(end_row, grid.height)
    window = Window(col, row, end_col - col, end_row - row)
    inside = _burned(outline, window, grid)
    kept = np.zeros_like(inside)
    if site.retained is not None:
        kept = _burned(reproject(site.retained, WGS84, grid.crs), window, grid)
    return window, SitePlace(inside, kept, grid.pixel_area_m2())


def _burned(geometry: BaseGeometry, window: Window, grid: Grid) -> np.ndarray[Any, np.dtype[np.bool_]]:
    transform = grid.transform * Affine.translation(window.col, window.row)
    return np.asarray(geometry_mask([geometry], (window.height, window.width), transform, invert=True))


def _documents(placed: list[Placed], views: _Views, windows: _Windows) -> tuple[list[Site], list[dict[str, Any]]]:
    """The ledger's rows, and for each the truth."""
    rows, document = [], []
    for number, site in enumerate(placed):
        if site.code not in windows:
            row, told = sites.ledger_site(number, site, None), _unseen(site, Reason.NO_SCENE, None)
        else:
            place = windows[site.code][1]
            second, latest = (truth.pair_areas(views[site.code][0], views[site.code][n], place) for n in (1, 2))
            row = sites.ledger_site(number, site, latest)
            told = _unseen(site, Reason.CLOUD, latest)
            if site.case != "cloud":
                between = truth.pair_areas(views[site.code][1], views[site.code][2], place)
                told = _seen(site, row, (second, latest), between)
        rows.append(row)
        document.append(told)
    return rows, document


def _seen(site: Placed, row: Site, pairs: tuple[PairAreas, PairAreas], between: PairAreas) -> dict[str, Any]:
    """The truth about a site that all scenes show."""
    answers = [truth.expected(areas, row.plan) for areas in pairs]
    demolished = answers[0][Question.DEMOLITION] is Outcome.COMPLETE
    told = [_pair(n, {q.value: o.value for q, o in answers[n - 1].items()}, None, pairs[n - 1]) for n in (1, 2)]
    rebound = {"outcome": truth.rebound(between).value, "structure_added_m2": between.structure_added_m2}
    days = {"before": str(DATES[1]), "after": str(DATES[2])}
    return {**_head(site), "pairs": told, "rebound": {**days, **rebound} if demolished else None}


def _unseen(site: Placed, reason: Reason, latest: PairAreas | None) -> dict[str, Any]:
    """The truth about a site that no later scene shows."""
    questions = (Question.DEMOLITION, Question.CLEARANCE, Question.GREENING)
    answers = {question.value: Outcome.NOT_ASSESSABLE.value for question in questions}
    told = [_pair(n, answers, reason, latest if n == 2 else None) for n in (1, 2)]
    return {**_head(site), "pairs": told, "rebound": None}


def _head(site: Placed) -> dict[str, Any]:
    return {"code": site.code, "case": site.case, "geometry": site.geometry.geom_type}


def _pair(epoch: int, answers: dict[str, str], reason: Reason | None, areas: PairAreas | None) -> dict[str, Any]:
    return {
        "before": str(DATES[0]),
        "after": str(DATES[epoch]),
        "expected": answers,
        "reason": None if reason is None else reason.value,
        "areas_m2": None if areas is None else _plain(areas),
    }


def _plain(areas: PairAreas) -> dict[str, Any]:
    """Areas without the unit in each name: the document's key says it once."""
    return {name.removesuffix("_m2"): value for name, value in asdict(areas).items()}


def _frame(seed: int, grid: Grid, setting: Setting) -> dict[str, Any]:
    """What the truth says of the scenes themselves."""
    assert grid.crs is not None, "drawn districts have a CRS"
    epochs = [
        {
            "date": str(day),
            "scene": _scene_name(day),
            "surface": _surface_name(day),
            "shift_px": list(setting.shifts_px[n]),
            "sun_azimuth_deg": setting.style.look(n).sun_azimuth_deg,
            "sun_elevation_deg": setting.style.look(n).sun_elevation_deg,
        }
        for n, day in enumerate(DATES)
    ]
    return {"seed": seed, "gsd_m": grid.pixel_size, "crs": grid.crs.to_string(), "epochs": epochs}
