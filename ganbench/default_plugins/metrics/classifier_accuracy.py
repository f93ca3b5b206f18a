"""What a classifier that learnt from samples alone knows of real images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ganbench import (
    Column,
    Evaluation,
    ImageSpec,
    LabeledImages,
    Metric,
    Unavailable,
    hookimpl,
    require_classes,
)
from ganbench.default_plugins.metrics.shuffles import shuffled

MIN_RESOLUTION = 8  # below, rows and columns are not looked at
WIDTH = 16  # maps of the first convolution; half of what the others have
LEARNING_RATE = 5e-3  # the peak of one cycle
CHUNK = 500


class SmallCNN(nn.Sequential):
    """Convolutions that halve the image until it is 4 to 7 wide, and one linear layer."""

    def __init__(self, image: ImageSpec) -> None:
        layers: list[nn.Module] = []
        channels, width, size = image.channels, WIDTH, image.resolution
        while size >= MIN_RESOLUTION:
            layers += [
                nn.Conv2d(channels, width, 4, stride=2, padding=1),
                nn.GroupNorm(8, width),
                nn.ReLU(),
            ]
            channels, width, size = width, 2 * WIDTH, size // 2
        super().__init__(*layers, nn.Flatten(), nn.Linear(channels * size**2, image.num_classes))


class SmallMLP(nn.Sequential):
    """Two hidden layers, for points and images below 8×8."""

    def __init__(self, image: ImageSpec) -> None:
        super().__init__(
            nn.Flatten(),
            nn.Linear(image.channels * image.resolution**2, 128),
            nn.ReLU(),
            nn.Linear(128, 128),
            nn.ReLU(),
            nn.Linear(128, image.num_classes),
        )


@torch.inference_mode(False)
def new_classifier(image: ImageSpec, seed: int) -> nn.Module:
    """Return an untrained classifier; torch's own generator is left as it was."""
    net = SmallCNN if image.resolution >= MIN_RESOLUTION else SmallMLP
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return net(image)


@torch.inference_mode(False)
@torch.enable_grad()
def train(net: nn.Module, data: LabeledImages, epochs: int, batch_size: int, seed: int = 0) -> None:
    """Train for a fixed number of epochs, by a learning rate that rises and falls once.

    Neither the order of `data` nor torch's own generator has a part in it.
    """
    assert data.labels is not None
    order, generator = shuffled(data, seed), torch.Generator().manual_seed(seed)
    steps = epochs * -(-len(data) // batch_size)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps)
    for _ in range(epochs):
        for rows in order[torch.randperm(len(data), generator=generator)].split(batch_size):
            optimizer.zero_grad()
            cross_entropy(net(_scaled(data.images[rows])), data.labels[rows]).backward()
            optimizer.step()
            schedule.step()


def _scaled(images: Tensor) -> Tensor:
    return images.float().div_(127.5).sub_(1) if images.dtype == torch.uint8 else images


def accuracy(net: nn.Module, data: LabeledImages) -> float:
    """Return the share of images whose class the net says. Raises Unavailable where it diverged."""
    assert data.labels is not None
    right = 0
    with torch.inference_mode():
        for images, labels in zip(data.images.split(CHUNK), data.labels.split(CHUNK), strict=True):
            logits = net(_scaled(images))
            if not logits.isfinite().all():
                raise Unavailable("the training of the classifier on the samples diverged")
            right += int((logits.argmax(1) == labels).sum())
    return right / len(data)


@dataclass(kw_only=True)
class ClassificationAccuracyScore(Metric):
    """Accuracy on the real test set after training on samples (Ravuri & Vinyals, 2019).

    A small network of its own, fresh each time, takes the classes asked for as the truth, and is
    judged as its last epoch left it. The scale is what training images in the samples' place reach,
    the control `train-half`; the control `test` learns the very images that it is asked about.
    """

    name = "cas"
    version = 2
    epochs: int = 3
    batch_size: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in (("epochs", self.epochs), ("batch_size", self.batch_size)):
            if value < 1:
                raise ValueError(f"{name} must be positive, found {value}")

    @property
    def columns(self) -> tuple[Column, ...]:
        return (Column("cas", "", "max", digits=3, title="CAS"),)

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        require_classes(evaluation)
        fake = evaluation.fake
        if fake.labels is None:
            raise Unavailable("the generator is not told a class")
        if not all(chunk.isfinite().all() for chunk in fake.images.split(CHUNK)):
            raise Unavailable("the samples are not finite")
        test = evaluation.reals("test")
        if test.labels is None:
            raise Unavailable(f"the test set of '{evaluation.dataset.name}' has no labels")
        net = new_classifier(evaluation.image, self.seed)
        train(net, fake, self.epochs, self.batch_size, self.seed)
        return {"cas": accuracy(net, test)}

    def protocol(self) -> dict[str, Any]:
        return {
            **super().protocol(),
            "classifier": "small-cnn-v2; below 8×8 small-mlp-v1",
            "optimizer": f"AdamW, one cycle to {LEARNING_RATE}",
            "trained_on": "samples",
            "tested_on": "test",
            "epoch": "last",
        }


@hookimpl
def register_metrics(register: Callable[[type[Metric]], None]) -> None:
    register(ClassificationAccuracyScore)
