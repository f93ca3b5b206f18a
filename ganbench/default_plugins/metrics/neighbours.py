"""Distances, nearest neighbours and clusters of images and features, with bounded memory."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from ganbench import LabeledImages, Unavailable
from ganbench.default_plugins.metrics.shuffles import shuffled

PAIRS = 2**22  # of vectors, whose distances are in memory at once
ROUNDING = 1e-12  # of the squared norms: below it, two vectors are one


def drawn(samples: LabeledImages, count: int, seed: int) -> Tensor:
    """Return the indices of at most `count` random samples, the same in whichever order they come.

    Copies of one image lie side by side in the canonical order: a permutation takes them apart.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(samples), generator=generator)[:count]
    return shuffled(samples, seed)[order]


def finite(values: Tensor, what: str) -> Tensor:
    """Return the values. Raises Unavailable where they are not all finite."""
    if not all(part.isfinite().all() for part in values.split(4096)):
        raise Unavailable(f"{what} are not finite")
    return values


def content(values: Tensor) -> str:
    """Return a hash of the values, for the names of what is remembered about them."""
    return hashlib.sha256(values.cpu().contiguous().numpy().data).hexdigest()[:16]


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Return Euclidean ones of the rows of a (N, D) to those of b (M, D): (N, M) float32.

    A matrix product in float64: ten times as fast as differences, and what it loses is less than
    float32 features hold in the first place. Rounded afterwards, so that equal distances stay
    equal from one chunk to the next. Vectors that differ by rounding alone have distance 0.
    """
    a, b = a.double(), b.double()
    return _rounded(_less_norms(a, b).add_(_norms(a)[:, None]))


def _norms(x: Tensor) -> Tensor:
    return x.square().sum(1) * (1 - ROUNDING)


def _less_norms(a: Tensor, b: Tensor) -> Tensor:
    """Return squared distances less the squared norms of a: of one row the order is the same."""
    return torch.addmm(_norms(b), a, b.T, alpha=-2)


def _rounded(squares: Tensor) -> Tensor:
    return squares.float().clamp_(min=0)


def nearest(
    queries: Tensor, references: Tensor, k: int = 1, device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor]:
    """Return Euclidean distances to the k nearest references, and their indices: (N, k).

    The nearest come first. Either side is anything that flattens to vectors, such as images.
    `device` computes them; like what is given, they are on the CPU.
    """
    parts = (part.to(device).flatten(1).double() for part in queries.split(2048))
    found = [_nearest(part, references, k) for part in parts]
    values, indices = zip(*found, strict=True)
    return torch.cat(values).sqrt_().cpu(), torch.cat(indices).cpu()


def _nearest(queries: Tensor, references: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return squared distances and indices, as `nearest` does of any number of queries."""
    shape = (len(queries), min(k, len(references)))
    values, indices = queries.new_full(shape, torch.inf), queries.new_zeros(shape).long()
    size = max(1, PAIRS // max(queries.shape))
    for start, part in zip(range(0, len(references), size), references.split(size), strict=True):
        squares = _less_norms(queries, part.to(queries.device).flatten(1).double())
        rows = _nearer(squares, values[:, -1])
        near = squares[rows].topk(min(k, len(part)), largest=False)
        found, order = torch.cat([values[rows], near.values], 1).sort(dim=1, stable=True)
        values[rows] = found[:, : shape[1]]
        both = torch.cat([indices[rows], near.indices + start], 1)
        indices[rows] = both.gather(1, order)[:, : shape[1]]
    return _rounded(values + _norms(queries)[:, None]), indices


def _nearer(squares: Tensor, limits: Tensor) -> Tensor | slice:
    """Return the rows in which something is below the limit; of a GPU, which would wait, all."""
    on_cpu = squares.device.type == "cpu"
    return (squares.amin(1) < limits).nonzero()[:, 0] if on_cpu else slice(None)


def k_means(points: Tensor, k: int, seed: int, rounds: int = 100) -> Tensor:
    """Return the centres (K, D) of Lloyd's algorithm, in float64.

    They are seeded as Arthur & Vassilvitskii (2007) do. K is below k where fewer of the points
    (N, D) differ.
    """
    points = points.double()
    centers = _spread(points, k, torch.Generator().manual_seed(seed))
    before = None
    for _ in range(rounds):
        cells = cells_of(points, centers)
        if before is not None and torch.equal(cells, before):
            break
        counts = cells.bincount(minlength=len(centers))[:, None]
        means = torch.zeros_like(centers).index_add_(0, cells, points) / counts.clamp(min=1)
        centers, before = torch.where(counts > 0, means, centers), cells
    return centers


def cells_of(points: Tensor, centers: Tensor) -> Tensor:
    """Return the index of the centre nearest to each point, (N,)."""
    return nearest(points, centers)[1][:, 0]


def _spread(points: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """Draw k points, each by its squared distance to those before it."""
    chosen = torch.randint(len(points), (1,), generator=generator)
    gaps = torch.full((len(points),), torch.inf)
    while len(chosen) < k:
        gaps = gaps.minimum(squared_distances(points, points[chosen[-1:]])[:, 0])
        if not gaps.any():
            break
        chosen = torch.cat([chosen, gaps.multinomial(1, generator=generator)])
    return points[chosen]
