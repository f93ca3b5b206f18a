"""Losses that misuse networks of their own, edits, weights or batches are caught by the kit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from helpers import methods, mutants
from torch import nn

from ganbench import Owned, Regularizer, Step, Terms
from ganbench.default_plugins.losses import BCE, LSGAN

InfoGAN = methods.plugins("infogan")[0]
TopK = methods.plugins("top_k")[0]
Unrolled = methods.plugins("unrolled")[0]


@dataclass(kw_only=True)
class MakesItsNetworkAnew(Regularizer):
    """Q is another in each step, and nothing trains it."""

    name = "makes-its-network-anew"
    caught_by = {"no_weights_beside_the_players"}

    def generator_loss(self, step: Step) -> Terms:
        features = step.fake.features
        torch.manual_seed(1)
        q = nn.Linear(features.shape[1], 1, device=features.device)
        return {"information": F.mse_loss(q(features), step.latents[:, :1])}


@dataclass(kw_only=True)
class OwnedByTheOther(InfoGAN):
    """D is to train what only G's terms use."""

    name = "owned-by-the-other"
    caught_by = {"owned_networks_learn_with_their_player"}

    def networks(self, shapes) -> dict[str, Owned]:
        return {"q": super().networks(shapes)["q"]._replace(player="discriminator")}


@dataclass(kw_only=True)
class OneNetworkForAll(InfoGAN):
    """A network that outlives its trial."""

    name = "one-network-for-all"
    caught_by = {"every_trial_has_networks_of_its_own"}
    also = {"what_it_keeps_can_be_stored"}
    made: dict = field(default_factory=dict, init=False, compare=False)

    def networks(self, shapes) -> dict[str, Owned]:
        if not self.made:
            self.made.update(super().networks(shapes))
        return self.made


@dataclass(kw_only=True)
class StepsByItself(BCE):
    """Weights are changed while terms are made."""

    name = "steps-by-itself"
    caught_by = {"weights_are_read_only"}
    also = {
        "draws_come_from_torch",
        "other_losses_may_track_any_batch",
        "survives_deepcopy_and_pickle",
    }

    def discriminator_loss(self, step: Step) -> Terms:
        with torch.no_grad():
            for weight in step.parameters.discriminator.values():
                weight.mul_(0.999)
        return super().discriminator_loss(step)


@dataclass(kw_only=True)
class ReplacesWeights(Regularizer):
    """Clipped weights are new tensors, which no optimiser knows."""

    name = "replaces-weights"
    caught_by = {"weights_are_read_only"}

    def after_discriminator_step(self, discriminator: nn.Module) -> None:
        for module in discriminator.modules():
            for name, weight in list(module.named_parameters(recurse=False)):
                setattr(module, name, nn.Parameter(weight.detach().clamp(-1, 1)))


@dataclass(kw_only=True)
class LooksAheadUnsaid(Unrolled):
    """Networks would be compiled with their own weights."""

    name = "looks-ahead-unsaid"
    looks_ahead = False
    caught_by = {"looking_ahead_is_declared"}


@dataclass(kw_only=True)
class SeesLayersUnsaid(Regularizer):
    """A compiled D does not say what its layers make."""

    name = "sees-layers-unsaid"
    caught_by = {"looking_ahead_is_declared"}
    # where D is a critic without layers
    also = {"more_than_the_first_batch_is_remembered", "generator_still_raises_fake_logits"}

    def generator_loss(self, step: Step) -> Terms:
        made, *_ = step.fake.layers("*").values()
        return {"small": made.square().mean()}


@dataclass(kw_only=True)
class ForgetsLatents(TopK):
    """Fakes are fewer, and latents are not."""

    name = "forgets-latents"
    caught_by = {"edited_steps_are_whole"}

    def edit_generator_step(self, step: Step) -> Step:
        return replace(super().edit_generator_step(step), latents=step.latents)


@dataclass(kw_only=True)
class ForgetsLabels(Regularizer):
    """Fakes come in another order, and their labels do not."""

    name = "forgets-labels"
    breaks_pairs = True
    caught_by = {"edited_images_keep_their_labels"}

    def edit_generator_step(self, step: Step) -> Step:
        return replace(step, fake=step.fake.of(step.fake.images.roll(1, 0)))


@dataclass(kw_only=True)
class BreaksPairsUnsaid(TopK):
    """Fakes are beside reals of other labels."""

    name = "breaks-pairs-unsaid"
    breaks_pairs = False
    caught_by = {"broken_pairs_are_declared"}


@dataclass(kw_only=True)
class DetachesFakes(Regularizer):
    """G learns nothing from what is left."""

    name = "detaches-fakes"
    caught_by = {"edited_steps_train_their_player"}

    def edit_generator_step(self, step: Step) -> Step:
        return replace(step, fake=step.fake.of(step.fake.images.detach()))


@dataclass(kw_only=True)
class PairsUnsaid(BCE):
    """Relativistic of pairs."""

    name = "pairs-unsaid"
    caught_by = {"pairs_are_declared"}

    def discriminator_loss(self, step: Step) -> Terms:
        return {"pairs": F.softplus(step.fake.logits - step.real.logits).mean()}


@dataclass(kw_only=True)
class WholeBatchUnsaid(LSGAN):
    """Fakes are scaled by the spread of the batch."""

    name = "whole-batch-unsaid"
    caught_by = {"whole_batches_are_declared"}

    def generator_loss(self, step: Step) -> Terms:
        logits = step.fake.logits
        return {"adversarial": (logits - 1).square().mean() * (1 + logits.std(correction=0))}


@dataclass(kw_only=True)
class Squeezes(BCE):
    """One logit for each image is taken for granted."""

    name = "squeezes"
    caught_by = {"several_logits_per_image_work"}

    def generator_loss(self, step: Step) -> Terms:
        one_each = step.fake.logits.view(len(step.fake.images))
        return {"adversarial": F.softplus(-one_each).mean()}


@dataclass(kw_only=True)
class SumsOverPatches(BCE):
    """A mean over images, of sums over their patches."""

    name = "sums-over-patches"
    caught_by = {"several_logits_per_image_work"}

    def discriminator_loss(self, step: Step) -> Terms:
        sides = F.softplus(-step.real.logits), F.softplus(step.fake.logits)
        return {"sides": torch.stack([s.sum() / len(s) for s in sides]).sum()}


@dataclass(kw_only=True)
class BreaksNothing(BCE):
    """A rule is declared broken that it keeps."""

    name = "breaks-nothing"
    breaks = {"logits_are_unbounded": "logits are clipped by design"}
    caught_by = {"logits_are_unbounded"}


@dataclass(kw_only=True)
class BreaksTheUnknown(BCE):
    """There is no such rule."""

    name = "breaks-the-unknown"
    breaks = {"logits_are_bounded": "logits are clipped by design"}
    caught_by = {"breaks_names_rules"}


@dataclass(kw_only=True)
class BreaksWithoutReason(BCE):
    """A reason is a sentence."""

    name = "breaks-without-reason"
    breaks = {"logits_are_unbounded": "yes"}
    caught_by = {"breaks_names_rules"}
    also = {"logits_are_unbounded"}


@mutants.parametrize(
    *(cls for cls in list(globals().values()) if "caught_by" in getattr(cls, "__dict__", ()))
)
def test_wrong_loss_is_caught(mutant):
    mutants.assert_caught(mutant)
