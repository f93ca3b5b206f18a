"""Reals as they are or flipped, drawn anew each time they are shown, as a plugin."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from ganbench import Regularizer, Step, hookimpl


@dataclass(kw_only=True)
class Mirror(Regularizer):
    """Flip each real image from left to right in one of two cases."""

    name = "mirror"

    def edit_discriminator_step(self, step: Step) -> Step:
        images = step.real.images
        flipped = torch.rand_like(images[:, :1, :1, :1]) < 0.5
        return replace(step, real=step.real.of(torch.where(flipped, images.flip(3), images)))

    edit_generator_step = edit_discriminator_step


@hookimpl
def register_losses(register):
    register(Mirror)
