"""The lines of a benchmark file that take labels from a CSV file beside pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from ganbench.default_plugins.datasets.image_files import patterns, tables
from ganbench.default_plugins.datasets.image_files.options import folder
from ganbench.default_plugins.datasets.image_folder import pictures
from ganbench.errors import DataError

USUAL = "train.csv"
ROWS = 2000  # that are looked at
COLUMNS = 20  # the first ones, among which the ids are looked for
PROBES = 5  # rows that are compared with all files' names
ENOUGH = 0.9  # of the rows must name a picture
CALLED_LABELS = {"label", "labels", "class", "category", "target", "y"}


def offered(path: str) -> dict[str, Any] | None:
    """Return the `dataset:` of a folder's pictures with the labels of the CSV file in it.

    None where the folder has no such file, or several of which none is train.csv. Raises DataError
    where the file cannot be read, or does not name the pictures or their labels.
    """
    below = folder(path, "image-csv")
    found = sorted(p for p in below.iterdir() if p.suffix.lower() == ".csv" and p.is_file())
    named = [p for p in found if p.name == USUAL] or found
    if len(named) != 1:
        return None
    return {**of_table(below, named[0]), "path": path}


def of_table(below: Path, table: Path) -> dict[str, Any]:
    """Return the `dataset:` of the pictures that a CSV file names below a folder.

    Raises DataError where the file cannot be read, or does not name the pictures or their labels.
    """
    columns = [name for name in tables.header(table) if name]
    rows = [line.values for line in islice(tables.lines(table, columns), ROWS)]
    names = frozenset(pictures(below))
    of_ids = next(_of_ids(columns[:COLUMNS], rows, names), None)
    if of_ids is None:
        raise DataError(f"{table}: no column names the pictures below {below}")
    column, pattern = of_ids
    label = _of_labels([name for name in columns if name != column], rows)
    if label is None:
        raise DataError(f"{table}: no column has few enough different values to be a label")
    return {
        "name": "image-csv",
        "path": str(below),
        "csv": table.name,
        "id_column": column,
        "label_column": label,
        "pattern": pattern,
    }


def _of_ids(
    columns: Sequence[str], rows: Sequence[dict[str, str]], names: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Yield columns that name pictures, each with the pattern of the names."""
    for column in columns:
        values = [row[column] for row in rows]
        if not values or len(set(values)) < len(values):
            continue
        for pattern in _patterns(values, names):
            if _share(pattern, values, names) >= ENOUGH:
                yield column, pattern


def _patterns(values: Sequence[str], names: frozenset[str]) -> Iterator[str]:
    """Yield patterns by which some of the values are names, plain ones first."""
    step = max(1, len(values) // PROBES)
    found = set()
    for value in filter(None, values[::step]):
        shape = re.compile(rf"(.*(?<![0-9]))??(0*){re.escape(value)}((?![0-9]).*)?", re.DOTALL)
        for name in names:
            if value in name and (match := shape.fullmatch(name)):
                before, zeros, after = (part or "" for part in match.groups())
                width = f":0>{len(zeros) + len(value)}" if zeros else ""
                escaped = (re.sub("[{}]", r"\g<0>\g<0>", part) for part in (before, after))
                found.add(f"{{id{width}}}".join(escaped))
    yield from sorted(found, key=lambda pattern: (len(pattern), pattern))


def _share(pattern: str, values: Sequence[str], names: frozenset[str]) -> float:
    hits = 0
    for value in values:
        with suppress(ValueError):
            hits += patterns.filled(pattern, {"id": value}) in names
    return hits / len(values)


def _of_labels(columns: Sequence[str], rows: Sequence[dict[str, str]]) -> str | None:
    """Return what is called a label, or else has the fewest values; the last of several such."""
    most = max(2, len(rows) // 4)
    different = {c: len({tables.canonical(row[c]) for row in rows}) for c in columns}
    possible = [column for column in columns if 2 <= different[column] <= most]
    if called := [column for column in possible if column.lower() in CALLED_LABELS]:
        return called[0]
    return min(reversed(possible), key=different.__getitem__, default=None)
