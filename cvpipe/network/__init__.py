"""What decides: the architecture, its losses, and the bundle that carries a trained network."""

from cvpipe.network import vision_ops as vision_ops  # before anything that imports torchvision
