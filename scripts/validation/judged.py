"""Drawn sites judged, beside what was drawn: one file of rows for each district."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cvpipe.assess import Rules, assess_rebound, assess_remediation, measure
from cvpipe.detect import Network
from cvpipe.domain import ChangeKind, Figure, Measurements, Outcome, Question, Registration, Site, Surface, Verdict
from cvpipe.imagery import describe
from cvpipe.ledger import read_sites
from cvpipe.ledger.encoding import measurements_as_plain, measurements_of, verdict_as_plain, verdict_of
from cvpipe.run.epochs import Epoch
from cvpipe.run.reading import read_ahead
from cvpipe.run.sites import PairKind, SitePair, assess
from cvpipe.world import Setting, Style, TrueSite, draw_district, true_sites
from cvpipe.world.compounds import ROLL
from cvpipe.world.district import DATES, SHIFTS_PX
from cvpipe.world.truth import PairAreas, expected, pair_areas, rebound, removed

#: Epochs of a drawn district that are compared: the baseline with both later ones, and these with each other.
PAIRS = ((0, 1), (0, 2), (1, 2))

#: The sites of the demo's districts three times over, less those that no picture shows: districts hold what fits.
EVERY_CASE = tuple(entry for entry in ROLL * 3 if entry[0] not in ("outside", "cloud"))


@dataclass(frozen=True)
class Variant:
    """How districts are drawn otherwise than by their seed.

    `shift` multiplies the shift of the scenes' content against each other (3.1 and 4.1 px of `gsd_m` where it is 1);
    a `leafless` district shows its later epochs in late autumn: parched, and what leaves there are turned.
    """

    name: str = "as drawn"
    gsd_m: float = 0.3
    shift: float = 1.0
    leafless: bool = False

    def setting(self, seed: int) -> Setting:
        """Style, sites and shifts of the district of a seed."""
        style = Style.random(np.random.default_rng(seed))
        if self.leafless:
            first, *later = style.looks
            style = replace(style, looks=(first, *(replace(look, greenness=0.05, autumn=1.0) for look in later)))
        shifts = tuple((x * self.shift, y * self.shift) for x, y in SHIFTS_PX)
        return Setting(style, EVERY_CASE, shifts)


@dataclass(frozen=True)
class Judged:
    """A site and a pair of epochs as judged, and the truth: m² by figure, outcomes by question."""

    seed: int
    variant: str
    code: str
    case: str
    epochs: tuple[int, int]
    true_m2: dict[Figure, float]
    expected: dict[Question, Outcome]
    measurements: Measurements
    verdicts: tuple[Verdict, ...]


def areas_by_figure(areas: PairAreas) -> dict[Figure, float]:
    """The true areas of a pair as verdicts name them."""
    rubble = areas.surface_after_m2["rubble"]
    return {
        Figure.STRUCTURE_BEFORE: areas.structure_before_m2,
        Figure.STRUCTURE_AFTER: areas.structure_after_m2,
        Figure.STRUCTURE_REMOVED: areas.structure_removed_m2,
        Figure.STRUCTURE_ADDED: areas.structure_added_m2,
        Figure.STRUCTURE_UNREMOVED: areas.structure_before_m2 - areas.structure_removed_m2,
        Figure.STRUCTURE_STANDING: areas.structure_after_m2 - areas.structure_added_m2,
        Figure.RUBBLE: rubble,
        Figure.LEFT: areas.structure_after_m2 + rubble,
        Figure.GREEN: areas.surface_after_m2["vegetation"],
        Figure.GREEN_ADDED: areas.green_added_m2,
    }


def measured_m2(m: Measurements, figure: Figure) -> float:
    """A figure as it was measured."""
    before, after, change = m.surface_before_m2, m.surface_after_m2, m.change_m2
    went, came = change[ChangeKind.STRUCTURE_REMOVED], change[ChangeKind.STRUCTURE_ADDED]
    stood, stands = before[Surface.STRUCTURE], after[Surface.STRUCTURE]
    return {
        Figure.STRUCTURE_BEFORE: stood,
        Figure.STRUCTURE_AFTER: stands,
        Figure.STRUCTURE_REMOVED: went,
        Figure.STRUCTURE_ADDED: came,
        Figure.STRUCTURE_UNREMOVED: max(stood - went, 0.0),
        Figure.STRUCTURE_STANDING: max(stands - came, 0.0),
        Figure.RUBBLE: after[Surface.RUBBLE],
        Figure.LEFT: stands + after[Surface.RUBBLE],
        Figure.GREEN: after[Surface.VEGETATION],
        Figure.GREEN_ADDED: change[ChangeKind.GREEN_ADDED],
    }[figure]


def judge_masks(seed: int, size_m: float, rules: Rules) -> list[Judged]:
    """The sites of a district judged from their true masks: what is wrong then is wrong in the rules."""
    variant = Variant("true masks")
    sites = true_sites(seed, size_m, variant.gsd_m, setting=variant.setting(seed))
    return [_from_masks(seed, variant.name, site, pair, rules) for site in sites for pair in _asked(site)]


def _asked(site: TrueSite) -> Iterator[tuple[int, int]]:
    """The watch begins where demolition is complete."""
    first = expected(pair_areas(site.views[0], site.views[1], site.place), site.site.plan)
    yield from PAIRS[:2]
    if first[Question.DEMOLITION] is Outcome.COMPLETE:
        yield PAIRS[2]


def _from_masks(seed: int, variant: str, drawn: TrueSite, epochs: tuple[int, int], rules: Rules) -> Judged:
    before, after = (drawn.views[n] for n in epochs)
    areas = pair_areas(before, after, drawn.place)
    was, now = before.surface == Surface.VEGETATION, after.surface == Surface.VEGETATION
    bands = {
        ChangeKind.STRUCTURE_REMOVED: removed(before.structure_id, after.structure_id),
        ChangeKind.STRUCTURE_ADDED: removed(after.structure_id, before.structure_id),
        ChangeKind.GREEN_ADDED: now & ~was,
        ChangeKind.GREEN_REMOVED: was & ~now,
    }
    m = measure(
        surface_before=before.surface,
        surface_after=after.surface,
        change={kind: band.astype(np.uint8) for kind, band in bands.items()},
        usable=np.ones_like(drawn.place.inside),
        inside=drawn.place.inside,
        retained=drawn.place.retained,
        pixel_area_m2=drawn.place.pixel_m2,
        registration=Registration(),
        reasons=(),
    )
    verdicts = judged_by(drawn.site, m, rules, epochs)
    wanted = truth_of(areas, drawn.site, epochs)
    return Judged(seed, variant, drawn.site.code, drawn.case, epochs, areas_by_figure(areas), wanted, m, verdicts)


def judged_by(site: Site, m: Measurements, rules: Rules, epochs: tuple[int, int]) -> tuple[Verdict, ...]:
    """The verdicts of a pair of drawn epochs."""
    if epochs == PAIRS[2]:
        return (assess_rebound(site, m, rules),)
    return assess_remediation(site, m, rules, (DATES[epochs[0]], DATES[epochs[1]]))


def truth_of(areas: PairAreas, site: Site, epochs: tuple[int, int]) -> dict[Question, Outcome]:
    """The right answers of a pair of drawn epochs."""
    return {Question.REBOUND: rebound(areas)} if epochs == PAIRS[2] else expected(areas, site.plan)


def judge_pictures(
    folder: Path, seed: int, size_m: float, variant: Variant, network: Network, rules: Rules, every: int = 1
) -> list[Judged]:
    """Draw a district into `folder`, judge every `every`-th site from its pictures, and remove them again."""
    setting = variant.setting(seed)
    district = draw_district(folder, seed, size_m, variant.gsd_m, setting=setting)
    scenes = [describe(path) for path in district.scenes]
    rows = {site.code: site for site in read_sites(district.sites).sites}
    drawn = [s for s in true_sites(seed, size_m, variant.gsd_m, setting=setting) if s.site.code in rows][::every]
    asked = [(site, epochs) for site in drawn for epochs in _asked(site)]
    pairs = [_site_pair(rows[site.site.code], epochs, scenes) for site, epochs in asked]
    judged = []
    for (site, epochs), (pair, looked) in zip(
        asked, read_ahead(pairs, gsd_m=network.gsd_m, margin_m=15.0), strict=True
    ):
        assessment = assess(pair, looked.result(), network, rules)
        assert assessment.measurements is not None, "all scenes of a drawn district show all of it"
        areas = pair_areas(site.views[epochs[0]], site.views[epochs[1]], site.place)
        truth = truth_of(areas, pair.site, epochs)
        row = (seed, variant.name, site.site.code, site.case, epochs, areas_by_figure(areas), truth)
        judged.append(Judged(*row, assessment.measurements, assessment.verdicts))
    shutil.rmtree(folder)
    return judged


def _site_pair(site: Site, epochs: tuple[int, int], scenes: list[Any]) -> SitePair:
    kind = PairKind.WATCH if epochs == PAIRS[2] else PairKind.REMEDIATION
    before, after = (Epoch((scenes[n],)) for n in epochs)
    return SitePair(site, kind, before, after)


def write_judged(path: Path, rows: Iterable[Judged]) -> None:
    """Keep judged sites; the file is there whole or not at all."""
    plain = [
        asdict(replace(row, measurements=measurements_as_plain(row.measurements), verdicts=()))  # type: ignore[arg-type]
        | {"verdicts": [verdict_as_plain(v) for v in row.verdicts]}
        for row in rows
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_text(json.dumps(plain), encoding="utf-8")
    unfinished.replace(path)


def read_judged(folders: Iterable[Path]) -> list[Judged]:
    """All judged sites of some folders, in order of file."""
    files = [file for folder in folders for file in sorted(folder.glob("*.json"))]
    return [_judged_of(row) for file in files for row in json.loads(file.read_text(encoding="utf-8"))]


def _judged_of(plain: dict[str, Any]) -> Judged:
    return Judged(
        **plain
        | {
            "epochs": tuple(plain["epochs"]),
            "true_m2": {Figure(name): area for name, area in plain["true_m2"].items()},
            "expected": {Question(q): Outcome(o) for q, o in plain["expected"].items()},
            "measurements": measurements_of(plain["measurements"]),
            "verdicts": tuple(verdict_of(v) for v in plain["verdicts"]),
        }
    )
