"""A Siamese network: one encoder and decoder for both epochs, a surface head for each, a change head over the two.

    before ─┐            ┌─ features ─┬─ surface head ── surface of each epoch
            ├─ shared ───┤            │
    after  ─┘  encoder,  └─ features ─┴─ signed difference, both features, both structure logits ── change head
               decoder

Both epochs pass the shared trunk as one batch (Daudt et al. 2018, "Fully convolutional Siamese networks for change
detection"); the difference keeps its sign, so that removed and added stay apart, and the change head sees what the
surface head thinks of a structure on either side. Heads work at half the picture's resolution: their logits are
brought to full size bilinearly, which costs less than one pixel at an edge and saves a third of the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from torch import Tensor, nn

from cvpipe.domain import SURFACES, Surface
from cvpipe.errors import BundleError

#: Side of the squares that the encoder's strides divide evenly, px.
STRIDE = 32

#: A logit that leaves no doubt; float32 holds the exponential of 88 at most.
SURE_LOGIT = 60.0


@dataclass(frozen=True)
class Design:
    """What must be known to build the network again before its weights are loaded.

    `encoder` is a name of segmentation-models-pytorch, `decoder_channels` go from stride 16 to stride 2. `kind` names
    the class that `designs.build_network` makes of it; `change_channels` is of the Siamese network alone.
    """

    encoder: str = "tu-mobilenetv2_100"
    decoder_channels: tuple[int, int, int, int] = (96, 64, 48, 32)
    change_channels: int = 32
    kind: str = "siamese"

    def __post_init__(self) -> None:
        assert len(self.decoder_channels) == 4, "four decoder stages: strides 16, 8, 4, 2"


class Logits(NamedTuple):
    """Raw answers: surfaces (N, 8, H, W) of each epoch in the order of `domain.SURFACES`, change (N, 2, H, W)."""

    surface_before: Tensor
    surface_after: Tensor
    change: Tensor


class ChangeNetwork(nn.Module):
    """Two epochs in, `Logits` out; what the loop and the bundle need of any design.

    Input pictures are float (N, 3, H, W) in -1..1 (RGB / 127.5 - 1), H and W multiples of 32. A design without a
    surface head (`has_surfaces` False) answers OTHER everywhere.
    """

    has_surfaces = True
    #: Pixels along the side of the square that one of its own logits stands for.
    step = 1

    def __init__(self, design: Design, in_channels: int = 3) -> None:
        super().__init__()
        self.design = design
        self.encoder = smp.encoders.get_encoder(
            design.encoder, in_channels=in_channels, depth=5, weights=None, **_encoder_options(design.encoder)
        )

    def freeze_encoder_stages(self, stages: int) -> None:
        """Keep the stem and the first `stages` block groups of the encoder as they are; 0 freezes nothing.

        They hold edges and textures, which any pictures teach alike, at the highest resolution and cost. Raises
        BundleError for an encoder that is not built of a stem and block groups (MobileNet, EfficientNet are).
        """
        if not stages:
            return
        model = getattr(self.encoder, "model", None)
        if not all(hasattr(model, part) for part in ("conv_stem", "bn1", "blocks")):
            raise BundleError(
                "has no stem and block groups that could be frozen",
                where=self.design.encoder,
                remedy="Set `frozen_encoder_stages` to 0.",
            )
        for module in (model.conv_stem, model.bn1, *model.blocks[:stages]):  # type: ignore[union-attr]
            module.requires_grad_(False)

    def freeze_encoder_statistics(self) -> None:
        """Keep the encoder's batch norms in evaluation mode: weights whose norms are folded have no statistics."""
        for module in self.encoder.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


class SiameseNetwork(ChangeNetwork):
    """Surface maps of two epochs and the structures removed and added between them."""

    step = 2

    def __init__(self, design: Design) -> None:
        super().__init__(design)
        self.decoder = UnetDecoder(
            encoder_channels=self.encoder.out_channels, decoder_channels=design.decoder_channels, n_blocks=4
        )
        width = design.decoder_channels[-1]
        self.surface_head = nn.Conv2d(width, len(SURFACES), kernel_size=1)
        self.change_head = _ChangeHead(width, design.change_channels)

    def forward(self, before: Tensor, after: Tensor) -> Logits:
        """Logits at the size of the input."""
        return self.compared(*self.features(torch.cat([before, after])).chunk(2))

    def features(self, pictures: Tensor) -> Tensor:
        """What the trunk makes of one epoch, (N, C, H / 2, W / 2): all that the heads need of it."""
        return self.decoder(self.encoder(pictures))  # type: ignore[no-any-return]

    def compared(self, before: Tensor, after: Tensor) -> Logits:
        """Logits of the features of two epochs, at the size of the pictures."""
        size = torch.Size(2 * side for side in before.shape[-2:])
        return Logits(*(resized(x, size) for x in self.judged(before, after)))

    def judged(self, before: Tensor, after: Tensor) -> Logits:
        """Logits of the features of two epochs at the features' own size, half that of the pictures."""
        was, now = self.surface_head(before), self.surface_head(after)
        return Logits(was, now, self.change_head(before, after, was, now))


class _ChangeHead(nn.Module):
    """Removed and added logits (N, 2, h, w) from both epochs' features and structure margins."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(
            nn.Conv2d(3 * features + 2, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        self.near = _separable(width, kernel=3)
        self.wide = _separable(width, kernel=7)
        self.answer = nn.Conv2d(width, 2, 1)

    def forward(self, feat_b: Tensor, feat_a: Tensor, surf_b: Tensor, surf_a: Tensor) -> Tensor:
        margins = torch.cat([structure_margin(surf_b), structure_margin(surf_a)], dim=1).to(feat_b.dtype)
        if feat_b.is_contiguous(memory_format=torch.channels_last):  # else all of it is copied into that order
            margins = margins.contiguous(memory_format=torch.channels_last)
        x = self.mix(torch.cat([feat_b, feat_a, feat_a - feat_b, margins], dim=1))
        x = x + self.near(x)
        x = x + self.wide(x)
        return self.answer(x)  # type: ignore[no-any-return]


def structure_margin(surfaces: Tensor) -> Tensor:
    """Log-odds of structure against all other surfaces, (N, 1, h, w), from surface logits.

    Logits beyond `SURE_LOGIT` count as that, so that a plain sum of exponentials is safe: half as long as `logsumexp`.
    """
    logits = surfaces.clamp(-SURE_LOGIT, SURE_LOGIT).contiguous().float()
    odds = logits.exp()
    others = odds[:, : Surface.STRUCTURE].sum(1, keepdim=True) + odds[:, Surface.STRUCTURE + 1 :].sum(1, keepdim=True)
    return logits[:, Surface.STRUCTURE : Surface.STRUCTURE + 1] - others.log()


def load_encoder(network: ChangeNetwork, tensors: Mapping[str, np.ndarray]) -> None:
    """Start the encoder from tensors that bear timm's names (a head, if present, is left out).

    An encoder that takes both epochs at once gets the first convolution twice, halved, so that its sum stays of the
    same size (as timm adapts weights to more channels). Raises BundleError where a tensor is missing or of another
    shape.
    """
    model = network.encoder.model
    tensors = _for_epochs(tensors, network.encoder.out_channels[0] // 3)
    own = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    wrong = [k for k, v in own.items() if k not in tensors or tuple(tensors[k].shape) != tuple(v.shape)]
    if wrong:
        raise BundleError(
            f"{len(wrong)} of {len(own)} encoder tensors are missing or of another shape, first '{wrong[0]}'",
            where=network.design.encoder,
            remedy="Take weights that were made for this encoder.",
        )
    model.load_state_dict({k: torch.from_numpy(np.array(tensors[k])) for k in own}, strict=False)


def _for_epochs(tensors: Mapping[str, np.ndarray], epochs: int) -> Mapping[str, np.ndarray]:
    """Encoder tensors for an input of several pictures on each other."""
    stem = "conv_stem.weight"
    if epochs == 1 or stem not in tensors:
        return tensors
    return {**tensors, stem: np.concatenate([tensors[stem]] * epochs, axis=1) / epochs}


def _encoder_options(name: str) -> dict[str, object]:
    """MobileNetV2 in TensorFlow's padding and epsilon, which the released starting weights were made with."""
    return {"bn_eps": 1e-3, "pad_type": "same"} if name.startswith("tu-mobilenetv2") else {}


def _separable(width: int, kernel: int) -> nn.Sequential:
    """Depthwise then pointwise. Without dilation: oneDNN's bfloat16 weight gradient of a dilated depthwise
    convolution reads memory that nobody wrote, and the loss turns NaN at random (torch 2.13)."""
    return nn.Sequential(
        nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width, bias=False),
        nn.Conv2d(width, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )


def resized(x: Tensor, size: torch.Size) -> Tensor:
    """Maps (N, C, h, w) brought to another size, bilinearly."""
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)
