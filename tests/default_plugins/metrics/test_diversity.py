"""The Vendi score against closed forms, and against the kernel matrix itself."""

from __future__ import annotations

import math

import pytest
import torch

from ganbench import LabeledImages, Unavailable
from ganbench.default_plugins.datasets.mixtures import Ring
from ganbench.default_plugins.metrics.diversity import Vendi, vendi
from ganbench.testing import parametrize_with_checks


@parametrize_with_checks(Vendi, Vendi(num_samples=30))
def test_conforms(check):
    check()


@pytest.mark.parametrize("kinds", [1, 2, 5])
@pytest.mark.parametrize("width", [5, 40])
def test_of_groups_of_copies_it_counts_the_groups(kinds, width):
    features = torch.eye(width)[torch.arange(30) % kinds] * torch.arange(1, 31)[:, None]
    assert vendi(features) == pytest.approx(kinds, rel=1e-12)


def test_of_unequal_groups_it_is_the_exponential_of_their_entropy():
    features = torch.eye(3)[torch.tensor([0] * 6 + [1] * 3 + [2])]
    entropy = -sum(p * math.log(p) for p in (0.6, 0.3, 0.1))
    assert vendi(features) == pytest.approx(math.exp(entropy), rel=1e-12)


def test_of_two_it_is_their_angle_s():
    """The eigenvalues of a matrix of ones with c beside them are (1 ± c) / 2."""
    c = 0.6
    shares = ((1 + c) / 2, (1 - c) / 2)
    exact = math.exp(-sum(p * math.log(p) for p in shares))
    assert vendi(torch.tensor([[2.0, 0.0], [3.0, 4.0]])) == pytest.approx(exact, rel=1e-7)


@pytest.mark.parametrize(("count", "width"), [(20, 50), (50, 20)])
def test_either_matrix_gives_what_that_of_all_pairs_gives(count, width):
    x = torch.randn(count, width, generator=torch.Generator().manual_seed(0)).double()
    unit = x / x.norm(dim=1, keepdim=True)
    found = torch.linalg.eigvalsh(unit @ unit.T / count)
    found = found[found > 1e-12]
    exact = math.exp(-(found * found.log()).sum().item())
    assert vendi(x) == pytest.approx(exact, rel=1e-9)


def of(judged, tmp_path, fake, **options):
    ring = Ring(train_size=50)
    seen = judged(ring, ring.load("train", tmp_path), LabeledImages(fake, None))
    return Vendi(features="pixels", **options).compute(seen)["vendi@pixels"]


def test_one_image_again_and_again_counts_once_and_two_ways_twice(judged, tmp_path):
    assert of(judged, tmp_path, torch.rand(1, 2, 1, 1).expand(80, -1, -1, -1)) == pytest.approx(1)
    ways = torch.eye(2)[torch.arange(80) % 2].view(80, 2, 1, 1)
    assert of(judged, tmp_path, ways) == pytest.approx(2)
    assert of(judged, tmp_path, ways, num_samples=1) == pytest.approx(1)


def test_what_it_cannot_do_is_a_reason(judged, tmp_path):
    with pytest.raises(Unavailable, match="all zero, which have no cosine"):
        of(judged, tmp_path, torch.tensor([[1.0, 0.0], [0.0, 0.0]]).view(2, 2, 1, 1))
    with pytest.raises(Unavailable, match="not finite"):
        of(judged, tmp_path, torch.full((3, 2, 1, 1), math.inf))
    with pytest.raises(Unavailable, match="no feature extractor is named"):
        Vendi().compute(None)
    with pytest.raises(ValueError, match="num_samples must be positive, found 0"):
        Vendi(num_samples=0)


def test_no_direction_is_better():
    (column,) = Vendi(features="x").columns
    assert (column.name, column.direction) == ("vendi@x", "none")
