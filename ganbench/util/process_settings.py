"""What the code of others may leave changed in this process, and numbers depend on."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import backends

from ganbench.util import files, float32
from ganbench.util.random_streams import undisturbed


class Setting(NamedTuple):
    """One setting of the whole process, or of this thread."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]


@contextmanager
def put_back() -> Iterator[None]:
    """Let what the body sets, as code of others does, change nothing after it."""
    before = found()
    try:
        with files.folder_put_back():
            yield
    finally:
        for setting, value in before:
            if value is not None and setting.read() != value:
                setting.write(value)


@contextmanager
def as_if_not_called(devices: Sequence[torch.device] = ()) -> Iterator[None]:
    """Let what the body sets or draws change nothing after it.

    `devices` are the accelerators whose generators count.
    """
    with put_back(), undisturbed(devices):
        yield


@contextmanager
def as_in_a_new_process() -> Iterator[None]:
    """Let the body find what decides numbers as a new process has it, whatever the caller set.

    So a trial in a notebook's process has the numbers of one in a process of its own.
    """
    with ExitStack() as stack:
        stack.enter_context(put_back())
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(_without_autocast())
        torch.set_default_dtype(torch.float32)
        float32.set_exact()
        torch.set_default_device(None)
        if torch.get_default_device().type != "cpu":  # of a `with torch.device(…)`
            stack.enter_context(torch.device("cpu"))
        yield


@contextmanager
def _without_autocast() -> Iterator[None]:
    """Leave all autocasts around the body, whose own then begin with an empty cache of weights."""
    depth = torch.autocast_increment_nesting()
    for _ in range(depth):
        torch.autocast_decrement_nesting()
    torch.clear_autocast_cache()
    was = {device: torch.is_autocast_enabled(device) for device in _AUTOCAST}
    for device in was:
        torch.set_autocast_enabled(device, False)
    try:
        yield
    finally:
        for device, enabled in was.items():
            torch.set_autocast_enabled(device, enabled)
        for _ in range(depth - 1):
            torch.autocast_increment_nesting()


_AUTOCAST = ("cpu", "cuda", "mps")


def found() -> list[tuple[Setting, Any]]:
    """Return every setting with its value now."""
    return [(setting, setting.read()) for setting in _SETTINGS]


def changed(before: Sequence[tuple[Setting, Any]]) -> list[str]:
    """Return the names of the settings whose values are others now."""
    return [setting.name for setting, value in before if setting.read() != value]


def _set_default_device(device: torch.device) -> None:
    torch.set_default_device(None if device.type == "cpu" else device)


def _determinism() -> tuple[bool, bool]:
    enabled = torch.are_deterministic_algorithms_enabled()
    return enabled, torch.is_deterministic_algorithms_warn_only_enabled()


def _set_determinism(value: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(value[0], warn_only=value[1])


def _attribute(owner: Any, name: str, told: str) -> Setting:
    return Setting(told, lambda: getattr(owner, name), lambda value: setattr(owner, name, value))


def _handler(number: signal.Signals) -> Setting:
    return Setting(
        f"what {number.name} does",
        lambda: signal.getsignal(number) if _is_main_thread() else None,
        lambda value: signal.signal(number, value),
    )


def _is_main_thread() -> bool:
    """Whether this thread can change what signals do."""
    return threading.current_thread() is threading.main_thread()


_SETTINGS = (
    Setting("torch's grad mode", torch.is_grad_enabled, torch.set_grad_enabled),
    Setting("torch's default dtype", torch.get_default_dtype, torch.set_default_dtype),
    Setting("torch's default device", torch.get_default_device, _set_default_device),
    Setting("torch's number of threads", torch.get_num_threads, torch.set_num_threads),
    Setting("torch's deterministic algorithms", _determinism, _set_determinism),
    Setting(
        "torch's anomaly detection",
        torch.is_anomaly_enabled,
        torch.autograd.set_detect_anomaly,
    ),
    Setting("torch's precision of float32", float32.read, float32.write),
    _attribute(backends.cudnn, "benchmark", "cuDNN's benchmark mode"),
    _attribute(backends.cudnn, "deterministic", "cuDNN's deterministic mode"),
    _attribute(backends.cudnn, "enabled", "whether torch uses cuDNN"),
    _attribute(backends.mkldnn, "enabled", "whether torch uses oneDNN"),
    Setting("NumPy's handling of errors", np.geterr, lambda value: np.seterr(**value)),
    _handler(signal.SIGINT),
    _handler(signal.SIGTERM),
)
