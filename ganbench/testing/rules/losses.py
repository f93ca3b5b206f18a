"""What every loss must do."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import get_args

import torch
from torch import Tensor

from ganbench.contracts.losses import Loss, Regularizer, Terms
from ganbench.contracts.steps import Player
from ganbench.errors import ContractError
from ganbench.testing.fixtures.loss_steps import (
    Stage,
    close,
    levelled,
    of_equal_samples,
    reaches,
    stage_for,
)
from ganbench.testing.rulebook import Rulebook
from ganbench.testing.rules import loss_conduct, loss_constraints, loss_penalties, loss_schedules

SURE = 20.0  # a logit whose sigmoid is 1 in float32, as of a discriminator that has no doubt
EXTREME = 200.0  # a logit whose exponential is infinite in float32
LEAST_SLOPE = 1e-3  # less is no gradient: a sigmoid's slope at SURE is 2e-9

rules = Rulebook(
    loss_conduct.rules, loss_penalties.rules, loss_constraints.rules, loss_schedules.rules
)


def _is_no_regularizer(cls: type) -> bool:
    return not issubclass(cls, Regularizer)


@rules.rule
def terms_are_finite_scalars(loss: Loss) -> None:
    for player, terms in _both(loss, stage_for(loss)):
        assert isinstance(terms, dict), f"the {player}'s loss returned no dict of named terms"
        assert terms or isinstance(loss, Regularizer), f"the {player}'s loss returned no term"
        for name, term in terms.items():
            _assert_scalar(f"the {player}'s term '{name}'", term)


@rules.rule
def discriminator_terms_reach_only_the_discriminator(loss: Loss) -> None:
    stage = stage_for(loss)
    steep = stage.copy().steeper(100.0)  # where slopes are above every target
    at_steep = steep.discriminator_terms(copy.deepcopy(loss))
    for name, term in stage.discriminator_terms(loss).items():
        steep_term = at_steep.get(name, term)
        assert reaches(term, stage.discriminator) or reaches(steep_term, steep.discriminator), (
            f"the discriminator's term '{name}' has no gradient at its weights; do not detach "
            "what it is made of"
        )
        assert not reaches(term, stage.generator), (
            f"the discriminator's term '{name}' has a gradient at the generator's weights; use "
            "only this step's `fake` and `generate`"
        )


@rules.rule
def generator_terms_reach_only_the_generator(loss: Loss) -> None:
    stage = stage_for(loss)
    stage.discriminator_terms(loss)  # as in training: what it remembers may leak
    loss.after_discriminator_step(stage.discriminator)
    for name, term in stage.generator_terms(loss).items():
        assert reaches(term, stage.generator), (
            f"the generator's term '{name}' has no gradient at its weights; make it from `fake`"
        )
        assert not reaches(term, stage.discriminator), (
            f"the generator's term '{name}' has a gradient at the discriminator's weights; use "
            "only this step's scores, and leave the discriminator frozen"
        )


@rules.rule_where(_is_no_regularizer)
def discriminator_separates_real_from_fake(loss: Loss) -> None:
    real, fake = _slopes(*levelled(loss, "discriminator", 0.4, 0.6))
    assert real < 0, "raising the logits of reals does not lower the discriminator's loss"
    assert fake > 0, "raising the logits of fakes does not raise the discriminator's loss"


@rules.rule_where(_is_no_regularizer)
def generator_raises_fake_logits(loss: Loss) -> None:
    _, fake = _slopes(*levelled(loss, "generator", 0.4, -0.5))  # below every target
    assert fake < 0, "raising the logits of fakes does not lower the generator's loss"


@rules.rule_where(_is_no_regularizer)
def logits_are_unbounded(loss: Loss) -> None:
    for level in (-EXTREME, EXTREME):
        for player in get_args(Player):
            value, *levels = levelled(loss, player, level, -level)
            slopes = _slopes(value, *levels)
            assert torch.isfinite(torch.tensor([float(value.detach()), *slopes])).all(), (
                f"a real logit of {level:g} and a fake one of {-level:g} give the {player} a loss "
                "or a gradient that is not finite; logits are no probabilities: use softplus or "
                "binary_cross_entropy_with_logits"
            )


@rules.rule_where(_is_no_regularizer)
def confident_mistakes_still_give_a_gradient(loss: Loss) -> None:
    slopes = _slopes(*levelled(loss, "discriminator", -SURE, SURE))
    for kind, slope in zip(("reals", "fakes"), slopes, strict=True):
        assert abs(slope) > LEAST_SLOPE, (
            f"a discriminator that is surely wrong about {kind} gets no gradient; is a sigmoid "
            "applied to the logits before a loss that applies its own?"
        )


@rules.rule_where(_is_no_regularizer)
def generator_learns_from_some_confident_discriminator(loss: Loss) -> None:
    """It is sure that fakes are real or sure that they are not: some losses saturate at one."""
    slopes = []
    for level in (-SURE, SURE):
        slopes += _slopes(*levelled(loss, "generator", 0.0, level))[1:]
    assert max(map(abs, slopes)) > LEAST_SLOPE, (
        "the generator gets no gradient from a discriminator that is sure of fakes, either way; is "
        "a sigmoid applied to the logits before a loss that applies its own?"
    )


@rules.rule
def discriminator_terms_are_means_over_samples(loss: Loss) -> None:
    """Equal samples give the same terms, however many there are."""
    for channels in (1, 3):
        weight = torch.full((channels, 4, 4), 0.3)
        single, error = of_equal_samples(loss, weight, 1, level=0.1)
        for count in (2, 8, 64):
            many, other = of_equal_samples(loss, weight, count, level=0.1)
            assert close(single, many, math.hypot(error, other)), (
                f"one sample gives the discriminator's loss {single:.4g} and {count} equal ones "
                f"{many:.4g}; take norms per sample, as norm_per_sample does, and then the mean"
            )


@rules.rule
def any_batch_size_and_channel_count_works(loss: Loss) -> None:
    for count in (1, 5):
        for channels in (1, 3):
            what = f"of {count} images of {channels} channels"
            try:
                found = list(_both(loss, stage_for(loss, count=count, channels=channels)))
            except ContractError:
                raise
            except Exception as error:
                raise AssertionError(
                    f"a batch {what} makes it raise {type(error).__name__} ({error}); batches and "
                    "images may have any size"
                ) from error
            for player, terms in found:
                for name, term in terms.items():
                    _assert_scalar(f"the {player}'s term '{name}' {what}", term)


@rules.rule
def missing_labels_work(loss: Loss) -> None:
    if loss.needs_labels:
        return
    try:
        for _player, _terms in _both(loss, stage_for(loss, labelled=False)):
            pass
    except ContractError:
        raise
    except Exception as error:
        raise AssertionError(
            f"without labels it raised {type(error).__name__} ({error}); declare "
            "`needs_labels = True`, or do without them"
        ) from error


def _both(loss: Loss, stage: Stage) -> Iterator[tuple[str, Terms]]:
    yield "discriminator", stage.discriminator_terms(loss)
    yield "generator", stage.generator_terms(loss)


def _assert_scalar(what: str, term: object) -> None:
    assert isinstance(term, Tensor), f"{what} is a {type(term).__name__}, not a tensor"
    assert term.ndim == 0, f"{what} has shape {tuple(term.shape)}; terms are scalars: add .mean()"
    assert term.dtype == torch.float32, f"{what} is {term.dtype}; keep the logits' float32"
    assert term.device.type == "cpu", f"{what} is on {term.device}; keep the logits' device"
    assert torch.isfinite(term), f"{what} is {float(term.detach())}"


def _slopes(value: Tensor, *leaves: Tensor) -> list[float]:
    """How a value changes when all the logits behind each leaf are raised together."""
    if not value.requires_grad:
        return [0.0 for _ in leaves]
    gradients = torch.autograd.grad(value, leaves, allow_unused=True)
    return [0.0 if gradient is None else float(gradient.sum()) for gradient in gradients]
