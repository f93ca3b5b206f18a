"""Tensors that depend on real data alone: computed once per machine, kept, and found again."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import filelock
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ganbench.util import files, sealed

logger = logging.getLogger(__name__)

Tensors = dict[str, Tensor]
DAMAGED = (SafetensorError, ValueError, RuntimeError, TypeError, KeyError)


def remembered(key: str, compute: Callable[[], Mapping[str, Tensor]]) -> Tensors:
    """Return what stands under `key` in the cache, else compute and keep it.

    One process computes at a time; the others wait and then find it.

    `key` holds all that decides the tensors: hashes of data and weights, versions. A file that is
    damaged is made again; a folder that cannot be written costs the time of computing.
    """
    name = hashlib.sha256(key.encode()).hexdigest()[:24]
    path = files.cache() / "statistics" / f"{name}.safetensors"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(f"{path}.lock").acquire()
    except OSError as error:
        logger.warning("real statistics are not kept: %s: %s", path, error.strerror)
        return dict(compute())
    with lock:
        found = _read(path)
        if found is None:
            found = dict(compute())
            try:
                _write(path, found)
            except (OSError, SafetensorError) as error:
                logger.warning("real statistics are not kept: %s: %s", path, error)
        return found


def _read(path: Path) -> Tensors | None:
    try:
        found = load(sealed.read(path))
    except FileNotFoundError:
        return None
    except (OSError, *DAMAGED) as error:
        logger.warning("%s: not usable (%s); computing it again", path, error)
        return None
    return found if found and all(bool(t.isfinite().all()) for t in found.values()) else None


def _write(path: Path, tensors: Mapping[str, Tensor]) -> None:
    files.remove_temporaries(path.parent, path.name)
    sealed.write(path, save({name: tensor.contiguous() for name, tensor in tensors.items()}))
