"""MMD GAN with the repulsive loss (arXiv 1812.09916), as a plugin."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganbench import Loss, Owned, Shapes, Step, Terms, hookimpl


@dataclass(kw_only=True)
class RepulsiveMMD(Loss):
    """MMD GAN with a repulsive D and a bounded Gaussian kernel (Wang et al., 2019)."""

    name = "repulsive-mmd"
    whole_batch = True
    dim: int = 16  # of the space in which the kernel is taken
    sigma: float = 1.0
    lower: float = 0.25  # squared distances of fakes below it pull no more
    upper: float = 4.0  # and of reals above it

    def __post_init__(self) -> None:
        if self.dim < 1 or self.sigma <= 0 or not 0 <= self.lower < self.upper:
            raise ValueError("expected dim >= 1, sigma > 0 and 0 <= lower < upper")

    def networks(self, shapes: Shapes) -> dict[str, Owned]:
        return {"embed": Owned(nn.Linear(shapes.feature_dim, self.dim), "discriminator")}

    def discriminator_loss(self, step: Step) -> Terms:
        embed = step.own["embed"]
        real = self._kernel(self._within(embed(step.real.features)).clamp(max=self.upper))
        fake = self._kernel(self._within(embed(step.fake.features)).clamp(min=self.lower))
        return {"real": real.mean(), "fake": -fake.mean()}

    def generator_loss(self, step: Step) -> Terms:
        embed = step.own["embed"]
        real, fake = embed(step.real.features), embed(step.fake.features)
        within = self._kernel(self._within(fake)).mean()
        across = self._kernel(self._squares(fake, real)).mean()
        return {"mmd": within - 2 * across}  # what is of reals alone is constant to G

    def _kernel(self, squares: Tensor) -> Tensor:
        return torch.exp(-squares / (2 * self.sigma**2))

    def _squares(self, x: Tensor, y: Tensor) -> Tensor:
        return (x[:, None] - y[None]).square().sum(2)

    def _within(self, x: Tensor) -> Tensor:
        """Return squared distances of all different pairs, (N * (N - 1),)."""
        others = ~torch.eye(len(x), dtype=torch.bool, device=x.device)
        return self._squares(x, x)[others]


@hookimpl
def register_losses(register):
    register(RepulsiveMMD)
