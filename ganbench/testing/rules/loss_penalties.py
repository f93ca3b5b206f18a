"""What every loss must do that differentiates D at images."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, get_args
from unittest.mock import patch

import torch
from torch import Tensor, nn

from ganbench.contracts.losses import InputGradients, Loss
from ganbench.contracts.steps import Generate, Player, Scored, Step
from ganbench.testing.fixtures.loss_players import ConstantGenerator, LinearCritic
from ganbench.testing.fixtures.loss_steps import (
    Stage,
    close,
    of_equal_samples,
    reaches,
    stage_for,
    total,
)
from ganbench.testing.fixtures.seeding import seeded
from ganbench.testing.rulebook import Rulebook

STEEP = 1.5

rules = Rulebook()


def _may_differentiate(cls: type) -> bool:
    """Whether instances of a class may; where it is a property, each says for itself."""
    return bool(getattr(cls, "input_gradients", InputGradients.NONE))


def _may_at_its_own(cls: type) -> bool:
    declared = getattr(cls, "input_gradients", InputGradients.NONE)
    return isinstance(declared, property) or InputGradients.OWN in declared


@rules.rule
def declared_input_gradients_are_the_ones_used(loss: Loss) -> None:
    stage = stage_for(loss)
    stage.discriminator_terms(loss)
    stage.generator_terms(loss)
    undeclared = stage.watch.used & ~loss.input_gradients
    unused = loss.input_gradients & ~stage.watch.used
    assert not undeclared, (
        f"it differentiates the discriminator at {undeclared!r}, which its `input_gradients` "
        "lack; declare them, so that the discriminator gets no batch norm"
    )
    assert not unused, f"its `input_gradients` declare {unused!r}, which it does not use"


@rules.rule_where(_may_differentiate)
def penalty_gradient_reaches_the_weights(loss: Loss) -> None:
    """Along random directions of D's weights, the loss changes as its gradient says.

    D is asked about the same images each time, as the direction to them may have been searched for
    and not differentiated. Where a gradient at images passes into the loss, other parts of it may
    be held fast on purpose, and it is enough that both point the same way.
    """
    stage = stage_for(loss)
    if not loss.input_gradients or not stage.discriminator_terms(copy.deepcopy(loss)):
        return
    parameters = [*stage.discriminator.parameters()]
    replay = _Replay()
    with replay.noting_slopes():
        value = _seeded(loss, stage, replay)
    passes = any(reaches(value, [slope]) for slope in replay.slopes)
    gradients = torch.autograd.grad(value, parameters, allow_unused=True)
    pairs = []
    for directions in [_unit_direction(parameters) for _ in range(8)]:  # before draws are seeded
        told = sum(
            float((gradient * direction).sum())
            for gradient, direction in zip(gradients, directions, strict=True)
            if gradient is not None
        )
        # The smaller step is for kinks, as of a largest entry; the larger rounds less.
        differences = [_difference(loss, stage, directions, size, replay) for size in (1e-2, 2e-3)]
        pairs.append((told, min((abs(told - one), one) for one in differences)[1]))
    missed = math.hypot(*(told - seen for told, seen in pairs))
    lengths = [math.hypot(*numbers) for numbers in zip(*pairs, strict=True)]
    along = sum(told * seen for told, seen in pairs) > 0.5 * math.prod(lengths)
    told, seen = max(pairs, key=lambda pair: abs(pair[0] - pair[1]))
    assert missed <= 0.02 * lengths[1] + 5e-4 or (passes and along), (
        f"the discriminator's loss changes by {seen:.4g} along its weights where its gradient "
        f"says {told:.4g}; is the penalty detached, or made without create_graph?"
    )


@rules.rule_where(_may_differentiate)
def penalty_sees_the_norm_over_whole_images(loss: Loss) -> None:
    """Two linear critics of one slope, in one pixel or in all, are penalised alike."""
    if not loss.input_gradients:
        return
    everywhere = _by_slope(loss, torch.full((3, 4, 4), STEEP / 48**0.5))
    one_pixel = _by_slope(loss, _one_pixel(STEEP))
    if _alike(everywhere, one_pixel):
        return
    # Another norm than the Euclidean: pixels and channels without slope must not count.
    larger = [_by_slope(loss, _one_pixel(STEEP, *shape)) for shape in ((3, 8), (6, 4))]
    assert all(_alike(one_pixel, other) for other in larger), (
        f"two critics with slopes of one norm are penalised by {everywhere[0]:.4g} and "
        f"{one_pixel[0]:.4g}; take the norm over channels and pixels, as norm_per_sample does"
    )


@rules.rule_where(_may_differentiate)
def steep_critics_are_penalised(loss: Loss) -> None:
    """A linear critic of a very large slope costs no less than one that is nearly flat."""
    if not loss.input_gradients:
        return
    (flat, error), (steep, other) = (_by_slope(loss, _one_pixel(slope)) for slope in (0.01, 100.0))
    assert flat <= steep or close(flat, steep, math.hypot(error, other)), (
        f"a critic that is nearly flat costs {flat:.4g}, and one with a slope of 100 {steep:.4g}; "
        "has the penalty, or what lies between slope and target, the wrong sign?"
    )


@rules.rule
def constant_discriminator_has_finite_gradients(loss: Loss) -> None:
    stage = stage_for(loss)
    stage.discriminator = LinearCritic(torch.zeros(1, 4, 4), class_logits=loss.needs_class_logits)
    terms = stage.discriminator_terms(loss)
    if not terms:
        return
    total(terms).backward()
    for parameter in stage.discriminator.parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), (
            "a discriminator without slope gets a gradient that is not finite; add a small "
            "number inside the root, as norm_per_sample does"
        )


@rules.rule_where(_may_at_its_own)
def interpolates_each_sample_on_its_own(loss: Loss) -> None:
    """Where a loss's own images lie between reals and fakes, each has its own place there."""
    first, second = (_shares_of_reals(loss, seed) for seed in (1, 2))
    if first is None or second is None or first.shape != second.shape:
        return
    remedy = "draw one coefficient for each image, with torch.rand_like(images[:, :1, :1, :1])"
    assert (first.amax(1) - first.amin(1)).max() < 1e-3, (
        f"the pixels of one image are mixed of its real and its fake by different parts; {remedy}"
    )
    alike = (first - first[:1]).abs().max() < 1e-3
    drawn = (first - second).abs().max() > 1e-3
    assert not (alike and drawn), f"one coefficient mixes all images of a batch; {remedy}"


@rules.rule
def own_images_keep_their_labels(loss: Loss) -> None:
    """Only those differentiated at must: wrong labels elsewhere may be meant."""
    stage = stage_for(loss, count=6, resolution=8, classes=6)
    assert stage.labels is not None
    stage.labels = stage.labels[torch.randperm(6)]
    for player in get_args(Player):
        told = _Told()
        stage.terms(loss, player, seen=told.listening)
        step = told.steps[0]
        for images, labels, differentiated in told.scored:
            assert labels is not None, "score() is called without labels; hand on `real.labels`"
            for own, label in zip(images.detach(), labels, strict=True):
                partner = _partner(own, step) if differentiated else None
                assert partner is None or torch.equal(label, stage.labels[partner]), (
                    "score() is told labels that are not the images' own; hand on `real.labels` in "
                    "their own order"
                )
        for labels in told.generated:
            assert labels is not None, "generate() is called without labels; hand on `fake.labels`"


@dataclass
class _Told:
    """What a loss asks of D and G beside the step's own batches."""

    scored: list[tuple[Tensor, Tensor | None, bool]] = field(default_factory=list)
    generated: list[Tensor | None] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def listening(self, step: Step) -> Step:
        self.steps.append(step)

        def score(images: Tensor, labels: Tensor | None, *, track_inputs: bool = False) -> Scored:
            self.scored.append((images, labels, track_inputs))
            return step.score(images, labels, track_inputs=track_inputs)

        return replace(step, score=score, generate=_Listening(step.generate, self.generated))


class _Listening(Generate):
    """G, noting the labels that it is told."""

    def __init__(self, asked: Generate, told: list[Tensor | None]) -> None:
        super().__init__(asked)
        self._asked, self._told = asked, told

    def __call__(self, z: Tensor, labels: Tensor | None) -> Tensor:
        self._told.append(labels)
        return self._asked(z, labels)

    def styles(self, z: Tensor, labels: Tensor | None) -> Tensor:
        self._told.append(labels)
        return self._asked.styles(z, labels)

    def of_styles(self, styles: Tensor) -> Tensor:
        return self._asked.of_styles(styles)


def _shares_of_reals(loss: Loss, seed: int) -> Tensor | None:
    """How much of each pixel of the loss's own images is the real's and not the fake's.

    None where the images are not between them.
    """
    stage = stage_for(loss)
    stage.images = 0.2 + 0.6 * torch.rand(stage.images.shape)
    stage.generator = ConstantGenerator(torch.full(stage.images.shape[1:], -0.5))
    told = _Told()

    def listening(step: Step) -> Step:
        torch.manual_seed(seed)
        return told.listening(step)

    stage.terms(copy.deepcopy(loss), "discriminator", seen=listening)
    real, fake = stage.images, told.steps[0].fake.images.detach()
    own = [x.detach() for x, _, tracked in told.scored if tracked and x.shape == real.shape]
    shares = torch.cat([((x - fake) / (real - fake)).flatten(1) for x in own] or [real[:0]])
    between = shares.numel() > 0 and bool(((shares > -1e-4) & (shares < 1 + 1e-4)).all())
    strictly = between and bool((shares.minimum(1 - shares) > 1e-3).any())
    return shares if strictly else None


def _partner(image: Tensor, step: Step) -> int | None:
    """The index of the real and the fake between which, or near which, an image lies.

    None where no pair is much nearer than the others.
    """
    fake = step.fake.images.detach().flatten(1)
    along = step.real.images.detach().flatten(1) - fake
    offset = image.flatten() - fake
    shares = ((offset * along).sum(1) / along.square().sum(1)).clamp(0, 1)
    nearest, index = (offset - shares[:, None] * along).norm(dim=1).sort()
    return int(index[0]) if nearest[0] < 0.5 * nearest[1] else None


def _one_pixel(slope: float, channels: int = 3, resolution: int = 4) -> Tensor:
    """Weights of a linear critic with all of its slope at one pixel of one channel."""
    weight = torch.zeros(channels, resolution, resolution)
    weight[0, 0, 0] = slope
    return weight


def _by_slope(loss: Loss, weight: Tensor) -> tuple[float, float]:
    """D's loss where all logits are zero, so that slopes alone decide, and its standard error."""
    return of_equal_samples(loss, weight, 2, level=0.0)


def _alike(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return close(one[0], other[0], math.hypot(one[1], other[1]))


@dataclass
class _Replay:
    """Has D asked about the images that it was asked about at first, and notes its slopes there."""

    images: list[Tensor] = field(default_factory=list)
    slopes: list[Tensor] = field(default_factory=list)

    def __call__(self, step: Step) -> Step:
        first, later = not self.images, iter([*self.images])

        def score(images: Tensor, labels: Tensor | None, *, track_inputs: bool = False) -> Scored:
            if first:
                self.images.append(images.detach())
            else:
                images = next(later, images)
            return step.score(images, labels, track_inputs=track_inputs)

        return replace(step, score=score)

    @contextmanager
    def noting_slopes(self) -> Iterator[None]:
        """Note gradients at anything that can itself be differentiated."""
        grad = torch.autograd.grad

        def noted(*args: Any, **options: Any) -> tuple[Tensor, ...]:
            found = grad(*args, **options)
            self.slopes += [x for x in found if x is not None and x.requires_grad]
            return found

        with patch.object(torch.autograd, "grad", noted):
            yield


def _seeded(loss: Loss, stage: Stage, seen: Callable[[Step], Step]) -> Tensor:
    with seeded(1):
        return total(stage.terms(copy.deepcopy(loss), "discriminator", seen=seen))


def _unit_direction(parameters: list[nn.Parameter]) -> list[Tensor]:
    parts = [torch.randn_like(parameter) for parameter in parameters]
    length = torch.stack([part.square().sum() for part in parts]).sum().sqrt()
    return [part / length for part in parts]


def _difference(
    loss: Loss, stage: Stage, directions: list[Tensor], size: float, replay: _Replay
) -> float:
    """The central difference of D's loss along a direction of its weights."""
    values = []
    for sign in (1, -1):
        moved = stage.copy()
        with torch.no_grad():
            for parameter, direction in zip(
                moved.discriminator.parameters(), directions, strict=True
            ):
                parameter.add_(direction, alpha=sign * size)
        values.append(float(_seeded(loss, moved, replay).detach()))
    return (values[0] - values[1]) / (2 * size)
