"""How fast a GPU trains, beside the textbook's own loop with its data on the GPU."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from common import CUDA, DEVICE, LARGE, MNIST, QUICK, SMALL, attempt, data, row, timed, trainer
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "perf"))
import reference_loop

from ganbench.default_plugins.architectures import DCGAN, ResNet
from ganbench.default_plugins.architectures.textbook.cdcgan import CDCGAN
from ganbench.default_plugins.conditionings import EmbedMul, Projection, Unconditional
from ganbench.default_plugins.losses import BCE, WGANGP

PRECISIONS = ("float32", "tf32", "bfloat16") if CUDA else ("float32",)
BATCHES = (16,) if QUICK else (128, 1024)


def textbook(batch: int) -> float:
    """As textbooks write it, in torch's defaults: `.item()` at each step, plain Adam."""
    torch.manual_seed(0)
    whole = data(MNIST)
    assert whole.labels is not None
    images, labels = whole.images.to(DEVICE).float() / 127.5 - 1, whole.labels.to(DEVICE)

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            order = torch.randperm(len(images), device=DEVICE)
            for rows in order[: len(order) // batch * batch].view(-1, batch):
                yield images[rows], labels[rows]

    def latents(count: int) -> Tensor:
        return torch.rand(count, reference_loop.LATENT, device=DEVICE) * 2 - 1

    networks = reference_loop.Generator(), reference_loop.Discriminator("batch")
    steps = reference_loop.train(
        "bce", *(net.to(DEVICE) for net in networks), batches(), 10**9, latents
    )
    return row(
        f"textbook loop, data on the device, batch {batch}", batch, timed(lambda: next(steps))
    )


def ours(what: str, *parts: Any, batch: int, shown: int = 1, **how: Any) -> float:
    made = trainer(*parts, batch_size=batch, **how)
    told = ", ".join(f"{key} {value}" for key, value in how.items())
    return row(f"{what}, batch {batch}, {told}", shown * batch, timed(made.iterate))


def main() -> None:
    cdcgan = (CDCGAN(), EmbedMul(spread=None))
    for batch in BATCHES:
        attempt("textbook", partial(textbook, batch))
        for precision in PRECISIONS:
            bce = partial(ours, "cdcgan bce", *cdcgan, BCE(), MNIST, batch=batch)
            attempt("cdcgan", partial(bce, precision=precision))
    batch, few = BATCHES[0], 4 if QUICK else 128
    kinds = (
        partial(
            ours,
            "cdcgan wgan-gp",
            *cdcgan,
            WGANGP(),
            MNIST,
            batch=batch,
            shown=5,
            n_critic=5,
            d_norm="layer",
        ),
        partial(ours, "dcgan 3x64x64", DCGAN(), Unconditional(), BCE(), LARGE, batch=few),
        partial(
            ours,
            "resnet 3x32x32",
            ResNet(),
            Projection(),
            BCE(),
            SMALL,
            batch=few,
            d_norm="spectral",
        ),
    )
    for kind in kinds:
        for precision in PRECISIONS:
            attempt(str(kind.args[0]), partial(kind, precision=precision))


if __name__ == "__main__":
    main()
