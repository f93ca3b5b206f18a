"""The images of a data set whose labels are likely wrong, as pages and as a list to edit."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganbench.cli.commands.datasets import bars, findings
from ganbench.cli.commands.datasets.chosen import Chosen
from ganbench.cli.commands.datasets.previewed import check_place, loaded
from ganbench.cli.commands.datasets.tiles import name_of, tile
from ganbench.cli.output import print_json
from ganbench.errors import ConfigError, DataError
from ganbench.util.files import write_atomically
from ganbench.util.messages import counted

if TYPE_CHECKING:
    from PIL import Image

    from ganbench.contracts.datasets import Dataset
    from ganbench.contracts.images import LabeledImages, Split
    from ganbench.evaluation.small_judge import Doubts

BESIDE = ("judge", "p_given")  # columns that `relabel` does not read


@dataclass(frozen=True)
class Asked:
    """What a command line asks for."""

    suspects: int
    across: int  # images in a row of a page, and rows
    split: Split
    out: Path | None
    table: Path | None
    force: bool


def told(subject: Chosen, asked: Asked, as_json: bool, quiet: bool) -> int:
    """Write pages and the list, and say what they are."""
    from ganbench.pictures import montage

    out = asked.out or Path(f"{subject.label}-suspects.png")
    table = asked.table or Path(f"{subject.label}-suspects.csv")
    check_place(table, "--list", ".csv", asked.force)
    check_place(out, "--out", ".png", asked.force)
    _check_names(subject.dataset)
    found = loaded(subject.dataset, asked.split, quiet)
    pages = _pages(out, min(asked.suspects, len(found)), asked.across)
    for path in pages[1:]:
        check_place(path, "--out", ".png", asked.force)
    listed = _listed(subject, found, asked.suspects, quiet)
    try:
        for number, path in enumerate(pages):
            montage.save(listed.page(number, asked.across), path)
        listed.write(table, _columns(subject.dataset))
    except OSError as error:
        raise ConfigError(f"{error.filename or out}: {error.strerror}") from error
    use = _use(subject.dataset, found, asked.split, table)
    if as_json:
        about = {"paths": list(map(str, pages)), "list": str(table), "split": asked.split}
        trust = {"agreement": listed.doubts.agreement, "guessing": listed.doubts.guessing}
        print_json({**about, **trust, "use": use, "suspects": listed.plain()})
        return 0
    print(*pages, sep="\n")
    some = counted(len(listed.doubts.suspects), "suspect")
    print(f"{table}: {some} of {len(found):,} images; {use}")
    print(_trust(listed.doubts))
    return 0


@dataclass(frozen=True)
class Listed:
    """Suspects, with the names of what they are."""

    found: LabeledImages
    doubts: Doubts
    classes: tuple[str, ...]

    def rows(self) -> Iterator[tuple[str, str, str, float]]:
        """Yield of each its id, its label, what the judge says, and the label's probability."""
        for one in self.doubts.suspects:
            names = self.classes[one.given], self.classes[one.judged]
            yield (name_of(self.found, one.row), *names, one.probability)

    def page(self, number: int, across: int) -> Image.Image:
        """Draw one page of so many columns and rows; the first has number 0."""
        from ganbench.pictures import montage

        start = number * across**2
        tiles = [
            tile(self.found, one.row, self.classes[one.given], f"→ {self.classes[one.judged]}?")
            for one in self.doubts.suspects[start : start + across**2]
        ]
        return montage.sheet(tiles, across, "id, label → what the judge says")

    def write(self, path: Path, columns: tuple[str, str]) -> None:
        """Write them as a CSV file of these columns, and of some beside them."""
        beside = [f"{name}_" if name in columns else name for name in BESIDE]

        def write(temporary: Path) -> None:
            with temporary.open("w", encoding="utf-8", newline="") as file:
                table = csv.writer(file)
                table.writerow([*columns, *beside])
                table.writerows([*row, f"{p:.4f}"] for *row, p in self.rows())

        write_atomically(path, write)

    def plain(self) -> list[dict[str, Any]]:
        """Return them as JSON has them."""
        keys = ("id", "label", *BESIDE)
        return [dict(zip(keys, row, strict=True)) for row in self.rows()]


def _listed(subject: Chosen, found: LabeledImages, count: int, quiet: bool) -> Listed:
    """Return the most suspicious images. Raises ConfigError where there are no classes."""
    from ganbench.evaluation import small_judge

    classes = subject.dataset.image_spec().num_classes
    if not classes:
        raise ConfigError(
            f"--suspects {count}: data set '{subject.dataset.name}' has no classes here"
        )
    with bars.shown(quiet):
        doubts = small_judge.doubts(found, classes, count)
    return Listed(found, doubts, findings.class_names(subject.dataset))


def _trust(doubts: Doubts) -> str:
    told = (
        f"the judge agrees with {doubts.agreement:.1%} of all labels; the largest class has "
        f"{doubts.guessing:.1%}"
    )
    little = "so that it has learned little of the classes, and its doubts are no evidence"
    return f"{told}, {little}" if doubts.weak else told


def _pages(first: Path, images: int, across: int) -> list[Path]:
    """Return the files of all pages: FILE.png, FILE-2.png, …."""
    pages = -(-images // across**2)
    return [first, *(first.with_stem(f"{first.stem}-{page}") for page in range(2, pages + 1))]


def _columns(dataset: Dataset) -> tuple[str, str]:
    """Return what the columns of ids and labels are called."""
    from ganbench.default_plugins.datasets.image_csv import ImageCSV

    if isinstance(dataset, ImageCSV):
        return dataset.id_column, dataset.label_column
    return "id", "label"


def _check_names(dataset: Dataset) -> None:
    """Refuse classes whose names in a list would leave pictures out."""
    from ganbench.default_plugins.datasets.image_csv import REMOVED, ImageCSV

    if isinstance(dataset, ImageCSV) and (odd := REMOVED & {*dataset.class_names()}):
        raise DataError(
            f"{dataset.csv}: a class is called '{min(odd)}', which in relabel leaves a picture "
            "out; call it otherwise"
        )


def _use(dataset: Dataset, found: LabeledImages, split: Split, path: Path) -> str:
    """Say what the list is good for."""
    from ganbench.default_plugins.datasets.image_csv import ImageCSV
    from ganbench.default_plugins.datasets.image_folder import ImageFolder

    if isinstance(dataset, ImageCSV) and dataset.listing(split).ids:
        also = f", with the lines of {dataset.relabel} added" if dataset.relabel else ""
        return (
            f"correct the labels in it, empty those of pictures to leave out, and train with "
            f"relabel: {path}{also}"
        )
    if isinstance(dataset, ImageFolder):
        return "its ids are files in the folder; move those that are wrong to their class"
    named = "what files are called" if found.ids else "places in the array, from 0"
    return f"its ids are {named}; correct the labels where they are kept"
