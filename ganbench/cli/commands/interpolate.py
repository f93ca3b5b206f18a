"""`ganbench interpolate`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ganbench.cli import contact_sheet, model_options
from ganbench.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.cli.contact_sheet import Total
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
    "--from",
    "begin",
    metavar="12|3-1+7",
    help="Begin at this sample of `ganbench arithmetic --sheet`, or at a sum of samples, where "
    "3,17,20 is a mean and label:CLASS that of a class.",
)
@click.option("--to", "end", metavar="31|5-2+8", help="End there, in one walk.")
@contact_sheet.count_option
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
    begin: str | None,
    end: str | None,
    count: int,
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

    --from and --to choose the latents by hand. Without --label or --labels the labels of these
    samples are blended too; --label holds one, and --labels makes the matrix, or of --from alone a
    walk between labels. With the same --seed and -n, numbers mean the same as on the sheet.

    \b
    ganbench interpolate results/mnist/bce --out walks.png
    ganbench interpolate results/mnist/bce --labels 3:8 --rows 4 --out classes.gif
    ganbench interpolate results/mnist/bce --between z --labels 3:8 --steps 8 --out both.png
    ganbench interpolate results/faces/bce --from 12 --to 31-4+9 --out chosen.png
    ganbench interpolate results/faces/bce --from 12 --to 31 --labels no:glasses --out both.png
    """  # noqa: D205
    model_options.counts(2, steps=steps)
    model_options.counts(1, rows=rows, n=count)
    _check_options(between, labels, label, begin, end)
    model_options.check_out(out, tuple(STEPS), force)
    found = model_options.load(model, **loading)
    model_options.require_pictures(found, "ganbench interpolate")
    sheet = contact_sheet.Sheet(found, count, seed)
    walk = Walk(
        found,
        steps or STEPS[out.suffix.lower()],
        rows or ROWS,
        seed,
        along,
        None if begin is None else contact_sheet.asked_total(sheet, "--from", begin),
        None if end is None else contact_sheet.asked_total(sheet, "--to", end),
    )
    if labels is None:
        one = _label(found, label)
        columns = walk.between_latents(one) if end is None else walk.chosen(one)
    elif between or end:
        columns = walk.both(*_ends(found, labels))
    else:
        columns = walk.between_labels(*_ends(found, labels))
    with model_options.writing(out):
        _write(columns, out)
    print(out)
    return 0


def _check_options(
    between: str | None, labels: str | None, label: str | None, begin: str | None, end: str | None
) -> None:
    if labels and label:
        raise ConfigError("--labels and --label exclude each other")
    if end is not None and begin is None:
        raise ConfigError(f"--to {end}: a walk that ends there begins --from another sample")
    if begin is not None and end is None and (between or not labels):
        raise ConfigError(
            f"--from {begin}: add --to with where the walk ends, or --labels A:B alone for one "
            "between labels"
        )


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
    begin: Total | None = None  # chosen by hand
    end: Total | None = None

    def chosen(self, label: Tensor | None) -> Iterator[Column]:
        """Yield columns of one walk between what was chosen, of one label or of theirs blended."""
        from ganbench.models.latents import fractions
        from ganbench.models.saved import mixtures, walks

        assert self.begin
        assert self.end
        first, second = self.begin.label, self.end.label
        if label is not None:
            first = second = mixtures.of(label)
        elif self.model.labelled and (first is None or second is None):
            option = "--from" if first is None else "--to"
            raise ConfigError(
                f"{option}: the labels of these samples do not add up to one label, as those of "
                "a-b+c do; add --label with one for all"
            )
        names = [contact_sheet.named(self.model, one) for one in (first, second)]
        held = names[0] == names[1]
        for latents, weight in zip(self._latents(1), fractions(self.steps), strict=True):
            between = mixtures.blended(first, second, weight)
            caption = names[int(weight)] if weight in (0, 1) else f"{weight:.0%}"
            images = walks.of(self.model.images, latents, between)
            yield Column(images, "" if held else caption, names[:1] if held else [""])

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

        if self.begin:
            latents = self.begin.latent[None]
        else:
            latents = draw(self.model.architecture, self.rows, self.seed, "interpolate")
        for weight in fractions(self.steps):
            images = self._mixed(latents, first, second, weight)
            yield Column(images, self._named(first, second, weight), [""] * len(latents))

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
        along = self.along or natural_path(architecture)
        if self.begin and self.end:
            return walk(self.begin.latent[None], self.end.latent[None], self.steps, along)
        drawn = draw(architecture, 2 * rows, self.seed, "interpolate")
        return walk(drawn[:rows], drawn[rows:], self.steps, along)

    def _mixed(self, latents: Tensor, first: Tensor, second: Tensor, weight: float) -> Tensor:
        from ganbench.models.saved import mixtures, walks

        label = mixtures.blended(mixtures.of(first), mixtures.of(second), weight)
        return walks.of(self.model.images, latents, label)

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
