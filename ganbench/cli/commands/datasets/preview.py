"""`ganbench datasets preview`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import options
from ganbench.cli.commands.datasets import chosen
from ganbench.cli.commands.datasets.previewed import check_place, loaded
from ganbench.cli.output import print_json
from ganbench.errors import ConfigError
from ganbench.util.messages import counted

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.contracts.datasets import Dataset
    from ganbench.contracts.images import LabeledImages
    from ganbench.pictures.montage import Row

SEED = 0  # of the choice of images


@click.command("preview")
@chosen.arguments
@options.offline
@click.option(
    "-n",
    "count",
    type=click.IntRange(1, 100),
    default=10,
    show_default=True,
    help="Images of each class; a page has so many rows of so many.",
)
@click.option(
    "--class",
    "of_class",
    metavar="CLASS",
    help="All images of this class, page by page: by name, or #0 for the first.",
)
@click.option(
    "--page", type=click.IntRange(1), metavar="P", help="Page P of all images, in their order."
)
@click.option(
    "--suspects",
    type=click.IntRange(1),
    metavar="N",
    help="The N images whose labels are likeliest wrong, the most suspicious first.",
)
@click.option(
    "--list",
    "table",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="The suspects as a list to edit; NAME-suspects.csv here, where it is left out.",
)
@click.option("--split", type=click.Choice(["train", "test"]), default="train", show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE.png",
    help="The picture; NAME-preview.png or NAME-suspects.png here, where it is left out.",
)
@options.force
def command(
    target: str,
    settings: tuple[str, ...],
    plugins: tuple[str, ...],
    trusts_file: bool,
    as_json: bool,
    quiet: bool,
    count: int,
    of_class: str | None,
    page: int | None,
    suspects: int | None,
    table: Path | None,
    split: str,
    out: Path | None,
    force: bool,
) -> int:
    """Make a picture of images of the data set NAME, of a FOLDER, or of a benchmark FILE's: a row
    of each class, or all of them page by page, with their ids.

    Ids are files' names, the ids of a CSV file, or an image's place in an array, from 0. Images of
    a row are drawn from all of its class, always the same. Of many classes some are shown, evenly
    spread; without classes the rows have no meaning.

    With --suspects, small networks judge images that they were not trained on, in minutes. Pages
    show each image's id, its label and what they say in its place. The list has columns that
    image-csv takes as `relabel`: it changes nothing before you edit it.

    \b
    ganbench datasets preview ~/bricks
    ganbench datasets preview cgan_eyeglasses --class 1 --page 2
    ganbench datasets preview cgan_eyeglasses --suspects 600
    """  # noqa: D205
    from ganbench.cli.commands.datasets.suspects import Asked, told
    from ganbench.pictures import montage

    subject = chosen.chosen(target, settings, plugins, trusts_file=trusts_file)
    if suspects is not None:
        if of_class is not None or page is not None:
            raise ConfigError("--suspects has pages of its own; leave --class and --page out")
        asked = Asked(suspects, count, split, out, table, force)  # type: ignore[arg-type]
        return told(subject, asked, as_json, quiet)
    if table is not None:
        raise ConfigError(f"--list {table}: this is a list of suspects; add --suspects N")
    path = out or Path(f"{subject.label}-preview.png")
    check_place(path, "--out", ".png", force)
    found = loaded(subject.dataset, split, quiet)
    shown = _shown(subject.dataset, found, count, of_class, page)
    try:
        montage.save(montage.draw(shown.rows), path)
    except OSError as error:
        raise ConfigError(f"--out {path}: {error.strerror}") from error
    if as_json:
        names = [row.name for row in shown.rows if row.name]
        print_json({"path": str(path), "split": split, "rows": names, **shown.about})
    else:
        print(path)
        if shown.told:
            print(shown.told)
    return 0


def _class_meant(dataset: Dataset, option: str, text: str) -> int:
    """Return the class that an option names. Raises ConfigError where there is none."""
    from ganbench.cli.commands.datasets import findings
    from ganbench.models.saved.classes import meant

    if not dataset.image_spec().num_classes:
        raise ConfigError(f"{option} {text}: data set '{dataset.name}' has no classes here")
    found = meant(text, findings.class_names(dataset), f"{option} {text}")
    if found.outdated or found.doubt:
        print(f"note: {option} {text}: {found.outdated or found.doubt}", file=sys.stderr)
    return found.index


@dataclass(frozen=True)
class _Shown:
    rows: list[Row]
    told: str  # for people
    about: dict[str, Any]  # for programs


def _shown(
    dataset: Dataset, found: LabeledImages, count: int, of_class: str | None, page: int | None
) -> _Shown:
    """Return a page where one is asked for, else a row of each class."""
    import torch

    from ganbench.cli.commands.datasets import findings
    from ganbench.cli.commands.datasets.tiles import tile
    from ganbench.pictures import grid_classes
    from ganbench.pictures.montage import Row

    names = findings.class_names(dataset)
    if of_class is not None:
        label = _class_meant(dataset, "--class", of_class)
        assert found.labels is not None
        members = (found.labels == label).nonzero().flatten()
        return _page(found, members, f"class {names[label]}", count, page or 1)
    if page is not None:
        return _page(found, torch.arange(len(found)), "all", count, page)
    labels = grid_classes(len(names)) if names and found.labels is not None else []
    parts = [(_drawn(found, label)[:count], names[label]) for label in labels]
    parts = parts or [(part, "") for part in _drawn(found)[: count * count].split(count)]
    rows = [Row([tile(found, i) for i in part.tolist()], name) for part, name in parts]
    return _Shown(rows, "", {})


def _page(found: LabeledImages, members: Tensor, what: str, count: int, page: int) -> _Shown:
    from ganbench.cli.commands.datasets.tiles import name_of, tile
    from ganbench.pictures.montage import Row

    pages = -(-len(members) // count**2)
    if page > pages:
        raise ConfigError(f"--page {page}: {what}: expected a page of {pages:,}")
    start = (page - 1) * count**2
    kept: Sequence[int] = members[start : start + count**2].tolist()
    tiles = [tile(found, i) for i in kept]
    rows = [Row(tiles[at : at + count]) for at in range(0, len(tiles), count)]
    told = f"page {page} of {pages:,}; {what}: {counted(len(members), 'image')}"
    about = {"page": page, "pages": pages, "images": len(members)}
    return _Shown(rows, told, {**about, "ids": [name_of(found, i) for i in kept]})


def _drawn(found: LabeledImages, label: int | None = None) -> Tensor:
    """Return all images of a class, or of all, in an order that is drawn."""
    import torch

    members = torch.arange(len(found))
    if label is not None:
        assert found.labels is not None
        members = (found.labels == label).nonzero().flatten()
    generator = torch.Generator().manual_seed(SEED)
    return members[torch.randperm(len(members), generator=generator)]
