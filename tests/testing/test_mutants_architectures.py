"""Wrong architectures are caught by the kit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from helpers import methods, mutants
from helpers.backbones import PER_SAMPLE, Wrapped
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from ganbench import Architecture, ImageSpec, NormFactory
from ganbench.testing.fixtures.backbones import claimed, of_each_size
from ganbench.testing.fixtures.networks import TinyConv


@dataclass(kw_only=True)
class Unsquashed(TinyConv):
    """Images beyond [-1, 1]."""

    name = "unsquashed"
    caught_by = {"images_are_in_range"}

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        class Louder(nn.Module):
            def __init__(self, quiet: nn.Module) -> None:
                super().__init__()
                self.quiet = quiet

            def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
                return 3 * self.quiet(z, condition)

        return Louder(super().generator(image, latent_dim, norm))


@dataclass(kw_only=True)
class NeverDark(TinyConv):
    """Images in [0, 1]."""

    name = "never-dark"
    caught_by = {"images_are_dark_and_bright"}

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        net = super().generator(image, latent_dim, norm)
        net.register_forward_hook(lambda module, given, images: (images + 1) / 2)
        return net


@dataclass(kw_only=True)
class WrongFeatureDim(TinyConv):
    """`feature_dim` is not what comes out."""

    name = "wrong-feature-dim"
    caught_by = {"claimed_sizes_build"}
    also = mutants.MOST

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        net = super().discriminator(image, norm)
        net.feature_dim += 1
        return net


@dataclass(kw_only=True)
class ClaimsEverySize(TinyConv):
    """Odd sizes are claimed and come out wrong."""

    name = "claims-every-size"
    caught_by = {"claimed_sizes_build"}
    also = mutants.MOST

    def unsupported(self, image: ImageSpec) -> str | None:
        return None


@dataclass(kw_only=True)
class RefusesCurtly(TinyConv):
    """A refusal that explains nothing."""

    name = "refuses-curtly"
    caught_by = {"unsupported_sizes_get_a_sentence"}

    def unsupported(self, image: ImageSpec) -> str | None:
        return "unsupported" if super().unsupported(image) else None


@dataclass(kw_only=True)
class OwnLatentDim(TinyConv):
    """The latents that a conditioning adds are thrown away."""

    name = "own-latent-dim"
    caught_by = {"images_depend_on_the_latent"}

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        size = self.latent_dim

        class Cut(nn.Module):
            def __init__(self, net: nn.Module) -> None:
                super().__init__()
                self.net = net

            def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
                return self.net(z[:, :size], condition)

        return Cut(super().generator(image, size, norm))


@dataclass(kw_only=True)
class OneChannel(TinyConv):
    """Images of one channel, whatever is asked for."""

    name = "one-channel"
    caught_by = {"claimed_sizes_build"}
    also = {*PER_SAMPLE, "discriminator_norm_layers_are_made_by_the_factory"}

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        return super().generator(replace(image, channels=1), latent_dim, norm)

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        return super().discriminator(replace(image, channels=1), norm)


@dataclass(kw_only=True)
class NoiseOnCPU(TinyConv):
    """Noise on D's features that is always on the CPU."""

    name = "noise-on-cpu"
    caught_by = {"stays_on_the_device"}
    also = {"claimed_sizes_build"}

    class Net(Wrapped):
        def changed(self, features: Tensor) -> Tensor:
            return features + 0.01 * torch.randn(features.shape, device="cpu")

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        return self.Net(super().discriminator(image, norm))


@dataclass(kw_only=True)
class IdleLayer(TinyConv):
    """A layer of G that is made and never used."""

    name = "idle-layer"
    caught_by = {"generator_gradient_is_finite"}

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        net = super().generator(image, latent_dim, norm)
        net.spare = nn.Linear(3, 3)
        return net


StyledMLP = methods.plugins("styled")[0]


@dataclass(kw_only=True)
class StylesOfTheBatch(StyledMLP):
    """An image is made of the mean style of its batch, too."""

    name = "styles-of-the-batch"
    caught_by = {"styles_are_of_each_image"}

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        class Mixing(methods.module("styled").Styled):
            def synthesise(self, styles: Tensor) -> Tensor:
                return super().synthesise(styles + styles.mean(0, keepdim=True))

        return Mixing(image, latent_dim, self.width)


@dataclass(kw_only=True)
class NoLatents(TinyConv):
    """A latent of nothing."""

    name = "no-latents"
    latent_dim: int = 0
    caught_by = {"latent_dim_is_positive"}
    also = mutants.MOST


@dataclass(kw_only=True)
class SharedWeights(TinyConv):
    """A function that holds on to the first network, however often it is copied."""

    name = "shared-weights"
    caught_by = {"survives_deepcopy"}

    class Net(nn.Module):
        def __init__(self, net: nn.Module) -> None:
            super().__init__()
            self.net = net
            self.call = lambda z, condition: net(z, condition)

        def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
            return self.call(z, condition)

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        return self.Net(super().generator(image, latent_dim, norm))


class Keeping(nn.Module):
    """A generator that keeps something of every step of training."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.kept: Tensor | float = 0.0

    def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
        if self.training:
            self.kept = 0.5 * self.kept + z.mean().detach()
        return self.net(z + self.kept, condition)


@dataclass(kw_only=True)
class UnregisteredAverage(TinyConv):
    """A running average of latents in a plain attribute, which no state_dict holds."""

    name = "unregistered-average"
    caught_by = {"what_the_generator_keeps_is_in_its_state"}
    also = {"statistics_over_batches_are_renewed"}

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        return Keeping(super().generator(image, latent_dim, norm))


class OwnBatchNorm(nn.Module):
    """Batch norm that ganbench cannot know."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("stored_mean", torch.zeros(channels))
        self.register_buffer("stored_var", torch.ones(channels))

    def forward(self, h: Tensor) -> Tensor:
        if self.training:
            self.stored_mean.lerp_(h.detach().mean(0), 0.1)
            self.stored_var.lerp_(h.detach().var(0), 0.1)
            return (h - h.mean(0)) / (h.var(0) + 1e-5).sqrt()
        return (h - self.stored_mean) / (self.stored_var + 1e-5).sqrt()


class NormedTwice(nn.Module):
    """Latents are scaled, and normed by another norm of its own."""

    def __init__(self, net: nn.Module, latent_dim: int, norm: nn.Module) -> None:
        super().__init__()
        self.scale = nn.Linear(latent_dim, latent_dim)
        self.norm, self.net = norm, net

    def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
        return self.net(self.norm(3 * self.scale(z) + 2), condition)


@dataclass(kw_only=True)
class UnknownBatchNorm(TinyConv):
    """A batch norm of its own class, whose statistics stay those of other weights."""

    name = "unknown-batch-norm"
    caught_by = {"statistics_over_batches_are_renewed"}

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        net = super().generator(image, latent_dim, norm)
        return NormedTwice(net, latent_dim, OwnBatchNorm(latent_dim))


@dataclass(kw_only=True)
class WithoutRunningStatistics(TinyConv):
    """A batch norm that looks at the batch in evaluation too."""

    name = "without-running-statistics"
    caught_by = {"statistics_over_batches_are_renewed"}

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        plain = nn.BatchNorm1d(latent_dim, track_running_stats=False)
        return NormedTwice(super().generator(image, latent_dim, norm), latent_dim, plain)


@dataclass(kw_only=True)
class WidensItsNorms(TinyConv):
    """Larger images come of norm layers for more channels than there are."""

    name = "widens-its-norms"
    caught_by = {"claimed_sizes_build"}

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        more = int(image.resolution > 4)
        return super().generator(image, latent_dim, lambda channels: norm(channels + more))


def test_every_size_is_built_and_every_number_of_channels():
    found = [*of_each_size(TinyConv())]
    least = min(image.resolution for image in found)
    assert {image.resolution for image in found} == {i.resolution for i in claimed(TinyConv())}
    for of in ([i for i in found if i.resolution == least], found[3:]):
        assert {image.channels for image in of} == {1, 2, 3}
    assert len(found[3:]) == len({image.resolution for image in found[3:]}) > 3


@mutants.parametrize(
    *(cls for cls in list(globals().values()) if "caught_by" in getattr(cls, "__dict__", ()))
)
def test_wrong_architecture_is_caught(mutant):
    mutants.assert_caught(mutant)


@dataclass(kw_only=True)
class BuildsNothing(TinyConv):
    """No size is small or large enough."""

    name = "builds-nothing"

    def unsupported(self, image: ImageSpec) -> str | None:
        return "it builds no size at all"


def test_architecture_without_any_size_is_caught():
    failed = mutants.failures(BuildsNothing)
    assert "test it with one that it builds" in failed["claimed_sizes_build"]
    assert issubclass(BuildsNothing, Architecture)


@dataclass(kw_only=True)
class Plain(TinyConv):
    """One of torch's own layers, which keeps something."""

    name = "plain"
    make = nn.Identity

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        net = super().generator(image, latent_dim, norm)
        net.to_image = nn.Sequential(type(self).make(), net.to_image)
        return net


LAYERS = {
    "batch norm": lambda: nn.BatchNorm2d(4),
    "synchronised": lambda: nn.SyncBatchNorm(4),
    "instance norm": lambda: nn.InstanceNorm2d(4, track_running_stats=True),
    "spectral norm": lambda: parametrizations.spectral_norm(nn.Conv2d(4, 4, 1)),
    "by a hook": lambda: nn.utils.spectral_norm(nn.Conv2d(4, 4, 1)),
    "dropout": lambda: nn.Dropout(0.5),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_of_torch_pass(name, monkeypatch):
    monkeypatch.setattr(Plain, "make", staticmethod(LAYERS[name]))
    assert mutants.failures(Plain) == {}
