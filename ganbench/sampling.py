"""Drawing images from a trained generator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ganbench.contracts.architectures import Architecture
from ganbench.models import BatchNorm, ConditionalGenerator
from ganbench.randomness import stream

BATCH = 500


def draw_labels(shares: Tensor, count: int, seed: int, name: str = "labels") -> Tensor:
    """Class ids (count,) from the distribution `shares` (K,), the data set's own."""
    return torch.multinomial(shares, count, replacement=True, generator=stream(seed, name))


def draw_latents(
    architecture: Architecture, count: int, seed: int, name: str = "samples"
) -> Tensor:
    """(count, latent_dim) from the architecture's prior, on the CPU: the same on every device."""
    return architecture.latents(count, stream(seed, name))


@torch.no_grad()
def recalibrate(
    generator: ConditionalGenerator,
    latents: Tensor,
    labels: Tensor | None,
    device: torch.device,
    batch_size: int = 256,
) -> None:
    """Estimate batch norm's running statistics anew: those at hand are the live weights', not the
    average's."""
    norms = [m for m in generator.modules() if isinstance(m, BatchNorm)]
    if not norms:
        return
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over the batches
    generator.train()
    whole = max(len(latents) // batch_size * batch_size, min(len(latents), batch_size))
    labels = None if labels is None else labels[:whole]  # batches of one size weigh the same
    for z, y in _batches(latents[:whole], labels, batch_size, device):
        generator(z, y)
    generator.eval()


@torch.no_grad()
def generate(
    generator: ConditionalGenerator,
    latents: Tensor,
    labels: Tensor | None,
    device: torch.device,
    *,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Images (N, C, H, W) on the CPU: float32 in [-1, 1], or quantised to uint8 batch by batch."""
    images = torch.empty(0)
    with evaluating(generator):
        for at, (z, y) in enumerate(_batches(latents, labels, BATCH, device)):
            batch = generator(z, y).cpu()
            batch = quantise(batch) if dtype == torch.uint8 else batch
            if not at:
                images = torch.empty(len(latents), *batch.shape[1:], dtype=batch.dtype)
            images[at * BATCH : at * BATCH + len(batch)] = batch
    return images


def quantise(images: Tensor) -> Tensor:
    """[-1, 1] -> uint8, clamped and rounded to the nearest."""
    return images.mul(127.5).add(127.5).clamp(0, 255).round().to(torch.uint8)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    was_training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(was_training)


def _batches(
    latents: Tensor, labels: Tensor | None, batch_size: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor | None]]:
    for start in range(0, len(latents), batch_size):
        part = slice(start, start + batch_size)
        yield latents[part].to(device), None if labels is None else labels[part].to(device)
