"""Modes counted as one paper or another counted them."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from ganbench import Dataset, LabeledImages, Unavailable
from ganbench.default_plugins.datasets.mixtures import Grid, Mixture1200, Ring
from ganbench.default_plugins.datasets.mnist import MNIST
from ganbench.default_plugins.datasets.stacked_mnist import StackedMNIST
from ganbench.default_plugins.metrics.coverage import (
    DEFINITIONS,
    ModeCoverage,
    high_quality,
)
from ganbench.errors import ConfigError

WITHIN_3_STD = 1 - math.exp(-4.5)  # of a Gaussian in the plane: 98.89 %
PLANE = pytest.mark.parametrize(
    ("name", "data", "modes"),
    [("ring8/pacgan", Ring(), 8), ("grid25/pacgan", Grid(), 25)],
    ids=["ring", "grid"],
)


def defined(name: str, data: Dataset, points: torch.Tensor) -> dict[str, float]:
    """The columns of a definition, without its name; points in the paper's coordinates."""
    shape = (-1, data.image_spec().channels, *[data.image_spec().resolution] * 2)
    fake = LabeledImages((points / data.extent).view(shape), None)
    found = ModeCoverage(definition=name).compute(SimpleNamespace(dataset=data, fake=fake))
    return {column.removesuffix(f"[{name}]"): value for column, value in found.items()}


def drawn(data: Dataset, count: int, seed: int = 5) -> torch.Tensor:
    """Points of the mixture itself, drawn by other code than the data set's."""
    generator = torch.Generator().manual_seed(seed)
    centers = data.centers()
    nearest = torch.randint(len(centers), (count,), generator=generator)
    return centers[nearest] + data.std * torch.randn(count, 2, generator=generator)


def test_ring_of_the_papers_has_eight_distinct_centres_on_the_unit_circle():
    """The notebook of unrolled GANs has seven: its first and its last are the same."""
    centers = Ring().centers().double()
    torch.testing.assert_close(centers.norm(dim=1), torch.ones(8, dtype=torch.float64))
    turns = torch.atan2(centers[:, 1], centers[:, 0]) / (2 * math.pi) % 1
    expected = torch.arange(8, dtype=torch.float64) / 8
    torch.testing.assert_close(turns, expected, atol=1e-6, rtol=0)
    assert len({tuple(center) for center in centers.mul(1e4).round().tolist()}) == 8
    assert len({tuple(center) for center in Grid().centers().tolist()}) == 25


@PLANE
def test_mixture_itself_by_definition(name, data, modes):
    found = defined(name, data, drawn(data, 2500))
    error = math.sqrt(WITHIN_3_STD * (1 - WITHIN_3_STD) / 2500)
    assert found["high-quality"] == pytest.approx(WITHIN_3_STD, abs=3 * error)
    assert found["modes"] == found["modes-20pct"] == modes
    kept = 2500 * found["high-quality"]
    assert found["reverse-kl-floor"] == pytest.approx((modes - 1) / (2 * kept), rel=1e-12)
    assert found["reverse-kl-floor"] == pytest.approx((modes - 1) / 5000, rel=0.02)
    assert 0.2 < found["reverse-kl"] / found["reverse-kl-floor"] < 3


@PLANE
def test_share_of_high_quality_of_many_samples_is_that_of_a_gaussian(name, data, modes):
    found = ModeCoverage().compute(
        SimpleNamespace(
            dataset=data,
            fake=LabeledImages((drawn(data, 50_000) / data.extent).view(-1, 2, 1, 1), None),
        )
    )
    error = math.sqrt(WITHIN_3_STD * (1 - WITHIN_3_STD) / 50_000)
    assert found["high-quality"] == pytest.approx(WITHIN_3_STD, abs=3 * error)
    assert found["modes"] == found["modes-20pct"] == modes


@PLANE
def test_mean_reverse_kl_of_the_mixture_is_the_floor(name, data, modes):
    found = [defined(name, data, drawn(data, 2500, seed)) for seed in range(100)]
    mean = sum(values["reverse-kl"] for values in found) / len(found)
    error = math.sqrt(2 * (modes - 1)) / (2 * 2500) / math.sqrt(len(found))
    assert mean == pytest.approx((modes - 1) / 5000 / WITHIN_3_STD, abs=3.5 * error)


@PLANE
def test_one_mode_alone_by_definition(name, data, modes):
    found = defined(name, data, data.centers()[1:2].expand(2500, -1))
    assert found["modes"] == found["modes-20pct"] == found["high-quality"] == 1
    assert found["reverse-kl"] == pytest.approx(math.log(modes), abs=1e-12)


@PLANE
def test_samples_that_are_all_outside_by_definition(name, data, modes):
    outside = data.centers()[:1] + torch.tensor([[3.01 * data.std, 0.0]])
    found = defined(name, data, outside.expand(2500, -1))
    assert found["modes"] == found["modes-20pct"] == found["high-quality"] == 0
    for column in ("reverse-kl", "reverse-kl-floor"):
        assert isinstance(found[column], Unavailable)
        assert str(found[column]) == "no sample is of high quality"
    inside = data.centers()[:1] + torch.tensor([[2.99 * data.std, 0.0]])
    assert defined(name, data, inside.expand(2500, -1))["high-quality"] == 1


def test_stray_samples_reach_a_mode_and_hold_none():
    """A fifth of the 312.5 samples that a mode of eight should have is 62.5."""
    centers = Ring().centers()

    def held(strays: int) -> tuple[float, float]:
        points = torch.cat([centers[:1].expand(2500 - strays, -1), centers[1:2].expand(strays, -1)])
        found = defined("ring8/pacgan", Ring(), points)
        return found["modes"], found["modes-20pct"]

    assert held(0) == (1, 1)
    assert held(1) == held(62) == (2, 1)
    assert held(63) == (2, 2)


def test_a_mode_is_held_of_all_samples_and_not_of_the_good_ones():
    centers = Ring().centers()
    points = torch.cat([torch.zeros(2440, 2), centers[:1].expand(60, -1)])
    found = defined("ring8/pacgan", Ring(), points)
    assert (found["modes"], found["modes-20pct"], found["high-quality"]) == (1, 0, 60 / 2500)


def test_only_the_first_samples_count_by_definition():
    centers = Ring().centers()
    points = torch.cat([centers[:1].expand(2500, -1), centers])
    assert defined("ring8/pacgan", Ring(), points)["modes"] == 1


def test_shares_do_not_depend_on_chunks_or_batches():
    points = drawn(Ring(), 10_000)
    good, nearest = high_quality(points, Ring().centers(), 0.03)
    for size in (1, 999, 10_000):
        parts = [high_quality(part, Ring().centers(), 0.03) for part in points[:2000].split(size)]
        assert torch.equal(torch.cat([part[0] for part in parts]), good[:2000])
        assert torch.equal(torch.cat([part[1] for part in parts]), nearest[:2000])


def around(count: int, noise: float) -> torch.Tensor:
    """Points of ten 700-dimensional Gaussians, with as much noise."""
    generator = torch.Generator().manual_seed(1)
    points = Mixture1200().centers().repeat(count // 10, 1)
    points[:, :700] += noise * torch.randn(count, 700, generator=generator)
    return points


def test_ten_deviations_of_1200_dimensions_leave_nothing_of_the_data():
    """Its points lie √700 = 26.5 from their centres: what VEEGAN's threshold lets in is less noisy
    than the data."""
    real = defined("mixture1200/veegan", Mixture1200(), around(2500, 1.0))
    assert real["modes"] == real["high-quality"] == 0
    quiet = defined("mixture1200/veegan", Mixture1200(), around(2500, 0.3))  # √700 · 0.3 = 7.9
    assert (quiet["modes"], quiet["modes-20pct"], quiet["high-quality"]) == (10, 10, 1)
    assert quiet["reverse-kl"] == pytest.approx(0, abs=1e-12)
    edge = defined("mixture1200/veegan", Mixture1200(), around(2500, 10 / math.sqrt(699.5)))
    assert edge["high-quality"] == pytest.approx(0.5, abs=0.05)


def test_without_a_definition_1200_dimensions_score_as_the_plane_does():
    fake = LabeledImages((around(5000, 1.0) / 20).view(-1, 3, 20, 20), None)
    found = ModeCoverage().compute(SimpleNamespace(dataset=Mixture1200(), fake=fake))
    error = math.sqrt(WITHIN_3_STD * (1 - WITHIN_3_STD) / 5000)
    assert found["high-quality"] == pytest.approx(WITHIN_3_STD, abs=3 * error)
    assert found["modes"] == 10


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("ring8/pacgan", Grid(), "it is for data set 'ring', and this is 'grid'"),
        ("ring8/pacgan", MNIST(), "it is for data set 'ring', and this is 'mnist'"),
        ("ring8/pacgan", Ring(modes=7), "it is for 8 modes, and 'ring' has 7 here"),
        ("ring8/pacgan", Ring(std=0.02), "it is for 'ring' with std 0.01, found 0.02"),
        ("grid25/pacgan", Grid(side=3), "it is for 25 modes, and 'grid' has 9 here"),
        ("grid25/pacgan", Grid(std=0.1), "it is for 'grid' with std 0.05, found 0.1"),
        ("mixture1200/veegan", Ring(), "it is for data set 'mixture1200', and this is 'ring'"),
        (
            "stacked-mnist/veegan-26k",
            StackedMNIST(),
            "it is for 'stacked-mnist' with source train+test, found train",
        ),
        (
            "stacked-mnist/unrolled-25.6k",
            StackedMNIST(source="train+test"),
            "it is for 'stacked-mnist' with source train, found train+test",
        ),
    ],
)
def test_definition_of_other_data_is_a_sentence(name, data, why):
    fake = LabeledImages(torch.zeros(30_000, 1), None)
    with pytest.raises(Unavailable) as raised:
        ModeCoverage(definition=name).compute(SimpleNamespace(dataset=data, fake=fake))
    assert str(raised.value) == f"{name}: {why}"


@pytest.mark.parametrize("name", DEFINITIONS)
def test_too_few_samples_are_a_sentence(name):
    definition = DEFINITIONS[name]
    kinds = {cls.name: cls for cls in (Ring, Grid, Mixture1200, StackedMNIST)}
    data = kinds[definition.dataset](**definition.options)
    fake = LabeledImages(torch.zeros(definition.num_samples - 1, 1), None)
    with pytest.raises(Unavailable) as raised:
        ModeCoverage(definition=name).compute(SimpleNamespace(dataset=data, fake=fake))
    n = definition.num_samples
    assert str(raised.value) == (
        f"{name} takes {n:,} samples, and there are {n - 1:,}; set evaluation.num_samples to at "
        f"least {n}"
    )


def test_definitions_have_the_sample_counts_of_the_papers():
    assert {name: found.num_samples for name, found in DEFINITIONS.items()} == {
        "ring8/pacgan": 2500,
        "grid25/pacgan": 2500,
        "mixture1200/veegan": 2500,
        "stacked-mnist/veegan-26k": 26_000,
        "stacked-mnist/unrolled-25.6k": 25_600,
    }


@pytest.mark.parametrize("name", DEFINITIONS)
def test_columns_of_a_definition_carry_its_name(name):
    columns = ModeCoverage(definition=name).columns
    assert all(column.name.endswith(f"[{name}]") for column in columns)
    others = {column.name for column in ModeCoverage().columns}
    assert others.isdisjoint(column.name for column in columns)
    scattered = DEFINITIONS[name].max_deviations is not None
    assert (f"high-quality[{name}]" in {column.name for column in columns}) == scattered


def test_protocol_of_a_definition_spells_it_out():
    found = ModeCoverage(definition="ring8/pacgan").protocol()
    assert found == {
        "metric": "mode-coverage",
        "version": 1,
        "definition": {
            "name": "ring8/pacgan",
            "paper": "Lin et al., 2018, table 1",
            "dataset": "ring",
            "options": {"std": 0.01},
            "modes": 8,
            "num_samples": 2500,
            "max_deviations": 3.0,
        },
        "held_share": 0.2,
    }


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"definition": "ring7/unrolled"}, "no definition 'ring7/unrolled'; known: ring8/pacgan, "),
        (
            {"definition": "ring8/pacgan", "max_deviations": 4},
            "definition 'ring8/pacgan' leaves max_deviations no choice",
        ),
        (
            {"definition": "ring8/pacgan", "min_share": 0.2},
            "definition 'ring8/pacgan' leaves min_share no choice",
        ),
        ({"max_deviations": 0.0}, r"max_deviations must be positive, found 0\.0"),
        ({"min_share": -0.1}, r"min_share must not be negative, found -0\.1"),
    ],
)
def test_bad_definitions_are_refused(plugins, options, why):
    with pytest.raises(ConfigError, match=f"metric 'mode-coverage': {why}"):
        plugins.build("metric", "mode-coverage", options)
