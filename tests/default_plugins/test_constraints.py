"""Penalties on D's slope and clipped weights: closed forms, and what they are equal to."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import pytest
import torch
from helpers import methods
from helpers.critics import Linear, step_of
from helpers.tiny_trainer import trainer_of, weights
from torch import Tensor

from ganbench import DiscriminatorOutput, InputGradients, Scored
from ganbench.default_plugins.constraints import GradientPenalty, WeightClipping
from ganbench.default_plugins.losses import BCE, LSGAN, WGAN, WGANGP
from ganbench.errors import ConfigError
from ganbench.training.trainer import Trainer

ITERATIONS = 60
DRAGAN = methods.package("dragan").DRAGAN
WGANClip = methods.package("wgan-clip").WGANClip


# Equal to what there was, to the last bit


def told(trainer: Trainer) -> list[tuple[dict[str, Tensor], list[Tensor], list[Tensor]]]:
    """The terms of both players and all weights, iteration by iteration."""
    found = []
    for _ in range(ITERATIONS):
        batch = trainer.next_batch()
        d_terms = trainer.discriminator_step(*batch).items()
        terms = {f"d {k.removesuffix('_dragan')}": v.detach() for k, v in d_terms}
        terms |= {f"g {k}": v.detach() for k, v in trainer.generator_step(*batch).items()}
        found.append((terms, weights(trainer.discriminator), weights(trainer.generator)))
        trainer.progress.iteration += 1
    return found


EQUAL = {
    "wgan-gp": ([WGANGP(gp_weight=3.0)], [WGAN(), GradientPenalty(weight=3.0)]),
    "dragan": (
        [DRAGAN(gp_weight=3.0, noise=0.7)],
        [BCE(), GradientPenalty(at="dragan", weight=3.0, reach=0.7)],
    ),
    "wgan-clip": ([WGANClip(clip=0.05)], [WGAN(), WeightClipping(clip=0.05)]),
}


@pytest.mark.parametrize("name", EQUAL)
def test_a_loss_with_its_constraint_is_the_loss_beside_it(name):
    one, two = (told(trainer_of(*losses)) for losses in EQUAL[name])
    for (a_terms, *a_weights), (b_terms, *b_weights) in zip(one, two, strict=True):
        assert a_terms == b_terms
        for a, b in zip(a_weights, b_weights, strict=True):
            assert all(map(torch.equal, a, b))
    assert not torch.equal(one[0][1][0], one[-1][1][0])  # it learned


def test_penalties_at_several_places_go_beside_each_other():
    places = ("interpolates", "dragan", "real", "fake")
    trainer = trainer_of(BCE(), *(GradientPenalty(at=place) for place in places))
    terms = trainer.discriminator_step(*trainer.batches.next())
    penalties = [name for name in terms if name.startswith("gradient_penalty")]
    assert sorted(penalties) == [
        "gradient_penalty",
        "gradient_penalty_dragan",
        "gradient_penalty_fake",
        "gradient_penalty_real",
    ]


# Closed forms on a linear critic, whose slope is known


def penalty(of: Tensor, **options) -> float:
    """The term under D(x) = of · x."""
    torch.manual_seed(0)
    critic = Linear(of)
    real, fake = (
        Scored(images, None, critic, track_inputs=True)
        for images in torch.rand(2, 5, *of.shape) * 2 - 1
    )
    step = replace(step_of(real.images, fake.images, critic), real=real, fake=fake)
    (term,) = GradientPenalty(**options).discriminator_loss(step).values()
    return term.item()


def slope_of(norm: float, shape=(3, 4, 4)) -> Tensor:
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    return weight / weight.norm() * norm


@pytest.mark.parametrize("at", ["interpolates", "real", "fake", "dragan"])
@pytest.mark.parametrize("norm", [0.5, 1.0, 3.0])
def test_two_sided_it_is_the_squared_distance_from_the_target(at, norm):
    found = penalty(slope_of(norm), at=at, weight=7.0, target=0.8)
    assert found == pytest.approx(7 * (norm - 0.8) ** 2, abs=1e-4)


@pytest.mark.parametrize(("norm", "cost"), [(0.5, 0.0), (1.9, 0.0), (3.0, 1.0), (4.0, 4.0)])
def test_one_sided_slopes_below_the_target_cost_nothing(norm, cost):
    found = penalty(slope_of(norm), weight=7.0, target=2.0, one_sided=True)
    assert found == pytest.approx(7 * cost, abs=1e-4)


@pytest.mark.parametrize("gamma", [0.5, 10.0])
def test_zero_centred_at_reals_it_is_r1(gamma):
    found = penalty(slope_of(3.0), at="real", target=0.0, weight=gamma / 2)
    assert found == pytest.approx(gamma / 2 * 9, rel=1e-5)


def test_linf_is_the_largest_entry():
    weight = slope_of(3.0)
    found = penalty(weight, norm="linf", weight=2.0, target=0.1)
    assert found == pytest.approx(2 * (weight.abs().max().item() - 0.1) ** 2, rel=1e-5)


def quadratic(images: Tensor, labels: Tensor | None) -> DiscriminatorOutput:
    """D(x) = |x|²/2, whose slope at x is |x|."""
    return DiscriminatorOutput(images.square().sum((1, 2, 3)) / 2, images.flatten(1))


def points_of(seed: int = 0, count: int = 6, **options) -> tuple[Tensor, float]:
    """Where the penalty is taken, and what it is under D(x) = |x|²/2."""
    asked: list[Tensor] = []

    def watching(images: Tensor, labels: Tensor | None) -> DiscriminatorOutput:
        asked.append(images.detach())
        return quadratic(images, labels)

    real, fake = torch.rand(2, count, 1, 4, 4, generator=torch.Generator().manual_seed(1)) * 2 - 1
    torch.manual_seed(seed)
    (term,) = GradientPenalty(**options).discriminator_loss(step_of(real, fake, watching)).values()
    (points,) = asked
    return points, term.item()


@pytest.mark.parametrize("at", ["interpolates", "dragan"])
@pytest.mark.parametrize("reduce", ["mean", "max"])
def test_reduce_is_over_images(at, reduce):
    points, term = points_of(at=at, reduce=reduce, weight=3.0)
    squared = (points.flatten(1).norm(dim=1) - 1).square()
    expected = squared.max() if reduce == "max" else squared.mean()
    assert term == pytest.approx(3 * expected.item(), rel=1e-5)


def test_lazily_it_is_as_much_heavier_as_it_is_rarer():
    step = step_of(*torch.randn(2, 4, 3, 4, 4), Linear(slope_of(3.0)))
    lazy = GradientPenalty(every=4, weight=2.0)
    found = [lazy.discriminator_loss(replace(step, iteration=i)) for i in range(6)]
    assert [bool(terms) for terms in found] == [True, False, False, False, True, False]
    assert found[4]["gradient_penalty"].item() == pytest.approx(4 * 2 * 4, rel=1e-5)


@pytest.mark.parametrize("alpha", ["uniform", "normal"])
def test_alpha_is_each_images_share_of_the_real(alpha):
    critic = Linear(torch.randn(1, 2, 2))
    step = step_of(torch.ones(4000, 1, 2, 2), torch.zeros(4000, 1, 2, 2), critic)
    torch.manual_seed(0)
    GradientPenalty(alpha=alpha).discriminator_loss(step)
    ((images, _),) = critic.asked
    shares = images.flatten(1)
    assert (shares.amax(1) - shares.amin(1)).max() < 1e-6
    mean, sd = (0.5, 12**-0.5) if alpha == "uniform" else (0.0, 1.0)
    assert shares[:, 0].mean().item() == pytest.approx(mean, abs=5 * sd / 4000**0.5)
    assert shares[:, 0].std().item() == pytest.approx(sd, rel=0.1)
    assert (shares.min() < 0) == (alpha == "normal")


@pytest.mark.parametrize("reach", [0.25, 0.5])
def test_symmetric_noise_goes_both_ways_as_far_as_its_reach(reach):
    real = 0.2 * torch.randn(64, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    critic = Linear(torch.zeros(3, 8, 8))
    GradientPenalty(at="dragan", noise="symmetric", reach=reach).discriminator_loss(
        step_of(real, real, critic)
    )
    ((points, _),) = critic.asked
    bound = reach * real.double().std(correction=0).item()
    shares = (points - real).double()[real.abs() < 0.8] / bound
    assert shares.min().item() == pytest.approx(-1, abs=1e-2)
    assert shares.max().item() == pytest.approx(1, abs=1e-2)
    assert shares.mean().item() == pytest.approx(0, abs=5 / (3 * shares.numel()) ** 0.5)


def test_symmetric_noise_stays_among_images_and_positive_noise_is_as_it_was():
    real = torch.ones(8, 1, 4, 4)
    real[:4] = -1
    for noise, least, largest in (("symmetric", -1.0, 1.0), ("positive", -1.0, 1.5)):
        critic = Linear(torch.zeros(1, 4, 4))
        GradientPenalty(at="dragan", noise=noise).discriminator_loss(step_of(real, real, critic))
        ((points, _),) = critic.asked
        assert points.min().item() == pytest.approx(least, abs=0.03)
        assert points.max().item() == pytest.approx(largest, abs=0.03)


def test_penalties_at_reals_and_at_fakes_go_side_by_side():
    both = [GradientPenalty(at=at, target=0.0) for at in ("real", "fake")]
    trainer = trainer_of(BCE(), *both)
    terms = trainer.discriminator_step(*trainer.next_batch())
    assert {"gradient_penalty_real", "gradient_penalty_fake"} <= terms.keys()


# What options decide


@pytest.mark.parametrize(
    ("options", "gradients", "pairs", "whole"),
    [
        ({}, InputGradients.OWN, True, False),
        ({"at": "real"}, InputGradients.REAL, False, False),
        ({"at": "fake"}, InputGradients.FAKE, False, False),
        ({"at": "dragan"}, InputGradients.OWN, False, True),
        ({"reduce": "max"}, InputGradients.OWN, True, True),
    ],
)
def test_options_decide_what_it_declares(options, gradients, pairs, whole):
    found = GradientPenalty(**options)
    assert (found.input_gradients, found.pairs_labels, found.whole_batch) == (
        gradients, pairs, whole,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        ("gradient-penalty", {"weight": -1}, "weight must not be negative, found -1"),
        ("gradient-penalty", {"target": -0.5}, "target must not be negative, found -0.5"),
        ("gradient-penalty", {"every": 0}, "every must be positive, found 0"),
        ("gradient-penalty", {"at": "dragan", "reach": -1}, "reach must not be negative"),
        ("gradient-penalty", {"at": "reals"}, "at: "),
        (
            "gradient-penalty",
            {"at": "real", "alpha": "normal"},
            "alpha decides images of at: interpolates alone, found at: real",
        ),
        (
            "gradient-penalty",
            {"noise": "symmetric"},
            "noise decides images of at: dragan alone, found at: interpolates",
        ),
        ("weight-clipping", {"clip": 0}, "clip must be positive, found 0"),
    ],
)
def test_bad_options_are_refused(plugins, name, options, why):
    with pytest.raises(ConfigError, match=f"loss '{name}': {why}"):
        plugins.build("loss", name, options)


def test_clipped_weights_stay_within_the_clip():
    trainer = trainer_of(WGAN(), WeightClipping(clip=0.02), optimizer="rmsprop", d_lr=1e-2)
    for _ in range(3):
        trainer.discriminator_step(*trainer.next_batch())
        largest = max(p.detach().abs().max().item() for p in trainer.discriminator.parameters())
        assert largest == pytest.approx(0.02)


# Every loss beside every penalty

LOSSES = (
    BCE(),
    LSGAN(),
    WGAN(),
    WGANGP(),
    DRAGAN(),
    methods.package("hinge").Hinge(),
    methods.package("ragan").RelativisticAverage(),
    methods.package("r3gan").RelativisticPairing(),
)
PENALTIES = tuple(
    GradientPenalty(at=at, target=target, norm=norm, one_sided=target == 1)
    for at, (target, norm) in product(
        ("interpolates", "real", "fake", "dragan"), ((0.0, "l2"), (1.0, "linf"))
    )
)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_penalties_beside_any_loss_are_finite(loss):
    for constraint in (*PENALTIES, WeightClipping(clip=0.5)):
        if hasattr(loss, "gp_weight") and InputGradients.OWN in constraint.input_gradients:
            continue  # two terms of one name
        trainer = trainer_of(loss, constraint)
        for _ in range(3):
            batch = trainer.next_batch()
            terms = {**trainer.discriminator_step(*batch), **trainer.generator_step(*batch)}
            assert all(math.isfinite(term) for term in terms.values())
        for network in (trainer.discriminator, trainer.generator):
            assert all(p.isfinite().all() for p in network.parameters())
