"""What every loss must keep that owns networks, edits steps, reads weights or looks ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import get_args

import torch
from torch import Tensor, nn

from ganbench.contracts.losses import Loss
from ganbench.contracts.steps import Player, Step
from ganbench.testing.fixtures.loss_steps import (
    Adversary,
    Stage,
    reaches,
    same_labels,
    stage_for,
)
from ganbench.testing.fixtures.seeding import seeded
from ganbench.testing.rulebook import Rulebook

rules = Rulebook()


def _overrides(*names: str) -> Callable[[type], bool]:
    return partial(_has_own, names)


def _has_own(names: tuple[str, ...], cls: type) -> bool:
    return any(getattr(cls, name, None) is not getattr(Loss, name) for name in names)


@rules.rule_where(_overrides("networks"))
def owned_networks_learn_with_their_player(loss: Loss) -> None:
    stage = stage_for(loss)
    stage.game(loss)
    assert stage.owned, "networks() returns none; leave it out"
    for player in get_args(Player):
        for name, network in getattr(stage.owned, player).items():
            weights = [*network.parameters()]
            assert weights, f"its network '{name}' has no weights; call a function in its place"
            terms = stage.terms(loss, player).values()
            assert any(reaches(term, weights) for term in terms), (
                f"its network '{name}' learns with the {player}, and no term of the {player}'s "
                "step has a gradient there; use `step.own`, or name the other player"
            )


@rules.rule_where(_overrides("networks"))
def every_trial_has_networks_of_its_own(loss: Loss) -> None:
    first, second = (stage_for(loss).game(loss).owned for _ in range(2))
    for one, other in zip(first, second, strict=True):
        shared = {id(p) for p in one.parameters()} & {id(p) for p in other.parameters()}
        assert not shared, "networks() gives the same weights twice; make them anew in each call"
    kept = [name for name, value in vars(loss).items() if _holds_a_module(value)]
    assert not kept, (
        f"its attribute '{kept[0]}' holds a network, which checkpoints and devices do not reach "
        "there; return it from networks(), and take it from `step.own`"
    )


@rules.rule
def no_weights_beside_the_players(loss: Loss) -> None:
    """Whatever a term trains is in a player, or owned; no optimiser has other weights."""
    stage = stage_for(loss)
    stage.game(loss)  # makes its own networks
    for player in get_args(Player):
        known = {id(p) for p in _all_weights(stage)}
        for name, term in stage.terms(loss, player).items():
            strangers = [
                leaf
                for leaf in _leaves(term)
                if isinstance(leaf, nn.Parameter) and id(leaf) not in known
            ]
            assert not strangers, (
                f"the {player}'s term '{name}' has a gradient at weights {_shape(strangers[0])} "
                "that no optimiser has; return their module from networks(), and take it from "
                "`step.own`"
            )


@rules.rule
def weights_are_read_only(loss: Loss) -> None:
    """Terms and edits leave all weights as they are; what constrains them keeps the tensors."""
    stage = stage_for(loss)
    stage.game(loss)  # makes its own networks
    everything = _all_weights(stage)
    for player in get_args(Player):
        before = [(id(p), p._version) for p in everything]
        stage.terms(loss, player)
        assert before == [(id(p), p._version) for p in _all_weights(stage)], (
            f"weights change while the {player}'s terms are made; only optimisers and "
            f"after_{player}_step change them"
        )
    loss.after_discriminator_step(stage.discriminator)
    loss.after_generator_step(stage.generator)
    assert [*map(id, _all_weights(stage))] == [*map(id, everything)], (
        "after a step, a network has other tensors as weights, which its optimiser does not know; "
        "change them in place, as with clamp_ under torch.no_grad"
    )


@rules.rule
def looking_ahead_is_declared(loss: Loss) -> None:
    stage = stage_for(loss)
    stage.discriminator_terms(loss)
    stage.generator_terms(loss)
    assert loss.looks_ahead or not stage.looked_ahead, (
        "it asks for a step at other weights; declare `looks_ahead = True`, so that networks are "
        "not compiled with their own"
    )
    assert loss.looks_ahead or not stage.saw_layers, (
        "it asks what layers of D made, which a compiled network does not say; declare "
        "`looks_ahead = True`"
    )


@rules.rule_where(_overrides("edit_discriminator_step", "edit_generator_step"))
def edited_steps_are_whole(loss: Loss) -> None:
    for player, edited, stage in _edited(loss):
        parts = {"real": edited.real, "fake": edited.fake}
        for kind, scored in parts.items():
            count, images = len(scored.images), scored.images
            assert images.shape[1:] == stage.images.shape[1:], (
                f"after its edit of the {player}'s step, `{kind}.images` have shape "
                f"{tuple(images.shape)}; networks take {tuple(stage.images.shape[1:])}"
            )
            assert scored.labels is not None, (
                f"after its edit of the {player}'s step, `{kind}` has no labels; hand them on"
            )
            assert len(scored.labels) == count, (
                f"after its edit of the {player}'s step, `{kind}` has {count} images and "
                f"{len(scored.labels)} labels"
            )
        assert len(edited.latents) == len(edited.fake.images), (
            f"after its edit of the {player}'s step there are {len(edited.latents)} latents and "
            f"{len(edited.fake.images)} fakes; edit both"
        )


@rules.rule_where(_overrides("edit_discriminator_step", "edit_generator_step"))
def edited_images_keep_their_labels(loss: Loss) -> None:
    for player, edited, stage in _edited(loss):
        with torch.no_grad():
            fakes = stage.generator(stage.latents, stage.labels)
        known = torch.cat([stage.images, fakes]).flatten(1)
        assert stage.labels is not None
        labels = torch.cat([stage.labels, stage.labels])
        for kind, scored in (("real", edited.real), ("fake", edited.fake)):
            distance = torch.cdist(scored.images.detach().flatten(1), known)
            nearest, index = distance.min(1)
            same = nearest < 1e-5  # others are new, and their labels are the loss's affair
            assert scored.labels is not None
            wrong = same & ~same_labels(scored.labels, labels[index])
            assert not wrong.any(), (
                f"after its edit of the {player}'s step, `{kind}` has images with labels that are "
                "not theirs; move labels with their images"
            )


@rules.rule_where(_overrides("edit_discriminator_step", "edit_generator_step"))
def broken_pairs_are_declared(loss: Loss) -> None:
    for player, edited, _ in _edited(loss):
        real, fake = edited.real.labels, edited.fake.labels
        assert real is not None
        assert fake is not None
        paired = real.shape == fake.shape and bool((real == fake).all())
        assert paired or loss.breaks_pairs, (
            f"after its edit of the {player}'s step, fakes are not of the labels of the reals "
            "beside them; declare `breaks_pairs = True`, so that no loss looks at pairs"
        )


@rules.rule_where(_overrides("edit_discriminator_step", "edit_generator_step"))
def edited_steps_train_their_player(loss: Loss) -> None:
    """An adversary beside it still reaches the player whose turn it is, and no other."""
    for player in get_args(Player):
        stage = stage_for(loss, count=6)
        other: Player = "generator" if player == "discriminator" else "discriminator"
        (term,) = _of_adversary(stage, loss, player)
        assert reaches(term, stage.weights(player)), (
            f"after its edit of the {player}'s step a loss no longer trains the {player}; keep the "
            "graph of what it is made from, as Scored.of and Scored.kept do"
        )
        assert not reaches(term, stage.weights(other)), (
            f"after its edit of the {player}'s step a loss trains the {other}; detach what is "
            "made with it"
        )


def _all_weights(stage: Stage) -> list[nn.Parameter]:
    return [p for player in get_args(Player) for p in stage.weights(player)]


def _of_adversary(stage: Stage, loss: Loss, player: Player) -> list[Tensor]:
    """The terms of a loss that sees the edited step."""
    found: list[Tensor] = []

    def seen(step: Step) -> Step:
        asked = Adversary()
        terms = (
            asked.discriminator_loss(step)
            if player == "discriminator"
            else asked.generator_loss(step)
        )
        found.extend(terms.values())
        return step

    stage.terms(loss, player, seen=seen)
    return found


def _edited(loss: Loss) -> Iterator[tuple[Player, Step, Stage]]:
    """Yield each player's step as losses see it once this one has edited it."""
    for player in get_args(Player):
        for seed in range(3):
            stage = stage_for(loss, count=6)
            stage.warm_up(loss, 1)
            steps: list[Step] = []

            def seen(step: Step, steps: list[Step] = steps) -> Step:
                steps.append(step)
                return step

            with seeded(seed):
                stage.terms(loss, player, seen=seen)
            yield player, steps[0], stage


def _leaves(term: Tensor) -> Iterator[Tensor]:
    """Yield every tensor at which a term has a gradient and which nothing else made."""
    pending, seen = [term.grad_fn], set()
    while pending:
        node = pending.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if (leaf := getattr(node, "variable", None)) is not None:
            yield leaf
        pending += [following for following, _ in node.next_functions]


def _holds_a_module(value: object) -> bool:
    if isinstance(value, nn.Module):
        return True
    parts = [*value.values()] if isinstance(value, dict) else value
    return isinstance(parts, list | tuple | set) and any(map(_holds_a_module, parts))


def _shape(weights: Tensor) -> str:
    return "×".join(map(str, weights.shape)) or "of a single number"
