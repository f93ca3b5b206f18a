"""The nearest of many images by their pixels: exact, and seldom exhaustive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ganbench.default_plugins.metrics.neighbours import PAIRS, ROUNDING, nearest

COARSEST = 10  # blocks along a side, at most
TABLE = 2**25  # values at most, of all references in blocks
CACHED = 2**18  # values that are at hand before the next operation asks for them
MOST_SUM = 2**16 - 1  # in 16 bits
EXACT = 2**24 // 255**2  # squares of bytes whose sum float32 still holds
GUESSES = 16  # references whose pixels are looked at first
EXHAUSTIVE = 0.3  # share of references that the bounds leave, beyond which all pixels are compared
DIRECTIONS = 128  # at most, in which images vary most
DRAWN = 512  # images that these are taken from

Found = TypeVar("Found")


class Rough:
    """Lower bounds of the absolute differences to all rows of a table of whole numbers."""

    def __init__(self, table: Tensor, most: int) -> None:
        """`table` is (M, D), and no value in it or in a query is above `most`."""
        width, self._step = table.shape[1], 1
        while width * (most // self._step) > MOST_SUM:
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

    def __init__(self, references: Tensor) -> None:  # (N, C, H, W)
        self._sizes = tuple(_block_sizes(references))
        self._tables = [_blocks(references, size) for size in self._sizes]
        coarsest = self._sizes[0]
        self._coarse = Rough(self._tables[0], 255 * coarsest**2) if coarsest > 1 else None

    def nearest(self, queries: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
        """Return distances (N, k), nearest first, and indices, of at most as many as there are."""
        found = _side_by_side(lambda part: self._nearest(part, k), queries, len(self._tables[0]))
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
        best = []
        for i, limit in enumerate(limits):
            near = within[i].nonzero()[:, 0]
            for row, table in zip(rows[1:], self._tables[1:], strict=True):
                found = _differences(row[i], table, near)
                kept = found <= limit
                near, found = near[kept], found[kept]
            values, places = found.topk(k, largest=False)
            best.append((values, near[places]))
        distances, indices = zip(*best, strict=True)
        return torch.stack(distances), torch.stack(indices)


class Euclidean:
    """Distances to the nearest of some images: those of `nearest` to the bit, seldom exhaustive.

    In a few directions at right angles images are never farther apart than they are. Of bytes all
    products are whole numbers, which no order of adding up changes.
    """

    def __init__(self, references: Tensor) -> None:  # (N, C, H, W)
        self._pixels = references.flatten(1)
        is_small = self._pixels.shape[1] <= 2 * DIRECTIONS
        if is_small or references.dtype != torch.uint8:
            self._directions = None
            return
        self._directions = _directions(self._pixels)
        self._places = self._along(self._pixels)
        self._squares = self._places.square().sum(1)
        # Of the squared norms, what float32 can lose: places, and products (Higham, 2002, 3.1).
        self._lost = (2 * self._places.shape[1] + 12) * 2.0**-24
        self._norms = torch.cat([_norms_of(part) for part in self._pixels.split(4096)])

    def nearest(self, queries: Tensor) -> Tensor:
        """Return the distance of each image to the nearest, (N,)."""
        if self._directions is None or queries.dtype != torch.uint8:
            return nearest(queries, self._pixels)[0][:, 0]
        return torch.cat(_side_by_side(self._nearest, queries.flatten(1), len(self._pixels)))

    def _along(self, pixels: Tensor) -> Tensor:
        """Return where images are along the directions, (N, K)."""
        assert self._directions is not None
        return torch.cat(
            [(part.double() @ self._directions).float() for part in pixels.split(4096)]
        )

    def _nearest(self, pixels: Tensor) -> Tensor:
        places = self._along(pixels)
        squares = places.square().sum(1)
        bounds = torch.addmm(self._squares, places, self._places.T, alpha=-2)  # less their own
        gaps = self._pixels[_likely(bounds, GUESSES)].float() - pixels[:, None].float()
        limits = gaps.square_().sum(2).amin(1) * (1 + 1e-4)
        limits += self._lost * (squares + self._squares.max()) - squares
        within = bounds <= limits[:, None]
        if _share(within) > EXHAUSTIVE:
            return nearest(pixels, self._pixels)[0][:, 0]
        query, near = within.nonzero().unbind(1)
        found = torch.full((len(pixels),), torch.inf, dtype=torch.float64)
        found.scatter_reduce_(0, query, self._squared(pixels, query, near), "amin")
        return found.float().clamp_(min=0).sqrt_()

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


def _side_by_side(
    search: Callable[[Tensor], Found], queries: Tensor, references: int
) -> list[Found]:
    """Return what is found for parts of the queries, in order, on as many threads as torch has.

    Each search has one: its operations are too short for several to share one.
    """
    threads = torch.get_num_threads()
    parts = queries.split(max(1, PAIRS // references))

    def alone(part: Tensor) -> Found:
        torch.set_num_threads(1)  # of this thread
        return search(part)

    try:
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(alone, parts))
    finally:
        torch.set_num_threads(threads)  # of libraries that know no threads' own numbers


def _directions(pixels: Tensor) -> Tensor:
    """Return unit vectors at right angles along which images (N, D) vary most: (D, K) float64."""
    drawn = pixels[:: max(1, len(pixels) // DRAWN)][:DRAWN].double()
    squares, combined = torch.linalg.eigh(drawn @ drawn.T)
    kept = squares > 1e-6 * squares[-1]  # below it, rounding turns them
    return drawn.T @ (combined[:, kept] / squares[kept].sqrt())[:, -DIRECTIONS:]


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
    is_whole = images.dtype == torch.uint8  # so that sums are exact
    size = -(-side // COARSEST) if is_whole else 1
    while size > 1:
        if count * channels * (-(-side // size)) ** 2 <= TABLE:
            yield size
        size = (size + 1) // 2 if size > 2 else 1
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
    short, width = rows.short(), MOST_SUM // 255
    found = []
    for part in table.split(max(1, CACHED // len(rows))):
        columns = part.T.short().contiguous()
        pieces = zip(short.split(width, 1), columns.split(width), strict=True)
        larger = sum(_sums_of_larger(*piece) for piece in pieces)
        found.append((2 * larger - columns.sum(0) - short.sum(1)[:, None]).float())
    return torch.cat(found, 1)


def _sums_of_larger(rows: Tensor, columns: Tensor) -> Tensor:
    """Return the larger of two values added up: rows (N, D), columns (D, M) -> (N, M).

    As |a - b| = 2 max(a, b) - a - b, that gives absolute differences, several times as fast as one
    difference after the other, for values of 16 bits whose sums, counted from the least of them,
    have no more.
    """
    total = torch.full((len(rows), columns.shape[1]), -(2**15), dtype=torch.int16)
    pair = torch.empty_like(total)
    for row, column in zip(rows.T, columns, strict=True):
        total += torch.maximum(row[:, None], column, out=pair)
    return total.int() + 2**15


def _differences(row: Tensor, table: Tensor, near: Tensor) -> Tensor:
    """Return sums of absolute differences of a row (D,) and table[near], (P,)."""
    row, parts = row[None].float(), near.split(max(1, CACHED // 4 // table.shape[1]))
    # three times as fast as table[near]
    found = [torch.cdist(row, table.index_select(0, part).float(), p=1)[0] for part in parts]
    return torch.cat(found)
