"""What a schedule asks of torch: optimisers, precision, memory layout, compilation, and a clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
from torch import nn

from ganbench.records.schedule import Schedule

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}


def make_optimizer(
    schedule: Schedule, module: nn.Module, lr: float, device: torch.device
) -> torch.optim.Optimizer:
    """Return the schedule's optimiser of a network, fused where the device has such a kernel."""
    options: dict[str, object] = {"lr": lr}
    if schedule.optimizer in ("adam", "adamw"):
        options["betas"] = schedule.betas
        options["fused"] = device.type in ("cpu", "cuda")
    return OPTIMIZERS[schedule.optimizer](module.parameters(), **options)


def memory_format(schedule: Schedule) -> torch.memory_format:
    """Return the layout of images and of convolutions' weights."""
    return torch.channels_last if schedule.channels_last else torch.contiguous_format


def autocast(
    schedule: Schedule, device: torch.device
) -> Callable[[], AbstractContextManager[None]]:
    """Return what opens a stretch of forward passes in the schedule's precision."""
    if schedule.precision == "float32":
        return nullcontext
    return partial(torch.autocast, device.type, torch.bfloat16)


def compile_networks(
    schedule: Schedule, generator: nn.Module, discriminator: nn.Module, *, differentiated: bool
) -> None:
    """Compile both networks in place, if the schedule says so.

    Not D where losses differentiate it by its images (`differentiated`): a compiled module cannot
    be differentiated twice.
    """
    if schedule.compile == "none":
        return
    mode = None if schedule.compile == "default" else schedule.compile
    generator.compile(mode=mode)
    if not differentiated:
        discriminator.compile(mode=mode)


def synchronized_seconds(device: torch.device) -> float:
    """Return the clock, once the device has done all that it was told to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()
