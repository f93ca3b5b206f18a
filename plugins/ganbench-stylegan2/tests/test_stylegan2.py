"""StyleGAN2's layers against second writings, its regularizers in closed form, and the kit."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from ganbench_stylegan2 import (
    Linear,
    Mapping,
    ModulatedConv,
    PathLength,
    StyleGAN2,
    StyleMixing,
    downsampled,
    upsampled,
    with_spread,
)
from torch import Tensor

from ganbench import DiscriminatorOutput, Generate, ImageSpec, Scored, Step
from ganbench.testing import parametrize_with_checks

TINY = {"latent_dim": 6, "style_dim": 5, "mapping_depth": 2, "width": 2, "max_width": 4}


@parametrize_with_checks(StyleGAN2(**TINY), PathLength, StyleMixing)
def test_conformance(check):
    check()


@pytest.mark.parametrize("demodulate", [True, False])
def test_modulation_is_of_each_images_own_weights(demodulate):
    """A second writing: weights of each image, scaled by input and normalised by output channel."""
    torch.manual_seed(0)
    layer = ModulatedConv(3, 4, 3, 5, demodulate=demodulate)
    h, style = torch.randn(2, 3, 6, 6), torch.randn(2, 5)
    found = layer(h, style)
    for image in range(2):
        scales = layer.affine.weight / 5**0.5 @ style[image] + 1
        weight = layer.conv.weight / (3 * 9) ** 0.5 * scales[:, None, None]
        if demodulate:
            weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        expected = F.conv2d(h[image : image + 1], weight, padding=1)
        torch.testing.assert_close(found[image : image + 1], expected)


def test_demodulated_maps_of_noise_have_size_one():
    torch.manual_seed(0)
    layer = ModulatedConv(8, 16, 3, 5)
    made = layer(torch.randn(4, 8, 32, 32), 3 * torch.randn(4, 5))
    assert made[..., 1:-1, 1:-1].std().item() == pytest.approx(1, rel=0.05)


def test_filters_by_hand():
    """Of a row of one place: 1, 3, 3, 1 over 8 on both axes, and four times that going up."""
    h = torch.zeros(1, 2, 4, 4)
    h[0, 0, 1, 1] = 16.0
    row = torch.tensor([0.0, 1.0, 3.0, 3.0, 1.0, 0.0, 0.0, 0.0])
    torch.testing.assert_close(upsampled(h)[0, 0], torch.outer(row, row))
    assert not upsampled(h)[0, 1].any()
    halved = downsampled(h)[0, 0] * 64 / 16
    torch.testing.assert_close(halved, torch.tensor([[9.0, 3.0], [3.0, 1.0]]))
    flat = torch.full((1, 1, 8, 8), 0.3)
    assert upsampled(flat)[0, 0, 3:-3, 3:-3].tolist() == [[pytest.approx(0.3)] * 10] * 10
    assert downsampled(flat)[0, 0, 1:-1, 1:-1].tolist() == [[pytest.approx(0.3)] * 2] * 2


def test_spread_is_of_groups_of_every_so_many_images():
    values = torch.tensor([0.0, 1.0, 4.0, 1.0, 0.0, 1.0, 4.0, 1.0])
    h = values.view(8, 1, 1, 1).expand(-1, 3, 2, 2)
    spread = with_spread(h, 4)[:, 3]
    assert spread.shape == (8, 2, 2)
    # images 0, 2, 4, 6 are 0, 4, 0, 4, and the others all 1
    assert spread[::2].flatten().tolist() == pytest.approx([2.0] * 16)
    assert spread[1::2].flatten().tolist() == pytest.approx([1e-4] * 16)
    whole = with_spread(h[:7], 4)[:, 3]
    expected = values[:7].std(correction=0).item()
    assert whole.flatten().tolist() == pytest.approx([expected] * 28, rel=1e-4)


def test_rates_change_nothing_at_first():
    torch.manual_seed(0)
    layer = Linear(400, 300, bias=0.5, rate=0.01)
    made = layer(torch.randn(50, 400))
    assert made.std().item() == pytest.approx(1, rel=0.05)
    assert made.mean().item() == pytest.approx(0.5, abs=0.1)


def test_mapping_looks_at_directions_alone():
    torch.manual_seed(0)
    mapping, z = Mapping(6, 5, 3), torch.randn(4, 6)
    torch.testing.assert_close(mapping(z), mapping(7 * z), rtol=1e-4, atol=1e-4)


def test_every_layer_has_a_style_of_its_own():
    torch.manual_seed(0)
    net = StyleGAN2(**TINY).generator(ImageSpec(3, 16), 6, None)
    styles = net.styles(torch.randn(2, 6), None)
    assert styles.shape == (2, 6, 5)  # 4, 8 and 16 pixels: five layers and the last image
    styles = styles.detach().clone().requires_grad_()
    (slope,) = torch.autograd.grad(net.synthesise(styles).square().sum(), styles)
    assert slope.abs().sum((0, 2)).all()


class Linearly(Generate):
    """G of two styles: x = A w₁ + 2 A w₂, with w = (z, -z) by layer."""

    def __init__(self, a: Tensor) -> None:
        self.a = a

    def __call__(self, z, labels):
        return self.of_styles(self.styles(z, labels))

    def styles(self, z, labels):
        return torch.stack([z, -z], 1)

    def of_styles(self, styles):
        return ((styles[:, 0] + 2 * styles[:, 1]) @ self.a.T).view(len(styles), 1, 1, -1)


def step_of(latents: Tensor, a: Tensor, iteration: int = 0) -> Step:
    def judge(images, labels):
        return DiscriminatorOutput(images.sum((1, 2, 3)), images.flatten(1))

    generate = Linearly(a)
    fake = Scored(generate(latents, None), None, judge)
    return Step(fake, fake, latents, iteration, lambda *x, **k: None, generate)


def test_path_lengths_of_a_linear_g():
    """Jᵀy is (Aᵀy, 2 Aᵀy) at every latent, with y of variance 1 / pixels."""
    a = torch.tensor([[1.0, 2.0], [0.0, -1.0], [3.0, 0.5]])
    z = torch.randn(4, 2, requires_grad=True)
    path, mean = PathLength(weight=3.0, decay=0.5), 0.0
    for seed in range(3):
        torch.manual_seed(seed)
        found = path.generator_loss(step_of(z, a))["path length"]
        torch.manual_seed(seed)
        y = torch.randn(4, 1, 1, 3).flatten(1) / 3**0.5
        squares = (y @ a).square().sum(1)
        lengths = ((squares + 4 * squares) / 2).sqrt()
        mean = (mean + lengths.mean().item()) / 2
        assert found.item() == pytest.approx(3 * (lengths - mean).square().mean().item(), rel=1e-4)
        assert float(path.mean) == pytest.approx(mean, rel=1e-5)


def test_lazy_path_lengths_count_as_much():
    a, z = torch.eye(2), torch.randn(4, 2, requires_grad=True)
    lazy = PathLength(every=4)
    assert lazy.generator_loss(step_of(z, a, iteration=3)) == {}
    torch.manual_seed(0)
    found = lazy.generator_loss(step_of(z, a, iteration=8))["path length"]
    torch.manual_seed(0)
    alone = PathLength().generator_loss(step_of(z, a))["path length"]
    assert found.item() == pytest.approx(4 * alone.item())


def test_mixed_images_have_the_second_style_from_a_layer_on():
    torch.manual_seed(0)
    z = torch.randn(400, 2)
    step = step_of(z, torch.eye(2))
    mixed = StyleMixing(chance=0.7).edit_generator_step(step).fake.images.flatten(1)
    # x = z - 2 z', where z' is another latent, or z itself
    others = (z - mixed) / 2
    assert (others[:, None] - z).abs().sum(2).amin(1).max() < 1e-5
    changed = (others - z).norm(dim=1) > 1e-4
    assert changed.float().mean().item() == pytest.approx(0.7, abs=0.08)
    plain = StyleMixing(chance=0.0).edit_discriminator_step(step)
    torch.testing.assert_close(plain.fake.images, step.fake.images)
    assert plain.latents is step.latents


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: StyleGAN2(width=0), "width must be positive, found 0"),
        (lambda: StyleGAN2(group=-1), "group must not be negative, found -1"),
        (lambda: PathLength(every=0), "every must be positive, found 0"),
        (lambda: PathLength(decay=2.0), r"decay must be from 0 to 1, found 2\.0"),
        (lambda: StyleMixing(chance=1.1), r"chance must be from 0 to 1, found 1\.1"),
    ],
)
def test_wrong_options_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
