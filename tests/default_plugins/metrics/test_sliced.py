"""MIND: distances along lines against closed forms, and against every line one by one."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ganbench import LabeledImages, Unavailable
from ganbench.default_plugins.datasets.mixtures import Ring
from ganbench.default_plugins.metrics import sliced
from ganbench.default_plugins.metrics.sliced import MIND, directions, sliced_wasserstein
from ganbench.evaluation.evaluate import evaluate
from ganbench.testing import parametrize_with_checks


@parametrize_with_checks(MIND, MIND(projections=7, num_samples=40))
def test_conforms(check):
    check()


def normal(count: int, dim: int, seed: int) -> Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed)).double()


def test_in_one_dimension_it_is_of_the_numbers_in_order():
    x, y = torch.tensor([[0.0], [2.0], [5.0]]), torch.tensor([[6.0], [1.0], [2.0]])
    lines = directions(9, 1, 0)
    assert set(lines.flatten().tolist()) == {-1.0, 1.0}
    assert sliced_wasserstein(x, y, lines) == pytest.approx((1 + 0 + 1) / 3, rel=1e-14)


def test_of_a_shift_it_is_what_the_lines_see_of_it():
    """And on the mean over all lines a share 1 / F of it, so that 3·F makes it 3 |v|²."""
    x, shift = normal(50, 6, 1), normal(1, 6, 2)
    lines = directions(20_000, 6, 3)
    exact = (lines @ shift.T).square().mean().item()
    found = sliced_wasserstein(x, x + shift, lines)
    assert found == pytest.approx(exact, rel=1e-11)
    assert 18 * found == pytest.approx(3 * shift.square().sum().item(), rel=0.03)


def test_of_a_scale_it_is_of_the_second_moments():
    x = normal(80, 4, 1)
    lines = directions(30, 4, 0)
    exact = 0.25 * (x @ lines.T).square().mean().item()
    assert sliced_wasserstein(x, 1.5 * x, lines) == pytest.approx(exact, rel=1e-12)


def test_it_is_what_each_line_gives_alone(monkeypatch):
    x, y, lines = normal(33, 5, 1), 1.2 * normal(33, 5, 2), directions(11, 5, 4)
    alone = [
        sum((a - b) ** 2 for a, b in zip(sorted(x @ u), sorted(y @ u), strict=True)) / 33
        for u in lines
    ]
    whole = sliced_wasserstein(x, y, lines)
    assert whole == pytest.approx(float(sum(alone)) / 11, rel=1e-12)
    monkeypatch.setattr(sliced, "AT_ONCE", 40)  # a line at a time
    assert sliced_wasserstein(x, y, lines) == pytest.approx(whole, rel=1e-14)


def test_lines_have_length_one_and_are_the_seed_s():
    lines = directions(2000, 3, 5)
    assert torch.allclose(lines.norm(dim=1), torch.ones(2000).double())
    assert lines.mean(0).abs().max() < 0.05
    assert torch.equal(lines, directions(2000, 3, 5))
    assert not torch.equal(lines, directions(2000, 3, 6))


def found(judged, tmp_path, fake: Tensor, count: int = 400, **options) -> float:
    ring = Ring(train_size=count)
    train = ring.load("train", tmp_path)
    seen = judged(ring, train, LabeledImages(fake, None))
    return MIND(features="pixels", **options).compute(seen)["mind@pixels"]


def test_it_tells_what_is_off_from_what_is_not(judged, tmp_path):
    ring = Ring(train_size=400, test_size=400)
    test = ring.load("test", tmp_path).images
    real = found(judged, tmp_path, test)
    assert 0 <= real < 0.15
    assert found(judged, tmp_path, ring.load("train", tmp_path).images) < 1e-12
    one_mode = test[:1].expand(400, -1, -1, -1).clone()
    assert found(judged, tmp_path, one_mode) > 2
    assert found(judged, tmp_path, test + 0.3) == pytest.approx(3 * 2 * 0.09, abs=0.3)


def test_it_depends_on_its_seed_and_not_on_the_order_of_samples(judged, tmp_path):
    fake = 0.9 * Ring(test_size=300).load("test", tmp_path).images
    some = {"num_samples": 100, "projections": 20}
    first = found(judged, tmp_path, fake, **some)
    order = torch.randperm(300, generator=torch.Generator().manual_seed(1))
    assert found(judged, tmp_path, fake[order], **some) == pytest.approx(first, rel=1e-9)
    assert found(judged, tmp_path, fake, seed=1, **some) != pytest.approx(first, rel=1e-3)


def test_what_it_cannot_do_is_a_reason(judged, tmp_path):
    with pytest.raises(Unavailable, match="at least 2 samples and as many real images, found 1"):
        found(judged, tmp_path, torch.rand(1, 2, 1, 1))
    with pytest.raises(Unavailable, match="no feature extractor is named"):
        MIND().compute(None)
    bad = torch.rand(9, 2, 1, 1)
    bad[3, 1] = math.nan
    with pytest.raises(Unavailable, match="the features of the samples are not finite"):
        found(judged, tmp_path, bad)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"projections": 0}, "projections must be positive, found 0"),
        ({"num_samples": 1}, "num_samples must be at least 2, found 1"),
    ],
)
def test_options_are_checked(options, why):
    with pytest.raises(ValueError, match=why):
        MIND(**options)


def test_the_protocol_says_what_was_done(judged, tmp_path):
    ring = Ring(train_size=100)
    train = ring.load("train", tmp_path)
    values, protocols, *_ = evaluate([MIND(features="pixels")], judged(ring, train, train))
    assert [(v.column.name, v.column.direction) for v in values] == [("mind@pixels", "min")]
    (said,) = protocols.values()
    assert (said["projections"], said["scale"]) == (1000, "3 · F")
