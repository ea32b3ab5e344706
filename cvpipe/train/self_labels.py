"""Labels that a network gives to pictures nobody labelled, kept only where it is sure (self-training).

The network looks at each picture turned and mirrored eight ways; what the mean of these answers is sure of becomes a
label, everything else teaches nothing (Lee 2013, "Pseudo-Label"; Xie et al. 2020, "Self-training with Noisy Student").
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from cvpipe.domain import Surface
from cvpipe.network.architecture import SiameseNetwork
from cvpipe.network.losses import IGNORE, NOT_STRUCTURE
from cvpipe.network.processor import autocast
from cvpipe.train.pictures import Picture, Pixels, named_scenes, read_rgb

LOG = logging.getLogger(__name__)

#: Mean probability above which a pixel is taken for structure, and below which it is certainly none.
SURE, SURELY_NOT = 0.7, 0.12
#: UC Merced scene classes that hold structures as they stand on sites: houses, halls, sheds.
SCENES_WITH_STRUCTURES = ("buildings", "denseresidential", "mediumresidential", "mobilehomepark", "sparseresidential")
#: Guessed structures smaller than this, px, teach nothing.
SMALLEST_PX = 60


def guessed_scenes(folder: Path, network: SiameseNetwork, cache: Path, gsd_m: float = 0.3) -> list[Picture]:
    """UC Merced scenes with structures, labelled by `network` (on the CPU, evaluation mode).

    Labels hold STRUCTURE, NOT_STRUCTURE and IGNORE. They are kept in `cache`, under the digest of the weights.
    """
    paths = [path for path, scene in named_scenes(folder) if scene in SCENES_WITH_STRUCTURES]
    kept = cache / f"guessed-{_digest(network)}"
    kept.mkdir(parents=True, exist_ok=True)
    out = []
    for number, path in enumerate(paths, start=1):
        pixels = read_rgb(path)
        out.append(Picture(pixels, _label(pixels, network, kept / f"{path.stem}.png"), gsd_m, f"ucmerced/{path.stem}"))
        if number % 100 == 0:
            LOG.info("%d of %d scenes labelled", number, len(paths))
    _tell_shares(out)
    return out


def guessed(pixels: Pixels, network: SiameseNetwork) -> Pixels:
    """Label (H, W) of an RGB picture (H, W, 3): STRUCTURE, NOT_STRUCTURE, or IGNORE where the network is not sure."""
    probability = structure_probability(pixels, network)
    label = np.where(probability < SURELY_NOT, NOT_STRUCTURE, IGNORE).astype(np.uint8)
    sure = (probability > SURE).astype(np.uint8)
    count, ids, stats, _ = cv2.connectedComponentsWithStats(sure, connectivity=4)
    large = [i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] >= SMALLEST_PX]
    label[np.isin(ids, large)] = Surface.STRUCTURE
    return label


def structure_probability(pixels: Pixels, network: SiameseNetwork) -> NDArray[np.float32]:
    """Mean probability (H, W) of structure over the eight ways to turn and mirror an RGB picture (H, W, 3)."""
    side = 32 * int(np.ceil(max(pixels.shape[:2]) / 32))
    square = np.pad(pixels, [(0, side - pixels.shape[0]), (0, side - pixels.shape[1]), (0, 0)], mode="symmetric")
    batch = torch.from_numpy(np.stack(list(_turned(square)))).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
    with torch.inference_mode(), autocast(torch.device("cpu")):
        features = network.decoder(network.encoder(batch.contiguous(memory_format=torch.channels_last)))
        logits = network.surface_head(features).float()
    logits = torch.nn.functional.interpolate(logits, size=(side, side), mode="bilinear", align_corners=False)
    each = torch.softmax(logits, dim=1)[:, Surface.STRUCTURE].numpy()
    mean: NDArray[np.float32] = np.stack(list(_turned_back(each))).mean(axis=0)
    return mean[: pixels.shape[0], : pixels.shape[1]]


def _tell_shares(pictures: list[Picture]) -> None:
    counts = np.sum([np.bincount(p.surface.ravel(), minlength=256) for p in pictures], axis=0)
    known = [100 * counts[code] / counts.sum() for code in (Surface.STRUCTURE, NOT_STRUCTURE)]
    LOG.info("of their ground %.0f %% is labelled structure, %.0f %% certainly none", *known)


def _label(pixels: Pixels, network: SiameseNetwork, path: Path) -> Pixels:
    if path.exists():
        found = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if found is not None:
            return found.astype(np.uint8, copy=False)
    label = guessed(pixels, network)
    part = path.with_suffix(".part.png")
    cv2.imwrite(str(part), label)
    part.rename(path)
    return label


def _turned(square: Pixels) -> Iterator[Pixels]:
    for turns in range(4):
        for mirrored in (False, True):
            turned = np.rot90(square, turns)
            yield turned[:, ::-1] if mirrored else turned


def _turned_back(answers: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    for number, answer in enumerate(answers):
        turns, mirrored = divmod(number, 2)
        yield np.rot90(answer[:, ::-1] if mirrored else answer, -turns)


def _digest(network: SiameseNetwork) -> str:
    digest = hashlib.sha256(repr((SURE, SURELY_NOT, SMALLEST_PX)).encode())
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode() + value.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()[:12]
