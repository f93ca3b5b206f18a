"""Tiny players and the steps a loss sees, made as the trainer makes them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ganbench.contracts.losses import (
    DiscriminatorOutput,
    InputGradients,
    Loss,
    Scored,
    Step,
    Terms,
)
from ganbench.testing.draws import seeded
from ganbench.trainer import frozen

LATENT_DIM = 6
CLASSES = 3
DRAWS = 50
EVERYTHING = InputGradients.REAL | InputGradients.FAKE | InputGradients.OWN
Player = Callable[[Tensor, Tensor | None], DiscriminatorOutput]


class TinyGenerator(nn.Module):
    def __init__(self, channels: int, resolution: int, classes: int = CLASSES) -> None:
        super().__init__()
        self.shape = (channels, resolution, resolution)
        self.project = nn.Linear(LATENT_DIM, channels * resolution**2)
        self.embedding = nn.Embedding(classes, LATENT_DIM)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        h = z if labels is None else z + self.embedding(labels)
        return self.project(h).tanh().view(-1, *self.shape)


class TinyDiscriminator(nn.Module):
    """Smooth and per sample, with slopes near one; labels enter as in a projection."""

    def __init__(
        self, channels: int, resolution: int, classes: int = CLASSES, *, class_logits: bool
    ) -> None:
        super().__init__()
        self.hidden = nn.Linear(channels * resolution**2, 8)
        self.logit = nn.Linear(8, 1)
        self.embedding = nn.Embedding(classes, 8)
        self.classes = nn.Linear(8, classes) if class_logits else None

    def forward(self, images: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        h = self.hidden(images.flatten(1)).tanh()
        logits = self.logit(h).squeeze(1)
        if labels is not None:
            logits = logits + (self.embedding(labels) * h).sum(1)
        return DiscriminatorOutput(logits, h, None if self.classes is None else self.classes(h))


class ConstantGenerator(nn.Module):
    """A generator that ignores its latents."""

    def __init__(self, image: Tensor) -> None:  # (C, H, W)
        super().__init__()
        self.image = nn.Parameter(image)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.image.expand(len(z), -1, -1, -1)


class LinearCritic(nn.Module):
    """D(x) = w.x + b, whose slope at every image is w."""

    def __init__(self, weight: Tensor, *, class_logits: bool = False) -> None:  # weight: (C, H, W)
        super().__init__()
        self.weight = nn.Parameter(weight.clone())
        self.bias = nn.Parameter(torch.zeros(()))
        self.class_logits = class_logits

    def forward(self, images: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        logits = (images * self.weight).sum((1, 2, 3)) + self.bias
        classes = logits[:, None] * torch.linspace(-1, 1, CLASSES) if self.class_logits else None
        return DiscriminatorOutput(logits, images.flatten(1), classes)


@dataclass
class Watch:
    """Which of a step's batches a loss differentiated D at."""

    used: InputGradients = InputGradients.NONE

    def over(self, images: Tensor, kind: InputGradients) -> None:
        if images.requires_grad:
            images.register_hook(lambda gradient: self._saw(kind))

    def _saw(self, kind: InputGradients) -> None:
        self.used |= kind


@dataclass
class Stage:
    """A generator, a discriminator and one batch."""

    generator: nn.Module
    discriminator: nn.Module
    images: Tensor
    labels: Tensor | None
    latents: Tensor
    watch: Watch = field(default_factory=Watch)
    iteration: int = 0

    def step(self, tracked: InputGradients) -> Step:
        fakes = self.generator(self.latents, self.labels)
        real = self._scored(self.images, self.labels, tracked, InputGradients.REAL)
        fake = self._scored(fakes, self.labels, tracked, InputGradients.FAKE)
        return Step(real, fake, self.latents, self.iteration, self.score, self.generator)

    def score(self, images: Tensor, labels: Tensor | None, *, track_inputs: bool = False) -> Scored:
        scored = Scored(images, labels, self.discriminator, track_inputs=track_inputs)
        self.watch.over(scored.images, InputGradients.OWN)
        return scored

    def _scored(
        self, images: Tensor, labels: Tensor | None, tracked: InputGradients, kind: InputGradients
    ) -> Scored:
        scored = Scored(images, labels, self.discriminator, track_inputs=kind in tracked)
        if kind in tracked:
            self.watch.over(scored.images, kind)
        return scored

    def discriminator_terms(self, loss: Loss, also: InputGradients = InputGradients.NONE) -> Terms:
        """Terms of D's step; `also` are batches that another loss of the cell tracks."""
        with frozen(self.generator.parameters()):
            return loss.discriminator_loss(self.step(loss.input_gradients | also))

    def generator_terms(self, loss: Loss) -> Terms:
        with frozen(self.discriminator.parameters()):
            return loss.generator_loss(self.step(InputGradients.NONE))

    def copy(self) -> Stage:
        return copy.deepcopy(self)

    def to(self, device: str) -> Stage:
        """The same on another device, in place."""
        self.generator.to(device)
        self.discriminator.to(device)
        self.images, self.latents = self.images.to(device), self.latents.to(device)
        self.labels = None if self.labels is None else self.labels.to(device)
        return self


def stage_for(
    loss: Loss,
    *,
    count: int = 4,
    channels: int = 1,
    resolution: int = 4,
    classes: int = CLASSES,
    labelled: bool = True,
) -> Stage:
    """A stage on which this loss may be judged."""
    generator = TinyGenerator(channels, resolution, classes)
    discriminator = TinyDiscriminator(
        channels, resolution, classes, class_logits=loss.needs_class_logits
    )
    images = torch.rand(count, channels, resolution, resolution) * 2 - 1
    labels = torch.arange(count) % classes if labelled else None
    return Stage(generator, discriminator, images, labels, torch.randn(count, LATENT_DIM))


def levelled(
    loss: Loss, real_level: float, fake_level: float, tracked: InputGradients
) -> tuple[Step, Tensor, Tensor]:
    """A step whose real and fake logits sit near two levels, and the leaves that raise each."""
    stage = stage_for(loss)
    fakes = torch.rand_like(stage.images) * 2 - 1
    raise_real = torch.full((len(fakes),), real_level, requires_grad=True)
    raise_fake = torch.full((len(fakes),), fake_level, requires_grad=True)
    critic = LinearCritic(torch.full((1, 4, 4), 0.01), class_logits=loss.needs_class_logits)

    def scored(images: Tensor, level: Tensor, kind: InputGradients) -> Scored:
        return Scored(images, stage.labels, _raised(critic, level), track_inputs=kind in tracked)

    step = Step(
        real=scored(stage.images, raise_real, InputGradients.REAL),
        fake=scored(fakes, raise_fake, InputGradients.FAKE),
        latents=stage.latents,
        iteration=0,
        score=lambda x, y, *, track_inputs=False: Scored(x, y, critic, track_inputs=track_inputs),
        generate=stage.generator,
    )
    return step, raise_real, raise_fake


def _raised(critic: nn.Module, level: Tensor) -> Player:
    def discriminator(images: Tensor, labels: Tensor | None) -> DiscriminatorOutput:
        output = critic(images, labels)
        return output._replace(logits=output.logits + level)

    return discriminator


def total(terms: Terms) -> Tensor:
    assert terms, "a player's loss returns no term; both need at least one"
    return torch.stack([*terms.values()]).sum()


def reaches(term: Tensor, module: nn.Module) -> bool:
    """Whether a term has a gradient, other than zero, at any of a module's parameters."""
    if not term.requires_grad:
        return False
    gradients = torch.autograd.grad(
        term, list(module.parameters()), allow_unused=True, retain_graph=True
    )
    return any(gradient is not None and bool(gradient.any()) for gradient in gradients)


def objectives(loss: Loss) -> Iterator[tuple[str, Callable[[Step], Terms], InputGradients]]:
    """Each player, its loss, and the batches that are tracked in its step."""
    yield "discriminator", loss.discriminator_loss, loss.input_gradients
    yield "generator", loss.generator_loss, InputGradients.NONE


def seeded_terms(loss: Loss, stage: Stage, also: InputGradients = InputGradients.NONE) -> Terms:
    """D's terms of a copy of a loss: the same draws, and no memory of earlier calls."""
    with seeded(1):
        return stage.discriminator_terms(copy.deepcopy(loss), also)


def of_equal_samples(
    loss: Loss, weight: Tensor, count: int, *, level: float
) -> tuple[float, float]:
    """D's loss under a linear critic where every real, and every fake, is one image: a mean over
    many draws, and its standard error, for losses that draw."""

    def value(seed: int) -> float:
        stage = Stage(
            ConstantGenerator(torch.full(weight.shape, -level)),
            LinearCritic(weight, class_logits=loss.needs_class_logits),
            torch.full((count, *weight.shape), level),
            torch.full((count,), CLASSES - 1),
            torch.ones(count, LATENT_DIM),
        )
        with seeded(seed):
            terms = stage.discriminator_terms(copy.deepcopy(loss))
        return float(total(terms).detach()) if terms else 0.0

    first, second = value(0), value(1)
    if close(first, second):
        return first, 0.0
    values = torch.tensor([first, second, *map(value, range(2, DRAWS))], dtype=torch.float64)
    return float(values.mean()), float(values.std()) / DRAWS**0.5


def close(a: float, b: float, error: float = 0.0) -> bool:
    return abs(a - b) <= 1e-4 * (1 + abs(a)) + 5 * error
