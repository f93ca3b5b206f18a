"""A discriminator that a pencil can differentiate, and steps with it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganbench import DiscriminatorOutput, Scored, Step


class Linear(nn.Module):
    """D(x) = w.x, and a record of what it was asked."""

    def __init__(self, weight: Tensor) -> None:  # (C, H, W)
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.asked: list[tuple[Tensor, Tensor | None]] = []

    def forward(self, images: Tensor, labels: Tensor | None) -> DiscriminatorOutput:
        self.asked.append((images.detach(), labels))
        return DiscriminatorOutput((images * self.weight).sum((1, 2, 3)), images.flatten(1))


def step_of(real: Tensor, fake: Tensor, discriminator, labels: Tensor | None = None) -> Step:
    def score(images, labels, *, track_inputs=False):
        return Scored(images, labels, discriminator, track_inputs=track_inputs)

    latents = torch.zeros(len(real), 2)
    return Step(score(real, labels), score(fake, labels), latents, 0, score, lambda z, y: fake)
