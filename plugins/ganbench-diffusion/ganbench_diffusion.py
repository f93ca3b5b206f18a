"""Diffusion-GAN for ganbench: noise of an adaptive length on all that the discriminator sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from ganbench import ImageSpec, Step, Transform, hookimpl, logit_per_image

FIRST, LAST = 1e-4, 2e-2  # variances that the first and the last step add


def _zero() -> Tensor:
    return torch.zeros(())


@dataclass(kw_only=True)
class Diffusion(Transform):
    """Diffuse images by a time that D is told, the longer the surer D is (Wang et al., 2023)."""

    name = "diffusion"
    shortest: int = 5  # chain of times, at first
    longest: int = 1000
    sigma: float = 0.05  # of the noise
    times: Literal["priority", "uniform"] = "priority"  # late ones more often, or all alike
    target: float = 0.6  # of the mean sign of D's logits of reals
    kimg: float = 100.0  # in which the chain may go from its shortest to its longest
    every: int = 4  # steps of D between two changes
    length: Tensor = field(default_factory=_zero, init=False, compare=False)  # a share of the way
    signs: Tensor = field(default_factory=_zero, init=False, compare=False)
    images: int = field(default=0, init=False)
    steps: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if not 1 <= self.shortest <= self.longest:
            raise ValueError(
                f"expected 1 <= shortest <= longest, found {self.shortest} and {self.longest}"
            )
        if self.sigma < 0:
            raise ValueError(f"sigma must not be negative, found {self.sigma}")
        if not self.kimg > 0 or self.every < 1:
            raise ValueError(f"kimg and every must be positive, found {self.kimg} and {self.every}")

    def image_spec(self, image: ImageSpec) -> ImageSpec:
        return replace(image, channels=image.channels + 1)

    def apply(self, images: Tensor) -> Tensor:
        drawn = self._drawn(images)
        kept = self._kept(images.device)[drawn][:, None, None, None]
        noise = self.sigma * torch.randn_like(images)
        diffused = kept.sqrt() * images + (1 - kept).sqrt() * noise
        told = (drawn / self.longest)[:, None, None, None].expand(-1, 1, *images.shape[2:])
        return torch.cat([diffused, told], 1)

    def observe(self, step: Step) -> None:
        logits = logit_per_image(step.real.logits.detach().sign())
        self.signs = self.signs.to(logits.device) + logits.sum()
        self.images += len(logits)
        self.steps += 1
        if self.steps % self.every:
            return
        change = self.images / (1000 * self.kimg)
        direction = (self.signs / self.images - self.target).sign()
        self.length = (self.length.to(logits.device) + change * direction).clamp(0, 1)
        self.signs, self.images = torch.zeros_like(self.signs), 0

    def _drawn(self, images: Tensor) -> Tensor:  # (N,)
        """Draw times: 0, without noise, for one image in two."""
        chain = self.shortest + self.length.to(images.device) * (self.longest - self.shortest)
        uniform, other = torch.rand(2, len(images), device=images.device)
        share = uniform.sqrt() if self.times == "priority" else uniform
        late = (share * chain.round()).ceil().clamp(1, self.longest)
        return torch.where(other < 0.5, torch.zeros_like(late), late).long()

    def _kept(self, device: torch.device) -> Tensor:
        """Return what is left of an image's variance at each time, (longest + 1,)."""
        added = torch.linspace(FIRST, LAST, self.longest, device=device)
        return torch.cat([torch.ones(1, device=device), (1 - added).cumprod(0)])


@hookimpl
def register_transforms(register: Callable[[type[Transform]], None]) -> None:
    register(Diffusion)
