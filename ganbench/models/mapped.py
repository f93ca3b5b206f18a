"""A trained generator with a mapping network, as metrics may ask it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ganbench.models.networks import ConditionalGenerator
from ganbench.models.sampling import Sampler, at_once, draw_latents, evaluating, of_draw, seeded


@dataclass(frozen=True)
class Mapped:
    """The MappedGenerator that metrics see; its methods are described there."""

    generator: ConditionalGenerator
    sampler: Sampler
    draw: int = 0  # each has random streams of its own

    @classmethod
    def of(cls, generator: ConditionalGenerator, sampler: Sampler, draw: int = 0) -> Mapped | None:
        """Return it for a calibrated generator, or None for one without a mapping network."""
        return cls(generator, sampler, draw) if generator.has_styles else None

    @torch.no_grad()
    def pairs(self, count: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the styles of pairs of latents, batch by batch."""
        device, size = self.sampler.device, at_once(self.generator.image)
        here, there = (
            draw_latents(
                self.sampler.architecture, count, self.sampler.seed, of_draw(name, self.draw)
            )
            for name in ("path begins", "path ends")
        )
        labels = self.sampler.labels(count, of_draw("path labels", self.draw))
        for rows in torch.arange(count).split(size):
            asked = None if labels is None else labels[rows].to(device)
            with evaluating(self.generator):
                styles = [self.generator.styles(z[rows].to(device), asked) for z in (here, there)]
            yield styles[0], styles[1]

    @torch.no_grad()
    def images(self, styles: Tensor, noise: int = 0) -> Tensor:
        """Return what the generator makes of styles, with the noise of this number."""
        sampler = self.sampler
        with (
            seeded(sampler.device, sampler.seed, f"path noise {noise}"),
            evaluating(self.generator),
        ):
            return self.generator.of_styles(styles)
