"""Moved latents in closed form, and the conformance kit."""

from __future__ import annotations

import pytest
import torch
from ganbench_logan import LOGAN

from ganbench import DiscriminatorOutput, Scored, Step
from ganbench.testing import parametrize_with_checks


@parametrize_with_checks(LOGAN)
def test_conformance(check):
    check()


A = torch.tensor([[2.0, 0.0], [1.0, -1.0]])  # G(z) = A z
W = torch.tensor([0.5, 3.0])  # D(x) = w · x


def judge(images, labels):
    logits = images.flatten(1) @ W
    return DiscriminatorOutput(logits, images.flatten(1))


def generate(z, labels):
    return (z @ A.T).view(-1, 1, 1, 2)


def step_of(latents: torch.Tensor) -> Step:
    def score(images, labels, *, track_inputs=False):
        return Scored(images, labels, judge, track_inputs=track_inputs)

    fakes = score(generate(latents, None), None)
    return Step(score(torch.zeros(2, 1, 1, 2), None), fakes, latents, 0, score, generate)


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_latents_of_linear_players_move_along_one_direction(player):
    """g = Aᵀ w = (4, -3) everywhere, with ‖g‖² = 25."""
    latents = torch.tensor([[1.0, 2.0], [0.0, -1.0]])
    edited = getattr(LOGAN(), f"edit_{player}_step")(step_of(latents))
    expected = latents + 0.9 / (0.1 + 25) * torch.tensor([4.0, -3.0])
    torch.testing.assert_close(edited.latents, expected)
    torch.testing.assert_close(edited.fake.images, generate(expected, None))
    assert edited.latents.requires_grad is False or player == "generator"


def test_reals_stay():
    step = step_of(torch.ones(2, 2))
    for edited in (LOGAN().edit_generator_step(step), LOGAN().edit_discriminator_step(step)):
        assert edited.real is step.real


def test_gradient_of_g_passes_through_the_step():
    """With D(x) = x²/2 and G(z) = a·z: g = a²z, z' = z (1 + α a² / (β + a⁴ z²))."""
    a, z = torch.tensor(1.5, requires_grad=True), torch.tensor([[0.8]])

    def score(images, labels, *, track_inputs=False):
        return Scored(images, labels, square)

    def square(images, labels):
        return DiscriminatorOutput(images.flatten(1).square().sum(1) / 2, images.flatten(1))

    def scaled(z, labels):
        return (a * z).view(-1, 1, 1, 1)

    step = Step(score(z[..., None, None], None), score(scaled(z, None), None), z, 0, score, scaled)
    edited = LOGAN(step_size=0.5, damping=1.0).edit_generator_step(step)
    (found,) = torch.autograd.grad(edited.fake.logits.sum(), a)

    def value(a: float) -> float:
        return (a * 0.8 * (1 + 0.5 * a**2 / (1 + a**4 * 0.8**2))) ** 2 / 2

    expected = (value(1.5 + 1e-5) - value(1.5 - 1e-5)) / 2e-5
    assert found.item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("options", [{"step_size": -1.0}, {"damping": 0.0}])
def test_wrong_options_are_refused(options):
    with pytest.raises(ValueError, match="expected step_size >= 0 and damping > 0, found"):
        LOGAN(**options)
