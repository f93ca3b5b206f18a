"""The textbook's own loop for its conditional DCGAN on MNIST, written as textbooks write it.

    python benchmarks/perf/reference_loop.py --loss bce --iterations 60

What others are compared with: a DataLoader that converts and normalises image by image, fakes that
are not detached in the discriminator's step, `.item()` of every loss at every step, float32, Adam
as it comes. Prints one line of JSON. It uses no part of ganbench.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

CLASSES, LATENT = 10, 128
N_CRITIC = {"bce": 1, "lsgan": 1, "wgan-gp": 5}
NORMS = {
    "batch": nn.BatchNorm2d,
    "layer": lambda channels: nn.GroupNorm(1, channels),
    "none": lambda channels: nn.Identity(),
}


class Generator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(CLASSES, LATENT)
        self.up1 = nn.ConvTranspose2d(LATENT, 256, 4, bias=False)
        self.norm1 = nn.BatchNorm2d(256)
        self.again = nn.Conv2d(LATENT, 256, 1)
        self.up2 = nn.ConvTranspose2d(256, 128, 3, 2, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(128)
        self.up3 = nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(64)
        self.up4 = nn.ConvTranspose2d(64, 1, 4, 2, 1, bias=False)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        x = (self.embedding(labels) * z).view(-1, LATENT, 1, 1)
        h = F.leaky_relu(self.norm1(self.up1(x)), 0.2)
        h = h + torch.tanh(self.again(z.view(-1, LATENT, 1, 1)))
        h = F.leaky_relu(self.norm2(self.up2(h)), 0.2)
        h = F.leaky_relu(self.norm3(self.up3(h)), 0.2)
        return torch.tanh(self.up4(h))


class Discriminator(nn.Module):
    def __init__(self, norm: str) -> None:
        super().__init__()
        self.embedding = nn.Embedding(CLASSES, 28 * 28)
        self.layers = nn.Sequential(
            nn.Conv2d(2, 64, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2),
            nn.Dropout2d(0.3),
            nn.Conv2d(64, 128, 4, 2, 1, bias=False),
            NORMS[norm](128),
            nn.LeakyReLU(0.2),
            nn.Dropout2d(0.3),
            nn.Conv2d(128, 256, 3, 2, 1, bias=False),
            NORMS[norm](256),
            nn.LeakyReLU(0.2),
            nn.Conv2d(256, 1, 4, bias=False),
        )

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        plane = self.embedding(labels).view(-1, 1, 28, 28)
        return self.layers(torch.cat([images, plane], 1)).view(-1)


def d_loss(kind: str, d: Discriminator, real: Tensor, fake: Tensor, labels: Tensor) -> Tensor:
    if kind == "wgan-gp":
        alpha = torch.rand(len(real), 1, 1, 1)
        between = (alpha * real + (1 - alpha) * fake).detach().requires_grad_()
        scores = d(between, labels)
        (gradient,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
        penalty = ((gradient.flatten(1).norm(2, dim=1) - 1) ** 2).mean()
        return d(fake, labels).mean() - d(real, labels).mean() + 10 * penalty
    on_real, on_fake = d(real, labels), d(fake, labels)
    if kind == "bce":
        return F.binary_cross_entropy_with_logits(
            on_real, torch.ones_like(on_real)
        ) + F.binary_cross_entropy_with_logits(on_fake, torch.zeros_like(on_fake))
    return 0.5 * ((on_real - 1) ** 2).mean() + 0.5 * (on_fake**2).mean()


def g_loss(kind: str, d: Discriminator, fake: Tensor, labels: Tensor) -> Tensor:
    on_fake = d(fake, labels)
    if kind == "bce":
        return F.binary_cross_entropy_with_logits(on_fake, torch.ones_like(on_fake))
    if kind == "lsgan":
        return 0.5 * ((on_fake - 1) ** 2).mean()
    return -on_fake.mean()


def loader_of(root: Path, batch_size: int) -> DataLoader[Any]:
    """`root` holds MNIST as torchvision lays it out."""
    images = datasets.MNIST(
        str(root),
        transform=transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))]),
    )
    return DataLoader(images, batch_size=batch_size, shuffle=True, drop_last=True)


def endless(loader: DataLoader[Any]) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        yield from loader


def train(
    kind: str,
    generator: Generator,
    discriminator: Discriminator,
    batches: Iterator[tuple[Tensor, Tensor]],
    iterations: int,
    noise: Callable[[int], Tensor] = lambda count: torch.rand(count, LATENT) * 2 - 1,
) -> Iterator[tuple[float, float]]:
    """Both players' losses of each iteration: one generator step after the critic's steps."""
    g_adam = torch.optim.Adam(generator.parameters(), lr=3e-4)
    d_adam = torch.optim.Adam(discriminator.parameters(), lr=2e-4)
    for _ in range(iterations):
        for _ in range(N_CRITIC[kind]):
            real, labels = next(batches)
            fake = generator(noise(len(real)), labels)
            loss = d_loss(kind, discriminator, real, fake, labels)
            d_adam.zero_grad()
            loss.backward()
            d_adam.step()
            found = loss.item()
        fake = generator(noise(len(real)), labels)
        loss = g_loss(kind, discriminator, fake, labels)
        g_adam.zero_grad()
        loss.backward()
        g_adam.step()
        yield found, loss.item()


def images_per_second(steps: Iterator[Any], warm_up: int, iterations: int, images: int) -> float:
    """Of `iterations` that show so many real images each, after some that do not count."""
    for _ in range(warm_up):
        next(steps)
    started = time.perf_counter()
    for _ in steps:
        pass
    return iterations * images / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="where MNIST/raw lies")
    parser.add_argument("--loss", choices=list(N_CRITIC), default="bce")
    parser.add_argument("--norm", choices=list(NORMS), default="batch", help="of the discriminator")
    parser.add_argument("--iterations", type=int, default=60)
    parser.add_argument("--warm-up", type=int, default=10, help="iterations that do not count")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    batches = endless(loader_of(asked.data, asked.batch_size))
    steps = train(
        asked.loss,
        Generator(),
        Discriminator(asked.norm),
        batches,
        asked.warm_up + asked.iterations,
    )
    images_each = N_CRITIC[asked.loss] * asked.batch_size
    rate = images_per_second(steps, asked.warm_up, asked.iterations, images_each)
    print(
        json.dumps(
            {
                "loop": "reference",
                "loss": asked.loss,
                "precision": "float32",
                "threads": asked.threads,
                "images_per_second": rate,
            }
        )
    )


if __name__ == "__main__":
    main()
