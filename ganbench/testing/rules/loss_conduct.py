"""How every loss must behave: towards what it is given, and from step to step."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import get_args

import torch
from torch import Tensor, nn

from ganbench.contracts.losses import InputGradients, Loss
from ganbench.contracts.steps import Player, Step
from ganbench.testing.fixtures.copies import copies
from ganbench.testing.fixtures.kept_attributes import assert_storable, kept_graph
from ganbench.testing.fixtures.loss_steps import (
    EVERYTHING,
    Stage,
    levelled_stage,
    seeded_terms,
    stage_for,
    total,
)
from ganbench.testing.fixtures.meta_device import on_meta
from ganbench.testing.fixtures.seeding import seeded
from ganbench.testing.rulebook import Rulebook

LONG = 50  # rounds of training
rules = Rulebook()


@rules.rule
def inputs_are_not_modified(loss: Loss) -> None:
    """Neither by edits, nor by terms, nor after the step."""
    for player in get_args(Player):
        stage = stage_for(loss)
        stage.copy().warm_up(loss, 1)
        kept = _Kept()
        kept.keep(_batch(stage))
        with _first_fakes(stage.generator, kept.fakes):
            stage.terms(loss, player, seen=kept.step)
        loss.after_discriminator_step(stage.discriminator)
        loss.after_generator_step(stage.generator)
        for name, now, then in kept.seen:
            assert torch.equal(now, then), f"it changes the step's {name} in place; work on a copy"


@rules.rule
def other_losses_may_track_any_batch(loss: Loss) -> None:
    """A regularizer beside it may have every batch tracked; its terms stay the same."""
    stage = stage_for(loss)
    alone, beside = (
        seeded_terms(loss, stage, also=also) for also in (InputGradients.NONE, EVERYTHING)
    )
    for name, term in alone.items():
        assert torch.allclose(term, beside[name], atol=1e-6, equal_nan=True), (
            f"the discriminator's term '{name}' changes where another loss tracks the images"
        )


@rules.rule
def draws_come_from_torch(loss: Loss) -> None:
    stage = stage_for(loss)
    found = []
    for others in (1, 2):
        with seeded(1, others=others):
            terms = stage.discriminator_terms(copy.deepcopy(loss))
        with seeded(1, others=others):
            found.append([*terms.values(), *stage.generator_terms(copy.deepcopy(loss)).values()])
    assert all(torch.allclose(a, b, equal_nan=True) for a, b in zip(*found, strict=True)), (
        "one torch seed gives two values of a term; draw with torch.rand_like and the like, not "
        "with `random` or numpy"
    )


@rules.rule
def steps_do_not_share_a_graph(loss: Loss) -> None:
    """In three rounds of training, every step goes backward through its own terms alone."""
    stage = stage_for(loss)
    remedy = "detach what it remembers from one step to the next"
    for stage.iteration in range(3):
        for player, module, terms in (
            ("discriminator", stage.discriminator, stage.discriminator_terms),
            ("generator", stage.generator, stage.generator_terms),
        ):
            try:
                found = terms(loss)
                if any(term.requires_grad for term in found.values()):
                    _descend(module, total(found))
            except RuntimeError as error:
                if not any(part in str(error) for part in ("second time", "inplace operation")):
                    raise
                raise AssertionError(
                    f"the {player}'s step goes backward through an earlier step; {remedy}"
                ) from error
            if player == "discriminator":
                loss.after_discriminator_step(stage.discriminator)
            kept = kept_graph(vars(loss))
            assert not kept, (
                f"after the {player}'s step, its attribute '{kept}' holds the step's graph, and "
                f"with it all of its memory; {remedy}"
            )


@rules.rule
def what_it_keeps_can_be_stored(loss: Loss) -> None:
    stage_for(loss).warm_up(loss, 2)
    assert_storable(loss)


@rules.rule
def more_than_the_first_batch_is_remembered(loss: Loss) -> None:
    """Where terms go by what was seen first, they go by what came after it too."""
    usual, unlike = levelled_stage(loss, 3.0, 1.0)[0], levelled_stage(loss, -3.0, -1.0)[0]
    usual.game(loss)  # makes its own networks
    unlike.owned = usual.owned

    def terms(first: Stage, rounds: int, then: Stage) -> list[Tensor]:
        return _after(loss, [first, *(rounds * [then])], usual)

    for rounds in (2, LONG):  # most losses are through with the first
        expected = terms(usual, rounds, usual)
        if _same(expected, terms(unlike, rounds, usual)):
            return
        if not _same(expected, terms(usual, rounds, unlike)):
            return
    raise AssertionError(
        f"what it keeps of the first batch decides its terms, and the {LONG} batches after that "
        "count for nothing; renew what it keeps in each step, or where that is the method, say so "
        "in `breaks`"
    )


@rules.rule
def stays_on_the_device(loss: Loss) -> None:
    stage = stage_for(loss).to("meta")
    for player, terms in (
        ("discriminator", stage.discriminator_terms),
        ("generator", stage.generator_terms),
    ):
        with on_meta(f"the {player}'s loss"):
            for name, term in terms(loss).items():
                assert not isinstance(term, Tensor) or term.device.type == "meta", (
                    f"the {player}'s term '{name}' is not on the logits' device; make tensors with "
                    "device=step.real.images.device, or with zeros_like and the like"
                )


@rules.rule
def survives_deepcopy_and_pickle(loss: Loss) -> None:
    stage = stage_for(loss)
    expected = seeded_terms(loss, stage)
    for how, twin in copies(loss):
        for name, term in seeded_terms(twin, stage).items():
            assert torch.allclose(term, expected[name], equal_nan=True), (
                f"after {how}, term '{name}' differs; keep what decides it in fields"
            )


@dataclass
class _Kept:
    """Tensors, each with its values when it was seen."""

    seen: list[tuple[str, Tensor, Tensor]] = field(default_factory=list)

    def keep(self, values: dict[str, Tensor]) -> None:
        self.seen += [(name, value, value.detach().clone()) for name, value in values.items()]

    def fakes(self, images: Tensor) -> None:
        self.keep({"fake images": images})

    def step(self, step: Step) -> Step:
        self.keep(_inputs(step))
        return step


def _after(loss: Loss, seen: Sequence[Stage], then: Stage) -> list[Tensor]:
    """Return both players' terms once a copy of a loss has seen rounds of these stages."""
    loss = copy.deepcopy(loss)
    for iteration, stage in enumerate([*seen, then]):
        stage.iteration = iteration
        with seeded(iteration):
            found = [term for player in get_args(Player) for term in _terms(loss, stage, player)]
        loss.after_discriminator_step(stage.discriminator)
        loss.after_generator_step(stage.generator)
    return found


def _terms(loss: Loss, stage: Stage, player: Player) -> list[Tensor]:
    return [term.detach() for term in stage.terms(loss, player).values()]


def _same(terms: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    return len(terms) == len(others) and all(
        torch.allclose(a, b, rtol=1e-4, atol=1e-6, equal_nan=True)
        for a, b in zip(terms, others, strict=True)
    )


@contextmanager
def _first_fakes(generator: nn.Module, seen: Callable[[Tensor], None]) -> Iterator[None]:
    """Show the images that a generator makes at first: those of the step."""

    def made(module: nn.Module, given: object, images: Tensor) -> None:
        hook.remove()
        seen(images)

    hook = generator.register_forward_hook(made)
    try:
        yield
    finally:
        hook.remove()


def _batch(stage: Stage) -> dict[str, Tensor]:
    found = {"real images": stage.images, "latents": stage.latents}
    return found if stage.labels is None else {**found, "real labels": stage.labels}


def _inputs(step: Step) -> dict[str, Tensor]:
    found = {"latents": step.latents}
    for kind, scored in (("real", step.real), ("fake", step.fake)):
        found |= {f"{kind} images": scored.images, f"{kind} logits": scored.logits}
        found |= {f"{kind} features": scored.features}
        if scored.labels is not None:
            found[f"{kind} labels"] = scored.labels
    return found


@torch.no_grad()
def _descend(module: nn.Module, value: Tensor) -> None:
    """One small step down a term's gradient, which is then gone."""
    module.zero_grad(set_to_none=True)
    value.backward()
    for parameter in module.parameters():
        if parameter.grad is not None:
            parameter.sub_(parameter.grad, alpha=1e-3)
