"""Gradient penalties that go wrong, as those of other suites do, are caught by the kit."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from helpers import mutants
from helpers.penalties import penalised, wgan

from ganbench import InputGradients, Regularizer, Step, Terms
from ganbench.default_plugins.losses import BCE, WGANGP
from ganbench.testing import parametrize_with_checks


@dataclass(kw_only=True)
class NormOverChannels(WGANGP):
    """The norm of each pixel, over channels alone."""

    name = "norm-over-channels"
    caught_by = {"penalty_sees_the_norm_over_whole_images"}

    def discriminator_loss(self, step: Step) -> Terms:
        scored = step.score(step.fake.images.detach(), step.real.labels, track_inputs=True)
        slope = (scored.input_gradient.square().sum(1) + 1e-12).sqrt()
        penalty = 10 * (slope - 1).square().mean()
        return {"w": step.fake.logits.mean() - step.real.logits.mean(), "penalty": penalty}


@dataclass(kw_only=True)
class DetachedPenalty(WGANGP):
    """A penalty that is logged but trains nothing."""

    name = "detached-penalty"
    caught_by = {
        "penalty_gradient_reaches_the_weights",
        "discriminator_terms_reach_only_the_discriminator",
    }

    def discriminator_loss(self, step: Step) -> Terms:
        return {k: v.detach() if "penalty" in k else v for k, v in wgan(self, step).items()}


@dataclass(kw_only=True)
class PenaltyWithoutGraph(WGANGP):
    """autograd.grad without create_graph, summed into the one term that has a gradient."""

    name = "penalty-without-graph"
    caught_by = {"penalty_gradient_reaches_the_weights"}

    def discriminator_loss(self, step: Step) -> Terms:
        scored = step.score(step.fake.images.detach(), step.real.labels, track_inputs=True)
        (slope,) = torch.autograd.grad(scored.logits.sum(), scored.images)
        penalty = 10 * (slope.flatten(1).norm(dim=1) - 1).square().mean()
        return {"d": step.fake.logits.mean() - step.real.logits.mean() + penalty}


@dataclass(kw_only=True)
class UndeclaredReal(BCE):
    """R1 inside the loss, without its declaration."""

    name = "undeclared-real"
    caught_by = {"declared_input_gradients_are_the_ones_used"}
    also = mutants.MOST

    def discriminator_loss(self, step: Step) -> Terms:
        penalty = step.real.input_gradient.square().flatten(1).sum(1).mean()
        return {**super().discriminator_loss(step), "r1": penalty}


@dataclass(kw_only=True)
class UndeclaredOwn(WGANGP):
    """The penalty of WGAN-GP, but D may have batch norm."""

    name = "undeclared-own"
    input_gradients = InputGradients.NONE
    caught_by = {"declared_input_gradients_are_the_ones_used"}


@dataclass(kw_only=True)
class DeclaredInVain(BCE):
    """Input gradients that are declared and never read."""

    name = "declared-in-vain"
    input_gradients = InputGradients.REAL
    caught_by = {"declared_input_gradients_are_the_ones_used"}


@dataclass(kw_only=True)
class SlopeAtFakes(Regularizer):
    """G is to make images at which D is flat, which is right."""

    name = "slope-at-fakes"
    input_gradients = InputGradients.FAKE

    def generator_loss(self, step: Step) -> Terms:
        return {"slope": step.fake.input_gradient.flatten(1).square().sum(1).mean()}


@parametrize_with_checks(SlopeAtFakes)
def test_gradients_in_the_step_of_g_conform(check):
    check()


@dataclass(kw_only=True)
class DetachedSlopeAtFakes(Regularizer):
    """The same, of images without their graph to G."""

    name = "detached-slope-at-fakes"
    input_gradients = InputGradients.OWN
    caught_by = {"generator_terms_reach_only_the_generator"}

    def generator_loss(self, step: Step) -> Terms:
        images = step.fake.images.detach()
        scored = step.score(images, step.fake.labels, track_inputs=True)
        return {"slope": scored.input_gradient.flatten(1).square().sum(1).mean()}


@dataclass(kw_only=True)
class NoEpsilon(WGANGP):
    """A root whose gradient at zero is not a number."""

    name = "no-epsilon"
    caught_by = {"constant_discriminator_has_finite_gradients"}

    def discriminator_loss(self, step: Step) -> Terms:
        scored = step.score(step.fake.images.detach(), step.real.labels, track_inputs=True)
        slope = scored.input_gradient.flatten(1).square().sum(1).sqrt()
        penalty = 10 * (slope - 1).square().mean()
        return {"w": step.fake.logits.mean() - step.real.logits.mean(), "penalty": penalty}


@dataclass(kw_only=True)
class OneCoefficient(WGANGP):
    """One interpolation coefficient for the whole batch."""

    name = "one-coefficient"
    caught_by = {"interpolates_each_sample_on_its_own"}

    def discriminator_loss(self, step: Step) -> Terms:
        alpha = torch.rand_like(step.real.images[:1, :1, :1, :1])
        return penalised(self, step, alpha, step.real.labels)


@dataclass(kw_only=True)
class CoefficientPerPixel(WGANGP):
    """Images mixed pixel by pixel, off the line between a real and its fake."""

    name = "coefficient-per-pixel"
    caught_by = {"interpolates_each_sample_on_its_own"}

    def discriminator_loss(self, step: Step) -> Terms:
        return penalised(self, step, torch.rand_like(step.real.images), step.real.labels)


@dataclass(kw_only=True)
class ShuffledLabels(WGANGP):
    """The penalty is taken under labels of other images."""

    name = "shuffled-labels"
    caught_by = {"own_images_keep_their_labels"}

    def discriminator_loss(self, step: Step) -> Terms:
        alpha = torch.rand_like(step.real.images[:, :1, :1, :1])
        labels = None if step.real.labels is None else step.real.labels.roll(1)
        return penalised(self, step, alpha, labels)


@dataclass(kw_only=True)
class ForgottenLabels(WGANGP):
    """The penalty is taken without labels."""

    name = "forgotten-labels"
    caught_by = {"own_images_keep_their_labels"}

    def discriminator_loss(self, step: Step) -> Terms:
        alpha = torch.rand_like(step.real.images[:, :1, :1, :1])
        return penalised(self, step, alpha, None)


@dataclass(kw_only=True)
class GeneratesWithoutLabels(Regularizer):
    """More images are generated, for no class."""

    name = "generates-without-labels"
    caught_by = {"own_images_keep_their_labels"}

    def generator_loss(self, step: Step) -> Terms:
        others = step.generate(torch.randn_like(step.latents), None)
        return {"spread": -(others - step.fake.images).abs().mean()}


@mutants.parametrize(
    *(cls for cls in list(globals().values()) if "caught_by" in getattr(cls, "__dict__", ()))
)
def test_wrong_penalty_is_caught(mutant):
    mutants.assert_caught(mutant)
