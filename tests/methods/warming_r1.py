"""R1 (Mescheder et al., 2018) whose coefficient begins at zero, as a plugin."""

from __future__ import annotations

from dataclasses import dataclass

from ganbench import InputGradients, Regularizer, Step, Terms, hookimpl


@dataclass(kw_only=True)
class WarmingR1(Regularizer):
    """A zero-centred penalty at reals that grows over the first iterations."""

    name = "warming-r1"
    input_gradients = InputGradients.REAL
    gamma: float = 1.0
    iterations: int = 50

    def discriminator_loss(self, step: Step) -> Terms:
        share = min(1.0, step.iteration / self.iterations)
        squares = step.real.input_gradient.square().sum((1, 2, 3))
        return {"r1": share * self.gamma / 2 * squares.mean()}


@hookimpl
def register_losses(register):
    register(WarmingR1)
