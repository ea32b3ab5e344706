"""How sure a trained network may say it is, and what it reports: all chosen on held-out places, never on those that
figures are given for.

In order: offsets of the surface logits, temperatures of both heads, then when each kind of change is reported
(`decisions`). The temperatures are fitted on every other pair, and the calibration error is taken from the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from cvpipe.domain import SURFACES, ChangeKind, Surface
from cvpipe.network.architecture import ChangeNetwork
from cvpipe.network.losses import IGNORE, NOT_STRUCTURE
from cvpipe.train.decisions import SCALE, Decision, Outcome, choose_green, choose_structures
from cvpipe.train.folders import STRUCTURE_KINDS
from cvpipe.train.optimising import picture
from cvpipe.train.pairs import PairDataset, collated
from cvpipe.train.reliability import Reliability

Pixels = NDArray[np.uint8]

#: Offsets that are tried for the logits of a rare surface, and the share of labelled ground below which one is rare.
OFFSETS = np.round(np.arange(-4.0, 1.01, 0.25), 2)
RARE_SHARE = 0.05
#: Offsets that are tried for structure, rare or not: they set how easily ground is called built on.
STRUCTURE_OFFSETS = np.round(np.arange(-1.5, 1.51, 0.125), 3)
#: Smallest green area that is reported, m²: the crown, 2 m across, of a tree as it is planted beside parking.
GREEN_MIN_AREA_M2 = 3.0
#: Pairs that are asked at once; every second pixel of the surfaces is kept, of the changes all.
BATCH, THIN = 8, 2


@dataclass(frozen=True)
class Calibration:
    """What a bundle keeps of this, and what it gave on the held-out pairs.

    `outcomes` are those of the `decisions`; `usual` those of the best thresholds alone, which the structure kinds are
    held against. `reliability` is with and without the temperature for each head.
    """

    surface_bias: tuple[float, ...]
    surface_temperature: float
    change_temperature: float
    decisions: Mapping[ChangeKind, Decision]
    outcomes: Mapping[ChangeKind, Outcome]
    usual: Mapping[ChangeKind, Outcome]
    reliability: Mapping[str, tuple[Reliability, Reliability]]
    pairs: int

    @property
    def thresholds(self) -> dict[ChangeKind, float]:
        """Threshold of each kind."""
        return {kind: decision.threshold for kind, decision in self.decisions.items()}

    @property
    def f1(self) -> dict[ChangeKind, float]:
        """Pixel F1 of the structure kinds."""
        return {kind: round(self.outcomes[kind].pixel_f1, 4) for kind in STRUCTURE_KINDS}

    def rows(self) -> list[tuple[str, ...]]:
        """One row for each kind: `COLUMNS` as text."""
        return [_row(kind, self.decisions[kind], self.outcomes[kind], self.usual.get(kind)) for kind in self.decisions]

    def errors(self) -> list[tuple[str, ...]]:
        """One row for each head: its name, ECE with and without the temperature, and the same where it is unsure."""
        return [
            (head, *(_digits(e) for e in (on.ece, off.ece, on.unsure_ece, off.unsure_ece)))
            for head, (on, off) in self.reliability.items()
        ]

    def properties(self) -> dict[str, Any]:
        """What is kept in the bundle's item beside the settings, as the record of how they came about."""
        heads = {
            head: {"ece": on.ece, "ece_without_temperature": off.ece, "ece_unsure": on.unsure_ece}
            for head, (on, off) in self.reliability.items()
        }
        chosen = {kind.value: asdict(outcome) for kind, outcome in self.outcomes.items()}
        return {"cvpipe:calibration": {"pairs": self.pairs, "heads": heads, "decisions": _without_nan(chosen)}}


#: What `Calibration.rows` and `Calibration.errors` hold.
COLUMNS = ("kind", "threshold", "min m²", "min prob.", "object F1", "was", "false alarms", "was", "area / label")
ERROR_COLUMNS = ("head", "ECE", "without T", "unsure ECE", "without T")


@dataclass(frozen=True)
class _Answers:
    """Logits and labels of all held-out pairs.

    `change` (N, 2, H, W) and `surface` (N, 2, 8, h, w; before, after) float16; labels uint8 of the same places.
    """

    change: Tensor
    change_labels: Tensor
    surface: Tensor
    surface_labels: Tensor

    def __getitem__(self, part: slice) -> _Answers:
        return _Answers(self.change[part], self.change_labels[part], self.surface[part], self.surface_labels[part])

    def flat_change(self, kind: int) -> tuple[Tensor, Tensor]:
        """Logits and truth of one kind where it is labelled, every fourth pixel along both axes."""
        logits, labels = (x[:, kind, ::4, ::4].flatten() for x in (self.change, self.change_labels))
        counted = labels != IGNORE
        return logits[counted].float(), labels[counted] == 1

    def flat_surface(self) -> tuple[Tensor, Tensor]:
        """Logits (8, P) and labels (P), every fourth pixel of the picture along both axes."""
        step = 4 // THIN
        logits = self.surface[..., ::step, ::step].movedim(2, 0).flatten(1)
        return logits.float(), self.surface_labels[..., ::step, ::step].flatten().long()


def calibrate(network: ChangeNetwork, pairs: PairDataset, gsd_m: float) -> Calibration:
    """Fit and choose everything on `pairs`, whose pixels are taken for those of the network in use (`gsd_m`, m).

    Temperatures: Guo et al. 2017, "On calibration of modern neural networks".
    """
    answers = _ask(network, pairs)
    bias = _surface_bias(answers) if network.has_surfaces else (0.0,) * len(SURFACES)
    answers = replace(answers, surface=answers.surface + torch.tensor(bias).view(1, 1, -1, 1, 1).half())
    fitted, proof = answers[0::2], answers[1::2]
    change_t = _change_temperature(fitted)
    surface_t = _surface_temperature(fitted) if network.has_surfaces else 1.0
    decisions: dict[ChangeKind, Decision] = {}
    outcomes: dict[ChangeKind, Outcome] = {}
    usual: dict[ChangeKind, Outcome] = {}
    for i, kind in enumerate(STRUCTURE_KINDS):
        stored, labels = _stored(torch.sigmoid(answers.change[:, i].float() / change_t)), answers.change_labels[:, i]
        decisions[kind], outcomes[kind], usual[kind] = choose_structures(stored, labels.numpy(), gsd_m**2)
    for kind, (stored, label) in _green(answers, surface_t).items():
        decisions[kind], outcomes[kind] = choose_green(stored, label, (THIN * gsd_m) ** 2, GREEN_MIN_AREA_M2)
    heads = _reliability(proof, surface_t, change_t, has_surfaces=network.has_surfaces)
    return Calibration(bias, surface_t, change_t, decisions, outcomes, usual, heads, len(pairs))


def _ask(network: ChangeNetwork, pairs: PairDataset) -> _Answers:
    network.eval()
    parts: list[_Answers] = []
    cpu = torch.device("cpu")
    thin = np.s_[..., ::THIN, ::THIN]
    for start in range(0, len(pairs), BATCH):
        batch = collated([pairs[i] for i in range(start, min(start + BATCH, len(pairs)))])
        with torch.inference_mode():
            logits = network(*(picture(batch[k], cpu) for k in ("before", "after")))
        surface = torch.stack([logits.surface_before[thin], logits.surface_after[thin]], dim=1)
        labels = torch.stack([batch["surface_before"][thin], batch["surface_after"][thin]], dim=1)
        parts.append(_Answers(logits.change.half(), batch["change"], surface.half(), labels))
    return _Answers(
        torch.cat([p.change for p in parts]),
        torch.cat([p.change_labels for p in parts]),
        torch.cat([p.surface for p in parts]),
        torch.cat([p.surface_labels for p in parts]),
    )


def _surface_bias(answers: _Answers) -> tuple[float, ...]:
    """Offsets of the surface logits that undo what class weights did to rare surfaces, and one for structure.

    Logit adjustment (Menon et al. 2021, "Long-tail learning via logit adjustment"), with each surface's offset chosen
    for its own IoU on the known labels, rarest surface first. A surface that is not labelled keeps its logits.
    Structure comes last; ground that is known only as no structure counts for it too.
    """
    all_logits, all_labels = answers.flat_surface()
    known = all_labels < NOT_STRUCTURE
    logits, labels = all_logits[:, known], all_labels[known]
    share = torch.bincount(labels, minlength=len(SURFACES)).float() / max(len(labels), 1)
    bias = torch.zeros(len(SURFACES))
    for surface in share.argsort().tolist():
        if 0 < share[surface] < RARE_SHARE and surface != Surface.STRUCTURE:
            bias[surface] = _best_offset(logits, labels == surface, surface, bias, OFFSETS)
    told = all_labels != IGNORE
    truth = all_labels[told] == Surface.STRUCTURE
    if truth.any():
        chosen = _best_offset(all_logits[:, told], truth, Surface.STRUCTURE, bias, STRUCTURE_OFFSETS)
        bias[Surface.STRUCTURE] = chosen
    return tuple(round(b, 3) for b in bias.tolist())


def _best_offset(logits: Tensor, truth: Tensor, surface: int, bias: Tensor, offsets: NDArray[np.floating]) -> float:
    others = (logits + bias[:, None]).index_fill(0, torch.tensor([surface]), -torch.inf).amax(0)
    scores = [_iou(logits[surface] + offset > others, truth) for offset in offsets]
    return float(offsets[int(np.argmax(scores))])


def _iou(found: Tensor, truth: Tensor) -> float:
    return int((found & truth).sum()) / max(int((found | truth).sum()), 1)


def _temperature(loss: Callable[[float], float]) -> float:
    """The temperature between 0.5 and 3 with the least loss, to two digits."""
    tried = np.round(np.exp(np.linspace(np.log(0.5), np.log(3.0), 40)), 2)
    return min((1.0, *(float(t) for t in tried)), key=loss)


def _change_temperature(answers: _Answers) -> float:
    """1 where nothing is labelled: every temperature is as good."""
    logits, truth = (torch.cat(x) for x in zip(*(answers.flat_change(i) for i in range(2)), strict=True))
    if not len(logits):
        return 1.0
    target = truth.float()
    return _temperature(lambda t: F.binary_cross_entropy_with_logits(logits / t, target).item())


def _surface_temperature(answers: _Answers) -> float:
    """1 where no surface is named."""
    logits, labels = answers.flat_surface()
    known = labels < NOT_STRUCTURE
    if not known.any():
        return 1.0
    rows, target = logits[:, known].T.contiguous(), labels[known]
    return _temperature(lambda t: F.cross_entropy(rows / t, target).item())


def _green(answers: _Answers, temperature: float) -> dict[ChangeKind, tuple[Pixels, Pixels]]:
    """Stored probabilities and labels (N, h, w) of the green kinds, made of both surfaces as `detect.maps` does."""
    green = int(Surface.VEGETATION)
    chance = torch.cat(
        [torch.softmax(a.float() / temperature, dim=2)[:, :, green] for a in answers.surface.split(BATCH)]
    )
    before, after = chance[:, 0], chance[:, 1]
    labels = answers.surface_labels.numpy()
    known = np.asarray((labels < NOT_STRUCTURE).all(axis=1))
    was, now = labels[:, 0] == green, labels[:, 1] == green
    return {
        ChangeKind.GREEN_ADDED: (_stored(after * (1 - before)), _label(now & ~was, known)),
        ChangeKind.GREEN_REMOVED: (_stored(before * (1 - after)), _label(was & ~now, known)),
    }


def _label(yes: NDArray[np.bool_], known: NDArray[np.bool_]) -> Pixels:
    return np.where(known, yes, IGNORE).astype(np.uint8)


def _stored(probability: Tensor) -> Pixels:
    """Probabilities as `detect.maps` keeps them, uint8 in steps of 1/254."""
    return (probability * SCALE).round().to(torch.uint8).numpy()


def _reliability(
    answers: _Answers, surface_t: float, change_t: float, *, has_surfaces: bool
) -> dict[str, tuple[Reliability, Reliability]]:
    heads: dict[str, tuple[Reliability, Reliability]] = {}
    if has_surfaces:
        logits, labels = answers.flat_surface()
        told = labels != IGNORE
        truth = (labels[told] == Surface.STRUCTURE).numpy()
        of_structure = [torch.softmax(logits[:, told] / t, 0)[Surface.STRUCTURE].numpy() for t in (surface_t, 1.0)]
        heads["structure"] = (Reliability.of(of_structure[0], truth), Reliability.of(of_structure[1], truth))
    for i, kind in enumerate(STRUCTURE_KINDS):
        logits, said = answers.flat_change(i)
        with_t, without = (Reliability.of(torch.sigmoid(logits / t).numpy(), said.numpy()) for t in (change_t, 1.0))
        heads[kind.value] = (with_t, without)
    return heads


def _row(kind: ChangeKind, decision: Decision, outcome: Outcome, usual: Outcome | None) -> tuple[str, ...]:
    return (
        kind.value,
        f"{decision.threshold:.3g}",
        f"{decision.min_area_m2:g}",
        f"{decision.min_probability:.3g}",
        f"{outcome.object_f1:.3f}",
        f"{usual.object_f1:.3f}" if usual else "–",
        f"{outcome.false_alarms_per_10000_m2:.2f}",
        f"{usual.false_alarms_per_10000_m2:.2f}" if usual else "–",
        f"{outcome.area_ratio:.2f}",
    )


def _without_nan(chosen: dict[str, dict[str, float]]) -> dict[str, dict[str, float | None]]:
    """JSON knows no NaN."""
    return {kind: {k: None if math.isnan(v) else round(v, 4) for k, v in one.items()} for kind, one in chosen.items()}


def _digits(error: float | None) -> str:
    return "–" if error is None else f"{error:.4f}"


__all__ = ["COLUMNS", "ERROR_COLUMNS", "Calibration", "calibrate"]
