"""How losses look at a batch: at pairs and as a whole, if declared, and at several logits each."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import partial
from typing import get_args

import torch
from torch import Tensor, nn

from ganbench.contracts.losses import Loss, Terms
from ganbench.contracts.steps import DiscriminatorOutput, Player
from ganbench.errors import ContractError
from ganbench.testing.fixtures import drawn_terms
from ganbench.testing.fixtures.loss_steps import Stage, close, stage_for
from ganbench.testing.rulebook import Rulebook

COUNT = 6
LOGITS = 4  # for each image, where there are several
PAIRED = (2, 0, 1, 5, 3, 4)  # other fakes beside each real, of other labels
rules = Rulebook()


@rules.rule
def pairs_are_declared(loss: Loss) -> None:
    """Other fakes beside each real, with their own labels, make the same terms.

    A term that changes with the order of one of both alone goes by pairs among these.
    """
    if loss.pairs_labels:
        return
    stage = _stage(loss)
    for player in get_args(Player):
        as_is = partial(_whole, stage, player)
        others = partial(_whole, stage, player, fakes=torch.tensor(PAIRED))
        compared = _compared(loss, as_is, others)
        if all(close(*of_term) for of_term in compared.values()):
            continue
        reals = _compared(loss, as_is, partial(_whole, stage, player, reals=torch.tensor(PAIRED)))
        for name, (beside, apart, error) in compared.items():
            assert close(beside, apart, error) or close(*reals[name]), (
                f"the {player}'s term '{name}' is {beside:.4g}, and {apart:.4g} with other fakes "
                "beside the reals; declare `pairs_labels = True`, so that both of a pair have one "
                "label"
            )


@rules.rule
def whole_batches_are_declared(loss: Loss) -> None:
    """The mean of two halves, one after the other, is the whole batch's."""
    if loss.whole_batch:
        return
    stage = _stage(loss)
    for player in get_args(Player):
        ways = partial(_whole, stage, player), partial(_in_halves, stage, player)
        for name, (whole, halves, error) in _compared(loss, *ways).items():
            assert close(whole, halves, error), (
                f"the {player}'s term '{name}' is {whole:.4g} of a whole batch, and {halves:.4g} "
                "of its halves; declare `whole_batch = True`, so that no batch comes in pieces"
            )


@rules.rule
def several_logits_per_image_work(loss: Loss) -> None:
    """Equal logits of one image, as of its patches, make the terms that one logit makes.

    D's slope at an image is that of the sum of its logits. A term has the value of one where each
    of several has the slope of the one, or where they share it.
    """
    stage = _stage(loss)
    for player in get_args(Player):
        one = partial(_whole, stage, player)
        found = None
        for share in (1.0, 1 / LOGITS):
            other = _differing(loss, one, partial(_several, stage, share, player))
            found = {k: v for k, v in other.items() if found is None or k in found}
        for name, (alone, several) in (found or {}).items():
            raise AssertionError(
                f"the {player}'s term '{name}' is {alone:.4g} where D gives one logit for each "
                f"image, and {several:.4g} where it gives {LOGITS} that are equal, as of patches; "
                "take the mean over all of them"
            )


def _differing(
    loss: Loss, one: Callable[[Loss], Terms], several: Callable[[Loss], Terms]
) -> dict[str, tuple[float, float]]:
    """Return the terms that are not the same, whatever is drawn."""
    alone, other = (_values(loss, make, 0) for make in (one, several))
    if all(close(value, other.get(name, math.nan)) for name, value in alone.items()):
        return {}
    compared = _compared(loss, one, several)
    found = {name: (alone[name], math.nan) for name in alone.keys() - other.keys()}
    return found | {k: (a, b) for k, (a, b, error) in compared.items() if not close(a, b, error)}


def _several(stage: Stage, share: float, player: Player, loss: Loss) -> Terms:
    stage = stage.copy()
    stage.discriminator = _Repeating(stage.discriminator, share)
    try:
        terms = stage.terms(loss, player)
    except ContractError:
        raise
    except Exception as error:
        raise AssertionError(
            f"logits (N, {LOGITS}), as of patches, make it raise {type(error).__name__} ({error}); "
            "take the mean over all of them, or `logit_per_image`"
        ) from error
    return terms


class _Repeating(nn.Module):
    """D, which says the same several times of each image, each with a share of the slope."""

    def __init__(self, discriminator: nn.Module, share: float) -> None:
        super().__init__()
        self.once, self.share = discriminator, share
        self.feature_dim = discriminator.feature_dim

    def forward(self, images: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        output = self.once(images, labels)
        logit = self.share * output.logits + (1 - self.share) * output.logits.detach()
        return output._replace(logits=logit[:, None].repeat(1, LOGITS))


def _stage(loss: Loss) -> Stage:
    """A stage of networks with wide logits, so that it matters which are compared."""
    stage = stage_for(loss, count=COUNT)
    with torch.no_grad():
        for module in (stage.generator, stage.discriminator):
            for parameter in module.parameters():
                parameter.mul_(3)
    stage.game(loss)  # makes its own networks, which copies share
    return stage


def _whole(
    stage: Stage,
    player: Player,
    loss: Loss,
    *,
    reals: Tensor | None = None,
    fakes: Tensor | None = None,
) -> Terms:
    return stage.copy().terms(loss, player, reals=reals, fakes=fakes)


def _in_halves(stage: Stage, player: Player, loss: Loss) -> Terms:
    found = []
    for part in (slice(0, COUNT // 2), slice(COUNT // 2, COUNT)):
        half = stage.copy()
        half.images, half.latents = half.images[part], half.latents[part]
        half.labels = None if half.labels is None else half.labels[part]
        found.append(half.terms(loss, player))
    return drawn_terms.mean_of(found)


def _compared(
    loss: Loss, first: Callable[[Loss], Terms], second: Callable[[Loss], Terms]
) -> dict[str, tuple[float, float, float]]:
    return drawn_terms.compared(_anew(loss, first), _anew(loss, second))


def _values(loss: Loss, make: Callable[[Loss], Terms], seed: int) -> dict[str, float]:
    return drawn_terms.values(_anew(loss, make), seed)


def _anew(loss: Loss, make: Callable[[Loss], Terms]) -> Callable[[], Terms]:
    return lambda: make(copy.deepcopy(loss))
