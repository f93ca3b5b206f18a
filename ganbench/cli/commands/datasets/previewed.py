"""What `ganbench datasets preview` needs before it draws: a place for files, and the images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ganbench.cli.commands.datasets import bars
from ganbench.cli.places import check_writable
from ganbench.errors import ConfigError, DataError

if TYPE_CHECKING:
    from ganbench.contracts.datasets import Dataset
    from ganbench.contracts.images import LabeledImages


def check_place(path: Path, option: str, ending: str, force: bool) -> None:
    """Refuse a path before any work is done for it."""
    if path.suffix.lower() != ending:
        kind = {".png": "picture is a PNG", ".csv": "table is a CSV file"}[ending]
        raise ConfigError(f"{option} {path}: the {kind}; name it {path.stem}{ending}")
    if not path.parent.is_dir():
        raise ConfigError(f"{option} {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise ConfigError(f"{option} {path}: this is a folder")
    if path.exists() and not force:
        raise ConfigError(f"{path} is there already; --force replaces it, {option} names another")
    check_writable(path.parent, path, option)


def loaded(dataset: Dataset, split: str, quiet: bool) -> LabeledImages:
    """Return a split of pictures. Raises DataError where there is none."""
    from ganbench.evaluation.loading import load
    from ganbench.util import files

    if split not in dataset.splits:
        raise DataError(f"data set '{dataset.name}' has no {split} split")
    if dataset.image_spec().resolution == 1:
        raise DataError(f"data set '{dataset.name}' is of points; there is no picture of them")
    with bars.shown(quiet):
        return load(dataset, split, files.data())
