"""ADA's operations in closed form, both chances against their rule, and the conformance kit."""

from __future__ import annotations

import math

import pytest
import torch
from ganbench_ada import ADA, APA, _matrix, _moving, _turning, cut_out, noisy, recoloured, sampled

from ganbench.default_plugins.losses import BCE
from ganbench.testing import parametrize_with_checks
from ganbench.testing.fixtures.loss_steps import Adversary, stage_for

ALWAYS, NEVER = torch.ones(()), torch.zeros(())
EVERYTHING = ("blit", "geom", "color", "noise", "cutout")


@parametrize_with_checks(APA, ADA, ADA(groups=EVERYTHING, initial=0.9))
def test_conformance(check):
    check()


def images_of(channels: int = 3, side: int = 6):
    return torch.rand(4, channels, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


def each(*values: float):
    return [torch.full((4,), value) for value in values]


def test_nothing_changes_at_a_chance_of_zero():
    images = images_of()
    assert torch.equal(ADA(groups=EVERYTHING).apply(images), images)


@pytest.mark.parametrize(
    ("inverse", "expected"),
    [
        (_matrix(*each(-1, 0, 0, 1)), lambda x: x.flip(3)),
        (_matrix(*each(0, 1, -1, 0)), lambda x: x.rot90(-1, (2, 3))),
        (_moving(*each(2, 0)), lambda x: torch.cat([x[..., :2].flip(3), x[..., :4]], 3)),
        (_moving(*each(0, -1)), lambda x: torch.cat([x[:, :, 1:], x[:, :, -1:]], 2)),
        (_moving(*each(0.5, 0)), lambda x: (x + torch.cat([x[..., :1], x[..., :5]], 3)) / 2),
    ],
    ids=["mirrored", "turned", "moved", "moved-up", "between"],
)
def test_pixels_come_from_where_the_inverse_says(inverse, expected):
    images = images_of()
    torch.testing.assert_close(sampled(images, inverse), expected(images))


def test_turning_by_a_quarter_is_exact_and_by_an_eighth_keeps_the_centre():
    images = images_of(side=5)
    quarter = sampled(images, _turning(*each(math.pi / 2)))
    torch.testing.assert_close(quarter, images.rot90(-1, (2, 3)), atol=1e-5, rtol=0)
    eighth = sampled(images, _turning(*each(math.pi / 4)))
    torch.testing.assert_close(eighth[:, :, 2, 2], images[:, :, 2, 2])


def test_blit_alone_moves_pixels_and_makes_none():
    torch.manual_seed(0)
    images = torch.rand(60, 1, 8, 8)
    moved = ADA(groups=("blit",), initial=1.0).apply(images)
    for before, after in zip(images, moved, strict=True):
        assert torch.isin(after, before).all()
    assert sum(not torch.equal(a, b) for a, b in zip(images, moved, strict=True)) > 50


def test_colours_are_affine_and_turn_around_grey():
    """Hue keeps the length of colours, which saturation, contrast and brightness then change."""
    torch.manual_seed(0)
    images = images_of()
    changed = recoloured(images, ALWAYS)
    luma, rest = images.mean(1, keepdim=True), images - images.mean(1, keepdim=True)
    new_luma = changed.mean(1, keepdim=True)
    new_rest = changed - new_luma
    ratio = new_rest.norm(dim=1) / rest.norm(dim=1)
    assert (ratio.amax((1, 2)) - ratio.amin((1, 2))).max() < 1e-4 * ratio.max()
    slope = (new_luma[:, 0, 0, 0] - new_luma[:, 0, 1, 1]) / (luma[:, 0, 0, 0] - luma[:, 0, 1, 1])
    light = new_luma - slope.view(-1, 1, 1, 1) * luma
    assert (light.amax((1, 2, 3)) - light.amin((1, 2, 3))).max() < 1e-4
    assert torch.equal(recoloured(images, NEVER), images)


def test_grey_images_stay_grey():
    torch.manual_seed(0)
    grey = torch.rand(4, 1, 4, 4).expand(-1, 3, -1, -1)
    changed = recoloured(grey, ALWAYS)
    torch.testing.assert_close(changed[:, :1].expand(-1, 3, -1, -1), changed)


def test_noise_and_hole_have_their_size():
    torch.manual_seed(0)
    images = torch.ones(3000, 1, 8, 8)
    drawn = (noisy(images, ALWAYS) - 1).square().mean().item()
    assert drawn == pytest.approx(0.1**2, rel=0.1)  # the mean of squares of |N(0, 0.1²)|
    holes = (cut_out(images, ALWAYS) == 0).sum((1, 2, 3))
    assert holes.max().item() == 16
    assert torch.equal(cut_out(images, NEVER), images)


def sure(level: float, count: int = 8):
    stage = stage_for(Adversary(), count=count)
    with torch.no_grad():
        stage.discriminator.logit.bias.fill_(level)
    steps = []
    stage.terms(Adversary(), "discriminator", seen=lambda step: steps.append(step) or step)
    return steps[0]


def test_chance_follows_the_signs_of_d():
    ada, still = ADA(kimg=0.1, every=2), ADA(target=None, initial=0.4)
    change = 2 * 8 / 100
    chances = []
    for level in (100.0, 100.0, 100.0, 100.0, -100.0, -100.0):
        step = sure(level)
        ada.observe(step)
        still.observe(step)
        chances.append(float(ada.chance))
    expected = [0, change, change, 2 * change, 2 * change, change]
    assert chances == pytest.approx(expected)
    assert float(still.chance) == pytest.approx(0.4)


def test_fakes_pose_as_reals_as_often_as_the_chance_says():
    stage = stage_for(BCE(), count=2000)
    apa = APA()
    apa.chance = torch.tensor(0.3)
    steps = []
    stage.terms(apa, "discriminator", seen=lambda step: steps.append(step) or step)
    posed = (steps[0].real.images == steps[0].fake.images).flatten(1).all(1)
    assert posed.float().mean().item() == pytest.approx(0.3, abs=0.04)
    assert torch.equal(steps[0].real.images[~posed], stage.images[~posed])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: ADA(initial=1.5), r"initial is a chance from 0 to 1, found 1\.5"),
        (lambda: ADA(kimg=0.0), r"kimg must be positive, found 0\.0"),
        (lambda: ADA(every=0), "every must be positive, found 0"),
        (lambda: APA(kimg=-1.0), r"kimg must be positive, found -1\.0"),
    ],
)
def test_wrong_options_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
