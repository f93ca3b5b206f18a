"""The textbooks' networks: noise, leaks, first weights, and what they refuse."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ganbench import ImageSpec
from ganbench.default_plugins.architectures.textbook.bricks import BricksDCGAN
from ganbench.default_plugins.architectures.textbook.cdcgan import CDCGAN
from ganbench.default_plugins.architectures.textbook.eyeglasses import EyeglassesCGAN
from ganbench.default_plugins.architectures.textbook.faces import FacesWGAN
from ganbench.default_plugins.architectures.textbook.stacks import FromPoint
from ganbench.default_plugins.conditionings import (
    Concat,
    EmbedConcat,
    EmbedMul,
    Projection,
    Unconditional,
)
from ganbench.errors import ConfigError
from ganbench.models.networks import ConditionalDiscriminator, ConditionalGenerator, build
from ganbench.testing import parametrize_with_checks

DIGITS, BRICKS = ImageSpec(1, 28, 10), ImageSpec(1, 64)
NOTEBOOK = EmbedMul(spread=None, plane_std=1.0)


@parametrize_with_checks(
    CDCGAN,
    CDCGAN(noise_again=False, dropout=0.0, width=8),
    BricksDCGAN(widths=(4, 8)),
    BricksDCGAN(widths=(4, 4, 8), upsampling="nearest", dropout=0.0),
    FacesWGAN(widths=(4, 8)),
    EyeglassesCGAN(width=2),
)
def test_architecture_conforms(check):
    check()


def players_of(architecture, conditioning, image, d_norm):
    torch.manual_seed(0)
    return build(architecture, conditioning, conditioning, image, g_norm="batch", d_norm=d_norm)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_cdcgan_drops_whole_channels_and_bricks_dcgan_values() -> None:
    def kinds(architecture, image) -> set[type]:
        modules = players_of(architecture, Unconditional(), image, "batch")[1].modules()
        return {type(m) for m in modules if isinstance(m, nn.modules.dropout._DropoutNd)}

    assert kinds(CDCGAN(), DIGITS) == {nn.Dropout2d}
    assert kinds(BricksDCGAN(widths=(4, 4, 4, 4)), BRICKS) == {nn.Dropout}


def slopes(module: nn.Module) -> set[float]:
    return {m.negative_slope for m in module.modules() if isinstance(m, nn.LeakyReLU)}


@pytest.mark.parametrize("architecture", [CDCGAN(), BricksDCGAN(), FacesWGAN()])
def test_leaks_are_the_textbooks(architecture) -> None:
    image = DIGITS if isinstance(architecture, CDCGAN) else BRICKS
    with torch.device("meta"):
        players = players_of(architecture, Unconditional(), image, "none")
    assert [slopes(player) for player in players] == [{0.2}, {0.2}]


def test_cdcgan_prior_is_uniform() -> None:
    latents = CDCGAN().latents(500, torch.Generator().manual_seed(0))
    assert latents.shape == (500, 128)
    assert latents.min().item() == pytest.approx(-1, abs=0.001)
    assert latents.max().item() == pytest.approx(1, abs=0.001)
    assert latents.mean().item() == pytest.approx(0, abs=5 * (1 / 3 / 64_000) ** 0.5)
    assert latents.var().item() == pytest.approx(1 / 3, rel=0.02)


def test_cdcgan_latents_depend_on_the_generator_alone() -> None:
    first, again = (CDCGAN().latents(3, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first, again)


@pytest.mark.parametrize(
    "conditioning", [NOTEBOOK, Concat(), EmbedConcat(), Projection()], ids=lambda c: c.name
)
def test_noise_enters_again_as_it_was_drawn(conditioning) -> None:
    """Before the label has touched it, whatever the conditioning makes of the latent."""
    generator, _ = players_of(CDCGAN(), conditioning, DIGITS, "batch")
    assert generator.backbone.again is not None
    seen: list[Tensor] = []
    generator.backbone.again.register_forward_pre_hook(lambda layer, given: seen.append(given[0]))
    z = torch.rand(3, 128) * 2 - 1
    generator(z, torch.tensor([1, 5, 9]))
    assert torch.equal(seen[0], z)


def test_noise_is_added_to_the_first_feature_map() -> None:
    generator, _ = players_of(CDCGAN(), NOTEBOOK, DIGITS, "batch")
    backbone = generator.backbone.eval()
    z, noise = torch.randn(2, 3, 128)
    seen: list[Tensor] = []
    backbone.convs[1].register_forward_pre_hook(lambda layer, given: seen.append(given[0]))
    backbone(z, None, noise)
    h = nn.functional.leaky_relu(backbone.norms[0](backbone.convs[0](z), None), 0.2)
    torch.testing.assert_close(seen[0], h + backbone.again(noise)[:, :, None, None])


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_from_point_is_the_transposed_convolution(layout) -> None:
    torch.manual_seed(0)
    ours = FromPoint(6, 5, 4).to(memory_format=layout)
    theirs = nn.ConvTranspose2d(6, 5, 4, bias=False)
    theirs.load_state_dict(ours.state_dict())
    z, weights = torch.randn(3, 6), torch.randn(3, 5, 4, 4)
    made, expected = ours(z), theirs(z[:, :, None, None])
    torch.testing.assert_close(made, expected)
    assert made.is_contiguous(memory_format=layout)
    (made * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)


def test_cdcgan_without_noise_again_has_one_layer_less() -> None:
    plain, _ = players_of(CDCGAN(noise_again=False), NOTEBOOK, DIGITS, "batch")
    assert count(plain) == 986_496 - (128 * 256 + 256)
    assert plain(torch.randn(2, 128), torch.tensor([0, 1])).shape == (2, 1, 28, 28)


def test_width_of_cdcgan_is_that_of_every_layer() -> None:
    """Kernels between two layers have a sixteenth of the weights, those at either end a quarter."""

    def weights(width: int) -> list[int]:
        players = players_of(CDCGAN(width=width), NOTEBOOK, DIGITS, "batch")
        return [m.weight.numel() for p in players for m in p.modules() if is_convolution(m)]

    shares = [whole / part for whole, part in zip(weights(64), weights(16), strict=True)]
    assert shares == [4, 16, 16, 4, 4, 16, 16]


@pytest.mark.parametrize("d_norm", ["batch", "layer", "spectral"])
@pytest.mark.parametrize("conditioning", [Unconditional(), Projection()], ids=lambda c: c.name)
def test_head_without_bias_of_any_conditioning(conditioning, d_norm: str) -> None:
    """At features of zero the logit is zero."""
    _, discriminator = players_of(CDCGAN(), conditioning, DIGITS, d_norm)
    logits = discriminator.head(torch.zeros(2, 4096), torch.tensor([0, 1])).logits
    assert logits.tolist() == [0, 0]
    named = [name for name, _ in discriminator.head.named_parameters()]
    assert not any(name.startswith("linear") and name.endswith("bias") for name in named)


def test_head_of_a_projection_keeps_its_embedding() -> None:
    _, discriminator = players_of(CDCGAN(), Projection(), DIGITS, "batch")
    assert count(discriminator.head) == 4096 + 10 * 4096


def test_bricks_weights_start_as_keras_draws_them() -> None:
    players = players_of(BricksDCGAN(), Unconditional(), BRICKS, "batch")
    kernels = [m.weight for player in players for m in player.modules() if is_convolution(m)]
    assert len(kernels) == 9
    for kernel in kernels:
        bound = (6 / (16 * (kernel.shape[0] + kernel.shape[1]))) ** 0.5
        assert kernel.abs().max().item() == pytest.approx(bound, rel=0.02)
        assert kernel.std().item() == pytest.approx(bound / 3**0.5, rel=0.08)
    head = players[1].head.linear.weight
    assert head.abs().max().item() == pytest.approx((6 / (8192 + 1)) ** 0.5, rel=0.02)


def is_convolution(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d | nn.ConvTranspose2d)


def test_eyeglasses_weights_start_as_described() -> None:
    image = ImageSpec(3, 64, 2)
    generator, discriminator = players_of(EyeglassesCGAN(), Concat(), image, "instance")
    weights = [
        m.weight for p in (generator, discriminator) for m in p.modules() if is_convolution(m)
    ]
    for weight in [*weights, discriminator.head.linear.weight]:
        assert weight.mean().item() == pytest.approx(0, abs=0.002)
        assert weight.std().item() == pytest.approx(0.02, rel=0.1)
    gains = torch.cat([n.norm.weight for n in generator.backbone.norms])
    assert gains.mean().item() == pytest.approx(1, abs=0.005)
    assert gains.std().item() == pytest.approx(0.02, rel=0.2)
    instance = [m for m in discriminator.modules() if isinstance(m, nn.InstanceNorm2d)]
    assert all(m.affine and m.weight.eq(1).all() for m in instance)


@pytest.mark.parametrize("resolution", [16, 32, 64, 128, 256])
def test_eyeglasses_cgan_builds_smaller_sizes(resolution: int) -> None:
    with torch.device("meta"):
        players: tuple[ConditionalGenerator, ConditionalDiscriminator] = players_of(
            EyeglassesCGAN(), Concat(), ImageSpec(3, resolution, 2), "instance"
        )
        labels = torch.zeros(2, dtype=torch.long)
        images = players[0](torch.empty(2, 100), labels)
        assert images.shape == (2, 3, resolution, resolution)
        assert players[1](images, labels).logits.shape == (2,)


@pytest.mark.parametrize(
    ("architecture", "resolution", "why"),
    [
        (CDCGAN(), 32, "it builds images of 28×28, and these are 32 wide"),
        (BricksDCGAN(), 32, "its 4 widths build images of 64×64, and these are 32 wide; give one"),
        (FacesWGAN(widths=(8, 8)), 64, "its 2 widths build images of 16×16, and these are 64 wide"),
        (EyeglassesCGAN(), 100, "it builds sizes of 16, 32, 64, 128 and 256, and these images are"),
        (EyeglassesCGAN(), 8, "it builds sizes of 16, 32, 64, 128 and 256, and these images are 8"),
    ],
)
def test_other_sizes_are_refused(architecture, resolution: int, why: str) -> None:
    said = architecture.unsupported(ImageSpec(3, resolution))
    assert said is not None
    assert said.startswith(why)


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        ("cdcgan", {"latent_dim": 0}, "latent_dim must be positive, found 0"),
        ("cdcgan", {"width": 0}, "every width must be positive, found 0"),
        ("cdcgan", {"dropout": 1.0}, "dropout must be from 0 to below 1, found 1.0"),
        ("bricks-dcgan", {"widths": []}, "widths is empty; give one for every halving"),
        ("bricks-dcgan", {"widths": [8, 0]}, "every width must be positive, found 0"),
        ("bricks-dcgan", {"latent_dim": -1}, "latent_dim must be positive, found -1"),
        ("bricks-dcgan", {"dropout": -0.1}, "dropout must be from 0 to below 1, found -0.1"),
        ("bricks-dcgan", {"upsampling": "bilinear"}, "upsampling: .*'transposed' or 'nearest'"),
        ("faces-wgan", {"widths": [64, "wide"]}, "widths"),
        ("faces-wgan", {"dropout": 2}, "dropout must be from 0 to below 1, found 2"),
        ("eyeglasses-cgan", {"width": 0}, "width must be positive, found 0"),
    ],
)
def test_bad_options_are_refused(plugins, name: str, options, why: str) -> None:
    with pytest.raises(ConfigError, match=f"architecture '{name}': {why}"):
        plugins.build("architecture", name, options)
