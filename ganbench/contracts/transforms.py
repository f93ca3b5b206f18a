"""What the discriminator is shown in place of the images themselves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from ganbench.contracts.images import ImageSpec


class Transform(ABC):
    """Applied to every batch, real or fake, before D's conditioner sees it, in both players' steps.

    G trains through it, so it must be differentiable in the images. What it draws, it draws from
    torch's own generators, so that a seed decides it. Subclasses are dataclasses of their options.
    """

    name: ClassVar[str]  # in benchmark files
    per_sample: ClassVar[bool] = True
    """Whether output i is made of image i alone. Where it is not, D has no label to go by and no
    gradient per image, and the plan refuses losses and conditionings that want them."""

    def unsupported(self, image: ImageSpec, batch_size: int) -> str | None:
        """Why batches of this shape cannot be transformed, or None."""
        return None

    def image_spec(self, image: ImageSpec) -> ImageSpec:
        """The shape of what `apply` returns for images of this shape."""
        return image

    @abstractmethod
    def apply(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) in [-1, 1] -> (N, C', H', W'), or fewer where not per sample."""
