"""Label files: CSV with a header, and YAML that maps an id to a label."""

from __future__ import annotations

import csv
from collections import Counter
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
LARGEST_LINE = 2**24
LARGEST_MAPPING = 10**7  # characters of YAML, which takes a minute to read
MOST_COLUMNS = 10_000
_EXPECTED = "expected one line `id: label` for each, as in `12: 0`"


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
        reader = csv.reader(whole_lines(path, text), delimiter=delimiter)
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


def mapping(path: Path) -> list[tuple[str, str]]:
    """Return a YAML file's ids and labels, each as the text that stands there. Raises DataError."""
    with opened(path) as text:
        if len(content := text.read(LARGEST_MAPPING + 1)) > LARGEST_MAPPING:
            raise DataError(
                f"{path}: more than {LARGEST_MAPPING:,} characters of YAML; make it a CSV file"
            )
        try:
            found = yaml.compose(content, yaml.BaseLoader)  # which leaves 0012 as it is
        except yaml.YAMLError as error:
            raise DataError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
        except RecursionError as error:
            raise DataError(f"{path}: nested too deeply, and {_EXPECTED}") from error
    if not isinstance(found, yaml.MappingNode) or not all(map(_plain, found.value)):
        raise DataError(f"{path}: {_EXPECTED}")
    return [(key.value, value.value) for key, value in found.value]


def _plain(pair: tuple[yaml.Node, yaml.Node]) -> bool:
    return all(isinstance(node, yaml.ScalarNode) for node in pair)


def canonical(value: object) -> str:
    """Return the same text for 1, "1", " 1.0" and 1.0."""
    text = str(value).strip()
    if "_" in text:  # which Python would leave out of a number, and nobody else
        return text
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
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise DataError(f"{path}: not a plain file")
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
    first = next(whole_lines(path, text), "")
    delimiter = max(DELIMITERS, key=first.count)
    names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
    if not any(names):
        raise DataError(f"{path}: empty; its first line names the columns")
    if len(names) > MOST_COLUMNS:
        raise DataError(
            f"{path}: its first line names {len(names):,} columns, and {MOST_COLUMNS:,} are "
            "possible; each picture has a line of its own"
        )
    if twice := sorted(name for name, count in Counter(names).items() if name and count > 1):
        raise DataError(f"{path}: its header names '{twice[0]}' twice")
    return names, delimiter


def whole_lines(path: Path, text: TextIO) -> Iterator[str]:
    """Yield lines, of which none may be as long as it likes."""
    while line := text.readline(LARGEST_LINE):
        if len(line) == LARGEST_LINE:
            raise DataError(f"{path}: a line of more than {LARGEST_LINE:,} characters; not CSV")
        yield line


def _place(path: Path, column: str, names: Sequence[str]) -> int:
    if column not in names:
        raise DataError(f"{path}: no column '{column}'{unknown(column, names)}")
    return names.index(column)
