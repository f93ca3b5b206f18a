"""Drawing images from a trained generator."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganbench.contracts.architectures import Architecture
from ganbench.contracts.images import ImageSpec, LabeledImages, quantise
from ganbench.models import sampling
from ganbench.models.networks import BatchNorm, ConditionalGenerator
from ganbench.models.parts import Parts
from ganbench.util.random_streams import stream

BATCH, CALIBRATION_BATCH = 500, 256  # images at once, unless they are large
LARGE_BATCH = 2**23  # values of images at once: activations are many times that
CALIBRATION_SAMPLES, FEWEST = 5120, 512


@dataclass(frozen=True)
class Sampler:
    """Draws the samples that a trial's generator is judged by."""

    architecture: Architecture
    shares: Tensor | None  # of the classes in the training data, where the generator heeds labels
    seed: int
    device: torch.device
    dtype: torch.dtype  # of the data set's images

    def draw(self, generator: ConditionalGenerator, count: int) -> tuple[LabeledImages, float]:
        """So many images, and the seconds that generating them took, calibration not counted."""
        enough = calibration_samples(generator.image)
        recalibrate(
            generator,
            draw_latents(self.architecture, enough, self.seed, "calibration latents"),
            self._labels(enough, "calibration labels"),
            self.device,
        )
        latents = draw_latents(self.architecture, count, self.seed)
        asked = self._labels(count, "labels")
        started = time.perf_counter()
        images = generate(generator, latents, asked, self.device, dtype=self.dtype)
        return LabeledImages(images, asked), time.perf_counter() - started

    def _labels(self, count: int, name: str) -> Tensor | None:
        return None if self.shares is None else draw_labels(self.shares, count, self.seed, name)


def draw_labels(shares: Tensor, count: int, seed: int, name: str = "labels") -> Tensor:
    """Class ids (count,) from the distribution `shares` (K,), the data set's own."""
    return torch.multinomial(shares, count, replacement=True, generator=stream(seed, name))


def draw_latents(
    architecture: Architecture, count: int, seed: int, name: str = "samples"
) -> Tensor:
    """(count, latent_dim) from the architecture's prior, on the CPU: the same on every device."""
    return architecture.latents(count, stream(seed, name))


def at_once(image: ImageSpec) -> int:
    """How many images are made at once, so that large ones do not fill the memory."""
    return max(16, min(BATCH, LARGE_BATCH // _values(image)))


def calibration_samples(image: ImageSpec) -> int:
    """How many latents batch norm's statistics are estimated by: fewer where images are large."""
    return max(FEWEST, min(CALIBRATION_SAMPLES, 8 * LARGE_BATCH // _values(image)))


@torch.no_grad()
def recalibrate(
    generator: ConditionalGenerator,
    latents: Tensor,
    labels: Tensor | None,
    device: torch.device,
) -> None:
    """Estimate batch norm's running statistics anew: those at hand are the live weights', not the
    average's."""
    batch_size = min(CALIBRATION_BATCH, at_once(generator.image))
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
    images, size = torch.empty(0), at_once(generator.image)
    with evaluating(generator):
        for at, (z, y) in enumerate(_batches(latents, labels, size, device)):
            batch = generator(z, y).cpu()
            batch = quantise(batch) if dtype == torch.uint8 else batch
            if not at:
                images = torch.empty(len(latents), *batch.shape[1:], dtype=batch.dtype)
            images[at * size : at * size + len(batch)] = batch
    return images


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    was_training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(was_training)


def _values(image: ImageSpec) -> int:
    return image.channels * image.resolution**2


def _batches(
    latents: Tensor, labels: Tensor | None, batch_size: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor | None]]:
    for start in range(0, len(latents), batch_size):
        part = slice(start, start + batch_size)
        yield latents[part].to(device), None if labels is None else labels[part].to(device)


def make_sampler(parts: Parts, data: LabeledImages, seed: int, device: str) -> sampling.Sampler:
    labels = data.labels if parts.g_conditioning.needs_labels else None
    shares = None if labels is None else labels.bincount().double()
    return sampling.Sampler(
        parts.architecture, shares, seed, torch.device(device), data.images.dtype
    )
