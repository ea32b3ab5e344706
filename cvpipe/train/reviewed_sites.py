"""The ledger's own reviewed sites as material: what people decided of an assessment labels the ground it is about.

    demolition, rebound   confirmed: its outlines of structures removed (added) are true, the rest of the site unchanged
                          answered none: the site is unchanged, whatever the machine had outlined
    clearance             met: no structure stands on the site afterwards, retained ones aside
    greening              confirmed: its outlines of green are vegetation afterwards

Where a person drew what changed (`domain.Label`), that goes over all decisions on the same assessment: it speaks of
every kind of change, over the whole of its outline.

Where two persons answered the same question differently there is no answer yet, until a third replaces one of them.
A decision that says another degree than the machine (partial for complete) has no outlines of its own and teaches
nothing; neither does ground beyond the site, of which nobody was asked.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
from shapely.geometry.base import BaseGeometry

from cvpipe.domain import ChangeKind, Decision, Label, Outcome, Question, Scene, Site
from cvpipe.errors import SceneError
from cvpipe.geo import WGS84, Bounds, Grid, bounds_in, buffered, metric_crs, reproject
from cvpipe.imagery.alignment import estimate_registration
from cvpipe.imagery.later import read_later
from cvpipe.imagery.pairing import ALIGNMENT_MARGIN_M, site_grid
from cvpipe.imagery.reading import Patch, SceneReader
from cvpipe.ledger import AssessmentRecord, Ledger, Workspace, standing
from cvpipe.network.losses import IGNORE, NOT_STRUCTURE
from cvpipe.train.labelled import change_and_surfaces
from cvpipe.train.outlines import burnt
from cvpipe.train.pictures import EpochPair, Pixels
from cvpipe.train.settings import LedgerSource

LOG = logging.getLogger(__name__)

#: The kind of change that a question is about.
KINDS = {
    Question.DEMOLITION: ChangeKind.STRUCTURE_REMOVED,
    Question.REBOUND: ChangeKind.STRUCTURE_ADDED,
    Question.GREENING: ChangeKind.GREEN_ADDED,
}


@dataclass(frozen=True)
class Reviewed:
    """An assessment of a site with the answers that people gave to its questions, and what they drew."""

    site: Site
    record: AssessmentRecord
    answers: Mapping[Question, Outcome] = field(default_factory=dict)
    label: Label | None = None

    @property
    def outline(self) -> BaseGeometry:
        """The area that was assessed, or drawn in, WGS 84."""
        return (
            self.label.outline
            if self.label
            else self.record.outline or buffered(self.site.geometry, self.site.buffer_m)
        )

    def is_confirmed(self, question: Question) -> bool:
        """Whether the person gave the machine's answer."""
        given = {v.question: v.outcome for v in self.record.assessment.verdicts}
        return self.answers.get(question) == given.get(question) is not None


def reviewed_sites(source: LedgerSource) -> list[EpochPair]:
    """The reviewed pairs of epochs of a workspace, one place for each site, named `ledger/CODE`.

    A pair whose scenes cannot be read or aligned is left out with a warning. Raises WorkspaceError and LedgerError.
    """
    with Workspace.open(source.workspace).ledger() as ledger:
        scenes = {scene.content_hash: scene for scene in ledger.scenes()}
        found = [one for one in reviewed(ledger) if not source.sites or one.site.code in source.sites]
    pairs = [_pair(one, scenes, source) for one in found]
    return [pair for pair in pairs if pair is not None]


def reviewed(ledger: Ledger) -> Iterator[Reviewed]:
    """Assessments that decisions or labels name, with the last word on each, in order of site."""
    answers = _answers(entry.value for entry in standing(ledger.decisions()))
    drawn = {entry.value.assessment_key: entry.value for entry in ledger.labels()}
    sites = {site.code: site for site in ledger.sites()}
    records = [record for record in ledger.assessments() if record.assessment.key in answers.keys() | drawn.keys()]
    for record in sorted(records, key=lambda r: (r.assessment.site_code, r.id)):
        key = record.assessment.key
        yield Reviewed(sites[record.assessment.site_code], record, answers.get(key, {}), drawn.get(key))


def _answers(decisions: Iterable[Decision]) -> dict[str, dict[Question, Outcome]]:
    """By assessment, what people answered: each person's last word; where two persons differ there is no answer."""
    words: dict[tuple[str, Question], dict[str, Outcome]] = {}
    for decision in decisions:
        if decision.assessment_key is not None and decision.verdict is not Outcome.NOT_ASSESSABLE:
            words.setdefault((decision.assessment_key, decision.question), {})[decision.who] = decision.verdict
    answers: dict[str, dict[Question, Outcome]] = {}
    for (key, question), said in words.items():
        if len(set(said.values())) == 1:
            answers.setdefault(key, {})[question] = next(iter(said.values()))
    return answers


def _pair(one: Reviewed, scenes: Mapping[str, Scene], source: LedgerSource) -> EpochPair | None:
    code = one.site.code
    earlier, later = (scenes.get(h or "") for h in (one.record.assessment.before, one.record.assessment.after))
    if earlier is None or later is None:
        LOG.warning("site %s left out: the ledger no longer names the scenes of its assessment", code)
        return None
    try:
        patches = _look(one, earlier, later, source)
    except SceneError as error:
        LOG.warning("site %s left out: %s", code, error)
        return None
    change, surfaces = _labels(one, patches)
    if (change == IGNORE).all() and all((surface == IGNORE).all() for surface in surfaces):
        return None
    grid = patches[0].grid
    pixels = (patches[0].pixels, patches[1].pixels)
    return EpochPair(pixels, (surfaces[0], surfaces[1]), change, grid.ground_pixel_m(), f"ledger/{code}", _ground(grid))


def _look(one: Reviewed, earlier: Scene, later: Scene, source: LedgerSource) -> tuple[Patch, Patch]:
    """Both epochs on one grid around the site. Raises SceneError where they cannot be read or aligned."""
    gsd_m = max(earlier.gsd_m, later.gsd_m, source.gsd_range_m[0])
    with ExitStack() as stack:
        before, after = (stack.enter_context(SceneReader(scene.uri)) for scene in (earlier, later))
        if before.grid.crs is None:
            raise SceneError("a scene without georeference", where=before.path, remedy="Give it a CRS.")
        crs = metric_crs(before.grid.crs, reproject(one.outline, WGS84, before.grid.crs).bounds)
        wide = site_grid(one.outline, max(source.margin_m, ALIGNMENT_MARGIN_M), crs, gsd_m)
        shift = estimate_registration(before.read(wide), after.read(wide))
        if not math.isfinite(shift.residual_px):
            raise SceneError("its two epochs cannot be aligned", where=after.path, remedy="Leave the site out.")
        grid = site_grid(one.outline, source.margin_m, crs, gsd_m)
        return before.read(grid), read_later(after, grid, shift, wide)


def _labels(one: Reviewed, patches: tuple[Patch, Patch]) -> tuple[Pixels, list[Pixels]]:
    """Change (2, H, W), surfaces (H, W) of both epochs; IGNORE beyond the outline and where an epoch shows nothing."""
    grid = patches[0].grid
    site = (_burnt([one.outline], grid) == 1) & patches[0].valid & patches[1].valid
    told = _drawn(one.label, grid) if one.label else _decided(one, grid)
    masks = {kind: np.where(site, mask, IGNORE).astype(np.uint8) for kind, mask in told.items()}
    change, surfaces = change_and_surfaces(masks, grid.shape)
    if not one.label and one.answers.get(Question.CLEARANCE) is Outcome.MET:
        cleared = site & (_burnt(_retained(one.site), grid) == 0)
        surfaces[1][cleared & (surfaces[1] == IGNORE)] = NOT_STRUCTURE
    return change, surfaces


def _drawn(label: Label, grid: Grid) -> dict[ChangeKind, Pixels]:
    return {kind: _burnt([c.geometry for c in label.changes if c.kind is kind], grid) for kind in ChangeKind}


def _decided(one: Reviewed, grid: Grid) -> dict[ChangeKind, Pixels]:
    masks = {KINDS[question]: _mask(one, question, grid) for question in KINDS}
    if one.answers.get(Question.CLEARANCE) is Outcome.MET and masks[ChangeKind.STRUCTURE_ADDED] is None:
        retained = _burnt(_retained(one.site), grid)
        masks[ChangeKind.STRUCTURE_ADDED] = np.where(retained == 1, IGNORE, 0).astype(np.uint8)
    return {kind: mask for kind, mask in masks.items() if mask is not None}


def _mask(one: Reviewed, question: Question, grid: Grid) -> Pixels | None:
    """1 and 0 (H, W) of what is true of the whole grid as far as the answer goes; None where it teaches nothing."""
    if question not in one.answers:
        return None
    if one.answers[question] is Outcome.NONE:
        return np.zeros(grid.shape, np.uint8)
    if one.is_confirmed(question):
        return _burnt([c.geometry for c in one.record.assessment.changes if c.kind is KINDS[question]], grid)
    return None


def _retained(site: Site) -> list[BaseGeometry]:
    return [site.plan.retained] if site.plan.retained else []


def _burnt(areas: Sequence[BaseGeometry], grid: Grid) -> Pixels:
    assert grid.crs is not None, "sites lie on georeferenced grids"
    return burnt([reproject(area, WGS84, grid.crs) for area in areas], grid)


def _ground(grid: Grid) -> Bounds:
    assert grid.crs is not None, "sites lie on georeferenced grids"
    return bounds_in(grid.bounds, grid.crs, WGS84)


__all__ = ["Reviewed", "reviewed", "reviewed_sites"]
