"""Tensors that depend on real data alone: computed once per machine, kept, and found again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import filelock
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ganbench.util import files

Tensors = dict[str, Tensor]


def remembered(key: str, compute: Callable[[], Mapping[str, Tensor]]) -> Tensors:
    """What stands under `key` in the cache, else computed and kept; one process at a time.

    `key` holds all that decides the tensors: hashes of data and weights, versions. A file that is
    damaged is made again; a folder that cannot be written costs the time of computing.
    """
    name = hashlib.sha256(key.encode()).hexdigest()[:24]
    path = files.cache() / "statistics" / f"{name}.safetensors"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(f"{path}.lock").acquire()
    except OSError as error:
        print(f"real statistics are not kept: {path}: {error.strerror}", flush=True)
        return dict(compute())
    with lock:
        found = _read(path)
        if found is None:
            found = dict(compute())
            try:
                _write(path, found)
            except (OSError, SafetensorError) as error:
                print(f"real statistics are not kept: {path}: {error}", flush=True)
        return found


def _read(path: Path) -> Tensors | None:
    if not path.is_file():
        return None
    try:
        found = load_file(path)
    except (SafetensorError, OSError) as error:
        print(f"{path}: not usable ({error}); computing it again", flush=True)
        return None
    return found if found and all(bool(t.isfinite().all()) for t in found.values()) else None


def _write(path: Path, tensors: Mapping[str, Tensor]) -> None:
    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    files.write_atomically(path, lambda temporary: save_file(whole, temporary))
