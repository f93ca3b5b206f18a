"""The built-in backbones at every size that they claim."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from ganbench import Conditioning, ImageSpec
from ganbench.default_plugins.architectures import DCGAN, MLP, ResNet
from ganbench.default_plugins.architectures.layouts import Flatten, unflatten
from ganbench.default_plugins.architectures.unrolled import UnrolledDCGAN
from ganbench.errors import ConfigError
from ganbench.models.networks import BatchNorm, build
from ganbench.testing import parametrize_with_checks


def players_of(architecture, image, g_norm="batch", d_norm="none"):
    plain = Conditioning()
    return build(architecture, plain, plain, image, g_norm=g_norm, d_norm=d_norm)


def assert_round_trip(architecture, image, **norms):
    """G's images have the size that was asked for, and D reads them."""
    generator, discriminator = players_of(architecture, image, **norms)
    images = generator(torch.randn(2, architecture.latent_dim))
    output = discriminator(images)
    assert images.shape == (2, image.channels, image.resolution, image.resolution)
    assert images.abs().max() <= 1
    assert output.logits.shape == (2,)
    assert output.features.shape == (2, discriminator.backbone.feature_dim)


@pytest.mark.parametrize("resolution", [28, 29, 30, 32, 33, 48, 64, 100, 128])
@pytest.mark.parametrize("upsampling", ["transposed", "nearest"])
@pytest.mark.parametrize("channels", [1, 3])
def test_dcgan_builds(resolution, upsampling, channels):
    architecture = DCGAN(width=2, max_width=8, latent_dim=5, upsampling=upsampling)
    assert architecture.unsupported(ImageSpec(channels, resolution)) is None
    assert_round_trip(architecture, ImageSpec(channels, resolution))


@pytest.mark.parametrize("upsampling", ["transposed", "nearest"])
def test_dcgan_builds_its_largest_size_at_full_width(upsampling):
    architecture, image = DCGAN(upsampling=upsampling), ImageSpec(3, 256)
    assert architecture.unsupported(image) is None
    with torch.device("meta"):
        generator, discriminator = players_of(architecture, image)
        images = generator(torch.empty(2, 100))
        assert images.shape == (2, 3, 256, 256)
        assert discriminator(images).logits.shape == (2,)


@pytest.mark.parametrize("resolution", range(28, 257, 19))
def test_dcgan_builds_every_size_between(resolution):
    with torch.device("meta"):
        generator, discriminator = players_of(DCGAN(width=2), ImageSpec(1, resolution))
        images = generator(torch.empty(2, 100))
        assert images.shape == (2, 1, resolution, resolution)
        assert discriminator(images).logits.shape == (2,)


@pytest.mark.parametrize("resolution", [1, 16, 27, 257, 512])
def test_dcgan_refuses_other_sizes(resolution):
    reason = DCGAN().unsupported(ImageSpec(1, resolution))
    assert reason == f"it builds sizes from 28 to 256, and these images are {resolution} wide"


@pytest.mark.parametrize("resolution", [16, 28, 32, 48])
@pytest.mark.parametrize("channels", [1, 3])
def test_resnet_builds(resolution, channels):
    architecture = ResNet(width=4, latent_dim=5)
    assert architecture.unsupported(ImageSpec(channels, resolution)) is None
    assert_round_trip(architecture, ImageSpec(channels, resolution))


@pytest.mark.parametrize("resolution", [1, 8, 14, 29, 30, 33, 100])
def test_resnet_refuses_other_sizes(resolution):
    reason = ResNet().unsupported(ImageSpec(1, resolution))
    assert "4 to 7 times a power of two" in reason
    assert reason.endswith(f"these images are {resolution} wide")


def test_resnet_builds_every_size_its_refusal_names():
    for resolution in (28, 32, 40, 48, 56, 64, 80):
        image = ImageSpec(1, resolution)
        assert ResNet().unsupported(image) is None
        with torch.device("meta"):
            generator, discriminator = players_of(ResNet(width=4), image)
            images = generator(torch.empty(2, 128))
            assert images.shape == (2, 1, resolution, resolution)
            assert discriminator(images).logits.shape == (2,)


@pytest.mark.parametrize("image", [ImageSpec(2, 1), ImageSpec(1, 8), ImageSpec(3, 28)], ids=str)
def test_mlp_builds(image):
    assert MLP().unsupported(image) is None
    assert_round_trip(MLP(width=8), image, g_norm="none")


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_mlp_has_as_many_hidden_layers_as_asked(depth):
    generator, discriminator = players_of(MLP(depth=depth), ImageSpec(2, 1), g_norm="none")
    assert len(generator.backbone.layers) == depth + 1
    assert len(discriminator.backbone.layers) == depth


def test_mlp_has_no_norm_layers():
    assert MLP.g_norms == ()
    assert set(MLP.d_norms) == {"none", "spectral"}


def convolutions(module: nn.Module) -> list[tuple[int, int]]:
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    return [(m.in_channels, m.out_channels) for m in module.modules() if isinstance(m, kinds)]


@pytest.mark.parametrize(("smallest", "side"), [(4, 4), (7, 7), (8, 7), (14, 14)])
def test_dcgan_halves_until_its_smallest_side(smallest, side):
    architecture = DCGAN(width=2, latent_dim=5, smallest=smallest)
    generator, _ = players_of(architecture, ImageSpec(1, 28))
    assert generator.backbone.start[1:] == (side, side)
    assert_round_trip(architecture, ImageSpec(1, 28))


def test_dcgan_doubles_its_width_at_every_halving():
    generator, discriminator = players_of(DCGAN(width=4, smallest=4), ImageSpec(3, 64))
    assert convolutions(discriminator) == [(3, 4), (4, 8), (8, 16), (16, 32)]
    assert convolutions(generator) == [(32, 16), (16, 8), (8, 4), (4, 3)]


def test_dcgan_stops_doubling_at_its_greatest_width():
    _, discriminator = players_of(DCGAN(width=4, max_width=8, smallest=4), ImageSpec(3, 64))
    assert convolutions(discriminator) == [(3, 4), (4, 8), (8, 8), (8, 8)]


def test_dcgan_generator_width_is_its_own():
    generator, discriminator = players_of(DCGAN(width=4, g_width=6, smallest=7), ImageSpec(1, 28))
    assert convolutions(generator) == [(12, 6), (6, 1)]
    assert convolutions(discriminator) == [(1, 4), (4, 8)]


def test_dcgan_weights_start_as_published():
    torch.manual_seed(0)
    for player in players_of(DCGAN(), ImageSpec(1, 32)):
        for module in player.backbone.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                assert module.weight.std().item() == pytest.approx(0.02, rel=0.1)
                assert not module.bias.any()


def test_dcgan_can_keep_the_framework_initialisation():
    torch.manual_seed(0)
    published, own = (players_of(DCGAN(init_std=std), ImageSpec(1, 32))[1] for std in (0.02, None))
    first, other = published.backbone.layers[0], own.backbone.layers[0]
    assert first.weight.std() < 0.05 < other.weight.std()
    assert other.bias.any()


def test_dcgan_does_not_normalise_the_first_layer_of_its_discriminator():
    _, discriminator = players_of(DCGAN(width=4, smallest=4), ImageSpec(1, 64), d_norm="layer")
    normed = [m.num_channels for m in discriminator.modules() if isinstance(m, nn.GroupNorm)]
    assert normed == [8, 16, 32]


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_dcgan_drops_channels_as_told(dropout):
    architecture = DCGAN(width=4, dropout=dropout, smallest=7)
    _, discriminator = players_of(architecture, ImageSpec(1, 28))
    rates = [m.p for m in discriminator.modules() if isinstance(m, nn.Dropout2d)]
    assert rates == ([dropout] * 2 if dropout else [])


def test_nearest_upsampling_has_no_transposed_convolution():
    generator, _ = players_of(DCGAN(width=4, upsampling="nearest"), ImageSpec(1, 32))
    parts = list(generator.modules())
    assert not any(isinstance(part, nn.ConvTranspose2d) for part in parts)
    assert any(isinstance(part, nn.Conv2d) for part in parts)


@pytest.mark.parametrize("architecture", [DCGAN(width=4), ResNet(width=4)], ids=lambda a: a.name)
@pytest.mark.parametrize("norm", ["batch", "instance", "layer", "none"])
def test_generator_norms_build(architecture, norm):
    assert_round_trip(architecture, ImageSpec(1, 28), g_norm=norm)


@pytest.mark.parametrize("architecture", [DCGAN(width=4), ResNet(width=4)], ids=lambda a: a.name)
@pytest.mark.parametrize("norm", ["batch", "instance", "layer", "spectral", "none"])
def test_discriminator_norms_build(architecture, norm):
    assert norm in architecture.d_norms
    assert_round_trip(architecture, ImageSpec(1, 28), d_norm=norm)


def test_discriminator_never_sees_the_number_of_classes():
    image = ImageSpec(1, 28, 10)
    sizes = {
        sum(p.numel() for p in players_of(DCGAN(width=4), spec)[1].parameters())
        for spec in (image, replace(image, num_classes=0))
    }
    assert len(sizes) == 1


@parametrize_with_checks(UnrolledDCGAN, UnrolledDCGAN(d_share=0.5, init_std=None))
def test_unrolled_dcgan_conforms(check):
    check()


@pytest.mark.parametrize(("share", "widths"), [(0.25, [2, 4, 8]), (0.5, [4, 8, 16])])
def test_unrolled_dcgan_has_the_published_channels(share, widths):
    generator, discriminator = players_of(
        UnrolledDCGAN(d_share=share), ImageSpec(3, 28), d_norm="batch"
    )
    assert convolutions(generator) == [(64, 32), (32, 16), (16, 8), (8, 3)]
    assert [after for _, after in convolutions(discriminator)] == widths
    normed = [m.num_features for m in discriminator.modules() if isinstance(m, BatchNorm)]
    assert normed == widths  # of the first layer too
    assert discriminator.backbone.feature_dim == 16 * widths[-1]
    kernels = {m.kernel_size for m in generator.modules() if hasattr(m, "kernel_size")}
    assert kernels == {(3, 3)}


def test_unrolled_dcgan_grows_as_published():
    generator, _ = players_of(UnrolledDCGAN(), ImageSpec(3, 28))
    sizes = []
    for up in generator.backbone.ups:
        up.register_forward_hook(lambda module, inputs, output: sizes.append(output.shape[-1]))
    assert generator(torch.randn(2, 256)).shape == (2, 3, 28, 28)
    assert sizes == [7, 14, 28]


@pytest.mark.parametrize("norm", ["batch", "layer", "instance", "spectral", "none"])
@pytest.mark.parametrize("channels", [1, 3, 6])
def test_unrolled_dcgan_builds(norm, channels):
    assert_round_trip(UnrolledDCGAN(), ImageSpec(channels, 28), d_norm=norm)


def test_unrolled_dcgan_refuses_other_sizes():
    why = UnrolledDCGAN().unsupported(ImageSpec(3, 32))
    assert why == "it builds images of 28×28, and these are 32 wide"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"d_share": 0.3}, "d_share must make a whole number of 8 channels, .*, found 0.3"),
        ({"d_share": 0.0}, "d_share must make a whole number of 8 channels, .*, found 0"),
        ({"latent_dim": 0}, "latent_dim must be positive, found 0"),
        ({"init_std": 0.0}, "init_std must be positive, found 0"),
    ],
)
def test_unrolled_dcgan_refuses_bad_options(plugins, options, why):
    with pytest.raises(ConfigError, match=f"architecture 'unrolled-dcgan': {why}"):
        plugins.build("architecture", "unrolled-dcgan", options)


# Memory layouts


def test_flatten_hands_gradients_back_in_the_layout_of_its_input():
    maps = torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last).requires_grad_()
    weights = torch.randn(2, 48)
    seen = []
    inner = maps * 1
    inner.register_hook(seen.append)
    rows = Flatten()(inner)
    (rows.square() * weights).sum().backward()
    torch.testing.assert_close(rows, maps.flatten(1))
    torch.testing.assert_close(maps.grad.flatten(1), 2 * rows.detach() * weights)
    assert seen[0].is_contiguous(memory_format=torch.channels_last)


def test_flatten_can_be_differentiated_twice():
    maps = torch.randn(2, 3, 4, 4, dtype=torch.float64).to(memory_format=torch.channels_last)
    flat = Flatten()
    assert torch.autograd.gradgradcheck(lambda x: flat(x.tanh()), maps.requires_grad_())
    flat(maps).sum().backward()  # an expanded gradient has no strides to view


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_unflatten_takes_the_layout_of_the_weights_that_follow(layout):
    rows = torch.randn(2, 48)
    made = unflatten(rows, (3, 4, 4), nn.Conv2d(3, 5, 3).to(memory_format=layout))
    assert torch.equal(made, rows.view(2, 3, 4, 4))
    assert made.is_contiguous(memory_format=layout)
