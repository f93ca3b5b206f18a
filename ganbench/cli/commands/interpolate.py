"""`ganbench interpolate`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ganbench.cli import model_options
from ganbench.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.models.saved.model import SavedModel
    from ganbench.pictures.montage import Row

Along = Literal["slerp", "lerp"]
STEPS = {".png": 8, ".gif": 24}
ROWS = 8


@click.command("interpolate")
@click.option(
    "--between",
    type=click.Choice(["z"]),
    help="Walk from one latent to another; the default without --labels.",
)
@click.option(
    "--labels",
    metavar="A:B",
    help="Walk from one class to another, by name, or #0 for the first; or between vectors, as in "
    "0,1:0.5,1.",
)
@click.option("--label", metavar="CLASS", help="The class of all, where no --labels are walked.")
@click.option(
    "--steps", type=int, metavar="N", help="Images in a walk.  [default: 8; in a .gif 24]"
)
@click.option(
    "--rows", type=int, metavar="N", help=f"How many walks, or label steps.  [default: {ROWS}]"
)
@click.option(
    "--path",
    "along",
    type=click.Choice(["slerp", "lerp"]),
    help="Between latents: along the sphere where a normal prior's draws lie, or straight.  "
    "[default: slerp for a normal prior, else lerp]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE.png|FILE.gif",
    help="A page with a walk in each row, or a moving picture that goes there and back.",
)
@model_options.model
def command(
    model: Path,
    between: str | None,
    labels: str | None,
    label: str | None,
    steps: int | None,
    rows: int | None,
    along: Along | None,
    out: Path,
    force: bool,
    seed: int,
    **loading: Any,
) -> int:
    """Walk between latents, between labels, or both ways at once: a matrix whose rows go from one
    class to the other and whose columns go from one latent to another.

    A mixture of two classes is a mixture of all that the generator looks up for them, such as
    embeddings or the gains of conditional norm layers. Both ends are exactly the plain classes.
    Between two vectors lies a straight line.

    \b
    ganbench interpolate results/mnist/bce --out walks.png
    ganbench interpolate results/mnist/bce --labels 3:8 --rows 4 --out classes.gif
    ganbench interpolate results/mnist/bce --between z --labels 3:8 --steps 8 --out both.png
    """  # noqa: D205
    model_options.at_least(2, steps=steps)
    model_options.at_least(1, rows=rows)
    if labels and label:
        raise ConfigError("--labels and --label exclude each other")
    model_options.check_out(out, tuple(STEPS), force)
    found = model_options.load(model, **loading)
    model_options.require_pictures(found, "ganbench interpolate")
    walk = Walk(found, steps or STEPS[out.suffix.lower()], rows or ROWS, seed, along)
    if labels is None:
        columns = walk.between_latents(_label(found, label))
    elif between:
        columns = walk.both(*_ends(found, labels))
    else:
        columns = walk.between_labels(*_ends(found, labels))
    with model_options.writing(out):
        _write(columns, out)
    print(out)
    return 0


@dataclass(frozen=True)
class Column:
    """All images of one step."""

    images: Tensor  # (rows, C, H, W)
    caption: str
    names: Sequence[str]  # of its rows


@dataclass(frozen=True)
class Walk:
    """A walk through what a model makes, column by column."""

    model: SavedModel
    steps: int
    rows: int
    seed: int
    along: Along | None

    def between_latents(self, label: Tensor | None) -> Iterator[Column]:
        """Yield columns in which each row walks between latents of its own.

        They are of one label, or each row of another.
        """
        labels, names = None, [""] * self.rows
        if self.model.labelled:
            spread = self.model.label_source.spread(self.rows)
            labels = spread if label is None else label.expand_as(spread)
            names = [self.model.label_name(one) for one in labels]
        for latents in self._latents(self.rows):
            yield Column(self.model.images(latents, labels), "", names)

    def between_labels(self, first: Tensor, second: Tensor) -> Iterator[Column]:
        """Yield columns that walk between two labels, each row of a latent of its own."""
        from ganbench.models.latents import draw, fractions

        latents = draw(self.model.architecture, self.rows, self.seed, "interpolate")
        for weight in fractions(self.steps):
            images = self._mixed(latents, first, second, weight)
            yield Column(images, self._named(first, second, weight), [""] * self.rows)

    def both(self, first: Tensor, second: Tensor) -> Iterator[Column]:
        """Yield columns that walk between latents, and in rows between two labels."""
        from ganbench.models.latents import fractions

        weights = fractions(max(2, self.rows))
        names = [self._named(first, second, weight) for weight in weights]
        for latents in self._latents(1):
            images = [self._mixed(latents, first, second, weight)[0] for weight in weights]
            yield Column(_stack(images), "", names)

    def _latents(self, rows: int) -> Tensor:  # (steps, rows, Z)
        from ganbench.models.latents import draw, natural_path, walk

        architecture = self.model.architecture
        drawn = draw(architecture, 2 * rows, self.seed, "interpolate")
        along = self.along or natural_path(architecture)
        return walk(drawn[:rows], drawn[rows:], self.steps, along)

    def _mixed(self, latents: Tensor, first: Tensor, second: Tensor, weight: float) -> Tensor:
        from ganbench.models.label_mixing import mixed_labels

        if first.ndim:
            return self.model.images(latents, first.lerp(second, weight).expand(len(latents), -1))
        shares = {int(first): 1 - weight, int(second): weight}
        with mixed_labels(shares, len(latents)) as labels:
            return self.model.images(latents, labels)

    def _named(self, first: Tensor, second: Tensor, weight: float) -> str:
        if weight in (0, 1):
            return self.model.label_name(second if weight else first)
        return f"{weight:.0%}"


def _ends(model: SavedModel, labels: str) -> tuple[Tensor, Tensor]:
    """Of `A:B`; a class's name may itself have a colon."""
    model.require_labels()
    names = model.class_names
    for at in [at for at, letter in enumerate(labels) if letter == ":"]:
        first, second = labels[:at].strip(), labels[at + 1 :].strip()
        if first in names and second in names:
            return _end(model, first), _end(model, second)
    first, colon, second = (part.strip() for part in labels.partition(":"))
    if not colon or not first or not second:
        expected = f"two classes, as in {names[0]}:{names[-1]}" if names else "two vectors, as A:B"
        raise ConfigError(f"--labels {labels}: expected {expected}")
    ends = _end(model, first), _end(model, second)
    if bool((ends[0] == ends[1]).all()):
        one = "a class" if names else "a vector"
        raise ConfigError(f"--labels {labels}: there is nothing between {one} and itself")
    return ends


def _end(model: SavedModel, text: str) -> Tensor:
    return model_options.label_of(model, "--labels", text)


def _label(model: SavedModel, text: str | None) -> Tensor | None:
    return None if text is None else model_options.label_of(model, "--label", text)


def _stack(images: Sequence[Tensor]) -> Tensor:
    import torch

    return torch.stack(list(images))


def _write(columns: Iterator[Column], out: Path) -> None:
    from ganbench.pictures import montage

    found = list(columns)
    if out.suffix.lower() == ".png":
        montage.save(montage.draw(_rows(found)), out)
        return
    montage.save_moving([montage.draw(_rows([column], side_by_side=True)) for column in found], out)


def _rows(columns: Sequence[Column], side_by_side: bool = False) -> list[Row]:
    """Return a walk in each row; or, of a single step, all walks beside each other."""
    from ganbench.pictures.montage import Row, Tile

    captions = [Tile(caption=column.caption) for column in columns]
    if side_by_side:
        (column,) = columns
        tiles = [Tile(*pair) for pair in zip(column.images, column.names, strict=True)]
        return [Row(captions), Row(tiles)] if column.caption else [Row(tiles)]
    rows = [
        Row([Tile(column.images[at]) for column in columns], name)
        for at, name in enumerate(columns[0].names)
    ]
    return [Row(captions), *rows] if any(tile.caption for tile in captions) else rows
