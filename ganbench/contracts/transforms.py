"""What the discriminator is shown in place of the images themselves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from ganbench.contracts.images import ImageSpec

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.contracts.steps import Step


class Transform(ABC):
    """What D sees in the place of every batch, real or fake, in both players' steps.

    It comes before D's conditioner. G trains through it, so it must be differentiable in the
    images. What it draws, it draws from torch's own generators, so that a seed decides it.
    Subclasses are dataclasses of their options.
    """

    name: ClassVar[str]  #: in benchmark files
    per_sample: ClassVar[bool] = True
    """Whether output i is made of image i alone. Where it is not, D has no label to go by and no
    gradient per image, and the plan refuses losses and conditionings that want them."""

    def unsupported(self, image: ImageSpec, batch_size: int) -> str | None:
        """Return why batches of this shape cannot be transformed, or None."""
        return None

    def image_spec(self, image: ImageSpec) -> ImageSpec:
        """Return the shape of what `apply` returns for images of this shape."""
        return image

    @abstractmethod
    def apply(self, images: Tensor) -> Tensor:
        """Turn images (N, C, H, W) in [-1, 1] into (N, C', H', W'), or fewer if not per sample."""

    def observe(self, step: Step) -> None:  # noqa: B027
        """Look at a step of D, once its losses are done with it, and adapt.

        What it reads and no loss has read is computed. Logits are to be detached, and a number
        that is kept on the device costs no wait for it.
        """
