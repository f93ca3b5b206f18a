"""`ganbench datasets preview`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganbench.cli import options
from ganbench.cli.commands.datasets import bars, chosen
from ganbench.cli.output import print_json
from ganbench.errors import ConfigError, DataError

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.contracts.datasets import Dataset
    from ganbench.contracts.images import LabeledImages

SEED = 0  # of the choice of images


@click.command("preview")
@chosen.arguments
@options.offline
@click.option(
    "-n", "count", type=click.IntRange(1, 100), default=10, show_default=True, help="Of each class."
)
@click.option("--split", type=click.Choice(["train", "test"]), default="train", show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE.png",
    help="The picture; NAME-preview.png here, where it is left out.",
)
@click.option("--force", is_flag=True, help="Replace the picture where it is there already.")
def command(
    target: str,
    settings: tuple[str, ...],
    plugins: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    count: int,
    split: str,
    out: Path | None,
    force: bool,
) -> int:
    """Make a picture of images of the data set NAME, or of a FOLDER: a row of each class.

    Images are drawn from all of a class, always the same. Of many classes some are shown, evenly
    spread; without classes the rows have no meaning.
    """
    from ganbench import pictures
    from ganbench.cli.commands.datasets import findings
    from ganbench.evaluation.loading import load
    from ganbench.util import files

    subject = chosen.chosen(target, settings, plugins)
    path = out or Path(f"{subject.label}-preview.png")
    _check_place(path, force)
    _check_kind(subject.dataset, split)
    with bars.shown(quiet):
        found = load(subject.dataset, split, files.data())  # type: ignore[arg-type]
    names = findings.class_names(subject.dataset)
    classes = pictures.grid_classes(len(names)) if found.labels is not None else []
    rows = [_drawn(found, count, label) for label in classes] or _rows(found, count)
    try:
        pictures.save_grid(_stacked(rows, count), count, path, [names[c] for c in classes])
    except OSError as error:
        raise ConfigError(f"--out {path}: {error.strerror}") from error
    if as_json:
        print_json({"path": str(path), "split": split, "rows": [names[c] for c in classes]})
    else:
        print(path)
    return 0


def _check_place(path: Path, force: bool) -> None:
    if path.suffix.lower() != ".png":
        raise ConfigError(f"--out {path}: the picture is a PNG; name it {path.stem}.png")
    if not path.parent.is_dir():
        raise ConfigError(f"--out {path}: there is no folder {path.parent}")
    if path.exists() and not force:
        raise ConfigError(f"{path} is there already; --force replaces it, --out names another")


def _check_kind(dataset: Dataset, split: str) -> None:
    if split not in dataset.splits:
        raise DataError(f"data set '{dataset.name}' has no {split} split")
    if dataset.image_spec().resolution == 1:
        raise DataError(f"data set '{dataset.name}' is of points; there is no picture of them")


def _drawn(found: LabeledImages, count: int, label: int | None = None) -> Tensor:
    """Up to `count` images, of a class or of all."""
    import torch

    if label is None:
        members = torch.arange(len(found))
    else:
        assert found.labels is not None
        members = (found.labels == label).nonzero().flatten()
    generator = torch.Generator().manual_seed(SEED)
    order = torch.randperm(len(members), generator=generator)
    return found.images[members[order[:count]]]


def _rows(found: LabeledImages, count: int) -> list[Tensor]:
    """As many rows as columns, or as there are images for."""
    return list(_drawn(found, count * count).split(count))


def _stacked(rows: list[Tensor], count: int) -> Tensor:
    """Rows that are short end in white."""
    import torch

    sheet = torch.full((len(rows) * count, *rows[0].shape[1:]), 255, dtype=torch.uint8)
    for start, row in zip(range(0, len(sheet), count), rows, strict=True):
        values = row if row.dtype == torch.uint8 else (127.5 * (row + 1)).round()
        sheet[start : start + len(row)] = values
    return sheet
