"""What a training keeps, draws and looks at on the host, where no graph of a device goes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FunctionType, MethodType, ModuleType
from typing import Any, TypeVar

import torch
from torch import Tensor

from ganbench.util.random_streams import accelerators, others_state

Held = dict[str, object]
"""Numbers, words and tensors by their places. Of a device's tensors it counts which they are."""

N = TypeVar("N", int, float)

OPAQUE = (ModuleType, FunctionType, MethodType, type)
OF_THE_CLASS = {"__new__", "__getattribute__", "__getnewargs__", "__getformat__", "__sizeof__"}


def held(things: Mapping[str, object], device: torch.device) -> Held:
    """Return all that these hold, however deep in lists, dicts, modules and other objects."""
    found: Held = {}
    for place, leaf in _leaves(things, "", set()):
        is_of_host = isinstance(leaf, Tensor) and leaf.device.type != device.type
        found[place] = leaf.tolist() if is_of_host else leaf  # type: ignore[attr-defined]
    return found


def _leaves(thing: Any, place: str, seen: set[int]) -> Iterator[tuple[str, object]]:
    if isinstance(thing, Tensor | str | bytes | int | float | complex | None):
        yield place, thing
        return
    if isinstance(thing, OPAQUE) or id(thing) in seen:
        return
    seen.add(id(thing))
    for key, part in _parts(thing):
        yield from _leaves(part, f"{place}.{key}" if place else str(key), seen)


def _parts(thing: Any) -> Iterable[tuple[object, Any]]:
    if isinstance(thing, Mapping):
        pairs = enumerate(thing.items())
        return [(key if isinstance(key, str) else i, value) for i, (key, value) in pairs]
    if isinstance(thing, list | tuple | set | frozenset | deque):
        return list(enumerate(thing))
    return list(getattr(thing, "__dict__", {}).items())


def changed(before: Held, now: Held) -> str:
    """Return the place of the first that is another, or is not in both; empty where none is."""
    for place in {**before, **now}:
        if place not in before or place not in now:
            return place
        then, found = before[place], now[place]
        if then is found:
            continue
        if isinstance(then, Tensor) or isinstance(found, Tensor) or then != found:
            return place
    return ""


def drawn(device: torch.device) -> Held:
    """Return where the host's generators are; torch's of the CPU where `device` has its own."""
    others = others_state()
    name, keys, *rest = others["numpy"]
    found: Held = {
        "Python's generator": others["python"],
        "NumPy's generator": (name, keys.tolist(), *rest),
    }
    if accelerators(device):
        found["torch's generator of the CPU"] = torch.get_rng_state().tolist()
    return found


def watched(number: N, told: Callable[[float], None]) -> N:
    """Return a number that tells whenever its value is used, by Python or by an operation."""
    kind = type(number)

    def noting(name: str) -> Callable[..., Any]:
        plain = getattr(kind, name)

        def method(self: Any, *others: Any) -> Any:
            told(number)
            return plain(self, *others)

        return method

    def operation(
        cls: type, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        told(number)
        return function(*(number if type(x) is cls else x for x in args), **(kwargs or {}))

    names = [name for name in vars(kind) if name.startswith("__") and name not in OF_THE_CLASS]
    members = {name: noting(name) for name in names if callable(getattr(kind, name))}
    with_operations: dict[str, Any] = {**members, "__torch_function__": classmethod(operation)}
    found: N = type(f"watched {kind.__name__}", (kind,), with_operations)(number)
    return found
