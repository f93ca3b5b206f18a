"""What a generator keeps beside its weights: batch norm's statistics, spectral norm's vectors."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.nn.utils.spectral_norm import SpectralNorm

POWER_ITERATIONS = 15  # as many as torch makes where a layer begins to be normalised
NOT_RENEWED = (
    "its statistics are the live generator's and are not estimated anew for the averaged weights "
    "before sampling, as those of torch's norm layers and their subclasses are"
)

M = TypeVar("M", bound=nn.Module)


def copied(module: M) -> M:
    """Return a copy of a module, also where it holds on to tensors of its last forward pass."""
    for part in module.modules():
        for name, value in vars(part).items():
            if isinstance(value, Tensor) and not value.is_leaf:
                setattr(part, name, value.detach())
    return copy.deepcopy(module)


def copy_buffers(source: nn.Module, target: nn.Module) -> None:
    """Give `target`, once a copy of `source`, all that `source` keeps beside its weights now."""
    for theirs, own in zip(source.modules(), target.modules(), strict=True):
        for name, buffer in theirs._buffers.items():
            own._buffers[name] = None if buffer is None else buffer.detach().clone()


def running_norms(module: nn.Module) -> list[_NormBase]:
    """Return the norm layers that estimate statistics in training, of torch's kinds and theirs."""
    return [
        part
        for part in module.modules()
        if isinstance(part, _NormBase) and part.running_mean is not None
    ]


def not_renewed(module: nn.Module) -> list[str]:
    """Return the classes of layers that keep statistics in a way of their own."""
    found = set()
    for part in module.modules():
        names = " ".join(part._buffers)
        if (
            not isinstance(part, _NormBase)
            and "mean" in names
            and ("var" in names or "std" in names)
        ):
            found.add(type(part).__name__)
    return sorted(found)


@contextmanager
def collecting(norms: Iterable[_NormBase]) -> Iterator[None]:
    """Have norm layers forget their statistics, and average those of each batch to come."""
    was = [(norm, norm.momentum, norm.training) for norm in norms]
    hooks = []
    for norm, _, _ in was:
        norm.reset_running_stats()
        norm.training = True
        if type(norm).forward is _BatchNorm.forward:
            norm.momentum = None
        else:  # others may want a number, and instance norm takes None for 0
            hooks.append(norm.register_forward_pre_hook(_Averaging()))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for norm, momentum, training in was:
            norm.momentum, norm.training = momentum, training


class _Averaging:
    """Weighs each batch as all before it, by the momentum."""

    def __init__(self) -> None:
        self.batches = 0

    def __call__(self, norm: nn.Module, given: object) -> None:
        self.batches += 1
        norm.momentum = 1 / self.batches  # type: ignore[assignment]


@torch.no_grad()
def settle_spectral_norms(module: nn.Module) -> None:
    """Find the largest singular values of these weights; the vectors at hand are of others."""
    for part in module.modules():
        if parametrize.is_parametrized(part):
            for name, steps in part.parametrizations.items():  # type: ignore[union-attr, operator]
                _settle(part, name, [step for step in steps if isinstance(step, _SpectralNorm)])
        for hook in part._forward_pre_hooks.values():
            if isinstance(hook, SpectralNorm):
                for _ in range(POWER_ITERATIONS):
                    hook.compute_weight(part, do_power_iteration=True)


def _settle(layer: nn.Module, weight: str, norms: list[_SpectralNorm]) -> None:
    for norm in norms:
        norm.train()
    for _ in range(POWER_ITERATIONS if norms else 0):
        getattr(layer, weight)
    for norm in norms:
        norm.eval()
