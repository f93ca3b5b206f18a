"""Architectures that handle norms wrongly are caught by the kit."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from helpers import methods, mutants
from helpers.backbones import PER_SAMPLE, Wrapped
from torch import Tensor, nn

from ganbench import ImageSpec, NormFactory
from ganbench.models.networks import BatchNorm
from ganbench.testing.fixtures.networks import TinyConv


@dataclass(kw_only=True)
class HiddenBatchNorm(TinyConv):
    """Batch norm in D whatever the plan says."""

    name = "hidden-batch-norm"
    caught_by = {*PER_SAMPLE, "discriminator_norm_layers_are_made_by_the_factory"}

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        return super().discriminator(image, BatchNorm)


@dataclass(kw_only=True)
class NormsWhereThereIsRoom(TinyConv):
    """The smallest images leave D without a layer to normalise, which is right."""

    name = "norms-where-there-is-room"

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        return super().discriminator(image, norm if image.resolution > 4 else nn.Identity)


def test_norms_may_need_larger_images():
    assert mutants.failures(NormsWhereThereIsRoom) == {}


@dataclass(kw_only=True)
class NormOfOnePlace(TinyConv):
    """Instance norm is offered for maps of a single place, of which there is no deviation."""

    name = "norm-of-one-place"
    d_norms = ("instance",)
    caught_by = {"discriminator_is_per_sample[instance]"}
    also = mutants.MOST

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        net = super().discriminator(image, norm)
        net.conv = nn.Conv2d(image.channels, self.width, image.resolution)
        net.feature_dim = self.width
        return net


@dataclass(kw_only=True)
class DropsTheCondition(TinyConv):
    """Norm layers that are called without the condition."""

    name = "drops-the-condition"
    caught_by = {"generator_norm_layers_receive_the_condition"}

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        class Deaf(nn.Module):
            def __init__(self, layer: nn.Module) -> None:
                super().__init__()
                self.layer = layer

            def forward(self, h: Tensor, condition: Tensor | None) -> Tensor:
                return self.layer(h, None)

        return super().generator(image, latent_dim, lambda channels: Deaf(norm(channels)))


@dataclass(kw_only=True)
class BatchDeviation(TinyConv):
    """Features divided by their deviation over the batch."""

    name = "batch-deviation"
    caught_by = PER_SAMPLE

    class Net(Wrapped):
        def changed(self, features: Tensor) -> Tensor:
            return features / (features - features.mean(0)).square().mean().add(1e-6).sqrt()

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        return self.Net(super().discriminator(image, norm))


@dataclass(kw_only=True)
class MixesUnsaid(methods.plugins("minibatch_stddev")[0]):
    """Batches would come in pieces, and their spread be that of a piece."""

    name = "mixes-unsaid"
    per_sample = True
    caught_by = {f"discriminator_is_per_sample[{norm}]" for norm in ("none", "spectral")}


@dataclass(kw_only=True)
class UsesRawWeights(TinyConv):
    """A weight is used as it is, whatever normalises its layer."""

    name = "uses-raw-weights"
    caught_by = {"spectral_norm_holds_in_the_generator"}

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        class Raw(nn.Module):
            def __init__(self, net: nn.Module) -> None:
                super().__init__()
                self.net = net
                self.weight = net.project.weight

            def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
                h = (z @ self.weight.T + self.net.project.bias).view(-1, *self.net.start)
                return self.net.to_image(self.net.norm(h, condition).tanh()).tanh()

        return Raw(super().generator(image, latent_dim, norm))


@dataclass(kw_only=True)
class UnknownNorms(TinyConv):
    """Norms that nobody has."""

    name = "unknown-norms"
    g_norms = ("batch", "group")
    caught_by = {"norms_are_known"}
    also = {"generator_gradient_is_finite"}


@dataclass(kw_only=True)
class SlopeWithoutGraph(TinyConv):
    """An operator that can be differentiated once."""

    name = "slope-without-graph"
    caught_by = {f"gradient_penalty_passes_through[{n}]" for n in ("layer", "instance", "none")} | {
        "gradient_penalty_passes_through[spectral]"
    }

    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x: Tensor) -> Tensor:
            ctx.slope = 1 - x.tanh().square()
            return x.tanh()

        @staticmethod
        def backward(ctx, gradient: Tensor) -> Tensor:
            return (gradient * ctx.slope).detach()

    class Net(Wrapped):
        def changed(self, features: Tensor) -> Tensor:
            return SlopeWithoutGraph.Once.apply(features)

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        return self.Net(super().discriminator(image, norm))


@mutants.parametrize(
    *(cls for cls in list(globals().values()) if "caught_by" in getattr(cls, "__dict__", ()))
)
def test_wrong_architecture_is_caught(mutant):
    mutants.assert_caught(mutant)
