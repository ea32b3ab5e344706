"""The processes that learn together: one on a processor or a GPU, or several of them on one or more machines.

Lightning Fabric starts them (the command is run again for each further device) and joins their gradients: with
`strategy: auto` by DDP (Li et al. 2020, "PyTorch Distributed"), over NCCL on GPUs and gloo on processors. On several
machines the same command is started on each, under torchrun or SLURM, whose variables Fabric reads.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Literal

import torch

from cvpipe.errors import SettingsError, UsageError
from cvpipe.network.processor import has_fast_bf16
from cvpipe.train.settings import TrainerSettings, TrainSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Our names of precisions → Fabric's. bf16 keeps weights and sums in float32.
PRECISIONS: dict[str, Literal["bf16-mixed", "32-true"]] = {"bf16": "bf16-mixed", "32": "32-true"}


def started(settings: TrainSettings, device: torch.device) -> Fabric:
    """All processes of a job, this one among them. UsageError without Lightning, SettingsError for an uneven batch."""
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise UsageError(
            f"training needs a library that is not there ({error.name})", remedy="pip install 'cvpipe[train]'"
        ) from error
    trainer = settings.trainer
    if trainer.nodes == 1:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # processes of one machine need no other interface
    fabric = Fabric(
        accelerator="cuda" if device.type == "cuda" else "cpu",
        devices=trainer.devices,
        num_nodes=trainer.nodes,
        strategy=trainer.strategy,
        precision=PRECISIONS[_precision(trainer, device)],
    )
    if settings.batch % fabric.world_size:
        raise SettingsError(
            f"a batch of {settings.batch} pairs cannot be shared evenly by {fabric.world_size} processes",
            where=settings.name,
            remedy="Change `batch`, or the number of devices and nodes.",
        )
    fabric.launch()
    if not fabric.is_global_zero:
        logging.getLogger("cvpipe").setLevel(logging.WARNING)  # one process tells what all of them do
    return fabric


def _precision(trainer: TrainerSettings, device: torch.device) -> str:
    if trainer.precision != "auto":
        return trainer.precision
    return "bf16" if device.type == "cuda" or has_fast_bf16() else "32"
