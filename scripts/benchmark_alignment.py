"""How well two epochs are laid on each other, held against other methods on the same real pictures.

python scripts/benchmark_alignment.py [--data DIR] [--places eval|tune] [--methods NAME,...] [--contact-sheet FILE.png]

A known move (shift of 0-12 px; in some cases a turn of up to 1.5° as well) and another light (gamma, gain, blur,
noise) are put on the later picture, and each method is asked how far it lies off. Three questions are kept apart:

exact     The later picture is the earlier one, moved and relit, with change pasted into it: what the later epoch shows
          inside the labelled changes, or where there are no labels another place's ground on a third of the picture.
          The truth is exact. The error is the answer's distance from it: the RMS over the picture, in pixels.
epochs    The later picture is the real later epoch, moved and relit. Its own shift against the earlier epoch is not
          known, so the answer with the move is held against the same method's answer without: the error is the RMS
          over the picture of (answer with move) - (answer without) - move. A method that refuses either refuses both.

strangers Pictures of two different places: every answer is a false one.

quarters  The four quarters of a pair, each laid on its own: how far their answers lie from the whole picture's at their
          middles. In exact pictures nothing but the method makes them differ, in real epochs also the ground: relief,
          leaning houses and trees, seams of a mosaic. What the quarters of real epochs lie apart beyond those of exact
          ones is what no single move can be true to, whoever finds it.

"within 0.3" counts a refusal as a miss. "worst" is the largest error among the answers that were not refused: phase
correlation never refuses, ECC and ORB refuse where they fail. "told to be within 1 px" are the answers whose own
residual is at most that; the other methods tell none. Times are CPU time of one thread.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray

from cvpipe.domain import Registration
from cvpipe.geo import Grid
from cvpipe.imagery import chips
from cvpipe.imagery.alignment import controls_of, estimate_registration
from cvpipe.imagery.bending import bend_at
from cvpipe.imagery.reading import Patch

RGB = NDArray[np.uint8]
Points = NDArray[np.float64]
"""x and y (2, n)."""
Move = NDArray[np.float64]
"""(2, 3): a pixel (x, y, 1) of the earlier picture → the same ground in the later one."""

#: Folders of pairs below the data folder. Constants of the method were chosen on the second list; the first is for
#: figures.
PLACES = {
    "eval": ("eval/fotbcd_public", "eval/levir_public", "eval/xbd_public"),
    "tune": ("pairs_unlabelled/six_sensors", "eval/joplin_tornado"),
}

#: Rim cut off after a picture was moved, so that no mirrored ground is shown: 12 px of shift, and what 1.5° move the
#: edge of a 512 px picture.
RIM_PX = 20

#: Largest side of a picture in the bench: keeps the slow methods within minutes.
MAX_SIDE_PX = 552

#: Each place is also shown with the later epoch of so many places before and after it in the list.
STRANGERS = 2

WITHIN_PX, NEVER_PX = 0.3, 1.0

SEED = 20170630


@dataclass(frozen=True)
class Light:
    """What differs between two epochs besides the ground: gamma, gain, blur (px) and noise (grey levels)."""

    gamma: float = 1.0
    gain: float = 1.0
    blur_px: float = 0.0
    noise: float = 0.0

    def on(self, pixels: RGB, rng: np.random.Generator) -> RGB:
        """The picture in this light."""
        lit = 255 * (pixels / 255.0) ** self.gamma * self.gain
        if self.blur_px:
            lit = np.asarray(cv2.GaussianBlur(lit, (0, 0), self.blur_px), np.float64)
        return np.clip(np.rint(lit + rng.normal(0, self.noise, lit.shape)), 0, 255).astype(np.uint8)


LIGHTS = (
    Light(),
    Light(gamma=1.6, gain=0.85),
    Light(gamma=0.65, gain=1.2),
    Light(blur_px=1.5),
    Light(noise=12),
    Light(gamma=1.4, gain=0.9, blur_px=1.0, noise=6),
)

#: Length of the shift in pixels and turn in degrees of the cases that each picture is shown in.
SHIFTS = ((0.0, 0.0), (0.5, 0.0), (1.5, 0.0), (3.0, 0.0), (4.5, 0.0), (6.0, 0.0), (7.0, 0.0), (8.0, 0.0))
FAR_SHIFTS = ((10.0, 0.0), (12.0, 0.0))
TURNS = ((2.0, 0.5), (4.0, -1.0), (2.0, 1.5), (6.0, -1.5))


@dataclass(frozen=True)
class Case:
    """One known move of one picture."""

    shift: tuple[float, float]
    turn_deg: float
    light: Light
    seed: int

    def move(self, width: int, height: int) -> Move:
        """The move of a picture of that size, turned about its centre."""
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), self.turn_deg, 1.0)
        return np.asarray(matrix + np.array([[0, 0, self.shift[0]], [0, 0, self.shift[1]]]), np.float64)

    @property
    def kind(self) -> str:
        """Which row of the table the case belongs to."""
        if self.turn_deg:
            return "turned"
        return "0-8 px" if math.hypot(*self.shift) <= 8.0001 else "8-12 px"


@dataclass(frozen=True)
class Place:
    """Two epochs of one place, where their ground is labelled as changed, if it is, and `other` ground."""

    name: str
    earlier: RGB
    later: RGB
    changed: NDArray[np.bool_] | None
    other: RGB

    @property
    def changed_only(self) -> RGB:
        """The earlier epoch with the labelled changes of the later one, or with a third of another place's ground."""
        if self.changed is not None:
            return np.where(self.changed[:, :, None], self.later, self.earlier)
        mixed = self.earlier.copy()
        height, width = (min(a, b) for a, b in zip(mixed.shape[:2], self.other.shape[:2], strict=True))
        mixed[:height, : width // 3] = self.other[:height, : width // 3]
        return mixed


@dataclass(frozen=True)
class Outcome:
    """One answer: its error in pixels (NaN: refused), the residual it told, seconds, and megapixels."""

    mode: str
    kind: str
    place: str
    error_px: float
    residual_px: float
    seconds: float
    mpx: float


@dataclass(frozen=True)
class Answer:
    """`at`: pixels (2, n) of the earlier picture → the same ground in the later one; and the residual that is told."""

    at: Callable[[Points], Points]
    residual_px: float = 0.0


Method = Callable[[RGB, RGB], Answer | None]


def even(move: Move) -> Answer:
    """The answer that is one move everywhere."""
    return Answer(lambda points: np.asarray(move[:, :2] @ points + move[:, 2:]))


def cvpipe_method(before: RGB, after: RGB) -> Answer | None:
    """What cvpipe answers."""
    found = estimate_registration(_patch(before), _patch(after))
    return None if math.isinf(found.residual_px) else answer_of(found, before.shape[1], before.shape[0])


def answer_of(found: Registration, width: int, height: int) -> Answer:
    """A registration of a picture of that size, with its bend."""
    straight = even(move_of(found, width, height))
    size = np.array([[width], [height]])
    controls = controls_of(found)
    return Answer(
        lambda points: straight.at(points) + bend_at(controls, ((points + 0.5) / size).T).T, found.residual_px
    )


def phase_correlation(before: RGB, after: RGB) -> Answer | None:
    """`cv2.phaseCorrelate` with a Hann window."""
    one, other = (_grey(p).astype(np.float32) for p in (before, after))
    window = cv2.createHanningWindow((before.shape[1], before.shape[0]), cv2.CV_32F)
    (x, y), _ = cv2.phaseCorrelate(one, other, window)
    return even(np.array([[1, 0, x], [0, 1, y]]))


def ecc(before: RGB, after: RGB) -> Answer | None:
    """`cv2.findTransformECC` (Evangelidis and Psarakis 2008), Euclidean motion; refuses where it does not converge."""
    start, everywhere = np.eye(2, 3, dtype=np.float32), np.full(before.shape[:2], 255, np.uint8)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
    try:
        quality, matrix = cv2.findTransformECC(
            _grey(before), _grey(after), start, cv2.MOTION_EUCLIDEAN, stop, everywhere, 5
        )
    except cv2.error:
        return None
    return even(np.asarray(matrix, np.float64)) if quality > 0 else None


def orb_ransac(before: RGB, after: RGB) -> Answer | None:
    """ORB features, cross-checked, and a similarity by RANSAC; refuses below ten inliers."""
    orb = cv2.ORB.create(2000)
    (points, words), (others, other_words) = (orb.detectAndCompute(_grey(p), None) for p in (before, after))
    if len(points) < 10 or len(others) < 10:  # without any, the words are None
        return None
    matches = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(words, other_words)
    if len(matches) < 10:
        return None
    source = np.array([points[m.queryIdx].pt for m in matches])
    target = np.array([others[m.trainIdx].pt for m in matches])
    matrix, inliers = cv2.estimateAffinePartial2D(source, target, method=cv2.RANSAC, ransacReprojThreshold=2.0)
    return even(np.asarray(matrix, np.float64)) if int(np.sum(inliers)) >= 10 else None


METHODS: dict[str, Method] = {
    "cvpipe": cvpipe_method,
    "phase correlation": phase_correlation,
    "ECC": ecc,
    "ORB + RANSAC": orb_ransac,
}


def main() -> None:
    """Print the table, and draw the contact sheet where one is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("CVPIPE_SHARED", "../shared")) / "realdata"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--places", choices=PLACES, default="eval")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--contact-sheet", type=Path)
    parser.add_argument("--verbose", action="store_true", help="tell each answer of cvpipe that is off or refused")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    places = read_places(args.data, args.places)
    if args.contact_sheet:
        chips.write_png(args.contact_sheet, contact_sheet(places))
    for name in args.methods.split(","):
        outcomes = [outcome for place in places for outcome in outcomes_of(METHODS[name], place)]
        print_rows(name, outcomes)
        print_strangers(name, METHODS[name], places)
        print_quarters(name, METHODS[name], places)
        if args.verbose:
            print_misses(outcomes)


def read_places(data: Path, which: str) -> list[Place]:
    """The pairs of a list of folders; large pictures are cut to their middle."""
    places = list(_places(data, which))
    return [replace(p, other=places[(n + 1) % len(places)].later) for n, p in enumerate(places)]


def _places(data: Path, which: str) -> Iterator[Place]:
    for folder in PLACES[which]:
        for path in sorted((data / folder / "A").iterdir()):
            earlier, later = _read(path), _read(data / folder / "B" / path.name)
            label = data / folder / "label" / (path.stem + ".png")
            changed = cv2.imread(str(label), cv2.IMREAD_GRAYSCALE) if label.is_file() else None
            middle = _middle(earlier.shape[:2])
            mask = None if changed is None else np.asarray(changed)[middle] > 0
            yield Place(path.stem, earlier[middle], later[middle], mask, later[middle])


def cases(place: Place) -> list[Case]:
    """The moves that a place is shown in: every length of shift in a direction and a light of its own."""
    rng = np.random.default_rng([SEED, *place.name.encode()])
    found = []
    for number, (length, turn) in enumerate((*SHIFTS, *FAR_SHIFTS, *TURNS)):
        angle = rng.uniform(0, 2 * math.pi)
        light = LIGHTS[(number + int(rng.integers(len(LIGHTS)))) % len(LIGHTS)]
        found.append(Case((length * math.cos(angle), length * math.sin(angle)), turn, light, int(rng.integers(2**31))))
    return found


def outcomes_of(method: Method, place: Place) -> Iterator[Outcome]:
    """All answers of a method for one place, in both modes."""
    height, width = place.earlier.shape[:2]
    rim = slice(RIM_PX, height - RIM_PX), slice(RIM_PX, width - RIM_PX)
    before = np.ascontiguousarray(place.earlier[rim])
    own = method(before, np.ascontiguousarray(place.later[rim]))
    for case in cases(place):
        for mode, picture, base in (("exact", place.changed_only, even(np.eye(2, 3))), ("epochs", place.later, own)):
            after = np.ascontiguousarray(_moved(picture, case)[rim])
            started = time.process_time()
            answer = method(before, after)
            seconds = time.process_time() - started
            error = math.nan if answer is None or base is None else _error(answer, base, case, before.shape[:2])
            told = max(one.residual_px if one else math.inf for one in (answer, base))
            yield Outcome(mode, case.kind, place.name, error, told, seconds, before.shape[0] * before.shape[1] / 1e6)


def print_rows(name: str, outcomes: Sequence[Outcome]) -> None:
    """The rows of one method: a mode and a kind of case each."""
    speed = sum(o.seconds for o in outcomes) / sum(o.mpx for o in outcomes) * 1e3
    for mode in ("exact", "epochs"):
        for kind in ("0-8 px", "8-12 px", "turned"):
            errors = np.array([o.error_px for o in outcomes if (o.mode, o.kind) == (mode, kind)])
            known = errors[np.isfinite(errors)]
            told = np.array([o.residual_px for o in outcomes if (o.mode, o.kind) == (mode, kind)])[np.isfinite(errors)]
            good = known[told <= NEVER_PX]
            honest = f"{np.mean(known <= told):6.1%}" if known.size else "     -"
            worst = f"{known.max():6.2f}" if known.size else "     -"
            middle = f"{np.median(known):5.3f}" if known.size else "    -"
            print(
                f"{name:18} {mode:7} {kind:8} n {len(errors):4}  within {WITHIN_PX} px "
                f"{np.sum(known <= WITHIN_PX) / len(errors):6.1%} (of the accepted {_share(known):6.1%})  "
                f"median {middle}  worst accepted {worst} px, over {NEVER_PX:g} px {np.sum(known > NEVER_PX):3}  "
                f"refused {len(errors) - len(known):3}  told to be within 1 px {len(good):3}, of these "
                f"within {WITHIN_PX} px {_share(good):6.1%}, over {NEVER_PX:g} px {np.sum(good > NEVER_PX):2}  "
                f"no worse than told {honest}  "
                f"{speed:5.0f} ms/Mpx"
            )


def print_strangers(name: str, method: Method, places: Sequence[Place]) -> None:
    """How many pairs of different places a method lays on each other."""
    pairs = [
        (one.earlier, other.later)
        for n, one in enumerate(places)
        for other in (*places[n + 1 : n + 1 + STRANGERS], *places[max(n - STRANGERS, 0) : n])
        if one.earlier.shape == other.later.shape
    ]
    answered = sum(method(*pair) is not None for pair in pairs)
    print(f"{name:18} strangers        n {len(pairs):4}  laid on each other {answered:3}")


def print_quarters(name: str, method: Method, places: Sequence[Place]) -> None:
    """How far the answers of a pair's four quarters lie from the whole picture's, pixels."""
    for mode in ("exact", "epochs"):
        pairs = [(p.earlier, p.changed_only if mode == "exact" else p.later) for p in places]
        wholes = [(pair, method(*pair)) for pair in pairs]
        apart = np.array([off for pair, whole in wholes if whole for off in _quarters_off(method, *pair, whole)])
        middle, far = np.quantile(apart, (0.5, 0.9)) if apart.size else (math.nan, math.nan)
        print(f"{name:18} quarters {mode:7} n {len(apart):4}  apart: median {middle:5.2f} px, one in ten {far:5.2f} px")


def _quarters_off(method: Method, before: RGB, after: RGB, whole: Answer) -> Iterator[float]:
    """The distance of each quarter that is answered from the whole's answer, at the quarter's middle."""
    height, width = (side // 2 for side in before.shape[:2])
    middle = np.array([[width / 2], [height / 2]])
    for row, col in ((0, 0), (0, width), (height, 0), (height, width)):
        part = slice(row, row + height), slice(col, col + width)
        answer = method(np.ascontiguousarray(before[part]), np.ascontiguousarray(after[part]))
        if answer is not None:
            corner = np.array([[col], [row]])
            yield float(np.hypot(*(answer.at(middle) + corner - whole.at(middle + corner))).item())


def print_misses(outcomes: Iterable[Outcome]) -> None:
    """One line per place with answers that are off or refused."""
    missed: dict[tuple[str, str], list[float]] = {}
    for o in outcomes:
        if not o.error_px <= WITHIN_PX:
            missed.setdefault((o.place, o.mode), []).append(o.error_px)
    for (place, mode), errors in missed.items():
        print(f"    {place:28} {mode:7}", " ".join(f"{e:.2f}" for e in errors))


def contact_sheet(places: Sequence[Place]) -> RGB:
    """The real epochs as they come: red-cyan before and after they were laid on each other, with what was found.

    Red is the earlier epoch, cyan the later one: ground that lies on itself is grey, an edge that is off has a red
    side and a cyan side.
    """
    rows = [_sheet_row(place) for place in places]
    if len(rows) % 2:
        rows.append(np.full_like(rows[0], 255))
    return np.concatenate([np.concatenate(rows[n : n + 2], axis=1) for n in range(0, len(rows), 2)], axis=0)


def _sheet_row(place: Place, side: int = 360) -> RGB:
    height, width = place.earlier.shape[:2]
    found = estimate_registration(_patch(place.earlier), _patch(place.later))
    laid = _laid(place.later, answer_of(found, width, height))
    middle = slice((height - 200) // 2, (height + 200) // 2), slice((width - 200) // 2, (width + 200) // 2)
    pictures = [_red_cyan(place.earlier, later)[middle] for later in (place.later, laid)]
    large = [np.asarray(cv2.resize(p, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8) for p in pictures]
    row = np.concatenate(large, axis=1)
    x, y = found.shift_px
    told = f"{x:+.2f} {y:+.2f} px, rest {found.residual_px:.2f}, conf. {found.confidence:.2f}"
    for line, words in enumerate((place.name, told)):
        cv2.putText(row, words, (5, 16 + 18 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(row, words, (5, 16 + 18 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 0), 1, cv2.LINE_AA)
    return np.pad(row, ((2, 2), (2, 2), (0, 0)), constant_values=255)


def _laid(later: RGB, answer: Answer) -> RGB:
    """The later picture with its ground where the earlier one has it."""
    height, width = later.shape[:2]
    rows, cols = np.indices((height, width))
    points = np.stack([cols.ravel(), rows.ravel()]).astype(np.float64)
    x, y = answer.at(points).reshape(2, height, width).astype(np.float32)
    return np.asarray(cv2.remap(later, x, y, cv2.INTER_CUBIC), np.uint8)


def _red_cyan(earlier: RGB, later: RGB) -> RGB:
    one, other = (cv2.equalizeHist(_grey(p)) for p in (earlier, later))
    return np.asarray(cv2.merge((one, other, other)), np.uint8)


def move_of(found: Registration, width: int, height: int) -> Move:
    """A registration of a picture of that size as a matrix of pixel coordinates."""
    across_x, down_x, across_y, down_y = found.drift
    linear = np.array([[1 + across_x, down_x], [across_y, 1 + down_y]])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    return np.column_stack([linear, centre + found.shift_px - linear @ centre])


def _error(answer: Answer, base: Answer, case: Case, shape: tuple[int, int]) -> float:
    """RMS over the picture of the answer less the base's own answer less the known move, pixels."""
    height, width = shape
    x, y = np.meshgrid(np.linspace(0, width - 1, 9), np.linspace(0, height - 1, 9))
    points = np.stack([x.ravel(), y.ravel()])
    # the later picture's content moves by `case` after it lay off by `base`
    truth = even(case.move(width, height)).at(base.at(points))
    return float(np.sqrt(np.mean(np.sum((answer.at(points) - truth) ** 2, axis=0))))


def _moved(picture: RGB, case: Case) -> RGB:
    height, width = picture.shape[:2]
    matrix = case.move(width, height)
    moved = cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return case.light.on(np.asarray(moved, np.uint8), np.random.default_rng(case.seed))


def _patch(pixels: RGB) -> Patch:
    height, width = pixels.shape[:2]
    return Patch(pixels, np.ones((height, width), bool), Grid(None, Affine.identity(), width, height))


def _grey(pixels: RGB) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)


def _read(path: Path) -> RGB:
    return np.ascontiguousarray(np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR), np.uint8)[:, :, ::-1])


def _middle(shape: tuple[int, int]) -> tuple[slice, slice]:
    sides = [min(length, MAX_SIDE_PX) for length in shape]
    rows, cols = (slice((n - side) // 2, (n - side) // 2 + side) for n, side in zip(shape, sides, strict=True))
    return rows, cols


def _share(errors: NDArray[np.float64]) -> float:
    return float(np.mean(errors <= WITHIN_PX)) if errors.size else math.nan


if __name__ == "__main__":
    main()
