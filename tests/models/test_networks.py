"""Conditioners around backbones: what the assembled players keep to."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from ganbench import ImageSpec, Scored
from ganbench.default_plugins.architectures import DCGAN, MLP, ResNet
from ganbench.default_plugins.conditionings import (
    Concat,
    EmbedConcat,
    EmbedMul,
    ImageMul,
    Projection,
    Unconditional,
)
from ganbench.models.networks import PER_SAMPLE, PLAIN_NORMS, BatchNorm, build
from ganbench.testing.fixtures.networks import shaken

IMAGE = ImageSpec(1, 28, 3)
SMALL = DCGAN(width=4, max_width=8, latent_dim=6, smallest=7)


def players_of(conditioning, architecture=SMALL, image=IMAGE, g_norm="batch", d_norm="layer"):
    torch.manual_seed(0)
    return build(architecture, conditioning, conditioning, image, g_norm=g_norm, d_norm=d_norm)


def neighbours_move(d_norm: str, architecture=SMALL) -> bool:
    """Whether changing one image of a batch changes the logits of the others, in training."""
    _, discriminator = players_of(Concat(), architecture, d_norm=d_norm)
    shaken(discriminator, 0.1)
    if d_norm == "spectral":
        discriminator.eval()  # no power iteration between the two calls
    images, labels = torch.rand(4, 1, 28, 28), torch.tensor([0, 1, 2, 0])
    disturbed = images.clone()
    disturbed[0] = -images[0]
    before, after = discriminator(images, labels).logits, discriminator(disturbed, labels).logits
    assert (before[0] - after[0]).abs() > 1e-4
    return bool((before[1:] - after[1:]).abs().max() > 1e-5)


@pytest.mark.parametrize("d_norm", sorted(PER_SAMPLE))
@pytest.mark.parametrize("architecture", [SMALL, ResNet(width=4)], ids=lambda a: a.name)
def test_per_sample_norms_keep_logits_apart(d_norm, architecture):
    assert not neighbours_move(d_norm, architecture)


@pytest.mark.parametrize("architecture", [SMALL, ResNet(width=4)], ids=lambda a: a.name)
def test_batch_norm_mixes_logits(architecture):
    assert neighbours_move("batch", architecture)


def test_every_norm_but_batch_is_per_sample():
    assert set(PLAIN_NORMS) - PER_SAMPLE == {"batch"}


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3, 3)])
def test_batch_norm_works_at_any_rank(shape):
    h = BatchNorm(5)(torch.randn(shape) * 3 + 2)
    mean = h.transpose(0, 1).flatten(1).mean(1)
    std = h.transpose(0, 1).flatten(1).std(1, unbiased=False)
    torch.testing.assert_close(mean, torch.zeros(5), atol=1e-5, rtol=0)
    torch.testing.assert_close(std, torch.ones(5), atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", sorted(set(PLAIN_NORMS) - {"none", "spectral"}))
def test_plain_norms_without_affine_have_no_parameters(name):
    assert list(PLAIN_NORMS[name](4, affine=False).parameters()) == []
    h = torch.randn(3, 4, 5, 5) * 3 + 2
    assert PLAIN_NORMS[name](4, affine=False)(h).mean().item() == pytest.approx(0, abs=1e-5)


def weighted(module: nn.Module) -> list[nn.Module]:
    return [m for m in module.modules() if isinstance(m, nn.Conv2d | nn.Linear | nn.Embedding)]


@pytest.mark.parametrize(
    "conditioning",
    [Unconditional(), Concat(), EmbedConcat(), ImageMul(), Projection()],
    ids=lambda c: c.name,
)
def test_spectral_norm_bounds_backbone_and_head_but_no_conditioner(conditioning):
    generator, discriminator = players_of(conditioning, d_norm="spectral")
    bounded = [*weighted(discriminator.backbone), *weighted(discriminator.head)]
    assert len(bounded) >= 3
    assert all(is_parametrized(m, "weight") for m in bounded)
    assert not any(is_parametrized(m) for m in discriminator.conditioner.modules())
    assert not any(is_parametrized(m) for m in generator.modules())


def test_spectral_norm_brings_the_largest_singular_value_to_one():
    _, discriminator = players_of(Projection(), d_norm="spectral")
    images, labels = torch.rand(2, 1, 28, 28), torch.tensor([0, 1])
    for _ in range(30):  # one power iteration each
        discriminator(images, labels)
    with torch.no_grad():
        for module in weighted(discriminator):
            largest = torch.linalg.matrix_norm(module.weight.flatten(1), ord=2)
            assert largest.item() == pytest.approx(1, rel=0.02)


def test_spectral_norm_goes_beside_layers_and_in_the_generator():
    players = players_of(Projection(), g_norm="batch+spectral", d_norm="layer+spectral")
    generator, discriminator = players
    layers = (BatchNorm, nn.GroupNorm)
    for player, kind in zip(players, layers, strict=True):
        norms = [m for m in player.backbone.modules() if isinstance(m, layers)]
        assert norms
        assert all(isinstance(m, kind) for m in norms)
    ups = [m for m in generator.modules() if isinstance(m, nn.ConvTranspose2d | nn.Linear)]
    bounded = [*ups, *weighted(discriminator.backbone), *weighted(discriminator.head)]
    assert len(ups) >= 2
    assert all(is_parametrized(m, "weight") for m in bounded)
    gains = [m for m in generator.modules() if isinstance(m, nn.Embedding)]
    assert gains  # of the conditioner's norm layers
    assert not any(map(is_parametrized, gains))


def test_spectral_norm_of_a_generator_without_layers_is_refused():
    class Weightless(MLP):
        def generator(self, image, latent_dim, norm):
            return nn.Identity()

    with pytest.raises(ValueError, match="'spectral' normalises convolutions and linear layers"):
        players_of(Unconditional(), Weightless(), ImageSpec(2, 1), g_norm="spectral", d_norm="none")


@pytest.mark.parametrize("d_norm", sorted(set(PLAIN_NORMS) - {"spectral"}))
def test_other_norms_leave_weights_as_they_are(d_norm):
    _, discriminator = players_of(Projection(), d_norm=d_norm)
    assert not any(is_parametrized(m) for m in discriminator.modules())


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameter_counts_of_an_mlp():
    architecture = MLP(width=8, depth=2, latent_dim=4)
    generator, discriminator = players_of(
        Unconditional(), architecture, ImageSpec(2, 1), g_norm="none", d_norm="none"
    )
    assert count(generator) == (4 * 8 + 8) + (8 * 8 + 8) + (8 * 2 + 2)
    assert count(discriminator) == (2 * 8 + 8) + (8 * 8 + 8) + (8 + 1)


def test_parameter_counts_of_a_dcgan():
    generator, discriminator = players_of(Unconditional(), d_norm="none")
    assert count(discriminator) == (16 * 4 + 4) + (16 * 4 * 8 + 8) + (8 * 49 + 1)
    projected, norms = 6 * 8 * 49 + 8 * 49, 2 * (8 + 4)
    assert count(generator) == projected + norms + (16 * 8 * 4 + 4) + (16 * 4 + 1)


@pytest.mark.parametrize(
    ("conditioning", "g_more", "d_more"),
    [
        (Concat(), 3 * 8 * 49, 3 * 4 * 16),  # a column per class; a plane per class
        (EmbedMul(), 3 * 6, 3 * 28**2 + 4 * 16),
        (EmbedConcat(embedding_dim=5), 3 * 5 + 5 * 8 * 49, 3 * 28**2 + 4 * 16),
        (ImageMul(), 3 * 6, 3 * 28**2),
        (Projection(), (3 - 1) * 2 * (8 + 4), 3 * 8 * 49),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_conditionings_add_the_parameters_they_say(conditioning, g_more, d_more):
    plain = [count(player) for player in players_of(Unconditional())]
    conditioned = [count(player) for player in players_of(conditioning)]
    assert [b - a for a, b in zip(plain, conditioned, strict=True)] == [g_more, d_more]


@pytest.mark.parametrize("conditioning", [Concat(), Projection()], ids=lambda c: c.name)
@pytest.mark.parametrize("architecture", [SMALL, ResNet(width=4)], ids=lambda a: a.name)
def test_outputs_are_float32_under_bfloat16_autocast(conditioning, architecture):
    generator, discriminator = players_of(conditioning, architecture)
    labels = torch.tensor([0, 1, 2])
    with torch.autocast("cpu", torch.bfloat16):
        images = generator(torch.randn(3, architecture.latent_dim), labels)
        scored = Scored(images, labels, discriminator)
    assert images.dtype == scored.logits.dtype == scored.features.dtype == torch.float32


def test_bfloat16_stays_close_to_float32():
    _, discriminator = players_of(Projection())
    shaken(discriminator, 0.1)
    images, labels = torch.rand(8, 1, 28, 28), torch.arange(8) % 3
    exact = discriminator(images, labels).logits
    with torch.autocast("cpu", torch.bfloat16):
        rough = discriminator(images, labels).logits
    assert not torch.equal(exact, rough)
    torch.testing.assert_close(rough, exact, atol=0.05 * exact.abs().max().item(), rtol=0.05)


def test_sides_come_from_their_own_conditioning():
    generator, discriminator = build(
        SMALL, Concat(), Projection(), IMAGE, g_norm="batch", d_norm="layer"
    )
    assert type(generator.conditioner) is type(Concat().generator(6, 3))
    assert type(discriminator.conditioner) is type(Projection().discriminator(IMAGE))


def test_players_ignore_missing_labels_where_nothing_is_conditioned():
    generator, discriminator = players_of(Unconditional())
    images = generator(torch.randn(2, 6))
    assert discriminator(images).logits.shape == (2,)
    assert discriminator(images).class_logits is None
