"""Files that hold arrays: what is in them, told without reading it; and never by running code."""

from __future__ import annotations

import pickle
import re
import zipfile
import zlib
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

KINDS = ".npz, .npy, .pt, .pth and IDX files, such as train-images-idx3-ubyte or the same with .gz"
_IDX = re.compile(r"idx[1-9]?([-.]|$)")


@dataclass(frozen=True)
class Found:
    """One array of a file."""

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], NDArray[Any]]


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
            return {"": Found(about.shape, about.dtype, partial(idx.read, path))}
    raise DataError(f"{path}: files that can be read are {KINDS}")


def _of_npz(path: Path) -> dict[str, Found]:
    found = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if member.endswith(".npy"):
                name = member.removesuffix(".npy")
                with archive.open(member) as file:
                    shape, dtype = _header(file)
                found[name] = Found(shape, dtype, partial(_read_npz, path, name))
    return found


def _of_npy(path: Path) -> Found:
    with path.open("rb") as file:
        shape, dtype = _header(file)
        found = path.stat().st_size - file.tell()
    expected = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if found < expected and not dtype.hasobject:
        raise ValueError(f"{found:,} bytes of values, and its header says {expected:,}")
    return Found(shape, dtype, partial(_read_npy, path))


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype]:
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    version = npy.read_magic(file)
    if version not in read:
        raise ValueError(f"of NumPy's format {version[0]}.{version[1]}; save plain arrays")
    shape, _, dtype = read[version](file)
    return shape, dtype


def _read_npz(path: Path, name: str) -> NDArray[Any]:
    with _explained(path), np.load(path, allow_pickle=False) as file:
        return file[name]


def _read_npy(path: Path) -> NDArray[Any]:
    """Return the array mapped into memory; what is changed stays in this process."""
    with _explained(path):
        return np.load(path, mmap_mode="c", allow_pickle=False)


def _of_torch(path: Path) -> dict[str, Found]:
    """Return what is in a tensor, a tuple or list of them, or a dictionary, maybe below another."""
    return {name: _of_value(value) for name, value in _leaves(_load(path)) if _is_array(value)}


def _load(path: Path) -> Any:
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
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{path}: holds more than tensors, and to load that could run code; save it with "
            "torch.save({'images': images, 'labels': labels}, path)"
        ) from error
    except (
        *(OSError, ValueError, TypeError, RuntimeError, EOFError, KeyError),
        *(zipfile.BadZipFile, zlib.error),
    ) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "allow_pickle" in why or "Python objects" in why:
            why = "holds Python objects, and to load them could run code; save plain arrays"
        raise DataError(f"{path}: cannot be read: {why}") from error
