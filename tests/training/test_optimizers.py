"""Each player follows its gradients as its settings and its optimiser say."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import pytest
import torch
from helpers import methods
from helpers.tiny_trainer import BUILT_IN, CPU, SETTINGS, data_of, same, trainer_of, weights
from torch import nn

from ganbench import ImageSpec, LabeledImages, Loss, Optimizer, PlayerSettings, Schedule
from ganbench.contracts.steps import DiscriminatorOutput
from ganbench.default_plugins.losses import BCE
from ganbench.default_plugins.optimizers import SGD, Adam, AdamW, RMSprop
from ganbench.models.optimizers import built
from ganbench.records.training_settings import HalfLife, OwnSettings
from ganbench.training.meters import gradient_norm
from ganbench.training.state import TrainerState
from ganbench.training.trainer import Trainer

(OptimisticAdam,) = methods.plugins("optimistic_adam")
(ExtraAdam,) = methods.plugins("extra_adam")


# What is set reaches torch


@pytest.mark.parametrize(
    ("plugin", "numbers"),
    [
        (Adam(amsgrad=True), {"betas": (0.1, 0.2), "eps": 0.1, "weight_decay": 0.3}),
        (AdamW(), {"betas": (0.1, 0.2), "eps": 0.1, "weight_decay": 0.3}),
        (RMSprop(alpha=0.7, centered=True), {"momentum": 0.6, "eps": 0.1, "weight_decay": 0.3}),
        (SGD(nesterov=True), {"momentum": 0.6, "weight_decay": 0.3}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_numbers_and_options_reach_torch(plugin, numbers):
    told = replace(PlayerSettings(lr=0.5, betas=(0.5, 0.9)), **numbers)
    (group,) = built(plugin, [nn.Parameter(torch.zeros(2))], told).param_groups
    assert {key: group[key] for key in ("lr", *numbers)} == {"lr": 0.5, **numbers}
    assert {key: group[key] for key in vars(plugin)} == vars(plugin)


@pytest.mark.parametrize("name", BUILT_IN)
def test_what_is_not_said_is_torchs_own(name):
    plugin = BUILT_IN[name]
    told = SETTINGS.told("generator", plugin.defaults, lambda number: number)
    (group,) = built(plugin, [nn.Parameter(torch.zeros(2))], told).param_groups
    theirs = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    theirs |= {"rmsprop": torch.optim.RMSprop, "sgd": torch.optim.SGD}
    (alone,) = theirs[name]([nn.Parameter(torch.zeros(2))], lr=SETTINGS.g_lr).param_groups
    others = {"params", "betas", "fused"}
    assert {k: v for k, v in group.items() if k not in others} == {
        k: v for k, v in alone.items() if k not in others
    }


def test_players_have_settings_of_their_own():
    trainer = trainer_of(
        generator=OwnSettings(weight_decay=0.2),
        discriminator=OwnSettings(optimizer="sgd", betas=(0.1, 0.2), momentum=0.3),
        optimizers=(Adam(), SGD()),
        d_lr=0.05,
    )
    (g,), (d,) = (one.torch.param_groups for one in (trainer.g_optimizer, trainer.d_optimizer))
    assert (g["lr"], g["betas"], g["weight_decay"]) == (SETTINGS.g_lr, SETTINGS.betas, 0.2)
    assert (d["lr"], d["momentum"], d["weight_decay"]) == (0.05, 0.3, 0.0)


def test_decay_and_clipping_follow_schedules():
    half = Schedule.of({"from": 0.4, "to": 0.0})
    own = OwnSettings(weight_decay=half, clip_grad_norm=Schedule.of({"from": 2, "to": 1}))
    trainer = trainer_of(generator=own, kimg=0.08)  # of ten iterations
    for i in range(5):
        trainer.iterate()
        (group,) = trainer.g_optimizer.torch.param_groups
        assert group["weight_decay"] == pytest.approx(0.4 - 0.04 * i)
        assert trainer.g_optimizer.clip_grad_norm == pytest.approx(2 - 0.1 * i)


# Clipping


@pytest.mark.parametrize(("limit", "clipped"), [(1e-3, True), (1e6, False)])
def test_gradients_are_clipped_to_the_norm(limit, clipped):
    free, limited = (
        trainer_of(optimizer="sgd", d_lr=1.0, discriminator=OwnSettings(clip_grad_norm=at))
        for at in (None, limit)
    )
    before = weights(free.discriminator)
    for trainer in (free, limited):
        trainer.discriminator_step(*trainer.batches.next())
    norm = float(gradient_norm(free.game.d_parameters))
    assert float(gradient_norm(limited.game.d_parameters)) == pytest.approx(min(norm, limit), 1e-3)
    share = limit / norm if clipped else 1.0
    moved = [w - b for w, b in zip(weights(free.discriminator), before, strict=True)]
    for was, whole, now in zip(before, moved, weights(limited.discriminator), strict=True):
        torch.testing.assert_close(now - was, share * whole, rtol=1e-2, atol=1e-6)
    assert same(weights(free.generator), weights(limited.generator))


# Steps of G


def test_n_gen_steps_of_g_are_counted():
    trainer = trainer_of(n_gen=3, n_critic=2, kimg=0.08)
    found = trainer.run()
    assert (found.progress.iteration, found.progress.images) == (5, 80)
    assert (found.progress.g_updates, found.progress.d_updates) == (15, 10)
    for window, iterations in zip(found.windows, (4, 1), strict=True):
        assert window.g_steps_per_second == pytest.approx(3 * iterations / window.seconds)
        assert window.images_per_second == pytest.approx(16 * iterations / window.seconds)


def test_n_gen_repeats_the_generators_step():
    several, one = trainer_of(n_gen=2), trainer_of()
    several.iterate()
    images, labels = one.batches.next()
    one.discriminator_step(images, labels)
    for _ in range(2):
        one.generator_step(images, labels)
    assert same(weights(several.generator), weights(one.generator))


# Averages by half-life


@pytest.mark.parametrize(
    ("ema", "half_life"),
    [
        (HalfLife(half_life=0.02), lambda shown: 20.0),
        (HalfLife(half_life=0.02, ramp_up=0.5), lambda shown: min(20.0, 0.5 * shown)),
        (HalfLife(half_life=0.02, start=0.024), lambda shown: 0.0 if shown < 24 else 20.0),
        (
            HalfLife(half_life=Schedule.of({"from": 0.02, "to": 0.01})),
            lambda shown: 20.0 - 10.0 * shown / 80,
        ),
    ],
    ids=["plain", "ramp-up", "start", "scheduled"],
)
def test_half_life_has_its_closed_form(ema, half_life):
    trainer = trainer_of(ema=ema, kimg=0.08)  # 8 images an iteration
    expected = weights(trainer.generator)
    for i in range(8):
        trainer.iterate()
        halved = half_life(8 * i)
        decay = 0.5 ** (8 / halved) if halved else 0.0
        expected = [
            decay * average + (1 - decay) * live
            for average, live in zip(expected, weights(trainer.generator), strict=True)
        ]
        torch.testing.assert_close(weights(trainer.average.generator), expected)


# A game of two numbers


class Point(nn.Module):
    """A generator of one number."""

    def __init__(self) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.tensor(1.5))
        self.image = ImageSpec(1, 1)

    def forward(self, z, labels=None):
        return self.x.expand(len(z), 1, 1, 1)


class Slope(nn.Module):
    """A discriminator that multiplies by another."""

    transforms = ()

    def __init__(self) -> None:
        super().__init__()
        self.y = nn.Parameter(torch.tensor(0.25))

    def forward(self, images, labels=None):
        logits = self.y * images.flatten()
        return DiscriminatorOutput(logits, images.flatten(1))


@dataclass(kw_only=True)
class Linear(Loss):
    """What D says of either."""

    name = "linear"

    def discriminator_loss(self, step):
        return {"difference": step.fake.logits.mean() - step.real.logits.mean()}

    def generator_loss(self, step):
        return {"adversarial": -step.fake.logits.mean()}


def bilinear(optimizer: Optimizer, lr: float, **how) -> Trainer:
    """The game (x - 1) · y: real images are 1, so that both players' rest is at (1, 0)."""
    settings = replace(
        SETTINGS,
        updates="simultaneous",
        extrapolates=optimizer.extrapolates,
        g_lr=lr,
        d_lr=lr,
        betas=(0.0, 0.9),
        kimg=100,
        log_every=10**6,
        **how,
    )
    data = LabeledImages(torch.full((16, 1, 1, 1), 255, dtype=torch.uint8), None)
    return Trainer(
        Point(),
        Slope(),
        [Linear()],
        data,
        lambda count, rng, device: torch.zeros(count, 1),
        settings,
        seed=0,
        device=CPU,
        optimizers=(optimizer, copy.deepcopy(optimizer)),
    )


def distance(trainer: Trainer) -> float:
    """Squared, from where both players rest."""
    x, y = trainer.generator.x.item(), trainer.discriminator.y.item()
    return (x - 1) ** 2 + y**2


@dataclass(kw_only=True)
class ExtraSGD(Optimizer):
    """The extragradient method (Korpelevich, 1976)."""

    name = "extra-sgd"
    extrapolates = True
    uses_betas = False

    def build(self, parameters, settings):
        class Extra(torch.optim.SGD):
            @torch.no_grad()
            def extrapolate(self):
                self.kept = [p.clone() for p in self.param_groups[0]["params"]]
                super().step()

            @torch.no_grad()
            def step(self, closure=None):
                for p, kept in zip(self.param_groups[0]["params"], self.kept, strict=True):
                    p.copy_(kept)
                super().step()

        return Extra(parameters, lr=settings.lr)


@pytest.mark.parametrize(
    ("optimizer", "factor"),
    [(SGD(), lambda lr: 1 + lr**2), (ExtraSGD(), lambda lr: (1 - lr**2) ** 2 + lr**2)],
    ids=["gradient-descent", "extragradient"],
)
def test_a_bilinear_game_has_its_closed_form(optimizer, factor):
    trainer = bilinear(optimizer, 0.3)
    expected = distance(trainer)
    for _ in range(12):
        trainer.iterate()
        expected *= factor(0.3)
        assert distance(trainer) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("optimizer", "settles"),
    [(Adam(), False), (OptimisticAdam(), True), (ExtraAdam(), True)],
    ids=lambda value: getattr(value, "name", None),
)
def test_optimism_and_extragradient_settle_where_adam_does_not(optimizer, settles):
    trainer = bilinear(optimizer, 0.05)
    before = distance(trainer)
    for _ in range(150):
        trainer.iterate()
    assert distance(trainer) < 0.1 * before if settles else distance(trainer) > 0.5 * before


def test_extrapolating_iterations_show_two_batches():
    trainer = bilinear(ExtraSGD(), 0.1)
    trainer.iterate()
    progress = trainer.progress
    assert (progress.images, progress.g_updates, progress.d_updates) == (16, 1, 1)
    assert trainer.iterations == 100_000 / 16


# Going on from a checkpoint


@pytest.mark.parametrize(
    "how",
    [
        {"n_gen": 2, "generator": OwnSettings(weight_decay=0.1, clip_grad_norm=0.5)},
        {"ema": HalfLife(half_life=0.02, ramp_up=0.5, start=0.02)},
        {"optimizers": (OptimisticAdam(), OptimisticAdam()), "updates": "simultaneous"},
        {
            "optimizers": (Adam(), ExtraAdam()),
            "updates": "simultaneous",
            "extrapolates": True,
            "kimg": 0.16,
        },
    ],
    ids=["own-settings", "half-life", "optimistic-adam", "extra-adam"],
)
def test_training_goes_on_to_the_last_bit(how, tmp_path):
    how = {"ema": 0.9, "data": data_of(52), **how}
    whole, file = trainer_of(BCE(), **how), tmp_path / "state.pt"
    whole.on_window = lambda window: file.exists() or torch.save(whole.state().plain(), file)
    expected = everything(whole)
    later = trainer_of(BCE(), **how)
    later.restore(TrainerState.from_plain(torch.load(file, weights_only=True)))
    assert later.progress.iteration == 4 < whole.progress.iteration
    assert same(everything(later), expected)


def everything(trainer: Trainer) -> list[torch.Tensor]:
    found = trainer.run()
    nets = (found.generator, found.discriminator, trainer.generator)
    return [value.clone() for net in nets for value in net.state_dict().values()]
