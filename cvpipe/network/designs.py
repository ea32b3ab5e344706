"""Networks by the kind of their design: cvpipe's own, and two published ones to hold it against.

The published ones are trained by the same loop on the same pairs, from the same starting weights, with an encoder and a
decoder of the same width: what differs is how the epochs meet. Neither has a surface head.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from torch import Tensor, nn

from cvpipe.domain import SURFACES, Surface
from cvpipe.network.architecture import ChangeNetwork, Design, Logits, SiameseNetwork

#: Logit of OTHER in the surfaces of a design that knows none: a probability of 1 after any calibration.
_CERTAIN = 40.0


class FcSiamDiff(ChangeNetwork):
    """FC-Siam-diff: a shared encoder, and a decoder over the absolute differences of its features at each scale.

    Daudt et al. 2018, "Fully convolutional Siamese networks for change detection". As there, the decoder starts from
    the later epoch's deepest features and takes differences as skip connections; as in torchgeo, the plain encoder of
    the paper gives way to one that has learnt from ImageNet.
    """

    has_surfaces = False

    def __init__(self, design: Design) -> None:
        super().__init__(design)
        self.decoder = UnetDecoder(self.encoder.out_channels, design.decoder_channels, n_blocks=4)
        self.change_head = nn.Conv2d(design.decoder_channels[-1], 2, kernel_size=3, padding=1)

    def forward(self, before: Tensor, after: Tensor) -> Logits:
        """Logits at the size of the input."""
        pairs = [features.chunk(2) for features in self.encoder(torch.cat([before, after]))]
        differences = [(later - earlier).abs() for earlier, later in pairs]
        return _only_change(self.change_head(self.decoder([*differences[:-1], pairs[-1][1]])), before)


class ConcatUnet(ChangeNetwork):
    """A U-Net over both epochs as six bands: early fusion ("FC-EF" in Daudt et al. 2018)."""

    has_surfaces = False

    def __init__(self, design: Design) -> None:
        super().__init__(design, in_channels=6)
        self.decoder = UnetDecoder(self.encoder.out_channels, design.decoder_channels, n_blocks=4)
        self.change_head = nn.Conv2d(design.decoder_channels[-1], 2, kernel_size=3, padding=1)

    def forward(self, before: Tensor, after: Tensor) -> Logits:
        """Logits at the size of the input."""
        features = self.encoder(torch.cat([before, after], dim=1))
        return _only_change(self.change_head(self.decoder(features)), before)


#: Kind of a design → its network.
KINDS: dict[str, type[SiameseNetwork] | type[FcSiamDiff] | type[ConcatUnet]] = {
    "siamese": SiameseNetwork,
    "fc_siam_diff": FcSiamDiff,
    "unet_concat": ConcatUnet,
}


def build_network(design: Design) -> ChangeNetwork:
    """The network of a design, with random weights. Raises KeyError for a kind that there is not."""
    return KINDS[design.kind](design)


def _only_change(change: Tensor, picture: Tensor) -> Logits:
    size = picture.shape[-2:]
    change = F.interpolate(change, size=tuple(size), mode="bilinear", align_corners=False)
    surfaces = change.new_zeros((len(picture), len(SURFACES), *size))
    surfaces[:, Surface.OTHER] = _CERTAIN
    return Logits(surfaces, surfaces, change)


__all__ = ["KINDS", "ConcatUnet", "FcSiamDiff", "build_network"]
