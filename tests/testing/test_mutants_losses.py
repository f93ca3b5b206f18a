"""What goes wrong in losses of other suites, written down, is caught by the kit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from helpers import mutants
from torch import Tensor, nn

from ganbench import InputGradients, Loss, Regularizer, Step, Terms
from ganbench.default_plugins.losses import BCE, WGANGP
from ganbench.testing import parametrize_with_checks


@dataclass(kw_only=True)
class WholeBatchNorm(WGANGP):
    """One norm over the batch instead of one per sample."""

    name = "whole-batch-norm"
    caught_by = {"discriminator_terms_are_means_over_samples"}
    also = {"whole_batches_are_declared"}

    def discriminator_loss(self, step: Step) -> Terms:
        scored = step.score(step.fake.images.detach(), step.real.labels, track_inputs=True)
        penalty = 10 * (scored.input_gradient.norm() - 1).square()
        return {"w": step.fake.logits.mean() - step.real.logits.mean(), "penalty": penalty}


@dataclass(kw_only=True)
class SumOverSamples(BCE):
    """A sum where a mean belongs."""

    name = "sum-over-samples"
    caught_by = {"discriminator_terms_are_means_over_samples"}
    also = {"whole_batches_are_declared", "several_logits_per_image_work"}

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
    also = {"what_it_keeps_can_be_stored"}

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
    also = {"pairs_are_declared", "steps_do_not_share_a_graph"}

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

    def discriminator_loss(self, step: Step) -> Terms:
        for weight in step.parameters.generator.values():
            weight.requires_grad_(True)
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
        "late_iterations_stay_finite",
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
class LabelsInSecret(BCE):
    """Labels are used but not asked for."""

    name = "labels-in-secret"
    caught_by = {"missing_labels_work"}
    also = {"several_logits_per_image_work", "vectors_are_handed_on"}

    def generator_loss(self, step: Step) -> Terms:
        weights = 1.0 + step.fake.labels.float()
        return {"adversarial": (weights * F.softplus(-step.fake.logits)).mean()}


@dataclass(kw_only=True)
class NeedsTwo(BCE):
    """A standard deviation over the batch, which one sample does not have."""

    name = "needs-two"
    caught_by = {"any_batch_size_and_channel_count_works"}
    also = {"whole_batches_are_declared", "several_logits_per_image_work"}

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": -step.fake.logits.mean() / self._spread(step.fake.logits)}

    @staticmethod
    def _spread(logits: Tensor) -> Tensor:
        return ((logits - logits.mean()).square().sum() / (len(logits) - 1)).sqrt()


@dataclass(kw_only=True)
class SummedPenalty(Regularizer):
    """R1, summed over the batch."""

    name = "summed-penalty"
    input_gradients = InputGradients.REAL
    caught_by = {"discriminator_terms_are_means_over_samples"}
    also = {"whole_batches_are_declared"}

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
class DetachedGenerator(BCE):
    """G's images are scored anew, detached."""

    name = "detached-generator"
    caught_by = {"generator_terms_reach_only_the_generator"}

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
class Averaged(Regularizer):
    """A detached moving average, which is right."""

    name = "averaged"
    whole_batch = True

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


@dataclass(kw_only=True)
class HelpsD(Regularizer):
    """G is to make its images less real."""

    name = "helps-d"
    caught_by = {"generator_still_raises_fake_logits"}

    def generator_loss(self, step: Step) -> Terms:
        return {"less_real": 2 * step.fake.logits.mean()}


@mutants.parametrize(
    *(cls for cls in list(globals().values()) if "caught_by" in getattr(cls, "__dict__", ()))
)
def test_wrong_loss_is_caught(mutant):
    mutants.assert_caught(mutant)
