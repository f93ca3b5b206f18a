"""CelebA's lists, as its authors publish them (text) and as Kaggle does (CSV)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ganbench import DataError
from ganbench.default_plugins.datasets.image_files import tables
from ganbench.default_plugins.datasets.image_files.choices import unknown

IMAGES = ("img_align_celeba/img_align_celeba", "img_align_celeba")
ATTRIBUTES = ("list_attr_celeba.txt", "list_attr_celeba.csv")
PARTITION = ("list_eval_partition.txt", "list_eval_partition.csv")


def one_of(root: Path, names: Sequence[str]) -> Path:
    """Return the first of the names that is there. Raises DataError."""
    for name in names:
        if (root / name).exists():
            return root / name
    raise DataError(
        f"celeba-attributes: {root} holds no {' or '.join(names)}; unpack CelebA's there, from "
        "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
    )


@dataclass(frozen=True)
class Listed:
    """A file's columns, and the names of images with the values of some of them."""

    path: Path
    columns: tuple[str, ...]
    skipped: int = 0  # lines before the first image, in text
    count: int | None = None  # the images that the file says it lists

    def rows(self, wanted: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
        """Yield each image and its wanted values. Raises DataError where the file is not whole."""
        places = [self.columns.index(column) for column in wanted]
        found = 0
        for line, name, values in self._lines():
            if len(values) != len(self.columns) or Path(name).name != name:
                raise DataError(
                    f"{self.path}:{line}: expected the name of an image and {len(self.columns)} "
                    f"values, found '{name}' and {len(values)}"
                )
            found += 1
            yield name, [values[place] for place in places]
        if self.count not in (None, found):
            raise DataError(
                f"{self.path}: its first line says {self.count:,} images, and it lists {found:,}; "
                "the file is not whole"
            )

    def require(self, wanted: Iterable[str]) -> None:
        """Raise DataError for the first of these that is no column."""
        for column in wanted:
            if column not in self.columns:
                near = unknown(column, self.columns)
                raise DataError(f"{self.path}: no attribute '{column}'{near}")

    def _lines(self) -> Iterator[tuple[int, str, list[str]]]:
        if self.path.suffix == ".csv":
            header = tables.header(self.path)
            for row in tables.lines(self.path, header):
                name, *values = row.values.values()
                yield row.number, name, values
            return
        with tables.opened(self.path) as text:
            lines = tables.whole_lines(self.path, text)
            for number, line in enumerate(islice(lines, self.skipped, None), self.skipped + 1):
                if line.strip():
                    name, *values = line.split()
                    yield number, name, values


def attributes(root: Path) -> Listed:
    """Return the list of attributes, reading its first two lines. Raises DataError."""
    path = one_of(root, ATTRIBUTES)
    if path.suffix == ".csv":
        return Listed(path, tuple(tables.header(path)[1:]))
    with tables.opened(path) as text:
        first, second = [*islice(tables.whole_lines(path, text), 2), "", ""][:2]
    if not first.strip().isdecimal() or len(first.strip()) > 20:
        raise DataError(
            f"{path}: its first line is '{first.strip()[:40]}', not the number of images; the file "
            "is not CelebA's"
        )
    return Listed(path, tuple(second.split()), 2, int(first))


def partition(root: Path) -> Listed:
    """Return the list that says which split each image is of. Raises DataError."""
    return Listed(one_of(root, PARTITION), ("partition",))
