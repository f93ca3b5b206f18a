"""How precise float32 is within convolutions and products: the one place that says it to torch.

NVIDIA's GPUs round float32 to the ten bits of TF32 wherever they may, which convolutions may unless
they are told otherwise. torch is told by flags, and since 2.9 by names too; once somebody has used
the names, reading the flags may raise.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch

_OPERATIONS = [
    (backend, operation)
    for backend in ("cuda", "mkldnn")
    for operation in ("matmul", "conv", "rnn")
]
_HAS_NAMES = hasattr(torch._C, "_set_fp32_precision_setter")


class Precision(NamedTuple):
    """What torch is told, in both ways."""

    flags: tuple[str, bool] | None  # of products, of cuDNN; None: torch refuses to tell
    names: tuple[str, ...]  # of each operation of each backend; (): this torch has none


def read() -> Precision:
    """Return what torch is told now."""
    try:
        flags = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    except RuntimeError:
        flags = None
    return Precision(flags, _names())


def write(precision: Precision) -> None:
    """Tell torch what `read` gave."""
    if precision.flags is not None:
        _write_flags(*precision.flags)
    _write_names(precision.names)


def set_exact() -> None:
    """Let no float32 be rounded to fewer bits from here on."""
    _write_flags("highest", False)
    _write_names(("ieee",) * len(_OPERATIONS))


@contextmanager
def exact() -> Iterator[None]:
    """Let no float32 be rounded to fewer bits inside, whatever was set before."""
    before = read()
    set_exact()
    try:
        yield
    finally:
        write(before)


@contextmanager
def tf32() -> Iterator[None]:
    """Let GPUs that have TF32 round to it inside."""
    before = read()
    _write_flags("high", True)
    _write_names(tuple("tf32" if b == "cuda" else "ieee" for b, _ in _OPERATIONS))
    try:
        yield
    finally:
        write(before)


def _names() -> tuple[str, ...]:
    if not _HAS_NAMES:
        return ()
    return tuple(torch._C._get_fp32_precision_getter(*one) for one in _OPERATIONS)


def _write_flags(products: str, cudnn: bool) -> None:
    torch.set_float32_matmul_precision(products)
    torch.backends.cudnn.allow_tf32 = cudnn


def _write_names(names: tuple[str, ...]) -> None:
    if _HAS_NAMES:
        for one, name in zip(_OPERATIONS, names, strict=True):
            torch._C._set_fp32_precision_setter(*one, name)
