"""How sizes are faded in, layers in closed form, and the conformance kit."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from ganbench_progressive import Conv, Drift, Linear, Progressive, SpreadMLP, pixel_norm, spread

from ganbench import DiscriminatorOutput, ImageSpec, Scored, Step
from ganbench.testing import parametrize_with_checks

TINY = {"latent_dim": 6, "width": 2, "max_width": 4}
IMAGE = ImageSpec(3, 16)  # 4, 8 and 16 pixels: two doublings, five parts


@parametrize_with_checks(Progressive(**TINY), SpreadMLP(width=8, depth=2), Drift)
def test_conformance(check):
    check()


def players():
    torch.manual_seed(0)
    method = Progressive(**TINY)
    return method.generator(IMAGE, 6, None), method.discriminator(IMAGE, None)


@pytest.mark.parametrize(
    ("progress", "shares"),
    [
        (0.0, (0, 0)),
        (0.2, (0, 0)),
        (0.3, (0.5, 0)),
        (0.5, (1, 0)),
        (0.65, (1, 0.25)),
        (1.0, (1, 1)),
    ],
)
def test_doublings_take_their_turns(progress, shares):
    for net in players():
        net.progress.fill_(progress)
        found = [float(net.share(doubling)) for doubling in (1, 2)]
        assert found == pytest.approx(shares, abs=1e-6)


@pytest.mark.parametrize(("progress", "size"), [(0.1, 4), (0.5, 2), (1.0, 1)])
def test_images_have_the_size_of_the_time(progress, size):
    """Before a doubling is faded in, images are blocks of one value."""
    generator, _ = players()
    generator.progress.fill_(progress)
    images = generator(torch.randn(3, 6), None)
    blocks = F.avg_pool2d(images, size)
    torch.testing.assert_close(images, F.interpolate(blocks, scale_factor=float(size)))
    if size > 1:
        return
    halved = F.interpolate(F.avg_pool2d(images, 2), scale_factor=2.0)
    assert not torch.allclose(images, halved)


def test_halfway_is_halfway():
    """Images before tanh are the mean of the enlarged smaller ones and the larger ones."""
    generator, _ = players()
    z, made = torch.randn(2, 6), {}
    for progress in (0.2, 0.3, 0.4):
        generator.progress.fill_(progress)
        made[progress] = generator(z, None).atanh()
    torch.testing.assert_close(made[0.3], (made[0.2] + made[0.4]) / 2, rtol=1e-3, atol=1e-4)


def test_d_sees_what_averaging_leaves():
    _, discriminator = players()
    discriminator.progress.fill_(0.5)
    images = torch.randn(4, 3, 16, 16)
    averaged = F.interpolate(F.avg_pool2d(images, 2), scale_factor=2.0)
    torch.testing.assert_close(discriminator(images), discriminator(averaged))
    discriminator.progress.fill_(0.7)
    assert not torch.allclose(discriminator(images), discriminator(averaged))


def test_layers_keep_the_size_of_noise():
    torch.manual_seed(0)
    made = F.relu(Conv(32, 64)(torch.randn(2, 32, 32, 32)))[..., 1:-1, 1:-1]
    assert made.square().mean().item() == pytest.approx(1, rel=0.1)
    assert F.relu(Linear(500, 400)(torch.randn(20, 500))).square().mean().item() == pytest.approx(
        1, rel=0.1
    )


def test_pixel_norm_and_spread_by_hand():
    h = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)
    expected = [3 / 12.5**0.5, 4 / 12.5**0.5]
    assert pixel_norm(h).flatten().tolist() == pytest.approx(expected)
    values = torch.tensor([0.0, 1.0, 4.0, 1.0]).view(4, 1, 1, 1)
    assert spread(values, 2).flatten().tolist() == pytest.approx([2.0, 1e-4, 2.0, 1e-4])
    assert spread(values[:3], 2).flatten().tolist() == pytest.approx([(26 / 9) ** 0.5] * 3)


def test_drift_is_of_reals_alone():
    logits = torch.tensor([2.0, -1.0])
    real = Scored(torch.zeros(2, 1, 1, 1), None, lambda x, y: DiscriminatorOutput(logits, logits))
    fake = Scored(torch.zeros(2, 1, 1, 1), None, lambda x, y: pytest.fail("it asks about fakes"))
    step = Step(real, fake, torch.zeros(2, 2), 0, lambda *a: None, lambda z, y: z)
    assert Drift(weight=0.1).discriminator_loss(step)["drift"].item() == pytest.approx(0.25)
    assert Drift().generator_loss(step) == {}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Progressive(width=0), "width must be positive, found 0"),
        (lambda: Drift(weight=-1.0), r"weight must not be negative, found -1\.0"),
    ],
)
def test_wrong_options_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


def test_points_are_told_apart_by_their_group_alone():
    """In pairs, D's features change with the other point of a pair, and with group 1 with none."""
    torch.manual_seed(0)
    points = torch.randn(4, 2, 1, 1)
    moved = points.clone()
    moved[2] += 1.0  # of a pair with the first, as pairs are the batch's halves
    for group, changes in ((1, [False, False, True, False]), (2, [True, False, True, False])):
        net = SpreadMLP(width=8, depth=2, group=group).discriminator(ImageSpec(2, 1), None)
        apart = (net(points) - net(moved)).abs().amax(1) > 1e-6
        assert apart.tolist() == changes
