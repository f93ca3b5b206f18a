"""What the measurements of this folder share: the device, trainers, a clock, lines that say it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import torch

from ganbench import ImageSpec, LabeledImages
from ganbench.default_plugins.optimizers import Adam
from ganbench.models.networks import build
from ganbench.records.training_settings import TrainingSettings
from ganbench.registry import registry
from ganbench.training.torch_settings import synchronized_seconds
from ganbench.training.trainer import Trainer
from ganbench.util import files, machine

DEVICE = torch.device(os.environ.get("PROVE_DEVICE", "cuda:0"))
QUICK = bool(os.environ.get("PROVE_QUICK"))
CUDA = DEVICE.type == "cuda"
MNIST, SMALL, LARGE = ImageSpec(1, 28, 10), ImageSpec(3, 32, 10), ImageSpec(3, 64)
SETTINGS = TrainingSettings(
    batch_size=128,
    kimg=10.0**6,
    n_critic=1,
    updates="alternating",
    optimizer="adam",
    g_lr=3e-4,
    d_lr=2e-4,
    betas=(0.5, 0.999),
    ema=0.999,
    precision="float32",
    channels_last=True,
    log_every=10**6,
)

torch.set_num_threads(machine.cores())


def now() -> float:
    """The clock, once the device is done."""
    return synchronized_seconds(DEVICE)


@cache
def data(image: ImageSpec) -> LabeledImages:
    """MNIST, or noise of another shape."""
    if image == MNIST:
        mnist = registry.load().build("dataset", "mnist", {})
        found: LabeledImages = mnist.load("train", files.data())
        return found
    shape = (8192, image.channels, image.resolution, image.resolution)
    noise = torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(len(noise)) % image.num_classes if image.num_classes else None
    return LabeledImages(noise, labels)


def trainer(
    architecture: Any,
    conditioning: Any,
    loss: Any,
    image: ImageSpec,
    *,
    d_norm: str = "batch",
    device: torch.device = DEVICE,
    **how: Any,
) -> Trainer:
    torch.manual_seed(0)
    networks = build(architecture, conditioning, conditioning, image, g_norm="batch", d_norm=d_norm)
    return Trainer(
        *networks,
        [loss],
        data(image),
        architecture.latents,
        replace(SETTINGS, **how),
        seed=0,
        device=device,
        optimizers=(Adam(), Adam()),
    )


def timed(step: Callable[[], object], seconds: float = 2.0, warm: int = 12) -> float:
    """Seconds of a step: of one long block, waited for at its end alone, as a window of the log."""
    few = 1 if QUICK else warm

    def block(count: int) -> float:
        began = now()
        for _ in range(count):
            step()
        return (now() - began) / count

    block(few)
    return block(max(few, int((0.3 if QUICK else seconds) / block(few))))


def row(what: str, images: int, seconds: float) -> float:
    """Say how fast something is, and return it."""
    print(f"ROW {what:60s} {images / seconds:12,.0f} img/s {1e3 * seconds:9.2f} ms", flush=True)
    return images / seconds


def attempt(what: str, measure: Callable[[], object]) -> None:
    """Measure, and where that raises say so and go on with the rest."""
    try:
        measure()
    except Exception as error:
        first = (str(error).splitlines() or [""])[0]
        print(f"FAILED {what}: {type(error).__name__}: {first[:220]}", flush=True)


def judge(good: bool, what: str) -> None:
    print(f"{'OK' if good else 'BAD'} {what}", flush=True)


def wall() -> float:
    return time.perf_counter()
