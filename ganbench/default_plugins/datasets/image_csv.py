"""Images of the user's own, with their labels in a CSV file."""

from __future__ import annotations

import math
import os
import posixpath
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ganbench import DataError, Dataset, DatasetStatus, Split, hookimpl
from ganbench.default_plugins.datasets.image_files import patterns, tables
from ganbench.default_plugins.datasets.image_files.choices import shortened, unknown
from ganbench.default_plugins.datasets.image_files.fingerprints import Listing
from ganbench.default_plugins.datasets.image_files.options import PicturesOfYourOwn, folder
from ganbench.default_plugins.datasets.image_folder import SUFFIXES

Value = str | int | float
REMOVED = {"", "~", "null"}  # labels in `relabel` that leave a picture out
LARGE = 10  # numbers of a condition beyond which a remark says so


@dataclass(frozen=True)
class Row:
    """One picture of the CSV file."""

    line: int
    id: str
    label: str  # "" where a vector is asked for
    values: dict[str, str]  # of the columns that pattern, where and condition name


@dataclass(kw_only=True)
class ImageCSV(PicturesOfYourOwn):
    """A folder of pictures, and a CSV file with a row for each: its id and its label.

    `csv` and `relabel` are looked for in the folder, then from where you are. In `relabel`, a YAML
    file of `id: label` or a CSV file with the same two columns, no label leaves a picture out.
    With `condition`, each picture comes with the numbers of these columns in the place of a label.
    `label_names` gives labels words that classes are called by, as in {0: plain, 1: glasses}.
    """

    name = "image-csv"
    remedy = (
        "where files are missing, look at path and pattern; repair or remove the others, or raise "
        "max_bad to go on without them"
    )
    csv: str
    id_column: str = "id"
    label_column: str = "label"
    pattern: str = "{id}.png"  # the files' names; other columns may stand in it, too
    where: dict[str, Value | list[Value]] = field(default_factory=dict)  # rows with these values
    relabel: str | None = None  # a file that corrects labels
    # Columns of numbers, as [x, age]; {x: [-1, 1], age: [0, 100]} gives what becomes -1 and 1.
    condition: list[str] | dict[str, tuple[float, float]] = field(
        default_factory=list, metadata={"since": "0.2.0"}
    )
    label_names: dict[Value, str] = field(default_factory=dict, metadata={"since": "0.2.0"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.condition and self.relabel is not None:
            raise ValueError("relabel corrects labels, and with a condition there are none")
        if self.condition and self.label_names:
            raise ValueError(
                "label_names are words for labels, and with a condition there are none"
            )
        if len(set(self._words)) < len(self.label_names):
            raise ValueError(
                f"label_names has a label twice: {', '.join(map(str, self.label_names))}"
            )
        if len(set(self._words.values())) < len(self._words):
            raise ValueError(
                f"label_names gives two labels one word: {', '.join(self._words.values())}"
            )
        if len(set(self.condition)) < len(self.condition):
            raise ValueError(f"condition names a column twice: {', '.join(self.condition)}")
        for column, (low, high) in self._ranges.items():
            if not (math.isfinite(low) and math.isfinite(high) and low != high):
                raise ValueError(
                    f"condition: {column} must have two different numbers, found {[low, high]}"
                )
        try:
            self._pattern_columns()
        except ValueError as error:
            raise ValueError(f"pattern '{self.pattern}': {error}") from error

    def condition_dim(self) -> int:
        return len(self.condition)

    def class_names(self) -> tuple[str, ...]:
        named = tuple(self._words.get(label, label) for label in self._labels)
        if len(set(named)) < len(named):
            raise DataError(
                f"{self._csv}: label_names gives a label the name of another: {shortened(named)}"
            )
        return named

    def listing(self, split: Split) -> Listing:
        root = folder(self.path, self.name)
        ids = {label: i for i, label in enumerate(self._labels)}
        found: dict[str, Row] = {}
        vectors: dict[str, list[float]] = {}
        problems = []
        for row in self._rows:
            try:
                name = self._new_name(row, found)
                vectors[name] = self._vector(row)
                found[name] = row
            except ValueError as error:
                problems.append(f"{self._csv.name}: line {row.line}: {error}")
        names = sorted(found)
        numbers = [vectors[name] for name in names]
        remarks = (*self._rowless(root), *self._odd_numbers(numbers))
        labels = numbers if self.condition else [ids[found[name].label] for name in names]
        called = [found[name].id for name in names]
        called = called if len(set(called)) == len(called) else []  # a pattern may tell them apart
        listing = Listing(root, names, labels, tuple(problems), remarks, called)
        return self.of_split(listing, split)

    def status(self, root: Path) -> DatasetStatus:
        try:
            folder(self.path, self.name)
            count = len(self._rows)
            told = f"vectors of {', '.join(self.condition)}"
            if not self.condition:
                told = f"classes {shortened(self.class_names())}"
        except DataError as error:
            return DatasetStatus(self.path, False, None, str(error))
        note = f"{count:,} rows of {self._csv.name}; {told}"
        return DatasetStatus(self.path, True, None, note, images=count)

    def _new_name(self, row: Row, found: dict[str, Row]) -> str:
        """Return a row's file. Raises ValueError where it has no label, or was named before."""
        if not row.id:
            raise ValueError("no id")
        name = patterns.filled(self.pattern, {**row.values, "id": row.id})
        if not row.label and not self.condition:
            raise ValueError(f"no label for '{row.id}'")
        ending = posixpath.splitext(row.id)[1]
        twice = ending.lower() in SUFFIXES and posixpath.splitext(self.pattern)[1]
        if twice and not (folder(self.path, self.name) / name).exists():
            raise ValueError(
                f"'{name}' is missing, and id '{row.id}' ends in {ending} already; give a pattern "
                "without, such as '{id}'"
            )
        if first := found.get(name):
            other = f", there with label {first.label}" if first.label != row.label else ""
            raise ValueError(f"'{name}' again, after line {first.line}{other}")
        return name

    @property
    def _ranges(self) -> dict[str, tuple[float, float]]:
        """What becomes -1 and 1, of the columns of which it is said."""
        return self.condition if isinstance(self.condition, dict) else {}

    def _vector(self, row: Row) -> list[float]:
        """Return a row's numbers. Raises ValueError where one is none."""
        found = []
        for column in self.condition:
            text = row.values[column]
            try:
                number = float(text)
            except ValueError:
                number = math.nan
            if not math.isfinite(number):
                raise ValueError(f"{column} of '{row.id}' is '{text}', and no number")
            if column in self._ranges:
                low, high = self._ranges[column]
                number = 2 * (number - low) / (high - low) - 1
            found.append(number)
        return found

    def _odd_numbers(self, vectors: Sequence[Sequence[float]]) -> Iterator[str]:
        """Yield remarks on columns of one value, and on numbers that networks can hardly use."""
        for column, numbers in zip(self.condition, zip(*vectors, strict=True), strict=False):
            low, high = min(numbers), max(numbers)
            if low == high:
                yield f"column '{column}' is {low:g} for all pictures, and tells nothing"
            elif max(-low, high) > LARGE and column not in self._ranges:
                yield (
                    f"column '{column}' goes from {low:g} to {high:g}, and networks learn from "
                    f"numbers of about one; give condition: {{{column}: [{low:g}, {high:g}]}}"
                )

    def _rowless(self, root: Path) -> Iterator[str]:
        """Yield a remark where pictures lie beside those of the rows, and no row names them."""
        named = set()
        for row in self._read():
            with suppress(ValueError):  # of which listing() tells
                name = patterns.filled(self.pattern, {**row.values, "id": row.id})
                named.add(posixpath.normpath(name))
        endings = {posixpath.splitext(name)[1].lower() for name in named}
        found = []
        for below in sorted({posixpath.dirname(name) for name in named}):
            there = os.listdir(root / below) if os.path.isdir(root / below) else []
            beside = (posixpath.join(below, name) for name in there if not name.startswith("."))
            found += [n for n in beside if posixpath.splitext(n)[1].lower() in endings]
        if left := sorted(set(found) - named):
            some = "1 picture has" if len(left) == 1 else f"{len(left):,} pictures have"
            yield f"{some} no row in {self._csv.name}, such as '{left[0]}'"

    @cached_property
    def _words(self) -> dict[str, str]:
        """What labels are called, by the label as it is compared."""
        return {tables.canonical(label): word for label, word in self.label_names.items()}

    @cached_property
    def _labels(self) -> tuple[str, ...]:
        """Return the labels as the file has them, in the order of class ids."""
        found = sorted_labels(row.label for row in self._rows if row.label)
        for label in self._words:
            if label not in found:
                near = unknown(label, found)
                raise DataError(f"{self._csv}: label_names: no row has label '{label}'{near}")
        return found

    @cached_property
    def _csv(self) -> Path:
        return self._file(self.csv)

    @cached_property
    def _rows(self) -> tuple[Row, ...]:
        """Return the rows that `where` lets through, with corrected labels."""
        rows = tuple(self._corrected())
        kept = rows
        for column, wanted in self.where.items():
            values = list(map(tables.canonical, wanted if isinstance(wanted, list) else [wanted]))
            kept = tuple(row for row in kept if self._value(row, column) in values)
            self._check_occur(column, values, {self._value(row, column) for row in rows})
        if not kept:
            raise DataError(f"{self._csv}: no row{' that where asks for' if rows else ''}")
        return kept

    def _corrected(self) -> Iterator[Row]:
        rows = list(self._read())
        corrections = self._corrections({row.id for row in rows}, {row.label for row in rows})
        for row in rows:
            label = corrections.get(row.id, row.label)
            if not (row.id in corrections and label in REMOVED):
                yield Row(row.line, row.id, label, row.values)

    def _read(self) -> Iterator[Row]:
        beside = {*self._pattern_columns(), *self.where, *self.condition}
        of_labels = [] if self.condition else [self.label_column]
        columns = dict.fromkeys([self.id_column, *of_labels, *sorted(beside)])
        for line in tables.lines(self._csv, [*columns]):
            values = {column: line.values[column] for column in beside}
            label = "" if self.condition else tables.canonical(line.values[self.label_column])
            yield Row(line.number, line.values[self.id_column], label, values)

    def _corrections(self, ids: set[str], labels: set[str]) -> dict[str, str]:
        if self.relabel is None:
            return {}
        path = self._file(self.relabel)
        if path.suffix.lower() == ".csv":
            lines = tables.lines(path, [self.id_column, self.label_column])
            pairs = [
                (line.values[self.id_column], line.values[self.label_column]) for line in lines
            ]
        else:
            pairs = tables.mapping(path)
        of_words = {word: label for label, word in self._words.items()}
        found: dict[str, str] = {}
        for identity, label in pairs:
            label = of_words.get(label.strip(), tables.canonical(label))
            if found.setdefault(identity, label) != label:
                raise DataError(
                    f"{path}: '{identity}' gets label '{found[identity]}' and '{label}'"
                )
        for identity, label in found.items():
            if identity not in ids:
                near = unknown(identity, sorted(ids))
                raise DataError(f"{path}: {self._csv.name} has no id '{identity}'{near}")
            if label not in labels | REMOVED:
                near = unknown(label, sorted_labels(labels - REMOVED))
                raise DataError(f"{path}: '{identity}' gets label '{label}', as no other{near}")
        return found

    def _value(self, row: Row, column: str) -> str:
        """Return a value of a row; the label's column holds corrected labels."""
        if column == self.label_column and not self.condition:
            return row.label
        return tables.canonical(row.values[column])

    def _check_occur(self, column: str, wanted: Iterable[str], values: set[str]) -> None:
        for value in wanted:
            if value not in values:
                near = unknown(value, sorted_labels(values))
                raise DataError(f"{self._csv}: where: no row has {column} '{value}'{near}")

    def _pattern_columns(self) -> set[str]:
        """Return the columns beside `id`, which stands for `id_column`."""
        return patterns.named(self.pattern) - {"id"}

    def _file(self, name: str) -> Path:
        root, given = folder(self.path, self.name), Path(os.path.expanduser(name))
        for path in (root / given, given):
            if path.is_file():
                return path
        raise DataError(f"{self.name}: no file '{name}', in {root} or in {Path.cwd()}")


def sorted_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """Return each label once, in order: of numbers, where all are."""
    found = set(labels)
    with suppress(ValueError):
        if all(map(math.isfinite, map(float, found))):
            return tuple(sorted(found, key=float))
    return tuple(sorted(found))


@hookimpl
def register_datasets(register: Callable[[type[Dataset]], None]) -> None:
    register(ImageCSV)
