"""What settings ask of torch: precision, memory layout, compilation, and a clock."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import torch
from torch import nn
from torch.nn.utils import parametrize

from ganbench.contracts.losses import Loss
from ganbench.records.training_settings import TrainingSettings
from ganbench.util import float32


def memory_format(settings: TrainingSettings) -> torch.memory_format:
    """Return the layout of images and of convolutions' weights."""
    return torch.channels_last if settings.channels_last else torch.contiguous_format


def autocast(
    settings: TrainingSettings, device: torch.device
) -> Callable[[], AbstractContextManager[None]]:
    """Return what opens a stretch of forward passes in the asked-for precision."""
    if settings.precision != "bfloat16":
        return nullcontext
    return partial(torch.autocast, device.type, torch.bfloat16)


def rounding(settings: TrainingSettings) -> Callable[[], AbstractContextManager[None]]:
    """Return what opens an iteration: backward passes too round to TF32 where that is asked for."""
    return float32.tf32 if settings.precision == "tf32" else nullcontext


def be_deterministic() -> None:
    """Let torch compute only what comes out the same each time, from here on.

    What it can compute in no such way raises RuntimeError.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read as cuBLAS begins
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False


def compile_networks(
    settings: TrainingSettings,
    generator: nn.Module,
    discriminator: nn.Module,
    losses: Sequence[Loss],
) -> None:
    """Compile both networks in place, if the settings say so.

    Not D where losses differentiate it by its images: a compiled module cannot be differentiated
    twice. Neither where one asks for a step at other weights.
    """
    if settings.compile in ("none", "graph") or any(loss.looks_ahead for loss in losses):
        return
    mode = None if settings.compile == "default" else settings.compile
    generator.compile(mode=mode)
    if not any(loss.input_gradients for loss in losses):
        discriminator.compile(mode=mode)


@contextmanager
def normalised_once(*networks: nn.Module) -> Iterator[None]:
    """Normalise the weights of networks now, for all their passes within.

    All passes share the graph to it, whether or not the first of them has one.
    """
    with parametrize.cached():
        for module in (module for network in networks for module in network.modules()):
            if parametrize.is_parametrized(module):
                for name in module.parametrizations:  # type: ignore[union-attr]
                    getattr(module, name)
        yield


def synchronized_seconds(device: torch.device) -> float:
    """Return the clock, once the device has done all that it was told to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()
