"""Label files: CSV with a header, and YAML that maps an id to a label."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import yaml

from ganbench import DataError
from ganbench.default_plugins.datasets.image_files.choices import unknown

DELIMITERS = (",", ";", "\t")
LARGEST_FIELD = 2**20


@dataclass(frozen=True)
class Line:
    """The wanted columns of one row, as text without spaces around it."""

    number: int  # in the file, from 1
    values: dict[str, str]


def header(path: Path) -> list[str]:
    """Return the names of the columns. Raises DataError."""
    with opened(path) as text:
        return _header(path, text)[0]


def lines(path: Path, columns: Sequence[str]) -> Iterator[Line]:
    """Yield every row that is not blank. Raises DataError."""
    with opened(path) as text:
        names, delimiter = _header(path, text)
        places = [_place(path, column, names) for column in columns]
        reader = csv.reader(text, delimiter=delimiter)
        for row in reader:
            number = reader.line_num + 1
            if not any(value.strip() for value in row):
                continue
            if len(row) != len(names):
                raise DataError(
                    f"{path}:{number}: {len(row)} values, and the header names {len(names)} "
                    "columns; quote values that hold the separator, or repair the line"
                )
            yield Line(number, {c: row[i].strip() for c, i in zip(columns, places, strict=True)})


def mapping(path: Path) -> dict[str, str]:
    """Return a YAML file's ids and labels, each as the text that stands there. Raises DataError."""
    with opened(path) as text:
        try:
            found = yaml.load(text, yaml.BaseLoader)  # which leaves 0012 as it is
        except yaml.YAMLError as error:
            raise DataError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    plain = isinstance(found, dict) and all(isinstance(value, str) for value in found.values())
    if not plain:
        raise DataError(f"{path}: expected one line `id: label` for each, as in `12: 0`")
    return {str(key): value for key, value in found.items()}


def canonical(value: object) -> str:
    """Return the same text for 1, "1", " 1.0" and 1.0."""
    text = str(value).strip()
    try:
        number = float(text)
    except ValueError:
        return text
    whole = number == number // 1 and abs(number) < 1e15
    return str(int(number)) if whole else text


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """Open a text file, and raise DataError for what is wrong with it."""
    csv.field_size_limit(LARGEST_FIELD)
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            yield text
    except OSError as error:
        raise DataError(f"{path}: {str(error.strerror).lower()}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not text in UTF-8 ({error.reason}); save it as UTF-8") from error
    except csv.Error as error:
        raise DataError(f"{path}: not CSV: {error}") from error


def _header(path: Path, text: TextIO) -> tuple[list[str], str]:
    """Return the columns, and what stands between them."""
    first = text.readline()
    delimiter = max(DELIMITERS, key=first.count)
    names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
    if not any(names):
        raise DataError(f"{path}: empty; its first line names the columns")
    if twice := sorted({name for name in names if name and names.count(name) > 1}):
        raise DataError(f"{path}: its header names '{twice[0]}' twice")
    return names, delimiter


def _place(path: Path, column: str, names: Sequence[str]) -> int:
    if column not in names:
        raise DataError(f"{path}: no column '{column}'{unknown(column, names)}")
    return names.index(column)
