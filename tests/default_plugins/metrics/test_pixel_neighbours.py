"""The nearest of many images by their pixels."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganbench.default_plugins.metrics import pixel_neighbours
from ganbench.default_plugins.metrics.neighbours import nearest
from ganbench.default_plugins.metrics.pixel_neighbours import Euclidean, Manhattan


def normal(count: int, width: int, seed: int) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def pictures(count: int, seed: int, shape: tuple[int, ...] = (1, 28, 28)) -> Tensor:
    """Coarse patterns with some noise."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, shape[0], 4, 4, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, shape[1:], mode="bilinear")
    noise = 0.2 * torch.rand(count, *shape, generator=generator)
    return (255 * (0.8 * smooth + noise)).to(torch.uint8)


def absolute(a: Tensor, b: Tensor) -> Tensor:
    """All pairs, (N, M)."""
    return (a.flatten(1).double()[:, None] - b.flatten(1).double()[None]).abs().sum(2)


@pytest.mark.parametrize(
    "shape", [(1, 28, 28), (3, 32, 32), (1, 13, 13), (2, 5, 5), (3, 1, 1)], ids=str
)
@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("exhaustive", [-1.0, 2.0], ids=["all pixels", "blocks first"])
def test_nearest_by_absolute_differences_are_exact(monkeypatch, shape, k, exhaustive):
    monkeypatch.setattr(pixel_neighbours, "EXHAUSTIVE", exhaustive)
    references = pictures(120, 1, shape)
    queries = torch.cat([pictures(15, 2, shape), references[:5], 255 - references[5:8]])
    distances, indices = Manhattan(references).nearest(queries, k)
    expected = absolute(queries, references)
    assert torch.equal(distances.double(), expected.topk(k, largest=False).values)
    assert torch.equal(expected.gather(1, indices), distances.double())


def test_blocks_spare_most_pixels(monkeypatch):
    """Of smooth images: few of a thousand are compared pixel by pixel."""
    compared = []
    differences = pixel_neighbours._differences

    def counted(row, table, near):
        if table.dtype == torch.uint8:
            compared.append(len(near))
        return differences(row, table, near)

    monkeypatch.setattr(pixel_neighbours, "_differences", counted)
    Manhattan(pictures(1000, 3)).nearest(pictures(20, 4))
    assert 20 <= sum(compared) < 20 * 100


@pytest.mark.parametrize(
    "shape", [(1, 28, 28), (3, 32, 32), (1, 13, 13), (2, 5, 5), (3, 1, 1)], ids=str
)
@pytest.mark.parametrize("exhaustive", [-1.0, 2.0], ids=["all pixels", "directions first"])
def test_euclidean_distances_are_those_of_all_pixels_to_the_bit(monkeypatch, shape, exhaustive):
    monkeypatch.setattr(pixel_neighbours, "EXHAUSTIVE", exhaustive)
    references = pictures(400, 1, shape)
    near = references[5:15].clone()
    near[:, 0, 0, 0] ^= 1
    extremes = torch.zeros(2, *shape, dtype=torch.uint8)
    extremes[1] = 255
    queries = torch.cat([pictures(15, 2, shape), references[:5], near, 255 - near, extremes])
    found = Euclidean(references).nearest(queries)
    assert torch.equal(found, nearest(queries, references)[0][:, 0])
    assert found[15:20].tolist() == [0] * 5
    assert shape[1] == 1 or found[20:30].tolist() == pytest.approx([1] * 10, abs=1e-3)


def test_euclidean_distances_of_points_are_those_of_all():
    a, b = normal(20, 2, seed=5).view(-1, 2, 1, 1), normal(90, 2, seed=6).view(-1, 2, 1, 1)
    assert torch.equal(Euclidean(b).nearest(a), nearest(a, b)[0][:, 0])


def test_directions_spare_most_pixels(monkeypatch):
    compared = []
    exact = Euclidean._squared

    def counted(self, pixels, query, near):
        compared.append(len(near))
        return exact(self, pixels, query, near)

    monkeypatch.setattr(Euclidean, "_squared", counted)
    Euclidean(pictures(1000, 3)).nearest(pictures(20, 4))
    assert 20 <= sum(compared) < 20 * 100


def test_nearest_of_points_by_absolute_differences():
    a, b = normal(20, 2, seed=5).view(-1, 2, 1, 1), normal(90, 2, seed=6).view(-1, 2, 1, 1)
    distances, indices = Manhattan(b).nearest(a, 2)
    expected = absolute(a, b).topk(2, largest=False)
    torch.testing.assert_close(distances.double(), expected.values, rtol=1e-6, atol=0)
    assert torch.equal(indices, expected.indices)


@pytest.mark.parametrize(
    "references",
    [
        torch.zeros(40, 1, 28, 28, dtype=torch.uint8),
        pictures(3, 7).repeat(20, 1, 1, 1),
        pictures(1, 8),
    ],
    ids=["black", "of three kinds", "one"],
)
def test_images_that_vary_in_few_directions(references):
    queries = torch.cat([pictures(6, 2), references[:2]])
    found = Euclidean(references).nearest(queries)
    assert torch.equal(found, nearest(queries, references)[0][:, 0])
    distances = Manhattan(references).nearest(queries)[0]
    assert torch.equal(distances.double(), absolute(queries, references).amin(1, keepdim=True))


def test_several_threads_find_what_one_does(monkeypatch):
    monkeypatch.setattr(pixel_neighbours, "PAIRS", 200 * 16)
    references, queries = pictures(200, 1), pictures(50, 2)
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            found.append(
                (*Manhattan(references).nearest(queries, 3), Euclidean(references).nearest(queries))
            )
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    for one, several in zip(*found, strict=True):
        assert torch.equal(one, several)
