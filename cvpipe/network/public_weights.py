"""Encoders start from published weights where there is a network to fetch them over."""

from __future__ import annotations

from segmentation_models_pytorch import encoders

from cvpipe.errors import DatasetError
from cvpipe.network.architecture import ChangeNetwork


def load_public_encoder(network: ChangeNetwork) -> None:
    """Start the encoder from the weights that its authors published (ImageNet; timm, or segmentation-models-pytorch).

    Raises DatasetError where they cannot be fetched.
    """
    name, channels = network.design.encoder, network.encoder.out_channels[0]
    try:
        published = encoders.get_encoder(name, in_channels=channels, depth=5, weights="imagenet")
    except Exception as error:  # whatever the fetching library, its transport or the file raise
        raise DatasetError(
            f"its published weights could not be fetched ({type(error).__name__}: {str(error)[:200]})",
            where=name,
            remedy="Check the network, or leave `encoder_weights` out and give `start_encoder` or `start_network`.",
        ) from error
    network.encoder.load_state_dict(published.state_dict())


__all__ = ["encoders", "load_public_encoder"]
