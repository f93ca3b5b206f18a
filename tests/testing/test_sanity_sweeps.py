"""Points of sanity checks are of the distributions that they are said to be of."""

from __future__ import annotations

import math

import pytest
import torch

from ganbench.testing.sanity import sweeps
from ganbench.testing.sanity.checks import CHECKS


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_settings_are_in_order_and_points_repeat_themselves(check):
    for sweep in check.sweeps:
        assert list(sweep.at) == sorted(sweep.at)
        for setting in (sweep.at[0], sweep.at[-1]):
            real, fake = sweep.points(setting)
            assert real.shape[1] == fake.shape[1]
            assert real.isfinite().all()
            assert fake.isfinite().all()
            again = sweep.points(setting)
            assert torch.equal(real, again[0])
            assert torch.equal(fake, again[1])
            assert not torch.equal(fake, sweep.points(setting, repeat=1)[1])


def test_names_of_checks_and_sweeps_are_their_own():
    assert len({check.name for check in CHECKS}) == len(CHECKS) == 16
    for check in CHECKS:
        assert len({sweep.name for sweep in check.sweeps}) == len(check.sweeps)


def test_reals_stay_while_samples_move():
    sweep = sweeps.shifted(8)
    real, fake = sweep.points(0.0)
    moved_real, moved = sweep.points(3.0)
    assert torch.equal(real, moved_real)
    assert not torch.equal(moved - 3, fake)
    assert (moved.mean() - fake.mean()).item() == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize("side", ["real", "fake"])
def test_outlier_is_one_point_where_the_farthest_samples_are(side):
    sweep = sweeps.shifted_with_outlier(8, side)
    real, fake = sweep.points(0.0)
    assert sorted((len(real), len(fake))) == [1000, 1001]
    assert torch.equal((real if side == "real" else fake)[-1], torch.full((8,), 3.0))


def test_spread_is_the_setting():
    for setting in (0.1, 1.0, 10.0):
        assert sweeps.wider(8).points(setting)[1].std().item() == pytest.approx(setting, rel=0.03)


def modes_with(points: torch.Tensor) -> int:
    """How many modes of the row in one dimension hold a hundredth of the points or more."""
    return int(((points * 9 / 10).round().unique(return_counts=True)[1] >= 10).sum())


def test_modes_are_lost():
    together, in_turn = sweeps.dropped_together(1), sweeps.dropped_in_turn(1)
    for sweep, setting, expected in (
        (together, 0.0, 10),
        (together, 1.0, 1),
        (in_turn, 4.0, 6),
        (in_turn, 9.0, 1),
    ):
        real, fake = sweep.points(setting)
        assert (modes_with(real), modes_with(fake)) == (10, expected)
    mostly = (together.points(0.96)[1] * 9 / 10).round()
    assert (mostly == 0).float().mean().item() == pytest.approx(1 / 1.36, abs=0.05)


def test_modes_are_invented():
    for setting in (1.0, 5.0, 10.0):
        real, fake = sweeps.invented().points(setting)
        for points, modes in ((real, 5), (fake, setting)):
            angles = torch.atan2(points[:, 1], points[:, 0]).remainder(2 * math.pi)
            assert len((angles * 10 / (2 * math.pi)).round().remainder(10).unique()) == modes


def test_sphere_has_its_radius():
    real, fake = sweeps.sphere(16).points(0.4)
    assert torch.allclose(real.norm(dim=1), torch.ones(1000), atol=1e-5)
    assert torch.allclose(fake.norm(dim=1), torch.full((1000,), 0.4), atol=1e-5)


@pytest.mark.parametrize("dim", [1, 8, 64])
def test_cubes_share_a_fifth(dim):
    real, fake = sweeps.cubes(dim, "both").points(4000.0)
    assert len(real) == len(fake) == 4000
    assert len(sweeps.cubes(dim, "samples").points(4000.0)[0]) == 1000
    inside = (fake <= 1).all(1).double().mean().item()
    assert inside == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("real_is", ["ball", "ring"])
def test_ball_and_ring_touch_nowhere(real_is):
    real, fake = sweeps.ball_and_ring(real_is).points(2000.0)
    ball, ring = (real, fake) if real_is == "ball" else (fake, real)
    assert ball.norm(dim=1).max() <= 0.8
    flat = ring[:, :2].norm(dim=1)
    thick = torch.stack([flat - 1, ring[:, 2]], 1).norm(dim=1)
    assert thick.max() <= 0.1 + 1e-6
    assert torch.cdist(ball, ring).min() > 0.1
    assert (ball.norm(dim=1) < 0.4).double().mean().item() == pytest.approx(1 / 8, abs=0.03)


def test_one_wide_mode_has_the_spread_of_both():
    real, fake = sweeps.two_modes(8).points(5.0)
    assert real.std().item() == pytest.approx(math.sqrt(1 + 25 / 4), rel=0.02)
    assert fake.std().item() == pytest.approx(math.sqrt(26), rel=0.02)


def test_units_change_one_coordinate_alone():
    real, fake = sweeps.scaled().points(1000.0)
    assert (fake.mean(0) - real.mean(0))[0].item() == pytest.approx(6, abs=0.2)
    assert real.std(0)[1].item() == pytest.approx(1000, rel=0.1)
    assert fake.std(0)[1].item() == pytest.approx(1000, rel=0.1)


def test_tail_is_paretos():
    real, fake = sweeps.heavy_tailed().points(6.0)
    for tail in (real[:, 1], fake[:, 1]):
        assert tail.min() >= 1
        assert tail.median().item() == pytest.approx(2 ** (1 / 1.01), rel=0.1)
    assert fake[:, 0].mean().item() == pytest.approx(6, abs=0.2)


def test_far_samples_are_far_in_one_coordinate():
    real, fake = sweeps.far_in_one().points(100.0)
    assert real.shape == (1000, 101)
    gap = fake.mean(0) - real.mean(0)
    assert gap[0].item() == pytest.approx(6, abs=0.2)
    assert gap[1:].abs().max() < 0.25


@pytest.mark.parametrize("side", ["real", "fake"])
def test_rounded_side_is_whole(side):
    real, fake = sweeps.rounded(side).points(10.0)
    whole, other = (real, fake) if side == "real" else (fake, real)
    assert torch.equal(whole, whole.round())
    assert not torch.equal(other, other.round())
