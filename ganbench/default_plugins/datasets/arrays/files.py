"""Files that hold arrays: what is in them, told without reading it; and never by running code."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from numpy.typing import NDArray

from ganbench import DataError
from ganbench.default_plugins.datasets.arrays import idx
from ganbench.default_plugins.datasets.arrays.limits import (
    MOST_ARRAYS,
    require_bytes,
    require_memory,
    size_of,
)

KINDS = ".npz, .npy, .pt, .pth and IDX files, such as train-images-idx3-ubyte or the same with .gz"
MOST_REPEATED = 2**20  # values of a tensor that holds fewer, as labels may
_IDX = re.compile(r"idx[1-9]?([-.]|$)")
_ARRAYS = (".npz", ".npy", ".pt", ".pth")


@dataclass(frozen=True)
class Found:
    """One array of a file."""

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], NDArray[Any]]


def holds_arrays(name: str) -> bool:
    """Whether a file of this name is of a kind that holds arrays."""
    return name.endswith(_ARRAYS) or bool(_IDX.search(name))


def arrays(path: Path) -> dict[str, Found]:
    """Return a file's arrays by name, one without a name under ''. Raises DataError."""
    with _explained(path):
        if not path.is_file():
            raise DataError(f"{path}: there is no such file")
        if path.suffix == ".npz":
            return _of_npz(path)
        if path.suffix == ".npy":
            return {"": _of_npy(path)}
        if path.suffix in (".pt", ".pth"):
            return _of_torch(path)
        if _IDX.search(path.name):
            about = idx.header(path)
            return {"": Found(about.shape, about.dtype, partial(_read_idx, path))}
    raise DataError(
        f"{path}: files that can be read are {KINDS}; pictures are read from a folder, or a .zip"
    )


def _of_npz(path: Path) -> dict[str, Found]:
    found = {}
    with zipfile.ZipFile(path) as archive:
        members = [m for m in archive.infolist() if m.filename.endswith(".npy")]
        if len(members) > MOST_ARRAYS:
            raise ValueError(f"{len(members):,} arrays, and {MOST_ARRAYS:,} are possible")
        for member in members:
            name = member.filename.removesuffix(".npy")
            with archive.open(member) as file:
                shape, dtype = _header(file)
                size = size_of(shape, dtype)
                if not dtype.hasobject:
                    require_bytes(member.file_size - file.tell(), size)
            found[name] = Found(shape, dtype, partial(_read_npz, path, name, size))
    return found


def _of_npy(path: Path) -> Found:
    with path.open("rb") as file:
        shape, dtype = _header(file)
        found = path.stat().st_size - file.tell()
    size = size_of(shape, dtype)
    if not dtype.hasobject:
        require_bytes(found, size)
    return Found(shape, dtype, partial(_read_npy, path))


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype]:
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    version = npy.read_magic(file)
    if version not in read:
        raise ValueError(f"of NumPy's format {version[0]}.{version[1]}; save plain arrays")
    shape, _, dtype = read[version](file)
    return shape, dtype


def _read_npz(path: Path, name: str, size: int) -> NDArray[Any]:
    with _explained(path):
        require_memory(size)
        with np.load(path, allow_pickle=False) as file:
            return file[name]


def _read_idx(path: Path) -> NDArray[Any]:
    with _explained(path):
        return idx.read(path)


def _read_npy(path: Path) -> NDArray[Any]:
    """Return the array mapped into memory; what is changed stays in this process."""
    with _explained(path):
        return np.load(path, mmap_mode="c", allow_pickle=False)


def _of_torch(path: Path) -> dict[str, Found]:
    """Return what is in a tensor, a tuple or list of them, or a dictionary, maybe below another."""
    found: dict[str, Found] = {}
    for count, (name, value) in enumerate(_leaves(_load(path)), start=1):
        if count > MOST_ARRAYS:
            raise ValueError(f"more than {MOST_ARRAYS:,} values; save what is needed as tensors")
        if _is_array(value):
            found[name] = _of_value(value)
    return found


def _load(path: Path) -> Any:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            packed = [m.file_size for m in archive.infolist() if m.compress_type]
        require_memory(sum(packed))
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except RuntimeError:  # of a format that cannot be mapped: that of before 2020
        return torch.load(path, map_location="cpu", weights_only=True)


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    plain = isinstance(value, list | tuple) and not _is_array(value)
    inner = value if isinstance(value, Mapping) else dict(enumerate(value)) if plain else None
    if inner is None:
        yield name, value
        return
    for key, part in inner.items():
        yield from _leaves(part, f"{name}.{key}" if name else str(key))


def _is_array(value: Any) -> bool:
    words = isinstance(value, list | tuple) and value and all(isinstance(v, str) for v in value)
    numbers = isinstance(value, list | tuple) and value and all(type(v) is int for v in value)
    return isinstance(value, torch.Tensor) or bool(words or numbers)


def _of_value(value: Any) -> Found:
    if not isinstance(value, torch.Tensor):
        value = np.asarray(value)
    elif value.layout != torch.strided or value.device.type != "cpu":
        raise ValueError(
            f"holds a tensor that is {value.layout} on {value.device}; save plain ones"
        )
    elif value.numel() > MOST_REPEATED and value.nbytes > value.untyped_storage().nbytes():
        raise ValueError(
            f"holds a tensor of shape {list(value.shape)} whose values are fewer, and repeated; "
            "save it with .clone()"
        )
    elif value.dtype == torch.bfloat16:
        value = value.float().numpy()
    else:
        value = value.detach().numpy()
    return Found(value.shape, value.dtype, lambda: value)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Raise DataError, as a sentence, for what libraries raise of a file that is not right."""
    try:
        yield
    except DataError:
        raise
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{path}: holds more than tensors, and to load that could run code; save it with "
            "torch.save({'images': images, 'labels': labels}, path)"
        ) from error
    except Exception as error:  # of any kind: parsers meet what their authors did not think of
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "allow_pickle" in why or "Python objects" in why:
            why = "holds Python objects, and to load them could run code; save plain arrays"
        raise DataError(f"{path}: cannot be read: {why}") from error
