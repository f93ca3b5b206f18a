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
from ganbench.models import calibration
from ganbench.models.label_source import LabelSource
from ganbench.models.networks import ConditionalGenerator
from ganbench.models.parts import Parts
from ganbench.util.random_streams import accelerators, seed_all, stream, undisturbed
from ganbench.util.transfers import on_cpu

BATCH, CALIBRATION_BATCH = 500, 256  # images at once, unless they are large
LARGE_BATCH = 2**23  # values of images at once: activations are many times that
NOISE = "sample noise"  # the random stream of what a generator draws beside its latents
CALIBRATION_SAMPLES, FEWEST = 5120, 512


@dataclass(frozen=True)
class Sampler:
    """Draws the samples that a trial's generator is judged by."""

    architecture: Architecture
    asked: LabelSource | None  # the training data's labels, where the generator heeds any
    seed: int
    device: torch.device
    dtype: torch.dtype  # of the data set's images

    def calibrate(self, generator: ConditionalGenerator) -> None:
        """Estimate batch norm's statistics anew, which changes them in the generator."""
        enough = calibration_samples(generator.image)
        latents = draw_latents(self.architecture, enough, self.seed, "calibration latents")
        labels = self.labels(enough, "calibration labels")
        with seeded(self.device, self.seed, "calibration noise"):
            recalibrate(generator, latents, labels, self.device)

    def draw(
        self, generator: ConditionalGenerator, count: int, draw: int = 0
    ) -> tuple[LabeledImages, float]:
        """Return so many images of a calibrated generator, and the seconds that it took.

        Each `draw` has random streams of its own, also for what the generator itself draws.
        """
        latents = draw_latents(self.architecture, count, self.seed, of_draw("samples", draw))
        asked = self.labels(count, of_draw("labels", draw))
        started = time.perf_counter()
        with seeded(self.device, self.seed, of_draw(NOISE, draw)):
            images = generate(generator, latents, asked, self.device, dtype=self.dtype)
        return LabeledImages(images, asked), time.perf_counter() - started

    def labels(self, count: int, name: str = "labels") -> Tensor | None:
        """Return as many labels, or None where the generator heeds none."""
        return None if self.asked is None else self.asked.draw(count, self.seed, name)


@contextmanager
def seeded(device: torch.device, seed: int, name: str) -> Iterator[None]:
    """Let what a generator draws by itself, as StyleGAN's noise, be of one random stream.

    All generators of the process are afterwards where they were.
    """
    with undisturbed(accelerators(device)):
        seed_all(seed, name)
        yield


def of_draw(name: str, draw: int) -> str:
    """Return the name of a random stream of one of several draws; the first has the plain name."""
    return f"{name}, draw {draw + 1}" if draw else name


def draw_latents(
    architecture: Architecture, count: int, seed: int, name: str = "samples"
) -> Tensor:
    """Return latents (count, latent_dim) from the prior, made on the CPU: the same everywhere."""
    return architecture.latents(count, stream(seed, name))


def at_once(image: ImageSpec) -> int:
    """Return how many images are made at once, so that large ones do not fill the memory."""
    return max(16, min(BATCH, LARGE_BATCH // _values(image)))


def calibration_samples(image: ImageSpec) -> int:
    """Return how many latents estimate batch norm's statistics: fewer where images are large."""
    return max(FEWEST, min(CALIBRATION_SAMPLES, 8 * LARGE_BATCH // _values(image)))


@torch.no_grad()
def recalibrate(
    generator: ConditionalGenerator,
    latents: Tensor,
    labels: Tensor | None,
    device: torch.device,
) -> None:
    """Estimate norm layers' running statistics anew from latents (N, Z) and their labels.

    Those at hand are of the live weights, and not of their average. All but batch norm works as in
    evaluation, and spectral norms are settled before.
    """
    batch_size = min(CALIBRATION_BATCH, at_once(generator.image))
    generator.eval()
    calibration.settle_spectral_norms(generator)
    norms = calibration.running_norms(generator)
    if not norms:
        return
    whole = max(len(latents) // batch_size * batch_size, min(len(latents), batch_size))
    labels = None if labels is None else labels[:whole]  # batches of one size weigh the same
    with calibration.collecting(norms):
        for z, y in _batches(latents[:whole], labels, batch_size, device):
            generator(z, y)


@torch.no_grad()
def generate(
    generator: ConditionalGenerator,
    latents: Tensor,
    labels: Tensor | None,
    device: torch.device,
    *,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Return images (N, C, H, W) on the CPU: float32 in [-1, 1], or uint8, batch by batch."""
    images, at = torch.empty(0), 0
    final = quantise if dtype == torch.uint8 else torch.Tensor.detach
    pieces = _batches(latents, labels, at_once(generator.image), device)
    with evaluating(generator):
        for (batch,) in on_cpu((final(generator(z, y)),) for z, y in pieces):
            assert batch is not None
            if not at:
                images = torch.empty(len(latents), *batch.shape[1:], dtype=batch.dtype)
            images[at : at + len(batch)] = batch
            at += len(batch)
    return images


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode for as long as the context lasts."""
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


def make_sampler(
    parts: Parts, data: LabeledImages, seed: int, device: str, *, uniform: bool = False
) -> Sampler:
    """Return a trial's sampler, whose labels come as often as in the training data `data`.

    With `uniform` each class comes as often as any other.
    """
    labels = data.labels if parts.g_conditioning.needs_labels else None
    asked = None if labels is None else LabelSource.of(labels, uniform=uniform)
    return Sampler(parts.architecture, asked, seed, torch.device(device), data.images.dtype)
