"""Batch norm whose statistics are those of the batch in all processes that train a trial."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ganbench.contracts.steps import at_least_float32
from ganbench.training.ranks import Ranks, summed


def synchronised(
    forward: Callable[[], AbstractContextManager[None]], ranks: Ranks
) -> Callable[[], AbstractContextManager[None]]:
    """Return what opens a stretch of forward passes in which batch norm asks all processes.

    `forward` opens it otherwise. No layer is changed: whoever calls a network outside of it, to
    draw or to judge, has batch norm as it always is.
    """

    @contextmanager
    def opened() -> Iterator[None]:
        with forward(), _Synchronised(ranks):
            yield

    return opened


class _Synchronised(TorchFunctionMode):
    """Takes the place of torch's `batch_norm` where that would take statistics of a batch."""

    def __init__(self, ranks: Ranks) -> None:
        super().__init__()
        self._ranks = ranks

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if function is functional.batch_norm:
            return _batch_norm(self._ranks, *args, **(kwargs or {}))
        return function(*args, **(kwargs or {}))


def _batch_norm(
    ranks: Ranks,
    x: Tensor,  # (N, C, ...)
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    if not training:
        return functional.batch_norm(
            x, running_mean, running_var, weight, bias, training, momentum, eps
        )
    values = at_least_float32(x)
    others = [0, *range(2, x.ndim)]
    var, mean = torch.var_mean(values, others, correction=0)
    means, variances = _of_all(ranks, torch.stack([mean, var])).unbind(1)
    mean = means.mean(0)
    var = variances.mean(0) + (means - mean).square().mean(0)
    if running_mean is not None and running_var is not None:
        count = values.numel() // len(mean) * ranks.count
        with torch.no_grad():
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            unbiased = var * count / (count - 1)
            running_var.lerp_(unbiased.to(running_var.dtype), momentum)
    shape = [1, -1] + [1] * (x.ndim - 2)
    scale = (var + eps).rsqrt()
    normal = (values - mean.view(shape)) * scale.view(shape)
    if weight is not None:
        normal = normal * weight.view(shape)
    if bias is not None:
        normal = normal + bias.view(shape)
    return normal.to(x.dtype)


def _of_all(ranks: Ranks, own: Tensor) -> Tensor:
    """Return what each process has, (count, ...), differentiable any number of times."""
    rows = [own if rank == ranks.rank else torch.zeros_like(own) for rank in range(ranks.count)]
    found: Tensor = _Summed.apply(torch.stack(rows))
    return found


class _Summed(torch.autograd.Function):
    """The sum over all processes, of which each one's gradient is the sum over all again."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return summed(tensor.clone())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return _Summed.apply(gradients[0].contiguous())
