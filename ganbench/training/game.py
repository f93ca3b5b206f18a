"""The game of a cell: both players, and whoever adds terms to their objectives.

Steps are made here alone, for the trainer and for the conformance kit, so that there is no hook
that one of them does not reach. Nothing here calls `backward` or an optimiser.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial, reduce
from operator import add, or_
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ganbench.contracts.losses import InputGradients, Loss, Terms
from ganbench.contracts.steps import (
    Generate,
    Player,
    PlayerParameters,
    Score,
    Scored,
    Step,
    at_least_float32,
)
from ganbench.contracts.transforms import Transform
from ganbench.models.networks import frozen
from ganbench.models.owned import OwnedNetworks, label_of
from ganbench.models.trained import Progress
from ganbench.training.micro_batches import MicroBatch
from ganbench.training.phases import Phase, unobserved
from ganbench.training.terms import merged

P = TypeVar("P")


class Objective(Protocol):
    """What adds terms to both players' losses: a loss, or a conditioner of the discriminator."""

    def discriminator_loss(self, step: Step) -> Terms:
        """Return the terms that D is to make small."""

    def generator_loss(self, step: Step) -> Terms:
        """Return the terms that G is to make small."""


class Game:
    """Makes what losses see of either player's step, and asks them for their terms."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        losses: Sequence[Loss],
        owned: OwnedNetworks | None = None,
        *,
        progress: Progress | None = None,
        iterations: int = 1,
    ) -> None:
        """Take both players, on their device.

        `losses`: the loss and its regularizers; the discriminator's conditioner may add terms.
        `owned`: the networks that those have of their own.
        `progress`: how far the training is, which whoever trains moves on; of `iterations`.
        """
        self.generator, self.discriminator = generator, discriminator
        self.losses = tuple(losses)
        self.owned = OwnedNetworks() if owned is None else owned
        self.progress = Progress() if progress is None else progress
        self.iterations = iterations
        self.phase: Phase = unobserved
        self.watch_numbers: Callable[[float], float] | None = None  # those that change with steps
        # Listed once: walking through the modules takes a small network's step much longer.
        self.g_parameters: list[Tensor] = [
            *generator.parameters(),
            *self.owned.generator.parameters(),
        ]
        self.d_parameters: list[Tensor] = [
            *discriminator.parameters(),
            *self.owned.discriminator.parameters(),
        ]
        self.parameters = PlayerParameters(
            MappingProxyType(dict(generator.named_parameters())),
            MappingProxyType(dict(discriminator.named_parameters())),
        )
        conditioner = getattr(discriminator, "conditioner", None)
        self.objectives: tuple[Objective, ...] = (
            *self.losses,
            *(() if conditioner is None else (conditioner,)),
        )
        first = sorted(self.objectives, key=lambda one: not getattr(one, "asked_first", False))
        # Each with the name of the phase in which it is asked.
        self._asked = [(f"terms of '{label_of(one)}'", one) for one in first]
        self.input_gradients = reduce(
            or_, (loss.input_gradients for loss in self.losses), InputGradients.NONE
        )
        self._d_editors = _overriding(self.losses, Loss.edit_discriminator_step)
        self._g_editors = _overriding(self.losses, Loss.edit_generator_step)
        transforms: Sequence[Transform] = getattr(discriminator, "transforms", ())
        self.observers = _overriding(transforms, Transform.observe)
        self._generate = Generate(generator)
        self._score_of_g = partial(self._score, keep_graph=True)
        self._asking: list[object] = []  # whoever makes terms or edits now

    def turn(self, player: Player) -> AbstractContextManager[None]:
        """Freeze all that the other player trains."""
        return frozen(self.g_parameters if player == "discriminator" else self.d_parameters)

    def step(self, player: Player, batch: MicroBatch, fakes: Tensor) -> Step:
        """Return a player's step as losses are to see it; fakes (N, C, H, W) are of this batch."""
        if player == "discriminator":
            step = self._step(batch, fakes, self.input_gradients, self._score)
            for editor in self._d_editors:
                step = self._asked_for(editor, editor.edit_discriminator_step, step)
        else:
            tracked = self.input_gradients & InputGradients.FAKE
            step = self._step(batch, fakes, tracked, self._score_of_g)
            for editor in self._g_editors:
                step = self._asked_for(editor, editor.edit_generator_step, step)
        return step

    def terms(self, player: Player, step: Step) -> Terms:
        """Return what the player is to make small: everyone's terms, checked and by name."""
        return self._terms(player, step, ())

    def ask(self, objective: Objective, player: Player, step: Step) -> Terms:
        """Return the terms of one objective alone, as it gives them."""
        if player == "discriminator":
            return self._asked_for(objective, objective.discriminator_loss, step)
        return self._asked_for(objective, objective.generator_loss, step)

    @torch.no_grad()
    def observe(self, step: Step) -> None:
        """Show the transforms a step of D that its losses are done with."""
        for observer in self.observers:
            observer.observe(step)

    def at(
        self,
        step: Step,
        generator: Mapping[str, Tensor] | None,
        discriminator: Mapping[str, Tensor] | None,
    ) -> Step:
        """Return a step at other weights, in which images are tracked as in D's steps."""
        fakes, generate, judge = step.fake.images, step.generate, step.real.discriminator
        if generator is not None:
            generate = Generate(partial(_called, self.generator, generator))
            fakes = generate(step.latents, step.fake.labels)
        if discriminator is not None:
            judge = partial(_called, self.discriminator, discriminator)
        score = partial(Scored, discriminator=judge, keep_graph=True)
        real, fake = _tracked(self.input_gradients)
        return replace(
            step,
            real=score(step.real.images, step.real.labels, track_inputs=real),
            fake=score(fakes, step.fake.labels, track_inputs=fake),
            score=score,
            generate=generate,
        )

    def objective(self, step: Step, player: Player) -> Tensor:
        """Return the sum of a player's terms, a scalar, without those of whoever is asked now.

        What losses remember is afterwards as it was.
        """
        before = [copy.deepcopy(vars(loss)) for loss in self.losses]
        try:
            terms = self._terms(player, step, tuple(self._asking))
        finally:
            for loss, attributes in zip(self.losses, before, strict=True):
                vars(loss).clear()
                vars(loss).update(attributes)
        return total(terms)

    def _terms(self, player: Player, step: Step, left_out: Sequence[object]) -> Terms:
        found: dict[int, Terms] = {}
        for phase, objective in self._asked:
            if not any(objective is one for one in left_out):
                with self.phase(phase):
                    found[id(objective)] = self.ask(objective, player, step)
        return merged((one, found[id(one)]) for one in self.objectives if id(one) in found)

    def _asked_for(self, plugin: object, method: Callable[[Step], P], step: Step) -> P:
        self._asking.append(plugin)
        try:
            return method(replace(step, own=self.owned.of(plugin)) if self.owned else step)
        finally:
            self._asking.pop()

    def _step(
        self, batch: MicroBatch, fakes: Tensor, tracked: InputGradients, score: Score
    ) -> Step:
        real, fake = _tracked(tracked)
        iteration: int = self.progress.iteration
        progress = iteration / self.iterations
        if self.watch_numbers is not None:
            iteration, progress = self.watch_numbers(iteration), self.watch_numbers(progress)  # type: ignore[assignment]
        return Step(
            real=score(batch.images, batch.labels, track_inputs=real),
            fake=score(fakes, batch.fake_labels, track_inputs=fake),
            latents=batch.latents,
            iteration=iteration,
            score=score,
            generate=self._generate,
            progress=progress,
            parameters=self.parameters,
            lookahead=self,
        )

    def _score(
        self,
        images: Tensor,
        labels: Tensor | None,
        *,
        track_inputs: bool = False,
        keep_graph: bool = False,
    ) -> Scored:
        return Scored(
            images, labels, self.discriminator, track_inputs=track_inputs, keep_graph=keep_graph
        )


def total(terms: Terms) -> Tensor:
    """Return the sum of a player's terms, a scalar in float32 or float64."""
    return reduce(add, [at_least_float32(term) for term in terms.values()])


def _tracked(inputs: InputGradients) -> tuple[bool, bool]:
    """Return whether reals, and whether fakes, are tracked."""
    return InputGradients.REAL in inputs, InputGradients.FAKE in inputs


def _called(
    module: nn.Module, weights: Mapping[str, Tensor], x: Tensor, labels: Tensor | None = None
) -> Any:
    return functional_call(module, dict(weights), (x, labels))


def _overriding(plugins: Sequence[P], method: Callable[..., object]) -> list[P]:
    """Return the plugins whose class has a method of its own in the place of the contract's."""
    name = method.__name__
    return [one for one in plugins if getattr(type(one), name, method) is not method]
