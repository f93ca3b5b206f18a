"""The built-in losses against their closed forms, in value and in gradient."""

from __future__ import annotations

import math

import pytest
import torch
from helpers.critics import Linear, step_of
from torch import Tensor

from ganbench import DiscriminatorOutput, Loss, Scored, Step
from ganbench.contracts.losses import InputGradients
from ganbench.default_plugins.losses import BCE, CONVINCED, LSGAN, WGANGP
from ganbench.errors import ConfigError


def step_with_logits(real: list[float], fake: list[float]) -> tuple[Step, Tensor, Tensor]:
    """A step whose logits are these leaves."""
    leaves = [torch.tensor(values, requires_grad=True) for values in (real, fake)]
    scored = [
        Scored(
            torch.zeros(len(leaf), 1, 1, 1),
            None,
            lambda images, labels, leaf=leaf: DiscriminatorOutput(leaf, leaf[:, None]),
        )
        for leaf in leaves
    ]
    latents = torch.zeros(len(real), 2)
    step = Step(*scored, latents, 0, lambda *a, **k: None, lambda z, y: z)
    return step, *leaves


def slopes(terms: dict[str, Tensor], *leaves: Tensor) -> list[list[float]]:
    total = torch.stack([*terms.values()]).sum()
    return [gradient.tolist() for gradient in torch.autograd.grad(total, leaves)]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_bce_at_zero_logits_is_two_log_two():
    step, real, fake = step_with_logits([0.0, 0.0], [0.0, 0.0])
    terms = BCE().discriminator_loss(step)
    assert terms["real"].item() == pytest.approx(math.log(2))
    assert sum(term.item() for term in terms.values()) == pytest.approx(2 * math.log(2))
    assert slopes(terms, real, fake) == [pytest.approx([-0.25] * 2), pytest.approx([0.25] * 2)]


def test_bce_is_the_mean_log_likelihood():
    step, real, fake = step_with_logits([2.0, -1.0], [0.5, -3.0])
    terms = BCE().discriminator_loss(step)
    assert terms["real"].item() == pytest.approx(
        -(math.log(sigmoid(2)) + math.log(sigmoid(-1))) / 2
    )
    assert terms["fake"].item() == pytest.approx(
        -(math.log(sigmoid(-0.5)) + math.log(sigmoid(3))) / 2
    )
    assert slopes(terms, real, fake) == [
        pytest.approx([(sigmoid(2) - 1) / 2, (sigmoid(-1) - 1) / 2]),
        pytest.approx([sigmoid(0.5) / 2, sigmoid(-3) / 2]),
    ]


def test_bce_generator_does_not_saturate():
    step, _, fake = step_with_logits([0.0, 0.0], [-8.0, 1.0])
    terms = BCE().generator_loss(step)
    assert terms["adversarial"].item() == pytest.approx(
        -(math.log(sigmoid(-8)) + math.log(sigmoid(1))) / 2
    )
    assert slopes(terms, fake) == [pytest.approx([(sigmoid(-8) - 1) / 2, (sigmoid(1) - 1) / 2])]


def test_bce_saturating_generator_is_the_minimax_loss():
    step, _, fake = step_with_logits([0.0, 0.0], [-8.0, 1.0])
    terms = BCE(saturating=True).generator_loss(step)
    assert terms["adversarial"].item() == pytest.approx(
        (math.log(sigmoid(8)) + math.log(sigmoid(-1))) / 2, rel=1e-5
    )
    assert slopes(terms, fake) == [pytest.approx([-sigmoid(-8) / 2, -sigmoid(1) / 2])]


def test_bce_smoothing_is_one_sided():
    step, real, fake = step_with_logits([1.0], [1.0])
    smooth, sharp = BCE(real_target=0.9).discriminator_loss(step), BCE().discriminator_loss(step)
    assert smooth["real"].item() == pytest.approx(
        -0.9 * math.log(sigmoid(1)) - 0.1 * math.log(sigmoid(-1))
    )
    assert smooth["fake"].item() == pytest.approx(sharp["fake"].item())
    assert slopes(smooth, real, fake) == [
        pytest.approx([sigmoid(1) - 0.9]),
        pytest.approx([sigmoid(1)]),
    ]


def test_bce_smoothing_is_least_where_the_probability_is_the_target():
    step, real, _ = step_with_logits([math.log(9)], [0.0])
    terms = BCE(real_target=0.9).discriminator_loss(step)
    assert slopes({"real": terms["real"]}, real) == [pytest.approx([0.0], abs=1e-6)]


def test_bce_with_every_target_flipped_swaps_the_players():
    step, real, fake = step_with_logits([2.0, 1.0], [-1.0, 0.5])
    terms = BCE(flip=1.0).discriminator_loss(step)
    assert terms["real"].item() == pytest.approx(
        -(math.log(sigmoid(-2)) + math.log(sigmoid(-1))) / 2
    )
    assert terms["fake"].item() == pytest.approx(
        -(math.log(sigmoid(-1)) + math.log(sigmoid(0.5))) / 2
    )
    assert slopes(terms, real, fake) == [
        pytest.approx([sigmoid(2) / 2, sigmoid(1) / 2]),
        pytest.approx([(sigmoid(-1) - 1) / 2, (sigmoid(0.5) - 1) / 2]),
    ]


def test_bce_flips_the_share_of_targets_it_is_told():
    torch.manual_seed(0)
    count = 40_000
    step, real, _ = step_with_logits([0.0] * count, [0.0] * count)
    terms = BCE(flip=0.2).discriminator_loss(step)
    ((gradient),) = slopes({"real": terms["real"]}, real)
    flipped = (torch.tensor(gradient) > 0).float().mean().item()
    assert flipped == pytest.approx(0.2, abs=5 * (0.2 * 0.8 / count) ** 0.5)


def test_bce_flips_nothing_for_the_generator():
    step, _, fake = step_with_logits([0.0], [3.0])
    assert slopes(BCE(flip=1.0).generator_loss(step), fake) == [pytest.approx([sigmoid(3) - 1])]


def test_bce_without_target_noise_draws_nothing():
    torch.manual_seed(0)
    expected = torch.rand(1)
    step, *_ = step_with_logits([1.0, -2.0], [0.5, 3.0])
    torch.manual_seed(0)
    quiet = BCE(target_noise=0.0).discriminator_loss(step)
    assert torch.equal(torch.rand(1), expected)
    assert quiet == BCE().discriminator_loss(step)


def test_bce_with_target_noise_is_cross_entropy_with_noisy_targets():
    """Of real images 1 + 0.1 U and of fakes -0.1 U, each with a draw of its own."""
    step, real, fake = step_with_logits([2.0, -1.0, 0.3], [0.5, -3.0, 9.0])
    torch.manual_seed(0)
    terms = BCE(target_noise=0.1).discriminator_loss(step)
    torch.manual_seed(0)
    real_targets, fake_targets = 1 + 0.1 * torch.rand(3), -0.1 * torch.rand(3)
    for name, logits, targets in (("real", real, real_targets), ("fake", fake, fake_targets)):
        p = logits.detach().double().sigmoid()
        expected = -(targets * p.log() + (1 - targets) * (1 - p).log()).mean()
        assert terms[name].item() == pytest.approx(expected.item(), rel=1e-5)
    assert slopes(terms, real, fake) == [
        pytest.approx(((real.detach().sigmoid() - real_targets) / 3).tolist(), rel=1e-5),
        pytest.approx(((fake.detach().sigmoid() - fake_targets) / 3).tolist(), rel=1e-5),
    ]


def test_bce_target_noise_pushes_outwards_by_half_its_width_on_average():
    torch.manual_seed(0)
    count, noise = 40_000, 0.1
    step, real, fake = step_with_logits([2.0] * count, [-2.0] * count)
    noisy = slopes(BCE(target_noise=noise).discriminator_loss(step), real, fake)
    plain = slopes(BCE().discriminator_loss(step), real, fake)
    error = 5 * noise * (1 / 12 / count) ** 0.5
    for sign, with_noise, without in zip((-1, 1), noisy, plain, strict=True):
        pushed = sum(with_noise) - sum(without)
        assert pushed == pytest.approx(sign * noise / 2, abs=error)


def test_bce_target_noise_pulls_no_further_than_the_clipped_probabilities_of_keras():
    assert sigmoid(CONVINCED) == pytest.approx(1 - 1e-7, rel=1e-12)
    step, real, fake = step_with_logits([CONVINCED + 1, 40.0], [-CONVINCED - 1, -40.0])
    terms = BCE(target_noise=0.5).discriminator_loss(step)
    assert slopes(terms, real, fake) == [pytest.approx([0, 0], abs=1e-7)] * 2
    assert -0.5 * CONVINCED <= terms["real"].item() <= 0
    wrong, *leaves = step_with_logits([-40.0], [40.0])
    mistaken = slopes(BCE(target_noise=0.5).discriminator_loss(wrong), *leaves)
    assert mistaken[0][0] <= -1  # confident mistakes still give a gradient
    assert mistaken[1][0] >= 1


def test_bce_target_noise_goes_outwards_from_flipped_targets_too():
    step, real, fake = step_with_logits([0.0], [0.0])
    ((on_real,), (on_fake,)) = slopes(
        BCE(flip=1.0, target_noise=0.4).discriminator_loss(step), real, fake
    )
    assert 0.5 <= on_real <= 0.9
    assert -0.9 <= on_fake <= -0.5


def test_bce_target_noise_is_for_the_discriminator_alone():
    step, *_ = step_with_logits([0.0], [3.0])
    assert BCE(target_noise=0.5).generator_loss(step) == BCE().generator_loss(step)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"target_noise": -0.1}, "target_noise must not be negative, found -0.1"),
        ({"real_target": 1.1}, "real_target must be from 0 to 1, found 1.1"),
        ({"flip": -0.5}, "flip must be from 0 to 1, found -0.5"),
        ({"flip": 2}, "flip must be from 0 to 1, found 2.0"),
    ],
)
def test_bce_refuses_bad_options(plugins, options, why):
    with pytest.raises(ConfigError, match=f"loss 'bce': {why}"):
        plugins.build("loss", "bce", options)


@pytest.mark.parametrize(
    ("loss", "boundary"),
    [
        (BCE(), 0.0),
        (BCE(real_target=0.9), 0.0),
        (LSGAN(), 0.5),
        (LSGAN(fake_target=-1.0, real_target=2.0), 0.5),
        (LSGAN(fake_target=-1.0, real_target=1.0), 0.0),
        (WGANGP(), None),
    ],
)
def test_boundary_lies_where_a_loss_takes_images_for_real(loss: Loss, boundary: float | None):
    assert loss.boundary == boundary


def test_lsgan_is_half_the_squared_distance_to_its_targets():
    step, real, fake = step_with_logits([0.0, 3.0], [2.0, -1.0])
    terms = LSGAN().discriminator_loss(step)
    assert terms["real"].item() == pytest.approx(0.5 * (1 + 4) / 2)
    assert terms["fake"].item() == pytest.approx(0.5 * (4 + 1) / 2)
    assert slopes(terms, real, fake) == [pytest.approx([-0.5, 1.0]), pytest.approx([1.0, -0.5])]


def test_lsgan_generator_aims_at_the_real_target():
    step, _, fake = step_with_logits([0.0, 0.0], [2.0, -1.0])
    terms = LSGAN().generator_loss(step)
    assert terms["adversarial"].item() == pytest.approx(0.5 * (1 + 4) / 2)
    assert slopes(terms, fake) == [pytest.approx([0.5, -1.0])]


def test_lsgan_targets_are_options():
    loss = LSGAN(fake_target=-1.0, real_target=2.0, fool_target=0.0)
    step, *_ = step_with_logits([0.0], [1.0])
    terms = loss.discriminator_loss(step)
    assert terms["real"].item() == pytest.approx(2.0)
    assert terms["fake"].item() == pytest.approx(2.0)
    assert loss.generator_loss(step)["adversarial"].item() == pytest.approx(0.5)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [1, 2, 8, 64])
@pytest.mark.parametrize("norm", [0.0, 0.5, 1.0, 3.0])
def test_wgan_gp_penalises_a_linear_critic_by_its_slope(count, channels, norm):
    torch.manual_seed(0)
    weight = torch.randn(channels, 4, 4)
    critic = Linear(weight / weight.norm() * norm)
    real, fake = torch.randn(2, count, channels, 4, 4)
    terms = WGANGP(gp_weight=7.0).discriminator_loss(step_of(real, fake, critic))
    assert terms["gradient_penalty"].item() == pytest.approx(7 * (norm - 1) ** 2, abs=1e-4)
    expected = (fake - real).mean(0).mul(critic.weight).sum().item()
    assert terms["wasserstein"].item() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("count", [1, 2, 8, 64])
def test_wgan_gp_penalty_moves_the_weights_along_themselves(count):
    torch.manual_seed(0)
    weight = torch.randn(3, 4, 4)
    critic = Linear(weight / weight.norm() * 3)
    real, fake = torch.randn(2, count, 3, 4, 4)
    penalty = WGANGP().discriminator_loss(step_of(real, fake, critic))["gradient_penalty"]
    (gradient,) = torch.autograd.grad(penalty, critic.weight)
    torch.testing.assert_close(gradient, 2 * 10 * (3 - 1) * critic.weight.detach() / 3)


def test_wgan_gp_generator_raises_the_mean_logit():
    step, _, fake = step_with_logits([0.0, 0.0], [2.0, -1.0])
    terms = WGANGP().generator_loss(step)
    assert terms["adversarial"].item() == pytest.approx(-0.5)
    assert slopes(terms, fake) == [pytest.approx([-0.5, -0.5])]


def interpolates(count: int, channels: int, labels: Tensor | None = None):
    """What WGAN-GP asks the critic between reals of ones and fakes of zeros: the alphas."""
    torch.manual_seed(0)
    critic = Linear(torch.randn(channels, 4, 4))
    shape = (count, channels, 4, 4)
    step = step_of(torch.ones(shape), torch.zeros(shape), critic, labels)
    WGANGP().discriminator_loss(step)
    ((images, asked),) = [(x, y) for x, y in critic.asked if not torch.equal(x, x.round())]
    return images, asked


@pytest.mark.parametrize("channels", [1, 3])
def test_wgan_gp_draws_one_alpha_per_sample(channels):
    images, _ = interpolates(64, channels)
    alphas = images.flatten(1)
    assert (alphas.amax(1) - alphas.amin(1)).max() == pytest.approx(0)
    assert len(alphas[:, 0].unique()) == 64
    assert alphas.min() >= 0
    assert alphas.max() <= 1
    assert alphas[:, 0].mean().item() == pytest.approx(0.5, abs=5 * (1 / 12 / 64) ** 0.5)


def test_wgan_gp_interpolates_carry_the_labels_of_the_reals():
    labels = torch.tensor([2, 0, 1, 1])
    _, asked = interpolates(4, 1, labels)
    assert torch.equal(asked, labels)


def test_wgan_gp_lies_between_each_real_and_its_own_fake():
    torch.manual_seed(0)
    critic = Linear(torch.randn(1, 2, 2))
    real, fake = torch.randn(2, 8, 1, 2, 2)
    WGANGP().discriminator_loss(step_of(real, fake, critic))
    between = next(x for x, _ in critic.asked if not torch.equal(x, real) | torch.equal(x, fake))
    gaps = [(a - b).flatten(1).norm(dim=1) for a, b in ((real, between), (between, fake))]
    torch.testing.assert_close(gaps[0] + gaps[1], (real - fake).flatten(1).norm(dim=1))


def test_wgan_gp_penalty_is_finite_for_a_constant_critic():
    critic = Linear(torch.zeros(1, 4, 4))
    terms = WGANGP().discriminator_loss(step_of(*torch.randn(2, 4, 1, 4, 4), critic))
    assert terms["gradient_penalty"].item() == pytest.approx(10, rel=1e-4)
    (gradient,) = torch.autograd.grad(terms["gradient_penalty"], critic.weight)
    assert gradient.isfinite().all()


@pytest.mark.parametrize(
    ("loss", "n_critic", "lr", "betas", "gradients"),
    [
        (BCE(), 1, 2e-4, (0.5, 0.999), InputGradients.NONE),
        (LSGAN(), 1, 2e-4, (0.5, 0.999), InputGradients.NONE),
        (WGANGP(), 5, 1e-4, (0.0, 0.9), InputGradients.OWN),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_recipes_are_the_published_ones(loss: Loss, n_critic, lr, betas, gradients):
    recipe = loss.recipe
    assert (recipe.n_critic, recipe.betas) == (n_critic, betas)
    assert (recipe.g_lr, recipe.d_lr) == (lr, lr)
    assert loss.input_gradients == gradients


def test_negative_weight_of_a_gradient_penalty_is_refused():
    with pytest.raises(ValueError, match=r"gp_weight must not be negative, found -1\.0"):
        WGANGP(gp_weight=-1.0)
