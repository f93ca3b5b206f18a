"""Labels between labels: whatever a network looks up for several classes, mixed by weight.

An embedding has no row for half a class, and where a label enters is a conditioning's own affair.
So the network is handed one tensor that stands for several: each operation on it is done for every
class, and the first result that is made of fractions is mixed and goes on as a plain tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from ganbench.errors import ContractError


@contextmanager
def mixed_labels(
    weights: Mapping[int, float], count: int, device: torch.device | str = "cpu"
) -> Iterator[Tensor]:
    """Yield `count` labels that are each a mixture of classes, for as long as the context lasts.

    `weights` are by class id. Of a single class they are plain labels. Raises ContractError where a
    network does with labels what cannot be done with mixtures, or does nothing with them.
    """
    parts = {label: weight for label, weight in weights.items() if weight}
    plain = [torch.full((count,), label, device=device) for label in parts]
    if set(parts.values()) == {1.0} and len(parts) == 1:
        yield plain[0]
        return
    mode = _Mixing(tuple(parts.values()))
    with mode:
        yield _Mixture.of(plain)
    if not mode.mixed:
        raise ContractError(
            "nothing was looked up for the labels, so that there is nothing to mix; the "
            "conditioning's generator does not depend on them"
        )


class _Mixture(Tensor):
    """Whole numbers or truth values, one tensor for each class of a mixture."""

    parts: tuple[Tensor, ...]

    @staticmethod
    def of(parts: Sequence[Tensor]) -> _Mixture:
        mixture: _Mixture = parts[0].as_subclass(_Mixture)  # its shape, device and so on
        mixture.parts = tuple(parts)
        return mixture


class _Mixing(TorchFunctionMode):
    """Does everything once for each class, and mixes what comes of it."""

    def __init__(self, weights: tuple[float, ...]) -> None:
        super().__init__()
        self.weights = weights
        self.mixed = False

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if not any(isinstance(leaf, _Mixture) for leaf in tree_leaves((args, kwargs))):
            return func(*args, **kwargs)
        if _changes_its_first(func) and not isinstance(args[0], _Mixture):
            return self._in_place(func, args, kwargs)
        return self._together([func(*a, **k) for a, k in self._each(args, kwargs)], func)

    def _each(self, args: Any, kwargs: Any) -> Iterator[tuple[Any, Any]]:
        """Yield the arguments for one class after the other."""
        for i in range(len(self.weights)):
            yield tree_map(lambda x: x.parts[i] if isinstance(x, _Mixture) else x, (args, kwargs))  # noqa: B023

    def _in_place(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Tensor:
        """As `zeros.scatter_(1, labels, 1)`: on a copy for each class."""
        target: Tensor = args[0]
        copies = []
        for (_, *rest), named in self._each(args, kwargs):
            copies.append(target.clone())
            func(copies[-1], *rest, **named)
        return target.copy_(self._mix(copies, func))

    def _together(self, found: list[Any], func: Callable[..., Any]) -> Any:
        """Mixed where it is made of fractions; else for each class, as long as it differs."""
        first = found[0]
        if isinstance(first, Tensor):
            exact = not (first.is_floating_point() or first.is_complex())
            return _Mixture.of(found) if exact else self._mix(found, func)
        if type(first) in (tuple, list):
            return type(first)(
                self._together(list(part), func) for part in zip(*found, strict=True)
            )
        if any(other != first for other in found[1:]):  # not a shape or a device, but a value
            raise ContractError(_unmixable(func))
        return first

    def _mix(self, found: list[Tensor], func: Callable[..., Any]) -> Tensor:
        if not found[0].is_floating_point():
            raise ContractError(_unmixable(func))
        self.mixed = True
        total = self.weights[0] * found[0]
        for weight, part in zip(self.weights[1:], found[1:], strict=True):
            total = total + weight * part
        return total


def _changes_its_first(func: Callable[..., Any]) -> bool:
    name = getattr(func, "__name__", "")
    return name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))


def _unmixable(func: Callable[..., Any]) -> str:
    name = getattr(func, "__name__", repr(func))
    return (
        f"the conditioning works on its labels with '{name}', which means nothing for a mixture of "
        "classes; labels that only choose rows of a table, as torch.nn.Embedding does, can be mixed"
    )
