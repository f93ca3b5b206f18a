"""R3GAN's parts against their closed forms and the conformance kit."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from ganbench_r3gan import R1, R2, R3GAN, RelativisticPairing, ResidualBlock
from torch import Tensor, nn

from ganbench import DiscriminatorOutput, ImageSpec, InputGradients, LinearHead, Scored, Step
from ganbench.testing import parametrize_with_checks
from ganbench.training import host_state

MNIST = ImageSpec(channels=1, resolution=28)


@parametrize_with_checks(RelativisticPairing, R1, R2, R1(gamma=3.0, every=4))
def test_loss_conformance(check):
    check()


@parametrize_with_checks(R3GAN)
def test_architecture_conformance(check):
    check()


class Linear(nn.Module):
    """D(x) = w.x"""

    def __init__(self, weight: Tensor) -> None:  # (C, H, W)
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, images: Tensor, labels: Tensor | None) -> DiscriminatorOutput:
        return DiscriminatorOutput((images * self.weight).sum((1, 2, 3)), images.flatten(1))


class Quadratic(nn.Module):
    """D(x) = a/2 |x|^2, whose gradient at x is a x."""

    def __init__(self, a: float) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a))

    def forward(self, images: Tensor, labels: Tensor | None) -> DiscriminatorOutput:
        return DiscriminatorOutput(
            self.a / 2 * images.flatten(1).square().sum(1), images.flatten(1)
        )


def step_of(real: Tensor, fake: Tensor, discriminator, tracked, iteration: int = 0) -> Step:
    def score(images, labels, *, track_inputs=False):
        return Scored(images, labels, discriminator, track_inputs=track_inputs)

    return Step(
        real=score(real, None, track_inputs=InputGradients.REAL in tracked),
        fake=score(fake, None, track_inputs=InputGradients.FAKE in tracked),
        latents=torch.zeros(len(real), 2),
        iteration=iteration,
        score=score,
        generate=lambda z, y: fake,
    )


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
    return Step(*scored, latents, 0, lambda *a, **k: None, lambda z, y: z), *leaves


def both_players(step: Step) -> list[Tensor]:
    loss = RelativisticPairing()
    return [loss.discriminator_loss(step)["adversarial"], loss.generator_loss(step)["adversarial"]]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize("level", [-30.0, 0.0, 5.0])
def test_rpgan_at_equal_logits_is_log_two_for_both_players(level):
    step, *_ = step_with_logits([level, level], [level, level])
    assert [value.item() for value in both_players(step)] == pytest.approx([math.log(2)] * 2)


def test_rpgan_is_the_mean_log_likelihood_of_the_right_order_in_each_pair():
    step, real, fake = step_with_logits([2.0, -1.0], [0.5, 1.0])
    of_discriminator, of_generator = both_players(step)
    gaps = [2.0 - 0.5, -1.0 - 1.0]
    assert of_discriminator.item() == pytest.approx(-sum(math.log(sigmoid(g)) for g in gaps) / 2)
    assert of_generator.item() == pytest.approx(-sum(math.log(sigmoid(-g)) for g in gaps) / 2)
    expected = [sigmoid(-g) / 2 for g in gaps]
    at_real, at_fake = torch.autograd.grad(of_discriminator, (real, fake))
    assert at_real.tolist() == pytest.approx([-slope for slope in expected])
    assert at_fake.tolist() == pytest.approx(expected)
    (at_fake,) = torch.autograd.grad(of_generator, fake)
    assert at_fake.tolist() == pytest.approx([-sigmoid(g) / 2 for g in gaps])


def test_rpgan_depends_on_differences_within_pairs_alone():
    before, *_ = step_with_logits([2.0, -1.0, 0.0], [0.5, 1.0, 3.0])
    shifted, *_ = step_with_logits([12.0, -8.0, 0.0], [10.5, -6.0, 3.0])
    swapped, *_ = step_with_logits([-1.0, 2.0, 0.0], [0.5, 1.0, 3.0])
    value = both_players(before)[0].item()
    assert both_players(shifted)[0].item() == pytest.approx(value)
    assert both_players(swapped)[0].item() != pytest.approx(value, rel=1e-2)


@pytest.mark.parametrize("penalty", [R1, R2])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [1, 2, 8, 64])
def test_penalty_of_a_linear_critic_is_its_squared_slope(penalty, count, channels):
    torch.manual_seed(0)
    critic = Linear(torch.randn(channels, 4, 4))
    regularizer = penalty(gamma=3.0)
    images = torch.randn(2, count, channels, 4, 4)
    terms = regularizer.discriminator_loss(step_of(*images, critic, regularizer.input_gradients))
    value = terms[penalty.name]
    assert value.item() == pytest.approx(1.5 * critic.weight.square().sum().item())
    (gradient,) = torch.autograd.grad(value, critic.weight)
    torch.testing.assert_close(gradient, 3.0 * critic.weight.detach())


@pytest.mark.parametrize(("penalty", "own"), [(R1, 0), (R2, 1)])
def test_penalty_is_taken_at_its_own_images(penalty, own):
    torch.manual_seed(0)
    critic = Quadratic(0.7)
    regularizer = penalty(gamma=2.0)
    images = torch.randn(2, 5, 3, 4, 4)
    terms = regularizer.discriminator_loss(step_of(*images, critic, regularizer.input_gradients))
    length = images[own].flatten(1).square().sum(1).mean().item()
    assert terms[penalty.name].item() == pytest.approx(0.7**2 * length)
    (gradient,) = torch.autograd.grad(terms[penalty.name], critic.a)
    assert gradient.item() == pytest.approx(2 * 0.7 * length)


@pytest.mark.parametrize("penalty", [R1, R2])
def test_lazy_penalty_has_the_same_mean_over_iterations(penalty):
    critic = Linear(torch.full((1, 2, 2), 0.5))
    regularizer = penalty(gamma=1.0, every=4)
    values = [
        sum(term.item() for term in regularizer.discriminator_loss(step).values())
        for step in (
            step_of(*torch.zeros(2, 3, 1, 2, 2), critic, regularizer.input_gradients, iteration)
            for iteration in range(8)
        )
    ]
    assert values == pytest.approx([2.0, 0, 0, 0, 2.0, 0, 0, 0])
    assert sum(values) / 8 == pytest.approx(0.5)


@pytest.mark.parametrize("penalty", [R1, R2])
def test_only_a_lazy_penalty_goes_by_the_number_of_the_iteration(penalty):
    """One that does cannot be captured by `training.compile: graph`."""
    asked: list[float] = []
    iteration = host_state.watched(4, asked.append)
    critic = Linear(torch.ones(1, 2, 2))
    step = step_of(*torch.zeros(2, 3, 1, 2, 2), critic, penalty.input_gradients, iteration)
    penalty().discriminator_loss(step)
    assert asked == []
    penalty(every=4).discriminator_loss(step)
    assert asked == [4]


@pytest.mark.parametrize("penalty", [R1, R2])
def test_penalties_leave_the_generator_alone(penalty):
    critic = Linear(torch.ones(1, 2, 2))
    step = step_of(*torch.zeros(2, 3, 1, 2, 2), critic, InputGradients.NONE)
    assert penalty().generator_loss(step) == {}


def networks(architecture: R3GAN, image: ImageSpec = MNIST) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    return (
        architecture.generator(image, architecture.latent_dim, None),
        architecture.discriminator(image, None),
    )


def shaken(module: nn.Module) -> nn.Module:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return module


def test_residual_branches_start_as_the_identity():
    for net in networks(R3GAN()):
        blocks = [part for part in net.modules() if isinstance(part, ResidualBlock)]
        assert len(blocks) == 6
        for block in blocks:
            h = torch.randn(2, block.expand.in_channels, 5, 5)
            assert torch.equal(block(h), h)


@pytest.mark.parametrize("blocks", [1, 2])
def test_the_other_layers_start_smaller_the_more_blocks_there_are(blocks):
    for net in networks(R3GAN(blocks=blocks, width=32)):
        for block in (part for part in net.modules() if isinstance(part, ResidualBlock)):
            for conv, fan_in in ((block.expand, block.expand.in_channels), (block.spatial, 16 * 9)):
                he = (2 / (1 + 0.2**2) / fan_in) ** 0.5
                expected = he * (3 * blocks) ** -0.25
                assert conv.weight.std().item() == pytest.approx(expected, rel=0.08)
                assert not conv.bias.any()


def test_discriminator_starts_as_a_linear_map():
    _, discriminator = networks(R3GAN())
    a, b = torch.randn(2, 3, 1, 28, 28)
    torch.testing.assert_close(
        discriminator(a + b), discriminator(a) + discriminator(b), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("resolution", [8, 20, 28, 32, 64])
def test_images_and_features_have_the_right_shape_and_range(resolution):
    image = ImageSpec(channels=3, resolution=resolution)
    generator, discriminator = map(shaken, networks(R3GAN(width=8, blocks=1), image))
    images = generator(3 * torch.randn(2, 64), None)
    assert images.shape == (2, 3, resolution, resolution)
    assert images.abs().max().item() == pytest.approx(1.0, abs=0.2)
    assert images.abs().max() <= 1
    assert discriminator(images).shape == (2, discriminator.feature_dim)


@pytest.mark.parametrize("resolution", [1, 4, 7, 18, 29, 36, 100])
def test_other_sizes_are_refused_with_a_reason(resolution):
    reason = R3GAN().unsupported(ImageSpec(channels=1, resolution=resolution))
    assert reason.endswith(f"these images are {resolution} wide")


def block_parameters(width: int, hidden: int, group_size: int) -> int:
    return (width + 1) * hidden + (group_size * 9 + 1) * hidden + hidden * width


def test_parameters_are_counted_by_hand():
    generator, discriminator = networks(R3GAN())
    stages = 2 * sum(block_parameters(width, 2 * width, 16) for width in (16, 32, 64))
    between = 16 * 32 + 32 * 64
    assert sum(p.numel() for p in generator.parameters()) == (
        64 * 64 + 64 * 7 * 7 + stages + between + 16
    )
    assert sum(p.numel() for p in discriminator.parameters()) == 16 + stages + between + 64 * 7 * 7


def test_there_is_no_norm_layer_anywhere():
    allowed = (nn.Conv2d, nn.Linear, nn.Upsample, nn.AvgPool2d, nn.Identity, nn.Tanh, nn.Flatten)
    for net in networks(R3GAN(max_width=16)):
        leaves = [part for part in net.modules() if not list(part.children())]
        assert all(isinstance(part, allowed) for part in leaves)


def test_biases_stand_before_activations_alone():
    for net in networks(R3GAN()):
        biased = [name for name, _ in net.named_parameters() if name.endswith("bias")]
        assert len(biased) == 12
        assert all("expand" in name or "spatial" in name for name in biased)


def test_group_size_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match=r"12 × 2 channels do not divide into groups of 16"):
        R3GAN(width=12)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_penalties_reach_every_weight_of_the_backbone(precision):
    _, backbone = networks(R3GAN(width=8), ImageSpec(channels=1, resolution=16))
    shaken(backbone)
    head = LinearHead(backbone.feature_dim)

    def discriminator(images, labels):
        output = head(backbone(images), labels)
        return output._replace(logits=output.logits.float())

    step = step_of(
        *torch.rand(2, 4, 1, 16, 16), discriminator, InputGradients.REAL | InputGradients.FAKE
    )
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
        terms = {**R1().discriminator_loss(step), **R2().discriminator_loss(step)}
    assert all(term.dtype == torch.float32 and term.isfinite() for term in terms.values())
    for term in terms.values():
        backbone.zero_grad()
        term.backward(retain_graph=True)
        for name, parameter in backbone.named_parameters():
            if parameter.ndim > 1:
                assert parameter.grad.isfinite().all(), name
                assert parameter.grad.any(), name


def test_penalties_in_bfloat16_are_near_those_in_float32():
    _, backbone = networks(R3GAN(width=8), ImageSpec(channels=1, resolution=16))
    shaken(backbone)
    head = LinearHead(backbone.feature_dim)
    values = []
    for enabled in (False, True):
        step = step_of(
            *torch.rand(2, 64, 1, 16, 16, generator=torch.Generator().manual_seed(1)),
            lambda images, labels: head(backbone(images), labels),
            R2.input_gradients,
        )
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            values.append(R2().discriminator_loss(step)["r2"].item())
    assert values[1] == pytest.approx(values[0], rel=0.05)


def test_options_are_those_that_the_readme_lists():
    names = {cls: [f.name for f in dataclasses.fields(cls)] for cls in (R1, R2, R3GAN)}
    assert names[R1] == names[R2] == ["gamma", "every"]
    assert names[R3GAN] == [
        "latent_dim",
        "width",
        "max_width",
        "blocks",
        "expansion",
        "group_size",
    ]


@pytest.mark.parametrize("regularizer", [R1, R2])
def test_penalties_refuse_what_cannot_be_one(regularizer):
    with pytest.raises(ValueError, match="every must be positive, found 0"):
        regularizer(every=0)
    with pytest.raises(ValueError, match=r"gamma must not be negative, found -1\.0"):
        regularizer(gamma=-1.0)
    assert regularizer(gamma=0.0).gamma == 0


@pytest.mark.parametrize("option", ["latent_dim", "width", "blocks", "group_size"])
def test_options_of_the_architecture_are_positive(option):
    with pytest.raises(ValueError, match=f"{option} must be positive, found 0"):
        R3GAN(**{option: 0})
