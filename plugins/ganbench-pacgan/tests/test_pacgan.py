"""Packed samples in their order, and the conformance kit."""

import pytest
import torch
from ganbench_pacgan import Maxout, PacGAN, PacGANMLP

from ganbench import ImageSpec
from ganbench.testing import parametrize_with_checks


@parametrize_with_checks(PacGAN, PacGAN(packing=1), PacGAN(packing=4))
def test_conformance(check):
    check()


@parametrize_with_checks(PacGANMLP(width=16, d_width=16), PacGANMLP(width=8, depth=2, scale=1.5))
def test_networks_conform(check):
    check()


def test_maxout_is_the_largest_of_its_linear_functions():
    layer = Maxout(3, 4, pieces=5)
    x = torch.randn(6, 3)
    pieces = [
        x @ layer.linear.weight[4 * i : 4 * i + 4].T + layer.linear.bias[4 * i : 4 * i + 4]
        for i in range(5)
    ]
    torch.testing.assert_close(layer(x), torch.stack(pieces).max(0).values)


def test_networks_have_the_papers_sizes():
    ring = ImageSpec(2, 1, 8)
    architecture = PacGANMLP()

    def norm(channels):
        return torch.nn.BatchNorm1d(channels)

    generator = architecture.generator(ring, 2, norm)
    packed = architecture.discriminator(ImageSpec(4, 1, 8), norm)
    assert [tuple(layer.weight.shape) for layer in generator.hidden] == (
        [(400, 2)] + [(400, 400)] * 3
    )
    assert [tuple(layer.linear.weight.shape) for layer in packed.layers] == (
        [(1000, 4)] + [(1000, 200)] * 2
    )
    assert all(layer.bias is None for layer in generator.hidden)


@pytest.mark.parametrize("option", ["width", "pieces", "scale"])
def test_sizes_below_one_are_refused(option):
    with pytest.raises(ValueError, match=f"{option} must be positive, found 0"):
        PacGANMLP(**{option: 0})


@pytest.mark.parametrize("packing", [1, 2, 3])
def test_neighbours_share_a_pack_channel_by_channel(packing):
    images = torch.randn(6, 3, 4, 4)
    packs = PacGAN(packing=packing).apply(images)
    assert packs.shape == (6 // packing, 3 * packing, 4, 4)
    for i, pack in enumerate(packs):
        members = images[i * packing : (i + 1) * packing]
        assert torch.equal(pack, torch.cat([*members], dim=0))


def test_every_image_keeps_its_gradient():
    images = torch.randn(4, 1, 2, 2, requires_grad=True)
    weights = torch.arange(16.0).view(2, 2, 2, 2)
    (PacGAN().apply(images) * weights).sum().backward()
    assert torch.equal(images.grad.flatten(), weights.flatten())


def test_packs_have_more_channels_and_the_same_size():
    assert PacGAN(packing=3).image_spec(ImageSpec(2, 1, 8)) == ImageSpec(6, 1, 8)


def test_batch_without_whole_packs_is_a_sentence():
    assert PacGAN(packing=4).unsupported(ImageSpec(1, 28), 64) is None
    assert "64 images makes no whole packs of 3" in PacGAN(packing=3).unsupported(
        ImageSpec(1, 28), 64
    )


def test_packing_below_one_is_refused():
    with pytest.raises(ValueError, match="packing must be positive, found 0"):
        PacGAN(packing=0)
