"""Right transforms pass the kit, and wrong ones are caught by it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from helpers import methods, mutants
from helpers.right_transforms import Brighter, CutOut, Halved, Packed, Plain, Turned
from torch import Tensor

from ganbench import ImageSpec, Step, Transform
from ganbench.testing import parametrize_with_checks

ADA = methods.plugins("ada")[0]


@parametrize_with_checks(
    Plain, Brighter, CutOut, Turned, Halved, Packed, Packed(size=3), Packed(size=4)
)
def test_right_transform_conforms(check):
    check()


@dataclass(kw_only=True)
class SpecForgotten(Halved):
    """Half the size, and nobody is told."""

    name = "spec-forgotten"
    caught_by = {"shapes_are_as_promised"}

    def image_spec(self, image: ImageSpec) -> ImageSpec:
        return image


@dataclass(kw_only=True)
class ClassesForgotten(Halved):
    """A spec without the classes."""

    name = "classes-forgotten"
    caught_by = {"shapes_are_as_promised"}

    def image_spec(self, image: ImageSpec) -> ImageSpec:
        return ImageSpec(image.channels, image.resolution // 2)


@dataclass(kw_only=True)
class PacksInSecret(Packed):
    """Packs, declared as single images."""

    name = "packs-in-secret"
    per_sample = True
    caught_by = {"shapes_are_as_promised"}


@dataclass(kw_only=True)
class DropsTheRest(Packed):
    """What fills no pack is dropped."""

    name = "drops-the-rest"
    caught_by = {"shapes_are_as_promised"}

    def unsupported(self, image: ImageSpec, batch_size: int) -> str | None:
        return "it needs two images at least" if batch_size < 2 else None

    def apply(self, images: Tensor) -> Tensor:
        return super().apply(images[: len(images) // 2 * 2])


@dataclass(kw_only=True)
class DropsAnImage(Packed):
    """Every second pack is of one image alone."""

    name = "drops-an-image"
    caught_by = {"gradient_reaches_every_image"}

    def apply(self, images: Tensor) -> Tensor:
        first = images[::2]
        return torch.cat([first, first], 1)


@dataclass(kw_only=True)
class RefusesCurtly(CutOut):
    """A refusal that explains nothing."""

    name = "refuses-curtly"
    caught_by = {"unsupported_batches_get_a_sentence"}

    def unsupported(self, image: ImageSpec, batch_size: int) -> str | None:
        return "too small" if image.resolution < 4 else None


@dataclass(kw_only=True)
class DoublePrecision(Transform):
    """Noise in float64."""

    name = "double-precision"
    caught_by = {"images_stay_finite_float32"}

    def apply(self, images: Tensor) -> Tensor:
        return images + 0.1 * torch.randn_like(images, dtype=torch.float64)


@dataclass(kw_only=True)
class Standardised(Transform):
    """Divided by a deviation that may be zero."""

    name = "standardised"
    caught_by = {"images_stay_finite_float32"}

    def unsupported(self, image: ImageSpec, batch_size: int) -> str | None:
        return None if image.resolution > 1 else "points have no deviation of their own"

    def apply(self, images: Tensor) -> Tensor:
        centred = images - images.mean((1, 2, 3), keepdim=True)
        return centred / centred.square().mean((1, 2, 3), keepdim=True).sqrt()


@dataclass(kw_only=True)
class Quantised(Transform):
    """Rounded to 8 bits, which has no slope."""

    name = "quantised"
    caught_by = {"gradient_reaches_every_image"}
    also = {"gradient_is_true"}

    def apply(self, images: Tensor) -> Tensor:
        return (images * 127.5).round() / 127.5


@dataclass(kw_only=True)
class DetachedMean(Brighter):
    """Contrast about a mean that nothing trains."""

    name = "detached-mean"
    caught_by = {"gradient_is_true"}

    def about(self, centre: Tensor, images: Tensor, spread: float) -> Tensor:
        return super().about(centre.detach(), images, spread)


@dataclass(kw_only=True)
class AddsInPlace(Transform):
    """Noise on the images that others see too."""

    name = "adds-in-place"
    caught_by = {"images_are_not_modified"}

    def apply(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            images += 0.1 * torch.randn_like(images)
        return images


@dataclass(kw_only=True)
class FlipsByPython(Transform):
    """Flips that Python's generator decides."""

    name = "flips-by-python"
    caught_by = {"draws_come_from_torch"}

    def unsupported(self, image: ImageSpec, batch_size: int) -> str | None:
        return None if image.resolution > 1 else "a point is its own mirror image"

    def apply(self, images: Tensor) -> Tensor:
        return images.roll(random.randrange(images.shape[-1]), 3)


@dataclass(kw_only=True)
class NoiseByNumpy(Transform):
    """Noise from numpy's generator."""

    name = "noise-by-numpy"
    caught_by = {"draws_come_from_torch"}

    def apply(self, images: Tensor) -> Tensor:
        noise = torch.as_tensor(np.random.randn(*images.shape), dtype=torch.float32)
        return images + 0.1 * noise.to(images.device)


@dataclass(kw_only=True)
class SeedsItself(Brighter):
    """The same draws in every call, by way of everyone's generator."""

    name = "seeds-itself"
    caught_by = {"random_state_is_not_reset"}

    def apply(self, images: Tensor) -> Tensor:
        torch.manual_seed(7)
        return super().apply(images)


@dataclass(kw_only=True)
class BatchMean(Transform):
    """Centred over the batch."""

    name = "batch-mean"
    caught_by = {"output_is_made_of_its_own_image"}

    def apply(self, images: Tensor) -> Tensor:
        return images - 0.5 * images.mean(0)


@dataclass(kw_only=True)
class MixUp(Transform):
    """Each image with a part of the next."""

    name = "mix-up"
    caught_by = {"output_is_made_of_its_own_image"}

    def apply(self, images: Tensor) -> Tensor:
        return torch.lerp(images, images.roll(1, 0), 0.2 * torch.rand_like(images[:, :1, :1, :1]))


@dataclass(kw_only=True)
class Constant(Transform):
    """Noise instead of images."""

    name = "constant"
    caught_by = {"gradient_reaches_every_image", "output_is_made_of_its_own_image"}

    def apply(self, images: Tensor) -> Tensor:
        return torch.randn_like(images)


@dataclass(kw_only=True)
class Counts(Transform):
    """Noise that fades from call to call."""

    name = "counts"
    caught_by = {"nothing_is_remembered"}

    def apply(self, images: Tensor) -> Tensor:
        self._calls = getattr(self, "_calls", 0) + 1
        return images + torch.randn_like(images) / self._calls


@dataclass(kw_only=True)
class KeepsAFunction(Transform):
    """A field that cannot travel to another process."""

    name = "keeps-a-function"
    caught_by = {"survives_deepcopy_and_pickle"}

    def __post_init__(self) -> None:
        self._squashed = lambda x: x.tanh()

    def apply(self, images: Tensor) -> Tensor:
        return self._squashed(images)


@dataclass(kw_only=True)
class FloatsAlone(Transform):
    """A mean of two types, as autocast makes them."""

    name = "floats-alone"
    caught_by = {"works_under_autocast"}

    def apply(self, images: Tensor) -> Tensor:
        channels = torch.eye(images.shape[1], device=images.device)
        filtered = F.conv2d(images, channels[:, :, None, None])
        return torch.lerp(images, filtered, 0.5)


@dataclass(kw_only=True)
class NoiseOnCPU(Transform):
    """Noise that is always on the CPU."""

    name = "noise-on-cpu"
    caught_by = {"stays_on_the_device"}

    def apply(self, images: Tensor) -> Tensor:
        return images + 0.1 * torch.randn(images.shape)


@dataclass(kw_only=True)
class ReadsBack(Transform):
    """A shift that the device draws and the CPU reads."""

    name = "reads-back"
    caught_by = {"stays_on_the_device"}

    def apply(self, images: Tensor) -> Tensor:
        shift = torch.randint(images.shape[-1], (), device=images.device).item()
        return images.roll(int(shift), 3)


@dataclass(kw_only=True)
class KeepsTheStep(ADA):
    """The step's graph is kept, with all of its memory."""

    name = "keeps-the-step"
    caught_by = {"what_it_observes_is_kept_in_attributes"}
    seen: object = field(default=None, init=False, compare=False)

    def observe(self, step: Step) -> None:
        super().observe(step)
        self.seen = step.real.logits


@dataclass(kw_only=True)
class RemembersElsewhere(Plain):
    """What is observed is lost to a resumed training, and reaches the next trial."""

    name = "remembers-elsewhere"
    caught_by = {"what_it_observes_is_kept_in_attributes"}
    sure: ClassVar[list[float]] = []

    def observe(self, step: Step) -> None:
        self.sure.append(float(step.real.logits.detach().mean()))


@mutants.parametrize(
    *(cls for cls in list(globals().values()) if "caught_by" in getattr(cls, "__dict__", ()))
)
def test_wrong_transform_is_caught(mutant):
    mutants.assert_caught(mutant)
