"""Diffused images against their closed forms, and the conformance kit."""

from __future__ import annotations

import pytest
import torch
from ganbench_diffusion import Diffusion

from ganbench import ImageSpec
from ganbench.testing import parametrize_with_checks
from ganbench.testing.fixtures.loss_steps import Adversary, stage_for


@parametrize_with_checks(Diffusion, Diffusion(longest=20, times="uniform", sigma=0.5))
def test_conformance(check):
    check()


def at_length(share: float, **options) -> Diffusion:
    diffusion = Diffusion(**options)
    diffusion.length = torch.tensor(share)
    return diffusion


def kept_by_hand(longest: int) -> list[float]:
    left, found = 1.0, [1.0]
    for step in range(longest):
        left *= 1 - (1e-4 + (2e-2 - 1e-4) * step / (longest - 1))
        found.append(left)
    return found


def test_images_are_diffused_to_the_time_that_d_is_told():
    torch.manual_seed(0)
    made = at_length(1.0, longest=50, sigma=0.0).apply(torch.full((4000, 2, 3, 3), 0.7))
    assert made.shape == (4000, 3, 3, 3)
    times = (made[:, 2, 0, 0] * 50).round().long()
    assert torch.equal(made[:, 2], (times / 50)[:, None, None].expand(-1, 3, 3))
    expected = 0.7 * torch.tensor(kept_by_hand(50))[times].sqrt()
    torch.testing.assert_close(made[:, 1, 2, 2], expected)
    assert (times == 0).float().mean().item() == pytest.approx(0.5, abs=0.03)
    assert times.max() == 50


def test_noise_fills_what_is_lost():
    torch.manual_seed(0)
    made = at_length(1.0, shortest=10, longest=10, sigma=0.5).apply(torch.zeros(20_000, 1, 1, 1))
    times = (made[:, 1].flatten() * 10).round().long()
    for time in (1, 5, 10):
        found = made[:, 0].flatten()[times == time].square().mean().item()
        assert found == pytest.approx(0.25 * (1 - kept_by_hand(10)[time]), rel=0.25)
    assert not made[:, 0].flatten()[times == 0].any()


@pytest.mark.parametrize(("times", "mean"), [("uniform", 50.5), ("priority", 67.0)])
def test_late_times_are_as_often_as_asked(times, mean):
    """Uniform times are (T + 1) / 2 on average; priority ones about 2T / 3."""
    torch.manual_seed(0)
    drawn = at_length(1.0, longest=100, times=times)._drawn(torch.zeros(20_000, 1, 1, 1))
    assert drawn[drawn > 0].float().mean().item() == pytest.approx(mean, rel=0.02)
    short = Diffusion(times=times)._drawn(torch.zeros(2000, 1, 1, 1))
    assert sorted(set(short.tolist())) == [0, 1, 2, 3, 4, 5]


def test_length_follows_the_signs_of_d():
    diffusion = Diffusion(kimg=0.1, every=2)
    change, found = 2 * 8 / 100, []
    for level in (100.0, 100.0, 100.0, 100.0, -100.0, -100.0):
        stage = stage_for(Adversary(), count=8)
        with torch.no_grad():
            stage.discriminator.logit.bias.fill_(level)
        steps = []
        stage.terms(Adversary(), "discriminator", seen=lambda s, to=steps: to.append(s) or s)
        diffusion.observe(steps[0])
        found.append(float(diffusion.length))
    assert found == pytest.approx([0, change, change, 2 * change, 2 * change, change])


def test_shape_has_one_channel_more():
    assert Diffusion().image_spec(ImageSpec(3, 32, 10)) == ImageSpec(4, 32, 10)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Diffusion(shortest=9, longest=3), "expected 1 <= shortest <= longest, found 9"),
        (lambda: Diffusion(sigma=-1.0), r"sigma must not be negative, found -1\.0"),
        (lambda: Diffusion(kimg=0.0), r"kimg and every must be positive, found 0\.0 and 4"),
    ],
)
def test_wrong_options_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
