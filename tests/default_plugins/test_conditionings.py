"""Where labels enter, on which side, and with what effect."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ganbench import ImageSpec, LinearHead, Unconditioned
from ganbench.default_plugins.architectures import DCGAN, MLP, ResNet
from ganbench.default_plugins.conditionings import (
    Concat,
    ConditionalBatchNorm,
    ConditionalNorm,
    EmbedConcat,
    EmbedMul,
    ImageMul,
    OneHot,
    Projection,
    ProjectionHead,
    Unconditional,
)
from ganbench.models.networks import PLAIN_NORMS, build

ALL = (Unconditional, Concat, EmbedMul, EmbedConcat, ImageMul, ConditionalBatchNorm, Projection)
CONDITIONAL = ALL[1:]
ARCHITECTURES = (
    (DCGAN(width=4, max_width=8, latent_dim=6), 28),
    (ResNet(width=4, latent_dim=6), 28),
    (MLP(width=8, latent_dim=6), 8),
)

PAIRS = [  # all but those that the plan refuses: there are no norm layers to condition
    (method, architecture, resolution)
    for method in ALL
    for architecture, resolution in ARCHITECTURES
    if architecture.g_norms or method not in (ConditionalBatchNorm, Projection)
]


def name_of(value: object) -> str | None:
    return getattr(value, "name", None)


def test_one_hot_rows():
    rows = OneHot(3)(torch.tensor([2, 0]))
    assert rows.tolist() == [[0, 0, 1], [1, 0, 0]]


def test_concat_appends_the_class_to_the_latent():
    z, labels = torch.randn(2, 4), torch.tensor([1, 0])
    side = Concat().generator(4, 3)
    latent = side.latent(z, labels)
    assert side.latent_dim == 7
    assert torch.equal(latent[:, :4], z)
    assert latent[:, 4:].tolist() == [[0, 1, 0], [1, 0, 0]]


def test_concat_stacks_one_plane_per_class():
    images, labels = torch.randn(2, 3, 4, 4), torch.tensor([1, 0])
    side = Concat().discriminator(ImageSpec(3, 4, 2))
    stacked = side.image(images, labels)
    assert stacked.shape == (2, 5, 4, 4)
    assert torch.equal(stacked[:, :3], images)
    assert torch.equal(stacked[0, 3:], torch.stack([torch.zeros(4, 4), torch.ones(4, 4)]))
    assert torch.equal(stacked[1, 3:], torch.stack([torch.ones(4, 4), torch.zeros(4, 4)]))


def test_embed_mul_multiplies_the_latent_by_its_class():
    z, labels = torch.randn(3, 4), torch.tensor([1, 0, 1])
    side = EmbedMul().generator(4, 2)
    assert torch.equal(side.latent(z, labels), z * side.embedding.weight[labels])


@pytest.mark.parametrize("spread", [0.0, 0.1, 2.0])
def test_embed_mul_embedding_is_spread_as_told(spread):
    torch.manual_seed(0)
    logarithms = EmbedMul(spread=spread).generator(100, 50).embedding.weight.log()
    assert logarithms.mean().item() == pytest.approx(0.0, abs=0.1)
    assert logarithms.std().item() == pytest.approx(spread, rel=0.1)


def test_embed_mul_can_start_as_in_the_textbook():
    torch.manual_seed(0)
    weight = EmbedMul(spread=None).generator(100, 50).embedding.weight
    assert weight.mean().item() == pytest.approx(0.0, abs=0.1)
    assert weight.std().item() == pytest.approx(1.0, rel=0.1)


@pytest.mark.parametrize("conditioning", [EmbedMul, EmbedConcat], ids=name_of)
def test_embedded_plane_starts_as_told(conditioning):
    torch.manual_seed(0)
    weight = conditioning(plane_std=3.0).discriminator(ImageSpec(1, 28, 10)).embedding.weight
    assert weight.mean().item() == pytest.approx(0.0, abs=0.2)
    assert weight.std().item() == pytest.approx(3.0, rel=0.05)


@pytest.mark.parametrize("conditioning", [EmbedMul(), EmbedConcat()], ids=name_of)
def test_embedded_plane_is_an_extra_channel(conditioning):
    images, labels = torch.randn(2, 3, 4, 4), torch.tensor([1, 0])
    side = conditioning.discriminator(ImageSpec(3, 4, 2))
    stacked = side.image(images, labels)
    assert side.channels == 4
    assert torch.equal(stacked[:, :3], images)
    assert torch.equal(stacked[:, 3].flatten(1), side.embedding.weight[labels])


@pytest.mark.parametrize("size", [5, 16])
def test_embed_concat_appends_an_embedding_of_its_size(size):
    z, labels = torch.randn(2, 4), torch.tensor([1, 0])
    side = EmbedConcat(embedding_dim=size).generator(4, 3)
    expected = torch.cat([z, side.embedding.weight[labels]], dim=1)
    assert side.latent_dim == 4 + size
    assert torch.equal(side.latent(z, labels), expected)


def test_image_mul_multiplies_every_channel_by_its_own_plane():
    images, labels = torch.randn(2, 3, 4, 4), torch.tensor([1, 0])
    side = ImageMul().discriminator(ImageSpec(3, 4, 2))
    expected = images.flatten(1) * side.embedding.weight[labels]
    assert side.channels == 3
    assert torch.equal(side.image(images, labels).flatten(1), expected)


@pytest.mark.parametrize("conditioning", [ConditionalBatchNorm, Projection], ids=name_of)
def test_conditional_norm_gains_spread_as_told(conditioning):
    torch.manual_seed(0)
    layer = conditioning(std=0.3).generator(4, 50).norm(PLAIN_NORMS["batch"], 100)
    for weight, mean in ((layer.gain.weight, 1), (layer.bias.weight, 0)):
        assert weight.mean().item() == pytest.approx(mean, abs=0.05)
        assert weight.std().item() == pytest.approx(0.3, rel=0.1)


@pytest.mark.parametrize(
    "conditioning", [ConditionalBatchNorm(std=0.0), Projection(std=0.0)], ids=name_of
)
def test_conditional_norm_without_spread_is_a_plain_norm_at_the_start(conditioning):
    side = conditioning.generator(4, 3)
    layer = side.norm(PLAIN_NORMS["batch"], 5)
    h, labels = torch.randn(6, 5, 2, 2), torch.arange(6) % 3
    assert side.needs_norm_layers
    assert torch.equal(side.condition(labels), labels)
    torch.testing.assert_close(layer(h, labels), PLAIN_NORMS["batch"](5)(h))


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 2, 2)])
def test_conditional_norm_scales_and_shifts_by_class(shape):
    layer = ConditionalNorm(nn.Identity(), 5, 2, std=1.0)
    h, labels = torch.randn(shape), torch.tensor([0, 1, 1, 0])
    for sample, label in enumerate(labels):
        gain, bias = layer.gain.weight[label], layer.bias.weight[label]
        expected = h[sample].movedim(0, -1) * gain + bias
        torch.testing.assert_close(layer(h, labels)[sample].movedim(0, -1), expected)


def test_conditional_norm_has_no_second_scale_of_its_own():
    side = Projection().generator(4, 3)
    layer = side.norm(PLAIN_NORMS["batch"], 5)
    assert sorted(name for name, _ in layer.named_parameters()) == ["bias.weight", "gain.weight"]


def test_projection_logit_is_the_sum_of_two_inner_products():
    head = ProjectionHead(6, 3)
    features, labels = torch.randn(4, 6), torch.tensor([2, 0, 1, 2])
    output = head(features, labels)
    expected = features @ head.linear.weight[0] + head.linear.bias
    expected = expected + (features * head.embedding.weight[labels]).sum(1)
    torch.testing.assert_close(output.logits, expected)
    assert torch.equal(output.features, features)
    assert output.class_logits is None


def test_projection_head_stays_in_float32_under_autocast():
    head = ProjectionHead(512, 3)
    features, labels = torch.randn(4, 512), torch.tensor([2, 0, 1, 2])
    exact = head(features, labels).logits
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(head(features, labels).logits, exact)


def test_projection_leaves_the_image_alone():
    side = Projection().discriminator(ImageSpec(3, 4, 2))
    images = torch.randn(2, 3, 4, 4)
    assert side.image(images, torch.tensor([0, 1])) is images
    assert side.channels == 3


def test_unconditional_is_plain_on_both_sides():
    g_side, d_side = Unconditional().generator(4, 3), Unconditional().discriminator(ImageSpec(1, 4))
    z, images = torch.randn(2, 4), torch.randn(2, 1, 4, 4)
    assert g_side.latent(z, None) is z
    assert d_side.image(images, None) is images
    assert isinstance(g_side.norm(PLAIN_NORMS["batch"], 3), Unconditioned)
    assert type(d_side.head(7)) is LinearHead


@pytest.mark.parametrize("conditioning", CONDITIONAL, ids=name_of)
def test_conditional_methods_need_labels(conditioning):
    assert conditioning.needs_labels


def test_unconditional_needs_no_labels():
    assert not Unconditional.needs_labels


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.parametrize(("conditioning", "architecture", "resolution"), PAIRS, ids=name_of)
def test_every_conditioning_trains_with_every_architecture(
    conditioning, architecture, resolution, classes, channels
):
    torch.manual_seed(0)
    image = ImageSpec(channels, resolution, classes)
    method = conditioning()
    norm = architecture.g_norms[0] if architecture.g_norms else "none"
    players = build(architecture, method, method, image, g_norm=norm, d_norm="none")
    labels = torch.arange(4) % classes
    fakes = players[0](torch.randn(4, 6), labels)
    players[1](fakes, labels).logits.square().sum().backward()
    assert fakes.shape == (4, channels, resolution, resolution)
    for player in players:
        assert [n for n, p in player.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("g_side", ALL, ids=name_of)
@pytest.mark.parametrize("d_side", ALL, ids=name_of)
def test_sides_of_different_methods_combine(g_side, d_side):
    image = ImageSpec(1, 28, 3)
    architecture = ARCHITECTURES[0][0]
    players = build(architecture, g_side(), d_side(), image, g_norm="batch", d_norm="layer")
    labels = torch.arange(4) % 3
    assert players[1](players[0](torch.randn(4, 6), labels), labels).logits.shape == (4,)


@pytest.mark.parametrize(
    ("conditioning", "option"),
    [
        (EmbedMul, "spread"),
        (EmbedMul, "plane_std"),
        (EmbedConcat, "plane_std"),
        (ConditionalBatchNorm, "std"),
        (Projection, "std"),
    ],
)
def test_a_spread_is_not_negative(conditioning, option):
    with pytest.raises(ValueError, match=rf"{option} must not be negative, found -0\.1"):
        conditioning(**{option: -0.1})
    assert getattr(conditioning(**{option: 0.0}), option) == 0


# Vectors in the place of classes


VECTORS = torch.tensor([[0.5, -1.0, 2.0], [0.0, 0.0, 0.0]])
OF_VECTORS = ImageSpec(1, 4, condition_dim=3)


def test_vectors_are_joined_to_the_latent_and_to_the_image_as_they_are():
    method = Concat(latent_scale=2.0, plane_scale=3.0)
    side = method.generator_of_vectors(5, 3)
    z, images = torch.randn(2, 5), torch.randn(2, 1, 4, 4)
    assert side.latent_dim == 8
    assert torch.equal(side.latent(z, VECTORS), torch.cat([z, 2 * VECTORS], 1))
    shown = method.discriminator(OF_VECTORS).image(images, VECTORS)
    assert torch.equal(shown[:, :1], images)
    assert torch.equal(shown[:, 1:], 3 * VECTORS[:, :, None, None].expand(-1, -1, 4, 4))


@pytest.mark.parametrize("method", [ConditionalBatchNorm(), Projection()], ids=lambda m: m.name)
def test_norm_layers_scale_and_shift_linearly_in_the_vector(method):
    layer = method.generator_of_vectors(5, 3).norm(PLAIN_NORMS["none"], 6)
    h = torch.randn(2, 6)
    gain, bias = (VECTORS @ part.weight.T + part.bias for part in (layer.gain, layer.bias))
    torch.testing.assert_close(layer(h, VECTORS), h * gain + bias)
    torch.testing.assert_close(layer(h, VECTORS)[1], h[1])  # the zero vector begins as no change


def test_norm_layers_of_vectors_begin_as_spread_as_those_of_classes():
    torch.manual_seed(0)
    layer = Projection(std=0.5).generator_of_vectors(5, 16).norm(PLAIN_NORMS["none"], 400)
    gains = layer.gain(torch.randn(50, 16).sign())
    assert gains.mean().item() == pytest.approx(1.0, abs=0.05)
    assert gains.std().item() == pytest.approx(0.5, rel=0.05)


def test_projection_of_a_vector_is_bilinear():
    head = Projection().discriminator(OF_VECTORS).head(6)
    features = torch.randn(2, 6)
    expected = features @ head.linear.weight[0] + head.linear.bias
    expected = expected + (features * (VECTORS @ head.embedding.weight.T)).sum(1)
    torch.testing.assert_close(head(features, VECTORS).logits, expected)
    torch.testing.assert_close(
        head(features, -VECTORS).logits + expected, 2 * head.linear(features)[:, 0]
    )


def test_a_subclass_with_a_generator_of_its_own_takes_class_ids_unless_it_says_otherwise():
    class Own(Concat):
        name = "own"

        def generator(self, latent_dim, num_classes):
            return super().generator(latent_dim, num_classes)

    class Said(Own):
        name = "said"
        label_kinds = ("ids", "vectors")

    class Scaled(Concat):
        name = "scaled"

    assert (Own.label_kinds, Said.label_kinds) == (("ids",), ("ids", "vectors"))
    assert Scaled.label_kinds == ("ids", "vectors")
