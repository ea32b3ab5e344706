"""Sites around the labelled structures of real pairs: verdicts held against what the labels tell, with pictures.

A label says that a structure came, changed or stayed, and no more: which of these a verdict can contradict is in
`WANTED`. Nothing is known of rubble, green or the rest of the ground.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pyproj
import rasterio
import rasterio.features
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry import box, shape
from shapely.geometry.base import BaseGeometry

from cvpipe.assess import Rules, assess_rebound
from cvpipe.detect import Network
from cvpipe.domain import CHANGE_COLOURS, SURFACE_COLOURS, Assessment, Outcome, Question, Site, Surface, Verdict
from cvpipe.errors import SceneError
from cvpipe.geo import WGS84, buffered, reproject
from cvpipe.imagery import chips, describe
from cvpipe.run.epochs import Epoch
from cvpipe.run.reading import read_ahead
from cvpipe.run.sites import Looked, PairKind, SitePair, assess
from scripts.validation.tables import table

SHARED = Path(os.environ.get("CVPIPE_SHARED", Path(__file__).parents[2].parent / "shared"))
DATA = SHARED / "realdata" / "eval"

#: Ground around a labelled structure that belongs to its site, m.
AROUND_M = 5.0
#: Labelled patches smaller than this are no sites, m².
SMALLEST_M2 = 30.0
#: Days that the pairs are taken to be of: the sets do not tell any, and none of both lies in a leafless month.
DAYS = date(2018, 7, 1), date(2022, 7, 1)
#: A place for pictures that have none: their areas are those of this CRS at 0.5 m.
NOWHERE, NOWHERE_AT = pyproj.CRS.from_epsg(32650), (440_000.0, 4_420_000.0)
LEVIR_GSD_M = 0.5
WHITE = 255, 255, 255

#: What labels tell: outcomes that are right, by question. "changed" is a structure that came, went or gave way.
WANTED: dict[str, dict[Question, frozenset[Outcome]]] = {
    "new": {
        Question.DEMOLITION: frozenset({Outcome.NONE}),
        Question.CLEARANCE: frozenset({Outcome.NOT_MET}),
        Question.REBOUND: frozenset({Outcome.SUSPECTED}),
    },
    "unchanged": {
        Question.DEMOLITION: frozenset({Outcome.NONE}),
        Question.CLEARANCE: frozenset({Outcome.NOT_MET}),
        Question.REBOUND: frozenset({Outcome.NONE}),
    },
    "changed": {},
}


@dataclass(frozen=True)
class RealSite:
    """A site of a real pair; `label` is a key of `WANTED`."""

    site: Site
    before: Path
    after: Path
    label: str


@dataclass(frozen=True)
class RealAnswer:
    """What was found at a real site; `watch` is the answer if the site had been closed at the earlier epoch."""

    real: RealSite
    looked: Looked
    assessment: Assessment
    watch: Verdict

    @property
    def found(self) -> dict[Question, Outcome]:
        """The outcome of every question."""
        return {v.question: v.outcome for v in (*self.assessment.verdicts, self.watch)}

    @property
    def flagged(self) -> frozenset[Question]:
        """Questions that a person should look at."""
        return frozenset(v.question for v in (*self.assessment.verdicts, self.watch) if v.needs_review)

    @property
    def wrong(self) -> tuple[Question, ...]:
        """Questions answered against the label."""
        if self.real.label == "changed":  # which way is not told: one of both must have been seen
            seen = self.found[Question.DEMOLITION] in (Outcome.PARTIAL, Outcome.COMPLETE)
            return () if seen or self.found[Question.REBOUND] is Outcome.SUSPECTED else (Question.REBOUND,)
        return tuple(q for q, right in WANTED[self.real.label].items() if self.found[q] not in right)


def judge_real(data: Path, out: Path, network: Network, rules: Rules) -> str:
    """Judge all sites of both sets, write a picture of each into `out`; returns the table, wrong ones first."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        sites = [*_fotbcd(data / "fotbcd_public" / "geotiff"), *_levir(data / "levir_public", Path(made))]
        answered = sorted(
            _answered(sites, network, rules), key=lambda a: (not a.wrong, not a.flagged, a.real.site.code)
        )
    for number, answer in enumerate(answered, start=1):
        _picture(out / f"{number:02d}-{answer.real.site.code}.jpg", answer)
    rows = [_row(number, answer) for number, answer in enumerate(answered, start=1)]
    told = [(a, q) for a in answered for q in (WANTED[a.real.label] or {Question.REBOUND: frozenset()})]
    right = sum(q not in a.wrong for a, q in told)
    kept = sum(q not in a.wrong or q in a.flagged for a, q in told)
    headings = ("picture", "site", "label", "demolition", "clearance", "greening", "rebound", "against the label")
    summary = (
        f"{len(answered)} sites, {len(told)} verdicts that labels speak of: {right} right, {kept} right or flagged."
    )
    text = f"{table(headings, rows)}\n(!) a person should look. {summary}\n"
    (out / "table.md").write_text(text, encoding="utf-8")
    return text


def _fotbcd(folder: Path) -> Iterator[RealSite]:
    for path in sorted(folder.glob("*.geojson")):
        before, after = (folder / f"{path.stem}_{epoch}.tif" for epoch in ("before", "after"))
        with rasterio.open(before) as scene:
            edge, crs = box(*scene.bounds).buffer(-1), pyproj.CRS.from_user_input(scene.crs)
        for number, feature in enumerate(json.loads(path.read_text(encoding="utf-8"))["features"]):
            outline = shape(feature["geometry"]).buffer(0)
            if outline.area >= SMALLEST_M2:
                label = feature["properties"]["category"].lower()
                yield RealSite(_site(f"{path.stem}-{number}", outline, edge, crs), before, after, label)


def _levir(folder: Path, made: Path) -> Iterator[RealSite]:
    """Patches of the label; LEVIR-CD is of places where houses were built, so a change there is a new structure."""
    transform = Affine(LEVIR_GSD_M, 0, NOWHERE_AT[0], 0, -LEVIR_GSD_M, NOWHERE_AT[1])
    for path in sorted((folder / "A").iterdir()):
        before, after = (
            _placed(folder / epoch / path.name, made / f"{path.stem}_{epoch}.tif", transform) for epoch in "AB"
        )
        changed = (_read(folder / "label" / path.name, cv2.IMREAD_GRAYSCALE) > 0).astype(np.uint8)
        height, width = changed.shape
        edge = box(*rasterio.transform.array_bounds(height, width, transform)).buffer(-1)
        for number, (geometry, _) in enumerate(rasterio.features.shapes(changed, changed, 4, transform)):
            outline = shape(geometry)
            if outline.area >= SMALLEST_M2:
                yield RealSite(_site(f"{path.stem}-{number}", outline, edge, NOWHERE), before, after, "new")


def _placed(picture: Path, target: Path, transform: Affine) -> Path:
    """A picture as a GeoTIFF."""
    pixels = _read(picture, cv2.IMREAD_COLOR_RGB)
    height, width, bands = pixels.shape
    profile = {"driver": "GTiff", "height": height, "width": width, "count": bands, "dtype": "uint8", "crs": NOWHERE}
    with rasterio.open(target, "w", **profile, transform=transform, photometric="RGB") as made:
        made.write(np.moveaxis(pixels, -1, 0))
    return target


def _read(path: Path, how: int) -> NDArray[np.uint8]:
    pixels = cv2.imread(str(path), how)
    if pixels is None:
        raise SceneError("not readable as a picture", where=path, remedy="Fetch the data set again.")
    return np.asarray(pixels, np.uint8)


def _site(code: str, outline: BaseGeometry, edge: BaseGeometry, crs: pyproj.CRS) -> Site:
    """A site `AROUND_M` wider than a labelled structure, as far as the picture reaches."""
    return Site(code, reproject(outline.buffer(AROUND_M).intersection(edge), crs, WGS84))


def _answered(sites: list[RealSite], network: Network, rules: Rules) -> Iterator[RealAnswer]:
    pairs = [_pair(real) for real in sites]
    for real, (pair, looked) in zip(sites, read_ahead(pairs, gsd_m=network.gsd_m, margin_m=15.0), strict=True):
        seen = looked.result()
        assert seen is not None, "both scenes of a pair are there"
        assessment = assess(pair, seen, network, rules)
        assert assessment.measurements is not None, "what was seen was measured"
        yield RealAnswer(real, seen, assessment, assess_rebound(real.site, assessment.measurements, rules))


def _pair(real: RealSite) -> SitePair:
    before, after = (
        Epoch((describe(path, acquired=day),)) for path, day in zip((real.before, real.after), DAYS, strict=True)
    )
    return SitePair(real.site, PairKind.REMEDIATION, before, after)


def _row(number: int, answer: RealAnswer) -> tuple[object, ...]:
    told = [f"{answer.found[q]}{' (!)' if q in answer.flagged else ''}" for q in Question]
    wrong = ", ".join(f"{q} is wrong{' (flagged)' if q in answer.flagged else ''}" for q in answer.wrong)
    return f"{number:02d}", answer.real.site.code, answer.real.label, *told, wrong or "–"


def _picture(path: Path, answer: RealAnswer) -> None:
    """Before and after: the site's outline white, changes before and what is left after in their colours."""
    before, after = chips.shared_stretch(answer.looked.before, answer.looked.after)
    grid, assessment = answer.looked.before.grid, answer.assessment
    outline = (buffered(answer.real.site.geometry, answer.real.site.buffer_m), WHITE)
    changes = [(change.geometry, CHANGE_COLOURS[change.kind]) for change in assessment.changes]
    measured = assessment.measurements
    left = [(r.geometry, SURFACE_COLOURS[Surface(r.surface)]) for r in measured.left] if measured else []
    pictures = (
        chips.with_outlines(before, grid, [outline, *changes], width=1),
        chips.with_outlines(after, grid, [outline, *left], width=1),
    )
    chips.write_jpeg(path, chips.side_by_side(*pictures))
