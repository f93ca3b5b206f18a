"""How every loss must behave: towards what it is given, and from step to step."""

from __future__ import annotations

import copy
from typing import get_args

import torch
from torch import Tensor, nn

from ganbench.contracts.losses import InputGradients, Loss
from ganbench.contracts.steps import Player, Step
from ganbench.testing.fixtures.copies import copies
from ganbench.testing.fixtures.kept_attributes import assert_storable, kept_graph
from ganbench.testing.fixtures.loss_steps import (
    EVERYTHING,
    seeded_terms,
    stage_for,
    total,
)
from ganbench.testing.fixtures.meta_device import on_meta
from ganbench.testing.fixtures.seeding import seeded
from ganbench.testing.rulebook import Rulebook

rules = Rulebook()


@rules.rule
def inputs_are_not_modified(loss: Loss) -> None:
    for player in get_args(Player):
        seen: list[tuple[Step, list[Tensor]]] = []

        def kept(step: Step, seen: list[tuple[Step, list[Tensor]]] = seen) -> Step:
            seen.append((step, [value.detach().clone() for value in _inputs(step).values()]))
            return step

        stage_for(loss).terms(loss, player, seen=kept)
        ((step, before),) = seen
        for (name, now), then in zip(_inputs(step).items(), before, strict=True):
            assert torch.equal(now, then), f"it changes the step's {name}; work on a copy"


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
