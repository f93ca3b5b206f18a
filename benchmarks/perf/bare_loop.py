"""The fastest plain loop we know for the same networks, written out by hand.

    python benchmarks/perf/bare_loop.py --net cdcgan --loss bce --precision bfloat16

What the trainer's contracts cost is measured against it: the data is one tensor, D's step carries
no graph through G, D is frozen in G's step, Adam is fused, nothing waits for the device, what can
be a matrix product is one, activations work in place, and the average of G's weights is kept as
the trainer keeps it. Of ganbench it has the two convolutions alone. `--net ring` is a four-layer
perceptron on points, where a step is so small that Python's own cost shows.
"""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from reference_loop import (
    LATENT,
    N_CRITIC,
    NORMS,
    Discriminator,
    Generator,
    images_per_second,
)
from torch import Tensor, nn
from torchvision import datasets

from ganbench.default_plugins.architectures.convolutions import Conv2d, ConvTranspose2d

EMA = 0.999
Labels = Tensor | None


class FastGenerator(Generator):
    """The textbook's, for channels-last weights: on 1×1 maps, convolutions are matrix products."""

    def __init__(self) -> None:
        super().__init__()
        self.up2 = ConvTranspose2d(256, 128, 3, 2, 1, bias=False)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        x = self.embedding(labels) * z
        first = F.linear(x, self.up1.weight.permute(2, 3, 1, 0).flatten(0, 2))
        h = F.leaky_relu_(self.norm1(first.view(-1, 4, 4, 256).permute(0, 3, 1, 2)), 0.2)
        again = F.linear(z, self.again.weight.flatten(1), self.again.bias)
        h = h + torch.tanh(again)[:, :, None, None]
        h = F.leaky_relu_(self.norm2(self.up2(h)), 0.2)
        h = F.leaky_relu_(self.norm3(self.up3(h)), 0.2)
        return torch.tanh(self.up4(h))


class FastDiscriminator(Discriminator):
    """The textbook's, with activations in place and a matrix product at the end."""

    def __init__(self, norm: str) -> None:
        super().__init__(norm)
        for layer in self.layers:
            if isinstance(layer, nn.LeakyReLU):
                layer.inplace = True
        self.layers[7] = Conv2d(128, 256, 3, 2, 1, bias=False)
        *self.body, _ = self.layers

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        h = torch.cat([images, self.embedding(labels).view(-1, 1, 28, 28)], 1)
        for layer in self.body:
            h = layer(h)
        last = self.layers[-1].weight.permute(0, 2, 3, 1).flatten(1)
        return F.linear(h.permute(0, 2, 3, 1).flatten(1), last).view(-1)


class RingGenerator(nn.Module):
    def __init__(self, width: int = 128) -> None:
        super().__init__()
        sizes = (16, width, width, width)
        self.layers = nn.Sequential(
            *(part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), nn.ReLU())),
            nn.Linear(width, 2),
            nn.Tanh(),
        )

    def forward(self, z: Tensor, labels: Labels) -> Tensor:
        return self.layers(z).view(-1, 2, 1, 1)


class RingDiscriminator(nn.Module):
    def __init__(self, width: int = 128) -> None:
        super().__init__()
        sizes = (2, width, width, width)
        self.layers = nn.Sequential(
            *(part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), nn.LeakyReLU(0.2))),
            nn.Linear(width, 1),
        )

    def forward(self, points: Tensor, labels: Labels) -> Tensor:
        return self.layers(points.flatten(1)).squeeze(1)


def d_terms(kind: str, d: nn.Module, real: Tensor, fake: Tensor, labels: Labels) -> Tensor:
    if kind == "wgan-gp":
        alpha = torch.rand_like(real[:, :1, :1, :1])
        between = torch.lerp(fake, real, alpha).requires_grad_()
        (gradient,) = torch.autograd.grad(
            d(between, labels).float().sum(), between, create_graph=True
        )
        slope = (gradient.float().flatten(1).square().sum(1) + 1e-12).sqrt()
        penalty = 10 * (slope - 1).square().mean()
        return d(fake, labels).float().mean() - d(real, labels).float().mean() + penalty
    on_real, on_fake = d(real, labels).float(), d(fake, labels).float()
    if kind == "bce":
        return F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
    return 0.5 * ((on_real - 1).square().mean() + on_fake.square().mean())


def g_terms(kind: str, d: nn.Module, fake: Tensor, labels: Labels) -> Tensor:
    on_fake = d(fake, labels).float()
    if kind == "bce":
        return F.softplus(-on_fake).mean()
    return 0.5 * (on_fake - 1).square().mean() if kind == "lsgan" else -on_fake.mean()


def train(
    kind: str,
    generator: nn.Module,
    discriminator: nn.Module,
    images: Tensor,  # float32 in [-1, 1], or uint8
    labels: Labels,
    draw: Callable[[int], Tensor],
    *,
    batch_size: int,
    precision: str = "float32",
    channels_last: bool = True,
    iterations: int,
) -> Iterator[None]:
    layout = torch.channels_last if channels_last else torch.contiguous_format
    generator.to(memory_format=layout).train()
    discriminator.to(memory_format=layout).train()
    average = copy.deepcopy(generator)
    averaged, live = list(average.parameters()), list(generator.parameters())
    watched = list(discriminator.parameters())
    g_adam = torch.optim.Adam(live, lr=3e-4, betas=(0.5, 0.999), fused=True)
    d_adam = torch.optim.Adam(watched, lr=2e-4, betas=(0.5, 0.999), fused=True)
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")
    batches = indices(len(images), batch_size)
    for _ in range(iterations):
        for _ in range(N_CRITIC[kind]):
            chosen = next(batches)
            real = images.index_select(0, chosen)
            if real.dtype == torch.uint8:
                real = real.float().div_(127.5).sub_(1)
            real = real.contiguous(memory_format=layout)
            y = None if labels is None else labels.index_select(0, chosen)
            with autocast:
                with torch.no_grad():
                    fake = generator(draw(batch_size), y).float()
                loss = d_terms(kind, discriminator, real, fake, y)
            d_adam.zero_grad(set_to_none=True)
            loss.backward()
            d_adam.step()
        for parameter in watched:
            parameter.requires_grad_(False)
        with autocast:
            loss = g_terms(kind, discriminator, generator(draw(batch_size), y).float(), y)
        g_adam.zero_grad(set_to_none=True)
        loss.backward()
        g_adam.step()
        for parameter in watched:
            parameter.requires_grad_(True)
        with torch.no_grad():
            torch._foreach_lerp_(averaged, live, 1 - EMA)
        yield


def indices(count: int, batch_size: int) -> Iterator[Tensor]:
    while True:
        yield from torch.randperm(count)[: count // batch_size * batch_size].view(-1, batch_size)


def ring(count: int = 50_000) -> Tensor:
    angle = torch.randint(8, (count,)) * (torch.pi / 4)
    centre = 0.8 * torch.stack([angle.cos(), angle.sin()], 1)
    return (centre + 0.02 * torch.randn(count, 2)).view(count, 2, 1, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", choices=["cdcgan", "ring"], default="cdcgan")
    parser.add_argument("--data", type=Path, help="where MNIST/raw lies")
    parser.add_argument("--loss", choices=list(N_CRITIC), default="bce")
    parser.add_argument("--norm", choices=list(NORMS), default="batch", help="of the discriminator")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--iterations", type=int, default=60)
    parser.add_argument("--warm-up", type=int, default=10, help="iterations that do not count")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    if asked.net == "ring":
        networks: tuple[nn.Module, nn.Module] = (RingGenerator(), RingDiscriminator())
        images, labels = ring(), None
        draw: Callable[[int], Tensor] = lambda count: torch.randn(count, 16)  # noqa: E731
    else:
        networks = (FastGenerator(), FastDiscriminator(asked.norm))
        found = datasets.MNIST(str(asked.data))
        images, labels = found.data[:, None], found.targets
        draw = lambda count: torch.rand(count, LATENT) * 2 - 1  # noqa: E731
    steps = train(
        asked.loss,
        *networks,
        images,
        labels,
        draw,
        batch_size=asked.batch_size,
        precision=asked.precision,
        channels_last=asked.net != "ring",
        iterations=asked.warm_up + asked.iterations,
    )
    images_each = N_CRITIC[asked.loss] * asked.batch_size
    rate = images_per_second(steps, asked.warm_up, asked.iterations, images_each)
    print(
        json.dumps(
            {
                "loop": "bare",
                "net": asked.net,
                "loss": asked.loss,
                "precision": asked.precision,
                "threads": asked.threads,
                "images_per_second": rate,
            }
        )
    )


if __name__ == "__main__":
    main()
