"""What goes wrong in losses of other suites, written down, is caught by the kit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from helpers import mutants
from torch import Tensor, nn

from ganbench import InputGradients, Loss, Regularizer, Step, Terms, norm_per_sample
from ganbench.default_plugins.losses import BCE, LSGAN, WGANGP
from ganbench.testing import parametrize_with_checks


@dataclass(kw_only=True)
class WholeBatchNorm(WGANGP):
    """One norm over the batch instead of one per sample."""

    name = "whole-batch-norm"
    caught_by = {"discriminator_terms_are_means_over_samples"}

    def discriminator_loss(self, step: Step) -> Terms:
        scored = step.score(step.fake.images.detach(), step.real.labels, track_inputs=True)
        penalty = 10 * (scored.input_gradient.norm() - 1).square()
        return {"w": step.fake.logits.mean() - step.real.logits.mean(), "penalty": penalty}


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
class SumOverSamples(BCE):
    """A sum where a mean belongs."""

    name = "sum-over-samples"
    caught_by = {"discriminator_terms_are_means_over_samples"}

    def discriminator_loss(self, step: Step) -> Terms:
        return {"d": F.softplus(-step.real.logits).sum() + F.softplus(step.fake.logits).sum()}


@dataclass(kw_only=True)
class SwappedDiscriminator(BCE):
    """D is taught that fakes are real."""

    name = "swapped-discriminator"
    caught_by = {"discriminator_separates_real_from_fake"}
    also = {"confident_mistakes_still_give_a_gradient"}

    def discriminator_loss(self, step: Step) -> Terms:
        return super().discriminator_loss(replace(step, real=step.fake, fake=step.real))


@dataclass(kw_only=True)
class SwappedGenerator(WGANGP):
    """G lowers the logits of its images."""

    name = "swapped-generator"
    caught_by = {"generator_raises_fake_logits"}

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": step.fake.logits.mean()}


@dataclass(kw_only=True)
class TermPerSample(BCE):
    """A term that nobody took the mean of."""

    name = "term-per-sample"
    caught_by = {"terms_are_finite_scalars"}
    also = {"any_batch_size_and_channel_count_works", "generator_terms_reach_only_the_generator"}

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": F.softplus(-step.fake.logits)}


@dataclass(kw_only=True)
class DoublePrecision(BCE):
    """Terms in float64."""

    name = "double-precision"
    caught_by = {"terms_are_finite_scalars"}
    also = {"any_batch_size_and_channel_count_works"}

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": F.softplus(-step.fake.logits.double()).mean()}


@dataclass(kw_only=True)
class Unfreezes(BCE):
    """G's step thaws a discriminator that the loss has kept."""

    name = "unfreezes"
    caught_by = {"generator_terms_reach_only_the_generator"}

    def after_discriminator_step(self, discriminator: nn.Module) -> None:
        self._kept = discriminator

    def generator_loss(self, step: Step) -> Terms:
        if kept := getattr(self, "_kept", None):
            kept.requires_grad_(True)
        return super().generator_loss(step)


@dataclass(kw_only=True)
class RemembersReals(Loss):
    """Relativistic, with the reals' logits kept from D's step, graph and all."""

    name = "remembers-reals"
    caught_by = {"generator_terms_reach_only_the_generator"}
    also = {"steps_do_not_share_a_graph"}

    def discriminator_loss(self, step: Step) -> Terms:
        self._reals = step.real.logits
        return {"d": F.softplus(step.fake.logits - step.real.logits).mean()}

    def generator_loss(self, step: Step) -> Terms:
        reals = getattr(self, "_reals", step.real.logits)
        return {"g": F.softplus(reals - step.fake.logits).mean()}


@dataclass(kw_only=True)
class TrainsGenerator(BCE):
    """G's loss is added to D's, through a generator that the loss has thawed."""

    name = "trains-generator"
    caught_by = {"discriminator_terms_reach_only_the_discriminator"}
    also = {
        "confident_mistakes_still_give_a_gradient",
        "discriminator_separates_real_from_fake",
        "own_images_keep_their_labels",
    }

    def discriminator_loss(self, step: Step) -> Terms:
        step.generate.requires_grad_(True)
        images = step.generate(step.latents, step.fake.labels)
        fakes = step.score(images, step.fake.labels).logits
        return {"real": F.softplus(-step.real.logits).mean(), "fake": F.softplus(fakes).mean()}


@dataclass(kw_only=True)
class LogOfLogit(BCE):
    """The logarithm of D's output, as if it were a probability."""

    name = "log-of-logit"
    caught_by = {"logits_are_unbounded"}
    also = {
        "any_batch_size_and_channel_count_works",
        "constant_discriminator_has_finite_gradients",
        "terms_are_finite_scalars",
    }

    def discriminator_loss(self, step: Step) -> Terms:
        return {"d": -(step.real.logits.log().mean() + (1 - step.fake.logits).log().mean())}


@dataclass(kw_only=True)
class LogOfSigmoid(BCE):
    """The logarithm of a sigmoid, which underflows."""

    name = "log-of-sigmoid"
    caught_by = {"logits_are_unbounded"}
    also = {"confident_mistakes_still_give_a_gradient"}

    def discriminator_loss(self, step: Step) -> Terms:
        real, fake = step.real.logits.sigmoid(), step.fake.logits.sigmoid()
        return {"d": -(real.log().mean() + (1 - fake).log().mean())}


@dataclass(kw_only=True)
class SigmoidTwice(BCE):
    """A sigmoid before a loss that applies its own."""

    name = "sigmoid-twice"
    caught_by = {"confident_mistakes_still_give_a_gradient"}

    def discriminator_loss(self, step: Step) -> Terms:
        real, fake = step.real.logits.sigmoid(), step.fake.logits.sigmoid()
        return {"d": F.softplus(-real).mean() + F.softplus(fake).mean()}


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
class ClampsInPlace(BCE):
    """The step's own images are clamped."""

    name = "clamps-in-place"
    caught_by = {"inputs_are_not_modified"}
    also = {"other_losses_may_track_any_batch"}

    def discriminator_loss(self, step: Step) -> Terms:
        step.real.images.clamp_(-0.5, 0.5)
        return super().discriminator_loss(step)


@dataclass(kw_only=True)
class SquaresInPlace(LSGAN):
    """The logits that other losses share are overwritten."""

    name = "squares-in-place"
    caught_by = {"inputs_are_not_modified"}

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": step.fake.logits.sub_(1).square().mean()}


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
class LabelsInSecret(BCE):
    """Labels are used but not asked for."""

    name = "labels-in-secret"
    caught_by = {"missing_labels_work"}

    def generator_loss(self, step: Step) -> Terms:
        weights = 1.0 + step.fake.labels.float()
        return {"adversarial": (weights * F.softplus(-step.fake.logits)).mean()}


@dataclass(kw_only=True)
class KeepsAFunction(BCE):
    """A field that cannot travel to another process."""

    name = "keeps-a-function"
    caught_by = {"survives_deepcopy_and_pickle"}

    def __post_init__(self) -> None:
        self._softplus = lambda x: F.softplus(x)


@dataclass(kw_only=True)
class NeedsTwo(BCE):
    """A standard deviation over the batch, which one sample does not have."""

    name = "needs-two"
    caught_by = {"any_batch_size_and_channel_count_works"}

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": -step.fake.logits.mean() / self._spread(step.fake.logits)}

    @staticmethod
    def _spread(logits: Tensor) -> Tensor:
        return ((logits - logits.mean()).square().sum() / (len(logits) - 1)).sqrt()


def wgan(loss: WGANGP, step: Step) -> Terms:
    return WGANGP.discriminator_loss(loss, step)


def penalised(loss: WGANGP, step: Step, alpha: Tensor, labels: Tensor | None) -> Terms:
    """WGAN-GP's terms with coefficients and labels of one's own."""
    between = torch.lerp(step.fake.images, step.real.images, alpha)
    scored = step.score(between, labels, track_inputs=True)
    penalty = loss.gp_weight * (norm_per_sample(scored.input_gradient) - 1).square().mean()
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
class NumpyCoefficients(WGANGP):
    """Coefficients that no seed of torch decides."""

    name = "numpy-coefficients"
    caught_by = {"draws_come_from_torch"}

    def discriminator_loss(self, step: Step) -> Terms:
        drawn = np.random.rand(len(step.real.images), 1, 1, 1)
        alpha = torch.tensor(drawn, dtype=torch.float32, device=step.real.images.device)
        return penalised(self, step, alpha, step.real.labels)


@dataclass(kw_only=True)
class CoefficientsOnCPU(WGANGP):
    """Coefficients that are always on the CPU."""

    name = "coefficients-on-cpu"
    caught_by = {"stays_on_the_device"}

    def discriminator_loss(self, step: Step) -> Terms:
        alpha = torch.rand(len(step.real.images), 1, 1, 1)
        return penalised(self, step, alpha, step.real.labels)


@dataclass(kw_only=True)
class TargetsOnCPU(LSGAN):
    """Targets of D that are always on the CPU."""

    name = "targets-on-cpu"
    caught_by = {"stays_on_the_device"}

    def discriminator_loss(self, step: Step) -> Terms:
        ones, zeros = torch.ones(len(step.real.images)), torch.zeros(len(step.real.images))
        real, fake = F.mse_loss(step.real.logits, ones), F.mse_loss(step.fake.logits, zeros)
        return {"real": real, "fake": fake}


@dataclass(kw_only=True)
class WaitsForTheDevice(BCE):
    """A weight that is read back from the device in every step."""

    name = "waits-for-the-device"
    caught_by = {"stays_on_the_device"}

    def generator_loss(self, step: Step) -> Terms:
        weight = 2.0 if step.fake.logits.mean().item() < 0 else 1.0
        return {"adversarial": weight * F.softplus(-step.fake.logits).mean()}


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


@dataclass(kw_only=True)
class SummedPenalty(Regularizer):
    """R1, summed over the batch."""

    name = "summed-penalty"
    input_gradients = InputGradients.REAL
    caught_by = {"discriminator_terms_are_means_over_samples"}

    def discriminator_loss(self, step: Step) -> Terms:
        return {"r1": 0.5 * step.real.input_gradient.square().sum()}


@dataclass(kw_only=True)
class SigmoidBeforeGeneratorsLoss(BCE):
    """G's logits pass a sigmoid before a loss that applies its own."""

    name = "sigmoid-before-generators-loss"
    caught_by = {"generator_learns_from_some_confident_discriminator"}

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": F.softplus(-step.fake.logits.sigmoid()).mean()}


@dataclass(kw_only=True)
class GeneratorsLogOfSigmoid(BCE):
    """The logarithm of a sigmoid, which underflows, in G's loss."""

    name = "generators-log-of-sigmoid"
    caught_by = {"logits_are_unbounded"}

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": -step.fake.logits.sigmoid().log().mean()}


@dataclass(kw_only=True)
class AverageWithItsGraph(Regularizer):
    """A moving average that nobody detached."""

    name = "average-with-its-graph"
    caught_by = {"steps_do_not_share_a_graph"}

    def discriminator_loss(self, step: Step) -> Terms:
        mean = step.real.logits.mean()
        self._average = 0.9 * getattr(self, "_average", mean) + 0.1 * mean
        return {"held": (step.real.logits - self._average).square().mean() + 0 * mean}


@dataclass(kw_only=True)
class KeepsTheStep(BCE):
    """The whole step is kept, and its memory with it."""

    name = "keeps-the-step"
    caught_by = {"steps_do_not_share_a_graph"}

    def discriminator_loss(self, step: Step) -> Terms:
        self._seen = {"steps": [step]}
        return super().discriminator_loss(step)


@dataclass(kw_only=True)
class DetachedGenerator(BCE):
    """G's images are scored anew, detached."""

    name = "detached-generator"
    caught_by = {"generator_terms_reach_only_the_generator"}
    also = {"generator_raises_fake_logits", "generator_learns_from_some_confident_discriminator"}

    def generator_loss(self, step: Step) -> Terms:
        scored = step.score(step.fake.images.detach(), step.fake.labels)
        return {"adversarial": F.softplus(-scored.logits).mean()}


@dataclass(kw_only=True)
class NoTerms(BCE):
    """Nothing for G to minimise."""

    name = "no-terms"
    caught_by = {"terms_are_finite_scalars"}
    also = {
        "generator_learns_from_some_confident_discriminator",
        "generator_raises_fake_logits",
        "logits_are_unbounded",
    }

    def generator_loss(self, step: Step) -> Terms:
        return {}


@dataclass(kw_only=True)
class LooksAtTracking(BCE):
    """A term that changes where a regularizer beside it takes gradients."""

    name = "looks-at-tracking"
    caught_by = {"other_losses_may_track_any_batch"}

    def discriminator_loss(self, step: Step) -> Terms:
        weight = 2.0 if step.real.images.requires_grad else 1.0
        return {name: weight * term for name, term in super().discriminator_loss(step).items()}


@dataclass(kw_only=True)
class Averaged(Regularizer):
    """A detached moving average, which is right."""

    name = "averaged"

    def discriminator_loss(self, step: Step) -> Terms:
        mean = step.real.logits.mean().detach()
        self._average = 0.9 * getattr(self, "_average", mean) + 0.1 * mean
        return {"held": (step.real.logits - self._average).square().mean()}


@dataclass(kw_only=True)
class MatchingAware(BCE):
    """Reals with wrong labels as further fakes (Reed et al., 2016), which is right."""

    name = "matching-aware"

    def discriminator_loss(self, step: Step) -> Terms:
        labels = step.real.labels
        wrong = step.score(step.real.images, None if labels is None else labels.roll(1))
        terms = super().discriminator_loss(step)
        return {**terms, "mismatched": F.softplus(wrong.logits).mean()}


@dataclass(kw_only=True)
class Consistent(Regularizer):
    """Logits that noise and shifts leave alone (Zhang et al., 2020), which is right."""

    name = "consistent"

    def discriminator_loss(self, step: Step) -> Terms:
        images = step.real.images
        altered = (images + 0.1 * torch.randn_like(images)).roll(1, 3)
        logits = step.score(altered, step.real.labels).logits
        return {"consistency": (logits - step.real.logits).square().mean()}


@dataclass(kw_only=True)
class Masked(BCE):
    """G learns from the half of its images that D likes best, which is right."""

    name = "masked"

    def generator_loss(self, step: Step) -> Terms:
        logits = step.fake.logits
        return {"adversarial": F.softplus(-logits[logits >= logits.median()]).mean()}


@parametrize_with_checks(Averaged, MatchingAware, Consistent, Masked)
def test_right_loss_conforms(check):
    check()


@mutants.parametrize(
    *(cls for cls in list(globals().values()) if "caught_by" in getattr(cls, "__dict__", ()))
)
def test_wrong_loss_is_caught(mutant):
    mutants.assert_caught(mutant)
