"""Bounds on D that do not hold, or that say what is not so, are caught by the kit."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from helpers import mutants
from torch import nn

from ganbench import InputGradients, Regularizer, Step, Terms, norm_per_sample
from ganbench.default_plugins.constraints import GradientPenalty, WeightClipping
from ganbench.default_plugins.losses import BCE


@dataclass(kw_only=True)
class SignTurned(GradientPenalty):
    """One-sided, but it is slopes below the target that cost."""

    name = "sign-turned"
    caught_by = {"steep_critics_are_penalised", "a_constraint_holds_d"}

    def discriminator_loss(self, step: Step) -> Terms:
        slope = norm_per_sample(self._scored(step).input_gradient)
        return {"gradient_penalty": self.weight * F.relu(self.target - slope).square().mean()}


@dataclass(kw_only=True)
class Rewarded(GradientPenalty):
    """A penalty that is subtracted."""

    name = "rewarded"
    caught_by = {"steep_critics_are_penalised", "a_constraint_holds_d"}

    def discriminator_loss(self, step: Step) -> Terms:
        return {name: -term for name, term in super().discriminator_loss(step).items()}


@dataclass(kw_only=True)
class ClipsUnderSpectralNorm(WeightClipping):
    """Under spectral norm it clips weights that are divided by their largest singular value."""

    name = "clips-under-spectral-norm"
    refused_norms = ()
    caught_by = {"clipped_weights_are_those_that_are_used"}


@dataclass(kw_only=True)
class Misspelt(BCE):
    """A norm that there is not."""

    name = "misspelt"
    refused_norms = ("spectal",)
    caught_by = {"norms_that_it_names_exist"}


@dataclass(kw_only=True)
class NormAsText(BCE):
    """A text, of which each letter is taken for a norm."""

    name = "norm-as-text"
    unasked_norms = "spectral"
    caught_by = {"norms_that_it_names_exist"}


@dataclass(kw_only=True)
class ConstrainsInVain(Regularizer):
    """It says that it bounds D, and looks at logits alone."""

    name = "constrains-in-vain"
    constrains = True
    caught_by = {"a_constraint_holds_d"}

    def discriminator_loss(self, step: Step) -> Terms:
        return {"level": torch.tanh(step.real.logits).square().mean() * 1e-3}

    def after_discriminator_step(self, discriminator: nn.Module) -> None:
        pass


@dataclass(kw_only=True)
class DeclaredByOption(GradientPenalty):
    """Its property says that reals are tracked, whatever the option says."""

    name = "declared-by-option"
    at: str = "fake"
    caught_by = {"declared_input_gradients_are_the_ones_used"}
    also = mutants.MOST

    @property
    def input_gradients(self) -> InputGradients:
        return InputGradients.REAL


@mutants.parametrize(
    *(cls for cls in list(globals().values()) if "caught_by" in getattr(cls, "__dict__", ()))
)
def test_wrong_constraint_is_caught(mutant):
    mutants.assert_caught(mutant)


@dataclass(kw_only=True)
class Optional(BCE):
    """A property of options: without a weight it takes no gradients."""

    name = "optional"
    weight: float = 0.0

    @property
    def input_gradients(self) -> InputGradients:
        return InputGradients.REAL if self.weight else InputGradients.NONE

    def discriminator_loss(self, step: Step) -> Terms:
        terms = super().discriminator_loss(step)
        if self.weight:
            terms["r1"] = self.weight * norm_per_sample(step.real.input_gradient).square().mean()
        return terms


def test_what_options_declare_is_read_from_instances():
    for plugin in (Optional, Optional(weight=1.0)):
        assert mutants.failures(plugin) == {}
