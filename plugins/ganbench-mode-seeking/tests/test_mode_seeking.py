"""Ratios of distances in closed form, and the conformance kit."""

import pytest
import torch
from ganbench_mode_seeking import ModeSeeking
from torch import nn

from ganbench import DiscriminatorOutput, Scored, Step
from ganbench.testing import parametrize_with_checks


@parametrize_with_checks(ModeSeeking)
def test_conformance(check):
    check()


class LinearGenerator(nn.Module):
    """G(z) = Az, and a record of what it was asked."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.asked = []

    def forward(self, latents, labels):
        self.asked.append((latents, labels))
        return (latents @ self.weight.T)[:, :, None, None]


def step_of(generator, latents, labels=None):
    def score(images, labels, *, track_inputs=False):
        return Scored(
            images, labels, lambda x, y: DiscriminatorOutput(x.sum((1, 2, 3)), x.flatten(1))
        )

    fake = score(generator(latents, labels), labels)
    return Step(score(fake.images.detach(), labels), fake, latents, 0, score, generator)


def sought(generator, latents, **options):
    """The value of the term, and its gradient at the weights of the generator."""
    torch.manual_seed(0)
    terms = ModeSeeking(**options).generator_loss(step_of(generator, latents))
    (gradient,) = torch.autograd.grad(terms["mode_seeking"], generator.weight)
    return terms["mode_seeking"].item(), gradient


@pytest.mark.parametrize("count", [1, 7])
@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_a_generator_that_scales_latents_has_their_scale_as_its_ratio(scale, count):
    latents = torch.randn(count, 6, generator=torch.Generator().manual_seed(1))
    generator = LinearGenerator(scale * torch.eye(6))
    value, gradient = sought(generator, latents, weight=3.0)
    assert value == pytest.approx(3 / (scale + 1e-5), rel=1e-5)
    assert (gradient.diag().sum()).item() == pytest.approx(-3 / (scale + 1e-5) ** 2, rel=1e-5)


def test_a_linear_generator_has_the_ratio_of_mean_distances():
    weight = torch.tensor([[1.0, -2.0], [0.0, 0.5], [3.0, 1.0]])
    latents = torch.tensor([[1.0, 0.0], [-1.0, 2.0]])
    value, gradient = sought(LinearGenerator(weight), latents)

    torch.manual_seed(0)
    moved = torch.randn(2, 2) - latents
    image_distance = (moved @ weight.T).abs().sum() / 6
    latent_distance = moved.abs().sum() / 4
    ratio = (image_distance / latent_distance).item()
    assert value == pytest.approx(1 / (ratio + 1e-5), rel=1e-5)
    slope_of_ratio = (moved @ weight.T).sign().T @ moved / 6 / latent_distance
    torch.testing.assert_close(gradient, -slope_of_ratio / (ratio + 1e-5) ** 2)


def test_a_collapsed_generator_stays_finite():
    value, gradient = sought(LinearGenerator(torch.zeros(3, 2)), torch.randn(4, 2), eps=0.01)
    assert value == pytest.approx(100)
    assert gradient.isfinite().all()


def test_both_images_of_a_pair_have_one_label_and_two_latents():
    latents, labels = torch.randn(5, 2), torch.tensor([0, 2, 1, 1, 0])
    generator = LinearGenerator(torch.randn(3, 2))
    ModeSeeking().generator_loss(step_of(generator, latents, labels))
    (first, first_labels), (second, second_labels) = generator.asked
    assert torch.equal(first_labels, labels)
    assert torch.equal(second_labels, labels)
    assert second.shape == first.shape
    assert not (second == first).any()


def test_second_latents_are_drawn_anew_and_fixed_by_the_seed():
    def second_latents():
        generator = LinearGenerator(torch.ones(3, 2))
        step = step_of(generator, torch.zeros(5, 2))
        for _ in range(2):
            ModeSeeking().generator_loss(step)
        return [asked for asked, _ in generator.asked[1:]]

    torch.manual_seed(0)
    first, second = second_latents()
    torch.manual_seed(0)
    assert torch.equal(first, second_latents()[0])
    assert not torch.equal(first, second)


def test_the_discriminator_is_left_alone():
    step = step_of(LinearGenerator(torch.ones(3, 2)), torch.randn(4, 2))
    assert ModeSeeking().discriminator_loss(step) == {}


def test_negative_weight_is_refused():
    with pytest.raises(ValueError, match=r"weight must not be negative, found -1\.0"):
        ModeSeeking(weight=-1.0)


def test_eps_is_positive():
    with pytest.raises(ValueError, match=r"eps must be positive, found 0\.0"):
        ModeSeeking(eps=0.0)
