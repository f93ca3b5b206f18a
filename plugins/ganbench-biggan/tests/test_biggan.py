"""The backbones' blocks against second writings, their sizes, and the conformance kit."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from ganbench_biggan import (
    SAGAN,
    Attention,
    BigGAN,
    BigGANDeep,
    Modulated,
    SharedNorm,
    SharedProjection,
)
from torch import nn

from ganbench import ImageSpec, Unconditioned
from ganbench.models.networks import build
from ganbench.testing import parametrize_with_checks


@parametrize_with_checks(
    BigGAN(width=4, most=2, latent_dim=8),
    BigGANDeep(width=4, most=2, latent_dim=6),
    SharedProjection(dim=4),
    SharedProjection(dim=4, enters="latent"),
)
def test_conformance(check):
    check()


@pytest.mark.integration
@parametrize_with_checks(SAGAN(width=4, most=2, latent_dim=6, attention=2))
def test_conformance_of_sagan(check):
    check()


def test_sagan_is_biggan_whose_latent_enters_once():
    """And so the kit, which is long for three backbones, has one of both here."""
    torch.manual_seed(0)
    image, options = ImageSpec(1, 16), {"width": 4, "most": 2, "latent_dim": 6, "attention": 2}

    def plain(width: int) -> nn.Module:
        return Unconditioned(nn.GroupNorm(1, width))

    plainer, richer = (method(**options).generator(image, 6, plain) for method in (SAGAN, BigGAN))
    with torch.no_grad():
        richer.project.weight.copy_(plainer.project.weight[:, :2])
        plainer.project.weight[:, 2:] = 0
        for block in richer.blocks:
            for norm in (block.norm1, block.norm2):
                nn.init.zeros_(norm.affine.weight)
        theirs = richer.state_dict()
        for name, weight in plainer.state_dict().items():
            if name != "project.weight":
                theirs[name].copy_(weight)
    assert richer.chunks == [2, 2, 2]
    z = torch.randn(3, 6)
    torch.testing.assert_close(plainer(z, None), richer(z, None))
    of_d = [method(**options).discriminator(image, None) for method in (SAGAN, BigGAN)]
    of_d[1].load_state_dict(of_d[0].state_dict())
    images = torch.randn(2, 1, 16, 16)
    assert torch.equal(*(net(images) for net in of_d))


def test_attention_is_its_formula():
    """A second writing, place by place: keys and values of 2 by 2 places are pooled."""
    torch.manual_seed(0)
    net = Attention(16)
    with torch.no_grad():
        net.share.fill_(0.7)
    h = torch.randn(2, 16, 4, 6)
    found = net(h)
    q, k, v = (F.conv2d(h, one.weight) for one in (net.query, net.key, net.value))
    k, v = (x.unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5)).flatten(2) for x in (k, v))
    for image in range(2):
        for row, column in ((0, 0), (3, 5), (2, 1)):
            scores = torch.stack([q[image, :, row, column] @ k[image, :, j] for j in range(6)])
            weights = scores.exp() / scores.exp().sum()
            seen = sum(weights[j] * v[image, :, j] for j in range(6))
            expected = h[image, :, row, column] + 0.7 * net.project.weight[:, :, 0, 0] @ seen
            torch.testing.assert_close(found[image, :, row, column], expected)


def test_attention_begins_as_nothing():
    h = torch.randn(1, 8, 4, 4)
    assert torch.equal(Attention(8)(h), h)


def test_gains_are_products_of_both():
    torch.manual_seed(0)
    plain, e, z = nn.Identity(), torch.randn(3, 4), torch.randn(3, 5)
    net = Modulated(SharedNorm(plain, 2, 4), 2, 5)
    h = torch.randn(3, 2, 4, 4)
    by_class = h * (1 + e @ net.norm.gain.weight.T)[..., None, None]
    by_class = by_class + (e @ net.norm.bias.weight.T)[..., None, None]
    gain, bias = (z @ net.affine.weight.T)[..., None, None].chunk(2, 1)
    torch.testing.assert_close(net(h, e, z), by_class * (1 + gain) + bias)


def channels(strides) -> list[tuple[int, int]]:
    return [(one.before, one.after) for one in strides]


def test_channels_are_those_of_the_papers_tables():
    """Of 128 by 128 images, in multiples of the width."""
    image = ImageSpec(3, 128)
    plan = BigGAN(width=1).plan(image)
    ups = [one for size in plan.steps() for one in size]
    assert channels(ups) == [(16, 16), (16, 8), (8, 4), (4, 2), (2, 1)]
    assert channels(plan.downwards(3)) == [(3, 1), (1, 2), (2, 4), (4, 8), (8, 16), (16, 16)]
    assert [one.attends for one in ups] == [False, False, False, True, False]  # at 64 by 64
    deep = BigGANDeep(width=1).plan(image, deep=True)
    ups = [one.after for size in deep.steps() for one in size]
    assert ups == [16, 16, 16, 8, 8, 4, 4, 2, 2, 1]
    downs = [one.after for one in deep.downwards(1)]
    assert downs == [2, 2, 4, 4, 8, 8, 16, 16, 16, 16]
    flat = BigGAN(width=4, most=1).plan(ImageSpec(3, 32))
    assert {one.after for size in flat.steps() for one in size} == {4}


@pytest.mark.parametrize(
    ("architecture", "enters", "published", "beside"),
    [
        # Our last norm layer sees the class, where theirs has a gain and a bias of its own.
        (BigGAN(), "norms", (70_433_988, 87_982_370), 2 * 96 * 128 - 2 * 96),
        (BigGANDeep(), "latent", (50_244_484, 34_590_210), -2 * 128),  # ours has neither
    ],
    ids=["biggan", "biggan-deep"],
)
def test_published_networks_have_the_published_number_of_weights(
    architecture, enters, published, beside
):
    """At 128 by 128 and 1000 classes: 70.4, 88.0, 50.4 and 34.6 million in the paper's appendix B.

    To the last weight they are those of compare_gan's tests, see the README.
    """
    with torch.device("meta"):
        method = SharedProjection(enters=enters)
        built = build(
            architecture, method, method, ImageSpec(3, 128, 1000), g_norm="batch", d_norm="none"
        )
    of_g, of_d = (sum(p.numel() for p in net.parameters()) for net in built)
    assert (of_g - beside, of_d) == published


def test_each_block_has_its_part_of_the_latent():
    def plain(width: int) -> nn.Module:
        return Unconditioned(nn.Identity())

    generator = BigGAN(width=4, most=1).generator(ImageSpec(1, 16), 8, plain)
    assert generator.chunks == [3, 3, 2]
    with torch.no_grad():
        for block in generator.blocks:
            nn.init.zeros_(block.norm1.affine.weight)
            nn.init.zeros_(block.norm2.affine.weight)
    z = torch.randn(1, 8)
    other = torch.cat([z[:, :3], torch.randn(1, 5)], 1)
    assert torch.equal(generator(z, None), generator(other, None))
    reason = BigGAN(latent_dim=2).unsupported(ImageSpec(1, 16))
    assert reason == "each of 3 layers sees a part of the latent, and latent_dim is 2"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: BigGAN(width=0), "width must be positive, found 0"),
        (lambda: SAGAN(attention=3), "attention is a power of two, or 0 for nowhere, found 3"),
        (lambda: SharedProjection(dim=0), "dim must be positive, found 0"),
    ],
)
def test_wrong_options_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


def test_odd_sizes_are_refused_with_a_sentence():
    assert "these images are 33 wide" in (BigGAN().unsupported(ImageSpec(3, 33)) or "")
    assert BigGAN().unsupported(ImageSpec(3, 48)) is None
