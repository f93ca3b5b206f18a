"""The kernel distance against another implementation, closed forms, and what KID makes of it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ganbench import Features, LabeledImages, Unavailable
from ganbench.default_plugins.datasets.mixtures import Ring
from ganbench.default_plugins.metrics import kernel
from ganbench.default_plugins.metrics.kernel import CMMD, KID, gaussian_mmd, polynomial_mmd
from ganbench.default_plugins.metrics.shuffles import shuffled
from ganbench.evaluation.evaluate import evaluate
from ganbench.testing import parametrize_with_checks


def normal(count: int, dim: int, seed: int, scale: float = 1.0, shift: float = 0.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return shift + scale * torch.randn(count, dim, generator=generator, dtype=torch.float64)


@parametrize_with_checks(KID, KID(subsets=10, subset_size=60))
def test_kid_conforms(check):
    check()


@pytest.mark.parametrize(("count", "dim"), [(100, 16), (500, 96), (200, 512)])
def test_mmd_is_torchmetrics(count, dim):
    from torchmetrics.image import kid

    for dtype in (torch.float64, torch.float32):
        x, y = normal(count, dim, 1).to(dtype), normal(count, dim, 2, 1.2, 0.1).to(dtype)
        theirs = kid.poly_mmd(x.double(), y.double()).item()
        assert theirs > 0.02
        assert polynomial_mmd(x, y) == pytest.approx(theirs, rel=1e-9)


def test_mmd_of_two_points_each():
    """By hand: k(a, b) = (ab + 1)³ in one dimension."""
    x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0], [-1.0]])
    within = 1 + (-2 + 1) ** 3
    across = (1 + 1 + 27 + 0) / 4
    assert polynomial_mmd(x, y) == pytest.approx(within - 2 * across, rel=1e-14)


def test_mmd_of_points_that_are_all_the_same():
    """(k(a, a) + k(b, b) - 2 k(a, b)), whatever their number."""
    a, b = torch.full((5, 2), 0.5), torch.full((5, 2), 1.0)
    exact = 1.25**3 + 2**3 - 2 * 1.5**3
    assert polynomial_mmd(a, b) == pytest.approx(exact, rel=1e-13)
    assert polynomial_mmd(a, a + 0) == pytest.approx(0, abs=1e-13)


def test_mmd_is_not_biased():
    """Of two sets from one distribution it is zero on average, and below it as often as above."""
    found = torch.tensor(
        [polynomial_mmd(normal(60, 4, 2 * s), normal(60, 4, 2 * s + 1)) for s in range(200)]
    )
    error = found.std() / math.sqrt(len(found))
    assert abs(found.mean()) < 3 * error
    assert 0.3 < (found < 0).double().mean() < 0.8


class Sets:
    """Features of both sides: an Evaluation for KID."""

    device = torch.device("cpu")

    def __init__(self, real: Tensor, fake: Tensor) -> None:
        self._real, self._fake = real, fake
        self.fake = LabeledImages(fake.float().view(*fake.shape, 1, 1), None)
        self.asked: list[int | None] = []

    def features(self, extractor: str) -> Features:
        return Features(self._fake)

    def real_features(self, extractor: str, split: str = "train", count: int | None = None):
        self.asked.append(count)
        return Features(self._real)


def kid(real: Tensor, fake: Tensor, **options: int) -> tuple[float, float]:
    return tuple(KID(features="x", **options).compute(Sets(real, fake)).values())


def test_kid_is_the_mean_over_subsets_that_torchmetrics_would_find():
    from torchmetrics.image.kid import poly_mmd as theirs

    real, fake = normal(300, 24, 1), normal(250, 24, 2, 1.1, 0.1)
    seen = Sets(real, fake)
    order = shuffled(seen.fake, 5)
    generator = torch.Generator().manual_seed(5)
    found = []
    for _ in range(8):
        i, j = (torch.randperm(n, generator=generator)[:90] for n in (300, 250))
        found.append(theirs(real[i], fake[order][j]))
    exact = torch.stack(found)
    mean, spread = kid(real, fake, subsets=8, subset_size=90, seed=5)
    assert mean == pytest.approx(exact.mean().item(), rel=1e-9)
    assert spread == pytest.approx(exact.std(correction=0).item(), rel=1e-9)


def test_kid_asks_for_ten_thousand_real_images():
    seen = Sets(normal(30, 4, 1), normal(30, 4, 2))
    KID(features="x").compute(seen)
    assert seen.asked == [10_000]


def test_smaller_side_decides_the_size_of_subsets():
    real, fake = normal(400, 8, 1), normal(50, 8, 2)
    mean, spread = kid(real, fake, subsets=5)
    assert (mean, spread) == kid(real, fake, subsets=5, subset_size=50)
    assert spread > 0


@pytest.mark.parametrize("options", [{}, {"subsets": 1, "subset_size": 40}])
def test_one_subset_has_no_spread(options):
    _, spread = kid(normal(80, 8, 1), normal(80, 8, 2, shift=0.5), **options)
    assert str(spread) == "one subset has no spread; draw more samples or lower subset_size"


def test_subsets_that_are_everything_are_taken_once():
    real, fake = normal(80, 8, 1), normal(80, 8, 2, shift=0.5)
    mean, _ = kid(real, fake)
    assert mean == pytest.approx(polynomial_mmd(real, fake), rel=1e-12)


def test_kid_tells_what_is_off_from_what_is_not():
    real = normal(1000, 16, 1)
    same, _ = kid(real, normal(1000, 16, 2), subset_size=500, subsets=8)
    shifted, _ = kid(real, normal(1000, 16, 3, shift=0.3), subset_size=500, subsets=8)
    collapsed, _ = kid(real, normal(1000, 16, 4)[:1].expand(1000, -1), subset_size=500, subsets=8)
    assert abs(same) < 0.01
    assert min(shifted, collapsed) > 0.1


def test_kid_depends_on_its_seed_and_not_on_the_order_of_samples():
    real, fake = normal(200, 8, 1), normal(200, 8, 2)
    found = kid(real, fake, subset_size=50)
    order = torch.randperm(200, generator=torch.Generator().manual_seed(0))
    assert kid(real, fake[order], subset_size=50) == pytest.approx(found, rel=1e-9)
    assert kid(real, fake, subset_size=50, seed=1) != pytest.approx(found, rel=1e-3)


def with_one(features: Tensor, value: float) -> Tensor:
    changed = features.clone()
    changed[3, 1] = value
    return changed


@pytest.mark.parametrize("bad", [math.nan, math.inf], ids=str)
def test_features_that_are_not_finite_are_a_reason(bad):
    good = normal(20, 4, 1)
    with pytest.raises(Unavailable, match="the features of the samples are not finite"):
        kid(good, with_one(good, bad))
    with pytest.raises(Unavailable, match="the features of the training set are not finite"):
        kid(with_one(good, bad), good)


def test_features_beyond_the_kernel_are_a_reason():
    good = normal(20, 4, 1)
    with pytest.raises(Unavailable, match="too large for the cubic kernel"):
        kid(good, with_one(good, 1e60))


def test_one_image_is_a_reason():
    good = normal(20, 4, 1)
    with pytest.raises(Unavailable, match="the samples must have at least two images, found 1"):
        kid(good, good[:1])
    with pytest.raises(Unavailable, match="the training set must have at least two images"):
        kid(good[:1], good)


@pytest.mark.parametrize(("option", "least"), [("subsets", "positive"), ("subset_size", "least 2")])
def test_bad_options_are_refused(option, least):
    with pytest.raises(ValueError, match=f"{option} must be (at )?{least}, found 0"):
        KID(**{option: 0})


def test_no_extractor_is_a_reason():
    with pytest.raises(Unavailable, match="no feature extractor is named"):
        KID().compute(Sets(normal(9, 2, 1), normal(9, 2, 2)))


def test_protocol_and_columns_say_what_was_done(judged, tmp_path):
    ring = Ring(train_size=300)
    train = ring.load("train", tmp_path)
    values, protocols, *_ = evaluate([KID(features="pixels", seed=3)], judged(ring, train, train))
    assert [v.column.name for v in values] == ["kid@pixels", "kid-subset-sd@pixels"]
    assert [v.column.direction for v in values] == ["min", "none"]
    (spelled,) = protocols.values()
    assert (spelled["subsets"], spelled["subset_size"], spelled["seed"]) == (100, 1000, 3)
    assert spelled["estimator"] == "unbiased"


def test_shuffle_does_not_depend_on_the_order_of_samples():
    images = torch.arange(200, dtype=torch.uint8).view(50, 1, 2, 2)
    labels = torch.arange(50) % 3
    found = shuffled(LabeledImages(images, labels), 0)
    assert sorted(found.tolist()) == list(range(50))
    assert found.tolist() != list(range(50))
    order = torch.randperm(50, generator=torch.Generator().manual_seed(1))
    other = shuffled(LabeledImages(images[order], labels[order]), 0)
    assert torch.equal(order[other], found)
    assert not torch.equal(shuffled(LabeledImages(images, labels), 1), found)
    assert not torch.equal(shuffled(LabeledImages(images, None), 0), found)


# The Gaussian kernel


@parametrize_with_checks(CMMD, CMMD(sigma=0.5, unit=False, num_samples=40))
def test_cmmd_conforms(check):
    check()


@pytest.mark.parametrize("sigma", [0.3, 10.0])
def test_gaussian_mmd_of_points_that_are_all_the_same(sigma):
    """2 (1 - exp(-|a - b|² / 2σ²)), whatever their number."""
    a, b = torch.full((5, 2), 0.5), torch.full((7, 2), 1.0)
    exact = -2 * math.expm1(-0.5 / (2 * sigma**2))
    assert gaussian_mmd(a, b, sigma) == pytest.approx(exact, rel=1e-12)
    assert gaussian_mmd(a, a + 0, sigma) == 0


@pytest.mark.parametrize("sigma", [1.0, 10.0])
def test_gaussian_mmd_is_that_of_whole_matrices(sigma, monkeypatch):
    x, y = normal(50, 6, 1), normal(40, 6, 2, 1.1, 0.2)
    mean = lambda a, b: (-(torch.cdist(a, b) ** 2) / (2 * sigma**2)).exp().mean()  # noqa: E731
    exact = (mean(x, x) + mean(y, y) - 2 * mean(x, y)).item()
    assert gaussian_mmd(x, y, sigma) == pytest.approx(exact, rel=1e-9)
    monkeypatch.setattr(kernel, "CHUNK", 5)  # a row at a time
    assert gaussian_mmd(x, y, sigma) == pytest.approx(exact, rel=1e-9)


def test_gaussian_mmd_of_normal_distributions_is_the_integral():
    """Of N(0, 1) and N(1, 1) with σ = 1: 2 / √3 (1 - exp(-1 / 6))."""
    x, y = normal(4000, 1, 1), normal(4000, 1, 2, shift=1.0)
    exact = 2 / math.sqrt(3) * (1 - math.exp(-1 / 6))
    assert gaussian_mmd(x, y, 1.0) == pytest.approx(exact, abs=0.015)


def cmmd(real: Tensor, fake: Tensor, **options) -> float:
    return CMMD(features="x", **options).compute(Sets(real[: len(fake)], fake))["cmmd@x"]


def test_cmmd_is_a_thousand_times_that_of_features_of_length_one():
    real, fake = normal(60, 8, 1, shift=0.5), 3 * normal(60, 8, 2, shift=0.2)
    unit = [x / x.norm(dim=1, keepdim=True) for x in (real, fake)]
    exact = 1000 * gaussian_mmd(*unit, 10.0)
    assert cmmd(real, fake) == pytest.approx(exact, rel=1e-9)
    means = (unit[0].mean(0) - unit[1].mean(0)).square().sum().item()
    assert exact == pytest.approx(10 * means, rel=0.02)  # which is nearly all that it sees
    assert cmmd(real, fake, unit=False) == pytest.approx(1000 * gaussian_mmd(real, fake, 10.0))


def test_cmmd_that_has_no_value_has_a_reason():
    good = normal(20, 4, 1)
    with pytest.raises(Unavailable, match="all zero, which have no length 1"):
        cmmd(good, torch.cat([good[:5], torch.zeros(1, 4)]))
    with pytest.raises(Unavailable, match="at least 2 samples and as many real images, found 1"):
        cmmd(good, good[:1])
    with pytest.raises(ValueError, match="sigma must be positive, found 0"):
        CMMD(sigma=0)
