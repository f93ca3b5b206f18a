"""What every loss must do."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import get_args
from unittest.mock import patch

import torch
from torch import Tensor

from ganbench.contracts.losses import Loss, Regularizer, Terms
from ganbench.contracts.steps import Player, Scored
from ganbench.errors import ContractError
from ganbench.testing.fixtures.loss_steps import (
    Stage,
    close,
    levelled,
    levelled_stage,
    of_equal_samples,
    reaches,
    stage_for,
    total,
)
from ganbench.testing.rulebook import Rulebook
from ganbench.testing.rules import (
    loss_batches,
    loss_conduct,
    loss_constraints,
    loss_hooks,
    loss_penalties,
    loss_schedules,
)

SURE = 20.0  # a logit whose sigmoid is 1 in float32, as of a discriminator that has no doubt
EXTREME = 200.0  # a logit whose exponential is infinite in float32
STEEP = 100.0  # times the slopes of D that are usual
LARGE = 32  # pixels along a side, where images can be far apart
APART = 3.0  # logits, on either side of every target
WARM_UP = 50  # iterations, after which what a loss weighs its terms by has begun to count
LEAST_SLOPE = 1e-3  # less is no gradient: a sigmoid's slope at SURE is 2e-9

rules = Rulebook(
    loss_conduct.rules,
    loss_penalties.rules,
    loss_constraints.rules,
    loss_schedules.rules,
    loss_batches.rules,
    loss_hooks.rules,
)


def _is_regularizer(cls: type) -> bool:
    return issubclass(cls, Regularizer)


def _is_no_regularizer(cls: type) -> bool:
    return not _is_regularizer(cls)


@rules.rule
def terms_are_finite_scalars(loss: Loss) -> None:
    for player, terms in _both(loss, stage_for(loss)):
        assert isinstance(terms, dict), f"the {player}'s loss returned no dict of named terms"
        assert terms or isinstance(loss, Regularizer), f"the {player}'s loss returned no term"
        for name, term in terms.items():
            _assert_scalar(f"the {player}'s term '{name}'", term)


@rules.rule
def discriminator_terms_reach_only_the_discriminator(loss: Loss) -> None:
    for name, term, stage in _terms_in_time(loss, "discriminator"):
        assert reaches(term, stage.weights("discriminator")), (
            f"the discriminator's term '{name}' has no gradient at its weights, neither at first "
            f"nor after {WARM_UP} iterations; do not detach what it is made of"
        )
        assert not reaches(term, stage.weights("generator")), (
            f"the discriminator's term '{name}' has a gradient at the generator's weights; use "
            "only this step's `fake` and `generate`"
        )


@rules.rule
def generator_terms_reach_only_the_generator(loss: Loss) -> None:
    for name, term, stage in _terms_in_time(loss, "generator"):
        assert reaches(term, stage.weights("generator")), (
            f"the generator's term '{name}' has no gradient at its weights, neither at first nor "
            f"after {WARM_UP} iterations; make it from `fake`"
        )
        assert not reaches(term, stage.weights("discriminator")), (
            f"the generator's term '{name}' has a gradient at the discriminator's weights; use "
            "only this step's scores, and leave the discriminator frozen"
        )


@rules.rule_where(_is_no_regularizer)
def discriminator_separates_real_from_fake(loss: Loss) -> None:
    if not _goes_by_logits(loss):
        return
    real, fake = _settled(loss, "discriminator", 0.4, 0.6)
    assert real < 0, "raising the logits of reals does not lower the discriminator's loss"
    assert fake > 0, "raising the logits of fakes does not raise the discriminator's loss"


@rules.rule_where(_is_no_regularizer)
def generator_raises_fake_logits(loss: Loss) -> None:
    if not _goes_by_logits(loss):
        return
    _, fake = _settled(loss, "generator", 0.4, -0.5)  # below every target
    assert fake < 0, "raising the logits of fakes does not lower the generator's loss"


@rules.rule_where(_is_regularizer)
def generator_still_raises_fake_logits(loss: Loss) -> None:
    """Beside an adversary whose slope is -1, at logits of moderate size."""
    stage, critic = levelled_stage(loss, 0.4, -0.5)
    if terms := stage.terms(loss, "generator"):
        (slope,) = _slopes(total(terms), critic.levels[0])
        assert slope < 1, (
            "beside a loss that raises the logits of fakes, with a slope of 1, its terms of G "
            f"lower them with one of {slope:.3g}, so that G helps D; turn the sign around, or "
            "lower the default weight"
        )


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
    if not _goes_by_logits(loss):
        return
    slopes = _settled(loss, "discriminator", -SURE, SURE)
    for kind, slope in zip(("reals", "fakes"), slopes, strict=True):
        assert abs(slope) > LEAST_SLOPE, (
            f"a discriminator that is surely wrong about {kind} gets no gradient; is a sigmoid "
            "applied to the logits before a loss that applies its own?"
        )


@rules.rule_where(_is_no_regularizer)
def generator_learns_from_some_confident_discriminator(loss: Loss) -> None:
    """It is sure that fakes are real or sure that they are not: some losses saturate at one."""
    if not _goes_by_logits(loss):
        return
    slopes = []
    for level in (-SURE, SURE):
        slopes += _settled(loss, "generator", 0.0, level)[1:]
    assert max(map(abs, slopes)) > LEAST_SLOPE, (
        "the generator gets no gradient from a discriminator that is sure of fakes, either way; is "
        "a sigmoid applied to the logits before a loss that applies its own?"
    )


@rules.rule
def discriminator_terms_are_means_over_samples(loss: Loss) -> None:
    """Equal samples give the same terms, however many there are."""
    if loss.whole_batch:
        return
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
    """What looks at a batch as a whole may need two images, and a training has one image shape."""
    for channels in (1, 3):
        of_training = copy.deepcopy(loss)
        for count in (2 if loss.whole_batch else 1, 5):
            what = f"of {count} images of {channels} channels"
            try:
                found = list(_both(of_training, stage_for(loss, count=count, channels=channels)))
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
def vectors_are_handed_on(loss: Loss) -> None:
    """Labels may be vectors, which a loss that needs no labels does not look into."""
    if loss.needs_labels and "vectors" not in loss.label_kinds:
        return
    try:
        for _player, _terms in _both(loss, stage_for(loss, condition_dim=2)):
            pass
    except ContractError:
        raise
    except Exception as error:
        raise AssertionError(
            f"where labels are vectors (N, C) it raised {type(error).__name__} ({error}); hand "
            "them on as they are, or declare `needs_labels = True`"
        ) from error


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


def _terms_in_time(loss: Loss, player: Player) -> Iterator[tuple[str, Tensor, Stage]]:
    """Yield a player's terms, each where it can be judged: where it has a gradient, or should.

    One that is zero wherever it is looked for, as inside a hinge, cannot be judged at all.
    """
    found: dict[str, tuple[Tensor, Stage]] = {}
    reaching: set[str] = set()
    for stage, terms in _looked_at(loss, player):
        for name, term in terms.items():
            if name not in reaching and term.any():
                found[name] = term, stage
                if reaches(term, stage.weights(player)):
                    reaching.add(name)
        if reaching == terms.keys():
            break
    for name, (term, stage) in found.items():
        yield name, term, stage


def _looked_at(loss: Loss, player: Player) -> Iterator[tuple[Stage, Terms]]:
    """Yield a player's terms as in training: after a step of D, as what a loss remembers may leak.

    Then those of a steep D, and of a steep G, whose slopes are above every target; and those of
    later on, as where a coefficient starts at zero.
    """
    fresh, stage = copy.deepcopy(loss), stage_for(loss)
    stage.warm_up(loss, 1)
    yield stage, stage.terms(loss, player)
    steep = stage.copy().steeper(STEEP)
    yield steep, steep.terms(copy.deepcopy(loss), player)
    large = stage_for(loss, resolution=LARGE).steeper_generator(STEEP)
    yield large, large.terms(fresh, player)
    stage.warm_up(loss, WARM_UP)
    yield stage, stage.terms(loss, player)


def _goes_by_logits(loss: Loss) -> bool:
    """Whether a loss reads D's logits in either step, of whatever images.

    The critic of one that does not is another: features, an owned network, an autoencoder.
    """
    loss, read = copy.deepcopy(loss), False

    def logits(self: Scored) -> Tensor:
        nonlocal read
        read = True
        return self.output.logits

    with patch.object(Scored, "logits", property(logits)):
        for player in get_args(Player):
            stage, critic = levelled_stage(loss, 0.4, -0.5)
            values = [term.sum() for term in stage.terms(loss, player).values()]
            read |= bool(values) and any(_slopes(torch.stack(values).sum(), *critic.levels))
    return read


def _settled(loss: Loss, player: Player, real: float, fake: float) -> list[float]:
    """How a player's loss changes when the logits of reals, and of fakes, are raised.

    As soon as both do; what a loss weighs by may take a while, and other logits, to settle. A loss
    that divides by D's slope sees one that is steep.
    """
    slopes = _slopes(*levelled(copy.deepcopy(loss), player, real, fake))
    if loss.input_gradients and min(map(abs, slopes)) <= LEAST_SLOPE:
        slopes = _slopes(*levelled(copy.deepcopy(loss), player, real, fake, steeper=SURE))
    for before in ((-APART, APART), (APART, -APART)):
        if all(slopes[0 if player == "discriminator" else 1 :]):
            break
        settled = copy.deepcopy(loss)
        levelled_stage(settled, *before)[0].warm_up(settled, WARM_UP)
        slopes = _slopes(*levelled(settled, player, real, fake))
    return slopes


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
