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
CACHED = 2**18  # values that are at hand before the next operation asks for them
MOST_SHORT = 2**15 - 1  # of 16 bits
EXACT = 2**24 // 255**2  # squares of bytes whose sum float32 still holds
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


class Blocks:
    """Images with their sums over blocks of pixels, from coarse blocks to single pixels."""

    def __init__(self, images: Tensor) -> None:  # (N, C, H, W)
        self.sizes = tuple(_block_sizes(images))
        self.tables = [_blocks(images, size) for size in self.sizes]


class Rough:
    """Lower bounds of the absolute differences to all rows of a table of whole numbers."""

    def __init__(self, table: Tensor, most: int) -> None:
        """`table` is (M, D), and no value in it or in a query is above `most`."""
        width, self._step = table.shape[1], 1
        while width * (most // self._step) > MOST_SHORT:
            self._step *= 2
        self._columns = self._short(table).T.contiguous()  # (D, M)
        self._sums = self._columns.sum(0)
        self._lost = self._step * width  # by rounding down

    def bounds(self, rows: Tensor) -> Tensor:
        """Return (N, M) float32 of rows (N, D)."""
        short = self._short(rows)
        size = max(1, CACHED // len(rows))
        found = [_sums_of_larger(short, part) for part in self._columns.split(size, 1)]
        gaps = torch.cat(found, 1).float().mul_(2).sub_(self._sums).sub_(short.sum(1)[:, None])
        return gaps.mul_(self._step).sub_(self._lost)

    def _short(self, values: Tensor) -> Tensor:
        return values.div(self._step, rounding_mode="floor").short()


class Manhattan:
    """The nearest of some images by the sum of absolute differences: exact, and seldom exhaustive.

    The sums of an image over blocks of pixels are never farther apart than the image itself, so
    that images whose blocks are farther away than one known image need no look at their pixels.
    """

    def __init__(self, references: Tensor | Blocks) -> None:  # (N, C, H, W)
        blocks = references if isinstance(references, Blocks) else Blocks(references)
        self._sizes, self._tables = blocks.sizes, blocks.tables
        self._coarse = (
            Rough(blocks.tables[0], 255 * blocks.sizes[0] ** 2) if len(blocks.sizes) > 1 else None
        )

    def nearest(self, queries: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
        """Return distances (N, k), nearest first, and indices, of at most as many as there are."""
        found = [
            self._nearest(part, k) for part in queries.split(max(1, PAIRS // len(self._tables[0])))
        ]
        values, indices = zip(*found, strict=True)
        return torch.cat(values), torch.cat(indices)

    def _nearest(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        rows = [_blocks(queries, size) for size in self._sizes]
        if self._coarse is None:
            return _absolute(rows[0], self._tables[0]).topk(k, largest=False)
        bounds = self._coarse.bounds(rows[0])
        limits = self._limits(rows[-1], bounds, k)
        within = bounds <= limits[:, None]
        if _share(within) > EXHAUSTIVE:
            return _absolute(rows[-1], self._tables[-1]).topk(k, largest=False)
        return self._refined(rows, within, limits, k)

    def _limits(self, pixels: Tensor, bounds: Tensor, k: int) -> Tensor:
        """Return how far the k-th neighbour of each can be: as that of a few likely ones, (N,)."""
        guesses = self._tables[-1][_likely(bounds, k + GUESSES)].float()
        distances = torch.cdist(pixels[:, None].float(), guesses, p=1)[:, 0]
        return distances.kthvalue(k).values * (1 + 1e-6)

    def _refined(
        self, rows: list[Tensor], within: Tensor, limits: Tensor, k: int
    ) -> tuple[Tensor, Tensor]:
        """Return the nearest by blocks of every size, of which fewer and fewer are left."""
        query, near = within.nonzero().unbind(1)
        found = limits[query]
        for row, table in zip(rows[1:], self._tables[1:], strict=True):
            found = _differences(row, query, table, near)
            kept = found <= limits[query]
            query, near, found = query[kept], near[kept], found[kept]
        counts = query.bincount(minlength=len(limits)).tolist()
        best = [part.topk(k, largest=False) for part in found.split(counts)]
        indices = [part[one.indices] for part, one in zip(near.split(counts), best, strict=True)]
        return torch.stack([one.values for one in best]), torch.stack(indices)


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
        if sums:
            self._norms = torch.cat([_norms_of(part) for part in self._pixels.split(4096)])

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
        query, near = within.nonzero().unbind(1)
        found = torch.full((len(queries),), torch.inf, dtype=torch.float64)
        found.scatter_reduce_(0, query, self._squared(pixels, query, near), "amin")
        return _rounded(found).sqrt_()

    def _squared(self, pixels: Tensor, query: Tensor, near: Tensor) -> Tensor:
        """Return the squared distances of pairs of pixels[query] and references as `nearest` does.

        Its rounding is that of products, which follow from the norms and the squares of the gaps.
        """
        size = max(1, CACHED // 4 // pixels.shape[1])
        squares = torch.cat(
            [
                _norms_of(self._pixels.index_select(0, j).float().sub_(pixels.index_select(0, i)))
                for i, j in zip(query.split(size), near.split(size), strict=True)
            ]
        )
        a, b = _norms_of(pixels)[query], self._norms[near]
        products = (a + b - squares) / 2
        return b * (1 - ROUNDING) - 2 * products + a * (1 - ROUNDING)


def _norms_of(values: Tensor) -> Tensor:
    """Return the sums of the squares of whole numbers up to 255, exact: (N, D) -> (N,) float64."""
    squares = values.float().square()
    return torch.stack([part.sum(1).double() for part in squares.split(EXACT, 1)]).sum(0)


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


def _absolute(rows: Tensor, table: Tensor) -> Tensor:
    """Return sums of absolute differences of rows (N, D) to those of a table: (N, M)."""
    if not rows.dtype == table.dtype == torch.uint8:
        size = max(1, PAIRS // table.shape[1])
        parts = [torch.cdist(rows.float(), part.float(), p=1) for part in table.split(size)]
        return torch.cat(parts, 1)
    short, width = rows.short(), MOST_SHORT // 255
    found = []
    for part in table.split(max(1, CACHED // len(rows))):
        columns = part.T.short().contiguous()
        pieces = zip(short.split(width, 1), columns.split(width), strict=True)
        larger = sum(_sums_of_larger(*piece).int() for piece in pieces)
        found.append((2 * larger - columns.sum(0) - short.sum(1)[:, None]).float())
    return torch.cat(found, 1)


def _sums_of_larger(rows: Tensor, columns: Tensor) -> Tensor:
    """Return the larger of two values added up: rows (N, D), columns (D, M) -> (N, M).

    As |a - b| = 2 max(a, b) - a - b, that gives absolute differences, several times as fast as one
    difference after the other, for values of 16 bits whose sums have no more.
    """
    total = torch.zeros(len(rows), columns.shape[1], dtype=torch.int16)
    pair = torch.empty_like(total)
    for row, column in zip(rows.T, columns, strict=True):
        total += torch.maximum(row[:, None], column, out=pair)
    return total


def _differences(rows: Tensor, query: Tensor, table: Tensor, near: Tensor) -> Tensor:
    """Return sums of absolute differences of pairs of rows[query] and table[near], (P,)."""
    size = max(1, CACHED // 4 // table.shape[1])
    found = []
    for i, j in zip(query.split(size), near.split(size), strict=True):
        gaps = table.index_select(0, j).float()  # three times as fast as table[j]
        found.append(gaps.sub_(rows.index_select(0, i)).abs_().sum(1))
    return torch.cat(found)


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
