"""A history of fakes, of which D sees some (arXiv 1612.07828), as a plugin."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ganbench import Regularizer, Step, hookimpl


@dataclass(kw_only=True)
class FakeHistory(Regularizer):
    """Half of what D sees of fakes are older ones (Shrivastava et al., 2017)."""

    name = "fake-history"
    breaks_pairs = True  # an old fake is of its own label
    whole_batch = True  # pieces would fill the history in another order
    size: int = 512

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size must be positive, found {self.size}")
        self.images: Tensor | None = None
        self.labels: Tensor | None = None
        self.latents: Tensor | None = None

    def edit_discriminator_step(self, step: Step) -> Step:
        images, labels, latents = step.fake.images.detach(), step.fake.labels, step.latents
        if self.images is None or len(self.images) < self.size:
            self.images = self._longer(self.images, images)
            self.latents = self._longer(self.latents, latents)
            if labels is not None:
                self.labels = self._longer(self.labels, labels)
            return step
        half = min(len(images) // 2, self.size)
        places = torch.randperm(self.size, device=images.device)[:half]
        old = [None if x is None else x[places] for x in (self.images, self.labels, self.latents)]
        self.images = self.images.index_copy(0, places, images[:half])
        self.latents = self.latents.index_copy(0, places, latents[:half])
        if labels is not None:
            self.labels = self.labels.index_copy(0, places, labels[:half])
            labels = torch.cat([old[1], labels[half:]])
        fake = step.fake.of(torch.cat([old[0], images[half:]]), labels)
        return replace(step, fake=fake, latents=torch.cat([old[2], latents[half:]]))

    def _longer(self, before: Tensor | None, new: Tensor) -> Tensor:
        return (new if before is None else torch.cat([before, new]))[: self.size].clone()


@hookimpl
def register_losses(register):
    register(FakeHistory)
