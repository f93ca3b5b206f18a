"""A page of samples, each before the training images nearest to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from ganbench.contracts.images import LabeledImages
from ganbench.pictures.labels import label_name
from ganbench.pictures.montage import Row, Tile, draw, save


def save_neighbours(
    samples: LabeledImages,
    reals: LabeledImages,
    distances: Tensor,
    indices: Tensor,
    path: Path,
    *,
    meaning: str,
    class_names: Sequence[str] = (),
) -> None:
    """Save a PNG: in each row a sample with its label, a gap, and the real images nearest to it.

    Below each of these stand its distance and label. `distances` (N, K) are of the N samples to
    `reals` at `indices` (N, K), nearest first; `meaning` says what of, in the page's title. Without
    `class_names`, classes are called by their ids.
    """

    def name(of: LabeledImages, at: int) -> str:
        return "" if of.labels is None else label_name(of.labels[at], class_names)

    rows = [Row([Tile(caption="sample"), Tile(), Tile(caption="nearest")])]
    for i, image in enumerate(samples.images):
        near = [
            Tile(reals.images[at], f"{_short(distance)}\n{name(reals, at)}".strip())
            for at, distance in zip(indices[i].tolist(), distances[i].tolist(), strict=True)
        ]
        rows.append(Row([Tile(image, name(samples, i)), Tile(), *near]))
    save(draw(rows, meaning), path)


def _short(distance: float) -> str:
    return f"{distance:,.0f}" if distance >= 1000 else f"{distance:#.3g}".rstrip(".")
