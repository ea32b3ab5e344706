"""All that a job needs to go on: written whole or not at all, read without running anything in it.

Networks also start from checkpoints of other jobs, and from bundles.
"""

from __future__ import annotations

import json
import os
import pickle
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cvpipe.errors import DatasetError, SettingsError
from cvpipe.network.architecture import ChangeNetwork, Design, SiameseNetwork
from cvpipe.network.bundle import ITEM, models_dirs, read_module
from cvpipe.network.designs import build_network
from cvpipe.settings import parse_settings
from cvpipe.train.settings import DesignSettings, TrainSettings


@dataclass
class State:
    """A job between two steps: the network, its averaged weights, the optimiser, steps and seconds so far.

    Nothing else is needed to go on exactly: a pair has its chance from its number, a step from its own.
    """

    network: ChangeNetwork
    average: ChangeNetwork
    optimiser: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0


def save(state: State, path: Path, settings: TrainSettings, data: str) -> None:
    """Write a checkpoint; the one before it stays until the new one is whole and on the disk.

    `data` is the digest of the pictures that are learnt from.
    """
    content = {
        "network": state.network.state_dict(),
        "average": state.average.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "step": state.step,
        "seconds": state.seconds,
        "settings": settings.model_dump_json(),
        "data": data,
    }
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def resume(state: State, path: Path, settings: TrainSettings, data: str, device: torch.device) -> None:
    """Set `state` to a checkpoint's.

    Raises DatasetError for one of another recipe or other pictures, and for one that is damaged.
    """
    content = _content(path, device)
    theirs, ours = _settings_in(content, path).recipe, settings.recipe
    other = sorted(k for k in ours.keys() | theirs.keys() if ours.get(k) != theirs.get(k))
    if other:
        raise DatasetError(
            f"a checkpoint of other settings ({', '.join(other)})",
            where=path,
            remedy="Take the settings back, or train into another --work folder.",
        )
    if content.get("data", data) != data:  # older ones do not say
        raise DatasetError(
            "a checkpoint that learnt from other pictures or labels than lie there now",
            where=path,
            remedy="Bring the data back as they were, or train into another --work folder.",
        )
    state.network.load_state_dict(content["network"])
    state.average.load_state_dict(content["average"])
    state.optimiser.load_state_dict(content["optimiser"])
    state.step, state.seconds = content["step"], content["seconds"]


def load_average(network: ChangeNetwork, start: Path) -> None:
    """Give `network` the weights of a bundle, or the averaged ones of a job's checkpoint.

    Raises DatasetError where they do not fit its design.
    """
    try:
        if is_bundle(start):
            network.load_state_dict(read_module(start).state_dict())
        else:
            network.load_state_dict(_content(start, torch.device("cpu"))["average"])
    except (KeyError, RuntimeError) as error:
        raise _unfit(start, error) from error


def released(average: ChangeNetwork, settings: TrainSettings) -> ChangeNetwork:
    """What a job hands out: the averaged weights, brought `start_share` of the way back to those it started from.

    Between the two lies a network that is nearly as good on the new ground and forgets less of the old (Wortsman et al.
    2022, "Robust fine-tuning of zero-shot models"; half of the way is their choice where nothing can be measured).
    """
    if not settings.start_share or settings.start_network is None:
        return average
    between, start = deepcopy(average), deepcopy(average)
    load_average(start, settings.start_network)
    with torch.no_grad():
        for learnt, begun in zip(between.state_dict().values(), start.state_dict().values(), strict=True):
            if learnt.is_floating_point():  # counters of batches have no mean
                learnt.lerp_(begun, settings.start_share)
    return between


def averaged_network(start: Path) -> SiameseNetwork:
    """The network of a bundle, or the averaged one of a job's checkpoint, ready to be asked on the CPU.

    Raises DatasetError where it has no surface head.
    """
    network = read_module(start) if is_bundle(start) else _averaged(start)
    if not isinstance(network, SiameseNetwork):
        raise DatasetError(
            "its network names no surfaces", where=start, remedy="Let a network of kind `siamese` guess the labels."
        )
    return network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _averaged(checkpoint: Path) -> ChangeNetwork:
    design = _settings_in(_content(checkpoint, torch.device("cpu")), checkpoint).design
    network = network_of(design)
    load_average(network, checkpoint)
    return network


def network_of(design: DesignSettings) -> ChangeNetwork:
    """The network of a job's design, with random weights. Raises SettingsError for an encoder that there is not."""
    try:
        return build_network(Design(**design.model_dump()))
    except (KeyError, RuntimeError, ValueError) as error:
        raise SettingsError(
            f"an encoder that cannot be built ({error})",
            where=design.encoder,
            remedy="Name one of segmentation-models-pytorch, or tu- and a name of timm with five strides.",
        ) from error


def is_bundle(start: Path) -> bool:
    """Whether weights come from a bundle, by its folder or by the name of a released one."""
    return any((place / start / ITEM).is_file() for place in (Path(), *models_dirs()))


def _content(path: Path, device: torch.device) -> dict[str, Any]:
    try:
        content: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        raise _unfit(path, error) from error
    return content


def _settings_in(content: dict[str, Any], path: Path) -> TrainSettings:
    """The settings of the job that wrote a checkpoint; keys that it did not know yet have their usual values."""
    try:
        raw = json.loads(content["settings"])
    except (KeyError, TypeError, ValueError) as error:
        raise _unfit(path, error) from error
    return parse_settings(raw, TrainSettings, where=path)


def _unfit(path: Path, error: Exception) -> DatasetError:
    return DatasetError(
        f"no checkpoint or bundle of this design ({type(error).__name__})",
        where=path,
        remedy="Run the job that makes it first, or correct the path in the settings.",
    )
