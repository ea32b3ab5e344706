"""Networks out of the checkpoints that training jobs leave."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch

from cvpipe.errors import DatasetError
from cvpipe.network.architecture import Design, SiameseNetwork
from cvpipe.train.settings import DesignSettings


def load_average(network: SiameseNetwork, checkpoint: Path) -> None:
    """Give `network` the averaged weights of a job's checkpoint. Raises DatasetError where it does not fit."""
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        network.load_state_dict(content["average"])
    except (OSError, KeyError, RuntimeError, pickle.UnpicklingError) as error:
        raise DatasetError(
            f"no checkpoint of this design ({type(error).__name__})",
            where=checkpoint,
            remedy="Run the job that makes it first, or correct the path in the settings.",
        ) from error


def averaged_network(design: DesignSettings, checkpoint: Path) -> SiameseNetwork:
    """The averaged network of a job's checkpoint, ready to be asked on the CPU."""
    network = SiameseNetwork(Design(**design.model_dump()))
    load_average(network, checkpoint)
    return network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
