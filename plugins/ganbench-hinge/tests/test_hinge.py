"""The hinge by hand, and the conformance kit."""

import pytest
import torch
from ganbench_hinge import Hinge

from ganbench import DiscriminatorOutput, Scored, Step
from ganbench.testing import parametrize_with_checks


@parametrize_with_checks(Hinge)
def test_conformance(check):
    check()


def step_with_logits(real: list[float], fake: list[float]) -> tuple[Step, torch.Tensor]:
    """A step whose logits are the values of one leaf, reals first."""
    leaf = torch.tensor([real, fake], requires_grad=True)

    def scored(row: int) -> Scored:
        output = DiscriminatorOutput(leaf[row], leaf[row][:, None])
        return Scored(torch.zeros(len(real), 1, 1, 1), None, lambda images, labels: output)

    return Step(scored(0), scored(1), torch.zeros(len(real), 2), 0, None, None), leaf


@pytest.mark.parametrize(
    ("real", "fake", "terms"),
    [
        ([1.0, 5.0], [-1.0, -5.0], (0.0, 0.0)),
        ([0.0, 0.0], [0.0, 0.0], (1.0, 1.0)),
        ([-1.0, 0.5], [2.0, -0.5], (1.25, 1.75)),
    ],
)
def test_discriminator_loss_is_the_mean_shortfall_from_the_margins(real, fake, terms):
    step, _ = step_with_logits(real, fake)
    found = Hinge().discriminator_loss(step)
    assert (found["real"].item(), found["fake"].item()) == pytest.approx(terms)


def test_discriminator_has_no_gradient_beyond_its_margins():
    step, logits = step_with_logits([0.5, 1.5], [-0.5, -1.5])
    torch.stack([*Hinge().discriminator_loss(step).values()]).sum().backward()
    assert logits.grad.tolist() == [pytest.approx([-0.5, 0.0]), pytest.approx([0.5, 0.0])]


def test_generator_loss_is_minus_the_mean_logit():
    step, logits = step_with_logits([0.0, 0.0], [3.0, -1.0])
    (loss,) = Hinge().generator_loss(step).values()
    loss.backward()
    assert loss.item() == pytest.approx(-1.0)
    assert logits.grad[1].tolist() == pytest.approx([-0.5, -0.5])
