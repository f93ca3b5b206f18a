"""A GPU in disguise: its tensors hold tensors of the CPU, and its kernels are the CPU's.

As on any GPU, its tensors do not mix with others. What is copied between it and the host, what the
host waits for, and what it computes is counted. It takes no GPU and no compiler, but the Python
backends of torch 2.10; without them, tests that ask for it are skipped.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from ganbench.training import trainer
from ganbench.util import random_streams

NAME = "disguised"
WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "_unique2"}
INDEXING = {"index", "index_put_", "index_put", "_index_put_impl_", "_unsafe_index"}


class Log:
    """What was counted: copies in either direction, waits, and what was computed there."""

    def __init__(self) -> None:
        self.to_device: Counter[str] = Counter()  # by operation
        self.to_host: Counter[str] = Counter()
        self.blocking: Counter[str] = Counter()  # of both, those for which the host waits
        self.waits: Counter[str] = Counter()
        self.computed: Counter[str] = Counter()

    @property
    def convolutions(self) -> int:
        """How many forward convolutions the device computed."""
        names = (name for name in self.computed if "conv" in name and "backward" not in name)
        return sum(self.computed[name] for name in names)  # torch names them by mode


class OnDevice(Tensor):
    """A tensor of the device, as autograd and modules see it; `held` has its values."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> OnDevice:
        with torch.inference_mode(False):  # where autograd takes views for what they are
            made: OnDevice = Tensor._make_wrapper_subclass(
                cls,
                held.size(),
                strides=held.stride(),
                storage_offset=held.storage_offset(),
                dtype=held.dtype,
                layout=held.layout,
                device=torch.device(NAME, 0),
            )
        made.held = held
        return made

    def __repr__(self, *, tensor_contents: object = None) -> str:
        return f"OnDevice({self.held})"

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if id(self) not in memo:
            copied: Tensor = OnDevice(self.held.detach().clone())
            if isinstance(self, nn.Parameter):
                copied = nn.Parameter(copied, self.requires_grad)
            memo[id(self)] = copied
        found: Tensor = memo[id(self)]
        return found

    @classmethod
    def __torch_dispatch__(
        cls, op: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return _computed(op, args, kwargs or {}, Log())


class _Working(TorchDispatchMode):
    """Takes what makes tensors of the device, and what has them among its arguments."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self.log = log

    def __torch_dispatch__(
        self, op: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        given = pytree.tree_leaves((args, kwargs))
        if _is_device(kwargs.get("device")) or any(isinstance(x, OnDevice) for x in given):
            return _computed(op, args, kwargs, self.log)
        return op(*args, **kwargs)


class _Backend:
    """What torch asks a backend's module; the device's own generator is the CPU's."""

    @staticmethod
    def is_available() -> bool:
        return True

    @staticmethod
    def is_initialized() -> bool:
        return True

    @staticmethod
    def _is_in_bad_fork() -> bool:
        return False

    @staticmethod
    def current_device() -> int:
        return 0

    @staticmethod
    def device_count() -> int:
        return 1

    @staticmethod
    def manual_seed_all(seed: int) -> None:
        pass

    @staticmethod
    def get_rng_state(device: Any = None) -> Tensor:
        return torch.get_rng_state()

    @staticmethod
    def set_rng_state(state: Tensor, device: Any = None) -> None:
        torch.set_rng_state(state)

    @staticmethod
    def get_amp_supported_dtype() -> list[torch.dtype]:
        return [torch.bfloat16]


@functools.cache
def device() -> torch.device:
    """Return the device, which torch knows from now on; skip the test where it cannot."""
    try:
        from torch.utils.backend_registration import _setup_privateuseone_for_python_backend
    except ImportError:
        pytest.skip("a disguised GPU takes the Python backends of torch 2.10")
    _setup_privateuseone_for_python_backend(NAME, backend_module=_Backend())
    return torch.device(NAME, 0)


@contextmanager
def working() -> Iterator[Log]:
    """Let the device work, and yield what is counted meanwhile."""
    device()
    log = Log()
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        with (
            patch.object(trainer, "stream", _stream),
            patch.multiple(torch, autocast=_autocast),
            _Working(log),
        ):
            yield log
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(before)


def _stream(seed: int, name: str, where: Any = "cpu") -> torch.Generator:
    """A generator of the CPU: torch makes none for a backend in Python."""
    return random_streams.stream(seed, name)


_AUTOCAST = torch.autocast


def _autocast(device_type: str, *rest: Any, **options: Any) -> Any:
    return _AUTOCAST("cpu" if device_type == NAME else device_type, *rest, **options)


def _is_device(asked: Any) -> bool:
    return asked is not None and torch.device(asked).type == NAME


def _computed(op: Any, args: Any, kwargs: dict[str, Any], log: Log) -> Any:
    """Return what the CPU computes of the values held, on the device where it belongs there."""
    name, asked = op.overloadpacket.__name__, kwargs.get("device")
    given = [x for x in pytree.tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
    there = [x for x in given if isinstance(x, OnDevice)]
    copied = log.to_device.total() + log.to_host.total()
    _note(name, args, asked, there, [x for x in given if not isinstance(x, OnDevice)], log)
    if log.to_device.total() + log.to_host.total() > copied and not _goes_on(name, args, kwargs):
        log.blocking[name] += 1
    args, kwargs = pytree.tree_map_only(OnDevice, lambda x: x.held, (args, kwargs))
    kwargs.pop("pin_memory", None)
    if _is_device(asked):
        kwargs["device"] = torch.device("cpu")
    found = op(*args, **kwargs)
    if name == "_local_scalar_dense" or (asked is not None and not _is_device(asked)):
        return found
    same = {id(x.held): x for x in there}  # in place, an operation gives back what it was given
    host = name == "copy_" and id(args[0]) not in same  # of a tensor of the host, in place

    def wrapped(x: Any) -> Any:
        return same[id(x)] if id(x) in same else x if host else OnDevice(x)

    return pytree.tree_map_only(Tensor, wrapped, found)


def _goes_on(name: str, args: Any, kwargs: dict[str, Any]) -> bool:
    """Whether a copy is asked for that does not keep the host waiting."""
    return bool(kwargs.get("non_blocking") or (name == "copy_" and len(args) > 2 and args[2]))


def _note(
    name: str, args: Any, asked: Any, there: list[OnDevice], here: list[Tensor], log: Log
) -> None:
    """Count what an operation is. Raises RuntimeError, as torch does, where devices are mixed."""
    log.computed[name] += 1
    if name in WAITING and there:
        log.waits[name] += 1
    if name == "copy_" and there and here:
        (log.to_device if isinstance(args[0], OnDevice) else log.to_host)[name] += 1
    elif name == "_to_copy" and asked is not None and bool(there) != _is_device(asked):
        (log.to_host if there else log.to_device)[name] += 1
    elif there and any(x.dim() for x in here):
        if name not in INDEXING:
            raise RuntimeError(
                f"Expected all tensors to be on the same device, but found {NAME}:0 and cpu: {name}"
            )
        log.to_device[name] += 1
