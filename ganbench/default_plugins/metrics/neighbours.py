"""Distances, nearest neighbours and clusters of images and features, with bounded memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ganbench import LabeledImages, Unavailable
from ganbench.default_plugins.metrics.shuffles import shuffled

PAIRS = 2**22  # of vectors, whose distances are in memory at once
ROUNDING = 1e-12  # of the squared norms: below it, two vectors are one
COARSEST = 8  # blocks along a side
TABLE = 2**25  # values at most, of all references in blocks
GUESSES = 16  # references whose pixels are looked at first
EXHAUSTIVE = 0.3  # share of references left by their blocks, beyond which all pixels are compared


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
    return hashlib.sha256(values.cpu().contiguous().numpy().tobytes()).hexdigest()[:16]


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
    values = queries.new_empty(len(queries), 0)
    indices = queries.new_empty(len(queries), 0, dtype=torch.int64)
    rows = max(1, PAIRS // max(queries.shape))
    for start, part in zip(range(0, len(references), rows), references.split(rows), strict=True):
        squares = _less_norms(queries, part.to(queries.device).flatten(1).double())
        near = squares.topk(min(k, len(part)), largest=False)
        values, order = torch.cat([values, near.values], 1).sort(dim=1, stable=True)
        indices = torch.cat([indices, near.indices + start], 1).gather(1, order)[:, :k]
        values = values[:, :k]
    return _rounded(values + _norms(queries)[:, None]), indices


class Blocks:
    """Images with their sums over blocks of pixels, from coarse blocks to single pixels."""

    def __init__(self, images: Tensor) -> None:  # (N, C, H, W)
        self.sizes = tuple(_block_sizes(images))
        self.tables = [_blocks(images, size) for size in self.sizes]


class Manhattan:
    """The nearest of some images by the sum of absolute differences: exact, and seldom exhaustive.

    The sums of an image over blocks of pixels are never farther apart than the image itself, so
    that images whose blocks are farther away than one known image need no look at their pixels.
    """

    def __init__(self, references: Tensor | Blocks) -> None:  # (N, C, H, W)
        blocks = references if isinstance(references, Blocks) else Blocks(references)
        self._sizes, self._tables = blocks.sizes, blocks.tables

    def nearest(self, queries: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
        """Return distances (N, k), nearest first, and indices, of at most as many as there are."""
        found = [
            self._nearest(part, k) for part in queries.split(max(1, PAIRS // len(self._tables[0])))
        ]
        values, indices = zip(*found, strict=True)
        return torch.cat(values), torch.cat(indices)

    def _nearest(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        rows = [_blocks(queries, size) for size in self._sizes]
        bounds = _absolute(rows[0], self._tables[0])
        if len(rows) == 1:
            return bounds.topk(k, largest=False)
        limits = self._limits(rows[-1], bounds, k)
        within = bounds <= limits[:, None]
        if _share(within) > EXHAUSTIVE:
            return _absolute(rows[-1], self._tables[-1]).topk(k, largest=False)
        found = [
            self._refined([row[i : i + 1] for row in rows], within[i], limits[i], k)
            for i in range(len(queries))
        ]
        values, indices = zip(*found, strict=True)
        return torch.stack(values), torch.stack(indices)

    def _limits(self, pixels: Tensor, bounds: Tensor, k: int) -> Tensor:
        """Return how far the k-th neighbour of each can be: as that of a few likely ones, (N,)."""
        guesses = self._tables[-1][_likely(bounds, k + GUESSES)].float()
        distances = torch.cdist(pixels[:, None].float(), guesses, p=1)[:, 0]
        return distances.kthvalue(k).values * (1 + 1e-6)

    def _refined(
        self, rows: list[Tensor], within: Tensor, limit: Tensor, k: int
    ) -> tuple[Tensor, Tensor]:
        """Return the nearest of one query, by blocks of every size: fewer and fewer are left."""
        kept = within.nonzero()[:, 0]
        for row, table in zip(rows[1:], self._tables[1:], strict=True):
            bounds = _absolute(row, table, kept)[0]
            near = bounds <= limit
            kept, bounds = kept[near], bounds[near]
        best = bounds.topk(k, largest=False)
        return best.values, kept[best.indices]


class Euclidean:
    """Distances to the nearest of some images: those of `nearest` to the bit, seldom exhaustive.

    Sums over blocks of n pixels differ by at most √n times what the pixels do (Cauchy and Schwarz).
    Of bytes all products are whole numbers, which no order of adding up changes.
    """

    def __init__(self, blocks: Blocks) -> None:
        *sums, self._pixels = blocks.tables
        self._size = blocks.sizes[-2] if sums else 1
        self._sums = sums[-1] if sums else torch.empty(0, 0)
        self._squares = self._sums.square().sum(1)
        # Of the squared norms, what products in float32 can lose (Higham, 2002, section 3.1).
        self._lost = (2 * self._sums.shape[1] + 8) * 2.0**-24

    def nearest(self, queries: Tensor) -> Tensor:
        """Return the distance of each image to the nearest, (N,)."""
        if self._size == 1:
            return nearest(queries, self._pixels)[0][:, 0]
        parts = queries.split(max(1, PAIRS // len(self._sums)))
        return torch.cat([self._nearest(part) for part in parts])

    def _nearest(self, queries: Tensor) -> Tensor:
        pixels, sums = queries.flatten(1), _blocks(queries, self._size)
        squares = sums.square().sum(1)
        bounds = torch.addmm(self._squares, sums, self._sums.T, alpha=-2)  # less the queries' own
        gaps = self._pixels[_likely(bounds, GUESSES)].float() - pixels[:, None].float()
        limits = self._size**2 * gaps.square_().sum(2).amin(1) * (1 + 1e-4)
        limits += self._lost * (squares + self._squares.max()) - squares
        within = bounds <= limits[:, None]
        if _share(within) > EXHAUSTIVE:
            return nearest(queries, self._pixels)[0][:, 0]
        found = torch.full((len(queries),), torch.inf, dtype=torch.float64)
        pairs, size = within.nonzero(), max(1, PAIRS // pixels.shape[1])
        for query, near in (part.unbind(1) for part in pairs.split(size)):
            found.scatter_reduce_(0, query, self._squared(pixels[query], near), "amin")
        return _rounded(found).sqrt_()

    def _squared(self, pixels: Tensor, near: Tensor) -> Tensor:
        """Return the squared distances of pairs as `nearest` finds them, in float64."""
        a, b = pixels.int(), self._pixels[near].int()
        products = (a * b).sum(1).double()
        return _norms_of(b) - 2 * products + _norms_of(a)


def _norms_of(pixels: Tensor) -> Tensor:
    """Return what `_norms` does, of whole numbers."""
    return pixels.square().sum(1).double() * (1 - ROUNDING)


def _share(chosen: Tensor) -> float:
    return int(chosen.count_nonzero()) / chosen.numel()


def _likely(bounds: Tensor, count: int) -> Tensor:
    """Return the places of `count` small values of each row, from all over it: (N, count)."""
    width = bounds.shape[1] // count
    if width < 2:
        return bounds.topk(min(count, bounds.shape[1]), largest=False).indices
    parts = bounds[:, : width * count].view(len(bounds), count, width)
    return parts.argmin(2) + width * torch.arange(count)


def _block_sizes(images: Tensor) -> Iterator[int]:
    """Yield sizes from coarse to single pixels, without those whose table would be large."""
    count, channels, *_, side = images.shape
    size = 1
    while side > COARSEST * size and images.dtype == torch.uint8:  # whole numbers: sums are exact
        size *= 2
    while size > 1:
        if count * channels * (-(-side // size)) ** 2 <= TABLE:
            yield size
        size //= 2
    yield 1


def _blocks(images: Tensor, size: int) -> Tensor:
    """Return sums over blocks of size × size pixels, of single pixels the images: (N, D)."""
    if size == 1:
        return images.flatten(1)
    sums = [
        avg_pool2d(part.float(), size, ceil_mode=True, divisor_override=1).flatten(1)
        for part in images.split(2048)
    ]
    return torch.cat(sums)


def _absolute(rows: Tensor, table: Tensor, kept: Tensor | None = None) -> Tensor:
    """Return sums of absolute differences of rows (N, D) to the kept ones of a table: (N, M)."""
    size = max(1, PAIRS // table.shape[1])
    chosen = (table[i] for i in kept.split(size)) if kept is not None else table.split(size)
    return torch.cat([torch.cdist(rows.float(), part.float(), p=1) for part in chosen], 1)


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
