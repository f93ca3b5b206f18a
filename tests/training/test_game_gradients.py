"""D's gradients at images, as losses read them in the generator's step."""

from __future__ import annotations

import pytest
import torch
from helpers.games import of, step_of
from torch import Tensor

from ganbench import ContractError, Regularizer, Step, Terms
from ganbench.default_plugins.losses import BCE
from ganbench.testing.fixtures.loss_players import LinearCritic
from ganbench.testing.fixtures.loss_steps import Stage, stage_for


def precise_stage(loss) -> Stage:
    torch.manual_seed(3)
    stage = stage_for(loss)
    stage.generator.double()
    stage.discriminator.double()
    stage.images, stage.latents = stage.images.double(), stage.latents.double()
    return stage


def value_of(stage: Stage, loss) -> Tensor:
    return sum(stage.generator_terms(loss).values())


def moved(stage: Stage, loss, directions: list[Tensor], size: float) -> float:
    other = stage.copy()
    with torch.no_grad():
        for weight, direction in zip(other.generator.parameters(), directions, strict=True):
            weight.add_(direction, alpha=size)
    return value_of(other, loss).item()


class FlatFakes(Regularizer):
    """Lowers D's slope at images that the loss scores itself."""

    name = "flat-fakes"

    def generator_loss(self, step: Step) -> Terms:
        scored = step.score(step.fake.images / 2, step.fake.labels, track_inputs=True)
        return {"slope": 10 * scored.input_gradient.square().mean()}


@pytest.mark.parametrize("loss", [of("gradient_normalised"), FlatFakes()], ids=lambda one: one.name)
def test_gradients_at_fakes_reach_the_generator(loss):
    """As central differences along directions of G's weights say; D's slopes are in float32."""
    stage = precise_stage(loss)
    weights = [*stage.generator.parameters()]
    gradients = torch.autograd.grad(value_of(stage, loss), weights, allow_unused=True)
    assert all(weight.grad is None for weight in stage.weights("discriminator"))
    for _ in range(3):
        directions = [torch.randn_like(weight) for weight in weights]
        pairs = zip(gradients, directions, strict=True)
        told = sum((g * d).sum().item() for g, d in pairs if g is not None)
        up, down = (moved(stage, loss, directions, size) for size in (1e-3, -1e-3))
        assert (up - down) / 2e-3 == pytest.approx(told, rel=1e-3, abs=1e-4)
        assert abs(told) > 2e-3


def test_normalised_logits_are_their_formula():
    """Of a linear D, whose slope is its weights' norm."""
    loss = of("gradient_normalised")
    stage = precise_stage(loss)
    weight = torch.randn(1, 4, 4, dtype=torch.float64)
    stage.discriminator = LinearCritic(weight).double()
    fakes = stage.generator(stage.latents, stage.labels)
    f = (fakes * weight).sum((1, 2, 3))
    expected = -(f / (weight.norm() + f.abs())).mean().item()
    assert value_of(stage, loss).item() == pytest.approx(expected, rel=1e-5)


def test_fakes_keep_their_graph_in_the_step_of_g_alone():
    loss = of("gradient_normalised")
    stage = stage_for(loss)
    of_d, of_g = (step_of(stage, loss, player) for player in ("discriminator", "generator"))
    assert of_g.fake.images.grad_fn is not None
    assert not of_g.real.images.requires_grad
    assert of_d.fake.images.grad_fn is None
    for step, kept in ((of_d, False), (of_g, True)):
        scored = step.score(2 * step.fake.images, None, track_inputs=True)
        assert (scored.images.grad_fn is not None) is kept


def test_undeclared_gradients_at_fakes_are_refused_in_the_step_of_g():
    class Undeclared(Regularizer):
        name = "undeclared"

        def generator_loss(self, step: Step) -> Terms:
            return {"slope": step.fake.input_gradient.square().mean()}

    with pytest.raises(ContractError, match="declare them in the loss's `input_gradients`"):
        stage_for(BCE()).generator_terms(Undeclared())
