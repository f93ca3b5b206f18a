"""What losses say of bounds on D and of its norms must hold."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from ganbench.contracts.conditionings import Conditioning
from ganbench.contracts.images import ImageSpec
from ganbench.contracts.losses import Loss
from ganbench.models.networks import PER_SAMPLE, PLAIN_NORMS, build
from ganbench.testing.fixtures.loss_players import LinearCritic
from ganbench.testing.fixtures.loss_steps import Stage, stage_for
from ganbench.testing.fixtures.networks import TinyConv, shaken
from ganbench.testing.rulebook import Rulebook
from ganbench.util.messages import quoted

ROUNDING = 1 + 1e-4

rules = Rulebook()


@rules.rule
def norms_that_it_names_exist(loss: Loss) -> None:
    for what in ("refused_norms", "unasked_norms"):
        named = getattr(loss, what)
        assert isinstance(named, tuple), f"`{what}` is {named!r}; write a tuple of norms"
        unknown = [norm for norm in named if norm not in PLAIN_NORMS]
        assert not unknown, (
            f"`{what}` names {quoted(unknown)}, which is no norm of D; those are "
            f"{quoted(PLAIN_NORMS)}"
        )


@rules.rule
def clipped_weights_are_those_that_are_used(loss: Loss) -> None:
    """Where it makes D's weights small, so are those that D multiplies with, under any norm."""
    if type(loss).after_discriminator_step is Loss.after_discriminator_step:
        return
    for norm in PLAIN_NORMS:
        if norm in loss.refused_norms or (loss.input_gradients and norm not in PER_SAMPLE):
            continue
        plain = Conditioning()
        image = ImageSpec(1, 8)
        _, discriminator = build(TinyConv(), plain, plain, image, g_norm="none", d_norm=norm)
        before = _largest([*shaken(discriminator, size=3.0).parameters()])
        copy.deepcopy(loss).after_discriminator_step(discriminator)
        bound = _largest([*discriminator.parameters()])
        used = _largest(_used_weights(discriminator))
        assert bound >= before or used <= bound * ROUNDING, (
            f"under d_norm '{norm}' it leaves weights of at most {bound:.3g}, and D multiplies "
            f"with {used:.3g}; add '{norm}' to `refused_norms`"
        )


@rules.rule_where(lambda cls: bool(getattr(cls, "constrains", False)))
def a_constraint_holds_d(loss: Loss) -> None:
    """A critic that is a thousand times as steep costs far more, or its weights are clipped."""
    stage = stage_for(loss)
    usual, steep = (_cost(loss, stage, scale) for scale in (1.0, 1000.0))
    before = [parameter.detach().clone() for parameter in stage.discriminator.parameters()]
    copy.deepcopy(loss).after_discriminator_step(stage.discriminator)
    now = [*stage.discriminator.parameters()]
    shrunk = any((a.abs() < b.abs()).any() for a, b in zip(now, before, strict=True))
    assert steep > 100 * abs(usual) + 1 or shrunk, (
        f"it says that it constrains D, and a critic a thousand times as steep costs {steep:.4g} "
        f"where the other costs {usual:.4g}; penalise its slope, clip its weights in "
        "after_discriminator_step, or leave `constrains` out"
    )


def _cost(loss: Loss, stage: Stage, scale: float) -> float:
    weight = torch.full(stage.images.shape[1:], 0.3 * scale)
    stage.discriminator = LinearCritic(weight, class_logits=loss.needs_class_logits)
    torch.manual_seed(0)
    terms = stage.discriminator_terms(copy.deepcopy(loss))
    return sum(float(term.detach()) for term in terms.values())


@torch.no_grad()
def _used_weights(module: nn.Module) -> list[Tensor]:
    """The weights that layers multiply with: what a parametrisation makes of those it keeps."""
    found: list[Tensor] = []
    for name, part in module.named_modules():
        if "parametrizations" not in name.split("."):
            found += part.parameters(recurse=False)
            found += [getattr(part, made) for made in getattr(part, "parametrizations", ())]
    return found


def _largest(tensors: list[Tensor]) -> float:
    return max(float(tensor.detach().abs().max()) for tensor in tensors)
