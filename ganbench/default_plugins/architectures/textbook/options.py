"""What the textbooks' architectures let a file say of norms, kernels and strides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganbench.default_plugins.architectures.priors import LATER, WithPrior

SMALLEST = 4  # the side from which a generator grows, and at which a discriminator ends
Net = TypeVar("Net", bound=nn.Module)


@dataclass(kw_only=True)
class TextbookArchitecture(WithPrior):
    """The prior, and the numbers that batch norms go by."""

    latent_dim: int = 100
    # A batch's weight in batch norm's running statistics: 0.1 is what Keras calls momentum 0.9
    bn_momentum: float = field(default=0.1, metadata=LATER)
    # Added to a variance by batch norm; 1e-3 in Keras
    bn_eps: float = field(default=1e-5, metadata=LATER)

    def __post_init__(self) -> None:
        if self.latent_dim < 1:
            raise ValueError(f"latent_dim must be positive, found {self.latent_dim}")
        if not 0 < self.bn_momentum <= 1:
            raise ValueError(f"bn_momentum must be above 0 and up to 1, found {self.bn_momentum}")
        if not self.bn_eps > 0:
            raise ValueError(f"bn_eps must be positive, found {self.bn_eps}")

    def normed(self, net: Net) -> Net:
        """Return a network whose batch norms go by these numbers."""
        for part in net.modules():
            if isinstance(part, _BatchNorm):
                part.momentum, part.eps = self.bn_momentum, self.bn_eps
        return net


@dataclass(kw_only=True)
class StackedArchitecture(TextbookArchitecture):
    """As many strided convolutions in either player, between the image and maps of 4×4."""

    d_kernel: int = field(default=4, metadata=LATER)  # the side of D's kernels
    g_kernel: int = field(default=4, metadata=LATER)  # of G's, beyond the one that makes 4×4
    # Of D's layers from the image on, and of G's towards it; left out: 2 each
    strides: tuple[int, ...] = field(default=(), metadata=LATER)

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(stride < 1 for stride in self.strides):
            raise ValueError(f"every stride must be positive, found {list(self.strides)}")
        for name in ("d_kernel", "g_kernel"):
            self.check_kernel(name, getattr(self, name))

    def check_kernel(self, name: str, kernel: int) -> None:
        """Raise ValueError where strides of this kernel lose pixels, or sides do not come out."""
        if kernel < max((*self.strides, 2)):
            raise ValueError(
                f"{name} must be at least as wide as the widest stride, which is "
                f"{max((*self.strides, 2))}; found {kernel}"
            )
        if 1 in self.strides and not kernel % 2:
            raise ValueError(f"{name} must be odd where a stride is 1, found {kernel}")

    def strides_of(self, layers: int) -> tuple[int, ...]:
        """Return the stride of each of so many layers, from the image on."""
        return self.strides or (2,) * layers

    def other_count(self, layers: int) -> str | None:
        """Return why so many layers cannot have these strides, or None."""
        if self.strides and len(self.strides) != layers:
            return f"it has {layers} widths and {len(self.strides)} strides; give one for each"
        return None

    def other_size(self, widths: Sequence[int], resolution: int) -> str | None:
        """Return why layers of these widths do not lead to this size, or None."""
        side = SMALLEST * math.prod(self.strides_of(len(widths)))
        if why := self.other_count(len(widths)):
            return why
        if resolution != side:
            how = "" if self.strides else f"; give one width for every halving down to {SMALLEST}"
            return (
                f"its {len(widths)} widths build images of {side}×{side}, and these are "
                f"{resolution} wide{how}"
            )
        return None
