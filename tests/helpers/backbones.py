"""What wrong architectures are made of."""

from __future__ import annotations

from torch import Tensor, nn

PER_SAMPLE = {
    f"discriminator_is_per_sample[{norm}]" for norm in ("layer", "instance", "spectral", "none")
}


class Wrapped(nn.Module):
    """A discriminator whose features are changed."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.feature_dim = net.feature_dim

    def forward(self, images: Tensor) -> Tensor:
        return self.changed(self.net(images))

    def changed(self, features: Tensor) -> Tensor:
        raise NotImplementedError
