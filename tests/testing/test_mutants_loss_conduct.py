"""Losses that harm what they are given, or remember what they should not, are caught by the kit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from helpers import mutants
from helpers.penalties import penalised

from ganbench import Regularizer, Step, Terms
from ganbench.default_plugins.losses import BCE, LSGAN, WGANGP


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
class NoisyInPlace(Regularizer):
    """An edit that adds noise to the batch's own images; detach() shares their memory."""

    name = "noisy-in-place"
    caught_by = {"inputs_are_not_modified"}

    def edit_discriminator_step(self, step: Step) -> Step:
        images = step.fake.images.detach()
        images.add_(0.05 * torch.randn_like(images)).clamp_(-1, 1)
        return step


@dataclass(kw_only=True)
class CentredOnce(LSGAN):
    """A centre of logits that was meant to move, and stays that of the first batch."""

    name = "centred-once"
    caught_by = {"more_than_the_first_batch_is_remembered"}
    also = {"whole_batches_are_declared"}

    def discriminator_loss(self, step: Step) -> Terms:
        if not hasattr(self, "_centre"):
            self._centre = step.real.logits.mean().detach()
        real, fake = step.real.logits - self._centre, step.fake.logits - self._centre
        return {"real": (real - 1).square().mean(), "fake": (fake + 1).square().mean()}


@dataclass(kw_only=True)
class KeepsAFunction(BCE):
    """A field that cannot travel to another process."""

    name = "keeps-a-function"
    caught_by = {"survives_deepcopy_and_pickle"}
    also = {"what_it_keeps_can_be_stored"}

    def __post_init__(self) -> None:
        self._softplus = lambda x: F.softplus(x)


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
        ones, zeros = (make(step.real.logits.shape) for make in (torch.ones, torch.zeros))
        real, fake = F.mse_loss(step.real.logits, ones), F.mse_loss(step.fake.logits, zeros)
        return {"real": real, "fake": fake}


@dataclass(kw_only=True)
class WaitsForTheDevice(BCE):
    """A weight that is read back from the device in every step."""

    name = "waits-for-the-device"
    caught_by = {"stays_on_the_device"}
    also = {"whole_batches_are_declared"}

    def generator_loss(self, step: Step) -> Terms:
        weight = 2.0 if step.fake.logits.mean().item() < 0 else 1.0
        return {"adversarial": weight * F.softplus(-step.fake.logits).mean()}


@dataclass(kw_only=True)
class AverageWithItsGraph(Regularizer):
    """A moving average that nobody detached."""

    name = "average-with-its-graph"
    caught_by = {"steps_do_not_share_a_graph"}
    also = {"whole_batches_are_declared"}

    def discriminator_loss(self, step: Step) -> Terms:
        mean = step.real.logits.mean()
        self._average = 0.9 * getattr(self, "_average", mean) + 0.1 * mean
        return {"held": (step.real.logits - self._average).square().mean() + 0 * mean}


@dataclass(kw_only=True)
class KeepsTheStep(BCE):
    """The whole step is kept, and its memory with it."""

    name = "keeps-the-step"
    caught_by = {"steps_do_not_share_a_graph"}
    also = {"what_it_keeps_can_be_stored"}

    def discriminator_loss(self, step: Step) -> Terms:
        self._seen = {"steps": [step]}
        return super().discriminator_loss(step)


@dataclass(kw_only=True)
class LooksAtTracking(BCE):
    """A term that changes where a regularizer beside it takes gradients."""

    name = "looks-at-tracking"
    caught_by = {"other_losses_may_track_any_batch"}

    def discriminator_loss(self, step: Step) -> Terms:
        weight = 2.0 if step.real.images.requires_grad else 1.0
        return {name: weight * term for name, term in super().discriminator_loss(step).items()}


class Seen:
    """What no checkpoint can hold."""


@dataclass(kw_only=True)
class KeepsAnObject(BCE):
    """A training with it cannot be resumed."""

    name = "keeps-an-object"
    caught_by = {"what_it_keeps_can_be_stored"}

    def generator_loss(self, step: Step) -> Terms:
        self.seen = Seen()
        return super().generator_loss(step)


@mutants.parametrize(
    *(cls for cls in list(globals().values()) if "caught_by" in getattr(cls, "__dict__", ()))
)
def test_loss_of_wrong_conduct_is_caught(mutant):
    mutants.assert_caught(mutant)
