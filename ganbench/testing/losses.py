"""What every loss must do."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from ganbench.contracts.losses import InputGradients, Loss, Regularizer, Step, Terms
from ganbench.testing.stage import (
    CLASSES,
    EVERYTHING,
    LATENT_DIM,
    LinearCritic,
    Stage,
    levelled,
    reaches,
    stage_for,
    total,
)

Rule = Callable[[Loss], None]


def rules(cls: type) -> dict[str, Rule]:
    found: list[Rule] = [
        terms_are_finite_scalars,
        discriminator_terms_reach_only_the_discriminator,
        generator_terms_reach_only_the_generator,
        declared_input_gradients_are_the_ones_used,
        discriminator_terms_are_means_over_samples,
        constant_discriminator_has_finite_gradients,
        any_batch_size_and_channel_count_works,
        missing_labels_work,
        inputs_are_not_modified,
        other_losses_may_track_any_batch,
        survives_deepcopy_and_pickle,
    ]
    if not issubclass(cls, Regularizer):
        found += [
            discriminator_separates_real_from_fake,
            generator_raises_fake_logits,
            logits_are_unbounded,
            confident_mistakes_still_give_a_gradient,
        ]
    if getattr(cls, "input_gradients", InputGradients.NONE):
        found += [penalty_gradient_reaches_the_weights, penalty_sees_the_norm_over_whole_images]
    return {rule.__name__: rule for rule in found}


def terms_are_finite_scalars(loss: Loss) -> None:
    for player, terms in _both(loss, stage_for(loss)):
        assert isinstance(terms, dict), f"the {player}'s loss returned no dict of named terms"
        assert terms or isinstance(loss, Regularizer), f"the {player}'s loss returned no term"
        for name, term in terms.items():
            _assert_scalar(f"the {player}'s term '{name}'", term)


def discriminator_terms_reach_only_the_discriminator(loss: Loss) -> None:
    stage = stage_for(loss)
    for name, term in stage.discriminator_terms(loss).items():
        assert reaches(term, stage.discriminator), (
            f"the discriminator's term '{name}' has no gradient at its weights; do not detach "
            "what it is made of"
        )
        assert not reaches(term, stage.generator), (
            f"the discriminator's term '{name}' has a gradient at the generator's weights; use "
            "only this step's `fake` and `generate`"
        )


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


def discriminator_separates_real_from_fake(loss: Loss) -> None:
    step, raise_real, raise_fake = levelled(loss, 0.4, 0.6, loss.input_gradients)
    real, fake = _slopes(total(loss.discriminator_loss(step)), raise_real, raise_fake)
    assert real < 0, "raising the logits of reals does not lower the discriminator's loss"
    assert fake > 0, "raising the logits of fakes does not raise the discriminator's loss"


def generator_raises_fake_logits(loss: Loss) -> None:
    step, _, raise_fake = levelled(loss, 0.4, 0.6, InputGradients.NONE)
    (fake,) = _slopes(total(loss.generator_loss(step)), raise_fake)
    assert fake < 0, "raising the logits of fakes does not lower the generator's loss"


def logits_are_unbounded(loss: Loss) -> None:
    for level in (-200.0, 200.0):
        step, *leaves = levelled(loss, level, -level, loss.input_gradients)
        value = total(loss.discriminator_loss(step))
        slopes = _slopes(value, *leaves)
        assert torch.isfinite(torch.tensor([float(value.detach()), *slopes])).all(), (
            f"a real logit of {level:g} gives a loss or a gradient that is not finite; logits "
            "are no probabilities: use softplus or binary_cross_entropy_with_logits"
        )


def confident_mistakes_still_give_a_gradient(loss: Loss) -> None:
    step, *leaves = levelled(loss, -20.0, 20.0, loss.input_gradients)
    for kind, slope in zip(("reals", "fakes"), _slopes(_d_total(loss, step), *leaves), strict=True):
        assert abs(slope) > 1e-3, (
            f"a discriminator that is surely wrong about {kind} gets no gradient; is a sigmoid "
            "applied to the logits before a loss that applies its own?"
        )


def declared_input_gradients_are_the_ones_used(loss: Loss) -> None:
    stage = stage_for(loss)
    stage.discriminator_terms(loss)
    undeclared = stage.watch.used & ~loss.input_gradients
    unused = loss.input_gradients & ~stage.watch.used
    assert not undeclared, (
        f"it differentiates the discriminator at {undeclared!r}, which its `input_gradients` "
        "lack; declare them, so that the discriminator gets no batch norm"
    )
    assert not unused, f"its `input_gradients` declare {unused!r}, which it does not use"


def penalty_gradient_reaches_the_weights(loss: Loss) -> None:
    """Along random directions of D's weights, the loss changes as its gradient says."""
    stage = stage_for(loss)
    parameters = [*stage.discriminator.parameters()]
    gradients = torch.autograd.grad(_seeded(loss, stage), parameters, allow_unused=True)
    for _ in range(4):
        directions = _unit_direction(parameters)
        told = sum(
            float((gradient * direction).sum())
            for gradient, direction in zip(gradients, directions, strict=True)
            if gradient is not None
        )
        seen = _difference(loss, stage, directions)
        assert abs(told - seen) <= 0.02 * abs(seen) + 5e-4, (
            f"the discriminator's loss changes by {seen:.4g} along its weights where its gradient "
            f"says {told:.4g}; is the penalty detached, or made without create_graph?"
        )


def penalty_sees_the_norm_over_whole_images(loss: Loss) -> None:
    """Two linear critics of one slope, in one pixel or in all, are penalised alike."""
    everywhere = torch.full((3, 4, 4), 1.5 / 48**0.5)
    one_pixel = torch.zeros(3, 4, 4)
    one_pixel[0, 0, 0] = 1.5
    values = [_of_equal_samples(loss, weight, 2, level=0.0) for weight in (everywhere, one_pixel)]
    assert _close(*values), (
        f"two critics with slopes of one norm are penalised by {values[0]:.4g} and "
        f"{values[1]:.4g}; take the norm over channels and pixels, as norm_per_sample does"
    )


def discriminator_terms_are_means_over_samples(loss: Loss) -> None:
    """Equal samples give the same terms, however many there are."""
    for channels in (1, 3):
        weight = torch.full((channels, 4, 4), 0.3)
        single = _of_equal_samples(loss, weight, 1, level=0.1)
        for count in (2, 8, 64):
            many = _of_equal_samples(loss, weight, count, level=0.1)
            assert _close(single, many), (
                f"one sample gives the discriminator's loss {single:.4g} and {count} equal ones "
                f"{many:.4g}; take norms per sample, as norm_per_sample does, and then the mean"
            )


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


def any_batch_size_and_channel_count_works(loss: Loss) -> None:
    for count in (1, 5):
        for channels in (1, 3):
            for player, terms in _both(loss, stage_for(loss, count=count, channels=channels)):
                for name, term in terms.items():
                    _assert_scalar(
                        f"the {player}'s term '{name}' of {count} images of {channels} channels",
                        term,
                    )


def missing_labels_work(loss: Loss) -> None:
    if loss.needs_labels:
        return
    try:
        for _player, _terms in _both(loss, stage_for(loss, labelled=False)):
            pass
    except Exception as error:
        raise AssertionError(
            f"without labels it raised {type(error).__name__} ({error}); declare "
            "`needs_labels = True`, or do without them"
        ) from error


def inputs_are_not_modified(loss: Loss) -> None:
    for objective, tracked in (
        (loss.discriminator_loss, loss.input_gradients),
        (loss.generator_loss, InputGradients.NONE),
    ):
        step = stage_for(loss).step(tracked)
        before = [value.detach().clone() for value in _inputs(step).values()]
        objective(step)
        for (name, now), then in zip(_inputs(step).items(), before, strict=True):
            assert torch.equal(now, then), f"it changes the step's {name}; work on a copy"


def other_losses_may_track_any_batch(loss: Loss) -> None:
    """A regularizer beside it may have every batch tracked; its terms stay the same."""
    stage = stage_for(loss)
    alone, beside = (
        _seeded_terms(loss, stage, also=also) for also in (InputGradients.NONE, EVERYTHING)
    )
    for name, term in alone.items():
        assert torch.allclose(term, beside[name], atol=1e-6), (
            f"the discriminator's term '{name}' changes where another loss tracks the images"
        )


def survives_deepcopy_and_pickle(loss: Loss) -> None:
    stage = stage_for(loss)
    expected = _seeded_terms(loss, stage)
    for how, twin in (
        ("deepcopy", copy.deepcopy(loss)),
        ("pickle", pickle.loads(pickle.dumps(loss))),
    ):
        for name, term in _seeded_terms(twin, stage).items():
            assert torch.allclose(term, expected[name]), f"after {how}, term '{name}' differs"


def _inputs(step: Step) -> dict[str, Tensor]:
    found = {"latents": step.latents}
    for kind, scored in (("real", step.real), ("fake", step.fake)):
        found |= {f"{kind} images": scored.images, f"{kind} logits": scored.logits}
        found |= {f"{kind} features": scored.features}
        if scored.labels is not None:
            found[f"{kind} labels"] = scored.labels
    return found


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


def _d_total(loss: Loss, step: Step) -> Tensor:
    return total(loss.discriminator_loss(step))


def _seeded_terms(loss: Loss, stage: Stage, also: InputGradients = InputGradients.NONE) -> Terms:
    """D's terms of a copy of a loss: the same draws, and no memory of earlier calls."""
    torch.manual_seed(1)
    return stage.discriminator_terms(copy.deepcopy(loss), also)


def _seeded(loss: Loss, stage: Stage) -> Tensor:
    return total(_seeded_terms(loss, stage))


def _unit_direction(parameters: list[nn.Parameter]) -> list[Tensor]:
    parts = [torch.randn_like(parameter) for parameter in parameters]
    length = torch.stack([part.square().sum() for part in parts]).sum().sqrt()
    return [part / length for part in parts]


def _difference(loss: Loss, stage: Stage, directions: list[Tensor], size: float = 1e-2) -> float:
    """The central difference of D's loss along a direction of its weights."""
    values = []
    for sign in (1, -1):
        moved = stage.copy()
        with torch.no_grad():
            for parameter, direction in zip(
                moved.discriminator.parameters(), directions, strict=True
            ):
                parameter.add_(direction, alpha=sign * size)
        values.append(float(_seeded(loss, moved).detach()))
    return (values[0] - values[1]) / (2 * size)


class _Constant(nn.Module):
    """A generator that ignores its latents."""

    def __init__(self, image: Tensor) -> None:  # (C, H, W)
        super().__init__()
        self.image = nn.Parameter(image)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.image.expand(len(z), -1, -1, -1)


def _of_equal_samples(loss: Loss, weight: Tensor, count: int, *, level: float) -> float:
    """D's loss under a linear critic where every real, and every fake, is one image."""
    images = torch.full((count, *weight.shape), level)
    stage = Stage(
        _Constant(torch.full(weight.shape, -level)),
        LinearCritic(weight, class_logits=loss.needs_class_logits),
        images,
        torch.full((count,), CLASSES - 1),
        torch.ones(count, LATENT_DIM),
    )
    terms = stage.discriminator_terms(copy.deepcopy(loss))
    return float(total(terms).detach()) if terms else 0.0


def _close(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-4 * (1 + abs(a))
