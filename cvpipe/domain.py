"""The words of the field as values: sites, scenes, surfaces, changes, measurements, verdicts.

Frozen dataclasses and enums only; no I/O, no pixels, no torch. Geometries are shapely, in WGS 84
(EPSG:4326) with x = longitude and y = latitude, unless a field's name says otherwise. Areas are m² on the ground.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum, StrEnum
from typing import Any

from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry


class Surface(IntEnum):
    """What covers a pixel at one epoch; the value is the code in `surface_*.tif`."""

    OTHER = 0
    STRUCTURE = 1
    RUBBLE = 2
    BARE = 3
    NET = 4
    VEGETATION = 5
    PAVED = 6
    WATER = 7
    NO_DATA = 255


#: The surfaces a network can answer, in the order of its output channels.
SURFACES: tuple[Surface, ...] = tuple(s for s in Surface if s is not Surface.NO_DATA)

#: Fill colour (R, G, B) of each surface in rasters, overlays and legends.
SURFACE_COLOURS: dict[Surface, tuple[int, int, int]] = {
    Surface.OTHER: (158, 158, 158),
    Surface.STRUCTURE: (214, 69, 65),
    Surface.RUBBLE: (141, 110, 99),
    Surface.BARE: (222, 184, 135),
    Surface.NET: (0, 166, 147),
    Surface.VEGETATION: (76, 153, 63),
    Surface.PAVED: (96, 108, 122),
    Surface.WATER: (66, 133, 200),
    Surface.NO_DATA: (0, 0, 0),
}

#: Codes of the national monitoring tables. TP (levelled), TD (pile) and the use behind LD (park green) cannot be told
#: from above: levelled ground is bare (LT), piles are rubble (WL), and all green cover takes the code of park green.
MONITORING_CODES: dict[Surface, str] = {
    Surface.STRUCTURE: "20",
    Surface.RUBBLE: "WL",
    Surface.BARE: "LT",
    Surface.VEGETATION: "LD",
    Surface.PAVED: "YH",
}


class ChangeKind(StrEnum):
    """How the surface differs between two epochs; the order is that of the bands in `changes.tif`."""

    STRUCTURE_REMOVED = "structure_removed"
    STRUCTURE_ADDED = "structure_added"
    GREEN_ADDED = "green_added"
    GREEN_REMOVED = "green_removed"


#: Outline colour (R, G, B) of each kind of change in previews, chips and reports.
CHANGE_COLOURS: dict[ChangeKind, tuple[int, int, int]] = {
    ChangeKind.STRUCTURE_REMOVED: (255, 59, 48),
    ChangeKind.STRUCTURE_ADDED: (255, 204, 0),
    ChangeKind.GREEN_ADDED: (52, 199, 89),
    ChangeKind.GREEN_REMOVED: (191, 90, 242),
}


class SiteStatus(StrEnum):
    """Where a site stands in its life (DOMAIN: a site's life)."""

    REGISTERED = "registered"
    IN_PROGRESS = "in_progress"
    DEMOLISHED = "demolished"
    CLEARED = "cleared"
    CLOSED = "closed"
    REBOUND = "rebound"
    EXEMPT = "exempt"


class Move(StrEnum):
    """What a person does when the status of a site changes; which ones there are says `cvpipe.life`."""

    ADVANCE = "advance"
    SET_BACK = "set_back"
    CLOSE = "close"
    REOPEN = "reopen"
    EXEMPT = "exempt"
    CONFIRM_REBOUND = "confirm_rebound"


class Stage(StrEnum):
    """What the pictures show of a site's life; `green` runs beside the others."""

    STANDING = "standing"
    IN_PROGRESS = "in_progress"
    DEMOLISHED = "demolished"
    CLEARED = "cleared"
    REBOUND = "rebound"
    GREEN = "green"


class Rung(StrEnum):
    """How far up the confirmation ladder something is that was seen: one scene, several scenes, a person."""

    PROVISIONAL = "provisional"
    SCENE = "scene"
    PERSON = "person"


class Question(StrEnum):
    """What an assessment is asked; each has one verdict."""

    DEMOLITION = "demolition"
    CLEARANCE = "clearance"
    GREENING = "greening"
    REBOUND = "rebound"


class Outcome(StrEnum):
    """A verdict's answer. Which of them a question can have is in `OUTCOMES`."""

    NONE = "none"
    PARTIAL = "partial"
    COMPLETE = "complete"
    MET = "met"
    NOT_MET = "not_met"
    GAINED = "gained"
    SUSPECTED = "suspected"
    NOT_ASSESSABLE = "not_assessable"


#: Demolition: how much of the baseline's structure is gone. Clearance: "clear site, clean ground".
#: Greening: met / not met where the plan names a green area, gained / none where it does not.
OUTCOMES: dict[Question, frozenset[Outcome]] = {
    Question.DEMOLITION: frozenset({Outcome.NONE, Outcome.PARTIAL, Outcome.COMPLETE, Outcome.NOT_ASSESSABLE}),
    Question.CLEARANCE: frozenset({Outcome.MET, Outcome.NOT_MET, Outcome.NOT_ASSESSABLE}),
    Question.GREENING: frozenset({Outcome.MET, Outcome.NOT_MET, Outcome.GAINED, Outcome.NONE, Outcome.NOT_ASSESSABLE}),
    Question.REBOUND: frozenset({Outcome.NONE, Outcome.SUSPECTED, Outcome.NOT_ASSESSABLE}),
}


class Reason(StrEnum):
    """Why a site could not be assessed."""

    NO_SCENE = "no_scene"
    NO_DATA = "no_data"
    CLOUD = "cloud"
    SHADOW = "shadow"
    MISALIGNED = "misaligned"
    TOO_COARSE = "too_coarse"
    BLURRED = "blurred"
    SNOW = "snow"


@dataclass(frozen=True)
class Plan:
    """What is to happen on a site ("one plan per site"). Areas in m²; None where the plan is silent.

    `rules` holds what this site's rules say otherwise than the campaign's, nested as in configs/rules.yaml.
    """

    demolition_area_m2: float | None = None
    green_area_m2: float | None = None
    green_ratio: float | None = None
    retained: BaseGeometry | None = None
    work_started: date | None = None
    due_date: date | None = None
    rules: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Site:
    """One ledger row: a place under remediation.

    `geometry` is a point, line or polygon in WGS 84; points and lines are buffered by `buffer_m` metres
    on the ground wherever an area is needed. `code` is the ledger's own number and unique in it. `recheck_on` is the
    day from which somebody should look again. `version` counts the outlines and plans that the ledger has held of
    the site, from 1 on; None for a site that comes from no ledger.
    """

    code: str
    geometry: BaseGeometry
    name: str = ""
    sub_district: str = ""
    community: str = ""
    owner_system: str = ""
    batch: str = ""
    buffer_m: float = 15.0
    land_area_m2: float | None = None
    building_area_m2: float | None = None
    plan: Plan = field(default_factory=Plan)
    status: SiteStatus = SiteStatus.REGISTERED
    attributes: dict[str, Any] = field(default_factory=dict)
    recheck_on: date | None = None
    version: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Campaign:
    """A programme with a target and dates. Target areas in m²; None where it names none."""

    name: str
    starts: date | None = None
    ends: date | None = None
    target_sites: int | None = None
    target_demolition_m2: float | None = None
    target_green_m2: float | None = None


@dataclass(frozen=True)
class Batch:
    """Sites with one due date; they name the batch in `Site.batch`. A site's own due date goes first."""

    name: str
    campaign: str
    due_date: date | None = None


@dataclass(frozen=True)
class Scene:
    """One dated georeferenced raster.

    `uri` is an absolute path, or an address (`https://`, `s3://`). `footprint` is the outline of its valid pixels in
    WGS 84, `gsd_m` the ground size of a pixel in metres, `content_hash` a digest of the pixels' file that stays the
    same wherever the file is moved. `stac` is the scene as a STAC item, None for one that was added before there were.
    """

    uri: str
    acquired: date
    content_hash: str
    footprint: BaseGeometry
    gsd_m: float
    crs: str
    width: int
    height: int
    bands: int
    dtype: str
    stac: dict[str, Any] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Change:
    """A polygon in which the surface changed between two epochs.

    `geometry` in WGS 84, `area_m2` on the ground, `probability` the mean of the network's answer inside.
    """

    kind: ChangeKind
    geometry: BaseGeometry
    area_m2: float
    probability: float


@dataclass(frozen=True)
class Registration:
    """How the later epoch was moved onto the earlier one.

    `shift_px` is (x, y): how far, in pixels of the common grid, the later picture's content lay to the right of
    and below the earlier one's before it was moved back; `drift` is by how many pixels it grows per pixel: x to the
    right, x downwards, y to the right, y downwards, so that (0, -a, a, 0) is a small turn. Where it is not zero,
    `shift_px` is that of the grid's centre. `residual_px` is what is likely left (the standard error of the shift, and
    between scenes as a whole also how far their parts lie from it), infinite where no shift could be found and the
    scenes' own georeference holds; `confidence` in 0..1. `bend` is a smooth local field that is added to these: 5 x 5
    controls of a cubic B-spline over the grid in pixels, first of x, then of y, row by row; empty where there is none.
    """

    shift_px: tuple[float, float] = (0.0, 0.0)
    residual_px: float = 0.0
    confidence: float = 1.0
    drift: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    bend: tuple[float, ...] = ()


@dataclass(frozen=True)
class Criterion:
    """One measured value held against one limit. `passed` is None where the value decides nothing.

    `interval` is (low, high), between which the true value lies with 90 % confidence; None where it is not known.
    """

    name: str
    value: float
    unit: str
    limit: float | None = None
    passed: bool | None = None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Verdict:
    """The answer to one question, with the criteria that led to it and one sentence that explains it."""

    question: Question
    outcome: Outcome
    criteria: tuple[Criterion, ...] = ()
    reason: Reason | None = None
    explanation: str = ""
    needs_review: bool = False


class Figure(StrEnum):
    """An area that verdicts rest on and whose error is estimated.

    `structure_unremoved` is structure of the baseline that no change removed, `structure_standing` structure of the
    later epoch that no change added, `left` structure and rubble of the later epoch together.
    """

    STRUCTURE_BEFORE = "structure_before"
    STRUCTURE_AFTER = "structure_after"
    STRUCTURE_REMOVED = "structure_removed"
    STRUCTURE_ADDED = "structure_added"
    STRUCTURE_UNREMOVED = "structure_unremoved"
    STRUCTURE_STANDING = "structure_standing"
    RUBBLE = "rubble"
    LEFT = "left"
    GREEN = "green"
    GREEN_ADDED = "green_added"


@dataclass(frozen=True)
class Spread:
    """What an area's error comes from: `expected_m2` is the sum of the pixels' probabilities, `chance_m2` the standard
    deviation that follows from them, `edge_m` the length of the area's outline, `shift_m2` the area of the slivers that
    the shift left between the epochs makes along it. All but the first grow with the coarseness of the pictures.
    """

    expected_m2: float
    chance_m2: float
    edge_m: float
    shift_m2: float


@dataclass(frozen=True)
class Remnant:
    """A patch of structure or rubble that is left on a site at the later epoch. WGS 84, m² on the ground."""

    surface: Surface
    geometry: BaseGeometry
    area_m2: float


@dataclass(frozen=True)
class VegetationIndex:
    """What near infrared says of green: the share of the seen site that is green by its index at each epoch, and the
    area that became so, m².
    """

    share_before: float
    share_after: float
    gained_m2: float


@dataclass(frozen=True)
class Measurements:
    """What was measured inside one site's outline for one pair of epochs. Areas in m² on the ground.

    `surface_before_m2` and `surface_after_m2` give the area of each surface, `change_m2` that of each kind of
    change; `retained_m2` is structure at the later epoch inside retained outlines, which is counted in no other
    structure figure. `valid_share` is the share of the outline that both epochs show.
    `reasons` names what makes the pair unusable; it is empty for a usable one. `spreads` is empty where the areas are
    known exactly, as drawn ones are, or where no probabilities were kept; `left` are the patches of structure and
    rubble at the later epoch, largest first within each. `index` is None where an epoch has no near infrared.
    """

    site_area_m2: float
    valid_share: float
    surface_before_m2: dict[Surface, float]
    surface_after_m2: dict[Surface, float]
    change_m2: dict[ChangeKind, float]
    retained_m2: float = 0.0
    registration: Registration = field(default_factory=Registration)
    reasons: tuple[Reason, ...] = ()
    spreads: dict[Figure, Spread] = field(default_factory=dict)
    left: tuple[Remnant, ...] = ()
    index: VegetationIndex | None = None


@dataclass(frozen=True)
class Assessment:
    """All that one run says of one site for one pair of epochs.

    `key` is the idempotency key: equal inputs (outline, all scenes, bundle, rules) give an equal key.
    `before` and `after` are content hashes of scenes; both are None where no scene could be used. Where several
    scenes of one day were read as one, they are the first of them, and `before_fill` and `after_fill` those that
    filled its holes, in that order.
    """

    site_code: str
    key: str
    before: str | None
    after: str | None
    bundle_digest: str
    rules_version: str
    measurements: Measurements | None
    verdicts: tuple[Verdict, ...]
    changes: tuple[Change, ...] = ()
    observed_status: SiteStatus | None = None
    before_fill: tuple[str, ...] = ()
    after_fill: tuple[str, ...] = ()

    @property
    def scenes(self) -> tuple[str, ...]:
        """Content hashes of all scenes that it was made from."""
        first = (self.before, *self.before_fill, self.after, *self.after_fill)
        return tuple(digest for digest in first if digest is not None)


@dataclass(frozen=True)
class Sighting:
    """A stage of a site's life as the pictures tell it, once: it came about after `not_yet_on`, by `first_seen`.

    `not_yet_on` is the last epoch that showed it otherwise, None where none did. `confirmed_on` is the epoch or day
    that put it on its rung, None while it is provisional. `area_m2` is what changed: structure removed or added, green
    added, on the ground.
    """

    site_code: str
    stage: Stage
    rung: Rung
    first_seen: date
    not_yet_on: date | None = None
    confirmed_on: date | None = None
    area_m2: float | None = None


@dataclass(frozen=True)
class StatusMove:
    """A person moved a site from one status to another. `who` is a user name or a role, never more of a person.

    `effective` is the day from which it holds, None for the day on which it was entered.
    """

    site_code: str
    was: SiteStatus
    becomes: SiteStatus
    move: Move
    who: str
    reason: str = ""
    effective: date | None = None


@dataclass(frozen=True)
class Decision:
    """What a person said to one question about a site, on grounds of one assessment or of none.

    `who` and `second_reviewer` are user names or roles. `reason` is one of the reviewers' short list, `note` free
    text, `seconds` the time spent on it. `supersedes` is the id of the earlier decision that this one replaces.
    """

    site_code: str
    who: str
    question: Question
    verdict: Outcome
    assessment_key: str | None = None
    reason: str = ""
    note: str = ""
    seconds: float | None = None
    second_reviewer: str = ""
    supersedes: int | None = None


@dataclass(frozen=True)
class Finding:
    """Something on a site that must be put right by a date; open until somebody says how it was resolved."""

    site_code: str
    what: str
    due_date: date
    who: str
    resolved_by: str = ""
    resolution: str = ""

    @property
    def is_open(self) -> bool:
        """Whether nobody has resolved it yet."""
        return not self.resolved_by


class InspectionResult(StrEnum):
    """What an inspector found on the ground."""

    CLEAR = "clear"
    NOT_CLEAR = "not_clear"
    REBOUND = "rebound"
    NO_ACCESS = "no_access"


@dataclass(frozen=True)
class Inspection:
    """A visit to a site. `who` is a user name or a role."""

    site_code: str
    inspected_on: date
    result: InspectionResult
    who: str
    note: str = ""


@dataclass(frozen=True)
class Stratum:
    """A part of a sample's frame from which sites were drawn at random, each with the same chance.

    `frame` holds the codes of all its sites in order, `mapped` the sums over them that the machine found: the site
    area (m²) under `AREA`, areas in m² by quantity.
    """

    name: str
    frame: tuple[str, ...]
    mapped: dict[str, float]
    drawn: int


@dataclass(frozen=True)
class SampleUnit:
    """A site that was drawn. `mapped` holds what the machine found of it, as `Stratum.mapped` sums it up."""

    site_code: str
    stratum: str
    inclusion: float
    outcomes: dict[str, str]
    mapped: dict[str, float]
    assessment_key: str | None = None


@dataclass(frozen=True)
class Sample:
    """A stratified random sample of checked sites; equal ledger, seed and numbers draw the same sites again."""

    seed: int
    per_stratum: int
    who: str
    strata: tuple[Stratum, ...]
    units: tuple[SampleUnit, ...]
    size_limits_m2: tuple[float, ...] = ()


@dataclass(frozen=True)
class SampleResult:
    """What an inspector found at a site of a sample: outcomes by question, areas in m² by quantity."""

    sample_id: int
    site_code: str
    checked_on: date
    who: str
    outcomes: dict[str, str]
    areas_m2: dict[str, float]
    note: str = ""


class CandidateState(StrEnum):
    """What people made of a candidate."""

    OPEN = "open"
    DISMISSED = "dismissed"
    ADOPTED = "adopted"


@dataclass(frozen=True)
class Candidate:
    """A change outside every site. The sweep keeps all up to `last_seen`; people keep the rest.

    `geometry` in WGS 84, `area_m2` on the ground; the dates are those of the epochs that first and last showed it.
    `site_code` is the site that an adopted candidate became.
    """

    geometry: BaseGeometry
    kind: ChangeKind
    area_m2: float
    probability: float
    first_seen: date
    last_seen: date
    state: CandidateState = CandidateState.OPEN
    site_code: str | None = None
    who: str = ""
    note: str = ""


@dataclass(frozen=True)
class Attachment:
    """A photo or document of a site. `path` counts from the workspace, `place` is where it was taken (WGS 84)."""

    site_code: str
    name: str
    media_type: str
    sha256: str
    size_bytes: int
    path: str
    taken_on: date | None = None
    place: Point | None = None


class ReviewReason(StrEnum):
    """The reviewers' short list: what misled the machine, or what a decision asks for.

    `site_visit` says that only the ground can tell; `withdrawn` that the person took the decision back.
    """

    SHADOW = "shadow"
    SEASON = "season"
    MISALIGNED = "misaligned"
    VEHICLE = "vehicle"
    NET = "net"
    LABEL = "label"
    OTHER = "other"
    SITE_VISIT = "site_visit"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Label:
    """What a person says changed on a site between the epochs of one assessment, and nothing else did.

    `outline` is the area that was looked at, the whole of which the label speaks of (WGS 84); `changes` are the
    polygons in it, with probability 1. Of several labels of one assessment the last one holds.
    """

    site_code: str
    assessment_key: str
    who: str
    outline: BaseGeometry
    changes: tuple[Change, ...] = ()


class Role(StrEnum):
    """What an account may do: look; look and decide; all of it, and see to accounts."""

    VIEWER = "viewer"
    REVIEWER = "reviewer"
    ADMIN = "admin"


@dataclass(frozen=True)
class Account:
    """Who may use the reviewers' page. `name` is a user name or a role, never more of a person."""

    name: str
    role: Role
    password_hash: str = field(repr=False)
    active: bool = True


class LogInOutcome(StrEnum):
    """How an attempt to log in ended."""

    ACCEPTED = "accepted"
    WRONG = "wrong"
    LOCKED = "locked"
