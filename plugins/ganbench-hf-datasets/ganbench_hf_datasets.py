"""Parquet files and data sets that Hugging Face's `datasets` library saved, for ganbench."""

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from ganbench import (
    DataError,
    Dataset,
    DatasetStatus,
    ImageSpec,
    LabeledImages,
    hookimpl,
    open_picture,
    tracked,
)

NONE = "none"  # in the place of a column of labels
TESTED = ("test", "validation", "valid", "val")  # splits, the best of them first
LABELS = ("label", "labels", "fine_label", "class", "target")  # columns, likewise
MOST_BAD = 10  # rows of a split that may be unusable, and are skipped
LISTED = 5  # rows that an error names


@dataclass(frozen=True)
class Table:
    """The columns of one split, and what `datasets` says of them."""

    columns: Any  # a pyarrow.Table
    features: dict[str, Any]  # by column; {} where another program wrote it

    @property
    def images(self) -> list[str]:
        """The columns that hold pictures: those said to be, or else those of bytes."""
        said = [name for name, of in self.features.items() if of.get("_type") == "Image"]
        types = {field.name: str(field.type) for field in self.columns.schema}
        return said or [name for name, of in types.items() if "binary" in of and "list" not in of]

    def values(self, column: str) -> list[Any]:
        """Return a column whose values take little memory."""
        return self.columns.column(column).to_pylist()

    def class_names(self, column: str) -> tuple[str, ...] | None:
        """Return the names of a column of type ClassLabel."""
        of = self.features.get(column, {})
        return tuple(of["names"]) if of.get("_type") == "ClassLabel" else None


@dataclass(kw_only=True)
class HFDatasets(Dataset):
    """Parquet files, or a folder that save_to_disk wrote; pictures become squares of one size."""

    name = "hf-datasets"
    path: str  # a .parquet file, a folder of them, or what save_to_disk wrote
    image: str | None = None  # the column of pictures; null: the only one
    label: str | None = None  # the column of classes; null: the usual one, none: no labels
    split: str = "train"  # to train on, of several
    resolution: int = 64
    channels: Literal[1, 3] = 3
    background: Literal["white", "black"] = "white"  # behind what is transparent
    test_share: float = 0.0  # of the rows, where no split is for testing

    def __post_init__(self) -> None:
        if self.resolution < 1:
            raise ValueError(f"resolution must be positive, found {self.resolution}")
        if not 0 <= self.test_share < 1:
            raise ValueError(f"test_share must be in [0, 1), found {self.test_share:g}")
        if not (self.test_share or self._test_split()):
            vars(self)["splits"] = ("train",)  # of this instance

    def image_spec(self) -> ImageSpec:
        return ImageSpec(self.channels, self.resolution, len(self._classes))

    def class_names(self) -> tuple[str, ...]:
        return tuple(map(str, self._classes))

    def protocol(self) -> dict[str, Any]:
        return {
            "resolution": self.resolution,
            "channels": self.channels,
            "crop": "fit",
            "filter": "lanczos, antialiased",
            "background": self.background,
        }

    def status(self, root: Path) -> DatasetStatus:
        try:
            found = {name: table.columns.num_rows for name, table in self._tables.items()}
            self.image_spec()
        except DataError as error:
            return DatasetStatus(self.path, False, None, str(error))
        note = ", ".join(f"{rows:,} rows of {name}" for name, rows in found.items())
        return DatasetStatus(self.path, True, None, note, images=len(self._rows("train")[1]))

    def load(self, split: str, root: Path) -> LabeledImages:
        if split not in self.splits:
            raise DataError(f"{self.path}: no test split; give test_share")
        table, rows = self._rows(split)
        classes = {name: number for number, name in enumerate(self._classes)}
        given = table.values(self._label) if self._label else None
        pixels, labels, ids, problems = [], [], [], []
        cells = table.columns.column(self._image_of(table))
        for row in tracked(rows, "decoding pictures", len(rows)):
            try:
                label = 0 if given is None else _class(given[row], classes, table, self._label)
                pixels.append(self._decoded(cells[row].as_py()))
            except DataError as error:
                problems.append(f"row {row}: {error}")
                continue
            labels.append(label)
            ids.append(str(row))
        self._check(problems, len(rows))
        images = torch.from_numpy(np.stack(pixels))
        found = None if given is None else torch.tensor(labels)
        return LabeledImages(images, found, problems=tuple(problems), ids=ids)

    @property
    def _tables(self) -> dict[str, Table]:
        return opened(str(Path(self.path).expanduser().absolute()))

    def _table(self, split: str) -> Table:
        if split not in self._tables:
            known = ", ".join(self._tables)
            raise DataError(f"{self.path}: no split '{split}'; it has {known}")
        return self._tables[split]

    def _test_split(self) -> str | None:
        try:
            others = [name for name in TESTED if name in self._tables and name != self.split]
        except DataError:  # which says more where the data is read
            return None
        return others[0] if others else None

    def _rows(self, split: str) -> tuple[Table, list[int]]:
        """Return the table that a split is in, and which of its rows are the split's."""
        if not self.test_share:
            table = self._table(self.split if split == "train" else self._test_split() or "")
            return table, list(range(table.columns.num_rows))
        table = self._table(self.split)
        tested = (_number(row) < self.test_share for row in range(table.columns.num_rows))
        return table, [row for row, held in enumerate(tested) if held == (split == "test")]

    def _image_of(self, table: Table) -> str:
        known = table.columns.column_names
        if self.image is not None and self.image not in known:
            raise DataError(f"{self.path}: no column '{self.image}'; it has {', '.join(known)}")
        found = [self.image] if self.image else table.images
        if len(found) != 1:
            raise DataError(
                f"{self.path}: {len(found)} columns of pictures among {', '.join(known)}; name one "
                "with image"
            )
        return found[0]

    @cached_property
    def _label(self) -> str | None:
        """The column of labels; None where there is none."""
        known = self._table(self.split).columns.column_names
        if self.label is None:
            return next((name for name in LABELS if name in known), None)
        if self.label not in (NONE, *known):
            raise DataError(f"{self.path}: no column '{self.label}'; it has {', '.join(known)}")
        return None if self.label == NONE else self.label

    @cached_property
    def _classes(self) -> list[Any]:
        """The classes in their order: as ClassLabel has them, else numbers or words in order."""
        if self._label is None:
            return []
        table = self._table(self.split)
        if (names := table.class_names(self._label)) is not None:
            return list(names)
        found = {value for value in table.values(self._label) if value is not None}
        kinds = {type(value) for value in found}
        if len(kinds) != 1 or not issubclass(*kinds, int | str):
            raise DataError(
                f"{self.path}: column '{self._label}' has values that are no classes; name another "
                "with label, or give label: none"
            )
        return sorted(found)

    def _decoded(self, cell: Any) -> np.ndarray:
        """Return one picture (C, H, W). Raises DataError."""
        from PIL import Image, ImageOps

        size, mode = (self.resolution, self.resolution), "L" if self.channels == 1 else "RGB"
        try:
            with open_picture(io.BytesIO(_bytes(cell))) as picture:
                ImageOps.exif_transpose(picture, in_place=True)
                if picture.has_transparency_data:
                    behind = Image.new("RGBA", picture.size, self.background)
                    picture = Image.alpha_composite(behind, picture.convert("RGBA"))
                fitted = ImageOps.fit(picture.convert(mode), size, Image.Resampling.LANCZOS)
        except (OSError, ValueError, SyntaxError) as error:  # as Pillow raises of damaged ones
            raise DataError(f"damaged: {error}") from error
        values = np.asarray(fitted)
        return values[None] if self.channels == 1 else values.transpose(2, 0, 1)

    def _check(self, problems: Sequence[str], rows: int) -> None:
        if len(problems) > MOST_BAD or len(problems) == rows:
            shown = "".join(f"\n  {problem}" for problem in problems[:LISTED])
            raise DataError(f"{self.path}: {len(problems):,} of {rows:,} rows are unusable{shown}")


def _class(value: Any, classes: dict[Any, int], table: Table, column: str) -> int:
    """Return a row's class. Raises DataError where it has none."""
    if value is None or value == -1:  # as data sets have it whose labels are kept back
        raise DataError("no label")
    if table.class_names(column) is not None:
        return int(value)
    if value not in classes:
        raise DataError(f"label {value!r} is of no training image")
    return classes[value]


def _bytes(cell: Any) -> bytes:
    """Return a picture's file, which is in the table or beside it. Raises DataError."""
    if isinstance(cell, bytes):
        return cell
    if not isinstance(cell, dict):
        raise DataError("no picture")
    if cell.get("bytes") is not None:
        return cell["bytes"]
    path = Path(cell.get("path") or "")
    if not path.is_file():
        raise DataError(f"no picture in it, and no file {path}")
    return path.read_bytes()


def _number(row: int) -> float:
    """Return a number from 0 to 1 that is always the row's."""
    return int.from_bytes(hashlib.sha256(str(row).encode()).digest()[:8], "big") / 2**64


@lru_cache(maxsize=8)
def opened(path: str) -> dict[str, Table]:
    """Return the splits of a file or folder, mapped into memory. Raises DataError."""
    try:
        import pyarrow
    except ImportError as error:
        raise DataError(f"{path}: needs pyarrow: pip install pyarrow") from error
    place = Path(path)
    try:
        found = dict(_splits(place))
    except (pyarrow.ArrowException, OSError, ValueError, KeyError) as error:
        raise DataError(f"{place}: cannot be read: {error}") from error
    if not found:
        raise DataError(
            f"{place}: no Parquet file, and nothing that save_to_disk wrote; a data set by its "
            "name is first saved: load_dataset(NAME).save_to_disk(FOLDER)"
        )
    return found


def _splits(place: Path) -> Iterator[tuple[str, Table]]:
    if (place / "dataset_dict.json").is_file():
        for name in json.loads((place / "dataset_dict.json").read_text("utf-8"))["splits"]:
            yield name, _saved(place / name)
    elif (place / "state.json").is_file():
        yield "train", _saved(place)
    else:
        yield from _parquet(place)


def _saved(folder: Path) -> Table:
    """Return what save_to_disk wrote into a folder."""
    import pyarrow as pa

    state = json.loads((folder / "state.json").read_text("utf-8"))
    if state.get("_indices_data_files"):
        raise DataError(
            f"{folder}: rows in another order than their files', as old versions of datasets "
            "save it; load it and save it again with a new one"
        )
    parts = []
    for file in state["_data_files"]:
        with pa.memory_map(str(folder / file["filename"])) as source:
            parts.append(pa.ipc.open_stream(source).read_all())
    return _table(pa.concat_tables(parts))


def _parquet(place: Path) -> Iterator[tuple[str, Table]]:
    """Yield splits of Parquet files, of which train-00000-of-00002.parquet is one of train."""
    import pyarrow as pa
    from pyarrow import parquet

    files = sorted(place.rglob("*.parquet")) if place.is_dir() else [place]
    files = [file for file in files if file.suffix == ".parquet"]
    of_split: dict[str, list[Path]] = {}
    for file in files:
        name = file.stem.partition("-")[0] if len(files) > 1 else "train"
        of_split.setdefault(name, []).append(file)
    for name, several in of_split.items():
        parts = [parquet.read_table(file, memory_map=True) for file in several]
        yield name, _table(pa.concat_tables(parts))


def _table(columns: Any) -> Table:
    said = (columns.schema.metadata or {}).get(b"huggingface")
    features = json.loads(said)["info"]["features"] if said else {}
    return Table(columns, features)


@hookimpl
def register_datasets(register) -> None:
    register(HFDatasets)
