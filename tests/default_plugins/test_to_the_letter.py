"""What lets a file say what a source says: D's loss halved, noise for G, which α, label maps."""

from __future__ import annotations

import math

import pytest
import torch
from helpers.critics import Linear, step_of
from helpers.tiny_trainer import trainer_of
from torch import Tensor, nn

from ganbench import DiscriminatorOutput, ImageSpec, Scored, Step, gradient_penalty
from ganbench.contracts.penalties import interpolated
from ganbench.default_plugins.conditionings import ConcatPlanes
from ganbench.default_plugins.constraints import GradientPenalty
from ganbench.default_plugins.losses import BCE, CONVINCED
from ganbench.errors import ContractError
from ganbench.models.networks import ConditionalDiscriminator


def step_with_logits(*logits: Tensor) -> Step:
    scored = [
        Scored(
            torch.zeros(len(leaf), 1, 1, 1),
            None,
            lambda images, labels, leaf=leaf: DiscriminatorOutput(leaf, leaf[:, None]),
        )
        for leaf in logits
    ]
    latents = torch.zeros(len(logits[0]), 2)
    return Step(*scored, latents, 0, lambda *a, **k: None, lambda z, y: z)


# The loss of D halved


@pytest.mark.parametrize("options", [{}, {"target_noise": 0.1}, {"real_target": 0.9, "flip": 0.1}])
def test_half_of_d_s_loss_is_half_of_each_term_and_none_of_g_s(options):
    step = step_with_logits(torch.tensor([2.0, -1.0]), torch.tensor([0.5, -3.0]))
    torch.manual_seed(0)
    whole = BCE(**options).discriminator_loss(step)
    torch.manual_seed(0)
    half = BCE(d_weight=0.5, **options).discriminator_loss(step)
    assert half.keys() == whole.keys()
    for name in whole:
        assert half[name].item() == pytest.approx(whole[name].item() / 2)
    assert torch.equal(*(BCE(d_weight=w).generator_loss(step)["adversarial"] for w in (1.0, 0.5)))


# Noisy targets for G


def noisy(noise: float, logits: Tensor) -> tuple[float, Tensor]:
    logits = logits.clone().requires_grad_()
    step = step_with_logits(logits, logits)
    loss = BCE(g_target_noise=noise).generator_loss(step)["adversarial"]
    (slope,) = torch.autograd.grad(loss, logits)
    return loss.item(), slope


def test_noisy_targets_of_g_are_bce_against_one_and_noise():
    logits = torch.tensor([0.3, -2.0, 5.0])
    torch.manual_seed(3)
    found, slope = noisy(0.1, logits)
    torch.manual_seed(3)
    targets = 1 + 0.1 * torch.rand(3)
    p = torch.sigmoid(logits)
    expected = -(targets * p.log() + (1 - targets) * (1 - p).log()).mean()
    assert found == pytest.approx(expected.item(), rel=1e-5)
    torch.testing.assert_close(slope, (p - targets) / 3)


def test_noise_does_not_pull_on_a_convinced_d():
    _, slope = noisy(0.1, torch.tensor([CONVINCED + 1]))
    assert -1e-6 < slope.item() < 0


def test_without_noise_g_s_loss_is_what_it_was_to_the_last_bit():
    logits = torch.tensor([0.3, -2.0, 5.0])
    assert noisy(0.0, logits)[0] == torch.nn.functional.softplus(-logits).mean().item()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"d_weight": 0.0}, "d_weight must be positive, found 0"),
        ({"g_target_noise": -0.1}, "g_target_noise must not be negative, found -0.1"),
        ({"g_target_noise": 0.1, "saturating": True}, "g_target_noise is of targets of 1, found"),
    ],
)
def test_options_of_bce_that_mean_nothing_are_refused(options, why):
    with pytest.raises(ValueError, match=why):
        BCE(**options)


# Whose share alpha is


@pytest.mark.parametrize(("of", "around"), [("real", -1.0), ("fake", 1.0)])
def test_normal_shares_lie_around_the_other_one(of, around):
    """Reals are 1 and fakes -1: a share of 0, the mean, is the one that it is not of."""
    real, fake = torch.ones(4000, 1, 1, 1), -torch.ones(4000, 1, 1, 1)
    torch.manual_seed(0)
    points = interpolated(
        step_of(real, fake, Linear(torch.ones(1, 1, 1))), "normal", alpha_of=of
    ).images
    assert points.mean().item() == pytest.approx(around, abs=4 * 2 / math.sqrt(4000))
    assert points.std().item() == pytest.approx(2, rel=0.05)


def test_alpha_of_is_of_interpolates_alone():
    with pytest.raises(ValueError, match="alpha_of decides images of at: interpolates alone"):
        GradientPenalty(at="real", alpha_of="fake")


# The penalty over label maps


class Flat(nn.Module):
    """A linear backbone: the head's sum of it has a slope that a pencil finds."""

    feature_dim = 1

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.asked = 0

    def forward(self, images: Tensor) -> Tensor:
        self.asked += 1
        return (images * self.weight).sum((1, 2, 3))[:, None]


def critic() -> tuple[ConditionalDiscriminator, Tensor]:
    """One with planes for three classes beside two channels of 4×4, and its backbone's weights."""
    weight = torch.randn(5, 4, 4, generator=torch.Generator().manual_seed(0))
    network = ConditionalDiscriminator(ConcatPlanes(ImageSpec(2, 4, 3), 1.0), Flat(weight))
    nn.init.constant_(network.head.linear.weight, 2.0)
    return network, 2 * weight


def penalty(network: nn.Module, **options) -> float:
    images, labels = torch.rand(2, 6, 2, 4, 4) * 2 - 1, torch.tensor([0, 1, 2, 0, 1, 2])
    step = step_of(*images, network, labels=labels)
    (term,) = GradientPenalty(**options).discriminator_loss(step).values()
    return term.item()


def test_over_label_maps_the_slope_is_that_at_all_channels():
    network, slope = critic()
    assert penalty(network, weight=3.0) == pytest.approx(
        3 * (slope[:2].norm().item() - 1) ** 2, rel=1e-4
    )
    network.backbone.asked = 0
    assert penalty(network, weight=3.0, label_maps=True) == pytest.approx(
        3 * (slope.norm().item() - 1) ** 2, rel=1e-4
    )
    assert network.backbone.asked == 1  # no further pass


def test_a_penalty_over_label_maps_trains_d():
    found = trainer_of(BCE(), GradientPenalty(label_maps=True), kimg=0.1).run()
    plain = trainer_of(BCE(), GradientPenalty(), kimg=0.1).run()
    terms = [run.windows[-1].d_terms["gradient_penalty"] for run in (found, plain)]
    assert math.isfinite(terms[0])
    assert terms[0] != terms[1]


def test_the_gradient_at_what_is_shown_has_the_image_s_for_its_first_channels():
    network, slope = critic()
    images, labels = torch.randn(3, 2, 4, 4), torch.tensor([0, 1, 2])
    scored = Scored(images, labels, network, track_inputs=True)
    torch.testing.assert_close(scored.shown_gradient, slope.expand(3, -1, -1, -1))
    torch.testing.assert_close(scored.input_gradient, scored.shown_gradient[:, :2])
    torch.testing.assert_close(scored.kept(torch.tensor([1])).shown_gradient, slope[None])


def test_a_d_in_one_piece_is_shown_the_image():
    scored = Scored(torch.randn(3, 2, 4, 4), None, Linear(torch.ones(2, 4, 4)), track_inputs=True)
    torch.testing.assert_close(scored.shown_gradient, torch.ones(3, 2, 4, 4))


def test_a_d_that_is_no_module_shows_nothing():
    def judge(images: Tensor, labels: Tensor | None) -> DiscriminatorOutput:
        return DiscriminatorOutput(images.sum((1, 2, 3)), images.flatten(1))

    scored = Scored(torch.randn(3, 2, 4, 4), None, judge, track_inputs=True)
    with pytest.raises(ContractError, match="of what D's backbone is shown, and this D is no mod"):
        gradient_penalty(scored, label_maps=True)


def test_an_untracked_image_has_no_slope_over_label_maps():
    network, _ = critic()
    scored = Scored(torch.randn(3, 2, 4, 4), torch.zeros(3, dtype=torch.long), network)
    with pytest.raises(ContractError, match="shown_gradient was read on images that are not"):
        _ = scored.shown_gradient


# What D's layers make


def test_layers_are_what_modules_made_and_cost_no_pass_of_their_own():
    network, _ = critic()
    images, labels = torch.randn(3, 2, 4, 4), torch.tensor([0, 1, 2])
    scored = Scored(images, labels, network)
    made = scored.layers("backbone", "head.l*")
    assert made.keys() == {"backbone", "head.linear"}
    torch.testing.assert_close(made["backbone"], scored.features)
    torch.testing.assert_close(made["head.linear"][:, 0], scored.logits)
    assert network.backbone.asked == 1
    kept = scored.kept(torch.tensor([2])).layers("backbone")
    torch.testing.assert_close(kept["backbone"], made["backbone"][2:])


@pytest.mark.parametrize("name", ["backbone.layers.9", "nothing*"])
def test_a_layer_that_d_has_not_is_named_beside_those_that_it_has(name):
    network, _ = critic()
    scored = Scored(torch.randn(3, 2, 4, 4), torch.zeros(3, dtype=torch.long), network)
    with pytest.raises(ContractError, match=r"D has no layer '.*'; it has conditioner, .*backbone"):
        scored.layers(name)
