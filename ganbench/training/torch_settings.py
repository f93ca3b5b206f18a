"""What settings ask of torch: precision, memory layout, compilation, and a clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
from torch import nn

from ganbench.contracts.losses import Loss
from ganbench.records.training_settings import TrainingSettings


def memory_format(settings: TrainingSettings) -> torch.memory_format:
    """Return the layout of images and of convolutions' weights."""
    return torch.channels_last if settings.channels_last else torch.contiguous_format


def autocast(
    settings: TrainingSettings, device: torch.device
) -> Callable[[], AbstractContextManager[None]]:
    """Return what opens a stretch of forward passes in the asked-for precision."""
    if settings.precision == "float32":
        return nullcontext
    return partial(torch.autocast, device.type, torch.bfloat16)


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
    if settings.compile == "none" or any(loss.looks_ahead for loss in losses):
        return
    mode = None if settings.compile == "default" else settings.compile
    generator.compile(mode=mode)
    if not any(loss.input_gradients for loss in losses):
        discriminator.compile(mode=mode)


def synchronized_seconds(device: torch.device) -> float:
    """Return the clock, once the device has done all that it was told to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()
