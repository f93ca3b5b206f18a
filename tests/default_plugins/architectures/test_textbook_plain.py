"""The notebook's networks in plain PyTorch, and ours with the same weights: equal outputs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ganbench import ImageSpec
from ganbench.default_plugins.architectures.textbook.cdcgan import CDCGAN
from ganbench.default_plugins.conditionings import EmbedMul
from ganbench.models.networks import build


class PlainGenerator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.label_embedding = nn.Embedding(10, 128)
        self.noise_conv = nn.Sequential(nn.Conv2d(128, 256, 1), nn.Tanh())
        self.first = self.block(128, 256, 4, 1, 0)
        self.second = self.block(256, 128, 3, 2, 1)
        self.third = self.block(128, 64, 4, 2, 1)
        self.last = nn.Sequential(nn.ConvTranspose2d(64, 1, 4, 2, 1, bias=False), nn.Tanh())

    @staticmethod
    def block(before: int, after: int, kernel: int, stride: int, padding: int) -> nn.Sequential:
        return nn.Sequential(
            nn.ConvTranspose2d(before, after, kernel, stride, padding, bias=False),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(0.2),
        )

    def forward(self, noise: Tensor, labels: Tensor) -> Tensor:
        x = (noise * self.label_embedding(labels)).view(-1, 128, 1, 1)
        x = self.first(x) + self.noise_conv(noise.view(-1, 128, 1, 1))
        return self.last(self.third(self.second(x)))


class PlainDiscriminator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.label_embedding = nn.Embedding(10, 28 * 28)
        self.layers = nn.Sequential(
            nn.Conv2d(2, 64, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2),
            nn.Dropout2d(0.3),
            nn.Conv2d(64, 128, 4, 2, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.LeakyReLU(0.2),
            nn.Dropout2d(0.3),
            nn.Conv2d(128, 256, 3, 2, 1, bias=False),
            nn.BatchNorm2d(256),
            nn.LeakyReLU(0.2),
            nn.Conv2d(256, 1, 4, 1, 0, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        plane = self.label_embedding(labels).view(-1, 1, 28, 28)
        return self.layers(torch.cat([images, plane], dim=1)).flatten()


@pytest.fixture
def pairs() -> list[tuple[nn.Module, nn.Module]]:
    """Plain and ours, with the plain ones' weights, which are no longer as they began."""
    torch.manual_seed(3)
    plain = PlainGenerator(), PlainDiscriminator()
    for module in (*plain[0].modules(), *plain[1].modules()):
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, 0.3)
            nn.init.normal_(module.bias, 0, 0.3)
    notebook = EmbedMul(spread=None, plane_std=1.0)
    image = ImageSpec(1, 28, 10)
    ours = build(CDCGAN(), notebook, notebook, image, g_norm="batch", d_norm="batch")
    for one, other in zip(plain, ours, strict=True):
        copy_weights(one, other)
    return list(zip(plain, ours, strict=True))


def copy_weights(plain: nn.Module, ours: nn.Module) -> None:
    """Copy all weights, each into the one of its kind and place in line."""
    left = kinds(ours)
    for kind, found in kinds(plain).items():
        for source, target in zip(found, left.pop(kind), strict=True):
            with torch.no_grad():
                target.copy_(as_ours(source, target))
    assert not any(left.values())


def kinds(module: nn.Module) -> dict[str, list[Tensor]]:
    """Return parameters by what they are, in the order of layers."""
    found: dict[str, list[Tensor]] = {"embedding": [], "norm": [], "linear": [], "kernel": []}
    for layer in module.modules():
        own = list(layer.parameters(recurse=False))
        if isinstance(layer, nn.Embedding):
            found["embedding"] += own
        elif isinstance(layer, nn.modules.batchnorm._BatchNorm):
            found["norm"] += own
        elif isinstance(layer, nn.Linear) or is_one_point(layer):
            found["linear"] += own
        else:
            found["kernel"] += own
    return found


def is_one_point(layer: nn.Module) -> bool:
    """Whether it is a convolution of or to 1×1 maps, which are linear layers here."""
    return isinstance(layer, nn.Conv2d) and (layer.kernel_size == (1, 1) or layer.out_channels == 1)


def as_ours(source: Tensor, target: Tensor) -> Tensor:
    """Return a kernel (K, C, H, W) as a linear layer's rows, in the order of channels last."""
    if source.ndim == 4 and target.ndim == 2:
        return source.permute(0, 2, 3, 1).flatten(1)
    return source


@pytest.mark.parametrize("training", [True, False], ids=["training", "sampling"])
def test_generator_makes_the_notebooks_images(pairs, training: bool) -> None:
    (plain, ours), _ = pairs
    noise = torch.rand(16, 128) * 2 - 1
    labels = torch.arange(16) % 10
    expected, made = (one.train(training)(noise, labels) for one in (plain, ours))
    assert expected.std() > 0.05
    torch.testing.assert_close(made, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("training", [True, False], ids=["training", "judging"])
def test_discriminator_says_what_the_notebooks_says(pairs, training: bool) -> None:
    """In training both drop the same channels, as they draw them from the same seed."""
    _, (plain, ours) = pairs
    images, labels = torch.rand(16, 1, 28, 28) * 2 - 1, torch.arange(16) % 10
    said = []
    for one in (plain, ours):
        torch.manual_seed(11)
        said.append(one.train(training)(images, labels))
    expected, found = said[0], said[1].logits.sigmoid()
    assert expected.std() > 0.003
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(
        nn.functional.softplus(-said[1].logits).mean(),
        nn.functional.binary_cross_entropy(expected, torch.ones(16)),
    )


def test_gradients_are_the_notebooks(pairs) -> None:
    """Of G's loss through D, for every weight of G."""
    (plain_g, our_g), (plain_d, our_d) = pairs
    noise, labels = torch.rand(16, 128) * 2 - 1, torch.arange(16) % 10
    for one in (plain_d, our_d):
        one.eval()
    judged = plain_d(plain_g(noise, labels), labels)
    nn.functional.binary_cross_entropy(judged, torch.ones(16)).backward()
    nn.functional.softplus(-our_d(our_g(noise, labels), labels).logits).mean().backward()
    theirs, ours = kinds(plain_g), kinds(our_g)
    for kind, found in theirs.items():
        for source, target in zip(found, ours[kind], strict=True):
            assert source.grad is not None
            assert target.grad is not None
            torch.testing.assert_close(
                target.grad, as_ours(source.grad, target), rtol=1e-4, atol=1e-6
            )
