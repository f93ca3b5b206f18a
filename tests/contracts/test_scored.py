"""What a loss is handed: scores that are computed when they are read, and gradients of them."""

from __future__ import annotations

import pytest
import torch
from helpers.critics import Linear, step_of

from ganbench import ContractError, Scored, norm_per_sample
from ganbench.default_plugins.losses import BCE


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_norm_per_sample_has_a_finite_gradient(value):
    x = torch.full((2, 1, 2, 2), value, requires_grad=True)
    norms = norm_per_sample(x)
    norms.sum().backward()
    torch.testing.assert_close(norms, torch.full((2,), 2 * value), atol=2e-6, rtol=1e-5)
    torch.testing.assert_close(x.grad, torch.full_like(x, 0.5 if value else 0.0))


def test_norm_per_sample_is_over_everything_but_the_sample():
    x = torch.randn(5, 3, 2, 4)
    torch.testing.assert_close(norm_per_sample(x), x.flatten(1).norm(dim=1))


def test_input_gradient_of_a_linear_critic_is_its_weight():
    critic = Linear(torch.randn(3, 2, 2))
    scored = Scored(torch.randn(4, 3, 2, 2), None, critic, track_inputs=True)
    torch.testing.assert_close(scored.input_gradient, critic.weight.expand(4, -1, -1, -1))


def test_untracked_input_gradient_says_what_to_declare():
    scored = Scored(torch.randn(4, 3, 2, 2), None, Linear(torch.randn(3, 2, 2)))
    with pytest.raises(ContractError, match="declare them in the loss's `input_gradients`"):
        _ = scored.input_gradient


def test_unread_scores_are_never_computed():
    critic = Linear(torch.randn(1, 2, 2))
    step = step_of(*torch.randn(2, 3, 1, 2, 2), critic)
    BCE().generator_loss(step)
    BCE().generator_loss(step)
    assert len(critic.asked) == 1
